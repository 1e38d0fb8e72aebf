// README as it is committed: its table of claims is the ledger's, and its prose has no typed result.

import Foundation
import Notebook
import Testing

@testable import reproduce

@Suite struct ReadmeTests {
  private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  private func read(_ file: String) throws -> String {
    try String(contentsOfFile: "\(root)/\(file)", encoding: .utf8)
  }

  private var ledger: Ledger {
    get throws { try Ledger(parsing: read("paper/numbers.tsv"), file: "paper/numbers.tsv") }
  }

  @Test func theTableOfClaimsIsTheLedgers() throws {
    let table = try ClaimTable(root: root, ledger: ledger)
    let markdown = try table.markdown()
    let readme = try read("README.md")
    #expect(
      try ReadmeText.replacingClaims(in: readme, with: markdown, file: "README.md") == readme,
      "run make readme")
    // Every claim has its row, and no markup is left.
    for verdict in try ledger.verdicts() where !verdict.key.contains(".") {
      #expect(markdown.contains("**\(verdict.key)**: "), "\(verdict.key)")
    }
    #expect(!markdown.contains("\\") && !markdown.contains("\u{1}"))
    for line in markdown.split(separator: "\n").dropFirst(2) {
      #expect(line.contains("`make ") && line.contains("](figures/"), "\(line)")
    }
  }

  /// With other numbers the table says so: a verdict, a value, and a claim that no line of the file knows.
  @Test func theTableFollowsTheLedger() throws {
    let rows = try ledger.rows.map { row -> Ledger.Row in
      switch row.name {
      case "claim.C1":
        try Ledger.Row(
          name: row.name, value: 0, experiment: row.experiment,
          claim: row.claim.replacingOccurrences(of: "holds: ", with: "refuted: "))
      case "e1.searchOverlap":
        try Ledger.Row(name: row.name, value: 0.123, experiment: row.experiment)
      default: row
      }
    }
    let new = try Ledger.Row(
      name: "claim.X9", value: 1, experiment: "e1-causal-map", claim: "holds: something new")
    let markdown = try ClaimTable(root: root, ledger: Ledger(rows + [new])).markdown()
    let lines = markdown.split(separator: "\n")
    #expect(lines.contains { $0.contains("**C1**") && $0.contains("**refuted**") })
    #expect(lines.contains { $0.contains("**C3**") && $0.contains("0.123") })
    #expect(lines.contains { $0.contains("**X9**: something new | holds") })
  }

  @Test func noResultIsTypedIntoProse() throws {
    for file in ReadmeText.files where FileManager.default.fileExists(atPath: "\(root)/\(file)") {
      let found = ReadmeText.typedResults(try read(file))
      #expect(found.isEmpty, "\(file): \(found)")
    }
  }

  @Test func typedResultsAreFound() {
    func found(_ text: String) -> [String] { ReadmeText.typedResults(text).map(\.text) }
    #expect(found("it recovers 0.98 of the gap") == ["0.98 of"])
    #expect(found("in 4 of 5 models, for a twentieth of sounds") == ["4 of", "a twentieth"])
    #expect(found("90% of them, (0.5).") == ["90% of", "0.5 "])
    // Sizes, times, names, code, links and the table are none.
    #expect(
      found("0.9 GB, 2.5 GB in 0.4 of the time, Qwen2.5-0.5B, `0.5`, [a](0.5), two halves") == [])
    #expect(found("```\n0.5 of\n```\n    0.5 of\n<!-- claims -->\n0.5 of\n<!-- /claims -->") == [])
    #expect(
      ReadmeText.typedResults("one\n<!-- claims -->\n0.5\n<!-- /claims -->\n0.7 of")[0].line == 5)
  }

  @Test func aTypedNumberInTheListOfClaimsIsRefused() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    for name in ["paper", "Sources", "figures", "Makefile"] {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        at: URL(fileURLWithPath: "\(root)/\(name)").resolvingSymlinksInPath(),
        to: folder.appendingPathComponent(name))
    }
    let file = folder.appendingPathComponent(ClaimTable.file)
    _ = try ClaimTable(root: folder.path, ledger: ledger)
    for wrong in ["C1\te1-causal-map\t\tit is 0.9\n", "C1\te1-causal-map\t\ta tenth\n", "C1\te1\n"]
    {
      try "claim\texperiment\tstatement\tlook\n\(wrong)".write(
        to: file, atomically: true, encoding: .utf8)
      #expect(throws: Failure.self) { try ClaimTable(root: folder.path, ledger: ledger) }
    }
    for wrong in ["C9\te1-causal-map\t\t\n", "C1\tno-such\t\t\n"] {
      try "claim\texperiment\tstatement\tlook\n\(wrong)".write(
        to: file, atomically: true, encoding: .utf8)
      let table = try ClaimTable(root: folder.path, ledger: ledger)
      #expect(throws: Failure.self) { try table.markdown() }
    }
  }
}
