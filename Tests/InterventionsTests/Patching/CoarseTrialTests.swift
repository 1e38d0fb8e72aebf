// A map from coarse to fine tried on a known map: what counts as found, by the blocks and by the search.

import Interventions
import Speech
import Tensor
import Testing

private let rows = (0..<4).map { GridRow(Site(.encoder, $0, .residPost)) }
private let columns = try! WindowPlan.time(80).windows(length: 3200, segments: nil, text: 2)
private let plan = BlockPlan(rows: rows, columns: columns, wide: 12)!

/// The cells of one row, where a block is the sum of its windows, and text has no position.
private func known(
  _ effects: [Int: Double], estimates: [Int: Double], blocks: (CellBlock) -> Double? = { _ in nil }
) -> KnownMap {
  func grid(_ values: [Int: Double]) -> [[Double?]] {
    rows.indices.map { row in
      columns.indices.map { $0 < 40 ? (row == 1 ? values[$0] ?? 0 : 0) : nil }
    }
  }
  return KnownMap(
    recoveries: grid(effects), estimates: grid(estimates),
    blocks: plan.blocks.map { block in
      blocks(block)
        ?? (block.columns.upperBound > 40
          ? nil : block.columns.reduce(0) { $0 + (effects[$1] ?? 0) })
    })
}

@Suite struct CoarseTrialTests {
  @Test func aPlanListsEveryBlockThatAMapCanAskFor() throws {
    #expect(Set(plan.blocks).count == plan.blocks.count && plan.blocks.allSatisfy { $0.count > 1 })
    // Four of twelve windows or less, 4 + 4 + 4 + 2 of three or less, of which the last is a window, and one of
    // each other window of sound and of text.
    #expect(plan.blocks.count == 4 + 14 + 39 + 2)
    var asked: Set<CellBlock> = []
    _ = CoarseMap(plan, rows: 4, columns: columns.count, splitAt: 0) { _, blocks in
      asked.formUnion(blocks)
      return blocks.map { $0.columns.contains(5) || $0.columns.contains(39) ? 1 : nil }
    }
    #expect(asked.isSubset(of: plan.blocks) && asked.count > 4)
  }

  private let effects = [5: 0.5, 6: 0.2]

  private func trial(_ estimates: [Int: Double]) -> CoarseTrial {
    CoarseTrial(
      known(effects, estimates: estimates), plan, splitAt: 0.05, hit: 0.1, sample: 8,
      Random(seed: 1))
  }

  @Test func whatIsFoundIsCountedAndWhatItTakes() {
    let trial = trial([:])
    #expect(trial.cells == 160 && trial.coarse.hits == 2 && trial.coarse.found == 2)
    let own = trial.map.isPatched.joined().count { $0 }
    #expect(trial.patches == own + trial.map.patchedBlocks && trial.patches < 80)
    #expect(trial.coarse.strongest >= 2 && trial.missedHits == 0)
    #expect(trial.map.drawn.count == 8 && trial.missed?.sampled == 8)
  }

  /// The search gets as many cells as the blocks took patches, and not one more.
  @Test func theSearchHasAsManyPatches() {
    let patches = trial([:]).patches
    #expect(patches > 20 && patches < 40)
    // All windows of one row in an order in which the hits come where they are put.
    func found(at rank: Int) -> Int {
      var order = (0..<40).filter { effects[$0] == nil }
      order.insert(contentsOf: effects.keys.sorted(), at: rank)
      let ranks = order.enumerated().map { ($1, 1 - Double($0) / 100) }
      return trial(Dictionary(uniqueKeysWithValues: ranks)).search.found
    }
    #expect(found(at: 0) == 2 && found(at: patches - 2) == 2)
    #expect(found(at: patches - 1) == 1 && found(at: patches) == 0)
  }

  /// Cells that take each other back stay inside their block; those of them that are drawn are found, and
  /// count as skipped all the same.
  @Test func cellsWhoseBlockIsIdleAreMissedAndTheBoundIsTold() throws {
    var drawn = 0
    for seed in 1...6 {
      let trial = CoarseTrial(
        known([5: 0.5, 6: -0.5, 30: 0.3], estimates: [:]), plan, splitAt: 0.05, hit: 0.1,
        sample: 59, Random(seed: UInt64(seed)))
      let missed = try #require(trial.missed)
      #expect(trial.missedHits == 2 && trial.coarse.hits == 3 && missed.bound >= 2)
      #expect(trial.coarse.found == 1 + missed.exceeding)
      drawn += missed.exceeding
    }
    #expect(drawn > 0 && drawn < 12)
  }

  @Test func splitsAreThoseThatAdditivityIsOf() throws {
    let known = known([5: 0.5, 6: 0.2], estimates: [:])
    let trial = CoarseTrial(
      known, plan, splitAt: 0.05, hit: 0.1, sample: 1, Random(seed: 1))
    let (splits, summary) = (
      trial.map.splits(known.recoveries), trial.map.additivity(known.recoveries)
    )
    #expect(splits.count == summary.reduce(0) { $0 + $1.splits } && !splits.isEmpty)
    #expect(splits.allSatisfy { abs($0.sum - $0.whole) < 1e-12 }, "one row, windows that add up")
  }
}
