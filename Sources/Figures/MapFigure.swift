// The figure of `tap map`: one panel a direction, sites from sound up to text, windows from left to
// right, and the last positions of the text beside them.

import Corpus
import Interventions
import Plot
import Speech

/// A map in one or two directions on a full page width.
///
/// - Parameters:
///   - rows: sites, heads or neurons, in the order of the model
///   - columns: windows of sound, then of text
///   - labels: names of the segments, where windows are segments
///   - maps: recoveries by row and column
///   - pairs: how many pairs they are the mean of
public func mapFigure(
  rows: [GridRow], columns: [GridWindow], plan: WindowPlan, labels: [String]?,
  maps: [(direction: Direction, values: [[Double?]])], metric: Metric, pairs: Int
) -> Figure {
  let rowHeight = rows.count > 40 ? 1.6 : rows.count > 20 ? 2.6 : 3.6
  let panelHeight = max(32, rowHeight * Double(rows.count)) + 22
  var figure = Figure(
    width: Figure.full, height: panelHeight * Double(maps.count) + 11)
  let areas = figure.area.rows(maps.map { _ in panelHeight } + [9], gap: 0.5)
  let present = maps.flatMap { $0.values.joined().compactMap { $0 } }
  let limit = max(1, (present.map { abs($0) }.max() ?? 1).rounded(.up))
  let colors = ColorScale.diverging(limit: limit > 2 ? 2 : 1)
  var drawn: [HeatMap] = []
  for (i, map) in maps.enumerated() {
    let title =
      map.direction == .sufficiency
      ? "Sufficiency: corrupt run, clean activation" : "Necessity: clean run, corrupt activation"
    drawn += figure.addGrid(
      "\(Character(UnicodeScalar(UInt8(97 + i))))", title, rows, columns, plan, labels, map.values,
      in: areas[i], colors)
  }
  let noun = pairs == 1 ? "pair" : "pairs"
  figure.add(
    ColorBar(
      "Share of the gap (\(metric.rawValue)) moved by the patch; \(pairs) \(noun)",
      in: Rect(left: 88, top: areas[maps.count].top + 1, width: 50, height: 2), of: drawn))
  return figure
}

extension Figure {
  fileprivate mutating func addGrid(
    _ letter: String, _ title: String, _ rows: [GridRow], _ columns: [GridWindow],
    _ plan: WindowPlan, _ labels: [String]?, _ values: [[Double?]], in outer: Rect,
    _ colors: ColorScale
  ) -> [HeatMap] {
    let sound = columns.filter { if case .text = $0.window { false } else { true } }
    let text = columns.count - sound.count
    var margins = Panel.margins
    margins.left = 34
    margins.bottom = 13
    margins.right = 2
    let widths = [Double(max(sound.count, 1)), Double(text)].filter { $0 > 0 }
    let areas = outer.inset(by: margins).columns(widths, gap: 1.5)
    let names = rowAxis(rows)
    let borders = zip(rows, rows.dropFirst()).enumerated()
      .filter { $0.element.0.site.stage != $0.element.1.site.stage }.map { $0.offset + 1 }
    let rowEdges = (0...rows.count).map(Double.init)

    let (grid, axis) = soundAxis(sound, plan, labels, rowEdges)
    var left = HeatMap(values.map { Array($0.prefix(sound.count)) }, over: grid, colors)
    left.separators = borders
    margins.right = outer.right - areas[0].right
    add(Panel(letter, title, in: outer, margins: margins, x: axis, y: names, [left]))
    guard text > 0 else { return [left] }
    var right = HeatMap(
      values.map { Array($0.suffix(text)) },
      over: CellGrid.units(columns: text, rows: rows.count), colors)
    right.separators = borders
    margins.left = areas[1].left - outer.left
    margins.right = outer.right - areas[1].right
    add(
      Panel(
        in: outer, margins: margins,
        x: .categories("Text", (0..<text).map { "\($0 - text)" }), y: names.unlabelled, [right]))
    return [left, right]
  }
}

/// Names of the rows, bottom up, in groups of one stage and activation.
private func rowAxis(_ rows: [GridRow]) -> Axis {
  func group(_ row: GridRow) -> String {
    row.site.layer == nil ? "" : row.site.stage.rawValue
  }
  var groups: [AxisGroup] = []
  var start = 0
  for i in 1...rows.count where i == rows.count || group(rows[i]) != group(rows[start]) {
    if !group(rows[start]).isEmpty { groups.append(AxisGroup(group(rows[start]), start..<i)) }
    start = i
  }
  let activations = Set(rows.filter { $0.site.layer != nil }.map(\.site.activation))
  let names = rows.map { row -> String in
    guard let layer = row.site.layer else { return "\(row)" }
    // Where all rows of layers are one activation, its name would only be repeated.
    let part = row.index.map { "[\($0)]" } ?? ""
    return activations.count == 1
      ? "\(layer)\(part)" : "\(layer).\(row.site.activation.rawValue)\(part)"
  }
  return .categories("", names, groups: groups)
}

/// The grid and axis of the windows of sound.
private func soundAxis(
  _ sound: [GridWindow], _ plan: WindowPlan, _ labels: [String]?, _ rowEdges: [Double]
) -> (CellGrid, Axis) {
  let units = CellGrid(columns: (0...max(sound.count, 1)).map(Double.init), rows: rowEdges)
  switch plan {
  case .whole: return (units, .categories("", ["all of the sound"]))
  case .segments:
    let names = sound.indices.map { i in
      labels.flatMap { $0.indices.contains(i) ? $0[i] : nil } ?? "\(i)"
    }
    return (units, .categories("Segment", names))
  case .time(let width):
    let edges = (0...sound.count).map { width * Double($0) }
    return (
      CellGrid(columns: edges, rows: rowEdges),
      .linear("Time from the start of the base recording (ms)", 0...edges[sound.count], ticks: 8)
    )
  }
}
