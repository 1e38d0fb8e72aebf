// The figure of steering a recogniser's encoder: strengths where they were chosen, rates and costs where they are
// quoted, and what tells texts from none behind each layer.

import Interventions
import Plot

/// One way of steering over its strengths, on the recordings that choose.
public struct WrittenCurve {
  public let name: String
  public let points: [RateAndCost]
  /// The chosen one; nil where none was.
  public let chosen: RateAndCost?

  public init(_ name: String, _ points: [RateAndCost], chosen: RateAndCost?) {
    (self.name, self.points, self.chosen) = (name, points, chosen)
  }
}

/// What one arm comes to on validation.
public struct WrittenResult {
  public let name: String
  public let setting: String
  public let rate: Estimate
  public let cost: Estimate

  public init(_ name: String, setting: String, rate: Estimate, cost: Estimate) {
    (self.name, self.setting, self.rate, self.cost) = (name, setting, rate, cost)
  }
}

/// How well one score tells a contrast's sorts apart.
public struct WrittenArea {
  public let contrast: String
  public let score: String
  public let area: Estimate

  public init(_ contrast: String, _ score: String, _ area: Estimate) {
    (self.contrast, self.score, self.area) = (contrast, score, area)
  }
}

/// Rate against cost where strengths are chosen, both where they are quoted, and areas.
///
/// - Parameter cost: what a strength may cost
public func steeringFigure(
  curves: [WrittenCurve], results: [WrittenResult], areas: [WrittenArea], cost: Double
) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 124)
  let bands = figure.area.rows([62, 56], gap: 2)
  let top = bands[0].columns([76, 102], gap: 2)
  figure.add(curvePanel(curves, cost, in: top[0]))
  let (contrasts, scores) = (areas.map(\.contrast).uniqued, areas.map(\.score).uniqued)
  figure.add(
    areaPanel(
      "Telling both sorts apart, on validation", scores: scores.map(label), models: contrasts,
      in: top[1]
    ) { m, s in areas.first { $0.contrast == contrasts[m] && $0.score == scores[s] }?.area })
  let below = bands[1].columns([108, 70], gap: 1)
  func value(_ path: KeyPath<WrittenResult, Estimate>) -> (Int, Int) -> Estimate? {
    { _, arm in results[arm][keyPath: path] }
  }
  let names = results.map(\.name)
  figure.add(wordsLeftPanel(arms: names, models: [""], names: 38, in: below[0], value(\.rate)))
  figure.add(costPanel(arms: names, models: [""], limit: cost, in: below[1], value(\.cost)))
  return DrawnFigure(
    drawing: figure, table: table(curves, results, areas), caption: caption)
}

private let caption =
  "Steering the encoder of a published Whisper so that it writes nothing where nobody speaks: the share of sounds "
  + "that words are written for and the word errors that it costs on speech, by strength, on other recordings of "
  + "the discovery split, chosen strengths framed; how well activations, latents of a sparse autoencoder, eight of "
  + "them and eight as active tell sounds with a text from sounds without one and sounds from speech; and rate and "
  + "cost on the kinds of sound and the speakers' sentences of validation, beside matched controls and what "
  + "attribution patching led to. Costs beyond the axis of a are in the table."

/// `few.0` as `few latents, layer 1`.
private func label(_ score: String) -> String {
  let parts = score.split(separator: ".")
  guard parts.count == 2, let layer = Int(parts[1]) else { return score }
  let names = ["few": "few latents", "drawn": "as active, drawn", "latents": "all latents"]
  return "\(names[String(parts[0])] ?? String(parts[0])), layer \(layer + 1)"
}

private func curvePanel(_ curves: [WrittenCurve], _ cost: Double, in area: Rect) -> Panel {
  // Frames come first, so that they hide no point.
  var frames: [any Mark] = [ReferenceLine.vertical(cost)]
  var marks: [any Mark] = []
  var entries: [LegendEntry] = []
  let shown = -0.1...1.05
  for (i, curve) in curves.enumerated() {
    let color = Palette.categories[i % Palette.categories.count]
    let symbol = Symbol.allCases[i % Symbol.allCases.count]
    let points = curve.points.filter { shown.contains($0.cost) }.map { Datum($0.cost, $0.rate) }
    marks.append(Points(points, symbol, color, size: 1))
    if let chosen = curve.chosen, shown.contains(chosen.cost) {
      frames.append(Points([Datum(chosen.cost, chosen.rate)], .hollowSquare, .ink, size: 2.6))
    }
    entries.append(LegendEntry(curve.name, .symbol(symbol, color)))
  }
  marks.append(Legend(.bottomRight, entries))
  return Panel(
    "a", "Strengths, on discovery", in: area,
    x: .linear("Cost: word error rate on speech", shown, ticks: 4),
    y: .linear("Share of sounds with words left", -0.03...1.03, ticks: 4), frames + marks)
}

/// Every plotted value, one a line.
private func table(
  _ curves: [WrittenCurve], _ results: [WrittenResult], _ areas: [WrittenArea]
) -> String {
  var lines = ["panel\titem\tsetting\tquantity\tvalue\tlow\thigh"]
  for curve in curves {
    for (i, point) in curve.points.enumerated() {
      let isChosen = curve.chosen?.strength == point.strength
      let start = "choosing\t\(curve.name)\t\(i)\t"
      let mark = isChosen ? " (chosen)" : ""
      lines += ["\(start)rate\(mark)\t\(point.rate)\t\t", "\(start)cost\(mark)\t\(point.cost)\t\t"]
    }
  }
  func number(_ value: Estimate) -> String { "\(value.value)\t\(value.low)\t\(value.high)" }
  for result in results {
    let start = "validation\t\(result.name)\t\(result.setting)\t"
    lines += ["\(start)rate\t\(number(result.rate))", "\(start)cost\t\(number(result.cost))"]
  }
  for area in areas {
    lines.append("area\t\(area.score)\t\(area.contrast)\tarea\t\(number(area.area))")
  }
  return lines.map { $0 + "\n" }.joined()
}
