// What the corrupt run of an ablation hears (`paper/definitions.md`, D151): beside the other recording of
// the pair, white noise and silence (`Corruption`), somebody else's sentence at the same time, and a
// recording that has nothing to do with the pair.

import Corpus
import Speech

/// How the corrupt run of a pair is made.
public enum CorruptSound: String, Codable, Sendable, CaseIterable {
  /// The other recording of the pair.
  case paired
  /// The clean recording in white noise.
  case noise
  /// The clean recording with a sentence by another speaker.
  case distractor
  case silence
  /// Another pair's recording, moved so that both changed phones begin at the same moment.
  case unrelated

  /// As figures and tables call it.
  public var title: String {
    switch self {
    case .paired: "other recording"
    case .noise: "white noise"
    case .distractor: "other speaker too"
    case .silence: "silence"
    case .unrelated: "unrelated recording"
    }
  }

  /// Whether the corrupt run should give the foil (D17).
  public var saysFoil: Bool { self == .paired }
}

/// Where the sounds come from that a pair does not have itself.
public struct CorruptionPartners: Sendable {
  /// The pairs whose recordings are lent.
  public let pairs: [MinimalPair]
  /// Of noise and of the other speaker, in dB of active levels (D16).
  public let ratios: (noise: Double, distractor: Double)
  /// The folder below which the recordings lie.
  public let root: String

  public init(pairs: [MinimalPair], ratios: (noise: Double, distractor: Double), root: String) {
    (self.pairs, self.ratios, self.root) = (pairs, ratios, root)
  }

  /// Pairs that share no answer with a pair, from the one behind it on.
  private func others(than pair: MinimalPair, where suits: (MinimalPair) -> Bool) -> [MinimalPair] {
    let own = pairs.firstIndex { $0.id == pair.id } ?? 0
    let answers = [pair.answers.clean, pair.answers.corrupt]
    return pairs.indices.map { pairs[(own + $0) % pairs.count] }.filter {
      suits($0) && !answers.contains($0.answers.clean) && !answers.contains($0.answers.corrupt)
    }
  }

  /// Two pairs of the same voice and slot without its answers: one lends the matched control, the other
  /// the unrelated recording.
  ///
  /// - Throws: where there are not two.
  public func strangers(to pair: MinimalPair) throws -> (
    control: MinimalPair, recording: MinimalPair
  ) {
    let found = others(than: pair) { $0.voice == pair.voice && $0.slot == pair.slot }
    let second = found.first { other in
      found[0].clean.id != other.clean.id && found[0].answers.clean != other.answers.clean
    }
    guard let first = found.first, let second else {
      throw CheckpointError(
        "pair \(pair.id): there are no two other pairs of voice \(pair.voice) and slot \(pair.slot) "
          + "without its answers; give more pairs")
    }
    return (first, second)
  }

  /// A recording by another speaker in which neither answer is said.
  ///
  /// - Throws: where there is none.
  public func talker(beside pair: MinimalPair) throws -> Utterance {
    let answers = Set([pair.answers.clean, pair.answers.corrupt])
    let found = others(than: pair) {
      $0.voice != pair.voice
        && answers.isDisjoint(with: $0.clean.text.split(separator: " ").map(String.init))
    }
    guard let other = found.first else {
      throw CheckpointError(
        "pair \(pair.id): no other speaker says a sentence without its answers; give pairs of two voices"
      )
    }
    return other.clean
  }

  /// What the corrupt run hears, as long as the clean recording.
  ///
  /// - Throws: where a recording is unusable or a partner is missing.
  public func sound(_ kind: CorruptSound, for pair: MinimalPair) throws -> Waveform {
    let clean = try pair.clean.waveform(root: root)
    switch kind {
    case .paired: return try pair.corrupt.waveform(root: root)
    case .silence: return try Corruption.silence.sound(of: clean, pair: pair.id)!
    case .noise:
      return try Corruption.noise(ratio: ratios.noise, seed: 1).sound(of: clean, pair: pair.id)!
    case .distractor:
      let other = try talker(beside: pair)
      let mix = NoiseMix(
        kind: .talker, ratio: ratios.distractor, seed: pair.id, talkers: [other.file])
      let samples = try mix.mixed(clean.samples, name: pair.id) { _ in
        try other.waveform(root: root).samples
      }
      return Waveform(samples: samples.map { Float($0) / 32768 }, rate: clean.rate)
    case .unrelated:
      let other = try strangers(to: pair).recording
      let later = Int(((other.onset - pair.onset) * Double(clean.rate) / 1000).rounded())
      return try other.clean.waveform(root: root).moved(
        earlier: later, count: clean.samples.count)
    }
  }
}

extension Waveform {
  /// So many samples from one on that may lie before the first; silence where there are none.
  func moved(earlier first: Int, count: Int) -> Waveform {
    Waveform(
      samples: (0..<count).map { samples.indices.contains($0 + first) ? samples[$0 + first] : 0 },
      rate: rate)
  }
}
