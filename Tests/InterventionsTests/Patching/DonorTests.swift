// The unrelated donor: the move from the base run has the length of the move to the source run, in
// the direction of another item.

import Foundation
import Interventions
import Speech
import Tensor
import Testing

@Suite struct DonorTests {
  /// Which position of the other run stands for one of the base run.
  private func mapped(
    _ position: Int, _ stage: Site.Stage, _ base: Timeline, _ other: Timeline, _ shift: Double
  ) -> Int {
    func nearest(_ time: Double, _ spacing: Double, _ first: Double, _ count: Int) -> Int {
      min(max(Int(((time - first) / spacing).rounded()), 0), count - 1)
    }
    switch stage {
    case .encoder: return nearest(20 * Double(position) + shift, 20, 0, other.encoder)
    case .connector: return nearest(40 * Double(position) + 10 + shift, 40, 10, other.audio)
    default:
      if position < base.firstAudio { return position }
      if position >= base.firstAudio + base.audio {
        return position - base.tokens + other.tokens
      }
      let time = 40 * Double(position - base.firstAudio) + 10 + shift
      return other.firstAudio + nearest(time, 40, 10, other.audio)
    }
  }

  @Test(arguments: [0.0, 37, -118, 100_000]) func movesAsFarAsTheSource(_ shift: Double) throws {
    let small = Small(seed: 11)
    let model = small.model
    let (base, source) = (try model.trace(small.question), try model.trace(small.source))
    let other = try model.trace(small.other)
    let here = try small.run(small.question).states
    let there = try small.run(small.source).states
    let elsewhere = try small.run(small.other).states
    for cell in small.cells(manyWindows) {
      let positions = base.timeline.positions(in: cell.window, at: cell.site)
      let found = try model.patched(
        base, with: .unrelated(other, shift: shift, matching: source), cells: [cell])[0]
      guard let found else {
        #expect(positions.isEmpty)
        continue
      }
      let (own, real, strange) = (here[cell.site]!, there[cell.site]!, elsewhere[cell.site]!)
      var (wanted, length) = (0.0, 0.0)
      var move: [Int: [Double]] = [:]
      for p in positions {
        let q = mapped(p, cell.site.stage, base.timeline, other.timeline, shift)
        move[p] = (0..<own.width).map { Double(strange[q, $0]) - Double(own[p, $0]) }
        length += move[p]!.reduce(0) { $0 + $1 * $1 }
        wanted += (0..<own.width).reduce(0) {
          $0 + pow(Double(real[p, $1]) - Double(own[p, $1]), 2)
        }
      }
      let scale = length > 0 ? (wanted / length).squareRoot() : 0
      let expected = try small.run(small.question, at: cell.site) { x in
        small.replaced(x, positions) { Float(Double(x[$0, $1]) + scale * move[$0]![$1]) }
      }
      #expect(abs(found - expected.difference) < 2e-5, "\(cell)")
    }
  }

  /// An item that is itself the source, at the same times, is the source.
  @Test func theSourceItselfIsRelated() throws {
    let small = Small(seed: 12)
    let model = small.model
    let (base, source) = (try model.trace(small.question), try model.trace(small.source))
    let cells = small.cells(manyWindows)
    let exact = try model.patched(base, with: .source(source), cells: cells)
    let same = try model.patched(
      base, with: .unrelated(source, shift: 0, matching: source), cells: cells)
    for (a, b) in zip(exact, same) {
      #expect((a == nil) == (b == nil))
      if let a, let b { #expect(abs(a - b) < 2e-5) }
    }
  }

  /// A source without some positions leaves the cells that need them empty.
  @Test func shorterSourcesLeaveGaps() throws {
    let (small, short) = (Small(seed: 13, frames: 61), Small(seed: 13, frames: 43))
    let model = small.model
    let (base, source) = (try model.trace(small.question), try model.trace(short.question))
    let values = try model.patched(
      base, with: .source(source),
      cells: [
        Cell(Site(.encoder, 0, .residPost), .milliseconds(430, 470)),
        Cell(Site(.encoder, 0, .residPost), .milliseconds(380, 420)),
        Cell(Site(.encoder, 0, .residPost), .all),
      ])
    #expect(values[0] == nil && values[1] != nil && values[2] == nil)
  }
}
