// Figure S3: the causal maps of recognisers: encoder and cross-attention by time, decoder by text
// position, heads, and along depth with controls.

import Interventions
import Plot
import Speech

/// What one recogniser's maps show, by [site][window] of its grid.
public struct TranscriptPanel: Sendable {
  public let name: String
  public let grid: TranscriptGrid
  public let sufficiency: [[Double?]]
  public let necessity: [[Double?]]
  /// Sufficiency on recordings of people.
  public let people: [[Double?]]
  /// Recovery by one head at the position that predicts the word, by [layer][head].
  public let crossHeads: [[Double?]]
  public let ownHeads: [[Double?]]

  public init(
    name: String, grid: TranscriptGrid, sufficiency: [[Double?]], necessity: [[Double?]],
    people: [[Double?]], crossHeads: [[Double?]], ownHeads: [[Double?]]
  ) {
    self.name = name
    self.grid = grid
    self.sufficiency = sufficiency
    self.necessity = necessity
    self.people = people
    self.crossHeads = crossHeads
    self.ownHeads = ownHeads
  }

  /// Rows of the map over time, bottom up.
  fileprivate var timed: Range<Int> { 0..<grid.encoder.count + grid.keys.count + grid.values.count }
  fileprivate var decoder: Range<Int> { timed.upperBound..<grid.sites.count }

  fileprivate var timedAxis: Axis {
    let (e, k) = (grid.encoder.count, grid.keys.count)
    let names = grid.sites[timed].map { $0.layer.map { "\($0)" } ?? "in" }
    return .categories(
      "", names,
      groups: [
        AxisGroup("encoder", 0..<e), AxisGroup("cross keys", e..<e + k),
        AxisGroup("cross values", e + k..<e + 2 * k),
      ])
  }
}

extension Array where Element == TranscriptMap {
  /// The share of the mean gap that each head moves, as ratios of means, by [layer][head].
  public func headRecovery(_ heads: KeyPath<TranscriptMap, [[Double?]]>) -> [[Double?]] {
    let gap = reduce(0) { $0 + $1.map.gap }
    guard let shape = first?[keyPath: heads] else { return [] }
    return shape.indices.map { layer in
      shape[layer].indices.map { head in
        reduce(0) { $0 + ($1[keyPath: heads][layer][head] ?? $1.map.corrupt) - $1.map.corrupt }
          / gap
      }
    }
  }
}

/// One row of maps a recogniser, then decoder and heads of the first, and curves along depth.
///
/// - Parameters:
///   - depth: of each recogniser the changed span along the encoder's sites, with its controls
///   - answer: of each the answer's position along the decoder's layers
///   - small: the same span along the sites of a small checkpoint of this package
public func transcriptMapFigure(
  _ panels: [TranscriptPanel], depth: [[Profile]], answer: [Profile],
  small: (sites: [Site], curve: Profile)
) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 54 * Double(panels.count) + 112)
  let rows = figure.area.rows(panels.map { _ in 54.0 } + [8, 46, 54], gap: 0.5)
  let colors = ColorScale.diverging(limit: 1)
  var letters = (97..<123).map { "\(Character(UnicodeScalar(UInt8($0))))" }[...]
  var drawn: [HeatMap] = []
  let times = Array(TranscriptGrid.names.prefix(5))

  for (panel, row) in zip(panels, rows) {
    let columns = row.columns([76, 52, 52], gap: 1)
    let maps = [
      ("\(panel.name): sufficiency", panel.sufficiency), ("Necessity", panel.necessity),
      ("Sufficiency, people", panel.people),
    ]
    for (i, (title, values)) in maps.enumerated() {
      // Where no recording enters there is nothing to show.
      let timed = panel.timed.map { site in
        values.isEmpty ? times.map { _ in nil } : Array(values[site].prefix(times.count))
      }
      drawn.append(
        figure.addCells(
          letters.removeFirst(), title, timed, columns: times,
          rows: i == 0 ? panel.timedAxis : panel.timedAxis.unlabelled, named: i == 0,
          separators: [panel.grid.encoder.count, panel.grid.encoder.count + panel.grid.keys.count],
          in: columns[i], colors))
    }
  }
  figure.add(
    ColorBar(
      "Share of the gap between the words moved by the patch",
      in: Rect(left: 65, top: rows[panels.count].top + 0.5, width: 50, height: 2), of: drawn))

  let base = panels[0]
  let middle = rows[panels.count + 1].columns([62, 58, 58], gap: 1)
  let layers = base.grid.decoder.map { "\($0.layer!)" }
  let text = ["\u{2212}4", "\u{2212}3", "\u{2212}2", "word"]
  _ = figure.addCells(
    letters.removeFirst(), "Decoder, by text position",
    base.decoder.map { Array(base.sufficiency[$0].suffix(text.count)) }, columns: text,
    rows: .categories("Layer", layers), named: true, separators: [], in: middle[0], colors)
  // Heads by themselves move little: their colours reach to the strongest of them.
  let strongest = (base.crossHeads + base.ownHeads).joined().compactMap { $0.map(abs) }.max() ?? 1
  let own = ColorScale.diverging(limit: strongest)
  for (i, (title, values)) in [
    ("Cross-attention heads", base.crossHeads), ("Self-attention heads", base.ownHeads),
  ].enumerated() {
    _ = figure.addCells(
      letters.removeFirst(), "\(title) (\u{00B1}\(number(strongest, decimals: 2)))", values,
      columns: (0..<base.grid.heads).map { "\($0)" }, rows: .categories("Layer", layers),
      named: true, separators: [], in: middle[i + 1], own)
  }

  let bottom = rows[panels.count + 2].columns(depth.map { _ in 1.0 } + [0.8, 0.8], gap: 1.5)
  for (i, curves) in depth.enumerated() {
    figure.add(
      depthPanel(
        letters.removeFirst(), panels[i].name, curves.map { $0.shortened }, panels[i].grid.encoder,
        in: bottom[i], legend: i == 0 ? .topRight : nil, upTo: 1.9))
  }
  figure.add(
    depthPanel(
      letters.removeFirst(), "qwen2-audio-small", [small.curve.shortened], small.sites,
      in: bottom[depth.count], legend: nil, upTo: 1.9))
  figure.add(answerPanel(letters.removeFirst(), answer, in: bottom[depth.count + 1]))
  return DrawnFigure(
    drawing: figure, table: table(panels, depth, answer, small), caption: caption)
}

extension Profile {
  /// Without the model's name.
  fileprivate var shortened: Profile {
    Profile(String(name.split(separator: ": ").last ?? ""), values)
  }
}

private func answerPanel(_ letter: String, _ curves: [Profile], in area: Rect) -> Panel {
  var marks: [any Mark] = [ReferenceLine.horizontal(0)]
  for (i, curve) in curves.enumerated() {
    let data = curve.values.enumerated().compactMap { x, value in
      value.map { Datum(Double(x) + 0.5, $0.value, $0.interval) }
    }
    let pen = Pen(Palette.categories[i], width: 0.9)
    marks += [
      Band(data, pen.color), Line(data, pen), Points(data, .circle, pen.color, size: 1.1),
    ]
  }
  marks.append(
    Legend(
      .topLeft,
      curves.enumerated().map { i, curve in
        LegendEntry(
          String(curve.name.split(separator: ":")[0]),
          .band(Pen(Palette.categories[i], width: 0.9)))
      }))
  let count = curves.map(\.values.count).max() ?? 1
  return Panel(
    letter, "Word\u{2019}s position", in: area,
    x: .categories("Decoder layer", (0..<count).map { "\($0)" }),
    y: .linear("Recovery", -0.1...1.9, ticks: 4), marks)
}

extension Figure {
  /// A heat map of categories.
  fileprivate mutating func addCells(
    _ letter: String, _ title: String, _ values: [[Double?]], columns: [String], rows: Axis,
    named: Bool, separators: [Int], in outer: Rect, _ colors: ColorScale
  ) -> HeatMap {
    var map = HeatMap(
      values, over: .units(columns: columns.count, rows: values.count), colors)
    map.separators = separators
    var margins = Panel.margins
    margins.left = named ? (separators.isEmpty ? 11 : 27) : 4
    margins.right = 1
    margins.bottom = 11
    add(
      Panel(
        letter, title, in: outer, margins: margins, x: .categories("", columns), y: rows, [map]))
    return map
  }
}

private let caption =
  "Causal maps of the published Whisper base and tiny.en: share of the gap between the two words of a "
  + "minimal pair that patching one site in one window moves, in both directions and on recordings of "
  + "people; the decoder by text position and head; and along the encoder's depth the changed span "
  + "with an unrelated item, random weights and a small checkpoint of this package beside it."

/// Every plotted value, one a line.
private func table(
  _ panels: [TranscriptPanel], _ depth: [[Profile]], _ answer: [Profile],
  _ small: (sites: [Site], curve: Profile)
) -> String {
  var lines = ["model\tpanel\tsite\twindow\tvalue\tlow\thigh"]
  for panel in panels {
    for (name, values) in [
      ("sufficiency", panel.sufficiency), ("necessity", panel.necessity), ("people", panel.people),
    ] {
      for (site, row) in zip(panel.grid.sites, values) {
        for (window, value) in zip(TranscriptGrid.names, row) {
          guard let value else { continue }
          lines.append("\(panel.name)\t\(name)\t\(site)\t\(window)\t\(value)\t\t")
        }
      }
    }
    for (name, heads) in [("cross heads", panel.crossHeads), ("own heads", panel.ownHeads)] {
      for (layer, row) in heads.enumerated() {
        for (head, value) in row.enumerated() {
          guard let value else { continue }
          lines.append("\(panel.name)\t\(name)\tdecoder.\(layer)[\(head)]\ttext[-1]\t\(value)\t\t")
        }
      }
    }
  }
  func add(_ curve: Profile, _ sites: [Site]) {
    for (site, value) in zip(sites, curve.values) {
      guard let value else { continue }
      lines.append("\tdepth\t\(site)\t\(curve.name)\t\(value.value)\t\(value.low)\t\(value.high)")
    }
  }
  for (panel, curves) in zip(panels, depth) {
    for curve in curves { add(curve, panel.grid.encoder) }
  }
  for (panel, curve) in zip(panels, answer) { add(curve, panel.grid.decoder) }
  add(small.curve, small.sites)
  return lines.joined(separator: "\n") + "\n"
}
