// Significance over a whole map of cells (`paper/definitions.md`, D52 and D53).
//
// The largest statistic of all cells under random signs (Westfall and Young, 1993; Nichols and
// Holmes, 2002) bounds the chance that any cell without an effect is called significant, however the
// cells depend on one another. The false discovery rate bounds the expected share of such cells among
// those that are called.

import Tensor

/// What the test says of one cell.
public struct CellTest: Sendable, Codable, Equatable {
  /// The mean over its standard error, over groups.
  public let t: Double
  /// The p-value, adjusted for all cells of the map.
  public let p: Double
}

/// The two-sided max-T sign-flip test over the cells of a map.
///
/// One choice of signs is shared by all cells, which keeps the dependence between them. A cell stays
/// outside the family, and has no result, where it is nil for all groups (padding, a site that has
/// no position in the window) or 0 in all of them (zero by structure): neither could be a discovery,
/// and both would only dilute the others. A cell with an effect that is NaN is outside too, and its
/// result is NaN.
///
/// - Parameters:
///   - cells: for each cell the mean effect of each group, nil where a group does not have the cell
///   - stepDown: cells below the strongest are compared with the largest of those that are left,
///     which finds more and bounds the same error
/// - Returns: one for each cell, nil outside the family and where fewer than two groups have it
public func maxT(
  _ cells: [[Double?]], stepDown: Bool = false, draws: Int = 10_000, _ random: Random
) -> [CellTest?] {
  guard let groups = cells.first?.count, groups > 0 else { return cells.map { _ in nil } }
  precondition(cells.allSatisfy { $0.count == groups }, "cells of different numbers of groups")
  let family = cells.indices.compactMap { i in StudentisedCell(cells[i]).map { (i, $0) } }
  // From the strongest to the weakest; equal ones in order of their index.
  let ranked = family.map { (index: $0.0, cell: $0.1, t: $0.1.t()) }
    .sorted { (-abs($0.t), $0.index) < (-abs($1.t), $1.index) }
  let bounds = ranked.map { abs($0.t) * (1 - tieTolerance) }
  let flips = SignFlips(groups: groups, draws: draws, random)
  var hits = [Int](repeating: 0, count: ranked.count)
  var largest = [Double](repeating: 0, count: ranked.count)
  for signs in flips.signs {
    // The largest statistic of each cell and all weaker ones.
    var sofar = 0.0
    for rank in ranked.indices.reversed() {
      sofar = max(sofar, abs(ranked[rank].cell.t(signs)))
      largest[rank] = sofar
    }
    for rank in ranked.indices where largest[stepDown ? rank : 0] >= bounds[rank] {
      hits[rank] += 1
    }
  }
  var results = cells.map { cell -> CellTest? in
    cell.contains { $0?.isNaN == true } ? CellTest(t: .nan, p: .nan) : nil
  }
  var p = 0.0
  for (rank, cell) in ranked.enumerated() {
    // No cell may be more significant than a stronger one.
    p = max(p, flips.probability(hits: hits[rank]))
    results[cell.index] = CellTest(t: cell.t, p: p)
  }
  return results
}

/// The groups of one cell, and what of its statistic no sign changes.
private struct StudentisedCell {
  /// 0 where a group does not have the cell.
  private let values: [Double]
  private let count: Double
  private let squares: Double

  init?(_ groups: [Double?]) {
    let present = groups.compactMap { $0 }
    guard present.count > 1, present.contains(where: { $0 != 0 }),
      !present.contains(where: \.isNaN)
    else { return nil }
    values = groups.map { $0 ?? 0 }
    count = Double(present.count)
    squares = present.reduce(0) { $0 + $1 * $1 }
  }

  /// sum / sqrt(n * variance) with these signs: signs change the sum alone, as
  /// (n - 1) * variance = sum of squares - sum^2 / n.
  func t(_ signs: [Double]? = nil) -> Double {
    var sum = 0.0
    if let signs {
      for i in values.indices { sum += signs[i] * values[i] }
    } else {
      for value in values { sum += value }
    }
    let spread = max(0, squares - sum * sum / count)
    return sum / (count * spread / (count - 1)).squareRoot()
  }
}

/// P-values adjusted to control the false discovery rate: those at or below q are called at rate q.
///
/// - Parameters:
///   - p: NaN is no p-value and stays outside the family
///   - anyDependence: the procedure of Benjamini and Yekutieli (2001), which holds however the tests
///     depend on one another; else that of Benjamini and Hochberg (1995), for independent or
///     positively dependent ones
public func falseDiscoveryRates(_ p: [Double], anyDependence: Bool = false) -> [Double] {
  precondition(p.allSatisfy { $0.isNaN || (0...1).contains($0) }, "a p-value outside 0...1")
  let order = p.indices.filter { !p[$0].isNaN }.sorted { (p[$0], $0) < (p[$1], $1) }
  let n = order.count
  let factor = anyDependence ? (1...max(n, 1)).reduce(0.0) { $0 + 1 / Double($1) } : 1
  var adjusted = [Double](repeating: .nan, count: p.count)
  var smallest = 1.0
  for (rank, index) in order.enumerated().reversed() {
    smallest = min(smallest, p[index] * Double(n) / Double(rank + 1) * factor)
    adjusted[index] = smallest
  }
  return adjusted
}
