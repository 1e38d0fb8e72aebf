// What was fixed beforehand about maps across models, tasks and factors: when a block of cells is a
// bottleneck, what counts as early, as near and as stable, what is taken, and what is claimed.

import JSON
import Speech
import Tensor

/// The part "localisation" of a preregistration, such as `paper/preregistration-e1.json`.
public struct LocalisationRules: Sendable {
  /// The largest share of a map's cells that a bottleneck has, and the level of the max-T test.
  public let blockShare: Double
  public let level: Double
  /// The share of the language model's layers that count as early.
  public let early: Double
  /// The share of the effect that the shortest run of windows holds, and that the width of the encoder's
  /// leakage holds.
  public let mostOfEffect: Double
  /// The ratio of signal to noise of maps in noise, in dB.
  public let noise: Double
  /// The share of transcripts that has to stay where the words are the same.
  public let preserved: Double
  /// Of the pairs of synthetic voices and of people every so many-th, and the most mistakes in noise that
  /// are mapped.
  public let everyPair: Int
  public let everyHuman: Int
  public let mistakes: Int
  private let path: String
  private let claims: JSON

  /// - Throws: an error that names the file and the entry that is missing or out of range.
  public init(_ path: String) throws {
    self.path = path
    let rules = try readJSON(path)["localisation"] ?? [:]
    func number(_ key: String, upTo most: Double) throws -> Double {
      guard let value = rules[key]?.double, value > 0, value <= most else {
        throw CheckpointError(
          "\(path): \"localisation\" needs a number above 0 and up to \(most) for \"\(key)\"")
      }
      return value
    }
    func count(_ key: String) throws -> Int {
      guard let value = rules[key]?.int, value > 0 else {
        throw CheckpointError(
          "\(path): \"localisation\" needs a whole number above 0 for \"\(key)\"")
      }
      return value
    }
    blockShare = try number("blockShare", upTo: 1)
    level = try number("level", upTo: 0.5)
    early = try number("early", upTo: 1)
    mostOfEffect = try number("mostOfEffect", upTo: 1)
    noise = try number("noise", upTo: 60)
    preserved = try number("preserved", upTo: 1)
    everyPair = try count("everyPair")
    everyHuman = try count("everyHuman")
    mistakes = try count("mistakes")
    claims = rules["claims"] ?? [:]
  }

  /// What a claim says.
  public func statement(_ claim: String) throws -> String {
    guard let text = claims[claim]?.string, !text.isEmpty else {
      throw CheckpointError("\(path): \"localisation.claims\" has no claim \(claim)")
    }
    return text
  }

  /// How many layers of a language model are early.
  public func earlyLayers(of layers: Int) -> Int {
    max(1, Int((early * Double(layers)).rounded(.up)))
  }
}

/// What one claim comes to over all models and tasks it was asked of.
public enum Verdict: String, Sendable {
  case supported
  case specific = "model-specific"
  case refuted

  /// Supported where it holds everywhere, refuted where it holds nowhere.
  public init(_ holds: [Bool]) {
    self =
      !holds.isEmpty && holds.allSatisfy { $0 }
      ? .supported : holds.contains(true) ? .specific : .refuted
  }
}
