// Recoveries with intervals over groups, the test of a whole map, and correlations of maps that lack
// cells: by hand, with too few groups, and on simulated data.

import Interventions
import Tensor
import Testing

private func outcome(_ difference: Double, _ probability: Double = 0.5) -> Outcome {
  Outcome(
    logitDifference: difference, probability: probability, foilProbability: 0.1, sequence: nil,
    divergence: nil)
}

@Suite struct GroupedRecoveryTests {
  private let runs = [
    (clean: outcome(3, 0.9), corrupt: outcome(-1, 0.1)),
    (clean: outcome(5, 0.8), corrupt: outcome(-3, 0.2)),
    (clean: outcome(2, 0.7), corrupt: outcome(-2, 0.3)),
  ]

  @Test func ratioOfMeansByHand() {
    let patched: [Outcome?] = [outcome(1, 0.3), nil, outcome(0, 0.5)]
    let there = CellChanges(
      .sufficiency, .logitDifference, runs: runs, patched: patched, groups: ["a", "a", "b"])
    // (2 + 2) of (4 + 4); the second pair has no such cell.
    #expect(there.changes == [2, 2] && there.gaps == [4, 4] && there.groups == ["a", "b"])
    #expect(there.recovery == 0.5 && there.mean == 2 && there.meanGap == 4)
    let back = CellChanges(
      .necessity, .logitDifference, runs: runs, patched: patched, groups: ["a", "a", "b"])
    // From 3 to 1 and from 2 to 0.
    #expect(back.changes == [-2, -2] && back.recovery == 0.5)
    let probable = CellChanges(
      .sufficiency, .probability, runs: runs, patched: patched, groups: ["a", "a", "b"])
    #expect(abs(probable.recovery! - 0.4 / 1.2) < 1e-15)
    // The sequence was not read.
    let unread = CellChanges(
      .sufficiency, .sequence, runs: runs, patched: patched, groups: ["a", "a", "b"])
    #expect(unread.recovery == nil && unread.mean == nil)
    #expect(unread.estimate(Random(seed: 1)) == nil)
  }

  /// What the control also does is taken off, and pairs without a control do not enter.
  @Test func contrastsTakeOffTheControl() {
    let found = CellChanges(
      .sufficiency, .logitDifference, runs: runs,
      patched: [outcome(1), outcome(1), outcome(0)], control: [outcome(0), nil, outcome(-1)],
      groups: ["a", "a", "b"])
    #expect(found.changes == [1, 1] && found.gaps == [4, 4] && found.recovery == 0.25)
  }

  @Test func intervalsWantGroups() throws {
    func estimate(groups: Int) throws -> GroupedRecovery {
      var random = Random(seed: 5)
      let runs = (0..<24).map { _ in (clean: outcome(4), corrupt: outcome(-4)) }
      return try #require(
        CellChanges(
          .sufficiency, .logitDifference, runs: runs,
          patched: (0..<24).map { _ in outcome(random.normal()) },
          groups: (0..<24).map { "\($0 % groups)" }
        ).estimate(draws: 500, Random(seed: 1)))
    }
    let few = try estimate(groups: fewestGroups - 1)
    #expect(few.interval == nil && few.groups == fewestGroups - 1 && few.pairs == 24)
    let enough = try estimate(groups: fewestGroups)
    #expect(enough.value == few.value && enough.groups == fewestGroups)
    #expect(enough.interval!.low < enough.value && enough.interval!.high > enough.value)
  }

  /// At the fewest groups the interval still holds the truth about as often as it says.
  @Test func theFewestGroupsCover() throws {
    let found = try intervalCoverage(
      groups: fewestGroups, trials: 600, draws: 600, Random(seed: 8).split("few"))
    #expect((0.91...0.98).contains(found.clusters.value), "\(found.clusters)")
  }
}

@Suite struct MapSignificanceTests {
  /// Ten groups of two pairs, two rows by four columns: one effect, noise, a zero by structure, and a
  /// cell that no pair has.
  private func map(groups: Int) -> (changes: [[[Double?]]], groups: [String]) {
    var random = Random(seed: 2)
    let pairs = 2 * groups
    let changes = (0..<pairs).map { _ -> [[Double?]] in
      [
        [2 + 0.3 * random.normal(), random.normal(), 0, nil],
        [random.normal(), random.normal(), random.normal(), nil],
      ]
    }
    return (changes, (0..<pairs).map { "\($0 / 2)" })
  }

  @Test func onlyWhatCouldBeFoundIsTested() {
    let (changes, groups) = map(groups: 10)
    let found = MapSignificance(changes, groups: groups, draws: 2000, Random(seed: 1))
    #expect(found.groups == 10 && found.family == 5)
    #expect(found.tests[0][2] == nil && found.tests[0][3] == nil && found.tests[1][3] == nil)
    #expect(found.significant() == 1 && found.tests[0][0]!.p <= 0.01)
    // Cells stand where they stood.
    let alone = maxT(
      [clusterMeans(changes.map { $0[1][2]! }, groups: groups)], draws: 100, Random(seed: 1))
    #expect(found.tests[1][2]!.t == alone[0]!.t)
    #expect("\(found)".contains("max-T over 5 cells and 10 groups: 1 differ"))
  }

  @Test func tooFewGroupsAreNotTested() {
    let (changes, groups) = map(groups: fewestGroups - 1)
    let found = MapSignificance(changes, groups: groups, Random(seed: 1))
    #expect(found.tests.isEmpty && found.family == 0 && found.significant() == 0)
    #expect("\(found)".contains("\(fewestGroups - 1) groups are too few"))
  }
}

@Suite struct IncompleteMapTests {
  /// A cell is the mean over the pairs that have it; the others say nothing of it.
  @Test func missingCellsDoNotCount() {
    let x: [[Double?]] = [[1, 2, 3, 4], [1, 2, nil, 4], [4, 2, 3, 100]]
    let y: [[Double?]] = [[2, 1, 5, 3], [2, 1, 50, 3], [3, 1, 5, nil]]
    let found = correlations(x, y, groups: ["a", "b", "c"], draws: 50, Random(seed: 1))
    let (a, b) = ([2.0, 2, 3, 4], [7.0 / 3, 1, 5, 3])
    #expect(abs(found.pearson.value - pearson(a, b)) < 1e-12)
    #expect(abs(found.spearman.value - spearman(a, b)) < 1e-12)
    #expect(abs(found.kendall.value - kendall(a, b)) < 1e-12)
  }
}
