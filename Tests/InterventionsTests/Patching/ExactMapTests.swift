// Exact patching: the resumed, stacked and skipping way gives the bits of the plain one.

import Interventions
import Speech
import Tensor
import Testing

/// Equal to the bit; nil only beside nil.
func sameBits(_ a: [Double?], _ b: [Double?]) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { $0?.bitPattern == $1?.bitPattern }
}

@Suite struct ExactMapTests {
  @Test(arguments: [(1, 61, false), (2, 62, true), (3, 43, false), (4, 86, false)])
  func resumedEqualsPlain(_ seed: Int, _ frames: Int, _ tied: Bool) throws {
    let small = Small(seed: UInt64(seed), frames: frames, tied: tied)
    let model = small.model
    let (base, source) = (try model.trace(small.question), try model.trace(small.source))
    let other = try model.trace(small.other)
    let cells = small.cells(manyWindows)
    for donor in [
      Donor.source(source), .unrelated(other, shift: 37, matching: source), .source(base),
    ] {
      let plain = try model.patched(
        base, with: donor, cells: cells, resuming: false, skipping: false)
      for (resuming, skipping) in [(true, true), (true, false), (false, true)] {
        let found = try model.patched(
          base, with: donor, cells: cells, resuming: resuming, skipping: skipping)
        #expect(sameBits(found, plain), "resuming \(resuming), skipping \(skipping)")
      }
    }
  }

  @Test func plainEqualsARunOfTheTests() throws {
    let small = Small()
    let model = small.model
    let (base, source) = (try model.trace(small.question), try model.trace(small.source))
    let there = try small.run(small.source).states
    #expect(try small.run(small.question).difference == base.logitDifference)
    var changed = 0
    for cell in small.cells(manyWindows) {
      let found = try model.patched(base, with: .source(source), cells: [cell])[0]
      let positions = base.timeline.positions(in: cell.window, at: cell.site)
      guard let found else {
        #expect(positions.isEmpty)
        continue
      }
      let own = try small.run(small.question, at: cell.site) { x in
        small.replaced(x, positions) { there[cell.site]![$0, $1] }
      }
      #expect(found == own.difference, "\(cell)")
      if abs(found - base.logitDifference) > 1e-3 { changed += 1 }
    }
    #expect(changed > 60, "patches that change nothing compare nothing")
  }

  @Test func selfPatchIsZeroAndAllIsTheSource() throws {
    for seed in 1...4 {
      let small = Small(seed: UInt64(seed), frames: 50 + seed)
      let model = small.model
      let (base, source) = (try model.trace(small.question), try model.trace(small.source))
      let cells = small.cells(manyWindows)
      let own = try model.patched(base, with: .source(base), cells: cells, skipping: false)
      for case let value? in own { #expect(value == base.logitDifference) }
      let all = try model.patched(
        base, with: .source(source), cells: small.cells([.all]), skipping: false)
      for value in all { #expect(value == source.logitDifference) }
      let pair = PairMap(clean: source.logitDifference, corrupt: base.logitDifference)
      let integrity = try model.integrity(pair, clean: source, corrupt: base)
      let count = 2 * model.mapSites.count
      #expect(integrity.own == [Double](repeating: 0, count: count))
      #expect(integrity.all == [Double](repeating: 1, count: count))
      #expect(abs(base.logitDifference - source.logitDifference) > 1e-3)
    }
  }

  @Test func theBatchDoesNotMatter() throws {
    let small = Small(seed: 5)
    let model = small.model
    let (base, source) = (try model.trace(small.question), try model.trace(small.source))
    for site in model.residualSites {
      let cells = manyWindows.map { Cell(site, $0) }
      let together = try model.patched(base, with: .source(source), cells: cells, skipping: false)
      let backwards = try model.patched(
        base, with: .source(source), cells: cells.reversed(), skipping: false)
      #expect(sameBits(backwards.reversed(), together))
      for (cell, value) in zip(cells, together) {
        let alone = try model.patched(base, with: .source(source), cells: [cell], skipping: false)
        #expect(sameBits(alone, [value]))
      }
    }
  }

  /// What is skipped is zero when it is computed: rows behind the last layer that no logit reads.
  @Test func structuralZeros() throws {
    let small = Small(seed: 6)
    let model = small.model
    let (base, source) = (try model.trace(small.question), try model.trace(small.source))
    let last = base.timeline.tokens - 1
    let site = model.residualSites.last!
    #expect(site == Site(.lm, 2, .residPost))
    let cells = (0..<last).map { Cell(site, .positions($0, $0 + 1)) }
    for resuming in [true, false] {
      let values = try model.patched(
        base, with: .source(source),
        cells: cells + [Cell(site, .positions(0, last))],
        resuming: resuming, skipping: false)
      for value in values { #expect(value == base.logitDifference) }
    }
    let whole = try model.patched(
      base, with: .source(source), cells: [Cell(site, .positions(last, last + 1))])
    #expect(whole[0] == source.logitDifference)
    // One layer further down the same positions do count.
    let below = cells.map { Cell(Site(.lm, 1, .residPost), $0.window) }
    let effects = try model.patched(base, with: .source(source), cells: below)
    #expect(effects.contains { $0! != base.logitDifference })
  }

  @Test func mapsLieOnTheirGrid() throws {
    let small = Small(seed: 7)
    let model = small.model
    let (base, source) = (try model.trace(small.question), try model.trace(small.source))
    let windows: [Window?] = [.milliseconds(0, 100), nil, .text(2, 3), .milliseconds(100, 300)]
    let map = try model.map(base, with: .source(source), windows: windows)
    let search = try model.searchMap(of: source, into: base, windows: windows)
    #expect(map.count == 7 && search.count == 7)
    for (s, site) in model.mapSites.enumerated() {
      for (w, window) in windows.enumerated() {
        let cells = window.map { [Cell(site, $0)] } ?? []
        let exact = try model.patched(base, with: .source(source), cells: cells)
        let slope = try model.attribution(of: source, into: base, cells: cells)
        #expect(map[s][w] == (exact.first ?? nil) && search[s][w] == (slope.first ?? nil))
        #expect((map[s][w] == nil) == (window == nil || (site.stage != .lm && w == 2)))
      }
    }
  }
}
