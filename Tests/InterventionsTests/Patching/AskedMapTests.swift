// The map of a pair that is asked in natural language, on the golden Qwen2-Audio with a tokenizer of
// plain words.

import Corpus
import Foundation
import Interventions
import Speech
import Testing

@Suite struct AskedMapTests {
  let folder: String
  let model: SpeechModel
  let suite: PairSuite

  init() throws {
    let golden =
      "\(#filePath.split(separator: "/Tests/")[0])/Tests/SpeechTests/Fixtures/qwen2-audio"
    let folder =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("asked-\(UUID().uuidString)").path
    try FileManager.default.copyItem(
      atPath: golden.hasPrefix("/") ? golden : "/\(golden)", toPath: folder)
    let asked = "Which thing is mentioned? One word. What the first".split(separator: " ")
    var named = [50: "<|audio_bos|>", 51: "<|audio_eos|>"]
    for (i, word) in asked.enumerated() { named[i + 10] = String(word) }
    let words = (0..<67).map { "\"\(named[$0] ?? "w\($0)")\": \($0)" }.joined(separator: ", ")
    let added = [50, 51].map {
      "{\"id\": \($0), \"content\": \"\(named[$0]!)\", \"single_word\": false, \"lstrip\": false, "
        + "\"rstrip\": false, \"normalized\": false, \"special\": true}"
    }.joined(separator: ", ")
    func write(_ name: String, _ text: String) throws {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }
    try write(
      "tokenizer.json",
      "{\"added_tokens\": [\(added)], \"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"}, "
        + "\"model\": {\"type\": \"WordLevel\", \"vocab\": {\(words)}, \"unk_token\": \"w9\"}}")
    func utterance(_ id: String, _ file: String) -> String {
      "{\"id\": \"\(id)\", \"file\": \"\(file)\", \"text\": \"w20\", \"voice\": \"v\", "
        + "\"split\": \"test\", \"questions\": [], "
        + "\"phones\": [[\"a\", 0, 3200], [\"b\", 3200, 5600], [\"c\", 5600, 11200]]}"
    }
    func pair(
      _ id: String, _ corrupt: String = "two", alignment: String = "identity",
      prompt: String = "which thing:", foil: String = "w30"
    ) -> String {
      "{\"id\": \"\(id)\", \"clean\": \"one\", \"corrupt\": \"\(corrupt)\", "
        + "\"alignment\": \"\(alignment)\", \"prompt\": \"\(prompt)\", "
        + "\"answers\": [\"w20 w5\", \"\(foil)\"], \"changedPhone\": 1, \"slot\": \"s\", "
        + "\"group\": \"g\"}"
    }
    let pairs = [
      pair("known"), pair("unknown", "long", alignment: "linear"), pair("alike", foil: "w20 w6"),
      pair("first", prompt: "first thing:"), pair("other", prompt: "transcribe:"),
    ]
    try write(
      "pairs.json",
      "{\"sampleRate\": 16000, \"utterances\": [\(utterance("one", "source_eq.wav")), "
        + "\(utterance("two", "base.wav")), \(utterance("long", "source.wav"))], "
        + "\"pairs\": [\(pairs.joined(separator: ", "))]}")
    self.folder = folder
    model = try SpeechModel(folder: folder)
    suite = try PairSuite(manifest: "\(folder)/pairs.json")
  }

  private func asked(_ index: Int) throws -> AskedPair? {
    try model.asked(suite.pairs[index], root: folder, recordings: nil)
  }

  @Test func questionsArePutInNaturalLanguage() throws {
    #expect(suite.pairs[0].spokenPrompt == "Which thing is mentioned? One word.")
    #expect(suite.pairs[3].spokenPrompt == "What is the first thing? One word.")
    #expect(suite.pairs[4].spokenPrompt == nil)
    let pair = try #require(try asked(0))
    #expect(pair.clean.tokens == pair.corrupt.tokens && pair.before == 1)
    #expect(pair.clean.answer == 20 && pair.clean.foil == 30)
    #expect(try asked(2) == nil)
    do {
      _ = try asked(4)
      Issue.record("a prompt without a place was asked")
    } catch { #expect("\(error)".contains("pair other") && "\(error)".contains("leave")) }
    // The shorter member is followed by silence.
    let long = try #require(try asked(1))
    #expect(long.clean.clip.validFrames == long.corrupt.clip.validFrames)
    #expect(long.clean.clip.validFrames != pair.clean.clip.validFrames)
  }

  @Test func integrityIsExactAndCellsAreThoseOfFullRuns() throws {
    let pair = suite.pairs[0]
    let found = try model.map(
      pair, AskedParts(unrelated: pair, searches: true, heads: true), root: folder,
      recordings: nil)
    let grid = AskedGrid(model.model)
    #expect(grid.sites.count == 5 && grid.depths == [0, 3])
    #expect(found.map.selfPatched == grid.cuts.map { _ in 0 })
    #expect(found.map.allPatched == grid.cuts.map { _ in 1 })
    #expect(abs(found.map.gap) > 1e-3)

    let questions = try #require(try asked(0))
    let source = try model.model.trace(questions.clean)
    let base = try model.model.trace(questions.corrupt)
    let windows = AskedGrid.windows(
      pair, end: 10 * Double(questions.clean.clip.validFrames), before: questions.before)
    var moved = 0
    for (s, site) in grid.sites.enumerated() {
      for (w, window) in windows.enumerated() {
        guard let window,
          let selection = try Selection(
            Cell(site, window), base: base, source: source, .identity)
        else {
          #expect(found.map.sufficiency[s][w] == nil)
          continue
        }
        let plain = try model.model.patched(
          base, [[selection.patch()]], resuming: false, skipping: false)[0]
        #expect(found.map.sufficiency[s][w] == plain.logitDifference, "\(site)@\(window)")
        if plain.logitDifference != found.map.corrupt { moved += 1 }
        // The pair itself as its own stranger is the source.
        #expect(abs(found.map.unrelated[s][w]! - found.map.sufficiency[s][w]!) < 1e-3)
        #expect(found.map.searchSufficiency[s][w] != nil)
      }
    }
    #expect(moved > 15)
    let last = found.map.sufficiency[grid.sites.count - 1]
    #expect(last[AskedGrid.last] == found.map.clean && last[AskedGrid.moment] == found.map.corrupt)
    #expect(last[AskedGrid.names.firstIndex(of: "system")!] == found.map.corrupt)
    #expect(found.map.necessity[0][AskedGrid.moment] != found.map.clean)
    #expect(found.heads.count == 3 && found.heads[0].count == 6)
    #expect(found.heads.joined().contains { $0 != found.map.corrupt })
    #expect(
      [found].headRecovery[2] == found.heads[2].map { ($0! - found.map.corrupt) / found.map.gap })
    let control = try model.map(pair, AskedParts(isWhole: false), root: folder, recordings: nil)
    #expect(
      control.map.sufficiency[3][AskedGrid.moment] == found.map.sufficiency[3][AskedGrid.moment])
    #expect(control.map.sufficiency[3][AskedGrid.changed] == nil && control.map.necessity.isEmpty)
  }

  @Test func windowsHoldEveryPositionOnce() throws {
    let pair = suite.pairs[0]
    let questions = try #require(try asked(0))
    let trace = try model.model.trace(questions.clean)
    let end = 10 * Double(questions.clean.clip.validFrames)
    let windows = AskedGrid.windows(pair, end: end, before: questions.before)
    #expect(windows.count == AskedGrid.names.count)
    func positions(_ places: [Int], _ site: Site) -> [Int] {
      places.flatMap { i in
        windows[i].map { trace.timeline.positions(in: $0, at: site) } ?? []
      }
    }
    for site in AskedGrid(model.model).sites {
      let all = Array(0..<trace.timeline.count(at: site))
      #expect(positions(AskedGrid.apart, site).sorted() == all, "\(site)")
      #expect(
        positions([AskedGrid.moment], site)
          == positions([AskedGrid.changed, AskedGrid.following], site))
      #expect(!positions([AskedGrid.moment], site).isEmpty)
    }
    let unknown = AskedGrid.windows(suite.pairs[1], end: end, before: 1)
    #expect(unknown.prefix(AskedGrid.times.count).allSatisfy { $0 == nil })
    #expect(unknown.suffix(3).allSatisfy { $0 != nil })
  }
}
