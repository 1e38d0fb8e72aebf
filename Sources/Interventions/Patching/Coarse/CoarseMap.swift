// A map from coarse to fine: what blocks of cells do together decides which of them are looked into, and
// what was left out is bounded by cells drawn from it (`paper/definitions.md`, D173).
//
// Nothing is assumed to add up. That a block without an effect holds no cell with one is an expectation,
// which the drawn cells test; how far parts differ from their whole is measured on every block that is split.

import Tensor

/// The blocks of one level.
public struct CoarseLevel: Codable, Sendable {
  public let size: BlockSize
  public let blocks: [CellBlock]
  /// The recovery of each block with all its cells patched together; nil where no pair has a position there.
  public let recoveries: [Double?]
  /// Which of them were split.
  public let isSplit: [Bool]
  /// Whether so many of them were that their cells were patched at once.
  public let isDense: Bool

  init(
    _ size: BlockSize, _ blocks: [CellBlock], _ recoveries: [Double?], _ isSplit: [Bool],
    isDense: Bool
  ) {
    (self.size, self.blocks, self.recoveries, self.isSplit) = (size, blocks, recoveries, isSplit)
    self.isDense = isDense
  }

  /// What a split block was divided into: the smaller blocks that were patched, or else its cells.
  fileprivate func parts(of block: CellBlock, among levels: [CoarseLevel]) -> [CellBlock] {
    let next = isDense ? nil : levels.first { block.parts(of: $0.size).count > 1 }
    return block.parts(of: next?.size ?? .cell)
  }
}

/// What blocks say of one direction's cells.
public struct CoarseMap: Codable, Sendable {
  /// The share of the mean gap from which a block is split.
  public let splitAt: Double
  public let levels: [CoarseLevel]
  /// By row and column: whether a cell is of a block that was split down to it.
  public let isReached: [[Bool]]
  /// Cells that no split reached, of those that some pair has, drawn to be patched all the same.
  public private(set) var drawn: [CellBlock] = []
  /// How many they were drawn from.
  public private(set) var skipped = 0

  /// Blocks that were patched.
  public var patchedBlocks: Int { levels.reduce(0) { $0 + $1.recoveries.count { $0 != nil } } }

  /// By row and column: whether a cell is patched by itself.
  public var isPatched: [[Bool]] {
    var cells = isReached
    for cell in drawn { cells[cell.rows.lowerBound][cell.columns.lowerBound] = true }
    return cells
  }

  /// Goes from level to level.
  ///
  /// - Parameters:
  ///   - rows: of the map, and `columns`
  ///   - splitAt: the share of the mean gap from which a block is split
  ///   - measure: recoveries of blocks of one size
  public init(
    _ plan: BlockPlan, rows: Int, columns: Int, splitAt: Double,
    measure: (BlockSize, [CellBlock]) throws -> [Double?]
  ) rethrows {
    self.splitAt = splitAt
    var (levels, cells): ([CoarseLevel], [CellBlock]) = ([], [])
    var waiting = plan.levels.map { _ in [CellBlock]() }
    waiting[0] = plan.first
    for (i, size) in plan.levels.enumerated() {
      // A block that is a cell already needs no look from outside.
      cells += waiting[i].filter { $0.count == 1 }
      let pending = waiting[i].filter { $0.count > 1 }
      let recoveries = pending.isEmpty ? [] : try measure(size, pending)
      let isSplit = recoveries.map { $0.map { abs($0) >= splitAt } ?? false }
      let split = zip(pending, isSplit).filter { $1 }.map { $0.0 }
      // Where nearly all of a level is split, the next would cost more than it saves.
      let isDense = 4 * split.reduce(0) { $0 + $1.count } > 3 * pending.reduce(0) { $0 + $1.count }
      levels.append(CoarseLevel(size, pending, recoveries, isSplit, isDense: isDense))
      for block in split {
        let next = isDense ? nil : plan.level(of: block, after: i)
        if let next {
          waiting[next] += block.parts(of: plan.levels[next])
        } else {
          cells += block.parts(of: .cell)
        }
      }
    }
    var reached = [[Bool]](repeating: [Bool](repeating: false, count: columns), count: rows)
    for cell in cells { reached[cell.rows.lowerBound][cell.columns.lowerBound] = true }
    (self.levels, isReached) = (levels, reached)
  }

  /// Draws cells that no split reached.
  ///
  /// - Parameters:
  ///   - isThere: by row and column, whether some pair has a position in a cell
  ///   - most: how many are drawn at most; never more than a quarter of them
  public mutating func draw(_ most: Int, among isThere: [[Bool]], _ random: Random) {
    let others = isThere.indices.flatMap { row in
      isThere[row].indices.filter { isThere[row][$0] && !isReached[row][$0] }.map {
        CellBlock(rows: row..<(row + 1), columns: $0..<($0 + 1))
      }
    }
    var stream = random
    let order = stream.permutation(others.count)
    skipped = others.count
    drawn = order.prefix(min(most, (others.count + 3) / 4)).sorted().map { others[$0] }
  }
}

/// How the parts of blocks that were split compare with the whole.
public struct Additivity: Codable, Sendable {
  public let size: BlockSize
  /// Blocks whose parts were all patched.
  public let splits: Int
  /// The mean distance of the sum of the parts from the whole, as a share of the mean gap.
  public let meanDifference: Double
  /// The mean of the sum of the parts over the whole.
  public let meanRatio: Double
  /// How much further from zero a part was than its whole, at most; negative where none was.
  public let farthestAbove: Double
}

/// A block that was split, and what its parts do.
public struct SplitBlock: Sendable {
  public let size: BlockSize
  public let whole: Double
  /// Of those that some pair has.
  public let parts: [Double]

  public var sum: Double { parts.reduce(0, +) }
}

extension CoarseMap {
  /// Every split, level by level.
  ///
  /// - Parameter cells: recoveries of the map by row and column
  public func splits(_ cells: [[Double?]]) -> [SplitBlock] {
    var known: [CellBlock: Double] = [:]
    for (row, values) in cells.enumerated() {
      for (column, value) in values.enumerated() where isReached[row][column] {
        known[CellBlock(rows: row..<(row + 1), columns: column..<(column + 1))] = value
      }
    }
    for level in levels {
      for (block, recovery) in zip(level.blocks, level.recoveries) { known[block] = recovery }
    }
    return levels.enumerated().flatMap { i, level in
      let finer = Array(levels[(i + 1)...])
      return level.blocks.indices.filter { level.isSplit[$0] }.compactMap { place in
        // Parts without a position in any pair have no effect.
        let parts = level.parts(of: level.blocks[place], among: finer).compactMap { known[$0] }
        return parts.isEmpty
          ? nil : SplitBlock(size: level.size, whole: level.recoveries[place]!, parts: parts)
      }
    }
  }

  /// The parts of every split beside the whole, level by level.
  public func additivity(_ cells: [[Double?]]) -> [Additivity] {
    let all = splits(cells)
    return levels.compactMap { level in
      let splits = all.filter { $0.size == level.size }
      guard !splits.isEmpty else { return nil }
      func mean(_ value: (SplitBlock) -> Double) -> Double {
        splits.reduce(0) { $0 + value($1) } / Double(splits.count)
      }
      return Additivity(
        size: level.size, splits: splits.count, meanDifference: mean { abs($0.sum - $0.whole) },
        meanRatio: mean { $0.sum / $0.whole },
        farthestAbove: splits.map { split in
          split.parts.map { abs($0) }.max()! - abs(split.whole)
        }.max()!)
    }
  }

  /// What the drawn cells say of all that no split reached; nil where none was drawn.
  ///
  /// - Parameters:
  ///   - cells: recoveries of the map by row and column
  ///   - hit: the share of the mean gap from which an effect counts
  public func missed(_ cells: [[Double?]], hit: Double, seed: UInt64) -> MissedCells? {
    let found = drawn.compactMap { cells[$0.rows.lowerBound][$0.columns.lowerBound] }
    return found.isEmpty
      ? nil
      : MissedCells(sampledEffects: found, unverified: skipped, threshold: hit, seed: seed)
  }
}
