// Alignments: known stretches are found again, rows are resampled between their neighbours, and text
// is joined at its end.

import Foundation
import Interventions
import Speech
import Tensor
import Testing

@Suite struct AlignmentTests {
  @Test func anchorsAreMet() throws {
    let joined = try Alignment.segments(base: [0, 100, 300], source: [50, 100, 500])
    for (a, b) in [
      (0.0, 50.0), (50, 75), (100, 100), (200, 300), (300, 500), (350, 550), (-10, 40),
    ] {
      #expect(abs(joined.source(of: a) - b) < 1e-9)
    }
    #expect(Alignment.linear(base: 500, source: 1000).source(of: 125) == 250)
    #expect(Alignment.shift(by: 40).source(of: 125) == 165)
    #expect(throws: CellError.self) { try Alignment.segments(base: [0, 1], source: [0, 1, 2]) }
    #expect(throws: CellError.self) { try Alignment.segments(base: [0, 0], source: [0, 1]) }
  }

  @Test func jitterKeepsTheOrder() throws {
    let joined = try Alignment.segments(
      base: [0, 100, 110, 300, 305, 400], source: [0, 90, 150, 300, 320, 420])
    for seed in 0..<50 {
      let moved = joined.jittered(by: 60, Random(seed: UInt64(seed)))
      let times = moved.anchors.map(\.source)
      #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
      #expect(times.first == 0 && times.last == 420 && times != joined.anchors.map(\.source))
    }
  }

  /// A recording that is slowed to half speed in the middle is joined where it was stretched.
  @Test func warpingFindsAStretch() {
    let frames = 60
    let random = Random(seed: 3)
    let base = Tensor([frames, 8], normal: 1, random)
    let order = (0..<frames).flatMap { (20..<40).contains($0) ? [$0, $0] : [$0] }
    let joined = Alignment.dtw(base: base, source: gatherRows(base, order))
    #expect(joined.cost! < 1e-6)
    for frame in 0..<frames {
      let places = order.indices.filter { order[$0] == frame }
      let mean = Double(places.reduce(0, +)) / Double(places.count)
      #expect(abs(joined.source(of: 10 * Double(frame)) - 10 * mean) < 1e-6)
    }
    let noise = Alignment.dtw(base: base, source: Tensor([70, 8], normal: 1, Random(seed: 4)))
    #expect(noise.cost! > 0.3)
  }

  /// Rows of the source run lie where the alignment says: mixed between neighbours, copied where they
  /// meet, and of text counted from the end.
  @Test func rowsAreResampled() throws {
    let small = Small(seed: 61)
    let site = Site(.lm, .embed)
    let base = try small.model.trace(small.question)
    let source = try small.model.trace(small.other)
    let cell = Cell(site, .all)
    #expect(throws: CellError.self) {
      // The longer run has positions without an equal.
      try Selection(cell, base: source, source: base, .identity)
    }
    let selection = try Selection(
      cell, base: base, source: source, .linear(base: 610, source: 750))!
    let there = try source.activation(of: site)
    let (first, behind) = (1, base.timeline.firstAudio + base.timeline.audio)
    for position in 0..<base.timeline.tokens {
      for j in 0..<there.width {
        let found = selection.source[position, j]
        if position < first {
          #expect(found == there[position, j])
        } else if position >= behind {
          #expect(found == there[source.timeline.tokens - base.timeline.tokens + position, j])
        } else {
          // Centres are 40 ms apart from 10 ms on.
          let time = (10 + 40 * Double(position - first)) * 750 / 610
          let place = min(max((time - 10) / 40, 0), Double(source.timeline.audio - 1))
          let (low, share) = (Int(place), Float(place - Double(Int(place))))
          let high = min(low + 1, source.timeline.audio - 1)
          let (a, b) = (there[first + low, j], there[first + high, j])
          #expect(abs(found - (a + share * (b - a))) < 1e-4 * max(1, abs(found)))
        }
      }
    }
    #expect(try Selection(cell, base: base, source: base, .identity)!.move.norm == 0)
    // Moved in time, the same run differs from itself.
    #expect(try Selection(cell, base: base, source: base, .shift(by: 40))!.move.norm > 0)
  }
}

@Suite struct ControlTests {
  /// Every control moves as far as the real patch, elsewhere.
  @Test(arguments: MatchedControl.allCases) func movesAsFar(_ kind: MatchedControl) throws {
    let small = Small(seed: 62)
    let site = Site(.lm, 1, .z)
    let base = try small.model.trace(small.question, keeping: [site])
    let source = try small.model.trace(small.source, keeping: [site])
    let other = try small.model.trace(small.other, keeping: [site])
    for name in ["lm.1.attn.z[2]@3..5", "lm.1.attn.z@-1", "lm.1.attn.z@40ms..200ms"] {
      let selection = try Selection(try Cell(name), base: base, source: source, .identity)!
      let patch = try small.model.control(
        kind, of: selection, base: base, source: source,
        stranger: (other, .linear(base: 610, source: 750)), Random(seed: 1))!
      let move = patch.changed(selection.base) - selection.base
      #expect(abs(move.norm - selection.move.norm) < 1e-4 * selection.move.norm)
      #expect((move - selection.move).norm > 0.1 * selection.move.norm)
    }
  }
}
