// Correlations of two lists: linear, by rank, and by concordant pairs; the line between them; and how
// sure a correlation of two maps is, given that the maps are means over pairs.

import Tensor

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

/// Kendall's tau-b (Kendall, 1945): concordant minus discordant pairs over the geometric mean of the
/// pairs that are no tie in x and of those that are none in y; NaN where one side does not vary.
///
/// Discordant pairs are the exchanges of a merge sort (Knight, 1966), n log n steps.
public func kendall(_ x: [Double], _ y: [Double]) -> Double {
  precondition(x.count == y.count)
  guard !x.contains(where: \.isNaN), !y.contains(where: \.isNaN) else { return .nan }
  let order = x.indices.sorted { (x[$0], y[$0]) < (x[$1], y[$1]) }
  var sorted = order.map { y[$0] }
  let tiedX = tiedPairs(order.count) { x[order[$0]] == x[order[$1]] }
  let tiedBoth = tiedPairs(order.count) {
    x[order[$0]] == x[order[$1]] && y[order[$0]] == y[order[$1]]
  }
  var buffer = sorted
  let discordant = exchanges(&sorted, &buffer, 0..<sorted.count)
  let tiedY = tiedPairs(sorted.count) { sorted[$0] == sorted[$1] }
  let all = x.count * (x.count - 1) / 2
  // Pairs that are tied nowhere are concordant or discordant.
  let difference = all - tiedX - tiedY + tiedBoth - 2 * discordant
  return Double(difference) / (Double(all - tiedX) * Double(all - tiedY)).squareRoot()
}

/// How many pairs lie within runs of equal neighbours.
private func tiedPairs(_ count: Int, _ equal: (Int, Int) -> Bool) -> Int {
  var (pairs, run) = (0, 0)
  for i in 0..<count {
    run = i > 0 && equal(i - 1, i) ? run + 1 : 0
    pairs += run
  }
  return pairs
}

/// Sorts a range and says how many pairs of it stood the wrong way round.
private func exchanges(_ x: inout [Double], _ buffer: inout [Double], _ range: Range<Int>) -> Int {
  guard range.count > 1 else { return 0 }
  let middle = (range.lowerBound + range.upperBound) / 2
  var count = exchanges(&x, &buffer, range.lowerBound..<middle)
  count += exchanges(&x, &buffer, middle..<range.upperBound)
  var (left, right) = (range.lowerBound, middle)
  for place in range {
    if right == range.upperBound || (left < middle && x[left] <= x[right]) {
      buffer[place] = x[left]
      left += 1
    } else {
      buffer[place] = x[right]
      right += 1
      count += middle - left
    }
  }
  for place in range { x[place] = buffer[place] }
  return count
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

/// The three correlations of a map with another.
public struct Correlations: Sendable, Codable, Equatable {
  public let pearson: Estimate
  public let spearman: Estimate
  public let kendall: Estimate
}

/// The correlations over cells of two maps that are means over pairs, with percentile intervals.
///
/// Groups of pairs are drawn again, not cells: neighbouring cells of a map are one measurement seen
/// twice, so that drawing cells would understate the uncertainty.
///
/// - Parameters:
///   - x: one list for each pair, of one number for each cell, nil where the pair has no such cell
///   - y: the other map, alike
///   - groups: the resampling unit of each pair
public func correlations(
  _ x: [[Double?]], _ y: [[Double?]], groups: [String], draws: Int = 2_000, _ random: Random
) -> Correlations {
  precondition(x.count == y.count && x.count == groups.count)
  precondition(Set((x + y).map(\.count)).count <= 1, "maps of different size")
  // Only sums enter, so the pairs of a group can be added up once.
  let clusters = clustered(Array(zip(x, y)), by: groups).map { pairs in
    sum(of: pairs.map { TwoMaps($0, $1) })
  }
  func interval(_ name: String, _ correlation: ([Double], [Double]) -> Double) -> Estimate {
    clusterInterval(of: clusters, draws: draws, method: .percentile, random.split(name)) {
      let total = sum(of: $0)
      let present = total.count.indices.filter { total.count[$0] > 0 }
      return correlation(
        present.map { total.x[$0] / total.count[$0] }, present.map { total.y[$0] / total.count[$0] }
      )
    }
  }
  return Correlations(
    pearson: interval("pearson", pearson), spearman: interval("spearman", spearman),
    kendall: interval("kendall", kendall))
}

/// Sums over pairs of two maps, cell by cell, and over how many pairs.
private struct TwoMaps {
  var x: [Double]
  var y: [Double]
  var count: [Double]

  /// One pair's maps; a cell counts where both have it.
  init(_ x: [Double?], _ y: [Double?]) {
    let both = zip(x, y).map { $0 != nil && $1 != nil }
    self.x = zip(x, both).map { $1 ? $0! : 0 }
    self.y = zip(y, both).map { $1 ? $0! : 0 }
    count = both.map { $0 ? 1 : 0 }
  }
}

/// The sum of maps of one size, cell by cell.
private func sum(of maps: [TwoMaps]) -> TwoMaps {
  var total = TwoMaps([], [])
  if let first = maps.first { total = first }
  for map in maps.dropFirst() {
    for i in total.count.indices {
      total.x[i] += map.x[i]
      total.y[i] += map.y[i]
      total.count[i] += map.count[i]
    }
  }
  return total
}
