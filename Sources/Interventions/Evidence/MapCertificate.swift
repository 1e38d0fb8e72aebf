// The certificate of a whole map, from the maps of its pairs.

import Tensor

extension Array where Element == PairMap {
  /// Compares a search's estimates with exact effects, both as shares of the mean gap, over the cells
  /// that every pair has; the intervals are over groups of pairs.
  ///
  /// - Parameters:
  ///   - direction: whose gap the effects close
  ///   - estimates: a pair's estimated changes in nats, by [site][window]
  ///   - effects: its patched logit differences, by [site][window]
  ///   - groups: the resampling unit of each pair
  ///   - searchCost: forward passes that the search took for a pair
  ///   - threshold: the recovery from which an effect counts
  /// - Throws: where fewer than two cells are common to all pairs, or an effect is not finite.
  public func certificate(
    _ direction: Direction, estimates: (PairMap) -> [[Double?]],
    effects: (PairMap) -> [[Double?]], groups: [String], searchCost: Double, threshold: Double,
    _ random: Random
  ) throws -> Certificate {
    let pairs = map { pair in
      let sign: Double = direction == .sufficiency ? 1 : -1
      return (
        estimates: estimates(pair).flatMap { $0.map { $0.map { sign * $0 } } },
        effects: effects(pair).flatMap { $0.map { $0.map { pair.effect(direction, $0) } } }
      )
    }
    let gap = reduce(0) { $0 + $1.gap } / Double(count)
    let common = (pairs.first?.effects.indices ?? 0..<0).filter { cell in
      pairs.allSatisfy { $0.estimates[cell] != nil && $0.effects[cell] != nil }
    }
    let x = pairs.map { pair in common.map { pair.estimates[$0]! / gap } }
    let y = pairs.map { pair in common.map { pair.effects[$0]! / gap } }
    func mean(_ values: [[Double]]) -> [Double] {
      common.indices.map { cell in values.reduce(0) { $0 + $1[cell] } / Double(count) }
    }
    return try Certificate(
      of: mean(x), against: mean(y), searchCost: searchCost, threshold: threshold,
      intervals: correlations(x, y, groups: groups, random))
  }
}
