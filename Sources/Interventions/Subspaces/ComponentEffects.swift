// What the first K components do to each pair, for every K, and how much more one order of components is
// worth than another: the area between two saturation curves, with its interval (`paper/definitions.md`,
// D113).

import Tensor

extension Array where Element == Exchange {
  /// What patches of growing size do to each pair.
  ///
  /// - Parameters:
  ///   - count: how many sizes there are
  ///   - move: what is moved at each of them
  public func sizeEffects(
    _ count: Int, _ move: @Sendable (Exchange, _ size: Int) throws -> DoubleMatrix
  ) throws -> [SizeEffects] {
    let all: [Effects] = try effects(of: { pair in
      try (0..<count).map { try move(pair, $0) } + [pair.difference]
    })
    return indices.map { i in
      SizeEffects(
        group: self[i].group, effects: (0..<count).map { all[$0].changes[i] },
        full: all[count].changes[i], gap: self[i].gap)
    }
  }
}

extension Array where Element == SizeEffects {
  /// The recovery at each size, a ratio of means over pairs.
  public var recoveries: [Double] {
    let gap = reduce(0) { $0 + $1.gap }
    return (first?.effects.indices ?? 0..<0).map { i in reduce(0) { $0 + $1.effects[i] } / gap }
  }

  /// The recovery at each size, and of the whole site, with its interval over groups.
  public func estimates(draws: Int, _ random: Random) -> (sizes: [Estimate], full: Estimate) {
    func ratio(_ name: String, _ value: (SizeEffects) -> Double) -> Estimate {
      ratioOfMeans(
        map(value), map(\.gap), groups: map(\.group), draws: draws, random.split(name))
    }
    let count = first?.effects.count ?? 0
    return (
      (0..<count).map { i in ratio("size \(i)") { $0.effects[i] } }, ratio("full", \.full)
    )
  }

  /// The mean of several draws, pair by pair.
  public static func mean(of draws: [[SizeEffects]]) -> [SizeEffects] {
    guard let first = draws.first else { return [] }
    let scale = 1 / Double(draws.count)
    return first.indices.map { pair in
      SizeEffects(
        group: first[pair].group,
        effects: first[pair].effects.indices.map { size in
          draws.reduce(0) { $0 + $1[pair].effects[size] } * scale
        },
        full: first[pair].full, gap: first[pair].gap)
    }
  }

  /// The normalised area under this saturation curve less that under another one of the same pairs, a
  /// ratio of means with its interval over groups.
  ///
  /// - Parameter sizes: the K, rising
  public func area(
    over other: [SizeEffects]?, sizes: [Int], draws: Int, _ random: Random
  ) -> Estimate {
    let weights = trapezes(sizes)
    let areas = indices.map { i -> Double in
      sizes.indices.reduce(0) {
        $0 + weights[$1] * (self[i].effects[$1] - (other?[i].effects[$1] ?? 0))
      }
    }
    return ratioOfMeans(areas, map(\.full), groups: map(\.group), draws: draws, random)
  }
}

/// The weight of each size in the area from 0 to the largest, by trapezes from (0, 0), over the largest.
private func trapezes(_ sizes: [Int]) -> [Double] {
  let k = [0] + sizes.map(Double.init)
  return sizes.indices.map { i in
    let behind = i + 2 < k.count ? k[i + 2] : k[i + 1]
    return (behind - k[i]) / 2 / k[k.count - 1]
  }
}
