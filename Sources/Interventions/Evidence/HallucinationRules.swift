// What was fixed beforehand about texts where nobody speaks: which strengths are tried, what a strength
// may cost, and what is claimed.

import JSON
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
  private let path: String
  private let claims: JSON

  /// - Throws: an error that names the file and the entry that is missing or out of range.
  public init(_ path: String) throws {
    self.path = path
    let rules = try readJSON(path)["hallucination"] ?? [:]
    func numbers(_ key: String) throws -> [Double] {
      let list = rules[key]?.elements?.compactMap(\.double) ?? []
      guard !list.isEmpty, list.allSatisfy({ $0 > 0 && $0.isFinite }) else {
        throw CheckpointError("\(path): \"hallucination.\(key)\" must list numbers above 0")
      }
      return list
    }
    func number(_ key: String) throws -> Double {
      guard let value = rules[key]?.double, value > 0, value.isFinite else {
        throw CheckpointError("\(path): \"hallucination.\(key)\" must be a number above 0")
      }
      return value
    }
    (cost, read) = (try number("cost"), try number("read"))
    (limit, draws) = (Int(try number("limit")), Int(try number("draws")))
    (utterances, joined) = (Int(try number("utterances")), Int(try number("joined")))
    (thresholds, gates) = (try numbers("thresholds"), try numbers("gates"))
    (moves, heads) = (try numbers("moves"), try numbers("heads").map { Int($0) })
    claims = rules["claims"] ?? [:]
  }

  /// What a claim says.
  public func statement(_ claim: String) throws -> String {
    guard let text = claims[claim]?.string, !text.isEmpty else {
      throw CheckpointError("\(path): \"hallucination.claims\" has no claim \(claim)")
    }
    return text
  }
}
