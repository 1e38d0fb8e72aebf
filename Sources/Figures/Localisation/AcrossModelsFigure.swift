// Figure S7: maps by model, task and voices; below them how far a sound spreads in the encoders, whether
// the place stays, what is left alone, and what mends mistakes in noise.

import Interventions
import Plot
import Speech
import Tensor

private let symbols: [Symbol] = [.circle, .square, .diamond, .hollowCircle]

/// One row of small maps a model, and a row of four panels.
public func acrossModelsFigure(_ results: [TaskResult], _ factors: [FactorResult]) -> DrawnFigure {
  let models = factors.map(\.model)
  var columns: [(voices: String, task: SpokenTask)] = []
  for result in results where !columns.contains(where: { $0 == (result.voices, result.task) }) {
    columns.append((result.voices, result.task))
  }
  let height = 25.0
  var figure = Figure(
    width: Figure.full, height: height * Double(models.count) + 16 + 56 + 6)
  let rows = figure.area.rows(
    [height * Double(models.count) + 6, 9, 56, 5], gap: 0)
  addMaps(results, models, columns, to: &figure, in: rows[0], bar: rows[1])
  let below = rows[2].columns([34, 41, 24, 43, 36], gap: 0.5)
  figure.add(leakagePanel(factors, in: below[0]))
  figure.add(stabilityPanel(factors, in: below[1]))
  figure.add(shiftPanel(factors, in: below[2]))
  figure.add(preservingPanel(factors, in: below[3]))
  figure.add(noisePanel(factors, in: below[4]))
  let key = rows[3]
  figure.draw { canvas in
    var x = key.left + 20
    for (m, model) in models.enumerated() {
      canvas.symbol(
        symbols[m % symbols.count], at: Point(x, key.center.y), size: 1.4, Palette.categories[m])
      canvas.text(model, at: Point(x + 1.8, key.center.y), Style.small, .middle)
      x += canvas.width(of: model, Style.small) + 7
    }
  }
  return DrawnFigure(
    drawing: figure, table: plottedTable(results, factors), caption: caption)
}

private let caption =
  "Causal maps of four checkpoints under three tasks, for synthetic voices and people, with the block of "
  + "cells that meets the rule of a bottleneck; how far a changed sound spreads in each encoder; how alike "
  + "maps of the same words are by another speaker and in noise; what another speaker's sound changes; and "
  + "what the clean run restores where noise makes the answer wrong."

/// Small maps, a row a model and a column a task.
private func addMaps(
  _ results: [TaskResult], _ models: [String], _ columns: [(voices: String, task: SpokenTask)],
  to figure: inout Figure, in area: Rect, bar: Rect
) {
  let colors = ColorScale.diverging(limit: 1)
  let locked = TaskWindows.locked
  let edges = (0...locked.fixed.count).map {
    locked.width * Double(locked.fixed.lowerBound + $0)
  }
  let maps = Rect(left: area.left, top: area.top + 3, width: area.width, height: area.height - 3)
  let bands = maps.rows(models.map { _ in 1.0 }, gap: 0)
  let wide = columns.map { _ in 1.0 }
  var drawn: [HeatMap] = []
  for (m, model) in models.enumerated() {
    let isLast = m == models.count - 1
    var inner = bands[m]
    inner = inner.inset(by: Insets(left: 20, right: 0, top: 0, bottom: 0))
    let cells = inner.columns(wide, gap: 1)
    for (c, column) in columns.enumerated() {
      guard
        let result = results.first(where: {
          $0.model == model && $0.voices == column.voices && $0.task == column.task
        })
      else { continue }
      let grid = CellGrid(columns: edges, rows: (0...result.sites.count).map(Double.init))
      let fixed = 1..<(locked.fixed.count + 1)
      var map = HeatMap(
        result.reading.sufficiency.map { Array($0[fixed]) }, over: grid, colors)
      let connector = result.sites.firstIndex { $0.stage == .connector }!
      map.separators = [connector, connector + 1]
      drawn.append(map)
      var marks: [any Mark] = [map, ReferenceLine.vertical(0, Pen(.ink, width: 0.4))]
      if let block = result.reading.verdict.block {
        marks.append(outline(block, edges))
      }
      var margins = Insets(left: 0.5, right: 0.5, top: 4, bottom: isLast ? 7 : 1)
      let outer =
        c == 0
        ? Rect(
          left: bands[m].left, top: cells[c].top, width: cells[c].right - bands[m].left,
          height: cells[c].height)
        : cells[c]
      if c == 0 { margins.left = 20.5 }
      var time = Axis(
        isLast && c == 0 ? "From the change (ms)" : "", edges.first!...edges.last!,
        ticks: isLast ? [-480, 0, 480].map { Tick($0, signed(Int($0))) } : [])
      time.line = isLast
      let names = siteAxis(result.sites)
      figure.add(
        Panel(
          c == 0 ? "\(Character(UnicodeScalar(UInt8(97 + m))))" : "", c == 0 ? model : "",
          in: outer, margins: margins, x: time, y: c == 0 ? names : names.unlabelled, marks))
    }
    if m == 0 {
      let titles = columns
      figure.draw { canvas in
        for (c, column) in titles.enumerated() {
          canvas.text(
            "\(column.voices), \(column.task.title)",
            at: Point(cells[c].center.x, area.top + 1.5), Style.small, align: .center, .middle)
        }
      }
    }
  }
  guard !drawn.isEmpty else { return }
  figure.add(
    ColorBar(
      "Share of the gap moved (sufficiency); frame: the block that meets the rule",
      in: Rect(left: 92, top: bar.top + 2, width: 50, height: 2), of: drawn))
}

/// The frame around a block; windows before the first and behind the last fixed one are cut.
private func outline(_ block: MapBlock, _ edges: [Double]) -> Line {
  let left = edges[min(max(block.windows.lowerBound - 1, 0), edges.count - 1)]
  let right = edges[min(max(block.windows.upperBound - 1, 0), edges.count - 1)]
  let (low, high) = (Double(block.sites.lowerBound), Double(block.sites.upperBound))
  return Line(
    [
      Datum(left, low), Datum(right, low), Datum(right, high), Datum(left, high),
      Datum(left, low),
    ], Pen(.ink, width: 0.9))
}

/// By distance, how far each encoder's output is moved; dashed, its input.
private func leakagePanel(_ factors: [FactorResult], in area: Rect) -> Panel {
  var marks: [any Mark] = [ReferenceLine.horizontal(0)]
  for (m, factor) in factors.enumerated() {
    func data(_ curve: [Double]) -> [Datum] {
      curve.enumerated().map { Datum($0 == 0 ? 0 : Leakage.step * (Double($0) - 0.5), $1) }
    }
    guard let first = factor.leakage.first, let last = factor.leakage.last else { continue }
    let color = Palette.categories[m]
    var dashed = Pen(color, width: 0.5)
    dashed.dashes = [0.8, 0.6]
    marks += [
      Line(data(first), dashed), Line(data(last), Pen(color, width: 0.8)),
      Points(data(last), symbols[m % symbols.count], color, size: 0.9),
    ]
  }
  return Panel(
    "e", "Encoder's spread", in: area, x: .linear("Distance (ms)", 0...800, ticks: 2),
    y: .linear("Move, over that inside", -0.02...1.05, ticks: 4), marks)
}

/// Categories from the top down, a symbol a model with its interval.
private func forest(
  _ letter: String, _ title: String, _ names: [String], _ axis: Axis, left: Double, in area: Rect,
  _ factors: [FactorResult], _ value: (FactorResult, Int) -> Estimate?
) -> Panel {
  var marks: [any Mark] = [0.0, 1.0].filter { (axis.lower...axis.upper).contains($0) }
    .map { ReferenceLine.vertical($0) }
  for (m, factor) in factors.enumerated() {
    let color = Palette.categories[m]
    for i in names.indices {
      guard let share = value(factor, i) else { continue }
      let y =
        Double(names.count - 1 - i) + 0.5 + (Double(factors.count - 1) / 2 - Double(m)) * 0.18
      if let interval = share.interval {
        marks.append(
          Line(
            [Datum(interval.lowerBound, y), Datum(interval.upperBound, y)],
            Pen(color, width: 0.6)))
      }
      marks.append(
        Points([Datum(share.value, y)], symbols[m % symbols.count], color, size: 1.1))
    }
  }
  var margins = Panel.margins
  margins.left = left
  return Panel(
    letter, title, in: area, margins: margins, x: axis,
    y: .categories("", names.reversed()), marks)
}

private func stabilityPanel(_ factors: [FactorResult], in area: Rect) -> Panel {
  let names = ["in noise", "other speaker", "other text,\nown moment", "other text,\nby the clock"]
  return forest(
    "f", "Are maps alike?", names, .linear("Spearman", 0...1, ticks: 2), left: 17,
    in: area, factors
  ) { factor, i in factor.stability.first { $0.name == stabilityNames[i] }?.spearman }
}

/// Beside `stabilityPanel`, of the same rows.
private func shiftPanel(_ factors: [FactorResult], in area: Rect) -> Panel {
  forest(
    "", "", stabilityNames.map { _ in "" }, .linear("Centres apart (ms)", 0...200, ticks: 2),
    left: 2, in: area, factors
  ) { factor, i in factor.stability.first { $0.name == stabilityNames[i] }?.shift }
}

private func preservingPanel(_ factors: [FactorResult], in area: Rect) -> Panel {
  let names = [
    "text moved", "text stays", "voice moved", "text moved,\nprosody", "text stays,\nprosody",
  ]
  return forest(
    "g", "Words kept", names, .linear("Share", -0.1...1.3, ticks: 3), left: 17,
    in: area, factors
  ) { factor, i in
    let reading = factor.preserving.first { $0.factor == (i < 3 ? "speaker" : "prosody") }?.reading
    switch i {
    case 0, 3: return reading?.text.last
    case 1, 4: return reading?.same.last
    default: return reading?.voice.last
    }
  }
}

/// Recoveries at the connector of noisy runs whose answer is wrong.
private func noisePanel(_ factors: [FactorResult], in area: Rect) -> Panel {
  forest(
    "h", "Mistakes in noise", ["clean sound", "clean moment", "unrelated\nmoment"],
    .linear("Recovery, connector", -0.3...1.2, ticks: 3), left: 14, in: area, factors
  ) { factor, i in
    [factor.noise.whole, factor.noise.moment, factor.noise.unrelated][i][factor.connector]
  }
}
