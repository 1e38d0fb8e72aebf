// The certificate of a search, on maps small enough to work out by hand.

import Foundation
import Interventions
import Tensor
import Testing

@Suite struct CertificateTests {
  // Strongest by |effect|: cells 3, 0, 2, 4, 1; by |score|: 0, 3, 4, 1, 2.
  let scores: [Double?] = [4, 0.5, -0.1, -3, 1, nil, 7]
  let effects: [Double?] = [2, 0.1, 1, -3, -0.5, 9, nil]

  @Test func byHand() throws {
    let found = try Certificate(
      of: scores, against: effects, searchCost: 4, threshold: 0.9)
    #expect(found.cells == 5)
    #expect(found.pearson == pearson([4, 0.5, -0.1, -3, 1], [2, 0.1, 1, -3, -0.5]))
    #expect(found.kendall == kendall([4, 0.5, -0.1, -3, 1], [2, 0.1, 1, -3, -0.5]))
    // Signs differ in cells 2 and 4, which hold 1.5 of 6.6.
    #expect(abs(found.signAgreement! - 5.1 / 6.6) < 1e-15)
    #expect(found.largestDifference == 2)
    // 1% and 5% of five cells are one cell: the search's first is not the strongest, but strong.
    #expect(found.agreements.map(\.name) == ["1%", "5%"])
    let top = found.agreements[0]
    #expect(top.k == 1 && top.overlap == 0 && top.chance == 0.2)
    #expect(top.precision == 1 && top.recall == 1.0 / 3)
    // Ranks of the strongest in the search: 2, 1, 5, 3, 4.
    #expect(found.recallCosts.map(\.k) == [1, 2, 5])
    #expect(found.recallCosts.map(\.cost) == [6, 6, 9])
    #expect(found.recallCosts.map(\.ratio) == [6, 3, 1.8])
    #expect(found.recallCosts.map(\.random) == [3, 2, 1])
    #expect(found.recallCosts.map(\.exhaustive) == [5, 2.5, 1])
    let logs = log(6.0) + log(3.0) / 2 + log(3.0) / 3 + log(9.0 / 4) / 4 + log(1.8) / 5
    let weights = 1.0 + 1.0 / 2 + 1.0 / 3 + 1.0 / 4 + 1.0 / 5
    #expect(abs(found.meanCostRatio - exp(logs / weights)) < 1e-14)
  }

  /// Of the maps of pairs: ratios of means over the pairs that have a cell; the direction decides the
  /// sign.
  @Test func ofPairs() throws {
    func pair(_ corrupt: Double, _ estimates: [Double?], _ patched: [Double?]) -> PairMap {
      var map = PairMap(clean: corrupt + 4, corrupt: corrupt)
      map.searchSufficiency = [estimates]
      map.sufficiency = [patched]
      map.searchNecessity = [estimates.map { $0.map { -$0 } }]
      map.necessity = [patched.map { $0.map { 2 * corrupt + 4 - $0 } }]
      return map
    }
    let pairs = [
      pair(-2, [1, 3, 0, nil, 9, 5], [-1, 2, -2, 0, nil, -2]),
      pair(-1, [3, 1, 1, 2, 9, 0], [1, 0, 0, 0, 3, -1]),
    ]
    func certificate(_ direction: Direction) throws -> Certificate {
      try pairs.certificate(
        direction,
        estimates: direction == .sufficiency ? \.searchSufficiency : \.searchNecessity,
        effects: direction == .sufficiency ? \.sufficiency : \.necessity, groups: ["a", "b"],
        searchCost: 4, threshold: 0.5, Random(seed: 1))
    }
    let found = try certificate(.sufficiency)
    // Estimates 2, 2, 0.5 and effects (1 + 2) / 2, (4 + 1) / 2, 1 / 2 over a gap of 4; the next two
    // are those of the second pair alone: 2 and 9 estimated, 1 and 4 exact; the last has no effect.
    #expect(found.cells == 5)
    #expect(
      found.pearson == pearson([0.5, 0.5, 0.125, 0.5, 2.25], [0.375, 0.625, 0.125, 0.25, 1]))
    #expect(found.largestDifference == 1.25)
    #expect(found.agreements[0].k == 1 && found.agreements[0].recall == 0.5)
    #expect(found.intervals?.pearson.value == found.pearson)
    #expect(try certificate(.necessity) == found)
  }

  /// A cell counts in the pairs that have both numbers, unless its exact effect is zero in all of them,
  /// whatever was estimated.
  @Test func whichCellsCount() {
    let found = ComparedCells(
      estimates: [[1, 2, nil, 5, nil], [3, nil, 4, 6, nil]],
      effects: [[2, 0, 1, 0, nil], [nil, 1, 1, 0, nil]])
    #expect(found.zeros == [3])
    #expect(found.estimates == [[1, 2, nil, nil, nil], [nil, nil, 4, nil, nil]])
    #expect(found.effects == [[2, 0, nil, nil, nil], [nil, nil, 1, nil, nil]])
    #expect(found.meanEffects == [2, 0, 1, nil, nil])
  }

  /// A search that is right to the order costs itself and K passes; its rivals cost more.
  @Test func perfectSearch() throws {
    let effects = (0..<400).map { Double(($0 * 37) % 400) - 3 as Double? }
    let found = try Certificate(of: effects, against: effects, searchCost: 4, threshold: 380)
    #expect(found.pearson! > 1 - 1e-12 && found.spearman! > 1 - 1e-12 && found.kendall == 1)
    #expect(found.agreements.map(\.k) == [10, 4, 20, 50])
    #expect(found.agreements.allSatisfy { $0.overlap == 1 })
    #expect(found.agreements[0].chance == 10.0 / 400 && found.agreements[0].precision == 1)
    // 17 cells reach 380: ten of them are proposed at K = 10, all at K = 20.
    #expect(found.agreements[0].recall == 10.0 / 17)
    #expect(found.agreements[2].recall == 1 && found.agreements[2].precision == 17.0 / 20)
    #expect(found.recallCosts.allSatisfy { $0.cost == 4 + Double($0.k) })
    #expect(found.recallCosts.last!.k == 400)
  }

  /// Equal scores are taken in order of their index.
  @Test func tiesByIndex() throws {
    let flat = [Double?](repeating: 1, count: 100)
    let found = try Certificate(
      of: flat, against: (0..<100).map { $0 < 10 ? 1 : 0 as Double? }, searchCost: 0)
    #expect(found.agreements[0].k == 10 && found.agreements[0].overlap == 1)
    #expect(found.pearson == nil && found.agreements[0].precision == nil)
  }

  @Test func whatCannotBeCompared() throws {
    #expect(throws: EvidenceError.self) {
      try Certificate(of: [1, nil], against: [1, 2], searchCost: 4)
    }
    #expect(throws: EvidenceError.self) {
      try Certificate(of: [1, 2, 3], against: [1, 2], searchCost: 4)
    }
    #expect(throws: EvidenceError.self) {
      try Certificate(of: [1, .nan], against: [1, 2], searchCost: 4)
    }
  }

  @Test func missedCells() throws {
    // None of 20 of 100 cells: 13 marked ones would be missed with less than 5%.
    let none = MissedCells(
      sampledEffects: [Double](repeating: 0.1, count: 20), unverified: 100, threshold: 0.5, seed: 7)
    #expect(none.exceeding == 0 && none.bound == 12)
    // Size counts, not sign, and the threshold itself reaches it.
    let some = MissedCells(
      sampledEffects: [-0.5, 0.5, 0.4, 0], unverified: 4, threshold: 0.5, seed: 7)
    #expect(some.exceeding == 2 && some.bound == 2)
    #expect(none.description.contains("at most 12"))
  }

  @Test func roundTripAndText() throws {
    var random = Random(seed: 4)
    let pairs = (0..<24).map { _ in (0..<60).map { _ in random.normal() } }
    let noisy = pairs.map { $0.map { $0 + 0.5 * random.normal() } }
    let groups = (0..<24).map { "g\($0 / 2)" }
    func mean(_ maps: [[Double]]) -> [Double?] {
      (0..<60).map { cell in maps.reduce(0) { $0 + $1[cell] } / 24 }
    }
    let missed = MissedCells(
      sampledEffects: [0, 1, 0.2], unverified: 50, threshold: 0.5, seed: 9)
    let found = try Certificate(
      of: mean(noisy), against: mean(pairs), searchCost: 4, threshold: 0.2,
      intervals: correlations(noisy, pairs, groups: groups, draws: 300, Random(seed: 1)),
      missed: missed)
    #expect(abs(found.intervals!.pearson.value - found.pearson!) < 1e-12)
    #expect(found.intervals!.spearman.low < found.spearman!)
    #expect(found.intervals!.spearman.high > found.spearman! - 0.1)
    let data = try JSONEncoder().encode(found)
    #expect(try JSONDecoder().decode(Certificate.self, from: data) == found)
    for part in [
      "Pearson", "Kendall", "top 10", "overlap", "by chance 16.7%", "strongest 50", "seed 9",
    ] {
      #expect(found.description.contains(part), "\(part) in\n\(found)")
    }
  }

  /// Half of the groups have the effects that were estimated, half have the opposite: which groups are
  /// drawn decides the correlation, which pairs are drawn does not.
  @Test func intervalsDrawGroups() {
    var random = Random(seed: 6)
    let pattern = (0..<40).map { _ in random.normal() }
    let scores = (0..<60).map { _ in pattern.map { $0 + 0.1 * random.normal() } }
    let effects = (0..<60).map { pair in
      pattern.map { (pair % 6 < 3 ? 1.5 : -0.7) * $0 + 0.1 * random.normal() }
    }
    func low(_ groups: [String]) -> Double {
      correlations(scores, effects, groups: groups, draws: 400, Random(seed: 1)).pearson.low
    }
    #expect(low((0..<60).map { "\($0 % 6)" }) < -0.9)
    #expect(low((0..<60).map { "\($0)" }) > 0.9)
  }
}
