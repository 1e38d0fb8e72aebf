// Maps under three tasks on the shipped checkpoints: what is forced, what integrity says, and that patches
// of both of SALMONN's encoders together are the same resumed and from the sound on.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

@Suite struct TaskMapTests {
  let suite: PairSuite
  let pair: MinimalPair

  init() throws {
    suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    pair = suite.pairs.first { $0.split == "validation" && $0.slot == "b-last" }!
  }

  @Test func whatBothTextsBeginWithIsForced() throws {
    let model = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    let asked = try #require(try model.questions(for: pair, .transcription, root: root))
    let (clean, corrupt) = try (
      model.textTokens(pair.clean.text), model.textTokens(pair.corrupt.text)
    )
    let shared = zip(clean, corrupt).prefix { $0 == $1 }.count
    #expect(shared > 0 && asked.clean.answers.shared == Array(clean[..<shared]))
    #expect(asked.clean.answer == clean[shared] && asked.corrupt.foil == corrupt[shared])
    // The forced words stand where the model would have said them.
    let trace = try model.model.trace(asked.clean)
    #expect(trace.logitDifference > 0)
    #expect(trace.tokens == asked.clean.tokens.count + shared)

    let homophone = try PairSuite(manifest: "\(root)/data-manifests/prosody.json").pairs[0]
    #expect(try model.questions(for: homophone, .transcription, root: root) == nil)
  }

  @Test(arguments: ["qwen2-audio-small", "salmonn-small", "soundwave-small"])
  func integrityHoldsAtEveryDepth(_ name: String) throws {
    let model = try SpeechModel(folder: "\(root)/artifacts/\(name)")
    for task in SpokenTask.allCases {
      let map = try #require(
        try model.taskMap(of: pair, task, unrelated: suite.unrelated(to: pair), root: root))
      #expect(map.map.selfPatched.allSatisfy { $0 == 0 })
      #expect(map.map.allPatched.allSatisfy { $0 == 1 })
      #expect(map.map.selfPatched.count == 2 * model.model.mapSites.count)
      for site in model.model.mapSites.indices {
        for window in TaskWindows.sound {
          let real = map.effect(.sufficiency, site, window)
          let other = map.effect(.sufficiency, site, window, unrelated: true)
          #expect((real == nil) == (other == nil))
        }
        #expect(map.map.unrelated[site][TaskWindows.answer] == nil)
      }
      // Behind the last layer the reading position has everything, the sound nothing.
      let last = model.model.mapSites.count - 1
      #expect(map.map.sufficiency[last][TaskWindows.answer] == map.map.clean)
      #expect(map.map.sufficiency[last][TaskWindows.whole] == map.map.corrupt)
    }
  }

  @Test func bothEncodersTogetherResume() throws {
    let model = try SpeechModel(folder: "\(root)/artifacts/salmonn-small")
    let asked = try model.questions(for: pair, root: root)
    let runs = try model.model.sharingFrames(asked.clean, asked.corrupt)
    let branch = try #require(model.model.branchSites.first)
    let window = Window.milliseconds(pair.onset, pair.onset + 120)
    let sets =
      model.encoderSites.map { [Cell($0, window), Cell(branch, window)] }
      + [[Cell(branch, window)], [Cell(branch), Cell(model.encoderSites[1], window)]]
    let patches = try sets.map { set in
      try set.map {
        try Selection($0, base: runs.corrupt, source: runs.clean, .identity)!.patch()
      }
    }
    let fast = try model.model.patched(runs.corrupt, patches)
    let plain = try model.model.patched(runs.corrupt, patches, resuming: false)
    #expect(fast == plain)
    #expect(Set(fast.map(\.logitDifference)).count == fast.count)
  }

  @Test func factorsThatKeepTheWordsAreRead() throws {
    let model = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    let speakers = try PairSuite(manifest: "\(root)/data-manifests/speaker.json").pairs
      .filter { $0.split == "validation" }
    let kept = try speakers.prefix(12).compactMap { pair in
      try model.preserving(pair, root: root).map { (pair, $0) }
    }
    #expect(!kept.isEmpty)
    let site = model.model.mapSites.firstIndex { $0.stage == .connector }!
    let reading = kept.map(\.1).reading(
      site: site, groups: kept.map(\.0.group), draws: 200, Random(seed: 1))
    // All of the sound is all that the source's voice is.
    #expect(abs(reading.voice[1].value - 1) < 1e-9)
    #expect(reading.voice[0].value < reading.voice[1].value)
    #expect(reading.same.allSatisfy { (0...1).contains($0.value) })
    let phoneme = suite.pairs[0]
    let asked = try model.preserving(phoneme, root: root)
    #expect(asked == nil, "the corrupt member of a phoneme pair is not answered by the clean word")
  }

  @Test func noiseMistakesAreScoredAgainstWhatWasSaid() throws {
    let model = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    let noise = try PairSuite(manifest: "\(root)/data-manifests/noise.json")
    let loud = noise.pairs.filter { $0.split == "validation" && $0.id.hasSuffix("-5dB") }
    let mistake = try #require(
      try loud.lazy.map { ($0, try model.noisyAnswer(of: $0, root: root)) }
        .first { $0.1.isMistaken })
    let map = try model.noiseMap(
      of: mistake.0, said: mistake.1.token, unrelated: noise.unrelated(to: mistake.0), root: root)
    #expect(map.corrupt < 0 && map.clean > 0)
    let connector = model.model.mapSites.firstIndex { $0.stage == .connector }!
    #expect(map.sufficiency[connector][TaskWindows.whole] == map.clean)
  }
}
