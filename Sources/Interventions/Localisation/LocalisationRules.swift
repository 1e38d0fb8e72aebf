// What was fixed beforehand about maps across models, tasks and factors: when a block of cells is a
// bottleneck, what counts as early, as near and as stable, what is taken, and what is claimed.

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
  private let part: RulesPart

  /// - Throws: an error that names the file and the entry that is missing or out of range.
  public init(_ path: String) throws {
    part = try RulesPart("localisation", of: path)
    blockShare = try part.number("blockShare", upTo: 1)
    level = try part.number("level", upTo: 0.5)
    early = try part.number("early", upTo: 1)
    mostOfEffect = try part.number("mostOfEffect", upTo: 1)
    noise = try part.number("noise", upTo: 60)
    preserved = try part.number("preserved", upTo: 1)
    everyPair = try part.count("everyPair")
    everyHuman = try part.count("everyHuman")
    mistakes = try part.count("mistakes")
  }

  /// What a claim says.
  public func statement(_ claim: String) throws -> String { try part.statement(claim) }

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
