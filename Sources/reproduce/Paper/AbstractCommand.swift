// `reproduce abstract`: the abstract as it is printed, and where each of its numbers comes from.

import ArgumentParser
import Foundation
import Notebook

struct Abstract: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints the abstract with its numbers, and where each of them comes from.",
    discussion: """
      Reads paper/abstract.tex and what its macros stand for, as `reproduce paper` does; writes DIR/abstract.txt \
      and DIR/abstract.tsv. More than \(AbstractTable.wordLimit) words are an error, and so is a number without \
      its control.
      """)

  @Option(help: "The folder to write to.") var out = "build/paper"

  func run() throws {
    let repository = try Repository()
    let root = repository.root.path
    let ledger = try readLedger(repository)
    let source = Latex(
      try String(contentsOfFile: "\(root)/paper/abstract.tex", encoding: .utf8),
      file: "paper/abstract.tex")
    let table = AbstractTable(
      text: try PaperText(root: root, ledger: ledger),
      experiments: try ExperimentSource.all(root: root),
      targets: try MakeTargets(root: root), ledger: ledger)
    let (abstract, lines) = (try table.abstract(source), try table.lines(source))
    try publish([
      Output("\(out)/abstract.txt", text: abstract + "\n"),
      Output(
        "\(out)/abstract.tsv",
        text: ([AbstractTable.Line.columns] + lines.map(\.fields))
          .map { $0.joined(separator: "\t") + "\n" }.joined()),
    ])
    print(wrapped(abstract, width: 100), terminator: "\n\n")
    for line in lines {
      print("\(line.quoted)  \(line.row)  \(line.value) \(line.interval)")
      if !line.control.isEmpty {
        print("  control     \(line.control)  \(line.controlValue) \(line.controlInterval)")
      }
      print(
        "  experiment  \(line.experiment)" + (line.cells.isEmpty ? "" : ", cells \(line.cells)"))
      print("  command     \(line.command)")
    }
    print("\n\(wordCount(abstract)) words; \(out)/abstract.txt, \(out)/abstract.tsv")
  }
}

/// A text in lines of at most so many characters.
func wrapped(_ text: String, width: Int) -> String {
  text.split(separator: "\n", omittingEmptySubsequences: false).map { paragraph in
    paragraph.split(separator: " ").reduce(into: [""]) { lines, word in
      if lines[lines.count - 1].isEmpty {
        lines[lines.count - 1] = String(word)
      } else if lines[lines.count - 1].count + 1 + word.count <= width {
        lines[lines.count - 1] += " \(word)"
      } else {
        lines.append(String(word))
      }
    }
    .joined(separator: "\n")
  }
  .joined(separator: "\n")
}
