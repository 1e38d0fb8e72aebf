// Whether one number of a checkpoint tells the order of another: few checkpoints, so that what shuffled ones
// would give stands beside it (`paper/definitions.md`, D161).

import Tensor

/// A rank correlation over checkpoints.
public struct RankPrediction: Codable, Sendable {
  /// Its interval draws checkpoints.
  public let spearman: Estimate
  /// What 95 of 100 shuffles stay below, whatever their sign.
  public let shuffled: Double
  public let checkpoints: Int

  /// - Parameters:
  ///   - x: of each checkpoint; nil where it has none, which leaves the checkpoint out
  ///   - draws: bootstrap samples, and shuffles
  public init(_ x: [Double?], _ y: [Double], draws: Int, _ random: Random) {
    let both = zip(x, y).compactMap { x, y in x.map { (x: $0, y: y) } }
    checkpoints = both.count
    spearman =
      clusterIntervals(of: both, draws: draws, random.split("checkpoints")) { drawn in
        [Interventions.spearman(drawn.map(\.x), drawn.map(\.y))]
      }[0]
    var shuffling = random.split("shuffles")
    let sizes = (0..<draws).map { _ -> Double in
      let order = shuffling.permutation(both.count)
      return abs(Interventions.spearman(both.map(\.x), order.map { both[$0].y }))
    }
    shuffled = quantile(sizes.filter(\.isFinite).sorted(), 0.95)
  }
}
