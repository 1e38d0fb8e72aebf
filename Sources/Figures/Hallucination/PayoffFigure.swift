// Figure 5: what interventions leave of the texts that a published Whisper writes where nobody speaks, and
// what they cost where somebody does.

import Interventions
import Plot

/// Rates and costs of one arm over its strengths, on validation.
public struct PayoffCurve: Sendable {
  public let arm: TextArm
  public let points: [RateAndCost]
  /// Nil where no strength was chosen.
  public let chosen: Double?

  public init(arm: TextArm, points: [RateAndCost], chosen: Double?) {
    (self.arm, self.points, self.chosen) = (arm, points, chosen)
  }
}

/// One arm of one model on the test split, at the chosen strength; nil where there is none.
public struct PayoffRow: Sendable {
  public let model: String
  public let arm: TextArm
  public let strength: Double?
  public let rate: Estimate?
  public let cost: Estimate?

  public init(
    model: String, arm: TextArm, strength: Double?, rate: Estimate?, cost: Estimate?
  ) {
    (self.model, self.arm, self.strength) = (model, arm, strength)
    (self.rate, self.cost) = (rate, cost)
  }
}

/// How well a score tells speech from sounds in one model.
public struct PayoffArea: Sendable {
  public let model: String
  public let score: String
  public let area: Estimate

  public init(model: String, score: String, area: Estimate) {
    (self.model, self.score, self.area) = (model, score, area)
  }
}

/// Curves of rate against cost on validation, rates and costs on the test split, areas.
///
/// - Parameter cost: what a strength may cost
public func payoffFigure(
  curves: [PayoffCurve], rows: [PayoffRow], areas: [PayoffArea], cost: Double
) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 136)
  let bands = figure.area.rows([58, 72], gap: 2)
  let top = bands[0].columns([88, 90], gap: 2)
  figure.add(curvePanel(curves, cost, in: top[0]))
  let (read, scores) = (areas.map(\.model).uniqued, areas.map(\.score).uniqued)
  figure.add(
    areaPanel("Telling speech from sounds", scores: scores, models: read, in: top[1]) { m, s in
      areas.first { $0.model == read[m] && $0.score == scores[s] }?.area
    })
  let below = bands[1].columns([110, 68], gap: 1)
  let models = rows.map(\.model).uniqued
  let (arms, names) = (TextArm.allCases, TextArm.allCases.map(\.rawValue))
  func value(_ path: KeyPath<PayoffRow, Estimate?>) -> (Int, Int) -> Estimate? {
    { m, a in rows.first { $0.model == models[m] && $0.arm == arms[a] }?[keyPath: path] }
  }
  figure.add(
    wordsLeftPanel(
      arms: names, models: models, names: 42, missing: "no strength below the cost", in: below[0],
      value(\.rate)))
  figure.add(costPanel(arms: names, models: models, limit: cost, in: below[1], value(\.cost)))
  return DrawnFigure(
    drawing: figure, table: payoffTable(curves, rows, areas), caption: caption)
}

private let caption =
  "Texts that a published Whisper writes where nobody speaks: the share that is left and the word errors "
  + "that it costs on speech, by strength, on validation in tiny.en, chosen strengths ringed; how "
  + "well scores tell speech from sounds; and both quantities on kinds of sound, speakers and sentences that "
  + "nothing was chosen on, beside Whisper's own rule, its p(no speech) at the threshold that changed models "
  + "are read with, directions and heads drawn at random and a gate on the log-mel. Mean donors, along the axis "
  + "and of heads, were added afterwards and are exploratory. Strengths that cost more than the axis of a holds "
  + "are in the table."

private func curvePanel(_ curves: [PayoffCurve], _ cost: Double, in area: Rect) -> Panel {
  // Rings come first, so that they hide no point.
  var rings: [any Mark] = [ReferenceLine.vertical(cost)]
  var marks: [any Mark] = []
  var entries: [LegendEntry] = []
  let drawn: [TextArm] = [
    .own, .noSpeech, .gate, .drawnGate, .melGate, .move, .prune, .mean, .headMean,
  ]
  let right = 0.3
  let least = curves.filter { drawn.contains($0.arm) }.flatMap(\.points).map(\.cost).min() ?? 0
  let left = min(least, 0) - 0.02
  for (i, arm) in drawn.enumerated() {
    guard let curve = curves.first(where: { $0.arm == arm }) else { continue }
    let color = Palette.categories[i % Palette.categories.count]
    let points = curve.points.filter { $0.cost <= right }.map { Datum($0.cost, $0.rate) }
    let symbol = Symbol.allCases[i % Symbol.allCases.count]
    marks += [
      Line(points.sorted { ($0.x, $1.y) < ($1.x, $0.y) }, Pen(color, width: 0.6)),
      Points(points, symbol, color, size: 1),
    ]
    if let chosen = curve.points.first(where: { $0.strength == curve.chosen }), arm != .own {
      rings.append(Points([Datum(chosen.cost, chosen.rate)], .hollowCircle, .ink, size: 2.4))
    }
    entries.append(LegendEntry(arm.rawValue, .symbol(symbol, color)))
  }
  marks.append(Legend(.topRight, entries))
  return Panel(
    "a", "Strengths, on validation, in tiny.en", in: area,
    x: .linear("Cost: word error rate on speech", left...right, ticks: 4),
    y: .linear("Share of sounds with words left", -0.03...1.03, ticks: 4), rings + marks)
}

/// What one model wrote for each recording as it is, and where the recording lies, one a line: for a reader,
/// and for another program that repeats it.
public func recordingsTable(_ model: String, _ recordings: [Recording], _ heard: [HeardText])
  -> String
{
  zip(recordings, heard).map { recording, heard in
    let plain = heard.plain
    let text = plain.transcript.text.split { $0.isNewline || $0 == "\t" }.joined(separator: " ")
    return
      "\(model)\t\(recording.id)\t\(recording.group)\t\(recording.text)\t\(text)\t\(plain.noSpeech)\t"
      + "\(plain.meanLogProbability)\t\(plain.isTakenForSilence)\t\(heard.axis)\t\(heard.mel)\n"
  }.joined()
}

/// The first line of ``recordingsTable(_:_:_:)``.
public let recordingsColumns =
  "model\trecording\tgroup\tsaid\twritten\tp(no speech)\tmean log-probability\ttaken for silence\t"
  + "place on the axis\tplace on the axis of the log-mel\n"

/// Every plotted value, one a line.
private func payoffTable(
  _ curves: [PayoffCurve], _ rows: [PayoffRow], _ areas: [PayoffArea]
) -> String {
  var lines = ["model\tpanel\titem\tstrength\tquantity\tvalue\tlow\thigh"]
  for curve in curves {
    for point in curve.points {
      let start = "whisper-tiny.en\tvalidation\t\(curve.arm.rawValue)\t\(point.strength)"
      let mark = point.strength == curve.chosen ? " (chosen)" : ""
      lines.append("\(start)\trate\(mark)\t\(point.rate)\t\t")
      lines.append("\(start)\tcost\(mark)\t\(point.cost)\t\t")
    }
  }
  for row in rows {
    let start = "\(row.model)\ttest\t\(row.arm.rawValue)\t\(row.strength.map { "\($0)" } ?? "none")"
    for (name, value) in [("rate", row.rate), ("cost", row.cost)] {
      let number = value.map { "\($0.value)\t\($0.low)\t\($0.high)" } ?? "NA\tNA\tNA"
      lines.append("\(start)\t\(name)\t\(number)")
    }
  }
  for area in areas {
    lines.append(
      "\(area.model)\tarea\t\(area.score)\t\tarea\t\(area.area.value)\t\(area.area.low)\t"
        + "\(area.area.high)")
  }
  return lines.map { $0 + "\n" }.joined()
}
