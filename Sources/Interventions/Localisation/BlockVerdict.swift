// The rule by which a map has a bottleneck: a block of neighbouring depths and windows, few of all, in each
// cell of which the source moves the answer in both directions, and more than an unrelated item does
// (`paper/definitions.md`, D126).

import Corpus
import Speech
import Tensor

/// A rectangle of cells: sites and windows of sound side by side.
public struct MapBlock: Codable, Sendable, Equatable {
  public let sites: Range<Int>
  public let windows: Range<Int>

  public init(sites: Range<Int>, windows: Range<Int>) {
    (self.sites, self.windows) = (sites, windows)
  }

  public var cells: Int { sites.count * windows.count }
}

/// What the rule says of the maps of one model under one task.
public struct BlockVerdict: Codable, Sendable {
  /// By [site][window of sound]: recovery, the weaker of both directions; nil where there is no cell.
  public let recovery: [[Double?]]
  /// Cells that meet the rule, by [site][window of sound].
  public let qualifies: [[Bool]]
  /// The largest rectangle of them; nil where there are none.
  public let block: MapBlock?
  /// The max-T test of all contrasts with the control, both directions together, sites of sufficiency
  /// before those of necessity.
  public let significance: MapSignificance

  /// The share of the map's cells that the block has, and that all cells that meet the rule have.
  public var blockShare: Double { Double(block?.cells ?? 0) / Double(cells) }
  public var share: Double { Double(qualifies.joined().count { $0 }) / Double(cells) }
  public var cells: Int { max(recovery.joined().count { $0 != nil }, 1) }

  /// Whether there is a block, and neither it nor all such cells together are more than a share of the map.
  public func holds(upTo most: Double) -> Bool {
    block != nil && blockShare <= most && share <= most
  }
}

extension Array where Element == TaskMap {
  /// - Parameters:
  ///   - threshold: the recovery that is asked of both directions
  ///   - level: of the max-T test over the contrasts of all cells in both directions
  public func blockVerdict(
    groups: [String], threshold: Double, level: Double, draws: Int, _ random: Random
  ) -> BlockVerdict {
    precondition(groups.count == count && !isEmpty, "a group for each map")
    let (sites, sound) = (self[0].map.sufficiency.indices, TaskWindows.sound)
    func cells(_ body: (TaskMap, Direction, Int, Int) -> Double?) -> [[[Double?]]] {
      map { map in
        Direction.allCases.flatMap { direction in
          sites.map { site in sound.map { body(map, direction, site, $0) } }
        }
      }
    }
    let significance = MapSignificance(
      cells { map, direction, site, window in
        guard let real = map.effect(direction, site, window),
          let other = map.effect(direction, site, window, unrelated: true)
        else { return nil }
        return real - other
      }, groups: groups, draws: draws, random)
    let maps = map(\.map)
    let recoveries = [
      maps.recovery(.sufficiency, \.sufficiency), maps.recovery(.necessity, \.necessity),
    ]
    let recovery = sites.map { site in
      sound.map { window -> Double? in
        guard let a = recoveries[0][site][window], let b = recoveries[1][site][window] else {
          return nil
        }
        return Swift.min(a, b)
      }
    }
    func isMore(_ row: Int, _ window: Int) -> Bool {
      guard !significance.tests.isEmpty, let test = significance.tests[row][window] else {
        return false
      }
      return test.p <= level && test.t > 0
    }
    let qualifies = sites.map { site in
      sound.map { window in
        (recovery[site][window] ?? 0) >= threshold && isMore(site, window)
          && isMore(sites.count + site, window)
      }
    }
    return BlockVerdict(
      recovery: recovery, qualifies: qualifies, block: largestBlock(of: qualifies),
      significance: significance)
  }
}

/// The rectangle of the most cells that are all true; of equals the lowest, then the one of fewest depths,
/// then the earliest; nil where no cell is.
public func largestBlock(of map: [[Bool]]) -> MapBlock? {
  var best: MapBlock?
  for bottom in map.indices {
    var open = map[bottom]
    for top in bottom..<map.count {
      for i in open.indices { open[i] = open[i] && map[top][i] }
      var start = 0
      while start < open.count {
        guard open[start] else {
          start += 1
          continue
        }
        let end = open[start...].firstIndex(of: false) ?? open.count
        let found = MapBlock(sites: bottom..<(top + 1), windows: start..<end)
        if found.cells > best?.cells ?? 0 { best = found }
        start = end
      }
    }
  }
  return best
}
