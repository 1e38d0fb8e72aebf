// Attribution is the first order of the exact effect: the slope of the patched logit difference
// at a step of no length.

import Foundation
import Interventions
import Speech
import Tensor
import Testing

@Suite struct AttributionTests {
  /// The logit difference with the cell moved by `share` of the way to the source.
  private func moved(
    _ small: Small, _ cell: Cell, _ positions: [Int], _ source: Tensor, by share: Double
  ) throws -> Double {
    try small.run(small.question, at: cell.site) { x in
      small.replaced(x, positions) { row, j in
        let (a, b) = (Double(source[row, j]), Double(x[row, j]))
        return Float(b + share * (a - b))
      }
    }.difference
  }

  @Test(arguments: [(21, false), (22, true)])
  func isTheSlopeOfTheExactEffect(_ seed: UInt64, _ tied: Bool) throws {
    let small = Small(seed: seed, tied: tied)
    let model = small.model
    let (base, source) = (try model.trace(small.question), try model.trace(small.source))
    let there = try small.run(small.source).states
    let cells = small.cells([
      .all, .milliseconds(113, 213), .milliseconds(400, 1e6), .positions(16, 17),
      .positions(19, 20),
    ])
    let estimates = try model.attribution(of: source, into: base, cells: cells)
    var (compared, worst) = (0, 0.0)
    for (cell, estimate) in zip(cells, estimates) {
      let positions = base.timeline.positions(in: cell.window, at: cell.site)
      guard let estimate else {
        #expect(positions.isEmpty)
        continue
      }
      func slope(_ step: Double) throws -> Double {
        let up = try moved(small, cell, positions, there[cell.site]!, by: step)
        let down = try moved(small, cell, positions, there[cell.site]!, by: -step)
        return (up - down) / (2 * step)
      }
      // Two steps, so that the error is of fourth order and the steps can stay clear of rounding.
      let found = (4 * (try slope(0.02)) - (try slope(0.04))) / 3
      worst = max(worst, abs(found - estimate) / max(0.1, abs(estimate)))
      if abs(estimate) > 1e-2 { compared += 1 }
    }
    #expect(worst < 5e-3)
    #expect(compared > 12)
  }

  /// The windows of a partition add up to the whole, and the move back has its own slope.
  @Test func windowsAddUp() throws {
    let small = Small(seed: 23)
    let model = small.model
    let (base, source) = (try model.trace(small.question), try model.trace(small.source))
    let parts: [Window] = [
      .milliseconds(-1, 77), .milliseconds(77, 300), .milliseconds(300, 1e6), .text(0, 1),
      .text(1, nil),
    ]
    for site in model.residualSites {
      func sum(_ windows: [Window]) throws -> Double {
        try model.attribution(
          of: source, into: base, cells: windows.map { Cell(site, $0) }
        ).reduce(0) { $0 + ($1 ?? 0) }
      }
      let whole = try sum([.all])
      #expect(try abs(sum(parts) - whole) < 1e-9 * max(1, abs(whole)), "\(site)")
    }
    // A run has no distance to itself.
    let none = try model.attribution(of: base, into: base, cells: small.cells(manyWindows))
    #expect(none.allSatisfy { $0 == nil || $0 == 0 })
  }

  /// `lm.embed` holds the connector's rows at the sound, so both have one slope there.
  @Test func theSpliceKeepsTheSlope() throws {
    let small = Small(seed: 24)
    let model = small.model
    let (base, source) = (try model.trace(small.question), try model.trace(small.source))
    for start in stride(from: 0.0, to: 600, by: 80) {
      let window = Window.milliseconds(start, start + 80)
      let values = try model.attribution(
        of: source, into: base,
        cells: [
          Cell(Site(.connector, nil, .out), window),
          Cell(Site(.lm, nil, .embed), window),
        ])
      #expect(abs(values[0]! - values[1]!) < 1e-6 * max(1, abs(values[0]!)))
    }
  }
}
