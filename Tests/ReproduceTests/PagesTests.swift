// The pages of the experiments: what stands behind which piece of code, and that a page is whole by itself.

import Foundation
import Notebook
import Testing

@testable import reproduce

@Suite struct PagesTests {
  private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  private let script = ExperimentSource(
    #"""
    // # A title

    let notebook = Notebook("e")
    let first = notebook.cell("first", over: 0..<3, key: \.description) { $0 }
    for name in ["x", "y"] {
      notebook.control("\(name): self-patch", equals: 0, of: [0.0])
      notebook.entering(first, of: name)
    }
    notebook.number("e.first", 1)
    notebook.claim("E1", "it is so", holds: true)
    notebook.claim("E2.\(name)", "it is so", holds: false)
    notebook.finish()
    """#, file: "Sources/Experiments/e.swift")

  private func outputs(_ record: RunRecord?, of experiment: String = "e") throws -> PageOutputs {
    let ledger = try Ledger([
      .init(name: "e.first", value: 0.25, low: 0.2, high: 0.3, experiment: experiment, claim: "E1"),
      .init(name: "claim.E1", value: 1, experiment: experiment, claim: "holds: it is so"),
      .init(name: "claim.E2.x", value: 0, experiment: experiment, claim: "refuted: it is so"),
    ])
    return try PageOutputs(root: root, experiment: script, ledger: ledger, record: record)
  }

  @Test func whatARunPrintedStandsBehindItsCall() throws {
    let record = RunRecord(events: [
      .init(kind: "cell", name: "first", text: "3"),
      .init(kind: "control", name: "y: self-patch", text: "control 1  y: self-patch  PASS"),
      .init(kind: "say", name: "", text: "y: 3 of 3 enter"),
      .init(kind: "number", name: "e.first", text: ""),
      .init(kind: "claim", name: "E1", text: "claim E1  holds"),
    ])
    let pieces = try outputs(record).pieces().filter { $0.kind == .text }
    #expect(pieces.map(\.line) == [4, 6, 7, 10])
    #expect(pieces[0].content == "first: 3 items" && pieces[2].content == "y: 3 of 3 enter")
  }

  @Test func withoutARunTheCommittedOutputsStandThere() throws {
    let outputs = try outputs(nil)
    let pieces = outputs.pieces()
    #expect(pieces.filter { $0.kind == .text }.map(\.line) == [6, 10, 11])
    #expect(pieces.contains { $0.content.hasPrefix("claim E2.x  REFUTED  it is so") })
    let row = try #require(pieces.first { $0.kind == .row })
    #expect(row.line == 9 && row.content == "e.first\t0.250\t[0.200, 0.300]\tE1")
    #expect(outputs.text.contains("@ 9 row\ne.first\t"))
    // Of an experiment without any number nothing is known.
    #expect(try self.outputs(nil, of: "other").pieces().isEmpty)
  }

  @Test func aRecordThatIsNotThePapersIsNotShown() throws {
    let folder = FileManager.default.temporaryDirectory.path
    let path = "\(folder)/\(UUID().uuidString).json"
    defer { try? FileManager.default.removeItem(atPath: path) }
    func read(_ json: String) throws -> RunRecord? {
      try json.write(toFile: path, atomically: true, encoding: .utf8)
      return try RunRecord(reading: path)
    }
    let events = #""events": [{"kind": "say", "name": "", "text": "a"}]"#
    #expect(
      try read(#"{"published": true, "quick": null, "own": {}, \#(events)}"#)?.events.count == 1)
    #expect(try read(#"{"published": false, "quick": null, "own": {}, \#(events)}"#) == nil)
    #expect(try read(#"{"published": true, "quick": 8, "own": {}, \#(events)}"#) == nil)
    #expect(
      try read(#"{"published": true, "quick": null, "own": {"model": "m"}, \#(events)}"#) == nil)
    #expect(try read(#"{"published": true, "quick": null, "own": {}}"#) == nil)
    #expect(try RunRecord(reading: "\(folder)/none.json") == nil)
  }

  /// Every committed number stands on its experiment's page, and the index leads to every page.
  @Test func everyNumberIsOnAPage() throws {
    let ledger = try Ledger(
      parsing: String(contentsOfFile: "\(root)/paper/numbers.tsv", encoding: .utf8), file: "l")
    let experiments = try ExperimentSource.all(root: root)
    var shown = 0
    for experiment in experiments {
      let outputs = try PageOutputs(root: root, experiment: experiment, ledger: ledger, record: nil)
      shown += outputs.pieces().count { $0.kind == .row }
    }
    #expect(shown == ledger.rows.count { !$0.name.hasPrefix("claim.") })
    let index = PageIndex(ledger: ledger, targets: try MakeTargets(root: root), root: root)
    let markdown = try index.markdown(experiments)
    for experiment in experiments {
      #expect(markdown.contains("(\(experiment.name).html)"))
      #expect(try index.head(of: experiment, isRun: false).contains("make "))
    }
  }

  /// The weaver puts outputs behind their code and the drawing into the page; nothing is fetched.
  @Test func aPageIsWholeByItself() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    let work = folder.appendingPathComponent("build/pages/work")
    try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
    try "@ 5 text\nfirst: 3 items\n@ 5 row\ne.first\t0.25\t[0.2, 0.3]\tE1\n".write(
      to: work.appendingPathComponent("e.outputs"), atomically: true, encoding: .utf8)
    try "::: {.head}\n[All](index.html)\n:::\n".write(
      to: work.appendingPathComponent("e.head"), atomically: true, encoding: .utf8)
    try """
    <?xml version="1.0"?>
    <svg xmlns="http://www.w3.org/2000/svg"><g id="glyph0"/><use xlink:href="#glyph0"/></svg>
    """.write(to: folder.appendingPathComponent("a.svg"), atomically: true, encoding: .utf8)
    try "// # A title\n//\n// ![It is](a.svg)\n\nlet first = 3\n\n// More.\n\nlet second = 4\n"
      .write(
        to: folder.appendingPathComponent("e.swift"), atomically: true, encoding: .utf8)
    let pandoc = Process()
    pandoc.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    pandoc.arguments = [
      "pandoc", "-s", "--mathml", "--self-contained", "--css", "\(root)/paper/page.css", "-f",
      "\(root)/paper/weave.lua", "--metadata", "pagetitle=e", "-o", "e.html", "e.swift",
    ]
    pandoc.currentDirectoryURL = folder
    try pandoc.run()
    pandoc.waitUntilExit()
    #expect(pandoc.terminationStatus == 0)
    let page = try String(contentsOf: folder.appendingPathComponent("e.html"), encoding: .utf8)
    let places = [
      "A title", "All", "<svg", "It is", "first", "first: 3 items", "0.25", "More", "second",
    ]
    .map { page.range(of: $0, options: .backwards)?.lowerBound }
    #expect(!places.contains(nil))
    #expect(page.contains("id=\"d1-glyph0\"") && page.contains("#d1-glyph0\""))
    let body = try #require(page.range(of: "<body")).lowerBound
    let text = page[body...]
    let order = ["<svg", "first: 3 items", "0.25", "More"].compactMap {
      text.range(of: $0)?.lowerBound
    }
    #expect(order == order.sorted() && order.count == 4)
    #expect(!page.contains("src=\"http") && !page.contains("<link rel=\"stylesheet\" href=\"http"))
  }
}
