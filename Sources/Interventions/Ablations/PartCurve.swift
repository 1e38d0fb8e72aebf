// What a method's first K components do, for every K, beside everything but them and beside random moves
// of the four families, with intervals over groups (`paper/definitions.md`, D144).

import Tensor

/// A method's curve in both directions.
public struct PartCurve: Codable, Sendable {
  public let method: String
  public let sizes: [Int]
  public let sufficiency: Arm
  public let necessity: Arm

  /// One direction.
  public struct Arm: Codable, Sendable {
    /// By K: the components, and everything but them.
    public let part: [Estimate]
    public let complement: [Estimate]
    /// By family and K: the mean over draws; nil where the family has not as many directions.
    public let random: [String: [Estimate?]]
    /// The normalised area under `part`, and what it has more than that of random moves as long.
    public let area: Estimate
    public let overNorm: Estimate
    /// The smallest K that reaches nine tenths of the whole site; nil where none does.
    public let k90: Int?
  }
}

extension PartMoves {
  /// The curve on held-out pairs.
  ///
  /// - Parameters:
  ///   - natural: of the fitting split
  ///   - families: draws of each random family
  ///   - draws: bootstrap samples
  public func curve(
    on test: HeldPairs, natural: Natural, families: Int, draws: Int, _ random: Random
  ) throws -> PartCurve {
    PartCurve(
      method: method, sizes: sizes,
      sufficiency: try arm(
        test.sufficiency, natural, families, draws, random.split("sufficiency")),
      necessity: try arm(test.necessity, natural, families, draws, random.split("necessity")))
  }

  private func arm(
    _ pairs: [Exchange], _ natural: Natural, _ families: Int, _ draws: Int, _ random: Random
  ) throws -> PartCurve.Arm {
    let whole: Effects = try pairs.effects(of: { $0.difference })
    let bySize = try sizes.indices.map { size in
      try effects(of: size, on: pairs, natural, families, random.split("moves"))
    }
    func estimate(_ changes: [Double], _ name: String, _ size: Int) -> Estimate {
      ratioOfMeans(
        changes, whole.gaps, groups: whole.groups, draws: draws,
        random.split("bootstrap").split(name).split(size))
    }
    func estimates(_ name: String, _ changes: (MovedPair) -> [Double]) -> [Estimate] {
      bySize.enumerated().map { estimate(changes($1), name, $0) }
    }
    /// By pair, as `SizeEffects` has it.
    func sizeEffects(_ changes: (MovedPair) -> [Double]) -> [SizeEffects] {
      let columns = bySize.map(changes)
      return pairs.indices.map { i in
        SizeEffects(
          group: pairs[i].group, effects: columns.map { $0[i] }, full: whole.changes[i],
          gap: whole.gaps[i])
      }
    }
    let part = sizeEffects(\.part)
    let norm = sizeEffects { $0.random[RandomFamily.norm.rawValue]! }
    let named = RandomFamily.allCases.map(\.rawValue)
    return PartCurve.Arm(
      part: estimates("part", \.part), complement: estimates("complement", \.complement),
      random: Dictionary(
        uniqueKeysWithValues: named.map { family in
          (
            family,
            bySize.enumerated().map { size, moved in
              moved.random[family].map { estimate($0, family, size) }
            }
          )
        }),
      area: part.area(over: nil, sizes: sizes, draws: draws, random.split("area")),
      overNorm: part.area(over: norm, sizes: sizes, draws: draws, random.split("over norm")),
      k90: SaturationCurve(counts: sizes, recoveries: part.recoveries)
        .smallestCount(of: whole.recovery))
  }

  /// What the moves of one size change, pair by pair, in nats; of random moves the mean over draws.
  private struct MovedPair {
    var part: [Double] = []
    var complement: [Double] = []
    var random: [String: [Double]] = [:]
  }

  private func effects(
    of size: Int, on pairs: [Exchange], _ natural: Natural, _ families: Int, _ random: Random
  ) throws -> MovedPair {
    let matched = RandomMoves(matching: spans[size], natural: natural)
    let drawn = RandomFamily.allCases.filter { matched.canDraw($0) }
    let directions = try drawn.map { family in
      try (0..<families).map {
        try matched.directions(
          family, random.split(family.rawValue).split(sizes[size]).split($0))
      }
    }
    let found: [Effects] = try pairs.effects(of: { pair in
      let (base, source) = (DoubleMatrix(pair.base), DoubleMatrix(pair.source))
      let real = move(pair, size)
      let moves = zip(drawn, directions).flatMap { family, bases in
        bases.map { matched.move(family, along: $0, from: base, to: source, matching: real) }
      }
      return [real, source - base - real] + moves
    })
    var moved = MovedPair(part: found[0].changes, complement: found[1].changes)
    for (f, family) in drawn.enumerated() {
      let own = found[(2 + f * families)..<(2 + (f + 1) * families)]
      moved.random[family.rawValue] = pairs.indices.map { i in
        own.reduce(0) { $0 + $1.changes[i] } / Double(families)
      }
    }
    return moved
  }
}
