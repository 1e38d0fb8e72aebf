// How the choice of the metric changes a map: correlation, the strongest cells, and the cells that hurt
// (`paper/definitions.md`, D153).

import Tensor

/// Maps of several families in one direction, cell by cell, read by each metric.
public struct MeteredCells: Sendable {
  /// By metric, pair and cell: shares of the metric's mean gap, positive where the patch goes towards the
  /// source; nil where a pair has no such cell.
  public let shares: [[[Double?]]]
  public let groups: [String]

  /// The size, as a share of the gap, from which a cell counts.
  public static let least = 0.01

  /// - Parameters:
  ///   - families: places in the plan; their rows stand behind each other
  ///   - unrelated: reads the unrelated item's patches in the source's place, of sufficiency alone
  public init(
    _ maps: [ComponentMaps], families: [Int], _ direction: Direction, unrelated: Bool = false,
    groups: [String]
  ) {
    precondition(maps.count == groups.count && !maps.isEmpty, "a group for each pair")
    self.groups = groups
    shares = comparedMetrics.indices.map { metric in
      let gap = maps.reduce(0) { $0 + $1.gaps[metric] } / Double(maps.count)
      // The clean run is the base of necessity, and moves away from itself.
      let scale = direction == .sufficiency ? 1 / gap : -1 / gap
      return maps.map { pair in
        families.flatMap { family -> [Double?] in
          let map = pair.families[family]
          let table =
            direction == .necessity ? map.necessity : unrelated ? map.unrelated : map.sufficiency
          return table[metric].flatMap { row in row.map { $0.map { $0 * scale } } }
        }
      }
    }
  }

  /// The mean share of one cell, a ratio of means over pairs, by one metric.
  public func share(_ metric: Int, cell: Int, draws: Int, _ random: Random) -> Estimate? {
    let present = shares[metric].indices.filter { shares[metric][$0][cell] != nil }
    guard !present.isEmpty else { return nil }
    return ratioOfMeans(
      present.map { shares[metric][$0][cell]! }, present.map { _ in 1 },
      groups: present.map { groups[$0] }, draws: draws, random)
  }

  /// How alike the maps of each two metrics are.
  public func agreements(draws: Int, _ random: Random) -> [(
    name: String, agreement: MapAgreement
  )] {
    var found: [(String, MapAgreement)] = []
    for i in comparedMetrics.indices {
      for j in comparedMetrics.indices.dropFirst(i + 1) {
        let name = "\(metricTitle(comparedMetrics[i])) / \(metricTitle(comparedMetrics[j]))"
        let agreement = ComparedCells(estimates: shares[j], effects: shares[i]).agreement(
          groups: groups, draws: draws, random.split(name))
        if let agreement { found.append((name, agreement)) }
      }
    }
    return found
  }

  /// Cells that hurt, or that help, by the logit difference: the interval of their mean share lies on that
  /// side of zero, and its size counts.
  public func cells(hurting: Bool, draws: Int, _ random: Random) -> [Int] {
    let sign: Double = hurting ? -1 : 1
    let sums = sums(of: 0)
    let found = clusterIntervals(of: sums, draws: draws, random) { means($0) }
    return found.indices.filter { i in
      let (value, bound) = (sign * found[i].value, hurting ? -found[i].high : found[i].low)
      return value >= Self.least && bound > 0
    }
  }

  /// The share of some cells that do not count on the same side by another metric.
  ///
  /// - Returns: nil where there are no cells
  public func lost(
    _ cells: [Int], hurting: Bool, by metric: Int, draws: Int, _ random: Random
  ) -> Estimate? {
    guard !cells.isEmpty else { return nil }
    let sign: Double = hurting ? -1 : 1
    return clusterIntervals(of: sums(of: metric), draws: draws, random) { clusters in
      let means = means(clusters)
      return [
        Double(cells.count { !(sign * means[$0] >= Self.least) }) / Double(cells.count)
      ]
    }[0]
  }

  /// Of each group the sums over its pairs by cell, then over how many pairs.
  private func sums(of metric: Int) -> [[Double]] {
    let count = shares[metric][0].count
    return clustered(shares[metric], by: groups).map { pairs in
      (0..<count).map { cell in pairs.reduce(0) { $0 + ($1[cell] ?? 0) } }
        + (0..<count).map { cell in Double(pairs.count { $0[cell] != nil }) }
    }
  }

  private func means(_ clusters: [[Double]]) -> [Double] {
    var total = clusters[0]
    for cluster in clusters.dropFirst() { for i in total.indices { total[i] += cluster[i] } }
    let count = total.count / 2
    return (0..<count).map { total[$0] / total[count + $0] }
  }
}

extension Array where Element == ComponentMaps {
  /// What the choice of the metric changes in one model: how alike maps are, which of the cells that hurt or
  /// help are lost, and what an unrelated item seems to do by each metric.
  ///
  /// - Parameters:
  ///   - families: places in the plan of the residual stream, and of components inside layers
  ///   - moment: the cell of the residual stream at the connector in the changed phone's window
  public func metricRows(
    residual: Int, components: [Int], moment: Int, groups: [String], series: String, draws: Int,
    _ random: Random
  ) -> [AblationRow] {
    var rows: [AblationRow] = []
    let kinds = [("residual", [residual]), ("heads, MLPs", components)]
    func add(_ cells: MeteredCells, _ direction: Direction, _ kind: String) {
      let draw = random.split(direction.rawValue).split(kind)
      for (name, found) in cells.agreements(draws: draws, draw) {
        let place = "\(name), \(kind)"
        rows.append(AblationRow("spearman, \(direction)", place, series, found.spearman))
        for (size, shared) in zip(["ten", "fifty"], found.shared) {
          rows.append(
            AblationRow(
              "strongest \(size), \(direction)", place, series, shared.overlap,
              chance: shared.chance))
        }
      }
    }
    for direction in Direction.allCases {
      for (kind, families) in kinds {
        add(MeteredCells(self, families: families, direction, groups: groups), direction, kind)
      }
      let all = MeteredCells(
        self, families: [residual] + components, direction, groups: groups)
      for (word, hurting) in [("hurt", true), ("help", false)] {
        let draw = random.split(direction.rawValue).split(word)
        let cells = all.cells(hurting: hurting, draws: draws, draw)
        let share = Double(cells.count) / Double(all.shares[0][0].count)
        rows.append(
          AblationRow(
            "cells that count", "\(word), \(direction)", series,
            Estimate(value: share, low: -.infinity, high: .infinity)))
        for metric in [1, 2] {
          guard
            let lost = all.lost(
              cells, hurting: hurting, by: metric, draws: draws, draw.split(metric))
          else { continue }
          rows.append(
            AblationRow(
              "lost", "\(word), \(direction), by \(metricTitle(comparedMetrics[metric]))", series,
              lost))
        }
      }
    }
    let unrelated = MeteredCells(
      self, families: [residual], .sufficiency, unrelated: true, groups: groups)
    add(unrelated, .sufficiency, "unrelated item")
    let own = MeteredCells(self, families: [residual], .sufficiency, groups: groups)
    for (i, metric) in comparedMetrics.enumerated() {
      for (arm, cells) in [("source", own), ("unrelated item", unrelated)] {
        let draw = random.split(arm).split(metric.rawValue)
        guard let share = cells.share(i, cell: moment, draws: draws, draw) else { continue }
        rows.append(AblationRow("moment", "\(metricTitle(metric)), \(arm)", series, share))
      }
    }
    return rows
  }
}

extension Array where Element == ComponentMaps {
  /// Sufficiency of the first family by each metric, by [site][window]; ratios of means.
  ///
  /// - Returns: one table a metric, of the rows whose names are wanted
  public func sufficiency(_ metric: Int, of rows: [String]) -> [[Double?]] {
    let gap = reduce(0) { $0 + $1.gaps[metric] } / Double(count)
    return rows.map { name in
      guard let row = first?.families[0].rows.firstIndex(of: name) else { return [] }
      let windows = self[0].families[0].sufficiency[metric][row].indices
      return windows.map { window in
        let present = compactMap { $0.families[0].sufficiency[metric][row][window] }
        return present.isEmpty
          ? nil : present.reduce(0, +) / Double(present.count) / gap
      }
    }
  }
}
