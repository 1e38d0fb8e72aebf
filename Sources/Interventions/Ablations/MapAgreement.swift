// How alike two maps of the same cells are: their ranks, and how many of the strongest cells they share,
// beside what chance gives, with intervals over groups of pairs (`paper/definitions.md`, D150).

import Tensor

/// By what cells are ranked.
public enum CellStrength: String, Codable, Sendable, CaseIterable {
  /// The size of the effect, of either sign.
  case size
  /// The effect towards the source.
  case signed
}

/// How many of the strongest cells two maps share.
public struct SharedCells: Codable, Sendable {
  public let k: Int
  /// The share of the k strongest of the first map that are among the k strongest of the second.
  public let overlap: Estimate
  /// k / n: what k cells drawn at random give.
  public let chance: Double
  /// The share of the k strongest of the first map whose effect in the second reaches a threshold; nil
  /// where none was given.
  public let precision: Estimate?
  /// The share of all cells that reach it.
  public let reaching: Double?
}

/// How alike two maps are, each the mean over pairs.
public struct MapAgreement: Codable, Sendable {
  public let cells: Int
  public let pairs: Int
  public let spearman: Estimate
  public let shared: [SharedCells]
}

/// How many cells stand for so many of `cells`: a tenth of them where there are not as many.
public func comparedCount(_ wanted: Int, of cells: Int) -> Int {
  cells >= wanted ? wanted : max(1, (cells + 9) / 10)
}

/// Sums over pairs of two maps by cell, and over how many pairs.
private struct SummedMaps {
  var x: [Double]
  var y: [Double]
  var count: [Double]

  mutating func add(_ other: SummedMaps) {
    for i in count.indices {
      x[i] += other.x[i]
      y[i] += other.y[i]
      count[i] += other.count[i]
    }
  }
}

extension ComparedCells {
  /// Compares the estimates, as the first map, with the effects; cells that are zero by structure are no
  /// part of either.
  ///
  /// - Parameters:
  ///   - groups: the resampling unit of each pair
  ///   - sizes: how many of the strongest cells are compared (`comparedCount`)
  ///   - threshold: the effect from which a cell of the second map counts, in its unit
  /// - Returns: nil where fewer than three cells count
  public func agreement(
    groups: [String], sizes: [Int] = [10, 50], by strength: CellStrength = .size,
    threshold: Double? = nil, draws: Int = 2_000, _ random: Random
  ) -> MapAgreement? {
    precondition(groups.count == effects.count, "a group for each pair")
    let present = (effects.first ?? []).indices.filter { cell in
      zip(estimates, effects).contains { $0[cell] != nil && $1[cell] != nil }
    }
    guard present.count > 2 else { return nil }
    let pairs = zip(estimates, effects).map { x, y in
      let both = present.map { x[$0] != nil && y[$0] != nil }
      return SummedMaps(
        x: zip(present, both).map { $1 ? x[$0]! : 0 },
        y: zip(present, both).map { $1 ? y[$0]! : 0 }, count: both.map { $0 ? 1 : 0 })
    }
    func sum(_ maps: [SummedMaps]) -> SummedMaps {
      var total = maps[0]
      for map in maps.dropFirst() { total.add(map) }
      return total
    }
    let counts = sizes.map { comparedCount($0, of: present.count) }
    func rank(_ values: [Double]) -> [Int] {
      switch strength {
      case .size: byStrength(values)
      case .signed: values.indices.sorted { (-values[$0], $0) < (-values[$1], $1) }
      }
    }
    func reaches(_ effect: Double) -> Bool {
      (strength == .size ? abs(effect) : effect) >= threshold ?? .infinity
    }
    func means(_ maps: [SummedMaps]) -> (x: [Double], y: [Double]) {
      let total = sum(maps)
      // A draw may lack a cell that few pairs have.
      let own = total.count.indices.filter { total.count[$0] > 0 }
      return (
        own.map { total.x[$0] / total.count[$0] }, own.map { total.y[$0] / total.count[$0] }
      )
    }
    let found = clusterIntervals(
      of: clustered(pairs, by: groups).map(sum), draws: draws, random
    ) { clusters -> [Double] in
      let (x, y) = means(clusters)
      let (proposed, strongest) = (rank(x), rank(y))
      return [spearman(x, y)]
        + counts.flatMap { k -> [Double] in
          let first = proposed.prefix(k)
          let shared = Set(first).intersection(strongest.prefix(k))
          return [
            Double(shared.count) / Double(k),
            Double(first.count { reaches(y[$0]) }) / Double(k),
          ]
        }
    }
    let all = means(pairs).y
    let reaching = threshold.map { _ in Double(all.count(where: reaches)) / Double(all.count) }
    return MapAgreement(
      cells: present.count, pairs: pairs.count, spearman: found[0],
      shared: counts.enumerated().map { i, k in
        SharedCells(
          k: k, overlap: found[1 + 2 * i], chance: Double(k) / Double(present.count),
          precision: threshold.map { _ in found[2 + 2 * i] }, reaching: reaching)
      })
  }
}
