// With what strength each intervention in noise is used, by the validation split (`paper/definitions.md`, D141).

/// What validation chose.
public struct ChosenStrengths: Sendable {
  private let points: [NoiseArm: NoisePoint]

  /// Interventions that are tried; a drawn one has the strength of the one it is matched to.
  private static let own = NoiseArm.all.filter { $0.matched == nil }

  /// Every strength that validation tries.
  public static func trials(_ rules: NoiseRules) -> [NoiseTrial] {
    own.flatMap { arm in arm.strengths(rules).map { NoiseTrial(arm, $0) } }
  }

  /// Of each intervention the strength that leaves the fewest errors at a cost below the bound; one that leaves
  /// no fewer than nothing done has none. Nothing, and all of the connector, have one strength.
  ///
  /// - Parameter heard: `trials` of each recording
  /// - Throws: where there are no words with or without noise.
  public init(_ recordings: [NoisyRecording], _ heard: [HeardInNoise], _ rules: NoiseRules) throws {
    let curves = try Dictionary(
      uniqueKeysWithValues: Self.own.map { ($0, try $0.curve(recordings, heard, rules)) })
    let plain = curves[.nothing]![0].errors
    var points: [NoiseArm: NoisePoint] = [:]
    for arm in Self.own {
      switch arm {
      case .nothing, .whole: points[arm] = curves[arm]![0]
      default: points[arm] = curves[arm]!.chosen(below: rules.cost, than: plain)
      }
    }
    for arm in NoiseArm.all { if let real = arm.matched { points[arm] = points[real] } }
    self.points = points
  }

  public var strengths: [NoiseArm: NoiseStrength] { points.mapValues(\.strength) }

  /// Every intervention that has a strength, with it, as figures list them.
  public var trials: [NoiseTrial] { NoiseArm.all.compactMap(trial) }

  public func trial(_ arm: NoiseArm) -> NoiseTrial? {
    points[arm].map { NoiseTrial(arm, $0.strength) }
  }

  /// The same of some interventions alone; the others have no strength.
  public func keeping(_ kept: Set<NoiseArm>) -> ChosenStrengths {
    ChosenStrengths(points: points.filter { kept.contains($0.key) })
  }

  private init(points: [NoiseArm: NoisePoint]) { self.points = points }

  /// The intervention of a choice that leaves the fewest errors, of those that anybody could make.
  public func best(_ choice: NoiseChoice) -> NoiseArm? {
    Self.own.filter { $0.choice == choice && !$0.isOracle && points[$0] != nil }
      .min { points[$0]!.errors < points[$1]!.errors }
  }
}
