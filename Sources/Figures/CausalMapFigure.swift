// Drawing Figure 2: the causal map in both directions, by phone, for one pair, and its controls.

import Interventions
import Plot
import Speech

/// A figure, the table of everything it plots, and its description.
public struct DrawnFigure {
  public let drawing: Figure
  public let table: String
  public let caption: String
}

/// Figure 2 on a full page width.
public func causalMapFigure(_ data: CausalMapData) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 170)
  let rows = figure.area.rows([64, 52, 7, 45], gap: 0.5)
  let colors = ColorScale.diverging(limit: 1)

  let top = rows[0].columns([97, 80], gap: 1)
  var drawn = figure.addMap(
    "a", "Sufficiency: corrupt run, clean activation", data.sufficiency, data, in: top[0],
    colors, named: true, phones: data.phones, marks: data.proposed)
  drawn += figure.addMap(
    "b", "Necessity: clean run, corrupt activation", data.necessity, data, in: top[1], colors,
    named: false, phones: data.phones, marks: data.proposedNecessity)

  let middle = rows[1].columns([97, 80], gap: 1)
  drawn += figure.addMap(
    "c", data.example.title, data.example.values, data, in: middle[0], colors, named: true,
    phones: data.example.phones, marks: [])
  drawn.append(figure.addPhoneMap("d", data, in: middle[1], colors))

  let bottom = rows[3].columns([46, 68, 60], gap: 2)
  figure.add(scatter("e", data, in: bottom[0]))
  figure.add(
    profiles(
      "f", "Changed phone\u{2019}s window", data.profiles, data, in: bottom[1], legend: .topRight))
  figure.add(
    profiles(
      "g", "Answer\u{2019}s position", data.answer, data, in: bottom[2], legend: .topLeft))
  figure.add(
    ColorBar(
      "Share of the answer gap moved by the patch",
      in: Rect(left: 75, top: rows[2].top + 0.5, width: 50, height: 2),
      of: drawn))
  return DrawnFigure(drawing: figure, table: table(data), caption: caption)
}

private let caption =
  "Causal map of a small Qwen2-Audio model: share of the logit-difference gap between the members "
  + "of a minimal pair that patching one residual site in one window moves, in both directions, with "
  + "the cells that attribution proposes, one example, phone-aligned windows, attribution against "
  + "exact effect, and the unrelated-item and random-weight controls along depth."

/// Names of the sites, bottom up, in groups.
private func siteAxis(_ sites: [Site]) -> Axis {
  let names = sites.map { $0.layer.map { "\($0)" } ?? ($0.activation == .embed ? "in" : "") }
  func range(_ stage: Site.Stage) -> Range<Int> {
    let own = sites.indices.filter { sites[$0].stage == stage }
    return own.first!..<(own.last! + 1)
  }
  return .categories(
    "", names,
    groups: [
      AxisGroup("encoder", range(.encoder)), AxisGroup("connector", range(.connector)),
      AxisGroup("language\nmodel", range(.lm)),
    ])
}

extension Figure {
  /// A map over time, with a second panel for the text positions. Returns the two heat maps.
  fileprivate mutating func addMap(
    _ letter: String, _ title: String, _ values: [[Double?]], _ data: CausalMapData, in outer: Rect,
    _ colors: ColorScale, named: Bool, phones: [PhoneSpan], marks: [MapCell]
  ) -> [HeatMap] {
    let windows = data.windows
    let count = windows.fixed.count
    let edges = (0...count).map { windows.width * Double(windows.fixed.lowerBound + $0) }
    let (first, last) = (edges[0], edges[count])
    let speech = CellGrid(columns: edges, rows: (0...data.sites.count).map(Double.init))
    let text = CellGrid.units(columns: windows.text, rows: data.sites.count)
    var left = HeatMap(values.map { Array($0[1...count]) }, over: speech, colors)
    var right = HeatMap(values.map { Array($0[(count + 2)...]) }, over: text, colors)
    let connector = data.sites.firstIndex { $0.stage == .connector }!
    left.separators = [connector, connector + 1]
    right.separators = [connector, connector + 1]

    var margins = Panel.margins
    margins.left = named ? 23 : 6
    margins.right = 1
    margins.bottom = 13
    let areas = outer.inset(by: margins).columns([Double(count), 4.5], gap: 1.5)
    let names = siteAxis(data.sites)
    let track = PhoneTrack(
      phones.compactMap { phone in
        let (start, end) = (max(phone.start, first), min(phone.end, last))
        guard end - start > 1, !phone.label.isEmpty else { return nil }
        return .init(phone.label, start, end, highlighted: phone.changed)
      })
    margins.right = outer.right - areas[0].right
    let soundMarks = marks.filter { (1...count).contains($0.window) }
      .map { Plot.Cell(row: $0.site, column: $0.window - 1) }
    let textMarks = marks.filter { $0.window > count + 1 }
      .map { Plot.Cell(row: $0.site, column: $0.window - count - 2) }
    add(
      Panel(
        letter, title, in: outer, margins: margins,
        x: Axis(
          "Time from the onset of the changed phone (ms)", first...last,
          ticks: ticks(in: -600...600, about: 6)),
        y: named ? names : names.unlabelled, track: track,
        [
          left, ReferenceLine.vertical(0, Pen(.ink, width: 0.5)),
          CellMarks(soundMarks, of: speech, .dot),
        ]))
    margins.left = areas[1].left - outer.left
    margins.right = outer.right - areas[1].right
    add(
      Panel(
        in: outer, margins: margins,
        x: .categories("", ["audio end", "ordinal", "thing", "answer"]),
        y: names.unlabelled, [right, CellMarks(textMarks, of: text, .dot)]))
    return [left, right]
  }

  /// The map by phones around the changed one.
  fileprivate mutating func addPhoneMap(
    _ letter: String, _ data: CausalMapData, in outer: Rect, _ colors: ColorScale
  ) -> HeatMap {
    let offsets = Array(data.windows.phones)
    let grid = CellGrid.units(columns: offsets.count, rows: data.sites.count)
    var map = HeatMap(data.phoneSufficiency, over: grid, colors)
    let connector = data.sites.firstIndex { $0.stage == .connector }!
    map.separators = [connector, connector + 1]
    var margins = Panel.margins
    margins.left = 6
    margins.right = 1
    margins.bottom = 13
    let labels = offsets.map(signed)
    add(
      Panel(
        letter, "Windows of one phone each (sufficiency)", in: outer, margins: margins,
        x: .categories("Phone, counted from the changed one", labels),
        y: siteAxis(data.sites).unlabelled, [map]))
    return map
  }
}

private func scatter(_ letter: String, _ data: CausalMapData, in area: Rect) -> Panel {
  let all = data.estimates + data.effects
  let range = Axis.fitting("Exact effect", all, ticks: 4)
  var y = range
  y.title = "Attribution"
  return Panel(
    letter, "Search against exact", in: area, x: range, y: y,
    [
      ReferenceLine.identity(),
      Points(
        zip(data.effects, data.estimates).map { Datum($0, $1) }, .circle,
        Palette.categories[0].opacity(0.55), size: 1.2),
      Label(
        "\u{03C1} = \(number(spearman(data.estimates, data.effects), decimals: 2))", at: 0.02, 0.86,
        TextStyle(size: 6)),
    ])
}

/// Curves along depth with interval bands; the first is the finding, the others its controls.
private func profiles(
  _ letter: String, _ title: String, _ curves: [Profile], _ data: CausalMapData, in area: Rect,
  legend corner: Legend.Corner
) -> Panel {
  let names = data.sites.map { site -> String in
    switch site.stage {
    case .encoder: site.layer.map { "e\($0)" } ?? "in"
    case .connector: "c"
    case .lm: site.layer.map { "l\($0)" } ?? "l"
    default: "\(site)"
    }
  }
  var marks: [any Mark] = [ReferenceLine.horizontal(0)]
  var entries: [LegendEntry] = []
  for (i, curve) in curves.enumerated() {
    let color = Palette.categories[i]
    let data = curve.values.enumerated().compactMap { x, value in
      value.map { Datum(Double(x) + 0.5, $0.value, $0.low...max($0.low, $0.high)) }
    }
    let pen = Pen(color, width: 0.9)
    marks += [Band(data, color), Line(data, pen), Points(data, .circle, color, size: 1.1)]
    entries.append(LegendEntry(curve.name, .band(pen)))
  }
  marks.append(Legend(corner, entries))
  return Panel(
    letter, title, in: area, x: .categories("Site", names),
    y: .linear("Recovery", -0.1...1.25, ticks: 4), marks)
}

/// Every plotted value, one a line: panel, site or series, window, value, bounds.
private func table(_ data: CausalMapData) -> String {
  var lines = ["panel\tsite\twindow\tvalue\tlow\thigh"]
  let windows = data.windows
  let fixed = windows.fixed.map { i in
    "\(Int(windows.width) * i)ms..\(Int(windows.width) * (i + 1))ms"
  }
  let times =
    ["before"] + fixed + ["after"] + (0..<windows.text).map { "text[\($0 - windows.text)]" }
  let phones = windows.phones.map { "phone[\($0)]" }
  func add(_ panel: String, _ map: [[Double?]], _ names: [String]) {
    for (site, row) in zip(data.sites, map) {
      for (name, value) in zip(names, row) {
        lines.append("\(panel)\t\(site)\t\(name)\t\(value.map { "\($0)" } ?? "NA")\t\t")
      }
    }
  }
  add("a", data.sufficiency, times)
  add("b", data.necessity, times)
  add("c", data.example.values, times)
  add("d", data.phoneSufficiency, phones)
  add("a random weights", data.untrained, times)
  for (panel, cells) in [("a search", data.proposed), ("b search", data.proposedNecessity)] {
    for (rank, cell) in cells.enumerated() {
      lines.append("\(panel)\t\(data.sites[cell.site])\t\(times[cell.window])\t\(rank + 1)\t\t")
    }
  }
  for (x, y) in zip(data.effects, data.estimates) { lines.append("e\texact\t\(x)\t\(y)\t\t") }
  for (panel, curves) in [("f", data.profiles), ("g", data.answer)] {
    for curve in curves {
      for (site, value) in zip(data.sites, curve.values) {
        guard let value else { continue }
        lines.append(
          "\(panel)\t\(site)\t\(curve.name)\t\(value.value)\t\(value.low)\t\(value.high)")
      }
    }
  }
  return lines.joined(separator: "\n") + "\n"
}
