// The certificate of a whole map, from the maps of its pairs.

import Tensor

extension Array where Element == PairMap {
  /// Compares a search's estimates with exact effects, both as means over the pairs that have
  /// both, in shares of the mean gap; the intervals are over groups of pairs. Which cells count
  /// is said by `ComparedCells`.
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
    let gap = reduce(0) { $0 + $1.gap } / Double(count)
    let sign: Double = direction == .sufficiency ? 1 : -1
    let cells = ComparedCells(
      estimates: map { pair in estimates(pair).joined().map { $0.map { sign * $0 / gap } } },
      effects: map { pair in
        effects(pair).joined().map { $0.map { pair.effect(direction, $0) / gap } }
      })
    return try cells.certificate(
      groups: groups, searchCost: searchCost, threshold: threshold, draws: draws, random)
  }
}
