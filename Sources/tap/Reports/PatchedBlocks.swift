// Blocks of cells patched together, pair by pair: the levels of `tap map --coarse`.

import Interventions
import Notebook
import Speech
import Tensor

/// Some blocks of one pair.
private struct BlockUnit: Sendable {
  let item: PairWithStranger
  let blocks: Range<Int>
  var key: String { "\(item.id) \(blocks)" }
}

/// How a map goes from coarse to fine.
struct CoarseSettings: Sendable, CustomStringConvertible {
  /// Shares of the mean gap: from which a block is split, and from which a cell counts.
  let splitAt: Double
  let hit: Double
  /// How many skipped cells are drawn at most.
  let sample: Int
  static let seed: UInt64 = 1

  var description: String { "coarse \(splitAt) \(sample)" }
}

extension CoarseSettings {
  /// The share of all cells that the first blocks and the drawn cells may come to; what else is patched comes
  /// on top, so that from here on a full map is as good.
  static let overhead = 0.25

  /// Begins with blocks where these can save something.
  func start(_ blocks: BlockPlan?, cells: Int) -> CoarseStart {
    guard let blocks else {
      return .cells("the sound has no two blocks of a second, so that every cell is patched")
    }
    if Double(blocks.first.count) + Double(sample) < Self.overhead * Double(cells) {
      return .blocks(blocks)
    }
    return .cells(
      "\(blocks.first.count) blocks and up to \(sample) drawn cells would save little of "
        + "\(cells) cells, so that every cell is patched")
  }
}

/// Where a map from coarse to fine begins.
enum CoarseStart {
  case blocks(BlockPlan)
  /// With every cell, and why.
  case cells(String)
}

/// The cells of a map that its blocks leave to be patched, by direction, and what finding them took.
struct FoundCells {
  let maps: [CoarseMap]
  /// By direction, row and column: whether some pair has a position in the cell.
  let isThere: [[[Bool]]]
  let cost: Cost
}

/// Blocks in one stored value: their two runs are made anew for each.
private let blocksOfUnit = 256

extension MapPlan {
  func coarseStart(_ settings: CoarseSettings) -> CoarseStart {
    settings.start(
      BlockPlan(rows: rows, columns: columns, wide: BlockPlan.width(of: run.plan)),
      cells: rows.count * columns.count)
  }

  /// Goes from blocks to cells in each direction.
  func foundCells(
    _ plan: BlockPlan, _ settings: CoarseSettings, beside out: String, fresh: Bool
  ) throws -> FoundCells {
    var fresh = fresh
    var (there, cost): ([[[Bool]]], Cost) = ([], Cost())
    let maps = try asked.directions.map { direction in
      var isThere = rows.map { _ in columns.map { _ in false } }
      var map = try CoarseMap(
        plan, rows: rows.count, columns: columns.count, splitAt: settings.splitAt
      ) { size, blocks in
        let (found, seconds) = try Cost.timed {
          try changes(direction, blocks, of: size, settings, beside: out, fresh: fresh)
        }
        fresh = false
        cost = cost + seconds
        cost.forwards += found.joined().reduce(0) { $0 + $1.forwards }
        // By pair and block.
        let patched = found.map { $0.flatMap(\.patched) }
        for isOfPair in found.map({ $0.flatMap(\.isThere) }) {
          for (block, isOfBlock) in zip(blocks, isOfPair) {
            for (cell, isOfCell) in zip(block.cells, isOfBlock) where isOfCell {
              isThere[cell.row][cell.column] = true
            }
          }
        }
        return blocks.indices.map { place in
          var (effect, gap, count) = (0.0, 0.0, 0)
          for (changes, patched) in zip(found, patched) {
            guard let patched = patched[place] else { continue }
            effect += patched - changes[0].base
            gap += changes[0].source - changes[0].base
            count += 1
          }
          return count == 0 ? nil : effect / gap
        }
      }
      map.draw(
        settings.sample, among: isThere,
        Random(seed: CoarseSettings.seed).split("coarse").split(direction.rawValue))
      there.append(isThere)
      return map
    }
    return FoundCells(maps: maps, isThere: there, cost: cost)
  }

  /// By pair, and by stored value of it, what blocks do.
  private func changes(
    _ direction: Direction, _ blocks: [CellBlock], of size: BlockSize, _ settings: CoarseSettings,
    beside out: String, fresh: Bool
  ) throws -> [[BlockChanges]] {
    let parts = stride(from: 0, to: max(blocks.count, 1), by: blocksOfUnit).map {
      $0..<min($0 + blocksOfUnit, blocks.count)
    }
    let units = run.items.flatMap { item in parts.map { BlockUnit(item: item, blocks: $0) } }
    let asked = blocks.flatMap { [$0.rows, $0.columns].map { "\($0)" } }
    let found = try resumable(
      "blocks of \(size), \(direction.rawValue)", over: units, key: \.key,
      inputs: inputs + ["\(settings)", direction.rawValue, "\(Digest(ofParts: asked))"],
      journal: journal(beside: out), fresh: fresh
    ) { try patched($0.item.pair, direction, Array(blocks[$0.blocks])) }
    return stride(from: 0, to: found.count, by: parts.count).map {
      Array(found[$0..<($0 + parts.count)])
    }
  }

  private func patched(_ pair: OpenedPair, _ direction: Direction, _ blocks: [CellBlock]) throws
    -> BlockChanges
  {
    let (model, cells) = (run.opened.model, try cells(pair, direction))
    let runs = try mapInParallel(2) {
      try model.trace(
        $0 == 0 ? pair.base(direction) : pair.source(direction), keeping: asked.sites)
    }
    return try model.patched(
      runs[0], from: runs[1], blocks: blocks, of: cells, alignment: pair.alignment(direction),
      resuming: !asked.isPlain)
  }
}
