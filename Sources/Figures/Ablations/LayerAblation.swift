// The ablation of the depth: its figure, table and rows of the ledger.

import Interventions
import Notebook
import Plot

/// Along the depths of a model: what the changed phone's moment carries, what probes read, and what single
/// phones explain of an autoencoder's features.
public func layerAblationFigure(_ readings: [LayerReading]) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 66)
  let panels = figure.area.columns([1, 1, 1], gap: 2)
  let norm = RandomFamily.norm.rawValue
  let carried: [(String, (LayerReading) -> Estimate?)] = [
    ("whole, sufficiency", { $0.sufficiency }), ("whole, necessity", { $0.necessity }),
    ("five directions", { $0.part.sufficiency.part.first }),
    ("random, as long", { $0.part.sufficiency.random[norm]?.first.flatMap { $0 } }),
  ]
  let read: [(String, (LayerReading) -> Estimate?)] = [
    ("phone", { $0.phone.read }), ("speaker", { $0.speaker.read }),
    ("phone, shuffled", { $0.phone.shuffled }), ("speaker, shuffled", { $0.speaker.shuffled }),
  ]
  let explained: [(String, (LayerReading) -> Estimate?)] = [
    ("trained", { $0.features.explained }), ("drawn directions", { $0.drawn.explained }),
    ("trained, shuffled phones", { $0.shuffled.explained }),
  ]
  for (i, (title, quantity, curves)) in [
    ("The changed phone's moment", "Recovery", carried), ("Probes", "Share read rightly", read),
    ("Features that one phone explains", "Share of features", explained),
  ].enumerated() {
    figure.add(
      panel(
        "\(Character(UnicodeScalar(UInt8(97 + i))))", title, quantity, curves, readings,
        in: panels[i]))
  }
  return DrawnFigure(drawing: figure, table: table(readings), caption: caption)
}

private let caption =
  "By depth, from the encoder's input (in) over its layers (e), the connector (c) and the language model's "
  + "layers (l): recovery of the whole activation in the changed phone's moment, of the five directions "
  + "that recovered most on other sentences, and of random moves as long; what linear probes read of the "
  + "phone and of the speaker, and with shuffled labels; and the share of an autoencoder's features of "
  + "whose activity a single phone has half or more, beside drawn directions and shuffled phones."

private let symbols: [Symbol] = [.circle, .square, .hollowCircle, .hollowSquare]

private func panel(
  _ letter: String, _ title: String, _ quantity: String,
  _ curves: [(String, (LayerReading) -> Estimate?)], _ readings: [LayerReading], in area: Rect
) -> Panel {
  var marks: [any Mark] = [ReferenceLine.horizontal(0)]
  var entries: [LegendEntry] = []
  for (i, (name, value)) in curves.enumerated() {
    let pen = Pen(Palette.categories[i], width: 0.9)
    let data = readings.enumerated().compactMap { x, reading in
      value(reading).map { Datum(Double(x) + 0.5, $0.value, $0.interval) }
    }
    marks += [
      Band(data, pen.color), Line(data, pen), Points(data, symbols[i], pen.color, size: 1.4),
    ]
    entries.append(LegendEntry(name, .symbol(symbols[i], pen.color)))
  }
  marks.append(Legend(.topLeft, entries))
  return Panel(
    letter, title, in: area, x: .categories("Site", readings.map { shortName($0.site) }),
    y: Axis(quantity, -0.1...1.65, ticks: ticks(in: 0...1, about: 4)), marks)
}

/// `encoder.2.resid_post` is e2, as Figure 2 has it.
private func shortName(_ site: String) -> String {
  let parts = site.split(separator: ".")
  guard let stage = parts.first else { return site }
  switch stage {
  case "encoder": return parts.count == 3 ? "e\(parts[1])" : "in"
  case "connector": return "c"
  case "lm": return parts.count == 3 ? "l\(parts[1])" : "l"
  default: return site
  }
}

/// Every plotted value, one a line.
private func table(_ readings: [LayerReading]) -> String {
  var lines = ["site\twidth\tmethod\tquantity\tvalue\tlow\thigh"]
  for reading in readings {
    let start = "\(reading.site)\t\(reading.width)\t\(reading.method)"
    for (what, value) in named(reading) {
      lines.append("\(start)\t\(what)\t\(value.value)\t\(value.low)\t\(value.high)")
    }
    for (what, value) in [
      ("phone.chance", reading.phone.chance), ("speaker.chance", reading.speaker.chance),
      ("features", Double(reading.features.present)),
      ("explainedVariance", reading.explainedVariance),
    ] {
      lines.append("\(start)\t\(what)\t\(value)\t\t")
    }
  }
  return lines.joined(separator: "\n") + "\n"
}

/// The estimates of a depth with their names in table and ledger.
private func named(_ reading: LayerReading) -> [(String, Estimate)] {
  let (sufficient, necessary) = (reading.part.sufficiency, reading.part.necessity)
  let norm = RandomFamily.norm.rawValue
  var all = [
    ("whole.sufficiency", reading.sufficiency), ("whole.necessity", reading.necessity),
    ("five.sufficiency", sufficient.part[0]), ("five.necessity", necessary.part[0]),
    ("five.complement", sufficient.complement[0]),
    ("phone", reading.phone.read), ("phone.shuffled", reading.phone.shuffled),
    ("speaker", reading.speaker.read), ("speaker.shuffled", reading.speaker.shuffled),
    ("features.explained", reading.features.explained),
    ("features.purity", reading.features.purity),
    ("features.shuffled.explained", reading.shuffled.explained),
    ("features.shuffled.purity", reading.shuffled.purity),
    ("features.drawn.explained", reading.drawn.explained),
    ("features.drawn.purity", reading.drawn.purity),
  ]
  for (what, arm) in [("sufficiency", sufficient), ("necessity", necessary)] {
    if let random = arm.random[norm]?.first.flatMap({ $0 }) {
      all.append(("five.\(what).random", random))
    }
  }
  return all
}

extension Notebook {
  /// What is carried, read and explained at each depth.
  public func numbers(of readings: [LayerReading], _ name: String) {
    for reading in readings {
      let name = "\(name).\(shortName(reading.site))"
      for (what, value) in named(reading) { number("\(name).\(what)", value) }
      number("\(name).phone.chance", reading.phone.chance, tolerance: 1e-6)
    }
  }
}
