// Which cells of a map are more than chance, corrected for all that were looked at.

import Tensor

/// The max-T test of a whole map over groups of pairs.
public struct MapSignificance: Sendable, Codable, Equatable {
  public let groups: Int
  /// By row and column; nil outside the family: padding, and zeros by structure. Empty where there
  /// are fewer than `fewestGroups` groups.
  public let tests: [[CellTest?]]

  /// - Parameters:
  ///   - changes: the effect on each pair by row and column, nil where the pair has no such cell
  ///   - groups: the resampling unit of each pair
  public init(
    _ changes: [[[Double?]]], groups: [String], draws: Int = 10_000, _ random: Random
  ) {
    precondition(changes.count == groups.count)
    let clusters = clustered(changes, by: groups)
    self.groups = clusters.count
    guard clusters.count >= fewestGroups, let first = changes.first else {
      tests = []
      return
    }
    func mean(_ cluster: [[[Double?]]], _ row: Int, _ column: Int) -> Double? {
      let own = cluster.compactMap { $0[row][column] }
      return own.isEmpty ? nil : own.reduce(0, +) / Double(own.count)
    }
    let places = first.indices.flatMap { row in first[row].indices.map { (row, $0) } }
    let found = maxT(
      places.map { place in clusters.map { mean($0, place.0, place.1) } }, stepDown: true,
      draws: draws, random)
    var next = found[...]
    tests = first.map { row in row.map { _ in next.removeFirst() } }
  }

  /// Cells that were tested together.
  public var family: Int { tests.joined().count { $0 != nil } }

  /// Cells whose corrected p is at most `level`.
  public func significant(at level: Double = 0.05) -> Int {
    tests.joined().count { ($0?.p ?? 1) <= level }
  }
}

extension MapSignificance: CustomStringConvertible {
  public var description: String {
    guard groups >= fewestGroups else {
      return "no test over the map: \(groups) groups are too few, \(fewestGroups) are needed"
    }
    return "max-T over \(family) cells and \(groups) groups: \(significant()) differ from 0 at a "
      + "family-wise 5%"
  }
}
