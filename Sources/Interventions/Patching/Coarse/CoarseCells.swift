// A map from coarse to fine of one pair, for a notebook's cell (`paper/definitions.md`, D173).

import Speech
import Tensor

/// What a map from coarse to fine has of one pair in one direction.
public struct CoarseCells: Codable, Sendable {
  public let map: CoarseMap
  /// Shares of the pair's gap, by row and column; nil where a cell was not patched or has no position.
  public let recoveries: [[Double?]]
}

extension SpeechLanguageModel {
  /// Patches blocks of cells, goes on where they move the answer, and patches the cells that are left and
  /// some that are drawn from the others.
  ///
  /// - Parameters:
  ///   - windows: the columns of the map
  ///   - plan: of the same rows and columns
  ///   - splitAt: the share of the gap from which a block is split
  ///   - sample: how many of the skipped cells are drawn at most; `CoarseMap.missed` says what they tell
  public func coarseMap(
    _ base: Trace, from source: Trace, rows: [GridRow], windows: [Window], plan: BlockPlan,
    splitAt: Double = 0.05, sample: Int = 59, _ random: Random
  ) throws -> CoarseCells {
    let cells = rows.map { row in windows.map { Cell(row.site, index: row.index, $0) } }
    let (start, gap) = (base.logitDifference, source.logitDifference - base.logitDifference)
    var map = try CoarseMap(plan, rows: rows.count, columns: windows.count, splitAt: splitAt) {
      _, blocks in
      try patched(base, from: source, blocks: blocks, of: cells).patched.map {
        $0.map { ($0 - start) / gap }
      }
    }
    let isThere = try cells.map { row in
      try row.map { !$0.window.positions(in: try base.place(of: $0.site).spans).isEmpty }
    }
    map.draw(sample, among: isThere, random)
    let isPatched = map.isPatched
    let chosen = zip(cells, isPatched).map { zip($0, $1).map { $1 ? $0 : nil } }
    var values = try patched(
      base, from: source, cells: chosen.joined().compactMap { $0 }.map { [$0] })[...]
    let recoveries = chosen.map { row in
      row.map { cell in
        cell.flatMap { _ in values.removeFirst().map { ($0 - start) / gap } }
      }
    }
    return CoarseCells(map: map, recoveries: recoveries)
  }
}
