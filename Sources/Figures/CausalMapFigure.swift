// Drawing Figure 2: the causal map in both directions, by phone, for one pair, and its controls.

import Corpus
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
///
/// - Parameter text: names of the last text positions, the answer's the last
public func causalMapFigure(
  _ data: CausalMapData, text: [String] = ["audio end", "ordinal", "thing", "answer"]
) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 170)
  let rows = figure.area.rows([64, 52, 7, 45], gap: 0.5)
  let colors = ColorScale.diverging(limit: 1)

  let top = rows[0].columns([97, 80], gap: 1)
  var drawn = figure.addMap(
    "a", "Sufficiency: corrupt run, clean activation", data.sufficiency, of: data.sites,
    data.windows, in: top[0], colors, named: true, phones: data.phones, text: text,
    marks: data.proposed)
  drawn += figure.addMap(
    "b", "Necessity: clean run, corrupt activation", data.necessity, of: data.sites,
    data.windows, in: top[1], colors, named: false, phones: data.phones, text: text,
    marks: data.proposedNecessity)

  let middle = rows[1].columns([97, 80], gap: 1)
  drawn += figure.addMap(
    "c", data.example.title, data.example.values, of: data.sites, data.windows, in: middle[0],
    colors, named: true, phones: data.example.phones, text: text, marks: [])
  drawn.append(figure.addPhoneMap("d", data, in: middle[1], colors))

  let bottom = rows[3].columns([46, 68, 60], gap: 2)
  figure.add(scatter("e", data, in: bottom[0]))
  figure.add(
    depthPanel(
      "f", "Changed phone\u{2019}s window", data.profiles, data.sites, in: bottom[1],
      legend: .topRight))
  figure.add(
    depthPanel(
      "g", "Answer\u{2019}s position", data.answer, data.sites, in: bottom[2], legend: .topLeft))
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

extension Figure {
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

/// Every plotted value, one a line: panel, site or series, window, value, bounds.
private func table(_ data: CausalMapData) -> String {
  var lines = ["panel\tsite\twindow\tvalue\tlow\thigh"]
  let windows = data.windows
  let times = windows.names
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
