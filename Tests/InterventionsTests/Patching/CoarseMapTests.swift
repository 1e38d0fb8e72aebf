// A map from coarse to fine, on effects that are known: what it reaches, what it skips, what it draws and
// what it says of both.

import Interventions
import Speech
import Tensor
import Testing

/// Rows of two stages and windows of sound and text.
private let rows =
  (0..<6).map { GridRow(Site(.encoder, $0, .residPost)) }
  + (0..<6).map { GridRow(Site(.lm, $0, .residPost)) }
private let columns = try! WindowPlan.time(80).windows(length: 3200, segments: nil, text: 2)

/// Recoveries that add up in windows, and of which rows hold the same.
private func recovery(_ block: CellBlock, _ cells: [[Double]]) -> Double {
  block.rows.map { row in block.columns.reduce(0) { $0 + cells[row][$1] } }.max {
    abs($0) < abs($1)
  }!
}

private func map(_ cells: [[Double]], splitAt: Double = 0.05) throws -> (
  map: CoarseMap, asked: [CellBlock]
) {
  let plan = try #require(BlockPlan(rows: rows, columns: columns, wide: 12))
  var asked: [CellBlock] = []
  let map = CoarseMap(plan, rows: rows.count, columns: columns.count, splitAt: splitAt) {
    _, blocks in
    asked += blocks
    return blocks.map { recovery($0, cells) }
  }
  return (map, asked)
}

private let nothing = rows.map { _ in columns.map { _ in 0.0 } }
private let everything = rows.map { _ in columns.map { _ in true } }

@Suite struct CoarseMapTests {
  @Test func blocksHoldEveryCellOnceAndKeepStagesAndTextApart() throws {
    let plan = try #require(BlockPlan(rows: rows, columns: columns, wide: 12))
    #expect(plan.levels.map(\.columns) == [12, 3, 1] && plan.levels.allSatisfy { $0.rows == 4 })
    var counts = rows.map { _ in columns.map { _ in 0 } }
    for block in plan.first {
      for cell in block.cells { counts[cell.row][cell.column] += 1 }
      #expect(Set(rows[block.rows].map(\.site.stage)).count == 1)
      #expect(block.columns.upperBound <= 40 || block.columns.count == 1)
      #expect(block.parts(of: .cell).count == block.count)
      #expect(
        block.parts(of: BlockSize(rows: 3, columns: 5)).reduce(0) { $0 + $1.count } == block.count)
    }
    #expect(counts.joined().allSatisfy { $0 == 1 })
    #expect(BlockPlan(rows: rows, columns: Array(columns.suffix(2 + 12)), wide: 12) == nil)
    #expect(BlockPlan.width(of: .time(80)) == 13 && BlockPlan.width(of: .whole) == 1)
  }

  @Test func aSplitReachesEveryCellWithAnEffectAndFewOthers() throws {
    var cells = nothing
    for row in 2..<12 { cells[row][17] = 0.6 }
    cells[8][41] = -0.3
    let (map, asked) = try map(cells)
    for row in rows.indices {
      for column in columns.indices where abs(cells[row][column]) >= 0.1 {
        #expect(map.isReached[row][column], "\(row) \(column)")
      }
    }
    let reached = map.isReached.joined().count { $0 }
    #expect(reached == 12 + 4, "column 17 of all blocks of rows, text of one")
    #expect(map.patchedBlocks == asked.count && asked.allSatisfy { $0.count > 1 })
    #expect(Set(asked).count == asked.count, "no block is patched twice")
    #expect(asked.count + reached < rows.count * columns.count / 4)
    var drawn = map
    drawn.draw(59, among: everything, Random(seed: 1))
    #expect(drawn.skipped == rows.count * columns.count - reached && drawn.drawn.count == 59)
    #expect(
      drawn.drawn.allSatisfy { !map.isReached[$0.rows.lowerBound][$0.columns.lowerBound] })
  }

  @Test func anIdleMapIsSkippedWholeAndItsDrawnCellsBoundWhatIsMissed() throws {
    var (map, _) = try map(nothing)
    #expect(!map.isReached.joined().contains(true))
    map.draw(59, among: everything, Random(seed: 1))
    #expect(map.skipped == 12 * 42 && map.drawn.count == 59 && Set(map.drawn).count == 59)
    #expect(map.isPatched.joined().count { $0 } == 59)
    let idle = try #require(map.missed(nothing, hit: 0.1, seed: 1))
    #expect(idle.exceeding == 0 && idle.sampled == 59)
    #expect(idle.bound > 0 && idle.bound < map.skipped / 15)
    var found = nothing
    found[map.drawn[0].rows.lowerBound][map.drawn[0].columns.lowerBound] = -0.2
    let more = try #require(map.missed(found, hit: 0.1, seed: 1))
    #expect(more.exceeding == 1 && more.bound > idle.bound)
    var again = map
    again.draw(59, among: everything, Random(seed: 1))
    #expect(again.drawn == map.drawn, "the same cells for the same seed")
    var few = map
    few.draw(59, among: rows.indices.map { _ in columns.indices.map { $0 < 2 } }, Random(seed: 1))
    #expect(few.skipped == 24 && few.drawn.count == 6, "a quarter at most")
  }

  /// Parts that take each other back are what a block cannot see: the drawn cells must.
  @Test func partsThatCancelAreMissedAndDrawn() throws {
    var cells = nothing
    for row in 0..<4 { for column in 0..<12 { cells[row][column] = column % 2 == 0 ? 0.5 : -0.5 } }
    var (map, _) = try map(cells)
    #expect(!map.isReached.joined().contains(true))
    map.draw(59, among: everything, Random(seed: 1))
    let missed = try #require(
      map.missed(cells.map { $0.map { $0 } }, hit: 0.1, seed: 1))
    #expect(missed.exceeding > 0 && missed.bound >= 48)
  }

  @Test func additivityIsMeasuredOnEverySplit() throws {
    var cells = nothing
    for row in 0..<4 {
      cells[row][3] = 0.4
      cells[row][4] = 0.2
    }
    let (map, _) = try map(cells)
    let found = map.additivity(cells)
    // Windows add up; four rows each hold all of it.
    #expect(found.map(\.size.columns) == [12, 3, 1])
    #expect(found.map(\.splits) == [1, 1, 2])
    #expect(abs(found[0].meanRatio - 1) < 1e-12 && found[0].meanDifference < 1e-12)
    #expect(abs(found[2].meanRatio - 4) < 1e-12)
    #expect(abs(found[2].meanDifference - 0.9) < 1e-12)
    #expect(found[0].farthestAbove <= 0 && abs(found[2].farthestAbove) < 1e-12)
    var above = cells
    above[0][3] = 1
    #expect(abs(map.additivity(above)[2].farthestAbove - 0.6) < 1e-12)
  }

  /// A row that is alone by a window of text is a cell from the start, and needs no look from outside.
  @Test func aBlockThatIsACellIsPatchedAsOne() throws {
    let own = [GridRow(Site(.lm, 0, .residPost))]
    let plan = try #require(BlockPlan(rows: own, columns: columns, wide: 12))
    var asked: [CellBlock] = []
    let map = CoarseMap(plan, rows: 1, columns: columns.count, splitAt: 0.05) { _, blocks in
      asked += blocks
      return blocks.map { _ in 0 }
    }
    let reached = map.isReached[0].indices.filter { map.isReached[0][$0] }
    #expect(asked.count == 4 && reached == [40, 41])
  }

  /// Where nearly all has an effect, smaller blocks would cost more than they save.
  @Test func aDenseMapGoesToItsCellsAtOnce() throws {
    let (map, asked) = try map(rows.map { _ in columns.map { _ in 0.5 } })
    #expect(map.levels[0].isDense && asked.count == map.levels[0].blocks.count)
    #expect(map.isReached.joined().allSatisfy { $0 })
  }

  @Test func blocksThatNoPairHasAreNeitherSplitNorCounted() throws {
    let plan = try #require(BlockPlan(rows: rows, columns: columns, wide: 12))
    let map = CoarseMap(plan, rows: rows.count, columns: columns.count, splitAt: 0.05) {
      _, blocks in blocks.map { _ in nil }
    }
    #expect(map.patchedBlocks == 0 && map.additivity(nothing).isEmpty)
    #expect(!map.isReached.joined().contains(true))
  }
}
