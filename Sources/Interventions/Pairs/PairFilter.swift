// Which pairs enter: the model must answer both recordings, and by enough.

import Speech

/// The rule by which pairs enter (`paper/definitions.md`, D17).
public struct PairFilter: Sendable {
  /// The smallest gap LD_clean - LD_corrupt, in nats.
  public let minimumGap: Double
  /// Whether the corrupt run must give the foil, as another recording does and noise does not.
  public let needsFoil: Bool

  public init(minimumGap: Double, needsFoil: Bool = true) {
    self.minimumGap = minimumGap
    self.needsFoil = needsFoil
  }

  /// Why a pair does not enter; nil where it does. The first of the reasons that holds.
  public func reason(clean: Double, corrupt: Double) -> Exclusion? {
    if !(clean > 0) { return .cleanNotAnswered }
    if needsFoil, !(corrupt < 0) { return .corruptNotAnswered }
    return clean - corrupt >= minimumGap ? nil : .smallGap
  }
}

/// Why a pair does not enter.
public enum Exclusion: String, Codable, Sendable, CaseIterable {
  /// LD_clean is not above zero.
  case cleanNotAnswered = "clean not answered"
  /// LD_corrupt is not below zero.
  case corruptNotAnswered = "corrupt not answered"
  /// The gap is below the smallest that counts.
  case smallGap = "gap too small"
}
