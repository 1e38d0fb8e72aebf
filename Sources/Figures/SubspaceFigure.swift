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

/// By the number of directions and method: recovery, how often the source's word is said, recovery of
/// everything but them, and of another item's values along them, with random directions.
///
/// - Parameters:
///   - full: the recovery of the whole activation
///   - whole: how often the whole activation makes the source's word be said, and the recovery of another
///     item's, as long a move
///   - asItIs: the recovery of another item's values along the most directions of the last method, however
///     long a move
public func subspaceFigure(
  _ curves: [SubspaceCurve], full: Estimate, whole: (says: Double, wrongItem: Double?),
  asItIs: Estimate?
) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 104)
  let rows = figure.area.rows([1, 1], gap: 3)
  let areas = rows.flatMap { $0.columns([1, 1], gap: 4) }
  let counts = Set(curves.flatMap { $0.results.map(\.k) }).sorted()
  func place(_ k: Int) -> Double { Double(counts.firstIndex(of: k)!) + 0.5 }
  func panel(
    _ letter: String, _ title: String, _ axis: String, whole: Double?, _ marks: [any Mark],
    in area: Rect
  ) -> Panel {
    Panel(
      letter, title, in: area, x: .categories("Directions", counts.map { "\($0)" }),
      y: Axis(axis, -0.1...1.5, ticks: Plot.ticks(in: 0...1, about: 4)),
      [ReferenceLine.horizontal(0)] + (whole.map { [ReferenceLine.horizontal($0)] } ?? []) + marks)
  }
  /// One line a method, each with a shape of its own, so that they are told apart in grey.
  func marks(_ value: (SubspaceResult) -> (Double, ClosedRange<Double>?)?) -> [any Mark] {
    curves.enumerated().flatMap { i, curve -> [any Mark] in
      let pen = Pen(Palette.categories[i], width: 0.9)
      let data = curve.results.compactMap { result in
        value(result).map { Datum(place(result.k), $0.0, $0.1) }
      }
      return [
        Band(data, pen.color), Line(data, pen), Points(data, shapes[i], pen.color, size: 1.3),
      ]
    }
  }
  let legend = Legend(
    .topLeft,
    curves.enumerated().map { i, curve in
      LegendEntry(
        names[curve.method] ?? curve.method,
        .symbol(shapes[i], Palette.categories[i]))
    })
  figure.add(
    panel(
      "a", "The subspace", "Recovery", whole: full.value,
      marks { ($0.recovery.value, $0.recovery.interval) } + [legend], in: areas[0]))
  figure.add(
    panel(
      "b", "The source's word is said", "Share of pairs", whole: whole.says,
      marks { ($0.accuracy, nil) }, in: areas[1]))
  figure.add(
    panel(
      "c", "Everything but it", "Recovery", whole: full.value, marks { ($0.complement, nil) },
      in: areas[2]))
  let random = counts.compactMap { k -> Datum? in
    let drawn = curves.flatMap { $0.results.filter { $0.k == k } }.flatMap(\.families.values)
    return drawn.map(\.highest).max().map { Datum(place(k), $0) }
  }
  let grey = Pen(.muted, width: 0.9)
  let color = Palette.categories[max(curves.count - 1, 0)]
  var own: [any Mark] = []
  if let asItIs, let last = curves.last?.results.last {
    // Beside the one that is as long, so that both are seen.
    let datum = [Datum(place(last.k) + 0.12, asItIs.value, asItIs.interval)]
    own = [
      Whiskers(datum, Pen(color, width: 0.7)), Points(datum, .hollowCircle, color, size: 1.3),
    ]
  }
  figure.add(
    panel(
      "d", "Another item's source; random directions", "Recovery", whole: whole.wrongItem,
      marks { result in result.wrongItem.map { ($0, nil) } } + own + [
        Line(random, grey), Points(random, .hollowSquare, grey.color, size: 1.3),
        Legend(
          .topLeft,
          [LegendEntry("highest of all random draws", .symbol(.hollowSquare, .muted))]
            + (own.isEmpty
              ? []
              : [LegendEntry("DAS, another item's move as it is", .symbol(.hollowCircle, color))])
        ),
      ], in: areas[3]))
  return DrawnFigure(drawing: figure, table: table(curves, full, whole, asItIs), caption: caption)
}

private let names = ["pca": "PCA", "cca": "CCA", "mean": "mean difference", "das": "DAS"]
private let shapes: [Symbol] = [.circle, .square, .hollowCircle, .diamond]

private let caption =
  "Directions of the projector's output in the changed moment, found by four methods on other sentences "
  + "and exchanged alone: recovery; how often the source's word becomes the most probable one; recovery of "
  + "everything but them; and recovery of another item's values along them, as long a move (of DAS also as it is), with the highest of all random "
  + "directions, of four families matched to each subspace, in grey. Dashed: the whole activation."

/// Every plotted value, one a line.
private func table(
  _ curves: [SubspaceCurve], _ full: Estimate, _ whole: (says: Double, wrongItem: Double?),
  _ asItIs: Estimate?
) -> String {
  var lines = [
    "method\tK\tpart\tvalue\tlow\thigh", "\t\twhole\t\(full.value)\t\(full.low)\t\(full.high)",
    "\t\twhole, word said\t\(whole.says)\t\t",
  ]
  if let wrong = whole.wrongItem { lines.append("\t\twhole, wrong item\t\(wrong)\t\t") }
  for curve in curves {
    for result in curve.results {
      let start = "\(curve.method)\t\(result.k)"
      let own = result.recovery
      lines.append("\(start)\tsubspace\t\(own.value)\t\(own.low)\t\(own.high)")
      lines.append("\(start)\tcomplement\t\(result.complement)\t\t")
      lines.append("\(start)\tword said\t\(result.accuracy)\t\t")
      if let wrong = result.wrongItem { lines.append("\(start)\twrong item\t\(wrong)\t\t") }
      for family in RandomFamily.allCases {
        guard let drawn = result.families[family.rawValue] else { continue }
        lines.append(
          "\(start)\trandom: \(family.rawValue)\t\(drawn.mean)\t\t\(drawn.highest)")
      }
    }
  }
  if let asItIs, let curve = curves.last, let last = curve.results.last {
    lines.append(
      "\(curve.method)\t\(last.k)\twrong item, as it is\t\(asItIs.value)\t\(asItIs.low)\t\(asItIs.high)"
    )
  }
  return lines.joined(separator: "\n") + "\n"
}
