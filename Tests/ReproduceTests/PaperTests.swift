// The paper as it is committed: what it asks of the ledger is there, and no number is typed.

import Foundation
import Notebook
import Testing

@testable import reproduce

@Suite struct PaperTests {
  private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  private var ledger: Ledger {
    get throws {
      try Ledger(
        parsing: String(contentsOfFile: "\(root)/paper/numbers.tsv", encoding: .utf8), file: "l")
    }
  }

  @Test func everyNumberIsTheLedgers() throws {
    let sources = try PaperSources(root: root)
    let ledger = try ledger
    #expect(try sources.faults(against: ledger) == [])
    #expect(sources.used.count > 50)
    _ = try ledger.macros(used: sources.used)
  }

  /// At most 150 words as it is printed: of each verdict the wording that is chosen, an effect with its
  /// interval as three.
  @Test func theAbstractIsShort() throws {
    let abstract = Latex(
      try String(contentsOfFile: "\(root)/paper/abstract.tex", encoding: .utf8), file: "a")
    func words(_ text: String) -> Int {
      text.split { $0.isWhitespace || "{}".contains($0) }
        .count { !$0.hasPrefix("\\") && $0.contains { $0.isLetter || $0.isNumber } }
    }
    let verdicts = try Dictionary(uniqueKeysWithValues: ledger.verdicts().map { ($0.key, $0.word) })
    var count = words(abstract.text)
    for call in abstract.calls(of: ["byverdict"]) {
      let chosen = try #require(
        ["holds": 1, "mixed": 2, "refuted": 3][verdicts[call.arguments[0]] ?? ""])
      for (i, wording) in call.arguments.enumerated() where i != chosen { count -= words(wording) }
    }
    count += 2 * abstract.calls(of: ["effect", "control"]).count
    #expect(count <= 150, "\(count) words")
    #expect(count > 90, "\(count) words")
  }

  /// A constant of the design says which file it comes from, and that file has it.
  @Test func constantsStandWhereTheySay() throws {
    let text = try String(contentsOfFile: "\(root)/paper/constants.tex", encoding: .utf8)
    let lines = text.split(separator: "\n").filter { $0.hasPrefix("\\newcommand") }
    #expect(lines.count > 5)
    for line in lines {
      let source = line.split(separator: "% ", maxSplits: 1).last ?? ""
      let parts = source.split(separator: ": ", maxSplits: 1).map(String.init)
      let file = try String(contentsOfFile: "\(root)/\(parts[0])", encoding: .utf8)
      #expect(file.contains(parts[1]), "\(line)")
    }
  }

  @Test func tablesHaveTheirRows() throws {
    let tables = try PaperTables(
      ledger: ledger, accuracies: Accuracies(reading: "\(root)/paper/accuracies.tsv"))
    for (name, text) in try tables.all() {
      #expect(text.components(separatedBy: "\\\\\n").count > 4, "\(name)")
      #expect(!text.contains("nan") && !text.contains("inf"), "\(name)")
    }
  }
}
