// Figure S4: what a published Whisper writes where nobody speaks, and where it carries that there is
// speech.

import Interventions
import Plot
import Speech

private let colors = [Palette.categories[0], Palette.categories[1]]
private let symbols: [(full: Symbol, hollow: Symbol)] = [
  (.circle, .hollowCircle), (.square, .hollowSquare),
]

/// Rates and texts, maps by depth and stretch in both directions, donors beside their controls, and the
/// decoder's layers and heads.
///
/// - Parameter groups: names of the rates, in the order of the axis and in named runs
public func hallucinationFigure(
  rates: [WrittenRate], phrases: [PhraseCount], maps: [SpeechMap],
  groups: [(name: String, members: [String])]
) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 232)
  let bands = figure.area.rows([56, 37, 43, 43, 42, 7], gap: 0.8)
  let top = bands[0].columns([124, 54], gap: 2)
  figure.add(ratePanel(rates, groups, in: top[0]))
  figure.draw(phraseList(phrases, in: top[1]))

  let limit = ColorScale.diverging(limit: 1)
  var drawn: [HeatMap] = []
  var letter = 2
  func next() -> String {
    defer { letter += 1 }
    return "\(Character(UnicodeScalar(UInt8(97 + letter))))"
  }
  let grids = bands[1].columns(maps.flatMap { _ in [1.0, 1.0] }, gap: 1)
  for (m, map) in maps.enumerated() {
    for (d, direction) in Direction.allCases.enumerated() {
      let (panel, heat) = depthMap(next(), map, direction, in: grids[2 * m + d], limit)
      figure.add(panel)
      drawn.append(heat)
    }
  }
  for (d, direction) in Direction.allCases.enumerated() {
    for (m, area) in bands[2 + d].columns(maps.map { _ in 1.0 }, gap: 2).enumerated() {
      figure.add(donorPanel(next(), maps[m], direction, in: area, legend: m == 0))
    }
  }
  let last = bands[4].columns(maps.flatMap { _ in [44.0, 44.0] }, gap: 1)
  for (m, map) in maps.enumerated() {
    figure.add(layerPanel(next(), map, in: last[2 * m], legend: m == 0))
    let (panel, heat) = headMap(next(), map, in: last[2 * m + 1], limit)
    figure.add(panel)
    drawn.append(heat)
  }
  figure.add(
    ColorBar(
      "Share of the gap between the sound and speech",
      in: Rect(left: 84, top: bands[5].top + 0.5, width: 50, height: 2), of: drawn,
      absent: "not measured"))
  return DrawnFigure(
    drawing: figure, table: hallucinationTable(rates, phrases, maps), caption: caption)
}

private let caption =
  "How often two published Whisper models write words for sounds that are not speech, by kind, beside "
  + "speech and speech backwards; their most frequent texts; and where the log-odds that there is "
  + "speech are carried: shares of the gap between a sound and speech that a patch moves, "
  + "by depth and stretch of time, by donor, by layer of cross-attention and by head."

/// Rates by kind: full symbols have words, hollow ones are left by Whisper's own rule.
private func ratePanel(
  _ rates: [WrittenRate], _ groups: [(name: String, members: [String])], in area: Rect
) -> Panel {
  let names = groups.flatMap(\.members)
  var start = 0
  let axis = groups.map { group -> AxisGroup in
    defer { start += group.members.count }
    return AxisGroup(group.name, start..<(start + group.members.count))
  }
  let models = rates.map(\.model).uniqued
  var marks: [any Mark] = []
  var entries: [LegendEntry] = []
  for (m, model) in models.enumerated() {
    func data(_ shift: Double, _ value: (WrittenRate) -> Estimate) -> [Datum] {
      names.enumerated().compactMap { i, name in
        rates.first { $0.model == model && $0.group == name }.map {
          let rate = value($0)
          return Datum(Double(i) + 0.5 + shift, rate.value, rate.low...rate.high)
        }
      }
    }
    let side = m == 0 ? -0.3 : 0.1
    let (words, kept) = (data(side, \.words), data(side + 0.2, \.kept))
    marks += [
      Whiskers(words + kept, Pen(colors[m], width: 0.5)),
      Points(words, symbols[m].full, colors[m], size: 1.4),
      Points(kept, symbols[m].hollow, colors[m], size: 1.3),
    ]
    entries.append(LegendEntry(model, .symbol(symbols[m].full, colors[m])))
    entries.append(
      LegendEntry("left by Whisper's rule", .symbol(symbols[m].hollow, colors[m])))
  }
  var margins = Panel.margins
  (margins.bottom, margins.top) = (21, 10.5)
  let panel = Panel(
    "a", "Share of transcripts that have words", in: area, margins: margins,
    x: .categories("", names, groups: axis), y: .linear("Share", 0...1, ticks: 4), marks)
  var keyed = panel
  keyed.marks += key(entries, steps: [0, 24, 54, 78])
  return keyed
}

/// A legend in one line between title and data, where no datum is.
private func key(_ entries: [LegendEntry], steps: [Double]) -> [any Mark] {
  zip(entries, steps).map { Shifted(mark: Legend(.topLeft, [$0]), right: $1, down: -5.5) }
}

/// A mark drawn somewhere else on the page, by so many millimetres.
private struct Shifted: Mark {
  let mark: any Mark
  let right: Double
  let down: Double

  func draw(on canvas: Canvas, in frame: Frame) {
    let area = Rect(
      left: frame.area.left + right, top: frame.area.top + down, width: frame.area.width,
      height: frame.area.height)
    mark.draw(
      on: canvas,
      in: Frame(area, x: frame.x.lower...frame.x.upper, y: frame.y.lower...frame.y.upper))
  }
}

/// The most frequent texts of each model, with bars of their shares.
private func phraseList(_ phrases: [PhraseCount], in area: Rect) -> (Canvas) -> Void {
  { canvas in
    canvas.text("b", at: Point(area.left, area.top + canvas.capHeight(Style.letter)), Style.letter)
    canvas.text(
      "Most frequent texts", at: Point(area.left + 4, area.top + canvas.capHeight(Style.letter)),
      Style.title)
    var y = area.top + 7
    for (m, model) in phrases.map(\.model).uniqued.enumerated() {
      let own = phrases.filter { $0.model == model }.prefix(6)
      canvas.text(
        "\(model), \(own.first?.of ?? 0) sounds", at: Point(area.left, y), Style.medium, .middle)
      y += 3.4
      for phrase in own {
        let share = Double(phrase.count) / Double(phrase.of)
        canvas.fill(
          .rectangle(Rect(left: area.left + 6, top: y - 1.2, width: 12 * share, height: 2.4)),
          colors[m].opacity(0.35))
        canvas.text(
          "\(phrase.count)", at: Point(area.left + 5, y), Style.small, align: .right, .middle)
        canvas.text(shown(phrase.phrase), at: Point(area.left + 19.5, y), Style.small, .middle)
        y += 3.2
      }
      y += 1.8
    }
  }
}

/// A text as the font can set it, shortened.
private func shown(_ text: String) -> String {
  let plain = String(text.map { $0.isASCII ? $0 : "?" })
  return plain.count <= 28 ? plain : plain.prefix(27) + "…"
}

private func label(_ site: Site) -> String { site.layer.map { "\($0)" } ?? "in" }

/// The map of the encoder by depth and stretch.
private func depthMap(
  _ letter: String, _ map: SpeechMap, _ direction: Direction, in area: Rect, _ scale: ColorScale
) -> (Panel, HeatMap) {
  let depths = map.cells.depths
  let values = depths.map { site in
    SpeechCells.windows.map { map.share(direction, .real, "\(site).\($0)")?.value }
  }
  let heat = HeatMap(
    values, over: .units(columns: SpeechCells.windows.count, rows: depths.count), scale)
  var margins = Panel.margins
  (margins.left, margins.bottom, margins.right) = (9, 9, 1)
  let title = direction == .sufficiency ? "speech into sound" : "sound into speech"
  let panel = Panel(
    letter, "\(short(map.model)): \(title)", in: area, margins: margins,
    x: .categories(
      "", ["1st", "2nd", "3rd", "all", "pad"], groups: [AxisGroup("thirds of the sound", 0..<3)]),
    y: .categories("Encoder layer", depths.map(label)),
    [heat])
  return (panel, heat)
}

private func short(_ model: String) -> String { model.replacing("whisper-", with: "") }

/// The real donor beside the others, for the whole sound and for the padding.
private func donorPanel(
  _ letter: String, _ map: SpeechMap, _ direction: Direction, in area: Rect, legend: Bool
) -> Panel {
  let depths = map.cells.depths
  let stretches = ["sound", "padding"]
  let sets =
    stretches.flatMap { stretch in depths.map { "\($0).\(stretch)" } }
    + stretches.map { "decoder.cross.kv.\($0)" }
  let isSound = direction == .sufficiency
  let donors: [(SpeechDonor, String, Symbol, Color)] = [
    (.real, isSound ? "speech" : "the sound", .circle, Palette.categories[0]),
    (
      .matched, isSound ? "another sound, as far" : "other speech, as far", .hollowSquare,
      Palette.categories[1]
    ),
    (.mean, "mean of sounds", .diamond, Palette.categories[2]),
  ]
  var marks: [any Mark] = [ReferenceLine.horizontal(0), ReferenceLine.horizontal(1)]
  var (low, high) = (-0.25, 1.25)
  // Intervals have room so far; one that reaches further is cut, or it would flatten all others.
  let room = -0.75...1.75
  for (n, (donor, _, symbol, color)) in donors.enumerated() {
    let data = sets.enumerated().compactMap { i, set in
      map.share(direction, donor, set).map { share -> Datum in
        let x = Double(i) + 0.5 + (Double(n) - 1) * 0.22
        let interval = share.low.isFinite && share.high.isFinite ? share.low...share.high : nil
        let ends = interval.map { [$0.lowerBound, $0.upperBound] } ?? []
        for value in [share.value] + ends.map({ min(max($0, room.lowerBound), room.upperBound) }) {
          (low, high) = (min(low, value), max(high, value))
        }
        return Datum(x, share.value, interval)
      }
    }
    marks += [
      Clipped(Whiskers(data, Pen(color, width: 0.5))), Points(data, symbol, color, size: 1.3),
    ]
  }
  if legend {
    let entries = donors.map { LegendEntry($0.1, .symbol($0.2, $0.3)) }
    marks += key(entries, steps: [0, 18, 50])
  }
  var margins = Panel.margins
  (margins.bottom, margins.top) = (10, 9.5)
  let count = depths.count
  let title = isSound ? "the sound's run, by donor" : "speech's run, by donor"
  return Panel(
    letter, "\(short(map.model)): \(title)", in: area, margins: margins,
    x: .categories(
      "", depths.map(label) + depths.map(label) + ["sound", "pad"],
      groups: [
        AxisGroup("whole sound, encoder", 0..<count),
        AxisGroup("padding, encoder", count..<(2 * count)),
        AxisGroup("cross k and v", (2 * count)..<(2 * count + 2)),
      ]),
    y: .linear("Share of the gap", (low - 0.05)...(high + 0.05), ticks: 4), marks)
}

/// A mark cut at the edges of the data.
private struct Clipped: Mark {
  let mark: any Mark
  init(_ mark: any Mark) { self.mark = mark }

  func draw(on canvas: Canvas, in frame: Frame) {
    canvas.clipped(to: .rectangle(frame.area)) { mark.draw(on: canvas, in: frame) }
  }
}

/// Keys, values and both, layer by layer of the decoder.
private func layerPanel(_ letter: String, _ map: SpeechMap, in area: Rect, legend: Bool) -> Panel {
  let kinds: [(String, String, Symbol, Color)] = [
    ("kv", "keys and values", .circle, Palette.categories[0]),
    ("k", "keys", .hollowSquare, Palette.categories[1]),
    ("v", "values", .diamond, Palette.categories[2]),
  ]
  var marks: [any Mark] = [ReferenceLine.horizontal(0)]
  var values = [0.0, 0.5]
  for (n, (name, _, symbol, color)) in kinds.enumerated() {
    let data = (0..<map.cells.layers).compactMap { layer in
      map.share(.sufficiency, .real, "decoder.\(layer).cross.\(name)").map { share -> Datum in
        values += [share.low, share.high].filter(\.isFinite)
        let interval = share.low.isFinite && share.high.isFinite ? share.low...share.high : nil
        return Datum(Double(layer) + 0.5 + (Double(n) - 1) * 0.2, share.value, interval)
      }
    }
    marks += [Whiskers(data, Pen(color, width: 0.5)), Points(data, symbol, color, size: 1.3)]
  }
  // Room for the legend.
  values.append(values.max()! + 0.5 * (values.max()! - values.min()!))
  if legend {
    marks.append(Legend(.topLeft, kinds.map { LegendEntry($0.1, .symbol($0.2, $0.3)) }))
  }
  return Panel(
    letter, "\(short(map.model)): cross-attention", in: area,
    x: .categories("Layer of the decoder", (0..<map.cells.layers).map { "\($0)" }),
    y: .fitting("Share of the gap", values), marks)
}

/// What each head takes from speech, in the sound's run.
private func headMap(
  _ letter: String, _ map: SpeechMap, in area: Rect, _ scale: ColorScale
) -> (Panel, HeatMap) {
  let (layers, heads) = (map.cells.layers, map.cells.heads)
  let values = (0..<layers).map { layer in
    (0..<heads).map { map.share(.sufficiency, .real, "decoder.\(layer).cross.z.\($0)")?.value }
  }
  let heat = HeatMap(values, over: .units(columns: heads, rows: layers), scale)
  return (
    Panel(
      letter, "\(short(map.model)): its heads", in: area,
      x: .categories("Head", (0..<heads).map { "\($0)" }),
      y: .categories("Layer", (0..<layers).map { "\($0)" }), [heat]),
    heat
  )
}
