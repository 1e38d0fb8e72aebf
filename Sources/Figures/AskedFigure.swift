// Figure 4: the causal map of a speech language model of two published halves, along depth and time.

import Interventions
import Plot
import Speech

/// The map in both directions, with its control and on people's recordings; the hand-over along the
/// language model; two readers of one encoder; heads; and the search beside exact effects.
public func askedFigure(_ data: AskedFigureData) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 236)
  let rows = figure.area.rows([56, 56, 7, 56, 57], gap: 0.8)
  let colors = ColorScale.diverging(limit: 1)
  var drawn: [HeatMap] = []
  let maps = [
    ("a", "Sufficiency: corrupt run, clean activation", data.sufficiency),
    ("b", "Necessity: clean run, corrupt activation", data.necessity),
    ("c", "Unrelated item, moved by the same length", data.unrelated),
    ("d", "Sufficiency, digits said by people", data.people),
  ]
  for (i, (letter, title, values)) in maps.enumerated() {
    let columns = rows[i / 2].columns([98, 80], gap: 1)
    drawn.append(
      figure.addAsked(
        letter, title, values, data.grid, named: i % 2 == 0, in: columns[i % 2], colors))
  }
  figure.add(
    ColorBar(
      "Share of the gap between the answers moved by the patch",
      in: Rect(left: 86, top: rows[2].top + 0.5, width: 50, height: 2), of: drawn))
  let middle = rows[3].columns([70, 58, 50], gap: 1)
  figure.add(
    passagePanel(
      "e", "Who carries the answer", data, [.clean, .corrupt, .unrelated, .untrained],
      in: middle[0]))
  figure.add(passagePanel("f", "The same, people", data, [.people, .strangers], in: middle[1]))
  figure.add(readersPanel("g", data, in: middle[2]))
  let bottom = rows[4].columns([70, 58, 50], gap: 1)
  figure.addHeads("h", data, in: bottom[0])
  figure.add(handOverPanel("i", data, in: bottom[1]))
  figure.add(searchPanel("j", data, in: bottom[2]))
  return DrawnFigure(drawing: figure, table: data.table, caption: caption)
}

private let caption =
  "Causal map of a speech language model put together of Whisper base's encoder, a linear projector "
  + "and Qwen2.5-Coder-0.5B-Instruct: share of the gap between the two answers of a minimal pair that "
  + "patching one site in one window moves, in both directions, for an unrelated item moved by the "
  + "same length, and on digits that people said; along the language model's depth the changed moment "
  + "and the last position with their controls; the encoder as the language model and as Whisper's own "
  + "decoder read it; heads at the last position; depths of the hand-over; and attribution beside exact "
  + "effects."

extension Figure {
  /// A map by site and window, sound and text apart.
  fileprivate mutating func addAsked(
    _ letter: String, _ title: String, _ values: [[Double?]], _ grid: AskedGrid, named: Bool,
    in outer: Rect, _ colors: ColorScale
  ) -> HeatMap {
    let windows = AskedGrid.apart
    let shown = grid.sites.indices.map { site in
      windows.map { values.isEmpty ? nil : values[site][$0] }
    }
    var map = HeatMap(shown, over: .units(columns: windows.count, rows: grid.sites.count), colors)
    map.separators = [grid.encoder.count, grid.encoder.count + 1]
    var margins = Panel.margins
    margins.left = named ? 23 : 6
    margins.right = 1
    margins.bottom = 13
    let names = windows.map { AskedGrid.names[$0] }
    let sound = AskedGrid.times.count - 1
    let axis = Axis.categories(
      "", names,
      groups: [AxisGroup("sound", 0..<sound), AxisGroup("text", sound..<names.count)])
    let sites = siteAxis(grid.sites)
    add(
      Panel(
        letter, title, in: outer, margins: margins, x: axis, y: named ? sites : sites.unlabelled,
        [map]))
    return map
  }

  /// Heads by themselves move little: their colours reach to the strongest of them.
  fileprivate mutating func addHeads(_ letter: String, _ data: AskedFigureData, in outer: Rect) {
    let strongest = data.heads.joined().compactMap { $0.map(abs) }.max() ?? 1
    let colors = ColorScale.diverging(limit: max(strongest, 1e-6))
    let (layers, heads) = (data.grid.layers, data.grid.heads)
    let values =
      data.heads.isEmpty
      ? [[Double?]](repeating: [Double?](repeating: nil, count: heads), count: layers) : data.heads
    let map = HeatMap(values, over: .units(columns: heads, rows: layers), colors)
    let names = (0..<layers).map { $0 % 4 == 3 ? "\($0)" : "" }
    add(
      Panel(
        letter, "Heads at the last position (\u{00B1}\(number(strongest, decimals: 2)))", in: outer,
        x: .categories("Head", (0..<heads).map { "\($0)" }), y: .categories("Layer", names), [map]))
  }
}

/// The changed moment and the last position along the language model's layers.
private func passagePanel(
  _ letter: String, _ title: String, _ data: AskedFigureData, _ sources: [AskedSource],
  in area: Rect
) -> Panel {
  var marks: [any Mark] = [ReferenceLine.horizontal(0), ReferenceLine.horizontal(0.5)]
  var entries: [LegendEntry] = []
  let places = [("changed moment", data.moment), ("last position", data.last)]
  for source in sources {
    for (i, (place, curves)) in places.enumerated() {
      guard let curve = curves[source] else { continue }
      let points = zip(data.grid.depths, curve.values).compactMap { depth, value in
        value.map { Datum(depth, $0.value, $0.interval) }
      }
      let isControl = source != .clean && source != .people && source != .corrupt
      let color =
        isControl ? Palette.categories[source == .untrained ? 3 : 2] : Palette.categories[i]
      let isDashed = source == .corrupt || (isControl && i == 1)
      let pen = Pen(color, width: isControl ? 0.7 : 0.9, dashes: isDashed ? [1.4, 0.8] : [])
      marks += source == .corrupt ? [Line(points, pen)] : [Band(points, color), Line(points, pen)]
      if source == .clean || source == .people {
        marks.append(Points(points, .circle, color, size: 1.1))
        entries.append(LegendEntry(place, .band(pen)))
      } else if source == .corrupt {
        entries.append(LegendEntry("\(place), necessity", .line(pen)))
      } else if i == 0 {
        let name = source == .untrained ? "drawn projector" : "unrelated item"
        entries.append(LegendEntry("\(name) (dashed: last)", .band(pen)))
      }
    }
  }
  marks.append(Legend(.topLeft, entries))
  // Room for the names above what is drawn.
  let drawn = sources.flatMap { source in
    places.flatMap { $0.1[source]?.values.compactMap { $0?.value } ?? [] }
  }
  let low = min(-0.1, drawn.min() ?? 0)
  let high = max(1.05, drawn.max() ?? 1)
  let room = 1 + 0.13 * Double(entries.count)
  return Panel(
    letter, title, in: area,
    x: .layers("Layers of the language model passed", data.grid.layers),
    y: Axis(
      "Recovery", low...(high * room),
      ticks: Plot.ticks(in: low...high, about: 2)), marks)
}

/// One encoder along its depth, as two readers recover from it.
private func readersPanel(_ letter: String, _ data: AskedFigureData, in area: Rect) -> Panel {
  var panel = depthPanel(
    letter, "One encoder, two readers", data.readers, data.grid.encoder, in: area,
    legend: .topLeft, upTo: 1.9)
  panel.x.title = "Encoder layer"
  let highest = data.readers.flatMap { $0.values.compactMap { $0?.value } }.max() ?? 1
  panel.y = Axis(
    "Recovery", -0.1...max(1.9, 1.6 * highest),
    ticks: Plot.ticks(in: -0.1...max(1, highest), about: 4))
  return panel
}

/// Depths at which the changed moment falls below half and the last position rises above it.
private func handOverPanel(_ letter: String, _ data: AskedFigureData, in area: Rect) -> Panel {
  func points(_ value: (HandOverRow) -> Estimate?, _ shift: Double) -> [Datum] {
    data.handOver.enumerated().compactMap { i, row in
      value(row).map { Datum(Double(i) + 0.5 + shift, $0.value, $0.interval) }
    }
  }
  let (falls, rises) = (points(\.falls, -0.15), points(\.rises, 0.15))
  let colors = Palette.categories
  return Panel(
    letter, "Depth of the hand-over", in: area,
    x: .categories("", data.handOver.map(\.name)),
    y: .layers("Layers passed", data.grid.layers, room: 1.25),
    [
      Whiskers(falls, Pen(colors[0], width: 0.6), cap: 1),
      Points(falls, .circle, colors[0], size: 1.4),
      Whiskers(rises, Pen(colors[1], width: 0.6), cap: 1),
      Points(rises, .square, colors[1], size: 1.4),
      Legend(
        .topLeft,
        [
          LegendEntry("changed moment below half", .symbol(.circle, colors[0])),
          LegendEntry("last position above half", .symbol(.square, colors[1])),
        ]),
    ])
}

extension Axis {
  /// Layers passed, with a tick at every sixth.
  fileprivate static func layers(_ title: String, _ count: Int, room: Double = 1) -> Axis {
    Axis(
      title, 0...Double(count) * room,
      ticks: stride(from: 0, through: count, by: 6).map { Tick(Double($0), "\($0)") })
  }
}

private func searchPanel(_ letter: String, _ data: AskedFigureData, in area: Rect) -> Panel {
  let x = Axis.fitting("Exact effect", data.estimates + data.effects + [0, 1], ticks: 4)
  var y = x
  y.title = "Attribution"
  var marks: [any Mark] = [
    ReferenceLine.identity(),
    Points(
      zip(data.effects, data.estimates).map { Datum($0, $1) }, .circle,
      Palette.categories[0].opacity(0.55), size: 1.2),
  ]
  if data.effects.count > 2 {
    let rho = number(spearman(data.estimates, data.effects), decimals: 2)
    marks.append(
      Label(
        "\u{03C1} = \(rho)", at: x.lower + 0.04 * (x.upper - x.lower),
        x.lower + 0.94 * (x.upper - x.lower)))
  }
  return Panel(letter, "Search against exact", in: area, x: x, y: y, marks)
}
