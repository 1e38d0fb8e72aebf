// What `reproduce explain`, the pages and the abstract read in an experiment's source and in the Makefile.

import Foundation
import Notebook
import Testing

@testable import reproduce

@Suite struct ExplainTests {
  private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  @Test func aNameIsMatchedByItsLiteral() {
    let literal = #"\(name).moment.\(part(of: "x"))"#
    let template = NameTemplate(literal: literal)
    #expect(template.parts == ["", ".moment.", ""])
    #expect(template.gaps(in: "e1.small.moment.low") == ["e1.small", "low"])
    #expect(!template.matches("e1.small.span.low"))
    #expect(NameTemplate(literal: "e1.pairs").matches("e1.pairs"))
    #expect(!NameTemplate(literal: "e1.pairs").matches("e1.pairsKept"))
    #expect(NameTemplate(literal: "e1.pairs").open.matches("e1.pairs.kept"))
    #expect(NameTemplate(literal: "e1.pairs").weight > NameTemplate(literal: #"\(a).pairs"#).weight)
  }

  private let script = ExperimentSource(
    #"""
    // # A title: of its own
    //
    // Prose.

    let notebook = Notebook("e")
    let first = notebook.cell("first", over: 0..<3, key: \.description) { i in
      notebook.nothing("here, \(i)", other: [1, 2])
    }
    let (a, b) = (first[0], 1)
    // notebook.cell("in a comment") is prose
    notebook.say("behind one")
    var results: [Double] = []
    for name in ["x", "y"] {
      let second = notebook.cell(
        "\(name): second") { b }
      results.append(second)
    }
    let other = notebook.cell("other") { 3 }

    notebook.number("e.first", a, tolerance: 1e-6)
    for (i, result) in results.enumerated() { notebook.number("e.\(i).second", result) }
    notebook.numbers(of: other, "e.\(b).all")
    notebook.finish()
    """#, file: "Sources/Experiments/e.swift")

  @Test func aSourceSaysWhatItAsks() throws {
    #expect(script.name == "e" && script.title == "A title: of its own")
    let cells = script.calls.filter { $0.kind == "cell" }
    #expect(cells.map(\.line) == [6, 14, 18])
    #expect(cells[1].template?.parts == ["", ": second"])
    #expect(script.call("number", of: "e.first")?.line == 20)
    #expect(script.call("number", of: "e.7.second")?.line == 21)
    #expect(script.call("say", of: "behind one") != nil)
    #expect(script.call("number", of: "e.1.all.high")?.kind == "numbers")
    #expect(script.call("number", of: "f.first") == nil)
  }

  @Test func aValueIsTracedToItsCells() {
    func cells(_ line: Int) -> [String] {
      script.cells(behind: line).compactMap { $0.template?.filled(with: "*") }
    }
    #expect(cells(20) == ["first"])
    // Its own loop and what it reads.
    #expect(cells(21) == ["first", "*: second"])
    #expect(cells(22).contains("other"))
  }

  @Test func theMakefileSaysWhichCommandAndHowLong() throws {
    let targets = MakeTargets(
      makefile: """
        help: ## This list.
        \t@echo
        figure7: deps ## Figure 7: the (long) story (52 min, 2.8 GiB).
        \t@swift build
        \t@$(BIN)/story $(RUN)
        figure8: deps ## Figure 8 (not run whole yet; an hour).
        \t@$(BIN)/tale $(RUN)
        """)
    #expect(targets["story"] == .init(name: "figure7", time: "52 min", memory: "2.8 GiB"))
    #expect(targets["tale"]?.time == "" && targets["none"] == nil)
  }

  /// Every experiment of the package has a command, every number of the ledger a line that gives it, and every
  /// claim.
  @Test func everyRowOfTheLedgerIsTraced() throws {
    let targets = try MakeTargets(root: root)
    let experiments = try ExperimentSource.all(root: root)
    #expect(experiments.count > 10)
    let byName = Dictionary(uniqueKeysWithValues: experiments.map { ($0.name, $0) })
    for experiment in experiments { #expect(try targets.command(experiment).hasPrefix("make ")) }
    let ledger = try Ledger(
      parsing: String(contentsOfFile: "\(root)/paper/numbers.tsv", encoding: .utf8), file: "l")
    for row in ledger.rows {
      let source = try #require(byName[row.experiment], "\(row.experiment)")
      let isClaim = row.name.hasPrefix("claim.")
      let name = isClaim ? String(row.name.dropFirst("claim.".count)) : row.name
      #expect(source.call(isClaim ? "claim" : "number", of: name) != nil, "\(row.name)")
    }
  }
}
