// Numbers of maps whose answers can be worked out by hand: where an effect lies, which block of cells meets
// the rule, how alike two maps are, how far a sound spreads.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

private let sites = [
  Site(.encoder, .embed), Site(.encoder, 0, .residPost), Site(.connector, .out),
  Site(.lm, 0, .residPost), Site(.lm, 1, .residPost),
]
private let options = LocalisationOptions(
  sites: sites, early: 1, share: 0.8, threshold: 0.5, draws: 500)

/// A map with a gap of 10 nats in which cells move a share of it, in both directions.
private func map(
  _ share: (_ site: Int, _ window: Int) -> Double, unrelated: (Int, Int) -> Double = { _, _ in 0 }
) -> TaskMap {
  let windows = TaskWindows.names.indices
  var map = PairMap(clean: 5, corrupt: -5)
  func table(_ base: Double, _ sign: Double, _ share: (Int, Int) -> Double) -> [[Double?]] {
    sites.indices.map { site in windows.map { base + sign * 10 * share(site, $0) } }
  }
  map.sufficiency = table(-5, 1, share)
  map.necessity = table(5, -1, share)
  map.unrelated = table(-5, 1, unrelated)
  return TaskMap(map: map, unrelatedNecessity: table(5, -1, unrelated))
}

@Suite struct LocalisationTests {
  let pairs: [MinimalPair]
  let zero = 1 - TaskWindows.locked.fixed.lowerBound

  init() throws {
    pairs = Array(
      try PairSuite(manifest: "\(root)/data-manifests/evaluation.json").pairs
        .filter { $0.split == "validation" }.prefix(8))
  }

  @Test func windowsCoverTheSoundOnce() throws {
    for pair in pairs {
      let windows = TaskWindows.all(of: pair)
      #expect(windows.count == TaskWindows.names.count)
      let end = pair.clean.phones.last!.end
      let spans: [TimeSpan?] = stride(from: 0.0, to: end, by: 20).map { TimeSpan($0, $0 + 20) }
      let counted = windows[TaskWindows.sound].flatMap { $0.positions(in: spans) }
      #expect(counted.sorted() == Array(spans.indices))
      let changed = windows[zero].positions(in: spans)
      #expect(
        changed.contains { spans[$0]!.end > pair.onset && spans[$0]!.start < pair.changed.end })
      #expect(TaskWindows.near(pair).contains(zero))
      #expect(!TaskWindows.near(pair).contains(0))
    }
  }

  @Test func placeIsWhereTheEffectIs() throws {
    // All of the effect at the two lowest depths in the changed window, and at the last depth at the
    // position that is read.
    let maps = pairs.map { _ in
      map { site, window in
        if window == TaskWindows.answer { return site >= 3 ? 0.9 : 0.1 }
        if window == TaskWindows.whole { return 0.8 }
        return site < 3 && (window == zero || window == zero + 1) ? 0.5 : 0
      }
    }
    let found = maps.localisation(.necessity, of: pairs, options, Random(seed: 1))
    #expect(abs(found.depth.value - 1.0 / 4) < 1e-12)
    #expect(abs(found.early.value - 1.0 / 3) < 1e-12)
    #expect(abs(found.near.value - 1) < 1e-12)
    #expect(found.duration.value == 240)
    let joint = try #require(found.joint)
    #expect(abs(joint.value - 0.8) < 1e-12)
    // Between the third depth and the fourth the answer's position rises from .1 to .9.
    #expect(abs(found.takesOver!.value - 2.5 / 4) < 1e-12)
    #expect(found.range[0].value < found.depth.value && found.depth.value < found.range[1].value)
  }

  @Test func quantilesAndRuns() {
    #expect(depthQuantile(0.5, of: [0, 0, 1, 0, 0]) == 2)
    #expect(depthQuantile(0.25, of: [0, 1, 1, 0]) == 1)
    #expect(depthQuantile(0.1, of: [1, 0, 0]) == 0)
    #expect(depthQuantile(0.9, of: [-4, 0, 2]) == 2)
    #expect(shortestRun(holding: 0.8, of: [0, 1, 8, 1, 0, 0]) == 1)
    #expect(shortestRun(holding: 0.9, of: [0, 1, 8, 1, 0, 0]) == 2)
    // Half of it before the first fixed window: none holds enough.
    #expect(shortestRun(holding: 0.8, of: [5, 5, 0, 0]) == 2)
  }

  @Test func theBlockIsTheLargestRectangle() {
    let (o, x) = (false, true)
    #expect(largestBlock(of: [[o, o], [o, o]]) == nil)
    #expect(
      largestBlock(of: [[x, o, o], [x, x, x], [o, x, x]])
        == MapBlock(sites: 1..<3, windows: 1..<3))
    #expect(largestBlock(of: [[x, x, o]]) == MapBlock(sites: 0..<1, windows: 0..<2))
    #expect(
      largestBlock(of: [[o, x, o], [o, x, o], [o, x, o]]) == MapBlock(sites: 0..<3, windows: 1..<2))
  }

  @Test func aBottleneckNeedsBothDirectionsAndTheContrast() {
    let groups = pairs.indices.map { "group \($0)" }
    func verdict(_ maps: [TaskMap]) -> BlockVerdict {
      maps.blockVerdict(
        groups: groups, threshold: 0.5, level: 0.05, draws: 2000, Random(seed: 3))
    }
    // Real effects differ a little from pair to pair, as measured ones do.
    func shares(_ pair: Int, _ site: Int, _ window: Int) -> Double {
      site < 2 && window == zero ? 0.8 + 0.01 * Double(pair) : 0
    }
    let plain = verdict(pairs.indices.map { i in map { shares(i, $0, $1) } })
    #expect(plain.block == MapBlock(sites: 0..<2, windows: zero..<(zero + 1)))
    #expect(plain.holds(upTo: 0.2))
    #expect(!plain.holds(upTo: 0.01))
    // An unrelated item does the same.
    let same = verdict(
      pairs.indices.map { i in
        map({ shares(i, $0, $1) }, unrelated: { shares((i + 1) % 8, $0, $1) })
      })
    #expect(same.block == nil)
    // One direction alone.
    let oneway = verdict(
      pairs.indices.map { i in
        var one = map { shares(i, $0, $1) }
        one.map.necessity = one.map.necessity.map { $0.map { _ in 5 } }
        return one
      })
    #expect(oneway.block == nil && oneway.significance.significant() > 0)
    // Everywhere: no place.
    let all = verdict(pairs.indices.map { i in map { _, _ in 0.7 + 0.01 * Double(i) } })
    #expect(all.block != nil && !all.holds(upTo: 0.2))
  }

  @Test func likenessKnowsTheClock() throws {
    func placed(_ window: Int) -> PairMap {
      map { site, w in w == window ? 0.9 - 0.1 * Double(site) : 0.001 * Double(w) }.map
    }
    let (a, later) = (placed(zero), placed(zero + 2))
    let own = try #require(
      MapLikeness(a, a, windows: 0, onsets: (500, 500), connector: 2))
    #expect(own.spearman == 1 && own.shift == 0)
    let other = try #require(
      MapLikeness(a, later, windows: 0, onsets: (500, 500), connector: 2))
    #expect(other.spearman < own.spearman)
    #expect(other.shift > 100 && other.shift < 240)
    // The second map's change comes two windows later on the clock, so that its window 0 is window 2.
    let clock = try #require(
      MapLikeness(later, a, windows: 2, onsets: (500, 740), connector: 2))
    #expect(clock.spearman > 0.99)
    #expect(clock.shift < own.shift + 240 && clock.shift < other.shift)
  }

  @Test func leakageIsReadByDistance() {
    #expect(Leakage.bin(105, 100, 200) == 0)
    #expect(Leakage.bin(99, 100, 200) == 1)
    #expect(Leakage.bin(241, 100, 200) == 2)
    #expect(Leakage.bin(1e5, 100, 200) == Leakage.steps)
    var one = Leakage(
      squares: [[Double](repeating: 0, count: Leakage.steps + 1)],
      counts: [[Double](repeating: 2, count: Leakage.steps + 1)])
    one.squares[0][0] = 8
    one.squares[0][1] = 2
    let curve = [one, one].curve(site: 0)
    #expect(curve[0] == 1 && curve[1] == 0.5 && curve[2] == 0)
    func width(_ share: Double) -> Double {
      [one, one].width(
        site: 0, holding: share, groups: ["a", "b"], draws: 100, Random(seed: 1)
      ).value
    }
    #expect(width(0.8) == 0)
    #expect(abs(width(0.9) - Leakage.step / 2) < 1e-9)
  }

  @Test func verdictsAreOfAllModels() {
    #expect(Verdict([true, true]) == .supported)
    #expect(Verdict([true, false]) == .specific)
    #expect(Verdict([false]) == .refuted)
    #expect(Verdict([]) == .refuted)
  }

  @Test func badRulesAreRefused() throws {
    let rules = try LocalisationRules("\(root)/paper/preregistration-e1.json")
    #expect(rules.earlyLayers(of: 5) == 2 && rules.earlyLayers(of: 24) == 9)
    #expect(throws: CheckpointError.self) { try rules.statement("L9") }
    #expect(throws: CheckpointError.self) {
      try LocalisationRules("\(root)/paper/preregistration.json")
    }
  }
}
