// What was fixed beforehand about texts where nobody speaks: which strengths are tried, what a strength
// may cost, and what is claimed.

import Speech

/// The part "hallucination" of a preregistration.
public struct HallucinationRules: Sendable {
  /// The word error rate that an intervention may cost on speech, as a share.
  public let cost: Double
  /// The most tokens of a transcript.
  public let limit: Int
  /// Probabilities of no speech above which a text is left out, and the one that is read where
  /// activations are changed.
  public let thresholds: [Double]
  public let read: Double
  /// Positions on the axis of speech below which a text is left out.
  public let gates: [Double]
  /// How far recordings are moved along it, and how many heads are pruned.
  public let moves: [Double]
  public let heads: [Int]
  /// Draws of each matched control.
  public let draws: Int
  /// Utterances a split, and as many stretches of so many utterances one after another.
  public let utterances: Int
  public let joined: Int
  private let part: RulesPart

  /// - Throws: an error that names the file and the entry that is missing or out of range.
  public init(_ path: String) throws {
    part = try RulesPart("hallucination", of: path)
    cost = try part.number("cost", upTo: 1)
    read = try part.number("read", upTo: 1)
    limit = try part.count("limit")
    draws = try part.count("draws")
    utterances = try part.count("utterances")
    joined = try part.count("joined")
    thresholds = try part.numbers("thresholds", upTo: 1)
    gates = try part.numbers("gates", upTo: 1)
    moves = try part.numbers("moves", upTo: 100)
    heads = try part.counts("heads")
  }

  /// What a claim says.
  public func statement(_ claim: String) throws -> String { try part.statement(claim) }
}
