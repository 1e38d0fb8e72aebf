// The right third of Figure 3: what interventions at the places that the map names do to word errors in noise.
// They are measured with Figure 6, whose committed table is read here.

import Foundation
import Interventions
import Plot

/// One intervention of the table of Figure 6.
public struct NoiseCurve: Sendable {
  public let name: String
  /// Word error rates by ratio of speech to noise, in dB.
  public let points: [(ratio: Double, rate: Estimate)]
  /// Without noise, the word error rate less that of nothing done.
  public let cost: Estimate?
}

/// Of each pair the intervention and what it is matched to.
private let shown = [
  ("nothing", "nothing done"), ("TAP: shrink noise", "TAP, noise shrunk"),
  ("drawn: shrink noise", "drawn, noise shrunk"), ("TAP: neurons, patch oracle", "TAP, oracle"),
  ("SPIRIT: neurons, patch oracle", "SPIRIT, oracle"),
  ("drawn: neurons, patch oracle", "drawn, oracle"),
]

/// The curves of one model.
///
/// - Parameter path: `figures/figure6.tsv`
/// - Throws: where the table is not there, has other columns, or lacks an intervention.
public func noiseCurves(_ path: String, of model: String) throws -> [NoiseCurve] {
  let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
  guard
    lines.first == ["model", "intervention", "strength", "quantity", "value", "low", "high"]
  else { throw CellError("\(path): has other columns than Figure 6's table; git checkout it") }
  let rows = lines.filter { $0.count == 7 && $0[0] == model }
  func estimate(_ row: [String]) -> Estimate? {
    guard let value = Double(row[4]), let low = Double(row[5]), let high = Double(row[6]) else {
      return nil
    }
    return Estimate(value: value, low: low, high: high)
  }
  return try shown.map { intervention, name in
    let own = rows.filter { $0[1] == intervention }
    let points = own.compactMap { row -> (Double, Estimate)? in
      let words = row[3].split(separator: " ")
      guard words.count == 4, words[0] == "errors", words[3] == "dB", let ratio = Double(words[2]),
        let rate = estimate(row)
      else { return nil }
      return (ratio, rate)
    }
    guard !points.isEmpty else {
      throw CellError("\(path): has no curve of \(model), \(intervention); run make figure6")
    }
    return NoiseCurve(
      name: name, points: points,
      cost: own.first { $0[3] == "cost" }.flatMap(estimate))
  }
}

/// Word errors by ratio, and what each intervention costs where there is no noise.
func addNoise(
  _ curves: [NoiseCurve], to figure: inout Figure, _ letters: [String], in areas: [Rect]
) {
  var marks: [any Mark] = []
  var entries: [LegendEntry] = []
  for (i, curve) in curves.enumerated() {
    let (color, symbol) = style(i)
    let points = curve.points.map {
      Datum($0.ratio + 0.25 * (Double(i) - 2.5), $0.rate.value, $0.rate.interval)
    }
    let pen = Pen(color, width: 0.6)
    marks += [Line(points, pen), Whiskers(points, pen), Points(points, symbol, color, size: 1.1)]
    entries.append(LegendEntry(curve.name, .symbol(symbol, color)))
  }
  marks.append(Legend(.topRight, entries))
  figure.add(
    Panel(
      letters[0], "In noise, no training", in: areas[0],
      x: .linear("Ratio of speech to noise (dB)", -6.5...21.5, ticks: 5),
      y: .linear("Word error rate", 0...1, ticks: 5), marks))

  var dots: [any Mark] = [ReferenceLine.vertical(0)]
  let arms = Array(curves.dropFirst())
  for (i, curve) in arms.enumerated() {
    guard let cost = curve.cost else { continue }
    let (color, symbol) = style(i + 1)
    let y = Double(arms.count - 1 - i) + 0.5
    if let interval = cost.interval {
      dots.append(
        Line(
          [Datum(interval.lowerBound, y), Datum(interval.upperBound, y)], Pen(color, width: 0.6)))
    }
    dots.append(Points([Datum(cost.value, y)], symbol, color, size: 1.2))
  }
  let ends = arms.compactMap(\.cost).flatMap { [$0.value, $0.low, $0.high] } + [-0.02, 0.02]
  var margins = Panel.margins
  margins.left = 24
  figure.add(
    Panel(
      letters[1], "Without noise", in: areas[1], margins: margins,
      x: .linear(
        "Word error rate, change", roundRange(containing: ends.filter(\.isFinite), about: 3),
        ticks: 2),
      y: .categories("", arms.map(\.name).reversed()), dots))
}

private func style(_ i: Int) -> (Color, Symbol) {
  (Palette.categories[i % Palette.categories.count], Symbol.allCases[i % Symbol.allCases.count])
}
