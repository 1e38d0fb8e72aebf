// Figure S5: how many directions of what a projector gives carry the answer.

import Interventions
import Plot

/// What one method's directions do at several K.
public struct SubspaceCurve: Codable, Sendable {
  public let method: String
  public let results: [SubspaceResult]
  /// The smallest K that reaches nine tenths of the whole activation's recovery; nil where none does.
  public let k90: Int?

  public init(method: String, results: [SubspaceResult], k90: Int?) {
    self.method = method
    self.results = results
    self.k90 = k90
  }
}

/// Recovery by the number of directions and method; everything but them; and random families matched to
/// the first method.
///
/// - Parameter full: the recovery of the whole activation
public func subspaceFigure(_ curves: [SubspaceCurve], full: Estimate) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 62)
  let areas = figure.area.columns([1, 1, 1], gap: 2)
  let counts = Set(curves.flatMap { $0.results.map(\.k) }).sorted()
  func place(_ k: Int) -> Double { Double(counts.firstIndex(of: k)!) + 0.5 }
  let names = counts.map { "\($0)" }
  func panel(_ letter: String, _ title: String, _ marks: [any Mark], in area: Rect) -> Panel {
    Panel(
      letter, title, in: area, x: .categories("Directions", names),
      y: Axis("Recovery", -0.2...1.7, ticks: Plot.ticks(in: -0.2...1.1, about: 4)),
      [ReferenceLine.horizontal(0), ReferenceLine.horizontal(full.value)] + marks)
  }
  func marks(_ value: (SubspaceResult) -> (Double, ClosedRange<Double>?)) -> [any Mark] {
    var marks: [any Mark] = []
    for (i, curve) in curves.enumerated() {
      let pen = Pen(Palette.categories[i], width: 0.9)
      let data = curve.results.map { result in
        let (mean, interval) = value(result)
        return Datum(place(result.k), mean, interval)
      }
      marks += [
        Band(data, pen.color), Line(data, pen), Points(data, .circle, pen.color, size: 1.1),
      ]
    }
    marks.append(
      Legend(
        .topLeft,
        curves.enumerated().map { i, curve in
          LegendEntry(curve.method, .band(Pen(Palette.categories[i], width: 0.9)))
        }))
    return marks
  }
  figure.add(
    panel("a", "The subspace", marks { ($0.recovery.value, $0.recovery.interval) }, in: areas[0]))
  figure.add(panel("b", "Everything but it", marks { ($0.complement, nil) }, in: areas[1]))
  var random: [any Mark] = []
  var entries: [LegendEntry] = []
  if let first = curves.first {
    for (i, family) in RandomFamily.allCases.enumerated() {
      let pen = Pen(Palette.categories[i], width: 0.9)
      let data = first.results.compactMap { result in
        result.families[family.rawValue].map { Datum(place(result.k), $0.mean) }
      }
      random += [Line(data, pen), Points(data, .circle, pen.color, size: 1.1)]
      entries.append(LegendEntry(family.rawValue, .line(pen)))
    }
    random.append(Legend(.topLeft, entries))
    figure.add(panel("c", "Random, matched to \(first.method)", random, in: areas[2]))
  }
  return DrawnFigure(drawing: figure, table: table(curves, full), caption: caption)
}

private let caption =
  "Recovery by the number of directions that are exchanged at the projector's output in the changed "
  + "moment, for directions found by four methods on other sentences; recovery of everything but "
  + "them; and that of random directions of four families matched to the first method. The dashed line "
  + "is the recovery of the whole activation."

/// Every plotted value, one a line.
private func table(_ curves: [SubspaceCurve], _ full: Estimate) -> String {
  var lines = [
    "method\tK\tpart\tvalue\tlow\thigh", "\t\twhole\t\(full.value)\t\(full.low)\t\(full.high)",
  ]
  for curve in curves {
    for result in curve.results {
      let start = "\(curve.method)\t\(result.k)"
      let own = result.recovery
      lines.append("\(start)\tsubspace\t\(own.value)\t\(own.low)\t\(own.high)")
      lines.append("\(start)\tcomplement\t\(result.complement)\t\t")
      if let wrong = result.wrongItem { lines.append("\(start)\twrong item\t\(wrong)\t\t") }
      for family in RandomFamily.allCases {
        guard let drawn = result.families[family.rawValue] else { continue }
        lines.append("\(start)\trandom: \(family.rawValue)\t\(drawn.mean)\t\t")
      }
    }
  }
  return lines.joined(separator: "\n") + "\n"
}
