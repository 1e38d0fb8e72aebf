// An experiment on the reader's own checkpoint or pairs: what it opens, what it refuses, and that its
// figures say so.

import Figures
import Foundation
import Interventions
import Notebook
import Plot
import Speech
import Testing

@Suite struct OwnRunTests {
  /// This repository, whose checkpoints and recordings serve as a reader's own.
  static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  /// A package in a temporary folder, with the rules and nothing to run.
  private let root: String

  init() throws {
    root = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    let files = FileManager.default
    try files.createDirectory(atPath: "\(root)/paper", withIntermediateDirectories: true)
    try writeAtomically("", to: "\(root)/Package.swift")
    try files.copyItem(
      atPath: "\(Self.repository)/paper/preregistration.json",
      toPath: "\(root)/paper/preregistration.json")
  }

  static func notebook(in root: String, _ arguments: String...) -> Notebook {
    Notebook(
      "e", file: "\(root)/Package.swift", takes: Set(Own.allCases), arguments: Array(arguments))
  }

  private static let pairs = "\(repository)/data-manifests/evaluation.json"

  @Test func theReadersPairsStandInThePlaceOfTheSuite() throws {
    let notebook = Self.notebook(in: root, "--pairs", Self.pairs)
    let study = notebook.study(needing: [\.searchSplit, \.confirmSplit])
    #expect(study.suite.pairs.count == 300)
    // All of them, and not every so many-th.
    #expect(study.sample(3).count == 300)
    #expect(study.sample(5, without: study.rules.confirmSplit).count == 180)
    #expect(notebook.stamp.digests.map(\.name) == ["pairs", "audio", "preregistration"])
    #expect(notebook.stamp.marks == ["own pairs"])
    let error = #expect(throws: CellError.self) {
      try study.entering([(0.5, -0.2), (-1, 3)], of: "own-model")
    }
    #expect(
      error?.description.hasPrefix("\(Self.pairs): own-model: none of 2 pairs enters,") == true)
    try FileManager.default.removeItem(atPath: root)
  }

  @Test func theReadersCheckpointStandsInThePlaceOfAll() throws {
    let folder = "\(Self.repository)/artifacts/qwen2-audio-ctc-small"
    let notebook = Self.notebook(in: root, "--model", folder)
    #expect(notebook.checkpoints(["a", "b"]) == ["own-model"])
    #expect(notebook.checkpoint("own-model", isSinglePath: true).folder == folder)
    #expect(notebook.stamp.digests.map(\.name) == ["model"])
    #expect(try notebook.stamp.digests[0].digest == Digest(ofCheckpoint: folder))
    #expect(Self.notebook(in: root).checkpoints(["a", "b"]) == ["a", "b"])
    try FileManager.default.removeItem(atPath: root)
  }

  @Test(arguments: [
    ("gone", "there is no such folder"), ("figures", "config.json"),
    ("Tests/SpeechTests/Fixtures/whisper", "is not a model that splices sound into a prompt"),
    ("artifacts/salmonn-small", "hears through two encoders"),
    ("artifacts/soundwave-small", "keeps frames as it hears them"),
  ])
  func aCheckpointThatCannotBeTakenIsNamedInOneLine(folder: String, words: String) async throws {
    let child = await #expect(
      processExitsWith: .exitCode(1), observing: [\.standardErrorContent]
    ) { [root = root as String, folder = "\(Self.repository)/\(folder)" as String] in
      _ = Self.notebook(in: root, "--model", folder).checkpoint("x", isSinglePath: true)
    }
    let text = String(decoding: child?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.hasPrefix("e: \(Self.repository)/\(folder)"), "\(text)")
    #expect(text.contains(words) && text.split(separator: "\n").count == 1, "\(text)")
    #expect(!FileManager.default.fileExists(atPath: "\(root)/build"))
    try FileManager.default.removeItem(atPath: root)
  }

  @Test func aSplitWithoutPairsEndsTheRun() async throws {
    // The pairs of one split alone.
    let text = try String(contentsOfFile: Self.pairs, encoding: .utf8)
    let path = "\(root)/pairs.json"
    try writeAtomically(
      text.replacing("\"split\": \"test\"", with: "\"split\": \"other\"")
        .replacing("artifacts/", with: "\(Self.repository)/artifacts/"), to: path)
    let child = await #expect(
      processExitsWith: .exitCode(1), observing: [\.standardErrorContent]
    ) { [root = root as String] in
      _ = Self.notebook(in: root, "--pairs", "\(root)/pairs.json")
        .study(needing: [\.searchSplit, \.confirmSplit])
    }
    let said = String(decoding: child?.standardErrorContent ?? [], as: UTF8.self)
    #expect(said.hasPrefix("e: \(path): no pair is of the split test,"), "\(said)")
    try FileManager.default.removeItem(atPath: root)
  }

  /// The paper's own figure has no mark, and any other has it in the drawing, title and description.
  @Test(arguments: [
    ([String](), ""), (["--quick", "2"], "quick run (2 items a cell), not the paper's"),
    (["--quick", "1"], "quick run (1 item a cell), not the paper's"),
    (["--model", "m", "--pairs", "p"], "own model, own pairs, not the paper's"),
  ])
  func figuresSayWhatTheyAre(arguments: [String], mark: String) throws {
    let notebook = Notebook(
      "e", file: "\(root)/Package.swift", takes: Set(Own.allCases), arguments: arguments)
    let windows = LockedWindows(width: 120, fixed: 0..<2, phones: 0...0, text: 1)
    let map = ModelMap(
      name: "m", sites: [Site(.connector, .out)], values: [[0, 0.5, 1, 0, 0.25]], curves: [])
    notebook.figure(
      "figures/f", modelMapsFigure([map], windows: windows, phones: []), title: "Figure 9: a map")
    notebook.finish()
    let svg = try String(
      contentsOfFile: "\(notebook.destination)/figures/f.svg", encoding: .utf8)
    let drawn = svg.matches(of: /<text [^>]*>([^<]*)</).map { String($0.1) }
    if mark.isEmpty {
      #expect(svg.contains("<title>Figure 9: a map</title>"))
      #expect(!drawn.contains { $0.contains("paper") || $0.contains("quick") })
    } else {
      #expect(svg.contains("<title>\(mark): Figure 9: a map</title>"))
      #expect(svg.contains("<desc>\(mark). "))
      #expect(drawn.contains("\(mark): e"))
      #expect(drawn.contains(notebook.options.marks.joined(separator: ", ")))
    }
    try FileManager.default.removeItem(atPath: root)
  }
}
