// What was fixed beforehand about noise that is made for one wrong word.

import Speech

/// The part "wrongWord" of a preregistration; what is tried against such noise is in its part "noise".
public struct WrongWordRules: Sendable {
  /// Of active speech to the noise's largest power, in dB, and the most gradient steps.
  public let ratio: Double
  public let steps: Int
  private let part: RulesPart

  /// - Throws: an error that names the file and the entry that is missing or out of range.
  public init(_ path: String) throws {
    part = try RulesPart("wrongWord", of: path)
    ratio = try part.number("ratio", upTo: 60)
    steps = try part.count("steps")
  }

  /// How many recordings of a split.
  public func recordings(_ split: String) throws -> Int { try part.count(split, in: "recordings") }

  /// What a claim says.
  public func statement(_ claim: String) throws -> String { try part.statement(claim) }
}
