// The figure of one ablation: small maps side by side where it has them, and rows of panels of numbers
// with their intervals; every axis of the ablations has this shape, and the same table.

import Interventions
import Plot
import Speech
import Tensor

/// A map that is drawn beside others.
public struct AblationMap: Sendable {
  public let name: String
  public let sites: [Site]
  /// By [site][window of sound].
  public let values: [[Double?]]

  public init(_ name: String, _ sites: [Site], _ values: [[Double?]]) {
    (self.name, self.sites, self.values) = (name, sites, values)
  }
}

/// How the rows of one panel are drawn.
public struct AblationPanel: Sendable {
  public enum Shape: Sendable {
    /// A row a place from the top down, values along the horizontal axis.
    case rows
    /// Places along the horizontal axis, joined by lines.
    case curves(String)
  }
  /// The panel of the rows that it draws.
  public let panel: String
  public let title: String
  /// The quantity and its unit.
  public let quantity: String
  public let range: ClosedRange<Double>
  public var shape = Shape.rows
  /// Whether the axis is that of powers of ten, from which `range` goes; zeros stand at its lower end.
  public var isLogarithmic = false
  /// Its share of the width, and how much of that names at its left take, in millimetres; nil where its
  /// places are those of the panel at its left, whose names it shares.
  public var width = 1.0
  public var names: Double?

  public init(
    _ panel: String, _ title: String, _ quantity: String, _ range: ClosedRange<Double>,
    shape: Shape = .rows, width: Double = 1, names: Double? = nil
  ) {
    (self.panel, self.title, self.quantity) = (panel, title, quantity)
    (self.range, self.shape, self.width, self.names) = (range, shape, width, names)
  }
}

extension AblationPanel {
  /// The same over powers of ten.
  public var logarithmic: AblationPanel {
    var panel = self
    panel.isLogarithmic = true
    return panel
  }

  fileprivate var isCurve: Bool {
    if case .curves = shape { return true }
    return false
  }

  fileprivate func places(_ rows: [AblationRow]) -> [String] {
    rows.filter { $0.panel == panel }.map(\.place).uniqued
  }

  fileprivate var axis: Axis {
    guard isLogarithmic else {
      return .linear(quantity, range, ticks: width < 0.7 || names ?? 0 > 20 ? 2 : 4)
    }
    let powers = stride(from: range.lowerBound, through: range.upperBound, by: 2)
    return Axis(
      quantity, range,
      ticks: powers.map { power in
        Tick(power, power == range.lowerBound ? "0" : power == 0 ? "1" : "1e\(signed(Int(power)))")
      })
  }

  /// The place of a value along the axis, cut at its ends.
  fileprivate func place(_ value: Double) -> Double {
    let placed = isLogarithmic ? (value > 0 ? Elementary.log10(value) : range.lowerBound) : value
    return min(max(placed, range.lowerBound), range.upperBound)
  }
}

private let symbols: [Symbol] = [
  .circle, .square, .diamond, .hollowCircle, .hollowSquare, .circle, .square,
]

/// - Parameters:
///   - maps: drawn on top, all on one scale; `windows` says where their columns lie
///   - layout: rows of panels
///   - bar: what the colours of the maps are
///   - chance: what the upright strokes stand for, where there are some
public func ablationFigure(
  _ rows: [AblationRow], _ layout: [[AblationPanel]], maps: [AblationMap] = [],
  windows: LockedWindows = TaskWindows.locked, bar: String = "Share of the gap moved",
  chance: String = "chance", caption: String
) -> DrawnFigure {
  let heights = layout.map { band in band.map { height(of: $0, rows) }.max() ?? 0 }
  let top = maps.isEmpty ? 0 : 39.0 + 8
  let series = rows.map(\.series).uniqued
  let key = 4.5 * keyLines(series)
  var figure = Figure(
    width: Figure.full, height: top + heights.reduce(0, +) + 1.5 * Double(layout.count) + key + 2)
  let bands = figure.area.rows((maps.isEmpty ? [] : [39.0, 8]) + heights + [key], gap: 1.5)
  var letter = 0
  func nextLetter() -> String {
    defer { letter += 1 }
    return "\(Character(UnicodeScalar(UInt8(97 + letter))))"
  }
  if !maps.isEmpty {
    figure.addSmallMaps(maps, windows, in: bands[0], bar: bands[1], title: bar, nextLetter)
  }
  for (band, area) in zip(layout, bands.dropFirst(maps.isEmpty ? 0 : 2)) {
    var places: [String] = []
    for (panel, own) in zip(band, area.columns(band.map(\.width), gap: 2)) {
      if panel.names != nil { places = panel.places(rows) }
      figure.add(drawn(panel, nextLetter(), rows, places, series, in: own))
    }
  }
  figure.draw(
    seriesKey(
      series, rows.contains { $0.chance != nil } ? chance : nil,
      dashed: layout[0][0].isCurve, in: bands.last!))
  return DrawnFigure(drawing: figure, table: table(rows, maps, windows), caption: caption)
}

/// Millimetres between two rows of a panel, for so many series.
private func pitch(_ series: Int) -> Double { max(3.4, 0.9 + 1.15 * Double(series)) }

private func height(of panel: AblationPanel, _ rows: [AblationRow]) -> Double {
  let own = rows.filter { $0.panel == panel.panel }
  guard case .rows = panel.shape else { return 48 }
  return 15.5 + pitch(own.map(\.series).uniqued.count) * Double(max(panel.places(rows).count, 2))
}

private func drawn(
  _ panel: AblationPanel, _ letter: String, _ all: [AblationRow], _ places: [String],
  _ series: [String], in area: Rect
) -> Panel {
  let own = all.filter { $0.panel == panel.panel && places.contains($0.place) }
  let present = series.filter { name in own.contains { $0.series == name } }
  var marks: [any Mark] = []
  var margins = Panel.margins
  margins.left = panel.names ?? 3
  let axis = panel.axis
  switch panel.shape {
  case .rows:
    if !panel.isLogarithmic, panel.range.contains(0) { marks.append(ReferenceLine.vertical(0)) }
    for row in own {
      let i = series.firstIndex(of: row.series)!
      let color = Palette.categories[i % Palette.categories.count]
      let order = Double(present.firstIndex(of: row.series)!)
      let y =
        Double(places.count - 1 - places.firstIndex(of: row.place)!) + 0.5
        + (Double(present.count - 1) / 2 - order) * 0.8 / Double(max(present.count, 1))
      if let chance = row.chance {
        let reach = 0.36 / Double(max(present.count, 1))
        marks.append(
          Line(
            [Datum(panel.place(chance), y - reach), Datum(panel.place(chance), y + reach)],
            Pen(.muted, width: 1)))
      }
      if let interval = row.number.interval {
        marks.append(
          Line(
            [
              Datum(panel.place(interval.lowerBound), y),
              Datum(panel.place(interval.upperBound), y),
            ],
            Pen(color, width: 0.6)))
      }
      guard row.number.value.isFinite else { continue }
      marks.append(
        Points(
          [Datum(panel.place(row.number.value), y)], symbols[i % symbols.count], color, size: 1.2))
    }
    let names = Axis.categories("", places.reversed())
    return Panel(
      letter, panel.title, in: area, margins: margins, x: axis,
      y: panel.names == nil ? names.unlabelled : names, marks)
  case .curves(let title):
    if panel.range.contains(0) { marks.append(ReferenceLine.horizontal(0)) }
    for name in present {
      let i = series.firstIndex(of: name)!
      let color = Palette.categories[i % Palette.categories.count]
      let data = own.filter { $0.series == name && $0.number.value.isFinite }.map {
        Datum(
          Double(places.firstIndex(of: $0.place)!) + 0.5, panel.place($0.number.value),
          $0.number.interval)
      }
      marks += [
        Band(data, color), Line(data, Pen(color, width: 0.8)),
        Points(data, symbols[i % symbols.count], color, size: 1.2),
      ]
      let chances = own.filter { $0.series == name }.compactMap { row in
        row.chance.map { Datum(Double(places.firstIndex(of: row.place)!) + 0.5, $0) }
      }
      if !chances.isEmpty {
        marks.append(Line(chances, Pen(color, width: 0.5, dashes: [0.8, 0.6])))
      }
    }
    return Panel(
      letter, panel.title, in: area, margins: margins, x: .categories(title, places), y: axis,
      marks)
  }
}

extension Figure {
  /// Maps side by side, with one bar of colours below them.
  fileprivate mutating func addSmallMaps(
    _ maps: [AblationMap], _ windows: LockedWindows, in area: Rect, bar: Rect, title: String,
    _ letter: () -> String
  ) {
    let colors = ColorScale.diverging(limit: 1)
    let edges = (0...windows.fixed.count).map {
      windows.width * Double(windows.fixed.lowerBound + $0)
    }
    let names = 20.0
    let unit = (area.width - names) / Double(maps.count)
    let cells = area.columns(maps.indices.map { $0 == 0 ? unit + names : unit }, gap: 0)
    var drawn: [HeatMap] = []
    for (i, map) in maps.enumerated() {
      let grid = CellGrid(columns: edges, rows: (0...map.sites.count).map(Double.init))
      var heat = HeatMap(
        map.values.map { Array($0[1...windows.fixed.count]) }, over: grid, colors)
      if let connector = map.sites.firstIndex(where: { $0.stage == .connector }) {
        heat.separators = [connector, connector + 1]
      }
      drawn.append(heat)
      let axis = siteAxis(map.sites)
      add(
        Panel(
          letter(), map.name, in: cells[i],
          margins: Insets(left: i == 0 ? names : 1, right: 1, top: 5.5, bottom: 9),
          x: Axis(
            i == 0 ? "From the change (ms)" : "", edges.first!...edges.last!,
            ticks: [-480, 0, 480].map { Tick($0, signed(Int($0))) }),
          y: i == 0 ? axis : axis.unlabelled,
          [heat, ReferenceLine.vertical(0, Pen(.ink, width: 0.4))]))
    }
    add(ColorBar(title, in: Rect(left: 70, top: bar.top + 1, width: 50, height: 2), of: drawn))
  }
}

/// How many lines the key takes, by letters about as wide as they are.
private func keyLines(_ series: [String]) -> Double {
  (series.reduce(25.0) { $0 + 9 + 1.0 * Double($1.count) } / 168).rounded(.up)
}

/// The symbols of the series, and what an upright stroke stands for, in as many lines as they need.
private func seriesKey(_ series: [String], _ chance: String?, dashed: Bool, in area: Rect)
  -> (Canvas) -> Void
{
  { canvas in
    var place = Point(area.left + 8, area.top + 2.2)
    func next(_ name: String, _ draw: (Point) -> Void) {
      let width = canvas.width(of: name, Style.small) + 7
      if place.x + width > area.right { place = Point(area.left + 8, place.y + 4) }
      draw(place)
      canvas.text(name, at: Point(place.x + 1.8, place.y), Style.small, .middle)
      place = Point(place.x + width, place.y)
    }
    for (i, name) in series.enumerated() {
      next(name) {
        canvas.symbol(
          symbols[i % symbols.count], at: $0, size: 1.4,
          Palette.categories[i % Palette.categories.count])
      }
    }
    guard let chance else { return }
    next(chance) {
      canvas.stroke(
        dashed
          ? .line(Point($0.x - 3, $0.y), Point($0.x + 1, $0.y))
          : .line(Point($0.x, $0.y - 1), Point($0.x, $0.y + 1)),
        dashed ? ReferenceLine.standard : Pen(.muted, width: 1))
    }
  }
}

/// Every plotted value, one a line.
private func table(_ rows: [AblationRow], _ maps: [AblationMap], _ windows: LockedWindows) -> String
{
  var lines = ["panel\tplace\tseries\tvalue\tlow\thigh\tchance"]
  func text(_ value: Double?) -> String { value.map { $0.isFinite ? "\($0)" : "" } ?? "" }
  for row in rows {
    let fields = [
      row.panel, row.place, row.series, text(row.number.value), text(row.number.low),
      text(row.number.high), text(row.chance),
    ]
    lines.append(fields.joined(separator: "\t"))
  }
  for map in maps {
    for (site, values) in zip(map.sites, map.values) {
      for (name, value) in zip(windows.names, values) {
        lines.append("map\t\(site)@\(name)\t\(map.name)\t\(text(value))\t\t\t")
      }
    }
  }
  return lines.joined(separator: "\n") + "\n"
}
