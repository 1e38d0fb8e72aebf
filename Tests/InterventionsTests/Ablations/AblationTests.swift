// Ablations of the map whose answers can be worked out by hand.

import Foundation
import Interventions
import Tensor
import Testing

private let groups = (0..<8).map { "group \($0)" }

@Suite struct AblationTests {
  @Test func intervalsComeFromTheSameDraws() {
    let found = clusterIntervals(of: [1.0, 2, 3, 4, 5, 6, 7], draws: 400, Random(seed: 1)) {
      [$0.reduce(0, +), -$0.reduce(0, +), 3]
    }
    #expect(found.map(\.value) == [28, -28, 3])
    #expect(found[0].low < 28 && found[0].high > 28)
    #expect(found[0].low == -found[1].high && found[0].high == -found[1].low)
    #expect(found[2].low == 3 && found[2].high == 3)
    // Five groups are too few.
    let few = clusterIntervals(of: [1.0, 2, 3, 4, 5], draws: 10, Random(seed: 1)) { [$0[0]] }
    #expect(few[0].low == -.infinity && few[0].high == .infinity)
  }

  /// Two maps over twelve cells, the last of which is zero by structure and the one before it a pair's alone.
  private func compared(_ x: [Double], _ y: [Double]) -> ComparedCells {
    func pairs(_ map: [Double]) -> [[Double?]] {
      groups.indices.map { i in map.map { $0 * (1 + 0.01 * Double(i)) } + [i == 0 ? nil : 0.001, 0]
      }
    }
    return ComparedCells(estimates: pairs(x), effects: pairs(y))
  }

  @Test func mapsAgreeWithThemselves() throws {
    let map = [0.9, -0.8, 0.7, 0.6, -0.5, 0.4, 0.3, 0.2, 0.1, 0.05]
    let same = try #require(
      compared(map, map).agreement(
        groups: groups, sizes: [3], threshold: 0.65, draws: 100, Random(seed: 2)))
    #expect(same.cells == 11 && same.pairs == 8)
    #expect(same.spearman == Estimate(value: 1, low: 1, high: 1))
    // Three wanted of eleven cells, which are as many.
    #expect(same.shared[0].k == 3 && abs(same.shared[0].chance - 3.0 / 11) < 1e-12)
    #expect(same.shared[0].overlap.value == 1)
    #expect(same.shared[0].precision?.value == 1)
    #expect(abs(same.shared[0].reaching! - 3.0 / 11) < 1e-12)

    let turned = try #require(
      compared(map, map.map { -$0 }).agreement(
        groups: groups, sizes: [3], draws: 100, Random(seed: 2)))
    #expect(turned.spearman.value < -0.9)
    // By size nothing has changed; signed, the strongest are others.
    #expect(turned.shared[0].overlap.value == 1 && turned.shared[0].precision == nil)
    let signed = try #require(
      compared(map, map.map { -$0 }).agreement(
        groups: groups, sizes: [3], by: .signed, threshold: 0.45, draws: 100, Random(seed: 2)))
    #expect(signed.shared[0].overlap.value == 0 && signed.shared[0].precision?.value == 0)
    #expect(abs(signed.shared[0].reaching! - 2.0 / 11) < 1e-12)
  }

  @Test func fewCellsAreComparedByATenth() {
    #expect(comparedCount(50, of: 50) == 50 && comparedCount(50, of: 49) == 5)
    #expect(comparedCount(10, of: 9) == 1 && comparedCount(50, of: 41) == 5)
  }

  // ## Metric

  /// A pair whose corrupt run gives the right word no probability: three cells that help, one that hurts by
  /// the logit difference alone, one that hurts by both, and one that does nothing.
  private func saturated(_ i: Int) -> ComponentMaps {
    let wobble = 1 + 0.02 * Double(i)
    var map = ComponentMap(rows: ["a", "b"], depths: ["lm 0", "lm 1"])
    func table(_ shares: [Double], gap: Double) -> [[Double?]] {
      let cells = shares.map { $0 * gap * wobble }
      return [Array(cells[..<3]), Array(cells[3...])]
    }
    map.sufficiency = [
      table([0.6, 0.3, 0.2, -0.3, -0.2, 0], gap: 10),
      table([0.9, 0.005, 0.02, -0.0001, -0.05, 0], gap: 0.9),
      table([0.8, 0.4, 0.1, -0.2, -0.1, 0], gap: -4),
    ]
    map.necessity = map.sufficiency.map { $0.map { $0.map { $0.map { -$0 } } } }
    map.unrelated = map.sufficiency.map { $0.map { $0.map { $0.map { $0 / 2 } } } }
    return ComponentMaps(clean: [5, 0.95, 0], corrupt: [-5, 0.05, 4], families: [map])
  }

  @Test func whatProbabilityDoesNotSeeIsLost() throws {
    let maps = groups.indices.map(saturated)
    for direction in Direction.allCases {
      let cells = MeteredCells(maps, families: [0], direction, groups: groups)
      let hurting = cells.cells(hurting: true, draws: 200, Random(seed: 1))
      let helping = cells.cells(hurting: false, draws: 200, Random(seed: 1))
      #expect(hurting == [3, 4] && helping == [0, 1, 2], "\(direction)")
      func lost(_ cells: MeteredCells, _ list: [Int], hurting: Bool, _ metric: Int) -> Double? {
        cells.lost(list, hurting: hurting, by: metric, draws: 50, Random(seed: 1))?.value
      }
      #expect(lost(cells, hurting, hurting: true, 1) == 0.5)
      #expect(lost(cells, hurting, hurting: true, 2) == 0)
      #expect(abs(lost(cells, helping, hurting: false, 1)! - 1.0 / 3) < 1e-12)
      #expect(lost(cells, [], hurting: true, 1) == nil)
    }
    let unrelated = MeteredCells(maps, families: [0], .sufficiency, unrelated: true, groups: groups)
    let own = MeteredCells(maps, families: [0], .sufficiency, groups: groups)
    let (half, whole) = (
      try #require(unrelated.share(2, cell: 0, draws: 50, Random(seed: 1))),
      try #require(own.share(2, cell: 0, draws: 50, Random(seed: 1)))
    )
    #expect(abs(half.value * 2 - whole.value) < 1e-12 && whole.value > 0.8)
    let agreements = own.agreements(draws: 50, Random(seed: 1))
    #expect(agreements.count == 3 && agreements.allSatisfy { $0.agreement.cells == 5 })
    #expect(agreements[0].agreement.spearman.value < agreements[1].agreement.spearman.value + 1e-12)
    #expect(maps.sufficiency(0, of: ["b"]) == [[-0.3, -0.2, 0].map { $0 * 1.07 }])
  }

  @Test func searchIsReadByKindAndDepth() throws {
    let maps = groups.indices.map { i -> ComponentMaps in
      var map = ComponentMap(rows: ["a", "b"], depths: ["encoder 0", "lm 1"])
      let effects = (0..<20).map { Double(20 - $0) * (1 + 0.01 * Double(i)) }
      map.sufficiency = [[Array(effects[..<10]), Array(effects[10...])]]
      // The first row is proposed as it is, the second turned round.
      map.estimates = [Array(effects[..<10]), effects[10...].map { -$0 }]
      return ComponentMaps(clean: [10], corrupt: [-10], families: [map])
    }
    let rows = maps.searchRows(
      families: ["residual"], layered: [0], groups: groups, series: "m", draws: 50, Random(seed: 1))
    func row(_ panel: String, _ place: String) throws -> AblationRow {
      try #require(rows.first { $0.panel == panel && $0.place == place })
    }
    // A tenth of 20 cells, and of 10.
    #expect(try row("overlap by kind, size", "residual").number.value == 1)
    #expect(try row("overlap by kind, size", "residual").chance == 0.1)
    #expect(try row("overlap by depth, signed", "encoder 0").number.value == 1)
    #expect(try row("overlap by depth, signed", "lm 1").number.value == 0)
    #expect(try row("spearman by depth", "lm 1").number.value == -1)
    #expect(try row("precision by kind, size", "residual").number.value == 1)
    #expect(rows.map(\.place).filter { $0 != "residual" }.first == "encoder 0")
  }

  // ## Granularity

  @Test func sizesOfSetsReachTheLast() {
    #expect(GrainOrder.ladder(to: 1) == [1])
    #expect(GrainOrder.ladder(to: 8) == [1, 2, 5, 8])
    #expect(GrainOrder.ladder(to: 10) == [1, 2, 5, 10])
    #expect(GrainOrder.ladder(to: 2912).suffix(4) == [500, 1000, 2000, 2912])
  }

  @Test func componentsAreRankedTowardsTheSource() {
    let singles = (0..<3).map { _ -> GrainSingles in
      var one = GrainSingles(clean: 1, corrupt: -1)
      one.single = [[0.1, -0.9, 0.5, 0.1]]
      return one
    }
    let order = GrainOrder(
      ranking: singles, kind: 0, components: 4, draws: 3, Random(seed: 1))
    #expect(order.ranked == [2, 0, 3, 1] && order.counts == [1, 2, 4])
    #expect(order.random.allSatisfy { $0.sorted() == [0, 1, 2, 3] } && order.random.count == 3)
  }

  // ## Window

  /// Forty positions, of which 18 and 19 carry all of the effect in equal parts; the effect of a window is
  /// the sum of its positions', so that nothing is joint.
  private func sweep(_ i: Int) -> WindowSweep {
    var sweep = WindowSweep(clean: 4, corrupt: -4, changed: [18, 19], milliseconds: 40)
    let wobble = 1 + 0.01 * Double(i)
    for size in WindowSweep.sizes {
      let shares = ((1 - size)..<40).map { first in
        Double((first..<(first + size)).count { $0 == 18 || $0 == 19 }) / 2
      }
      sweep.sufficiency.append(shares.map { -4 + 8 * $0 * wobble })
      sweep.necessity.append(shares.map { 4 - 8 * $0 * wobble })
      sweep.unrelated.append(shares.map { _ in -4 + 0.8 })
    }
    sweep.whole = [-4 + 8 * wobble, 4 - 8 * wobble]
    return sweep
  }

  @Test func windowsAreReadAtEveryStride() throws {
    let rows = groups.indices.map(sweep).rows(
      groups: groups, milliseconds: 40, searched: [0, 1, 2], series: "m", draws: 200,
      Random(seed: 1))
    func value(_ panel: String, _ place: String, _ arm: String = "sufficiency") throws -> Double {
      try #require(
        rows.first { $0.panel == panel && $0.place == place && $0.series == "m, \(arm)" }
      ).number.value
    }
    #expect(abs(try value("begins with the phone", "1") - 0.5 * 1.035) < 1e-12)
    #expect(abs(try value("begins with the phone", "2", "necessity") - 1.035) < 1e-12)
    // Pairs 3 to 7 alone.
    #expect(abs(try value("best placed", "1") - 0.5 * 1.05) < 1e-12)
    for stride in ["one", "half", "size"] {
      for size in WindowSweep.sizes {
        #expect(abs(try value("inside, stride \(stride)", "\(size)") - 1) < 1e-12)
        #expect(
          abs(try value("joint over sum, stride \(stride)", "\(size)") - 1) < 1e-12,
          "\(size) \(stride)")
      }
    }
    let control = try #require(
      rows.first { $0.panel == "inside, stride size" && $0.series == "m, unrelated item" })
    #expect(abs(control.number.value - 2.0 / 40) < 1e-12)
    #expect(abs(control.chance! - 2.0 / 40) < 1e-12)
    let half = try #require(
      rows.first { $0.panel == "half width" && $0.series == "m, necessity" })
    #expect(half.number.value == 40 && half.place == "m")
  }

  // ## Pairs

  @Test func morePairsSayTheSameMoreSurely() throws {
    var stream = Random(seed: 5).split("pairs")
    let above = (0..<96).map { _ in 0.7 + 0.2 * stream.normal() }
    let ratio = PairRatio("r", above: above, below: above.map { _ in 1 })
    let groups = above.indices.map { "g\($0)" }
    #expect(subsampleSizes(of: 96) == [6, 12, 24, 48, 96] && subsampleSizes(of: 5) == [5])
    let found = try ratio.subsampled(
      subsampleSizes(of: 96), groups: groups, samples: 60, draws: 200, Random(seed: 1))
    let mean = above.reduce(0, +) / 96
    #expect(found.allSatisfy { abs($0.value.value - mean) < 0.05 })
    #expect(abs(found.last!.value.value - mean) < 1e-12)
    #expect(found.last!.value.low == found.last!.value.high)
    let spreads = found.map { $0.value.high - $0.value.low }
    #expect(zip(spreads, spreads.dropFirst()).allSatisfy { $0 > $1 })
    let widths = found.map { $0.width!.value }
    #expect(zip(widths, widths.dropFirst()).allSatisfy { $0 > $1 })
    // Four times the pairs, about half the width.
    #expect((1.5...3).contains(widths[1] / widths[3]))
    // The same subsamples whatever else is drawn.
    let again = try ratio.subsampled([12], groups: groups, samples: 60, draws: 50, Random(seed: 1))
    #expect(again[0].value == found[1].value)
  }
}
