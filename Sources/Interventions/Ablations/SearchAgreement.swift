// How close attribution comes to exact effects, by kind of site and by depth
// (`paper/definitions.md`, D156).

import Tensor

/// The effect, as a share of the gap, from which a cell counts for precision.
public let countedEffect = 0.05

extension Array where Element == ComponentMaps {
  /// Attribution against the exact effects of the same cells: the fifty strongest (a tenth of the cells where
  /// there are fewer than fifty), by size and signed, with what chance gives; how many of those proposed
  /// count; and the correlation of ranks.
  ///
  /// - Parameters:
  ///   - families: names of the plan's families
  ///   - layered: places of those that together make up a depth
  public func searchRows(
    families: [String], layered: [Int], groups: [String], series: String, draws: Int,
    _ random: Random
  ) -> [AblationRow] {
    var rows: [AblationRow] = []
    let gap = reduce(0) { $0 + $1.gaps[0] } / Double(count)
    /// By pair, the cells of some rows of families, over the mean gap.
    func cells(_ table: (ComponentMap) -> [[Double?]], _ families: [Int], at depth: String?)
      -> [[Double?]]
    {
      map { pair in
        families.flatMap { family -> [Double?] in
          let map = pair.families[family]
          return zip(table(map), map.depths).flatMap { row, own in
            depth == nil || own == depth ? row.map { $0.map { $0 / gap } } : []
          }
        }
      }
    }
    func add(_ what: String, _ place: String, _ families: [Int], at depth: String? = nil) {
      let compared = ComparedCells(
        estimates: cells({ $0.estimates }, families, at: depth),
        effects: cells({ $0.sufficiency[0] }, families, at: depth))
      for strength in CellStrength.allCases {
        let draw = random.split(what).split(place).split(strength.rawValue)
        guard
          let found = compared.agreement(
            groups: groups, sizes: [50], by: strength, threshold: countedEffect, draws: draws, draw)
        else { continue }
        let shared = found.shared[0]
        rows.append(
          AblationRow(
            "overlap by \(what), \(strength)", place, series, shared.overlap,
            chance: shared.chance))
        rows.append(
          AblationRow(
            "precision by \(what), \(strength)", place, series, shared.precision!,
            chance: shared.reaching))
        if strength == .size {
          rows.append(AblationRow("spearman by \(what)", place, series, found.spearman))
        }
      }
    }
    for (i, family) in families.enumerated() { add("kind", family, [i]) }
    var depths: [String] = []
    for family in layered {
      for depth in self[0].families[family].depths where !depths.contains(depth) {
        depths.append(depth)
      }
    }
    for depth in depths.sorted(by: { Self.order($0) < Self.order($1) }) {
      add("depth", depth, layered, at: depth)
    }
    return rows
  }

  /// From sound to text.
  private static func order(_ depth: String) -> (Int, Int) {
    let parts = depth.split(separator: " ")
    let stages: [Substring] = ["encoder", "connector", "lm"]
    return (
      stages.firstIndex(of: parts[0]) ?? stages.count, parts.count > 1 ? Int(parts[1]) ?? 0 : -1
    )
  }
}
