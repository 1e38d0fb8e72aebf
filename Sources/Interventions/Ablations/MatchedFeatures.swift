// Random features that are as active as those that are swapped: what a swap of the top features is worth
// beyond a swap of features that fire as much (`paper/definitions.md`, D147).

import Tensor

/// The mean of each feature over both runs of some pairs.
public func activities(of autoencoder: SparseAutoencoder, on pairs: [Exchange]) -> [Double] {
  var (sums, rows) = ([Double](repeating: 0, count: autoencoder.features), 0)
  for pair in pairs {
    let f = autoencoder.encoded(joiningRows([pair.base, pair.source]))
    f.withNumbers { for i in $0.indices { sums[i % sums.count] += Double($0[i]) } }
    rows += f.rows
  }
  return sums.map { $0 / Double(max(rows, 1)) }
}

/// For each of some features another one, drawn from those that are nearest to it in activity; none is
/// drawn twice, and none is one of `chosen`.
///
/// - Parameters:
///   - chosen: the features to be matched, in their order
///   - activities: of all features
///   - among: how many of the nearest may be drawn
/// - Returns: as many as `chosen`, or as many as there are others
public func matchedFeatures(
  to chosen: [Int], activities: [Double], among count: Int = 10, _ random: Random
) -> [Int] {
  precondition(count > 0)
  var random = random
  let taken = Set(chosen)
  var free = activities.indices.filter { !taken.contains($0) }
  return chosen.compactMap { feature in
    guard !free.isEmpty else { return nil }
    let order = free.indices.sorted { a, b in
      let (x, y) = (
        abs(activities[free[a]] - activities[feature]),
        abs(activities[free[b]] - activities[feature])
      )
      return (x, free[a]) < (y, free[b])
    }
    return free.remove(at: order[random.below(min(count, order.count))])
  }
}

/// What swapping the top features recovers, beside features of matched activity.
public struct FeatureSwap: Codable, Sendable {
  public let sizes: [Int]
  /// By size.
  public let top: [Estimate]
  /// The mean over draws of as many features of matched activity, as they are, and with the move made
  /// as long as the real one.
  public let matched: [Estimate]
  public let matchedAsLong: [Estimate]
}

extension SubspaceStudy {
  /// Swaps the top features on held-out pairs.
  ///
  /// - Parameters:
  ///   - test: held-out pairs in one direction
  ///   - sizes: how many features, rising
  ///   - families: draws of matched features
  ///   - draws: bootstrap samples
  public func swap(
    _ autoencoder: SparseAutoencoder, on test: [Exchange], sizes: [Int], families: Int, draws: Int,
    _ random: Random
  ) throws -> FeatureSwap {
    let order = try order(ofFeaturesOf: autoencoder)
    try checkCounts(sizes, dimension: order.count, of: "features")
    let activity = activities(of: autoencoder, on: fit)
    let others = (0..<families).map { draw in
      matchedFeatures(
        to: Array(order[..<sizes[sizes.count - 1]]), activities: activity,
        random.split("features").split(draw))
    }
    var (top, matched, asLong) = ([Estimate](), [Estimate](), [Estimate]())
    for size in sizes {
      let found: [Effects] = try test.effects(of: { pair in
        func move(_ features: [Int]) -> DoubleMatrix {
          autoencoder.move(from: pair.base, to: pair.source, swapping: features)
        }
        let real = move(Array(order[..<size]))
        let drawn = others.map { move(Array($0.prefix(size))) }
        return [real] + drawn
          + drawn.map { $0.rescaled($0.squaredNorm, to: real.squaredNorm) }
      })
      func mean(_ effects: ArraySlice<Effects>) -> [Double] {
        test.indices.map { i in
          effects.reduce(0) { $0 + $1.changes[i] } / Double(effects.count)
        }
      }
      func estimate(_ changes: [Double], _ name: String) -> Estimate {
        ratioOfMeans(
          changes, found[0].gaps, groups: found[0].groups, draws: draws,
          random.split(name).split(size))
      }
      top.append(estimate(found[0].changes, "top"))
      matched.append(estimate(mean(found[1..<(1 + families)]), "matched"))
      asLong.append(estimate(mean(found[(1 + families)...]), "as long"))
    }
    return FeatureSwap(sizes: sizes, top: top, matched: matched, matchedAsLong: asLong)
  }
}
