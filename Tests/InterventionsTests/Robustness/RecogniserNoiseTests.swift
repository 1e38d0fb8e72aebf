// A published recogniser in noise: controls hold, silence behind the sound is left alone, and what counts as mended
// is the recogniser's own text.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

/// A published model, where `make published` has brought it.
private let publishedTiny: String? = {
  let folder = "\(root)/build/models/whisper-tiny.en"
  return FileManager.default.fileExists(atPath: "\(folder)/model.bin") ? folder : nil
}()

@Suite(.enabled(if: publishedTiny != nil)) struct RecogniserNoiseTests {
  let rules: NoiseRules
  let noise: PairSuite
  let model: Recogniser

  init() throws {
    rules = try NoiseRules("\(root)/paper/preregistration-noise-published.json")
    noise = try PairSuite(manifest: "\(root)/data-manifests/noise.json")
    model = try Recogniser(folder: publishedTiny!)
  }

  private func noisy(_ split: String, _ count: Int) throws -> [NoisyRecording] {
    try noise.pairs.filter { $0.split == split }.map { try NoisyRecording($0) }
      .filter { $0.noise!.ratio == -5 }.inTurn(count)
  }

  @Test func whatIsPutInIsWhatIsHeard() throws {
    let pairs = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json").pairs
      .filter { $0.split == "discovery" }.spread(2)
    let tools = try model.noiseTools(noisy("discovery", 3), pairs, rules, root: root)
    #expect(tools.mistaken > 0)
    #expect(tools.mending.map(\.count) == [Int](repeating: 1536, count: 4))
    #expect(tools.natural.mean.count == 384)

    let trials = NoiseArm.all.map { NoiseTrial($0, $0.strengths(rules).last!) }
    let recording = try noisy("validation", 1)[0]
    let heard = try model.hear(recording, trials, tools, rules, root: root, Random(seed: 1))
    #expect(heard.isInert && heard.carriesAll == [true, true])
    let plain = heard[.nothing, NoiseStrength(1)]
    let clip = try model.model.clip(recording.noisy(root: root))
    #expect(try plain == [model.transcript(of: clip, limit: 32).text])
    #expect(heard[.neurons(.causal, .prune), NoiseStrength(20)] != plain)
    #expect(heard[.whole(.mean), NoiseStrength(1)] != plain)
    let spoken = try model.transcript(of: model.model.clip(recording.clean(root: root)), limit: 32)
    #expect(heard[.whole(.oracle), NoiseStrength(1)] == [spoken.text] && [spoken.text] != plain)

    // Without noise a donor from the recording without noise changes nothing.
    let clean = NoisyRecording(clean: noise.pairs.first { $0.split == "validation" }!.clean)
    let quiet = try model.hear(
      clean, trials.filter(\.arm.isOracle) + [.nothing], tools, rules, root: root, Random(seed: 1))
    for trial in trials where trial.arm.isOracle {
      #expect(
        Set(quiet[trial.arm, trial.strength]) == Set(quiet[.nothing, NoiseStrength(1)]))
    }
  }

  /// 50 positions a second, of a window of 30 s.
  @Test func silenceBehindTheSoundIsLeftAlone() throws {
    let clip = try model.model.clip(Waveform(samples: [Float](repeating: 0.01, count: 24_000)))
    #expect(model.soundPositions(of: clip, among: 1500) == 75)
    #expect(model.soundPositions(of: clip, among: 60) == 60)
    let short = try model.model.clip(Waveform(samples: [Float](repeating: 0.01, count: 400)))
    #expect(model.soundPositions(of: short, among: 1500) >= 1)
  }

  /// Marks, capitals and figures are no errors; a recording whose text noise leaves as it is has nothing to mend.
  @Test func wordsDecideWhatIsRight() throws {
    let tokens = try model.tokens(" Pat one, and van nine!")
    #expect(try model.isRight(tokens, "pat one and van nine"))
    #expect(try !model.isRight(tokens, "bat one and van nine"))
    #expect(try model.isRight(model.tokens(" Pat 1 and van 9."), "pat one and van nine"))
    let clean = NoisyRecording(clean: noise.pairs[0].clean)
    #expect(try model.mendingQuestions(clean, root: root) == nil)
    #expect(try model.neuronMending(clean, steps: 1, root: root).byLayer == nil)
  }
}
