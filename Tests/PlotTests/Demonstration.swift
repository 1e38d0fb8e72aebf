// A figure with everything in it, drawn from made-up numbers.

import Plot

/// Rows of the demonstration's maps: layers from the waveform upwards.
let layers = (0..<5).map { "\($0)" } + [""] + (0..<6).map { "\($0)" }

/// Two maps with phones, text columns and marks above a scatter and two curves.
func demonstration() -> Figure {
  var figure = Figure(width: Figure.full, height: 118)
  let maps = Rect(left: 1, top: 1, width: 178, height: 62).columns([97.5, 78.5], gap: 2)
  let colors = ColorScale.diverging(limit: 0.4)

  // ## The two maps
  let edges = (0...18).map { -560 + 80 * Double($0) }
  let speech = CellGrid(columns: edges, rows: (0...12).map(Double.init))
  let text = CellGrid.units(columns: 4, rows: 12)
  let names = Axis.categories(
    "Layer", layers,
    groups: [
      AxisGroup("encoder", 0..<5), AxisGroup("connector", 5..<6),
      AxisGroup("language\nmodel", 6..<12),
    ])
  let time = Axis(
    "Time from onset of the changed phone (ms)", -560...880,
    ticks: ticks(in: -400...800, about: 4))
  let tokens = Axis.categories("Text token", ["the", "word", "is", "?"])
  let phones = PhoneTrack([
    .init("s", -520, -430), .init("eɪ", -430, -300), .init("ð", -300, -250),
    .init("ə", -250, -190), .init("ˈb", -190, -120), .init("tʃ", -120, 0),
    .init("ɪ", 0, 130, highlighted: true), .init("ŋ", 130, 230), .init("θ", 230, 330),
    .init("ʊ", 330, 400), .init("ʒ", 400, 500), .init("ɑː", 500, 640), .init("dʒ", 640, 730),
  ])
  var drawn: [HeatMap] = []
  for (k, outer) in maps.enumerated() {
    var margins = Panel.margins
    margins.left = k == 0 ? 25 : 6
    margins.right = 0
    margins.bottom = 12
    let areas = outer.inset(by: margins).columns([18, 4], gap: 2)
    let values = effect(noise: k == 0 ? 0.02 : 0.05)
    var left = HeatMap(values.map { Array($0[..<18]) }, over: speech, colors)
    var right = HeatMap(values.map { Array($0[18...]) }, over: text, colors)
    left.separators = [5, 6]
    right.separators = [5, 6]
    drawn += [left, right]
    let best = strongest(10, of: values)
    let dots = best.filter { $0.column < 18 }
    let textDots = best.filter { $0.column >= 18 }.map { Cell(row: $0.row, column: $0.column - 18) }
    margins.right = outer.right - areas[0].right
    figure.add(
      Panel(
        k == 0 ? "a" : "b", k == 0 ? "Exact patching" : "Conductance (8 steps)", in: outer,
        margins: margins, x: time, y: k == 0 ? names : names.unlabelled, track: phones,
        [
          left, ReferenceLine.vertical(0, Pen(.ink, width: 0.6)),
          CellMarks(dots, of: speech, k == 0 ? .outline : .dot),
        ]))
    margins.left = areas[1].left - outer.left
    margins.right = 0
    figure.add(
      Panel(
        in: outer, margins: margins, x: tokens, y: names.unlabelled,
        [right, CellMarks(textDots, of: text, k == 0 ? .outline : .dot)]))
  }
  figure.add(
    ColorBar(
      "Recovery of the answer margin", in: Rect(left: 84, top: 65.5, width: 45, height: 2.2),
      of: drawn))

  // ## The panels below
  let bottom = Rect(left: 1, top: 74, width: 178, height: 43).columns([48, 65, 65], gap: 2)
  let exact = effect(noise: 0.02).flatMap { $0.compactMap { $0 } }
  let approximate = effect(noise: 0.05).flatMap { $0.compactMap { $0 } }
  let share = Axis.fitting("Exact recovery", exact + approximate, ticks: 5)
  var shareY = share
  shareY.title = "Conductance"
  figure.add(
    Panel(
      "c", "Search against exact", in: bottom[0], x: share, y: shareY,
      [
        ReferenceLine.identity(),
        Points(
          zip(exact, approximate).map { Datum($0, $1) }, .circle,
          Palette.categories[0].opacity(0.5), size: 1.1),
        Label("ρ = 0.94", at: -0.35, 0.72),
        Label("identity", at: 0.62, 0.55, shift: (0, 1), TextStyle(size: 6, color: .muted)),
      ]))
  let curveTitles = ["Where the change is heard", "Both directions"]
  for k in 0..<2 {
    let data = curve(k == 0 ? 0.62 : 0.5, at: k == 0 ? 120 : 260)
    let other = curve(0.2, at: 300)
    let (blue, orange) = (Palette.categories[0], Palette.categories[1])
    var marks: [any Mark] = [
      ReferenceLine.horizontal(0), Band(other, orange), Band(data, blue),
      Line(other, Pen(orange, width: 0.9)), Line(data, Pen(blue, width: 0.9)),
    ]
    if k == 0 {
      marks += [
        Label("changed phone", at: 250, 0.55, TextStyle(size: 6, color: blue)),
        Label("random direction", at: 450, 0.24, TextStyle(size: 6, color: orange)),
        Bracket("80 ms", 60...140, at: 0.72),
      ]
    } else {
      marks.append(
        Legend(
          .topLeft,
          [
            LegendEntry("denoising", .band(Pen(blue, width: 0.9))),
            LegendEntry("noising", .band(Pen(orange, width: 0.9))),
          ]))
    }
    figure.add(
      Panel(
        k == 0 ? "d" : "e", curveTitles[k], in: bottom[k + 1],
        x: .linear("Time from onset (ms)", -400...800, ticks: 4),
        y: .fitting("Recovery", [-0.05, 0.78], ticks: 4), marks))
  }
  return figure
}

/// A made-up map of 12 rows and 18 + 4 columns; encoder rows have no text columns.
func effect(noise: Double) -> [[Double?]] {
  var state: UInt64 = 7
  return (0..<12).map { row in
    (0..<22).map { column in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let jitter = noise * (Double(state >> 40) / Double(1 << 24) - 0.5) * 4
      if column >= 18 {
        return row < 6 ? nil : (row > 8 && column > 19 ? 0.12 * Double(row - 7) : 0.03) + jitter
      }
      let middle = 7.5 + 0.15 * Double(row)
      let distance = (Double(column) - middle) * (Double(column) - middle)
      let peak = max(0, 0.62 - 0.045 * Double(row)) / (1 + 0.5 * distance)
      let dip = row > 5 ? -0.28 / (1 + 0.4 * (Double(column) - 12) * (Double(column) - 12)) : 0
      return peak + dip + jitter
    }
  }
}

func curve(_ height: Double, at peak: Double) -> [Datum] {
  stride(from: -400.0, through: 800, by: 40).map { t in
    let d = (t - peak) / 110
    let y = height / (1 + d * d * d * d * 0.3 + d * d * 0.2)
    return Datum(t, y, y - 0.03 - 0.06 * y...y + 0.03 + 0.06 * y)
  }
}

/// The `k` cells of the largest absolute value.
func strongest(_ k: Int, of values: [[Double?]]) -> [Cell] {
  let cells = values.indices.flatMap { row in
    values[row].indices.map { Cell(row: row, column: $0) }
  }
  return Array(
    cells.sorted { abs(values[$0.row][$0.column] ?? 0) > abs(values[$1.row][$1.column] ?? 0) }
      .prefix(k))
}

/// A column-wide figure with the marks that the first one lacks.
func smallDemonstration() -> Figure {
  var figure = Figure(width: Figure.column, height: 100)
  let rows = figure.area.rows([1, 1], gap: 3)
  let top = rows[0].columns([1, 1], gap: 2)
  let (blue, orange) = (Palette.categories[0], Palette.categories[1])
  let sizes = [0.62, 0.35, 0.48, -0.08].enumerated().map { i, y in
    Datum(Double(i) + 0.5, y, y - 0.09...y + 0.07)
  }
  figure.add(
    Panel(
      "a", "Factors", in: top[0], x: .categories("", ["phoneme", "speaker", "prosody", "noise"]),
      y: .fitting("Recovery", [-0.2, 0.8]),
      [ReferenceLine.horizontal(0), Bars(sizes, blue)]))
  let ranks = (1...6).map {
    Datum(Double($0), 0.9 - 0.5 / Double($0), 0.8 - 0.5 / Double($0)...0.95)
  }
  figure.add(
    Panel(
      "b", "Recall", in: top[1], x: .linear("Cells confirmed, K", 0...7, ticks: 7),
      y: .linear("Recall", 0...1, ticks: 5),
      [
        Whiskers(ranks, Pen(blue, width: 0.7)), Points(ranks, .hollowSquare, blue),
        Points(ranks.map { Datum($0.x, $0.y - 0.3) }, .diamond, orange),
        Legend(
          .bottomRight,
          [
            LegendEntry("conductance", .symbol(.hollowSquare, blue)),
            LegendEntry("random", .symbol(.diamond, orange)),
          ]),
      ]))
  let widths = [0, 120, 200, 420, 500, 560, 800.0]
  let map = HeatMap(
    (0..<32).map { i in (0..<6).map { j in Double(i * j) / 100 - 0.4 } },
    over: CellGrid(columns: widths, rows: (0...32).map(Double.init)), .diverging(limit: 0.35))
  var margins = Panel.margins
  margins.right = 22
  let panel = Panel(
    "c", "Whole-phone windows, 32 layers", in: rows[1], margins: margins,
    x: .linear("Time (ms)", 0...800), y: .categories("Layer", (0..<32).map { "\($0)" }), [map])
  figure.add(panel)
  figure.add(
    ColorBar(
      "Recovery",
      in: Rect(
        left: panel.area.right + 4, top: panel.area.top + 5, width: 2.2,
        height: panel.area.height - 5),
      of: [map]))
  return figure
}
