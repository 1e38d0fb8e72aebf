// How the reverse pass goes through what is not linear.

/// Rules of the reverse pass. The forward pass knows nothing of them, so that one record serves
/// several.
public struct ReverseRules: Hashable, Sendable {
  /// The scale of a norm counts as a constant; its mean is still taken off.
  public var freezesScales = false
  /// An activation f(z) passes f(z) / z in place of its slope.
  public var takesSecants = false
  /// Each factor of a gated product gets half.
  public var halvesProducts = false
  /// Attention patterns count as constants.
  public var freezesPatterns = false

  /// The gradient.
  public static let gradient = ReverseRules()

  /// Relevance patching (RelP; `paper/definitions.md`, D38): layer-wise relevance propagation
  /// as a reverse pass.
  ///
  /// - Parameter freezingPatterns: whether nothing flows to queries and keys
  public static func relevance(freezingPatterns: Bool) -> ReverseRules {
    ReverseRules(
      freezesScales: true, takesSecants: true, halvesProducts: true,
      freezesPatterns: freezingPatterns)
  }
}
