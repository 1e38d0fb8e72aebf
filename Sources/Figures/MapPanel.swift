// The panel of a causal map over time, for figures that show one or several.

import Interventions
import Plot
import Speech

/// Names of the sites, bottom up, in groups.
func siteAxis(_ sites: [Site]) -> Axis {
  let names = sites.map { $0.layer.map { "\($0)" } ?? ($0.activation == .embed ? "in" : "") }
  func range(_ stage: Site.Stage) -> Range<Int> {
    let own = sites.indices.filter { sites[$0].stage == stage }
    return own.first!..<(own.last! + 1)
  }
  let stages = [
    (Site.Stage.encoder, "encoder"), (Site.Stage(rawValue: "fuse"), "BEATs"),
    (.connector, "connector"), (.lm, "language\nmodel"),
  ]
  return .categories(
    "", names,
    groups: stages.filter { stage, _ in sites.contains { $0.stage == stage } }
      .map { AxisGroup($1, range($0)) })
}

extension LockedWindows {
  /// Names of the last text positions where nothing is known of the prompt: counted from its end, at
  /// which the answer is read.
  public var textPlaces: [String] { (1...text).reversed().map { $0 == 1 ? "answer" : signed(-$0) } }
}

extension Figure {
  /// A map over time, with a second panel for the text positions. Returns the two heat maps.
  ///
  /// - Parameters:
  ///   - values: by [site][window], windows as `LockedWindows.ofTime` orders them
  ///   - named: whether the names of the sites are written beside it
  ///   - labels: names of the text positions
  ///   - marks: cells to put a dot on
  ///   - outlined: a cell of sound to put a frame around
  ///   - smallest: the size, in points, below which a phone has no label
  ///   - time: the title of the axis of time
  mutating func addMap(
    _ letter: String, _ title: String, _ values: [[Double?]], of sites: [Site],
    _ windows: LockedWindows, in outer: Rect, _ colors: ColorScale, named: Bool,
    phones: [PhoneSpan], text labels: [String], marks: [MapCell], outlined: MapCell? = nil,
    smallest: Double = 4, time: String = "Time from the onset of the changed phone (ms)"
  ) -> [HeatMap] {
    let count = windows.fixed.count
    let edges = (0...count).map { windows.width * Double(windows.fixed.lowerBound + $0) }
    let (first, last) = (edges[0], edges[count])
    let speech = CellGrid(columns: edges, rows: (0...sites.count).map(Double.init))
    let text = CellGrid.units(columns: windows.text, rows: sites.count)
    var left = HeatMap(values.map { Array($0[1...count]) }, over: speech, colors)
    var right = HeatMap(values.map { Array($0[(count + 2)...]) }, over: text, colors)
    let connector = sites.firstIndex { $0.stage == .connector }!
    left.separators = [connector, connector + 1]
    right.separators = [connector, connector + 1]

    var margins = Panel.margins
    margins.left = named ? 23 : 6
    margins.right = 1
    margins.bottom = 13
    let areas = outer.inset(by: margins).columns([Double(count), 4.5], gap: 1.5)
    let names = siteAxis(sites)
    var track = PhoneTrack(
      phones.compactMap { phone in
        let (start, end) = (max(phone.start, first), min(phone.end, last))
        guard end - start > 1, !phone.label.isEmpty else { return nil }
        return .init(phone.label, start, end, highlighted: phone.changed)
      })
    track.smallest = smallest
    margins.right = outer.right - areas[0].right
    let frames = outlined.map { [Plot.Cell(row: $0.site, column: $0.window - 1)] } ?? []
    let soundMarks = marks.filter { (1...count).contains($0.window) }
      .map { Plot.Cell(row: $0.site, column: $0.window - 1) }
    let textMarks = marks.filter { $0.window > count + 1 }
      .map { Plot.Cell(row: $0.site, column: $0.window - count - 2) }
    add(
      Panel(
        letter, title, in: outer, margins: margins,
        x: Axis(
          time, first...last,
          // None at the end, where the names of the text begin.
          ticks: every200(in: max(first, -600)...min(last - 1, 600))),
        y: named ? names : names.unlabelled, track: track,
        [
          left, ReferenceLine.vertical(0, Pen(.ink, width: 0.5)),
          CellMarks(frames, of: speech, .outline), CellMarks(soundMarks, of: speech, .dot),
        ]))
    margins.left = areas[1].left - outer.left
    margins.right = outer.right - areas[1].right
    add(
      Panel(
        in: outer, margins: margins,
        x: .categories("", labels),
        y: names.unlabelled, [right, CellMarks(textMarks, of: text, .dot)]))
    return [left, right]
  }
}

/// Ticks of an axis of time, about 200 ms apart.
private func every200(in range: ClosedRange<Double>) -> [Tick] {
  let steps = ((range.upperBound - range.lowerBound) / 200).rounded()
  return ticks(in: range, about: max(1, Int(steps)))
}

/// Curves along depth with interval bands; the first is the finding, the others its controls.
func depthPanel(
  _ letter: String, _ title: String, _ curves: [Profile], _ sites: [Site], in area: Rect,
  legend corner: Legend.Corner?, upTo top: Double = 1.25
) -> Panel {
  let names = sites.map { site -> String in
    switch site.stage {
    case .encoder: site.layer.map { "e\($0)" } ?? "in"
    case .connector: "c"
    case Site.Stage(rawValue: "fuse"): "b"
    case .lm: site.layer.map { "l\($0)" } ?? "l"
    default: "\(site)"
    }
  }
  var marks: [any Mark] = [ReferenceLine.horizontal(0)]
  var entries: [LegendEntry] = []
  for (i, curve) in curves.enumerated() {
    let color = Palette.categories[i]
    let data = curve.values.enumerated().compactMap { x, value in
      value.map { Datum(Double(x) + 0.5, $0.value, $0.interval) }
    }
    let pen = Pen(color, width: 0.9)
    marks += [Band(data, color), Line(data, pen), Points(data, .circle, color, size: 1.1)]
    entries.append(LegendEntry(curve.name, .band(pen)))
  }
  if let corner { marks.append(Legend(corner, entries)) }
  return Panel(
    letter, title, in: area, x: .categories("Site", names),
    y: .linear("Recovery", -0.1...top, ticks: 4), marks)
}

extension Estimate {
  /// The interval; nil where too few groups gave none.
  var interval: ClosedRange<Double>? {
    low.isFinite && high.isFinite ? low...max(low, high) : nil
  }
}
