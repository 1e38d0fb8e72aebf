// Where along depth one place hands an answer over to another: the depth from which on the sound's
// positions carry less than a share of the gap, and that from which on the last position carries more.

import Tensor

/// The depth from which on values stay on the other side of a threshold, interpolated linearly between
/// two depths that were measured.
///
/// - Parameters:
///   - values: one for each depth
///   - depths: in rising order, as many
///   - rises: whether values end at or above the threshold rather than below it
/// - Returns: the first depth where all values are there; nil where the last one is not
public func crossing(
  _ values: [Double], at depths: [Double], _ threshold: Double, rises: Bool
) -> Double? {
  precondition(values.count == depths.count && !values.isEmpty, "a value for each depth")
  func hasCrossed(_ value: Double) -> Bool { rises ? value >= threshold : value < threshold }
  guard let before = values.lastIndex(where: { !hasCrossed($0) }) else { return depths[0] }
  let behind = before + 1
  guard behind < values.count else { return nil }
  let share = (threshold - values[before]) / (values[behind] - values[before])
  return depths[before] + share * (depths[behind] - depths[before])
}

extension Array where Element == PairMap {
  /// The depth at which the ratio of means crosses a threshold, with its interval over groups; nil where
  /// it never does.
  ///
  /// - Parameters:
  ///   - sites: places in the map, one for each of `depths`
  ///   - value: the patched logit difference of a pair at a site; nil where the site has no such
  ///     position, which moves nothing
  public func crossing(
    _ direction: Direction, sites: Range<Int>, depths: [Double], threshold: Double, rises: Bool,
    groups: [String], draws: Int, _ random: Random, _ value: (PairMap, Int) -> Double?
  ) -> Estimate? {
    let rows = map { pair in
      [pair.gap] + sites.map { site in value(pair, site).map { pair.effect(direction, $0) } ?? 0 }
    }
    func sum(_ rows: [[Double]]) -> [Double] {
      rows.dropFirst().reduce(rows[0]) { a, b in zip(a, b).map { $0 + $1 } }
    }
    func depth(_ clusters: [[Double]]) -> Double? {
      let total = sum(clusters)
      return Interventions.crossing(
        total.dropFirst().map { $0 / total[0] }, at: depths, threshold, rises: rises)
    }
    guard !rows.isEmpty, depth(rows) != nil else { return nil }
    let clusters = clustered(rows, by: groups).map { sum($0) }
    // A draw that never crosses counts as crossing behind the end.
    return clusterInterval(of: clusters, draws: draws, widened: true, random) {
      depth($0) ?? depths.last!
    }
  }

  /// In what share of sites the estimate's strongest window is that of the exact effects.
  ///
  /// - Parameter windows: places of windows that share no position
  public func sameStrongest(
    sites: Range<Int>, windows: [Int], groups: [String], draws: Int, _ random: Random
  ) -> Estimate {
    let counts = map { pair -> (same: Double, all: Double) in
      var (same, all) = (0.0, 0.0)
      for site in sites {
        let present = windows.filter {
          pair.sufficiency[site][$0] != nil && pair.searchSufficiency[site][$0] != nil
        }
        guard
          let exact = present.max(by: {
            pair.sufficiency[site][$0]! < pair.sufficiency[site][$1]!
          }),
          let found = present.max(by: {
            pair.searchSufficiency[site][$0]! < pair.searchSufficiency[site][$1]!
          })
        else { continue }
        all += 1
        if exact == found { same += 1 }
      }
      return (same, all)
    }
    return ratioOfMeans(
      counts.map(\.same), counts.map(\.all), groups: groups, draws: draws, random)
  }

  /// The difference of what two readers of the same pairs recover, each as a ratio of means, with its
  /// interval over groups.
  ///
  /// - Parameters:
  ///   - others: the same pairs in the other reader
  ///   - value: the patched logit difference of a pair in this reader, and in the other
  public func difference(
    _ direction: Direction, to others: [PairMap], groups: [String], draws: Int, _ random: Random,
    _ value: (PairMap) -> Double?, _ other: (PairMap) -> Double?
  ) -> Estimate {
    precondition(others.count == count && groups.count == count, "the same pairs in both readers")
    let rows = indices.compactMap { i -> (row: [Double], group: String)? in
      guard let own = value(self[i]), let theirs = other(others[i]) else { return nil }
      return (
        [
          self[i].effect(direction, own), self[i].gap, others[i].effect(direction, theirs),
          others[i].gap,
        ], groups[i]
      )
    }
    let clusters = clustered(rows.map(\.row), by: rows.map(\.group)).map { rows in
      rows.dropFirst().reduce(rows[0]) { a, b in zip(a, b).map { $0 + $1 } }
    }
    return clusterInterval(of: clusters, draws: draws, widened: true, random) { clusters in
      var total = [0.0, 0.0, 0.0, 0.0]
      for cluster in clusters { total = zip(total, cluster).map { $0 + $1 } }
      return total[0] / total[1] - total[2] / total[3]
    }
  }
}
