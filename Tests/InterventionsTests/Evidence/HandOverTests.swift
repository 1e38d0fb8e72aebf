// Where along depth an answer is handed over, two readers of the same pairs, and the rules by which that
// is judged.

import Interventions
import Tensor
import Testing

@Suite struct HandOverTests {
  @Test func crossingIsTheDepthFromWhichOnValuesStayThere() {
    let depths = [0.0, 3, 6, 9]
    #expect(crossing([1, 0.9, 0.3, 0], at: depths, 0.5, rises: false) == 5)
    #expect(crossing([0, 0.1, 0.4, 1], at: depths, 0.5, rises: true) == 6.5)
    // Only the last time counts.
    #expect(crossing([0, 0.8, 0.2, 0.7], at: depths, 0.5, rises: true)! > 6)
    #expect(crossing([0.1, 0.9, 0.1, 0], at: depths, 0.5, rises: false)! > 3)
    #expect(crossing([0.2, 0.1, 0, 0], at: depths, 0.5, rises: false) == 0)
    #expect(crossing([0, 0.1, 0.2, 0.4], at: depths, 0.5, rises: true) == nil)
    #expect(crossing([0, 0, 0.5, 0.5], at: depths, 0.5, rises: true) == 6)
  }

  /// A pair whose one window moves these shares of a gap of `gap`, site by site.
  private func pair(_ shares: [Double?], gap: Double = 2, found: [[Double?]] = []) -> PairMap {
    var map = PairMap(clean: gap / 2, corrupt: -gap / 2)
    map.sufficiency = shares.map { [$0.map { -gap / 2 + $0 * gap }] }
    map.necessity = shares.map { [$0.map { gap / 2 - $0 * gap }] }
    map.searchSufficiency = found
    return map
  }

  @Test func handOverIsOfMeansWithAnIntervalOverGroups() throws {
    // A site without the position moves nothing.
    let maps = (0..<12).map { i in
      pair([nil, 0.1, 0.4 + 0.02 * Double(i % 3), 0.9, 1], gap: 1 + Double(i % 2))
    }
    let groups = (0..<12).map { "g\($0)" }
    for direction in Direction.allCases {
      let found = try #require(
        maps.crossing(
          direction, sites: 0..<5, depths: [0, 2, 4, 6, 8], threshold: 0.5, rises: true,
          groups: groups, draws: 500, Random(seed: 1)
        ) { direction == .sufficiency ? $0.sufficiency[$1][0] : $0.necessity[$1][0] })
      #expect(abs(found.value - (4 + 2 * 0.08 / 0.48)) < 1e-9)
      #expect(found.low < found.value && found.value < found.high && found.high - found.low < 0.2)
    }
    #expect(
      maps.crossing(
        .sufficiency, sites: 0..<4, depths: [0, 2, 4, 6], threshold: 0.95, rises: true,
        groups: groups, draws: 10, Random(seed: 1)
      ) { $0.sufficiency[$1][0] } == nil)
  }

  @Test func theStrongestWindowIsComparedSiteBySite() {
    var map = PairMap(clean: 1, corrupt: -1)
    map.sufficiency = [[0.9, 0, nil], [-0.5, 0.2, 0.1], [nil, nil, nil]]
    map.searchSufficiency = [[1, 2, nil], [0, 3, 9], [nil, nil, nil]]
    let maps = [map, map]
    func share(_ windows: [Int]) -> Double {
      maps.sameStrongest(
        sites: 0..<3, windows: windows, groups: ["a", "b"], draws: 10, Random(seed: 1)
      ).value
    }
    #expect(share([0, 1, 2]) == 0)
    #expect(share([0, 1]) == 0.5)
  }

  @Test func readersAreComparedOnTheSamePairs() {
    let (own, theirs) = (
      (0..<8).map { pair([0.6 + 0.01 * Double($0)], gap: 2) },
      (0..<8).map { pair([0.8], gap: 1 + Double($0)) }
    )
    let found = own.difference(
      .sufficiency, to: theirs, groups: (0..<8).map { "g\($0)" }, draws: 500, Random(seed: 1),
      { $0.sufficiency[0][0] }, { $0.sufficiency[0][0] })
    #expect(abs(found.value - (0.635 - 0.8)) < 1e-9)
    #expect(found.low < found.value && found.value < found.high && found.low > -0.2)
  }

  @Test func rulesOfAskedPairsAreWhatWasFixed() throws {
    let folder = try Folder()
    func message(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return ""
    }
    let text = """
      {"speechLM": {"atMost": {"people": 12}, "claims": {"Q1": "something holds"},
        "everyPair": {"people": 5}, "everyTurn": {"heads": 4}, "handOver": {"from": 8, "to": 18},
        "margin": 0.1, "windows": {"layers": 3, "next": 120}}}
      """
    let rules = try AskedRules(folder.write("a.json", text))
    #expect(rules.handOver == 8...18 && rules.margin == 0.1)
    #expect(try rules.step(ofPairs: "people") == 5 && rules.most(ofPairs: "people") == 12)
    #expect(try rules.step(ofTurns: "heads") == 4 && rules.statement("Q1") == "something holds")
    #expect(message { _ = try rules.step(ofTurns: "people") }.contains("everyTurn"))
    #expect(message { _ = try rules.statement("Q2") }.contains("Q2"))
    for (old, new, expected) in [
      ("\"next\": 120", "\"next\": 100", "windows"), ("\"layers\": 3", "\"layers\": 2", "windows"),
      ("\"to\": 18", "\"to\": 7", "handOver"), ("0.1", "-0.1", "margin"),
    ] {
      let path = try folder.write("b.json", text.replacing(old, with: new))
      let found = message { _ = try AskedRules(path) }
      #expect(found.contains(path) && found.contains(expected), "\(found)")
    }
    let none = try AskedRules(
      folder.write("c.json", text.replacing("\"people\": 12", with: "\"people\": 0")))
    #expect(message { _ = try none.most(ofPairs: "people") }.contains("atMost"))
  }

  @Test func verdictsAskForWholeIntervals() {
    func around(_ value: Double, _ width: Double = 0.1) -> Estimate {
      Estimate(value: value, low: value - width, high: value + width)
    }
    let good = AskedVerdicts(
      sufficiency: around(0.7), necessity: around(0.65), unrelated: around(0.3),
      takesOver: [around(12, 1), around(14, 2)], difference: around(0, 0.05))
    #expect(good.isBottleneck(0.5) && good.takesOver(in: 8...18) && good.readsAsMuch(within: 0.1))
    var bad = good
    bad.necessity = around(0.55)
    #expect(!bad.isBottleneck(0.5))
    bad = good
    bad.unrelated = around(0.55)
    #expect(!bad.isBottleneck(0.5))
    for depth in [around(17, 2), around(9, 2), nil] {
      bad.takesOver = [around(12, 1), depth]
      #expect(!bad.takesOver(in: 8...18))
    }
    bad.difference = around(-0.06, 0.05)
    #expect(!bad.readsAsMuch(within: 0.1))
  }

  @Test func spreadTakesFromEverywhere() {
    #expect([0, 1, 2].spread(3) == [0, 1, 2] && [0, 1].spread(5) == [0, 1])
    #expect(Array(0..<10).spread(4) == [0, 2, 5, 7])
  }
}
