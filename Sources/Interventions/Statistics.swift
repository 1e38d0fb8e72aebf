// Statistics of recoveries: ratios of means with cluster bootstrap intervals, and rank correlation.

import Tensor

/// A number with its 95% interval.
public struct Estimate: Sendable, Codable {
  public let value: Double
  public let low: Double
  public let high: Double
}

/// The ratio of two sums with a 95% BCa interval (Efron, 1987) over clusters: whole groups are
/// drawn with replacement, and the acceleration comes from leaving out one group at a time.
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
  var sums: [String: (a: Double, b: Double)] = [:]
  for (i, group) in groups.enumerated() {
    let old = sums[group] ?? (0, 0)
    sums[group] = (old.a + numerators[i], old.b + denominators[i])
  }
  // Clusters in order of name, so that nothing depends on the order of pairs.
  let clusters = sums.sorted { $0.key < $1.key }.map(\.value)
  let (totalA, totalB) = clusters.reduce((0.0, 0.0)) { ($0.0 + $1.a, $0.1 + $1.b) }
  let value = totalA / totalB
  guard clusters.count > 1, value.isFinite else {
    return Estimate(value: value, low: -.infinity, high: .infinity)
  }
  var random = random
  var sample = (0..<draws).map { _ -> Double in
    var (a, b) = (0.0, 0.0)
    for _ in clusters {
      let cluster = clusters[random.below(clusters.count)]
      a += cluster.a
      b += cluster.b
    }
    return a / b
  }
  sample.sort()
  let below = sample.count { $0 < value }
  let same = sample.count { $0 == value }
  // Half of the ties count as below; where all draws agree the interval is that one number.
  let share = (Double(below) + Double(same) / 2) / Double(draws)
  guard same < draws, share > 0, share < 1 else {
    return Estimate(value: value, low: sample[0], high: sample[draws - 1])
  }
  let bias = normalQuantile(share)
  let left = clusters.map { (totalA - $0.a) / (totalB - $0.b) }
  let centre = left.reduce(0, +) / Double(left.count)
  let cubes = left.reduce(0.0) { $0 + (centre - $1) * (centre - $1) * (centre - $1) }
  let squares = left.reduce(0.0) { $0 + (centre - $1) * (centre - $1) }
  let acceleration = squares > 0 ? cubes / (6 * squares * squares.squareRoot()) : 0
  func bound(_ z: Double) -> Double {
    let shifted = bias + (bias + z) / (1 - acceleration * (bias + z))
    let place = normalProbability(shifted) * Double(draws)
    return sample[min(max(Int(place), 0), draws - 1)]
  }
  return Estimate(
    value: value, low: bound(-1.959_963_984_540_054), high: bound(1.959_963_984_540_054))
}

/// The standard normal distribution function.
public func normalProbability(_ z: Double) -> Double {
  0.5 * (1 + Elementary.erf(z / 1.414_213_562_373_095_1))
}

/// Its inverse, by bisection, to the last digits.
public func normalQuantile(_ p: Double) -> Double {
  var (low, high) = (-9.0, 9.0)
  for _ in 0..<80 {
    let middle = (low + high) / 2
    if normalProbability(middle) < p { low = middle } else { high = middle }
  }
  return (low + high) / 2
}

/// Pearson's correlation; NaN where one side does not vary.
public func pearson(_ x: [Double], _ y: [Double]) -> Double {
  precondition(x.count == y.count)
  let n = Double(x.count)
  let (mx, my) = (x.reduce(0, +) / n, y.reduce(0, +) / n)
  var (xx, yy, xy) = (0.0, 0.0, 0.0)
  for (a, b) in zip(x, y) {
    xx += (a - mx) * (a - mx)
    yy += (b - my) * (b - my)
    xy += (a - mx) * (b - my)
  }
  return xy / (xx * yy).squareRoot()
}

/// Spearman's rank correlation, with mean ranks for ties.
public func spearman(_ x: [Double], _ y: [Double]) -> Double { pearson(ranks(x), ranks(y)) }

/// Ranks from 1, with the mean rank for ties; NaN where any value is, as it has no place.
public func ranks(_ x: [Double]) -> [Double] {
  guard !x.contains(where: \.isNaN) else { return x.map { _ in .nan } }
  let order = x.indices.sorted { x[$0] < x[$1] }
  var ranks = [Double](repeating: 0, count: x.count)
  var start = 0
  while start < order.count {
    var end = start + 1
    while end < order.count, x[order[end]] == x[order[start]] { end += 1 }
    for i in start..<end { ranks[order[i]] = Double(start + end + 1) / 2 }
    start = end
  }
  return ranks
}

/// The slope of the least-squares line through all points, y against x.
public func slope(_ x: [Double], _ y: [Double]) -> Double {
  let n = Double(x.count)
  let (mx, my) = (x.reduce(0, +) / n, y.reduce(0, +) / n)
  var (xx, xy) = (0.0, 0.0)
  for (a, b) in zip(x, y) {
    xx += (a - mx) * (a - mx)
    xy += (a - mx) * (b - my)
  }
  return xy / xx
}
