// What the corrupt run hears: the other recording of the pair, or the clean one made silent or put
// into noise. A map is believed where several corruptions agree on it (`paper/definitions.md`,
// D15); the other recording stays in the distribution that the model knows and is the default,
// noise and silence leave it.

import Corpus
import JSON
import Speech

/// How the corrupt run of a pair is made.
public enum Corruption: Hashable, Sendable {
  /// The other recording.
  case paired
  /// Digital silence as long as the clean recording.
  case silence
  /// White noise on the clean recording, at a ratio of active levels in dB (`NoiseMix`); drawn anew
  /// for each pair.
  case noise(ratio: Double, seed: Int)

  /// Whether the corrupt run should give the foil. Silence and noise say no other word, so that of
  /// them no more than the gap is asked.
  public var saysFoil: Bool { self == .paired }

  /// What it is, in words.
  public var explanation: String {
    switch self {
    case .paired: "the corrupt recording of each pair"
    case .silence: "digital silence as long as the clean recording"
    case .noise(let ratio, let seed):
      "white noise at \(shortest(ratio)) dB on the clean recording, seed \(seed)"
    }
  }

  /// The corrupt sound of a pair; nil where it is a recording of its own.
  ///
  /// - Parameters:
  ///   - clean: the clean recording at 16 kHz
  ///   - pair: names the pair, for its noise and for messages
  /// - Throws: where noise is to be mixed into silence.
  public func sound(of clean: Waveform, pair: String) throws -> Waveform? {
    switch self {
    case .paired: return nil
    case .silence:
      return Waveform(
        samples: [Float](repeating: 0, count: clean.samples.count), rate: clean.rate)
    case .noise(let ratio, let seed):
      let mix = NoiseMix(kind: .white, ratio: ratio, seed: "\(pair) \(seed)")
      let samples = try mix.mixed(clean.samples, name: pair) { _ in [] }
      return Waveform(samples: samples.map { Float($0) / 32768 }, rate: clean.rate)
    }
  }
}

extension Corruption: CustomStringConvertible {
  /// As the command line writes it.
  public var description: String {
    switch self {
    case .paired: "paired"
    case .silence: "silence"
    case .noise(let ratio, let seed): "noise:\(shortest(ratio)):\(seed)"
    }
  }

  /// Reads what `description` gives; the seed of noise may be left out and is 1.
  ///
  /// - Throws: where it is no corruption, or the ratio lies outside -60 to 60 dB.
  public init(_ text: String) throws {
    switch text {
    case "paired": self = .paired
    case "silence": self = .silence
    default:
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.first == "noise", (2...3).contains(parts.count), let ratio = Double(parts[1]),
        (-60...60).contains(ratio), let seed = parts.count == 3 ? Int(parts[2]) : 1, seed >= 0
      else {
        throw CellError(
          "\(quoted(text)) is no corruption; write paired (the other recording), silence, noise:0 (white "
            + "noise at 0 dB, of -60 to 60) or noise:0:7 (with the seed 7)")
      }
      self = .noise(ratio: ratio, seed: seed)
    }
  }
}
