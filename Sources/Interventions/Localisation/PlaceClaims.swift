// What experiment E1 measures across models, tasks and factors, and what its claims come to
// (`paper/definitions.md`, D131).

import Speech
import Tensor

/// The maps of one model under one task, for one sort of voices.
public struct TaskResult: Sendable {
  public let model: String
  public let voices: String
  public let task: SpokenTask
  /// Rows of the maps.
  public let sites: [Site]
  public let reading: TaskReading

  public init(
    model: String, voices: String, task: SpokenTask, sites: [Site], reading: TaskReading
  ) {
    (self.model, self.voices, self.task) = (model, voices, task)
    (self.sites, self.reading) = (sites, reading)
  }

  /// As claims and the ledger name it.
  public var name: String { "\(model).\(voices).\(task.rawValue)" }
}

/// What other factors do to one model.
public struct FactorResult: Sendable {
  public let model: String
  public let sites: [Site]
  /// By site of the encoder: the root mean square move by distance, over that inside the changed span.
  public let leakage: [[Double]]
  /// The distance within which most of the squared length lies.
  public let width: [Estimate]
  public let stability: [StabilityReading]
  /// Patches at the connector.
  public let preserving: [(factor: String, reading: PreservingReading)]
  public let noise: NoiseReading

  public init(
    model: String, sites: [Site], leakage: [[Double]], width: [Estimate],
    stability: [StabilityReading], preserving: [(factor: String, reading: PreservingReading)],
    noise: NoiseReading
  ) {
    (self.model, self.sites, self.leakage, self.width) = (model, sites, leakage, width)
    (self.stability, self.preserving, self.noise) = (stability, preserving, noise)
  }

  /// The connector's place among the sites.
  public var connector: Int { sites.firstIndex { $0.stage == .connector }! }
}

/// One claim of one model, or of one model under one task.
public struct Holding: Sendable {
  public let of: String
  public let holds: Bool
}

/// What the claims come to (`paper/definitions.md`, D131). A reading that is missing does not hold.
public func claims(
  _ tasks: [TaskResult], _ factors: [FactorResult], _ rules: Preregistration,
  _ fixed: LocalisationRules
) -> [(claim: String, holds: [Holding])] {
  func task(_ body: (TaskReading) -> Bool) -> [Holding] {
    tasks.map { Holding(of: $0.name, holds: body($0.reading)) }
  }
  func factor(_ body: (FactorResult) -> Bool) -> [Holding] {
    factors.map { Holding(of: $0.model, holds: body($0)) }
  }
  let half = rules.bottleneckRecovery
  return [
    ("L1", task { $0.verdict.holds(upTo: fixed.blockShare) }),
    ("L2", task { $0.localisation.allSatisfy { $0.near.low >= half } }),
    (
      "L3",
      factor { result in
        let found = Dictionary(
          uniqueKeysWithValues: result.stability.map { ($0.name, $0.spearman) })
        guard let clock = found[stabilityNames[3]] else { return false }
        return stabilityNames.prefix(2).allSatisfy { (found[$0]?.low ?? -1) > clock.high }
      }
    ),
    (
      "L4",
      factor { result in
        guard let reading = result.preserving.first(where: { $0.factor == "speaker" })?.reading,
          let same = reading.same.last, let voice = reading.voice.last
        else { return false }
        return same.low >= fixed.preserved && voice.low >= half
      }
    ),
    (
      "L5",
      factor { result in
        let (moment, other) = (
          result.noise.moment[result.connector], result.noise.unrelated[result.connector]
        )
        guard let moment, let other else { return false }
        return moment.low >= half && moment.low > other.high
      }
    ),
  ]
}
