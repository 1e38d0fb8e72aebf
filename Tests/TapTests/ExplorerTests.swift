// `tap map --explorer`: what the page is told of each pair, against the map and against what is true of any
// model.

import Foundation
import JSON
import Speech
import Testing

@Suite struct ExplorerTests {
  private let bench: Bench

  init() throws { bench = try Bench() }

  private func map(_ more: [String]) -> [String] {
    [
      "map", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--split", "discovery",
      "--out", bench.file("map.json"),
    ] + more
  }

  private func explored(_ more: [String]) throws -> (map: JSON, page: JSON) {
    let (map, _) = try bench.result(
      "map.json", map(more) + ["--explorer", bench.file("page.json")])
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: bench.file("page.json"))))
    return (map, try JSON(parsing: bytes, name: "page"))
  }

  /// Where all of the sound is the source's, and at the last position behind the last layer, the model
  /// says what it says to the source; where nothing is moved, what it says to the base.
  @Test(arguments: ["answer", "transcription"])
  func whatIsSaidWhereACellIsPatched(_ task: String) throws {
    let (found, page) = try explored([
      "--task", task, "--limit", "3", "--sites", "connector.out,lm.4.resid_post", "--windows",
      "whole", "--text", "1", "--control",
    ])
    let shown = try #require(page.at("maps").elements?[0])
    #expect(shown.at("task").string == (task == "answer" ? "short answer" : task))
    #expect(shown.at("rows").elements?.map(\.string) == ["connector.out", "lm.4.resid_post"])
    let pairs = try #require(shown.at("pairs").elements)
    #expect(pairs.count == found.at("pairs_kept").elements?.count && !pairs.isEmpty)
    for (d, direction) in ["sufficiency", "necessity"].enumerated() {
      // So does the last position of the text behind the last layer, where the answers are compared,
      // however many tokens they have.
      for (row, column) in [(0, 0), (1, 1)] {
        #expect(
          shown.at("directions", direction, "effect").elements?[row].elements?[column].double.map {
            abs($0 - 1) < 1e-3
          } == true)
      }
      for (i, pair) in pairs.enumerated() {
        let (base, source) = d == 0 ? ("corrupt", "clean") : ("clean", "corrupt")
        let own = pair.at("directions", direction)
        func said(_ row: Int, _ column: Int) -> String? {
          own.at("said").elements?[row].elements?[column].int
            .flatMap { pair.at("texts").elements?[$0].string }
        }
        let (before, after) = (pair.at(base, "said").string, pair.at(source, "said").string)
        #expect(before != after && before != "" && after != "")
        #expect(said(0, 0) == after, "\(pair.at("id"))")
        if task == "answer" {
          // The answer is a token long, which is read there.
          #expect(said(1, 1) == after)
        } else {
          // What is forced in front of the decisive token is no part of the prompt.
          #expect(said(1, 1) == nil)
        }
        // Behind the last layer no other position is read.
        #expect(said(1, 0) == before)
        let change = found.at(direction, "logit_difference_by_pair").elements?[i].elements?[0]
          .elements?[0].double
        let runs = try #require(found.at("pairs_measured").elements?[i])
        let ends = try [base, source].map {
          try #require(runs.at($0, "logit-difference").double)
        }
        let recovery = (try #require(change) - ends[0]) / (ends[1] - ends[0])
        let drawn = try #require(own.at("effect").elements?[0].elements?[0].double)
        #expect(abs(recovery - drawn) < 1e-4)
        // An unrelated item has that position too, however long its own answers are.
        #expect(own.at("control").elements?[1].elements?[1].double != nil)
        let control = own.at("control").elements?[0].elements?[0]
        #expect(control != own.at("effect").elements?[0].elements?[0])
        #expect(own.at("search").elements?[0].elements?[0].double != nil)
      }
    }
  }

  /// The recordings are those of the pairs, sample by sample.
  @Test func theRecordingsAreThePairs() throws {
    let (_, page) = try explored([
      "--limit", "1", "--sites", "connector.out", "--windows", "segments", "--text", "0",
      "--exact-only",
    ])
    let pair = try #require(page.at("maps").elements?[0].at("pairs").elements?[0])
    let clean = try #require(pair.at("clean", "sound").string)
    let sound = page.at("sounds", clean)
    let bytes = try #require(sound.at("pcm").string.flatMap { Data(base64Encoded: $0) })
    let manifest = try JSON(
      parsing: [UInt8](Data(contentsOf: URL(fileURLWithPath: bench.manifest))), name: "manifest")
    func entry(_ list: String, _ id: String?) throws -> JSON {
      try #require(manifest.at(list).elements?.first { $0.at("id").string == id })
    }
    let member = try entry("pairs", pair.at("id").string).at("clean").string
    let file = try #require(try entry("utterances", member).at("file").string)
    let wave = try Waveform(contentsOf: "\(Broken.root.path)/\(file)")
    let samples = stride(from: 0, to: bytes.count, by: 2).map {
      Float(Int16(truncatingIfNeeded: Int(bytes[$0]) | Int(bytes[$0 + 1]) << 8)) / 32768
    }
    #expect(samples == wave.samples && samples.contains { $0 < 0 })
    #expect(abs(1000 * wave.duration - sound.at("ms").double!) < 1e-2)
    #expect(sound.at("rate").int == 16_000)
    let mel = try #require(sound.at("mel").string.flatMap { Data(base64Encoded: $0) })
    #expect(mel.count == sound.at("bands").int! * sound.at("frames").int!)
    #expect(mel.max() == 255 && mel.min() == 0)
    // Windows of segments have the times of each pair's own.
    let phones = try #require(pair.at("corrupt", "phones").elements)
    let windows = try #require(pair.at("directions", "sufficiency", "columns").elements)
    #expect(windows.count == phones.count && phones.count > 3)
    for (window, phone) in zip(windows, phones) {
      #expect(window.at("start") == phone.elements?[1] && window.at("end") == phone.elements?[2])
    }
  }

  /// What was searched under a task is confirmed under it.
  @Test func aTaskIsConfirmedAsItWasSearched() throws {
    _ = try bench.search(
      "search.json", ["--split", "discovery", "--limit", "2", "--task", "transcription"])
    let (found, _) = try bench.result(
      "confirm.json",
      ["confirm", "--search", bench.file("search.json"), "--top", "1", "--random", "0"])
    #expect(found.at("task").string == "transcription")
  }

  @Test func whatCannotBeExploredIsRefused() throws {
    try bench.refuses(map(["--explorer", "page.txt"]), "--explorer should end with .html or .json")
    try bench.refuses(map(["--task", "summary"]), "transcription")
    try bench.refuses(map(["--limit", "1", "--out", bench.file("x.json")]) + ["--task"], "--task")
  }
}
