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

  @Test(arguments: ReadmeLanguage.allCases)
  func theTableOfClaimsIsTheLedgers(_ language: ReadmeLanguage) throws {
    let table = try ClaimTable(root: root, ledger: ledger, language: language)
    let markdown = try table.markdown()
    let readme = try read(language.readme)
    #expect(
      try ReadmeText.replacingClaims(in: readme, with: markdown, file: language.readme) == readme,
      "run make readme")
    // Every claim has its row, and no markup is left.
    for verdict in try ledger.verdicts() where !verdict.key.contains(".") {
      #expect(markdown.contains("**\(verdict.key)**"), "\(verdict.key)")
    }
    #expect(!markdown.contains("\\") && !markdown.contains("\u{1}"))
    for line in markdown.split(separator: "\n").dropFirst(2) {
      #expect(line.contains("`make ") && line.contains("](figures/"), "\(line)")
    }
  }

  /// The lists of both languages look at the same claims by the same numbers, in the same order.
  @Test func theListsOfClaimsAreInStep() throws {
    let (english, chinese) = try (
      ClaimTable(root: root, ledger: ledger, language: .english).entries,
      ClaimTable(root: root, ledger: ledger, language: .chinese).entries
    )
    #expect(
      english.map { [$0.claim, $0.experiment] } == chinese.map { [$0.claim, $0.experiment] })
    for (a, b) in zip(english, chinese) {
      let calls = [a, b].map {
        Latex($0.look, file: "l").calls(of: ["val", "effect", "control", "holdingin", "code"])
          .map { [$0.command] + $0.arguments }
      }
      #expect(calls[0] == calls[1], "\(a.claim), \(a.experiment)")
      #expect(!b.statement.isEmpty, "\(a.claim), \(a.experiment)")
    }
  }

  /// Both READMEs have the same headings, tables, code, links and commands.
  @Test func theReadmesAreInStep() throws {
    let (english, chinese) = (
      try Skeleton(read("README.md")), try Skeleton(read("README.zh-TW.md"))
    )
    #expect(english.headings == chinese.headings)
    #expect(english.tables == chinese.tables)
    #expect(english.blocks == chinese.blocks)
    #expect(english.links == chinese.links)
    let missing = english.code.filter { english.code[$0.key] != chinese.code[$0.key] }
    let other = chinese.code.filter { english.code[$0.key] == nil }
    #expect(
      missing.isEmpty && other.isEmpty,
      "missing or of another number: \(missing); besides: \(other)")
  }

  @Test func aSkeletonSeesWhatReadmesMustShare() throws {
    let one = Skeleton(
      "# A\n\n| a `x` | b |\n|---|---|\n| [c](d) | `y` |\n\n    make it  # now\n\n```sh\nls\n```\n")
    let other = Skeleton(
      "# 甲\n\n| 乙 `x` | 丙 |\n|---|---|\n| [丁](d) | `y` |\n\n    make it  # 現在\n\n```sh\nls\n```\n")
    #expect(
      one == other && one.links == ["d"] && one.blocks.count == 2 && one.tables == ["2", "2", "2"])
    for wrong in ["# 甲\n", "## 甲\n\n| `x` | b |\n", "# A\n\n[c](e) `z`\n"] {
      #expect(Skeleton(wrong) != one)
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
    // What has not been run is left out.
    let others = try Ledger(ledger.rows.filter { $0.experiment != "search-methods" })
    let without = try ClaimTable(root: root, ledger: others).markdown()
    #expect(!without.contains("**S2**") && without.contains("**C1**"))
  }

  @Test func noResultIsTypedIntoProse() throws {
    for file in ReadmeLanguage.allCases.map(\.readme) {
      let found = ReadmeText.typedResults(try read(file))
      #expect(found.isEmpty, "\(file): \(found)")
    }
  }

  @Test func typedResultsAreFound() {
    func found(_ text: String) -> [String] { ReadmeText.typedResults(text).map(\.text) }
    #expect(found("it recovers 0.98 of the gap") == ["0.98 of"])
    #expect(found("in 4 of 5 models, for a twentieth of sounds") == ["4 of", "a twentieth"])
    #expect(found("90% of them, (0.5).") == ["90% of", "0.5 "])
    #expect(found("二十分之一的聲音，回復 0.98。") == ["二十分之一", "0.98 "])
    #expect(found("只需 0.4 倍的時間，5.7 億個參數，0.9 GB。") == [])
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
    let file = folder.appendingPathComponent("paper/claims.tsv")
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

/// What the READMEs of two languages share.
private struct Skeleton: Equatable {
  var headings: [String] = []

  /// How many columns each line of a table has.
  var tables: [String] = []

  /// Code blocks, fenced and indented, without the comments of indented ones.
  var blocks: [String] = []
  var links: [String] = []

  /// Code in lines of prose, by how often it stands there.
  var code: [String: Int] = [:]

  init(_ markdown: String) {
    var fence: [String]?
    var (isBehindBlank, prose) = (true, "")
    for line in markdown.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      defer { isBehindBlank = line.isEmpty || (isBehindBlank && line.hasPrefix("    ")) }
      if line.hasPrefix("```") {
        if let lines = fence { blocks.append(lines.joined(separator: "\n")) }
        fence = fence == nil ? [line] : nil
        continue
      }
      if fence != nil {
        fence!.append(line)
        continue
      }
      if line.hasPrefix("    "), isBehindBlank {
        let command = line.components(separatedBy: " # ")[0]
        blocks.append(command.trimmingCharacters(in: .whitespaces))
        continue
      }
      if line.hasPrefix("#") { headings.append(String(line.prefix { $0 == "#" })) }
      if line.hasPrefix("|") {
        let cells = line.replacingOccurrences(of: "\\|", with: "")
        tables.append("\(cells.count { $0 == "|" } - 1)")
      }
      prose += line + " "
    }
    // Each leads to the other.
    links = prose.matches(of: /\]\(([^)]+)\)/).map { String($0.1) }
      .filter { !$0.hasPrefix("README") }.sorted()
    for match in prose.matches(of: /`([^`]+)`/) { code[String(match.1), default: 0] += 1 }
  }
}
