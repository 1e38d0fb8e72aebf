// The cluster bootstrap: intervals of any statistic, with whole groups drawn again
// (`paper/definitions.md`, D46 to D50).
//
// The unit that is independent is the group (sentence by speaker), never the pair and never the
// window of a map, so it is groups that are drawn.

import Tensor

/// A number with its interval, of 95% where nothing else is said.
public struct Estimate: Sendable, Codable, Equatable {
  public let value: Double
  public let low: Double
  public let high: Double

  public init(value: Double, low: Double, high: Double) {
    self.value = value
    self.low = low
    self.high = high
  }
}

/// How the bounds of an interval are read from the bootstrap distribution.
public enum IntervalMethod: String, Sendable, Codable, CaseIterable {
  /// Its quantiles.
  case percentile
  /// Its quantiles at shares that are corrected for bias and acceleration (Efron, 1987); the
  /// acceleration comes from leaving out one cluster at a time.
  case bca
}

/// A statistic of clusters with its bootstrap interval.
///
/// Quantiles between two draws are interpolated linearly, as SciPy's `bootstrap` does. With fewer
/// than two clusters, or a statistic that is not finite, the interval is unbounded; where all draws
/// agree it is that one number.
///
/// - Parameters:
///   - clusters: the independent units, in an order that does not depend on how they were found
///   - draws: bootstrap samples
///   - level: how often the interval should hold the truth
///   - widened: makes up for the bootstrap's narrowness with few clusters, see `widenedLevel`
///   - random: a stream of the caller's, split by the name of what is estimated
///   - statistic: of any number of clusters, some of which may be the same
public func clusterInterval<Cluster>(
  of clusters: [Cluster], draws: Int = 10_000, level: Double = 0.95, widened: Bool = false,
  method: IntervalMethod = .bca, _ random: Random, _ statistic: ([Cluster]) -> Double
) -> Estimate {
  precondition(draws > 0 && level > 0 && level < 1)
  let value = statistic(clusters)
  guard clusters.count > 1, value.isFinite else {
    return Estimate(value: value, low: -.infinity, high: .infinity)
  }
  var random = random
  var drawn = clusters
  var sample = (0..<draws).map { _ -> Double in
    for i in drawn.indices { drawn[i] = clusters[random.below(clusters.count)] }
    return statistic(drawn)
  }
  sample.sort()
  let below = sample.count { $0 < value }
  let same = sample.count { $0 == value }
  // Half of the ties count as below.
  let share = (Double(below) + Double(same) / 2) / Double(draws)
  let tail = (1 - (widened ? widenedLevel(level, clusters: clusters.count) : level)) / 2
  guard same < draws, share > 0, share < 1 else {
    return Estimate(value: value, low: sample[0], high: sample[draws - 1])
  }
  if method == .percentile {
    return Estimate(value: value, low: quantile(sample, tail), high: quantile(sample, 1 - tail))
  }
  let bias = normalQuantile(share)
  let acceleration = acceleration(of: clusters, statistic)
  func bound(_ z: Double) -> Double {
    let shifted = bias + (bias + z) / (1 - acceleration * (bias + z))
    return quantile(sample, normalProbability(shifted))
  }
  let z = normalQuantile(1 - tail)
  return Estimate(value: value, low: bound(-z), high: bound(z))
}

/// The level at which a bootstrap interval of so many clusters has the width of one at `level`.
///
/// The bootstrap divides by n where an unbiased variance divides by n - 1, and takes the normal
/// distribution's quantiles for Student's; both make it too narrow, by 8% with 24 clusters. Its
/// quantiles are therefore taken at Phi(-sqrt(n / (n - 1)) t) (Hesterberg, 2015, "expanded
/// percentile").
func widenedLevel(_ level: Double, clusters n: Int) -> Double {
  let count = Double(n)
  let t = studentQuantile(1 - (1 - level) / 2, freedom: count - 1)
  return 1 - 2 * normalProbability(-(count / (count - 1)).squareRoot() * t)
}

/// The acceleration of BCa, a sixth of the skewness of the jackknife.
private func acceleration<Cluster>(of clusters: [Cluster], _ statistic: ([Cluster]) -> Double)
  -> Double
{
  let left = clusters.indices.map { i -> Double in
    var rest = clusters
    rest.remove(at: i)
    return statistic(rest)
  }
  let centre = left.reduce(0, +) / Double(left.count)
  let cubes = left.reduce(0.0) { $0 + (centre - $1) * (centre - $1) * (centre - $1) }
  let squares = left.reduce(0.0) { $0 + (centre - $1) * (centre - $1) }
  return squares > 0 ? cubes / (6 * squares * squares.squareRoot()) : 0
}

/// The quantile of sorted numbers, interpolated between neighbours; the smallest is that of 0, the
/// largest that of 1.
func quantile(_ sorted: [Double], _ share: Double) -> Double {
  guard share.isFinite, let last = sorted.indices.last else { return .nan }
  let place = min(max(share, 0), 1) * Double(last)
  let index = min(Int(place), last)
  let rest = place - Double(index)
  guard rest > 0 else { return sorted[index] }
  return sorted[index] + rest * (sorted[index + 1] - sorted[index])
}

/// The ratio of two sums with a 95% BCa interval over clusters, widened for their number.
///
/// - Parameters:
///   - numerators: one for each pair, and `denominators` likewise
///   - groups: the cluster of each pair
///   - draws: bootstrap samples
public func ratioOfMeans(
  _ numerators: [Double], _ denominators: [Double], groups: [String], draws: Int = 10_000,
  _ random: Random
) -> Estimate {
  precondition(numerators.count == denominators.count && groups.count == numerators.count)
  let clusters = clustered(Array(zip(numerators, denominators)), by: groups).map { pairs in
    pairs.reduce((0.0, 0.0)) { ($0.0 + $1.0, $0.1 + $1.1) }
  }
  return clusterInterval(of: clusters, draws: draws, widened: true, random) { clusters in
    var (a, b) = (0.0, 0.0)
    for cluster in clusters {
      a += cluster.0
      b += cluster.1
    }
    return a / b
  }
}

/// The items of each group, in order of the groups' names, so that nothing depends on the order of
/// the groups among the items.
public func clustered<Item>(_ items: [Item], by groups: [String]) -> [[Item]] {
  precondition(items.count == groups.count)
  return Dictionary(grouping: items.indices) { groups[$0] }.sorted { $0.key < $1.key }
    .map { $0.value.map { items[$0] } }
}

/// The mean of each group, in order of the groups' names: what a test over groups takes.
public func clusterMeans(_ values: [Double], groups: [String]) -> [Double] {
  clustered(values, by: groups).map { $0.reduce(0, +) / Double($0.count) }
}
