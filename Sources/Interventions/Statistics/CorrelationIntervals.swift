// How sure a correlation of two maps is, given that the maps are means over pairs.

import Tensor

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
///   - x: one list for each pair, of one number for each cell
///   - y: the other map, alike
///   - groups: the resampling unit of each pair
public func correlations(
  _ x: [[Double]], _ y: [[Double]], groups: [String], draws: Int = 2_000, _ random: Random
) -> Correlations {
  precondition(x.count == y.count && x.count == groups.count)
  precondition(Set((x + y).map(\.count)).count <= 1, "maps of different size")
  // Only sums enter, so the pairs of a group can be added up once.
  let clusters = clustered(Array(zip(x, y)), by: groups).map { pairs in
    (x: sum(of: pairs.map(\.0)), y: sum(of: pairs.map(\.1)))
  }
  func interval(_ name: String, _ correlation: ([Double], [Double]) -> Double) -> Estimate {
    clusterInterval(of: clusters, draws: draws, method: .percentile, random.split(name)) {
      correlation(sum(of: $0.map(\.x)), sum(of: $0.map(\.y)))
    }
  }
  return Correlations(
    pearson: interval("pearson", pearson), spearman: interval("spearman", spearman),
    kendall: interval("kendall", kendall))
}

/// The sum of lists of one length, number by number.
private func sum(of lists: [[Double]]) -> [Double] {
  var total = [Double](repeating: 0, count: lists.first?.count ?? 0)
  for list in lists { for i in total.indices { total[i] += list[i] } }
  return total
}
