// `reproduce paper`: what LaTeX needs of the ledger, so that no number is typed into the paper.

import ArgumentParser
import Foundation
import Notebook

struct Paper: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes the paper's numbers, verdicts and tables from the ledger.",
    discussion: """
      Reads paper/numbers.tsv and paper/accuracies.tsv, and which numbers paper/*.tex and paper/sections/*.tex \
      ask for; writes DIR/numbers.tex and DIR/tables. A number, verdict or table that is asked for and not \
      there is an error, and so are a number typed by hand and a constant that nothing uses.
      """)

  @Option(help: "The folder to write to.") var out = "build/paper"

  func run() throws {
    let repository = try Repository()
    let ledger = try readLedger(repository)
    let sources = try PaperSources(root: repository.root.path)
    let claims = try ClaimTable(root: repository.root.path, ledger: ledger)
    try sources.check(against: ledger, besides: claims.sources)
    let tables = try PaperTables(root: repository.root.path, ledger: ledger)
    var outputs = [
      "numbers.tex": try ledger.macros(used: sources.used)
        + ledger.verdictDefinitions(used: sources.usedVerdicts)
        + pageDefinitions(ExperimentSource.all(root: repository.root.path))
        + checkDefinitions(root: repository.root.path)
    ]
    for (name, text) in try tables.all() { outputs["tables/\(name).tex"] = text }
    try FileManager.default.createDirectory(
      atPath: "\(out)/tables", withIntermediateDirectories: true)
    for (name, text) in outputs.sorted(by: { $0.key < $1.key }) {
      // What is as it was keeps its date, so that LaTeX does not run for nothing.
      let path = "\(out)/\(name)"
      if FileManager.default.contents(atPath: path) != Data(text.utf8) {
        try writeAtomically(text, to: path)
      }
    }
    print(
      "\(sources.used.count) numbers and \(outputs.count - 1) tables from paper/numbers.tsv, in \(out)"
    )
  }
}

/// LaTeX definitions of the page that a figure's caption leads to.
func pageDefinitions(_ experiments: [ExperimentSource]) -> String {
  experiments.flatMap { experiment in
    experiment.figures.map { figure in
      let name = figure.split(separator: "/").last ?? ""
      return "\\expandafter\\def\\csname page@\(name)\\endcsname{\(experiment.name)}\n"
    }
  }
  .joined()
}

/// LaTeX definitions of how many of a figure's sanity checks hold.
func checkDefinitions(root: String) throws -> String {
  try ["figureS6", "figureS6-published"].map { figure in
    let verdicts = try column("verdict", of: "figures/\(figure).tsv", root: root)
    let count = "\(verdicts.count { $0 == "holds" }) of \(verdicts.count)"
    return "\\expandafter\\def\\csname checks@\(figure)\\endcsname{\(count)}\n"
  }
  .joined()
}

/// The values of one column of a table, by the name of its column.
func column(_ name: String, of table: String, root: String) throws -> [String] {
  let lines = try String(contentsOfFile: "\(root)/\(table)", encoding: .utf8)
    .split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false) }
  guard let place = lines.first?.firstIndex(where: { $0 == name }) else {
    throw Failure("\(table) has no column \(name)")
  }
  return lines.dropFirst().map { String($0[place]) }
}

/// The committed ledger; one that is not there is an error here.
func readLedger(_ repository: Repository) throws -> Ledger {
  let path = "paper/numbers.tsv"
  guard let data = FileManager.default.contents(atPath: repository.url(path).path) else {
    throw ValidationError("\(path) is missing: git restore it, or run the experiments")
  }
  return try Ledger(parsing: String(decoding: data, as: UTF8.self), file: path)
}
