// The noise set: sentences of the phoneme set in five kinds of noise at five ratios.
//
// A test item's babble and competing talkers are voices of the test split; discovery and validation
// share theirs, because validation has one speaker only.

import Corpus
import Speech

/// One clean sentence in one noise.
struct MixturePlan {
  let clean: Line
  let pair: MinimalPair
  let noise: NoiseMix

  var kind: String { "\(noise.kind.rawValue) at \(Int(noise.ratio)) dB" }
  var id: String { "\(clean.id)-\(noise.kind.rawValue)-\(Int(noise.ratio))dB" }
}

enum NoisePlan {
  static let name = "noise"
  static let title = "spoken-sentences-in-noise"
  static let description =
    "A sentence of the phoneme set against the same recording in noise: white, pink, "
    + "speech-shaped, babble of six recordings of other voices, one competing talker. Mixtures are "
    + "not stored: they are a function of the recordings named here, the seed and the ratio "
    + "(NoiseMix in Sources/Speech), and samplesDigest is the SHA-256 of their 16-bit little-endian "
    + "samples. The ratio is that of active levels: the mean power of the 20 ms frames within 30 dB "
    + "of the loudest. Splits are disjoint in sentence and speaker; the talkers of test items are "
    + "voices of the test split, those of discovery and validation are each other's speakers."

  static let ratios = [20.0, 10, 5, 0, -5]

  static var lines: [Line] { items.map(\.line) }

  private static var items: [(pair: MinimalPair, line: Line)] {
    FactorPlans.phonemePairs.filter { $0.slot.name == "d-first" }
      .map { ($0, FactorPlans.clean($0)) }
  }

  /// All mixtures; the noise of a sentence and kind is the same at every ratio, but for its level.
  static func mixtures() -> [MixturePlan] {
    let voices =
      FactorPlans.phonemePairs.filter { $0.slot.name == "b-first" }.map(FactorPlans.clean)
      + FactorPlans.neverHeard.lines.filter { $0.sentence.frame == .b && $0.levelledWith == nil }
    return items.flatMap { pair, line in
      NoiseMix.Kind.allCases.flatMap { kind in
        let seed = "\(line.id)/\(kind.rawValue)"
        let talkers = talkers(for: line, kind, of: voices, seed)
        return ratios.map { ratio in
          MixturePlan(
            clean: line, pair: pair,
            noise: NoiseMix(kind: kind, ratio: ratio, seed: seed, talkers: talkers))
        }
      }
    }
  }

  /// Other voices of the same side of the test split who say none of the sentence's nouns.
  private static func talkers(
    for line: Line, _ kind: NoiseMix.Kind, of voices: [Line], _ seed: String
  ) -> [String] {
    guard kind.needsTalkers else { return [] }
    let nouns = Set(line.words.filter { $0.kind == .noun }.map(\.spelling))
    var rest = voices.filter {
      $0.speaker != line.speaker && ($0.split == "test") == (line.split == "test")
        && nouns.isDisjoint(with: $0.sentence.words)
    }
    var draws = Draws("talkers/\(seed)")
    return (0..<(kind == .talker ? 1 : 6)).map { _ in
      let talker = draws.pick(rest)
      rest.removeAll { $0 == talker }
      return talker.file
    }
  }
}
