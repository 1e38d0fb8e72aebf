// What an ablation says, number by number: the form that its figure, its table and its rows of the
// ledger share.

import Tensor

/// One number of an ablation.
public struct AblationRow: Codable, Sendable {
  /// What is measured.
  public let panel: String
  /// What it is measured of: a row of a panel, or a place along its axis.
  public let place: String
  /// Whose number it is: a model, or an arm of one model.
  public let series: String
  public let number: Estimate
  /// What cells drawn at random would give, where that is known.
  public let chance: Double?

  public init(
    _ panel: String, _ place: String, _ series: String, _ number: Estimate, chance: Double? = nil
  ) {
    (self.panel, self.place, self.series) = (panel, place, series)
    (self.number, self.chance) = (number, chance)
  }
}

/// Percentile intervals of several statistics of the same clusters, from the same draws of clusters, so
/// that they can be compared with each other.
///
/// - Parameters:
///   - statistics: of any number of clusters, always as many; one that is not finite in a draw is left
///     out of it
/// - Returns: unbounded intervals where there are fewer than `fewestGroups` clusters
public func clusterIntervals<Cluster>(
  of clusters: [Cluster], draws: Int, level: Double = 0.95, _ random: Random,
  _ statistics: ([Cluster]) -> [Double]
) -> [Estimate] {
  let values = statistics(clusters)
  guard clusters.count >= fewestGroups else {
    return values.map { Estimate(value: $0, low: -.infinity, high: .infinity) }
  }
  var random = random
  var drawn = clusters
  var samples = values.map { _ in [Double]() }
  for i in samples.indices { samples[i].reserveCapacity(draws) }
  for _ in 0..<draws {
    for i in drawn.indices { drawn[i] = clusters[random.below(clusters.count)] }
    for (i, value) in statistics(drawn).enumerated() where value.isFinite {
      samples[i].append(value)
    }
  }
  let tail = (1 - level) / 2
  return zip(values, samples).map { value, sample in
    guard !sample.isEmpty else { return Estimate(value: value, low: -.infinity, high: .infinity) }
    let sorted = sample.sorted()
    return Estimate(
      value: value, low: quantile(sorted, tail), high: quantile(sorted, 1 - tail))
  }
}
