// Hearing in noise on shipped checkpoints: controls hold, whole activations carry whole texts, and an intervention
// is what its definition says.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

@Suite struct NoiseHearingTests {
  let rules: NoiseRules
  let noise: PairSuite
  let pairs: [MinimalPair]

  init() throws {
    rules = try NoiseRules("\(root)/paper/preregistration-noise.json")
    noise = try PairSuite(manifest: "\(root)/data-manifests/noise.json")
    pairs = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json").pairs
      .filter { $0.split == "discovery" }.spread(6)
  }

  private func noisy(_ split: String, _ count: Int) throws -> [NoisyRecording] {
    try noise.pairs.filter { $0.split == split && $0.kind(is: 0) }.spread(count)
      .map { try NoisyRecording($0) }
  }

  @Test(arguments: ["qwen2-audio-small", "salmonn-small", "soundwave-small"])
  func whatIsPutInIsWhatIsHeard(_ name: String) throws {
    let model = try SpeechModel(folder: "\(root)/artifacts/\(name)")
    let tools = try model.noiseTools(noisy("discovery", 6), pairs, rules, root: root)
    #expect(tools.mistaken > 0 && tools.mending.map(\.count) == tools.means.map(\.count))
    // Noise directions leave alone the first directions of what is said.
    let lexical = try tools.lexical.first(min(rules.lexical, tools.lexical.rank))
    #expect(lexical.principalCosines(to: tools.noise).allSatisfy { $0 < 1e-6 })

    let trials = NoiseArm.all.map { arm in
      NoiseTrial(arm, arm.strengths(rules).last!)
    }
    let recording = try noisy("validation", 1)[0]
    let heard = try model.hear(recording, trials, tools, rules, root: root, Random(seed: 1))
    #expect(heard.isInert && heard.carriesAll.allSatisfy { $0 })
    #expect(heard.carriesAll.count == (name == "soundwave-small" ? 0 : 2))
    for trial in trials {
      #expect(
        heard[trial.arm, trial.strength].count == (trial.arm.choice == .drawn ? rules.draws : 1))
    }
    let plain = heard[.nothing, NoiseStrength(1)]
    #expect(heard[.neurons(.causal, .prune), NoiseStrength(20)] != plain)

    // Without noise a donor from the recording without noise changes nothing.
    let clean = NoisyRecording(clean: noise.pairs.first { $0.split == "validation" }!.clean)
    let quiet = try model.hear(clean, trials, tools, rules, root: root, Random(seed: 1))
    for trial in trials where trial.arm.isOracle {
      #expect(
        Set(quiet[trial.arm, trial.strength]) == Set(quiet[.nothing, NoiseStrength(1)]))
    }
  }

  /// Every fifth of a list in which ten noises follow one another would be in two noises alone.
  @Test(arguments: ["discovery", "validation", "test"], [7, 40, 100])
  func fewRecordingsHoldEveryNoiseAsOften(_ split: String, _ count: Int) throws {
    let all = try noise.pairs.filter { $0.split == split }.map { try NoisyRecording($0) }
      .filter { rules.ratios.contains($0.noise!.ratio) }
    let some = all.inTurn(count)
    #expect(some.count == count && Set(some.map(\.id)).count == count)
    func spread(_ numbers: [Int]) -> Int { numbers.max()! - numbers.min()! }
    let noises = Dictionary(grouping: some) { "\($0.noise!.kind) \($0.noise!.ratio)" }
    #expect(spread(noises.values.map(\.count)) <= 1 && noises.count == min(10, count))
    #expect(spread(Dictionary(grouping: some, by: \.group).values.map(\.count)) <= 1)
    #expect(Set(all.inTurn(.max).map(\.id)) == Set(all.map(\.id)))
    #expect(Set(all.inTurn(all.count - 1).map(\.id)).count == all.count - 1)
  }

  @Test func whatIsNoMixtureIsRefused() {
    let error = #expect(throws: CellError.self) { try NoisyRecording(pairs[0]) }
    #expect(error?.description.contains("noise set") == true)
  }

  /// Right texts are sure, wrong ones are not: entropy and probability must say so of this model.
  @Test func signsAreOfTheTextThatIsWritten() throws {
    let model = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    let tools = try model.noiseTools(noisy("discovery", 6), pairs, rules, root: root)
    let clean = NoisyRecording(clean: noise.pairs.first { $0.split == "validation" }!.clean)
    let (sure, unsure) = (
      try model.signs(of: clean, tools.natural, root: root),
      try model.signs(of: noisy("validation", 1)[0], tools.natural, root: root)
    )
    #expect(sure.isRight && !unsure.isRight)
    #expect(sure.entropy >= 0 && sure.entropy < unsure.entropy)
    #expect(sure.logProbability <= 0 && sure.logProbability > unsure.logProbability)
    #expect(sure.distance < unsure.distance)

    func signs(_ right: Bool, _ place: Double) -> NoiseSigns {
      try! JSONDecoder().decode(
        NoiseSigns.self,
        from: Data(
          """
          {"isRight": \(right), "entropy": \(1 - place), "logProbability": -1, "early": [\(place), 1],
           "connector": [\(place), 0], "distance": 1}
          """.utf8))
    }
    let known = [signs(false, 0), signs(false, 0.25), signs(true, 1), signs(true, 0.75)]
    let later = [signs(false, 0.5), signs(true, 2), signs(true, 0.4)]
    let scores = try later.failureScores(
      known, clean: [false, false, true, true], ratios: [0, 5, 0], draws: 2, shrinkage: 0.1,
      Random(seed: 1))
    #expect(scores[0].values.map { ($0[0] * 100).rounded() } == [50, 250, 37])
    #expect(scores[1].values.allSatisfy { $0.count == 2 })
    let area = later.area(of: scores[0], groups: ["a", "b", "c"], draws: 100, Random(seed: 1))
    #expect(area.value == 0.5)
    let even = later.area(
      of: scores[0], less: scores[0], groups: ["a", "b", "c"], draws: 100, Random(seed: 1))
    #expect(even == Estimate(value: 0, low: 0, high: 0))
  }
}

extension MinimalPair {
  /// Whether it is in white noise at a ratio in dB.
  fileprivate func kind(is ratio: Double) -> Bool {
    guard case .mixture(_, let noise) = corrupt.sound else { return false }
    return noise.kind == .white && noise.ratio == ratio
  }
}
