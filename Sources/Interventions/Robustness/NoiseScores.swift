// Word errors under interventions in noise, what they cost without noise, and the strength that is chosen
// (`paper/definitions.md`, D141).

import Speech

private let numberWords = "zero one two three four five six seven eight nine ten"
  .split(separator: " ").map(String.init)

/// The words of a text with figures spelled out: recognisers write "3" for "three", which is no error.
func spelledOut(_ text: String) -> String {
  normalisedWords(text).map { word in
    Int(word).flatMap { numberWords.indices.contains($0) ? numberWords[$0] : nil } ?? word
  }.joined(separator: " ")
}

extension HeardInNoise {
  /// Word errors of what is written, and the share of texts that are right to the word; means over draws.
  public func score(_ trial: NoiseTrial, of text: String) -> (errors: Double, exact: Double) {
    let texts = self[trial.arm, trial.strength]
    let errors = texts.map { Double(WordErrors(of: spelledOut($0), against: text).errors) }
    let count = Double(texts.count)
    return (errors.reduce(0, +) / count, Double(errors.count { $0 == 0 }) / count)
  }
}

/// What an intervention does at one strength.
public struct NoisePoint: Sendable {
  public let strength: NoiseStrength
  /// The word error rate in noise.
  public let errors: Double
  /// The word error rate without noise, less that of nothing done.
  public let cost: Double

  public init(strength: NoiseStrength, errors: Double, cost: Double) {
    (self.strength, self.errors, self.cost) = (strength, errors, cost)
  }
}

extension NoiseTrial {
  /// What nothing done comes to.
  public static let nothing = NoiseTrial(.nothing, NoiseStrength(1))
}

extension NoiseArm {
  /// Errors and cost at each strength.
  ///
  /// - Throws: where there are no words in noise or none without: there is no rate over nothing.
  public func curve(
    _ recordings: [NoisyRecording], _ heard: [HeardInNoise], _ rules: NoiseRules
  ) throws -> [NoisePoint] {
    let known = Array(zip(recordings, heard))
    func words(_ clean: Bool) -> Double {
      known.filter { $0.0.isClean == clean }.reduce(0) {
        $0 + Double(normalisedWords($1.0.text).count)
      }
    }
    guard words(true) > 0, words(false) > 0 else {
      throw CellError(
        "\(name): \(Int(words(false))) words in noise and \(Int(words(true))) without; rates need both"
      )
    }
    func rate(_ trial: NoiseTrial, clean: Bool) -> Double {
      known.filter { $0.0.isClean == clean }.reduce(0) {
        $0 + $1.1.score(trial, of: $1.0.text).errors
      } / words(clean)
    }
    return strengths(rules).map { strength in
      let trial = NoiseTrial(self, strength)
      return NoisePoint(
        strength: strength, errors: rate(trial, clean: false),
        cost: rate(trial, clean: true) - rate(.nothing, clean: true))
    }
  }
}

extension [NoisePoint] {
  /// The fewest errors whose cost stays below a bound, the first of equals; nil where none does, or none
  /// leaves fewer errors than nothing done.
  public func chosen(below cost: Double, than errors: Double) -> NoisePoint? {
    filter { $0.cost < cost && $0.errors < errors }.min { $0.errors < $1.errors }
  }
}
