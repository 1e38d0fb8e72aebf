// What the kind of component makes of the effect: the largest one, how many it takes for half, and what is
// not the sum of its parts (`paper/definitions.md`, D154).

import Tensor

/// Measurements of every kind: alone on all pairs, in growing sets on those on which nothing was ranked.
public struct GrainStudy: Sendable {
  public let grains: [GrainRows]
  public let orders: [GrainOrder]
  /// Of the pairs on which components were ranked, then of the others, with their groups.
  public let ranked: [GrainSingles]
  public let quoted: [GrainSingles]
  public let curves: [GrainCurves]
  public let groups: [String]

  public init(
    _ grains: [GrainRows], _ orders: [GrainOrder], ranked: [GrainSingles],
    quoted: [GrainSingles], _ curves: [GrainCurves], groups: [String]
  ) {
    precondition(quoted.count == curves.count && groups.count == curves.count)
    (self.grains, self.orders, self.ranked) = (grains, orders, ranked)
    (self.quoted, self.curves, self.groups) = (quoted, curves, groups)
  }

  /// All numbers, on the pairs that were not ranked on.
  public func rows(draws: Int, _ random: Random) -> [AblationRow] {
    grains.indices.flatMap { kind in
      let name = grains[kind].grain.rawValue
      let draw = random.split(name)
      return curveRows(kind, name, draws, draw) + largest(kind, name, draws, draw)
        + half(kind, name, draws, draw) + joint(kind, name, draws, draw)
    }
  }

  private func share(_ values: [Double], of gaps: [Double], _ draws: Int, _ random: Random)
    -> Estimate
  {
    ratioOfMeans(values, gaps, groups: groups, draws: draws, random)
  }

  private func curveRows(_ kind: Int, _ name: String, _ draws: Int, _ random: Random)
    -> [AblationRow]
  {
    let arms: [(String, (GrainCurves) -> [[Double]])] = [
      ("strongest first", { $0.ranked }), ("at random", { $0.random }),
      ("strongest first, unrelated item", { $0.unrelated }),
    ]
    return arms.flatMap { arm, table in
      orders[kind].counts.enumerated().map { i, count in
        AblationRow(
          "first components, \(name)", "\(count)", arm,
          share(
            curves.map { table($0)[kind][i] }, of: curves.map(\.gap), draws,
            random.split(arm).split(count)))
      }
    }
  }

  /// The component that moves most on the ranked pairs; beside it the mean of one at random.
  private func largest(_ kind: Int, _ name: String, _ draws: Int, _ random: Random) -> [AblationRow]
  {
    let gaps = quoted.map(\.gap)
    let first = orders[kind].ranked[0]
    let mean = quoted.map { $0.single[kind].reduce(0, +) / Double($0.single[kind].count) }
    return [
      AblationRow(
        "largest", name, "strongest first",
        share(quoted.map { $0.single[kind][first] }, of: gaps, draws, random.split("largest"))),
      AblationRow("largest", name, "at random", share(mean, of: gaps, draws, random.split("mean"))),
      AblationRow(
        "largest", name, "strongest first, unrelated item",
        share(curves.map { $0.unrelated[kind][0] }, of: gaps, draws, random.split("unrelated"))),
    ]
  }

  /// The share of a kind's components whose first ones reach half of what all of them do together, in the
  /// order of the ranking and at random.
  private func half(_ kind: Int, _ name: String, _ draws: Int, _ random: Random) -> [AblationRow] {
    let counts = orders[kind].counts
    let arms: [(String, (GrainCurves) -> [[Double]])] = [
      ("strongest first", { $0.ranked }), ("at random", { $0.random }),
    ]
    return arms.map { arm, table in
      let clusters = clustered(curves.map { table($0)[kind] }, by: groups).map(sum)
      let found = clusterIntervals(of: clusters, draws: draws, random.split("half").split(arm)) {
        let total = sum($0)
        let curve = SaturationCurve(counts: counts, recoveries: total)
        let count = curve.smallestCount(reaching: 0.5, of: total.last!)
        return [count.map { Double($0) / Double(counts.last!) } ?? .nan]
      }
      return AblationRow("half", name, arm, found[0])
    }
  }

  /// Of every layer that has several components, what they do together over the sum of what each does alone;
  /// then the same of all of the kind.
  private func joint(_ kind: Int, _ name: String, _ draws: Int, _ random: Random) -> [AblationRow] {
    // One site of the residual stream has what another has; their sum means nothing.
    if grains[kind].grain == .residual { return [] }
    let layers = grains[kind].layers
    func ratio(_ place: String, _ above: [Double], _ below: [Double], _ series: String)
      -> AblationRow
    {
      AblationRow(
        "joint over sum", place, series,
        ratioOfMeans(
          above, below, groups: groups, draws: draws,
          random.split("joint").split(place).split(series)))
    }
    var rows: [AblationRow] = []
    for (i, layer) in layers.enumerated() {
      rows.append(
        ratio(
          "\(layer.name), \(name)", quoted.map { $0.layer[kind][i] },
          quoted.map { pair in layer.members.reduce(0) { $0 + pair.single[kind][$1] } },
          "strongest first"))
    }
    rows.append(
      ratio(
        "all, \(name)", quoted.map { $0.all[kind] },
        quoted.map { $0.single[kind].reduce(0, +) }, "strongest first"))
    return rows
  }
}
