// What `reproduce explain`, the pages and the abstract read in an experiment's source and in the Makefile.

import Foundation
import JSON
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
    let many = ExperimentSource("notebook.numbers(rows, of: \"metric\")\n", file: "e.swift")
    #expect(many.call("number", of: "ablation.metric.logit") != nil)
    #expect(many.call("number", of: "ablation.metrics.logit") == nil)
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

  // ## Stamps against the checkout

  private func explainer(_ folder: String? = nil) throws -> Explainer {
    let root = folder ?? root
    return try Explainer(
      root: root,
      ledger: Ledger(
        parsing: String(contentsOfFile: "\(root)/paper/numbers.tsv", encoding: .utf8), file: "l"))
  }

  @Test func aStampIsReadBack() throws {
    let stamp = FigureStamp("e; quick 8; model a8cfe2902483; heads of a b c55147617dea")
    #expect(stamp.experiment == "e" && stamp.marks == ["quick 8"])
    #expect(stamp.digests.map(\.name) == ["model", "heads of a b"])
    for ending in ["pdf", "svg"] {
      let stamp = try #require(try FigureStamp(figure: "figures/figure2.\(ending)", root: root))
      #expect(stamp.experiment == "e1-causal-map" && stamp.digests.count == 5)
    }
    #expect(try FigureStamp(figure: "figures/none.svg", root: root) == nil)
    #expect(throws: Failure.self) { try FigureStamp(figure: "README.md", root: root) }
  }

  /// Everything that a committed figure was made from lies in the checkout, or is in the list of published models.
  @Test func everyFigureWasMadeFromWhatLiesHere() throws {
    let explainer = try explainer()
    let figures = try FileManager.default.contentsOfDirectory(atPath: "\(root)/figures").sorted()
    for name in figures {
      let found = try explainer.explain("figures/\(name)")
      #expect(!found.isStale, "\(name): \(found.lines)")
      #expect(found.lines.contains { $0.hasPrefix("command     make ") }, "\(name)")
    }
  }

  @Test func aNumberHasItsCellControlAndCommand() throws {
    let explainer = try explainer()
    let lines = try explainer.explain("e1.connectorSufficiency").lines
    for part in [
      "cells       exact map (line ", "command     make figure2",
      "matched     e1.connectorUnrelated",
      "matches artifacts/qwen2-audio-small", "line ",
    ] { #expect(lines.contains { $0.contains(part) }, "\(part): \(lines)") }
    #expect(try explainer.explain("C1").lines[0].contains("claim.C1"))
    do {
      _ = try explainer.explain("e1.connectorSuficiency")
      Issue.record("a number that is not there was explained")
    } catch { #expect("\(error)".contains("e1.connectorSufficiency")) }
    for wrong in ["figures/figure99.pdf", "paper/definitions.md"] {
      #expect(throws: Failure.self) { try explainer.explain(wrong) }
    }
  }

  /// One changed weight, sample, rule or plotted value is named.
  @Test(arguments: [
    "artifacts/qwen2-audio-small/model.safetensors", "artifacts/evaluation/kal/a-bat.flac",
    "paper/preregistration.json", "data-manifests/evaluation.json", "figures/figure2.tsv",
  ])
  func aChangedInputIsNamed(_ file: String) throws {
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: copy) }
    for name in ["artifacts", "Sources"] {
      try FileManager.default.createDirectory(
        at: copy.appendingPathComponent(name), withIntermediateDirectories: true)
    }
    // What Figure 2 was made from, and what says so.
    for name in [
      "paper", "figures", "artifacts/qwen2-audio-small", "artifacts/evaluation", "data-manifests",
      "Makefile", "Sources/Experiments", "Sources/Figures",
    ] {
      try FileManager.default.copyItem(
        at: URL(fileURLWithPath: "\(root)/\(name)").resolvingSymlinksInPath(),
        to: copy.appendingPathComponent(name))
    }
    #expect(try !explainer(copy.path).explain("figures/figure2.pdf").isStale)
    let path = copy.appendingPathComponent(file)
    var bytes = try Data(contentsOf: path)
    // A digit of a manifest that no reader of it would miss would be another fault than this one.
    let place = file.hasSuffix(".json") ? bytes.endIndex - 1 : bytes.count / 2
    bytes[place] = file.hasSuffix(".json") ? UInt8(ascii: " ") : bytes[place] ^ 1
    try bytes.write(to: path)
    let found = try explainer(copy.path).explain("figures/figure2.pdf")
    #expect(found.isStale)
    let line = try #require(found.lines.first { $0.contains("DIFFERS") })
    #expect(line.contains(file.hasPrefix("artifacts") ? "artifacts/" : file), "\(line)")
    #expect(throws: Failure.self) {
      let explainer = try explainer(copy.path)
      let experiment = try #require(explainer.experiments.first { $0.name == "e1-causal-map" })
      _ = try explainer.statement(of: "figures/figure2", by: experiment)
    }
  }

  // ## For other programs

  @Test func aStatementHasDigestsOfAllThatWasWrittenAndRead() throws {
    let explainer = try explainer()
    let experiment = try #require(explainer.experiments.first { $0.name == "e1-causal-map" })
    let statement = try #require(try explainer.statement(of: "figures/figure2", by: experiment))
    #expect(statement["_type"]?.string == "https://in-toto.io/Statement/v1")
    let subjects = try statement.array("subject")
    #expect(
      subjects.compactMap { $0["name"]?.string } == [
        "figures/figure2-certificate.txt", "figures/figure2.pdf", "figures/figure2.svg",
        "figures/figure2.tsv",
      ])
    for subject in subjects {
      let digest = try Digest(ofFile: "\(root)/\(subject.string("name"))")
      #expect(subject["digest"]?["sha256"]?.string == digest.description)
    }
    let build = statement["predicate"]?["buildDefinition"]
    let read = build?["resolvedDependencies"]?.elements?.compactMap { $0["name"]?.string } ?? []
    #expect(read.prefix(4) == ["model", "pairs", "audio", "preregistration"])
    #expect(build?["externalParameters"]?["command"]?.string == "make figure2")
    #expect(try explainer.statement(of: "figures/none", by: experiment) == nil)
  }

  /// What RO-Crate 1.1 requires: the descriptor, the root's four properties, and that every part is described and
  /// there.
  @Test func theCrateHasWhatItMust() throws {
    let crate = Crate(root: root, explainer: try explainer(), date: "2026-11-29")
    let graph = try crate.metadata().array("@graph")
    let ids = try graph.map { try $0.string("@id") }
    #expect(Set(ids).count == ids.count)
    let byID = Dictionary(uniqueKeysWithValues: zip(ids, graph))
    let descriptor = try #require(byID["ro-crate-metadata.json"])
    #expect(descriptor["@type"]?.string == "CreativeWork")
    #expect(descriptor["about"]?["@id"]?.string == "./")
    #expect(descriptor["conformsTo"]?["@id"]?.string == "https://w3id.org/ro/crate/1.1")
    let root = try #require(byID["./"])
    for property in ["name", "description", "datePublished"] {
      #expect(root[property]?.string?.isEmpty == false, "\(property)")
    }
    func references(_ json: JSON) -> [String] {
      if let id = json["@id"]?.string, json.members?.count == 1 { return [id] }
      return (json.members.map { Array($0.values) } ?? json.elements ?? []).flatMap(references)
    }
    for entity in graph {
      for id in references(entity) where id != "https://w3id.org/ro/crate/1.1" {
        #expect(byID[id] != nil, "\(id) is not described")
      }
      let types = entity["@type"]?.elements?.compactMap(\.string) ?? [entity["@type"]?.string ?? ""]
      guard types.contains("File"), let id = entity["@id"]?.string else { continue }
      #expect(try entity.string("sha256") == Digest(ofFile: "\(self.root)/\(id)").description)
    }
    let parts = root["hasPart"]?.elements?.compactMap { $0["@id"]?.string } ?? []
    #expect(parts == (try crate.files()) && parts.contains("figures/figure2.pdf"))
    #expect(graph.count { $0["@type"]?.string == "CreateAction" } >= 10)
  }
}
