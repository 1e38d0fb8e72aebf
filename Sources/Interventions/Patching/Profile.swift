// Profiles of a map along depth, and how often an answer flips, with cluster intervals.

import Tensor

extension Array where Element == PairMap {
  /// The recovery at each site as a ratio of means over pairs, with its BCa interval over groups.
  ///
  /// - Parameters:
  ///   - groups: the resampling unit of each pair
  ///   - full: what a full recovery is in nats, where not the pair's own gap
  ///   - value: the patched logit difference of a pair at a site, or nil where it has none
  /// - Returns: an estimate for each site, nil where no pair has a value
  public func profile(
    _ direction: Direction, sites: Range<Int>, groups: [String], over full: Double? = nil,
    draws: Int, _ random: Random, _ value: (PairMap, Int) -> Double?
  ) -> [Estimate?] {
    sites.map { site in
      let (effects, gaps, present) = effects(direction) { value($0, site) }
      if present.isEmpty { return nil }
      return ratioOfMeans(
        effects, gaps.map { full ?? $0 }, groups: present.map { groups[$0] }, draws: draws,
        random.split(site))
    }
  }

  /// The share of pairs whose patched answer is the clean word rather than the corrupt one.
  public func flipRate(
    _ groups: [String], draws: Int = 10_000, _ random: Random, _ value: (PairMap) -> Double?
  ) -> Estimate {
    let flipped = map { value($0).map { $0 > 0 ? 1.0 : 0.0 } }
    let present = indices.filter { flipped[$0] != nil }
    return ratioOfMeans(
      present.map { flipped[$0]! }, present.map { _ in 1 }, groups: present.map { groups[$0] },
      draws: draws, random.split("flips"))
  }
}
