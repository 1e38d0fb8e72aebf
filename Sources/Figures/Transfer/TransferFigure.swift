// Figure 3: what is transferred with a part of the connector's output, and how many directions it takes.

import Interventions
import Plot

/// What one model's transfers show.
public struct TransferPanel: Sendable {
  public let name: String
  /// By run or arm, in the order in which they are drawn.
  public let shares: [(String, TransferShares)]
  public let lexical: PartStudy
  public let voice: PartStudy
  /// By source and base condition, with the lexical subspace and with the whole moment.
  public let matrix: [[Double?]]
  public let wholeMatrix: [[Double?]]
  public let simplex: [(weights: [Double], recovery: Double)]
  public let path: [Double]

  public init(
    name: String, shares: [(String, TransferShares)], lexical: PartStudy, voice: PartStudy,
    matrix: [[Double?]], wholeMatrix: [[Double?]],
    simplex: [(weights: [Double], recovery: Double)], path: [Double]
  ) {
    (self.name, self.shares, self.lexical, self.voice) = (name, shares, lexical, voice)
    (self.matrix, self.wholeMatrix, self.simplex, self.path) = (matrix, wholeMatrix, simplex, path)
  }
}

let transferSymbols: [Symbol] = [.circle, .square, .diamond, .hollowCircle]

/// Above, for each arm and model, whose text is written and who is heard; below, recovery by the number of
/// directions, with its controls, and what conditions do; then word errors in noise.
///
/// - Parameter noise: of the first model; none of a reader's own
public func transferFigure(_ models: [TransferPanel], noise: [NoiseCurve]) -> DrawnFigure {
  let arms = models.first?.shares.map(\.0) ?? []
  let heights = [4.8 * Double(arms.count) + 24, 52] + (noise.isEmpty ? [] : [54])
  var figure = Figure(
    width: Figure.full, height: heights.reduce(0, +) + 3 * Double(heights.count))
  let rows = figure.area.rows(heights, gap: 3)
  addShares(models, arms, to: &figure, in: rows[0])
  let below = rows[1].columns([46, 46, 46, 40], gap: 1)
  if !noise.isEmpty {
    addNoise(noise, to: &figure, ["h", "i"], in: rows[2].columns([108, 70], gap: 1))
  }
  if let first = models.first {
    figure.add(
      saturation(
        first.lexical, "d", "\(first.lexical.method), \(first.name)", in: below[0]))
    figure.add(rankings(models, in: below[1]))
    figure.add(way(models, in: below[2]))
    addMatrix(first, to: &figure, in: below[3])
  }
  return DrawnFigure(drawing: figure, table: transferTable(models), caption: caption)
}

private let caption =
  "Share of crossings whose transcript is the source's text, who name the base's speaker and who name "
  + "the source's, when a part of the connector's output is taken from a source that differs in text and "
  + "speaker; recovery by the number of directions beside its controls; recovery between conditions; and, of "
  + "the first model, word errors in noise with interventions that no weight was trained for, and what they cost "
  + "without noise, beside neurons and directions that were drawn (from Figure 6's table)."

/// Three panels of one row an arm and one symbol a model.
func addShares(
  _ models: [TransferPanel], _ arms: [String], to figure: inout Figure, in area: Rect
) {
  let panels = Rect(left: area.left, top: area.top, width: area.width, height: area.height - 6)
  let columns = panels.columns([85, 45, 45], gap: 1)
  let names = Axis.categories("", arms.reversed())
  let readings: [(String, String, KeyPath<TransferShares, Estimate>)] = [
    ("a", "Writes the source's text", \.sourceText),
    ("b", "Names the base's speaker", \.baseVoice),
    ("c", "Names the source's speaker", \.sourceVoice),
  ]
  for (i, (letter, title, value)) in readings.enumerated() {
    var marks: [any Mark] = [0.0, 0.5, 1.0].map { ReferenceLine.vertical($0) }
    for (m, model) in models.enumerated() {
      let color = Palette.categories[m]
      for (a, arm) in arms.enumerated() {
        guard let share = model.shares.first(where: { $0.0 == arm })?.1[keyPath: value] else {
          continue
        }
        let y =
          Double(arms.count - 1 - a) + 0.5
          + (Double(models.count - 1) / 2 - Double(m)) * 0.19
        if let interval = share.interval {
          marks.append(
            Line(
              [Datum(interval.lowerBound, y), Datum(interval.upperBound, y)],
              Pen(color, width: 0.6)))
        }
        marks.append(
          Points(
            [Datum(share.value, y)], transferSymbols[m % transferSymbols.count], color, size: 1.1))
      }
    }
    var margins = Panel.margins
    margins.left = i == 0 ? 42 : 3
    figure.add(
      Panel(
        letter, title, in: columns[i], margins: margins,
        x: .linear("Share of crossings", -0.04...1.04, ticks: 3),
        y: i == 0 ? names : names.unlabelled, marks))
  }
  // One key for the three panels, under them.
  let key = Rect(left: area.left + 42, top: area.bottom - 4, width: 130, height: 3)
  figure.draw { canvas in
    var x = key.left
    for (m, model) in models.enumerated() {
      canvas.symbol(
        transferSymbols[m % transferSymbols.count], at: Point(x, key.center.y), size: 1.4,
        Palette.categories[m])
      canvas.text(model.name, at: Point(x + 1.8, key.center.y), Style.small, .middle)
      x += canvas.width(of: model.name, Style.small) + 6
    }
  }
}

/// Recovery by the number of directions of a part, in both directions, with its controls.
func saturation(_ part: PartStudy, _ letter: String, _ title: String, in area: Rect) -> Panel {
  let (curve, controls) = (part.curve, part.controls)
  let sizes = curve.sizes
  func data(_ values: [Double]) -> [Datum] {
    values.enumerated().map { Datum(Double($0) + 0.5, $1) }
  }
  func data(_ values: [Estimate]) -> [Datum] {
    values.enumerated().map { Datum(Double($0) + 0.5, $1.value, $1.interval) }
  }
  var marks: [any Mark] = [
    ReferenceLine.horizontal(0), ReferenceLine.horizontal(curve.fullSufficiency.value),
  ]
  var entries: [LegendEntry] = []
  for (i, (name, points)) in [
    ("sufficiency", data(curve.sufficiency)), ("necessity", data(curve.necessity)),
    ("random order", data(controls.shuffled)), ("same length", data(controls.norm)),
    ("reverse order", data(controls.reversed)),
  ].enumerated() {
    let pen = Pen(Palette.categories[i], width: 0.9)
    marks += [
      Band(points, pen.color), Line(points, pen), Points(points, .circle, pen.color, size: 1),
    ]
    entries.append(LegendEntry(name, .line(pen)))
  }
  marks.append(Legend(.topLeft, entries))
  return Panel(
    letter, title, in: area,
    x: .categories("Directions", sizes.map { "\($0)" }),
    y: Axis("Recovery", -0.2...1.9, ticks: ticks(in: -0.2...1.1, about: 4)), marks)
}

/// The chosen method's curve of every model, over its whole site.
private func rankings(_ models: [TransferPanel], in area: Rect) -> Panel {
  let sizes = Set(models.flatMap { $0.lexical.curve.sizes }).sorted()
  var marks: [any Mark] = [ReferenceLine.horizontal(0), ReferenceLine.horizontal(0.9)]
  for (m, model) in models.enumerated() {
    let curve = model.lexical.curve
    let points = zip(curve.sizes, curve.sufficiency).map { size, value in
      Datum(
        Double(sizes.firstIndex(of: size)!) + 0.5, value.value / curve.fullSufficiency.value)
    }
    let pen = Pen(Palette.categories[m], width: 0.9)
    marks += [
      Line(points, pen),
      Points(points, transferSymbols[m % transferSymbols.count], pen.color, size: 1.1),
    ]
  }
  let title =
    models.count == 4
    ? "Four models" : models.count == 1 ? models[0].name : "\(models.count) models"
  return Panel(
    "e", title, in: area,
    x: .categories("Directions", sizes.map { "\($0)" }),
    y: .linear("Share of the whole site's recovery", -0.1...1.3, ticks: 4), marks)
}

/// Recovery along the way from the base's content to the source's.
private func way(_ models: [TransferPanel], in area: Rect) -> Panel {
  var marks: [any Mark] = [ReferenceLine.identity()]
  for (m, model) in models.enumerated() {
    let last = Double(max(model.path.count - 1, 1))
    let points = model.path.enumerated().map { Datum(Double($0) / last, $1) }
    let pen = Pen(Palette.categories[m], width: 0.9)
    marks += [
      Line(points, pen),
      Points(points, transferSymbols[m % transferSymbols.count], pen.color, size: 1.1),
    ]
  }
  return Panel(
    "f", "From base to source", in: area, x: .linear("Share of the way", 0...1, ticks: 4),
    y: .linear("Recovery", -0.05...1.1, ticks: 4), marks)
}

/// Recovery by source and base condition of the first model.
private func addMatrix(_ model: TransferPanel, to figure: inout Figure, in area: Rect) {
  let names = Condition.allCases.map(\.rawValue)
  let grid = CellGrid.units(columns: names.count, rows: names.count)
  // Rows are source conditions, the first at the top.
  var map = HeatMap(model.matrix.reversed(), over: grid, .diverging(limit: 1))
  map.showsSigns = false
  var margins = Panel.margins
  margins.left = 13
  margins.bottom = 17
  var marks: [any Mark] = [map]
  for (r, row) in model.matrix.enumerated() {
    for (c, value) in row.enumerated() {
      guard let value else { continue }
      marks.append(
        Label(
          number(value, decimals: 2), at: Double(c) + 0.5, Double(names.count - 1 - r) + 0.5,
          TextStyle(size: 6, color: abs(value) > 0.6 ? .white : .ink), align: .center))
    }
  }
  figure.add(
    Panel(
      "g", "Between conditions", in: area, margins: margins, x: .categories("Base", names),
      y: .categories("Source", names.reversed()), marks))
}
