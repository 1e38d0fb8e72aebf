// One line of the table of rivals: what another procedure finds on our models and data, beside its matched
// control and beside what temporal attribution patching finds on the same items.

/// What one rival finds on one model.
public struct RivalRow: Codable, Sendable {
  /// The name of the rival as the paper has it, such as `SPIRIT`, and which of its claims where it has several.
  public let rival: String
  public let part: String
  public let model: String
  /// What the rival says of speech models, in its own terms; the same on every model.
  public let claim: String
  /// What `effect` and `control` are, with their unit.
  public let measure: String
  public let effect: Estimate
  /// The same of the matched control.
  public let control: Estimate
  /// The same of temporal attribution patching on the same items; nil where it has nothing of the kind.
  public let tap: Estimate?
  /// Whether the claim holds here by its rule, which is written in the experiment before its numbers.
  public let holds: Bool

  public init(
    _ rival: String, _ part: String = "", on model: String, claim: String, measure: String,
    effect: Estimate, control: Estimate, tap: Estimate? = nil, holds: Bool
  ) {
    (self.rival, self.part, self.model) = (rival, part, model)
    (self.claim, self.measure) = (claim, measure)
    (self.effect, self.control, self.tap, self.holds) = (effect, control, tap, holds)
  }

  /// The rival and which of its claims.
  public var name: String { part.isEmpty ? rival : "\(rival), \(part)" }
}
