// The certificate of a whole map, from the maps of its pairs.

import Tensor

extension Array where Element == PairMap {
  /// Compares a search's estimates with exact effects, both as ratios of means over the pairs that have
  /// the cell; the intervals are over groups of pairs.
  ///
  /// - Parameters:
  ///   - direction: whose gap the effects close
  ///   - estimates: a pair's estimated changes in nats, by [site][window]
  ///   - effects: its patched logit differences, by [site][window]
  ///   - groups: the resampling unit of each pair
  ///   - searchCost: forward passes that the search took for a pair
  ///   - threshold: the recovery from which an effect counts
  /// - Throws: where fewer than two cells have both, or an effect is not finite.
  public func certificate(
    _ direction: Direction, estimates: (PairMap) -> [[Double?]],
    effects: (PairMap) -> [[Double?]], groups: [String], searchCost: Double, threshold: Double,
    draws: Int = 2_000, _ random: Random
  ) throws -> Certificate {
    let sign: Double = direction == .sufficiency ? 1 : -1
    // For each pair and cell: estimate, effect, and the gap that both are shares of.
    let pairs = map { pair -> [[Double]] in
      let cells = zip(estimates(pair).joined(), effects(pair).joined()).map { estimate, patched in
        guard let estimate, let patched else { return [0.0, 0.0, 0.0] }
        return [sign * estimate, pair.effect(direction, patched), pair.gap]
      }
      return (0..<3).map { part in cells.map { $0[part] } }
    }
    let clusters = clustered(pairs, by: groups).map { members in
      (0..<3).map { part in sum(of: members.map { $0[part] }) }
    }
    let whole = (0..<3).map { part in sum(of: clusters.map { $0[part] }) }
    let shares = whole[2].indices.map { cell -> (Double?, Double?) in
      whole[2][cell] == 0
        ? (nil, nil) : (whole[0][cell] / whole[2][cell], whole[1][cell] / whole[2][cell])
    }
    return try Certificate(
      of: shares.map(\.0), against: shares.map(\.1), searchCost: searchCost, threshold: threshold,
      intervals: correlations(of: clusters, draws: draws, random) { sums in
        // A cell that no pair of a draw has is not in it.
        let present = sums[2].indices.filter { sums[2][$0] != 0 }
        return (
          present.map { sums[0][$0] / sums[2][$0] }, present.map { sums[1][$0] / sums[2][$0] }
        )
      })
  }
}
