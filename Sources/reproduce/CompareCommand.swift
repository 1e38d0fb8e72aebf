// `reproduce compare DIR`: a rerun's figures, tables and ledger against the committed ones.

import ArgumentParser
import Foundation
import JSON
import Notebook

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compares what a run wrote to DIR with the repository.",
    discussion: """
      Files are identical or they differ; numbers are identical, within their tolerance, or differ; what \
      belongs to no experiment that was run is said to be not rerun. Ends with status 1 where anything \
      differs or is missing.
      """)

  @Argument(help: "The folder that an experiment was run into with --out.") var folder: String
  @Flag(help: "Say nothing of what was not rerun.") var rerunOnly = false
  @Option(help: "A file for the verdicts as JSON.") var json: String?

  func run() throws {
    let comparison = try RerunComparison(root: Repository().root.path, folder: folder)
    let verdicts = comparison.verdicts.filter { !rerunOnly || $0.verdict != .notRerun }
    for line in verdicts { print(line) }
    let counts = Dictionary(grouping: verdicts, by: \.verdict.rawValue).mapValues(\.count)
    print(counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
    if let json {
      let all = JSON.object([
        "verdicts": .array(verdicts.map(\.json)),
        "counts": .object(counts.mapValues { .integer($0) }),
        "agrees": .bool(comparison.agrees),
      ])
      try writeAtomically(all.text + "\n", to: json)
    }
    guard comparison.agrees else { throw ExitCode(1) }
  }
}

/// Every file and number of a rerun beside the committed one.
struct RerunComparison {
  struct Line: CustomStringConvertible {
    let verdict: Ledger.Verdict
    /// A file, or a row of the ledger.
    let name: String
    /// Of a row: the committed value and the rerun's; nil where there is none.
    var values: (paper: Double?, rerun: Double?)?

    var description: String {
      let detail = values.map { values in
        [values.paper, values.rerun].map { $0.map { "\($0)" } ?? "-" }.joined(separator: "  ")
      }
      return verdict.rawValue.padding(toLength: 17, withPad: " ", startingAt: 0) + " \(name)"
        + (detail.map { " \($0)" } ?? "")
    }

    var json: JSON {
      var members: [String: JSON] = ["verdict": .string(verdict.rawValue), "name": .string(name)]
      if let values {
        members["paper"] = values.paper.map { .number($0) } ?? .null
        members["rerun"] = values.rerun.map { .number($0) } ?? .null
      }
      return .object(members)
    }
  }

  let verdicts: [Line]

  /// Whether nothing differs and nothing is missing.
  var agrees: Bool { !verdicts.contains { [.differs, .missing].contains($0.verdict) } }

  /// - Parameters:
  ///   - root: the repository
  ///   - folder: what experiments were run into
  /// - Throws: where the folder has no figures, or a ledger is damaged.
  init(root: String, folder: String) throws {
    let files = FileManager.default
    let figures = try files.contentsOfDirectory(atPath: "\(folder)/figures").sorted()
    guard !figures.isEmpty else {
      throw ValidationError("\(folder)/figures is empty: run an experiment with --out \(folder)")
    }
    let accuracies = ["paper/accuracies.tsv"].filter { files.fileExists(atPath: "\(folder)/\($0)") }
    var lines = (figures.map { "figures/\($0)" } + accuracies).map { name in
      let own = files.contents(atPath: "\(root)/\(name)")
      let rerun = files.contents(atPath: "\(folder)/\(name)")
      return Line(verdict: own == nil ? .missing : own == rerun ? .identical : .differs, name: name)
    }
    lines += try files.contentsOfDirectory(atPath: "\(root)/figures").sorted()
      .filter { !figures.contains($0) }
      .map { Line(verdict: .notRerun, name: "figures/\($0)") }
    let paper = try Ledger(readingIfPresent: "\(root)/paper/numbers.tsv")
    let rerun = try Ledger(readingIfPresent: "\(folder)/paper/numbers.tsv")
    lines += paper.compared(to: rerun).map { row in
      Line(
        verdict: row.verdict, name: row.name, values: (row.paper?.value, row.rerun?.value))
    }
    verdicts = lines
  }
}
