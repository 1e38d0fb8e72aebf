// What interventions in noise come to on the test split, with intervals over sentences by speaker
// (`paper/definitions.md`, D141 and D142).

import Corpus
import Speech
import Tensor

/// One intervention; nothing but its name where no strength was chosen.
public struct ArmReading: Codable, Sendable {
  public let arm: NoiseArm
  public let strength: NoiseStrength?
  /// The word error rate by ratio of speech to noise, the highest ratio first.
  public var byRatio: [RatioRate] = []
  /// The word error rate less that of nothing done: at the ratios that claims are about, in each noise there,
  /// over all ratios, and without noise.
  public var gain: Estimate?
  public var byKind: [KindGain] = []
  public var overall: Estimate?
  public var cost: Estimate?
  /// The share of texts that are right to the word, less that of nothing done, at those ratios.
  public var exact: Estimate?

  public struct RatioRate: Codable, Sendable {
    public let ratio: Double
    public let rate: Estimate
  }

  public struct KindGain: Codable, Sendable {
    public let kind: String
    public let gain: Estimate
  }
}

/// Recordings with what was written for each.
public struct NoiseTest: Sendable {
  public let recordings: [NoisyRecording]
  public let heard: [HeardInNoise]
  private let draws: Int

  /// - Parameter draws: of the bootstrap
  public init(_ recordings: [NoisyRecording], _ heard: [HeardInNoise], draws: Int) {
    (self.heard, self.draws) = (heard, draws)
    self.recordings = Array(recordings.prefix(heard.count))
  }

  /// Reads one intervention.
  public func reading(
    _ arm: NoiseArm, _ strength: NoiseStrength?, at ratios: [Double], _ random: Random
  ) -> ArmReading {
    var reading = ArmReading(arm: arm, strength: strength)
    guard let trial = strength.map({ NoiseTrial(arm, $0) }) else { return reading }
    let random = random.split(arm.name)
    let all = Set(recordings.compactMap(\.noise?.ratio)).sorted(by: >)
    func atRatios(_ recording: NoisyRecording) -> Bool {
      recording.noise.map { ratios.contains($0.ratio) } ?? false
    }
    reading.byRatio = all.map { ratio in
      ArmReading.RatioRate(
        ratio: ratio,
        rate: errors(random.split("at \(ratio)"), where: { $0.noise?.ratio == ratio }) {
          $0.score(trial, of: $1.text).errors
        })
    }
    reading.gain = excess(of: trial, over: .nothing, random.split("gain"), where: atRatios)
    reading.byKind = NoiseMix.Kind.allCases.map { kind in
      ArmReading.KindGain(
        kind: kind.rawValue,
        gain: excess(of: trial, over: .nothing, random.split(kind.rawValue)) {
          atRatios($0) && $0.noise?.kind == kind
        })
    }
    reading.overall = excess(of: trial, over: .nothing, random.split("overall")) { !$0.isClean }
    reading.cost = excess(of: trial, over: .nothing, random.split("cost")) { $0.isClean }
    reading.exact = ratio(
      random.split("exact"), where: atRatios, over: { _ in 1 },
      { $0.score(trial, of: $1.text).exact - $0.score(.nothing, of: $1.text).exact })
    return reading
  }

  /// The word error rate of one trial less that of another, paired by recording.
  public func excess(
    of trial: NoiseTrial, over other: NoiseTrial, _ random: Random,
    where isMeant: (NoisyRecording) -> Bool
  ) -> Estimate {
    errors(random, where: isMeant) {
      $0.score(trial, of: $1.text).errors - $0.score(other, of: $1.text).errors
    }
  }

  private func errors(
    _ random: Random, where isMeant: (NoisyRecording) -> Bool,
    _ value: (HeardInNoise, NoisyRecording) -> Double
  ) -> Estimate {
    ratio(
      random, where: isMeant, over: { Double(normalisedWords($0.text).count) }, value)
  }

  private func ratio(
    _ random: Random, where isMeant: (NoisyRecording) -> Bool, over: (NoisyRecording) -> Double,
    _ value: (HeardInNoise, NoisyRecording) -> Double
  ) -> Estimate {
    let meant = zip(heard, recordings).filter { isMeant($0.1) }
    return ratioOfMeans(
      meant.map { value($0.0, $0.1) }, meant.map { over($0.1) }, groups: meant.map(\.1.group),
      draws: draws, random)
  }
}
