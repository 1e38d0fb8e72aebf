// The figures of the ablations: that each draws what it is given, and that the table has every number.

import Figures
import Foundation
import Interventions
import Plot
import Speech
import Testing

@Suite struct AblationFigureTests {
  private func row(
    _ panel: String, _ place: String, _ series: String, _ value: Double, chance: Double? = nil
  ) -> AblationRow {
    AblationRow(
      panel, place, series, Estimate(value: value, low: value - 0.1, high: value + 0.1),
      chance: chance)
  }

  /// The bytes of a drawing, as SVG.
  private func svg(_ figure: DrawnFigure) throws -> String {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).svg")
    defer { try? FileManager.default.removeItem(at: file) }
    try figure.drawing.write(svg: file, title: "t", description: "d", stamp: "s")
    return try String(contentsOf: file, encoding: .utf8)
  }

  @Test func theTableHasEveryNumber() throws {
    let sites = [Site(.encoder, .embed), Site(.connector, .out)]
    let windows = TaskWindows.locked
    let values: [[Double?]] = sites.map { _ in windows.names.map { _ in 0.5 } }
    let rows = [
      row("a", "x", "m", 0.5, chance: 0.25), row("a", "y", "m", 0.75),
      AblationRow("b", "10", "m", Estimate(value: 0, low: -.infinity, high: .infinity)),
    ]
    let figure = ablationFigure(
      rows,
      [
        [
          AblationPanel("a", "Rows", "Share", 0...1, names: 20),
          AblationPanel("b", "Curves", "Nats", -8...2, shape: .curves("Size"), names: 10)
            .logarithmic,
        ]
      ], maps: [AblationMap("one", sites, values)], caption: "c")
    let lines = figure.table.split(separator: "\n").map {
      $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    }
    #expect(lines.allSatisfy { $0.count == 7 })
    #expect(lines.count == 1 + rows.count + sites.count * windows.names.count)
    #expect(lines[1] == ["a", "x", "m", "0.5", "0.4", "0.6", "0.25"])
    // No interval and no chance where there is none.
    #expect(lines[3] == ["b", "10", "m", "0.0", "", "", ""])
    #expect(lines[4][..<4] == ["map", "encoder.embed@before", "one", "0.5"])
    let text = try svg(figure)
    for word in ["Rows", "Curves", "Share", "Size", "chance", "one"] {
      #expect(text.contains(word), "\(word)")
    }
  }

  @Test func aNumberMovesItsMark() throws {
    func drawn(_ value: Double) throws -> String {
      try svg(
        ablationFigure(
          [row("a", "x", "m", value)], [[AblationPanel("a", "t", "q", 0...1, names: 20)]],
          caption: "c"))
    }
    let first = try drawn(0.5)
    #expect(try drawn(0.5) == first)
    #expect(try drawn(0.6) != first)
    // What lies beyond the axis stands at its end.
    #expect(try drawn(3) == drawn(4))
  }
}
