// The figures of rivals: what each procedure comes to on our models and data, beside its matched control and what
// temporal attribution patching comes to on the same items.

import Interventions
import Notebook
import Plot

private let series = ["the rival", "TAP on the same items", "matched control"]

/// Rows of one claim and one quantity, a line a model.
private struct RowGroup {
  let first: RivalRow
  var rows: [RivalRow]

  static func all(of rows: [RivalRow]) -> [RowGroup] {
    rows.reduce(into: []) { groups, row in
      let place = groups.firstIndex { $0.first.name == row.name && $0.first.measure == row.measure }
      if let place {
        groups[place].rows.append(row)
      } else {
        groups.append(RowGroup(first: row, rows: [row]))
      }
    }
  }
}

/// Under a line that names the rival and its quantity one row a model: a dot for the rival, one for TAP where it
/// has such a number, and one for the control; behind them the verdict.
public func rivalsFigure(_ rows: [RivalRow]) -> DrawnFigure {
  let groups = RowGroup.all(of: rows)
  let (heading, line, gap, key) = (4.0, 5.6, 2.4, 6.0)
  let height = groups.reduce(0) { $0 + heading + line * Double($1.rows.count) + gap }
  var figure = Figure(width: Figure.full, height: height + key + 14)
  let numbers = rows.flatMap { row in
    [row.effect, row.tap, row.control].compactMap { $0 }.flatMap { [$0.value, $0.low, $0.high] }
  }.filter(\.isFinite)
  // What lies far outside is in the table.
  let (low, high) = (max(-0.6, min(0, numbers.min() ?? 0)), min(2.5, max(1, numbers.max() ?? 1)))
  let x = Axis.linear("In the unit that each line names", (low - 0.03)...(high + 0.03), ticks: 6)
  var y = Axis("", 0...height, ticks: [])
  y.line = false
  var margins = Panel.margins
  (margins.left, margins.right, margins.top) = (36, 22, key)
  var marks: [any Mark] = []
  var texts: [(text: String, x: Double, y: Double, style: TextStyle)] = []
  var top = 0.0
  let page = figure.area
  func drawnAt(_ down: Double) -> Double { page.top + key + down }
  let bold = TextStyle(size: 6.5, weight: .bold)
  for group in groups {
    texts.append((group.first.name, page.left, drawnAt(top + heading / 2), bold))
    texts.append(
      ("\t" + group.first.measure, page.left, drawnAt(top + heading / 2), Style.small))
    let bottom = top + heading + line * Double(group.rows.count)
    for value in [0.0, 1] where (low...high).contains(value) {
      marks.append(
        Line(
          [Datum(value, height - top - heading), Datum(value, height - bottom)],
          ReferenceLine.standard))
    }
    for (i, row) in group.rows.enumerated() {
      let middle = top + heading + line * (Double(i) + 0.5)
      texts.append((row.model, page.left + 3, drawnAt(middle), Style.small))
      texts.append(
        (row.holds ? "holds" : "does not hold", page.right - 18, drawnAt(middle), Style.small))
      for (s, value) in [row.effect, row.tap, row.control].enumerated() {
        guard let value, (x.lower...x.upper).contains(value.value) else { continue }
        let (symbol, color) = modelSymbol(s)
        let at = height - middle + 1.5 * Double(1 - s)
        if let interval = value.interval?.clamped(to: x.lower...x.upper) {
          marks.append(
            Line(
              [Datum(interval.lowerBound, at), Datum(interval.upperBound, at)],
              Pen(color, width: 0.7)))
        }
        marks.append(Points([Datum(value.value, at)], symbol, color, size: 1.3))
      }
    }
    top = bottom + gap
  }
  figure.add(Panel("", "", in: page, margins: margins, x: x, y: y, marks))
  figure.draw { canvas in
    var left = page.left + 36
    for (s, name) in series.enumerated() {
      let (symbol, color) = modelSymbol(s)
      canvas.symbol(symbol, at: Point(left, page.top + 2.5), size: 1.5, color)
      canvas.text(name, at: Point(left + 2, page.top + 2.5), Style.small, .middle)
      left += canvas.width(of: name, Style.small) + 9
    }
    var behind = page.left
    for (text, x, y, style) in texts {
      // A quantity stands behind the rival's name.
      let isQuantity = text.hasPrefix("\t")
      let words = isQuantity ? String(text.dropFirst()) : text
      canvas.text(words, at: Point(isQuantity ? behind + 2.5 : x, y), style, .middle)
      behind = x + canvas.width(of: words, style)
    }
  }
  return DrawnFigure(
    drawing: figure, table: table(rows),
    caption:
      "Procedures of other papers on the models and recordings of this package, each beside its matched control "
      + "and beside temporal attribution patching on the same items, with 95% intervals over groups of items. "
      + "Each line names its own quantity; lines are not compared with each other. What lies beyond the axis is "
      + "in the table.")
}

/// Every plotted value, one rival and model a line.
private func table(_ rows: [RivalRow]) -> String {
  let columns = [
    "rival", "model", "claim", "measure", "effect", "low", "high", "control", "low", "high", "tap",
    "low",
    "high", "verdict",
  ]
  func triple(_ value: Estimate?) -> [String] {
    value.map { ["\($0.value)", "\($0.low)", "\($0.high)"] } ?? ["NA", "NA", "NA"]
  }
  let lines = rows.map { row in
    ([row.name, row.model, row.claim, row.measure]
      + [row.effect, row.control, row.tap].flatMap(triple) + [row.holds ? "holds" : "does not hold"])
      .joined(separator: "\t")
  }
  return ([columns.joined(separator: "\t")] + lines).map { $0 + "\n" }.joined()
}

/// The claims' keys in the order of the paper's table: the first is `Y1`.
private let claims = [
  "path patching, connector", "path patching, strongest head",
  "brain-to-speech tracing, asymmetry", "brain-to-speech tracing, coarse to fine",
  "fusion tracing, late", "fusion tracing, last token", "AudioLens", "MIB", "MIB, planted",
  "SPIRIT, encoder", "SPIRIT, gates", "AR&D, features", "AR&D, steering", "AudioSAE",
  "AIR-Bench, letters", "AIR-Bench, one order", "Beyond Transcription, logit lens",
  "Beyond Transcription, loops", "SAE steering, texts", "SAE steering, few latents",
  "Beyond Transcription, probes",
]

extension RivalRow {
  /// The key of its claim, the same on every model.
  public var key: String {
    guard let place = claims.firstIndex(of: name) else {
      preconditionFailure("\(name) has no key; add it to the list of claims")
    }
    return "Y\(place + 1)"
  }
}

extension Notebook {
  /// Records what rivals come to.
  public func numbers(of rows: [RivalRow]) {
    for row in rows {
      let name = "rivals.\(row.name.ledgerName).\(row.model)"
      number("\(name).effect", row.effect, claim: row.key)
      number("\(name).control", row.control, claim: row.key)
      if let tap = row.tap { number("\(name).tap", tap, claim: row.key) }
    }
  }
}
