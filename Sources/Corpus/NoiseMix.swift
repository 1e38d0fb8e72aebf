// Speech in noise at a stated signal-to-noise ratio, made when it is needed: a function of clean
// recordings, a kind of noise, a seed's name and a ratio, in Double and in a fixed order.
//
// The ratio is that of active levels: the mean power of those frames of 20 ms that lie within 30 dB
// of the loudest frame, of the clean recording over that of the noise. Pauses so count for neither
// (`paper/definitions.md`, D16).
// The noise of a seed is the same at every ratio, but for its level.

import Speech
import Tensor

/// What is added to a clean recording, and how loud.
public struct NoiseMix: Sendable, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    case white, pink
    /// White noise through the all-pole filter (order 16) of the clean recording's long-term
    /// spectrum.
    case speechShaped = "speech-shaped"
    /// Several other recordings at once, at one level, each entering at a drawn place.
    case babble
    /// One other recording, from its beginning.
    case talker

    /// Whether it is made of other recordings.
    public var needsTalkers: Bool { self == .babble || self == .talker }
  }

  public let kind: Kind
  /// Signal-to-noise ratio in dB.
  public let ratio: Double
  /// Names the noise.
  public let seed: String
  /// Recordings that babble and a competing talker are made of; none for other kinds.
  public let talkers: [String]

  public init(kind: Kind, ratio: Double, seed: String, talkers: [String] = []) {
    self.kind = kind
    self.ratio = ratio
    self.seed = seed
    self.talkers = talkers
  }

  /// The clean recording with its noise, as long as it is; turned down as a whole where a peak would
  /// pass 0.95 of full scale.
  ///
  /// - Parameters:
  ///   - clean: samples at 16 kHz in -1...1.
  ///   - name: the clean recording, for messages.
  ///   - talker: the samples of a recording that `talkers` names.
  /// - Returns: 16-bit samples at 16 kHz.
  /// - Throws: where the clean recording or the noise is silent, so that there is no ratio.
  public func mixed(
    _ clean: [Float], name: String, talker: (String) throws -> [Float]
  ) throws -> [Int16] {
    guard ratio.isFinite, (-60...60).contains(ratio) else {
      throw AudioError(
        name, "a signal-to-noise ratio of \(ratio) dB", advice: "give one of -60 to 60 dB")
    }
    guard let signal = NoiseMix.activePower(clean.map(Double.init)) else {
      throw AudioError(
        name, "the signal is silent, so no signal-to-noise ratio can be set",
        advice: "mix noise into a recording of speech")
    }
    let noise = try noise(for: clean, talker)
    guard let power = NoiseMix.activePower(noise) else {
      throw AudioError(
        "\(name) in \(kind.rawValue) noise", "the noise is silent", advice: "name other talkers")
    }
    let tenth = 0.230_258_509_299_404_57  // ln 10 / 10
    let gain = (signal / power * Elementary.exp(-ratio * tenth)).squareRoot()
    let sum = zip(clean, noise).map { Double($0) + gain * $1 }
    let peak = sum.reduce(0) { max($0, abs($1)) }
    let scale = 32768 * min(1, 0.95 / peak)
    return sum.map { Int16(($0 * scale).rounded(.toNearestOrEven)) }
  }

  /// The mean power of the frames of 20 ms within 30 dB of the loudest; nil for silence.
  public static func activePower(_ samples: [Double]) -> Double? {
    let frame = 320
    let count = max(1, samples.count / frame)
    let powers = (0..<count).map { f in
      let piece = samples[f * frame..<min(samples.count, (f + 1) * frame)]
      return piece.reduce(0) { $0 + $1 * $1 } / Double(max(1, piece.count))
    }
    guard let loudest = powers.max(), loudest > 0 else { return nil }
    let active = powers.filter { $0 >= loudest / 1000 }
    return active.reduce(0, +) / Double(active.count)
  }
}

// ## The noises, at any level

extension NoiseMix {
  private func noise(
    for clean: [Float], _ talker: (String) throws -> [Float]
  ) throws -> [Double] {
    var random = Random(seed: 1).split("noise").split(kind.rawValue).split(seed)
    switch kind {
    case .white: return NoiseMix.white(clean.count, &random)
    case .pink: return NoiseMix.pink(clean.count, &random)
    case .speechShaped:
      return NoiseMix.shaped(
        NoiseMix.white(clean.count, &random), like: clean.map(Double.init))
    case .babble, .talker:
      guard !talkers.isEmpty, kind == .babble || talkers.count == 1 else {
        throw AudioError(
          seed, "\(kind.rawValue) of \(talkers.count) recordings",
          advice: "give one for a competing talker, one or more for babble")
      }
      var sum = [Double](repeating: 0, count: clean.count)
      for name in talkers {
        let voice = try talker(name).map(Double.init)
        guard let power = NoiseMix.activePower(voice) else {
          throw AudioError(name, "a silent talker", advice: "name another recording")
        }
        let start = kind == .babble ? random.below(voice.count) : 0
        for i in sum.indices { sum[i] += voice[(start + i) % voice.count] / power.squareRoot() }
      }
      return sum
    }
  }

  static func white(_ count: Int, _ random: inout Random) -> [Double] {
    (0..<count).map { _ in random.normal() }
  }

  /// The sum of ten relaxations of equal power whose corner frequencies lie an octave apart: its
  /// spectrum falls as 1/f between 16 Hz and 8 kHz.
  static func pink(_ count: Int, _ random: inout Random) -> [Double] {
    let poles = (0..<10).map { octave in
      Elementary.exp(-2 * .pi * 8000 / Double(1 << octave) / 16000)
    }
    var states = [Double](repeating: 0, count: poles.count)
    return (0..<count).map { _ in
      for (k, pole) in poles.enumerated() {
        states[k] = pole * states[k] + (1 - pole * pole).squareRoot() * random.uniform(-1...1)
      }
      return states.reduce(0, +)
    }
  }

  /// Noise through the all-pole filter of a recording's autocorrelation (Levinson's recursion).
  private static func shaped(_ noise: [Double], like clean: [Double]) -> [Double] {
    let order = 16
    var correlation = (0...order).map { lag in
      lag < clean.count ? (lag..<clean.count).reduce(0) { $0 + clean[$1] * clean[$1 - lag] } : 0
    }
    // A floor at -40 dB of white noise keeps the recursion stable where a band is empty.
    correlation[0] *= 1.0001
    var filter: [Double] = []
    var error = correlation[0]
    for i in 0..<order where error > 0 {
      let past = filter.enumerated().reduce(0) { $0 + $1.element * correlation[i - $1.offset] }
      let reflection = (correlation[i + 1] - past) / error
      filter = filter.indices.map { filter[$0] - reflection * filter[i - 1 - $0] } + [reflection]
      error *= 1 - reflection * reflection
    }
    var out: [Double] = []
    for (i, sample) in noise.enumerated() {
      var value = sample
      for (k, weight) in filter.enumerated() where i > k { value += weight * out[i - 1 - k] }
      out.append(value)
    }
    return out
  }
}
