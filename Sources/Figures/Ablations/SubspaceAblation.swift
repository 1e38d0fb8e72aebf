// The ablation of the method by which a part is found: its figure, table and rows of the ledger.

import Interventions
import Notebook
import Plot

/// What several methods find at one site of one model.
public struct MethodComparison: Sendable {
  public let model: String
  /// Of the whole site.
  public let sufficiency: Estimate
  public let necessity: Estimate
  public let curves: [PartCurve]

  public init(
    model: String, sufficiency: Estimate, necessity: Estimate, curves: [PartCurve]
  ) {
    (self.model, self.sufficiency, self.necessity) = (model, sufficiency, necessity)
    self.curves = curves
  }
}

/// The K at which methods stand beside each other as bars.
private let comparedSize = 5
private let symbols: [Symbol] = [.circle, .square, .diamond, .hollowCircle, .hollowSquare]
private let labels = ["pca": "PCA", "cca": "CCA", "mean": "means", "das": "DAS", "sae": "SAE"]

private func label(_ method: String) -> String { labels[method] ?? method }

/// Above, recovery by the number of directions in the first model, in both directions, and that of
/// everything but them; below, all models at five directions with random moves as long beside each.
public func subspaceAblationFigure(_ models: [MethodComparison]) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 122)
  let rows = figure.area.rows([58, 5, 54], gap: 1)
  if let first = models.first {
    let panels = rows[0].columns([1, 1, 1], gap: 2)
    let norm = RandomFamily.norm.rawValue
    for (i, (title, whole, part, random)) in [
      (
        "Sufficiency, \(first.model)", first.sufficiency, { (c: PartCurve) in c.sufficiency.part },
        { (c: PartCurve) in c.sufficiency.random[norm] ?? [] }
      ),
      (
        "Necessity", first.necessity, { $0.necessity.part },
        { $0.necessity.random[norm] ?? [] }
      ),
      ("Everything but them", first.sufficiency, { $0.sufficiency.complement }, { _ in [] }),
    ].enumerated() {
      figure.add(
        curvePanel(
          "\(Character(UnicodeScalar(UInt8(97 + i))))", title, first.curves, whole: whole, part,
          random, in: panels[i]))
    }
    figure.draw(key(first.curves.map(\.method), in: rows[1]))
  }
  let panels = rows[2].columns(models.map { _ in 1.0 }, gap: 2)
  for (i, (model, area)) in zip(models, panels).enumerated() {
    figure.add(
      barPanel(
        "\(Character(UnicodeScalar(UInt8(100 + i))))", model, isKey: i == 0, in: area))
  }
  return DrawnFigure(drawing: figure, table: table(models), caption: caption)
}

private let caption =
  "Recovery at the connector's output in the changed phone's moment when only a part of it is exchanged, by "
  + "the method that found the part and the number of directions, or of features; random moves as long "
  + "(dashed, and narrow bars); recovery of everything but the part. The grey dashed line is the whole "
  + "activation. Intervals are over groups of pairs of the validation split."

private func curvePanel(
  _ letter: String, _ title: String, _ curves: [PartCurve], whole: Estimate,
  _ part: (PartCurve) -> [Estimate], _ random: (PartCurve) -> [Estimate?], in area: Rect
) -> Panel {
  let sizes = Set(curves.flatMap(\.sizes)).sorted()
  var marks: [any Mark] = [ReferenceLine.horizontal(0), ReferenceLine.horizontal(whole.value)]
  for (i, curve) in curves.enumerated() {
    let pen = Pen(Palette.categories[i], width: 0.9)
    func data(_ values: [Estimate?]) -> [Datum] {
      zip(curve.sizes, values).compactMap { size, value in
        value.map { Datum(Double(sizes.firstIndex(of: size)!) + 0.5, $0.value, $0.interval) }
      }
    }
    let found = data(part(curve))
    marks += [
      Band(found, pen.color),
      Line(data(random(curve)), Pen(pen.color, width: 0.6, dashes: [1, 0.8])),
      Line(found, pen), Points(found, symbols[i % symbols.count], pen.color, size: 1.4),
    ]
  }
  return Panel(
    letter, title, in: area, x: .categories("Directions or features", sizes.map { "\($0)" }),
    y: Axis("Recovery", -0.2...1.3, ticks: ticks(in: 0...1.2, about: 4)), marks)
}

/// Sufficiency and necessity of each method at five directions, each with a narrow bar of random moves as
/// long.
private func barPanel(
  _ letter: String, _ model: MethodComparison, isKey: Bool, in area: Rect
) -> Panel {
  let colors = (Palette.categories[0], Palette.categories[5], Color(0xB5B5B5))
  var bars: [[Datum]] = [[], [], []]
  for (m, curve) in model.curves.enumerated() {
    guard let k = curve.sizes.firstIndex(of: comparedSize) else { continue }
    for (i, arm) in [curve.sufficiency, curve.necessity].enumerated() {
      let x = Double(m) + 0.2 + 0.42 * Double(i)
      bars[i].append(Datum(x, arm.part[k].value, arm.part[k].interval))
      if let random = arm.random[RandomFamily.norm.rawValue]?[k] {
        bars[2].append(Datum(x + 0.19, random.value, random.interval))
      }
    }
  }
  var marks: [any Mark] = [
    Bars(bars[0], colors.0, width: 0.22), Bars(bars[1], colors.1, width: 0.22),
    Bars(bars[2], colors.2, width: 0.12), ReferenceLine.horizontal(0),
    ReferenceLine.horizontal(model.sufficiency.value),
  ]
  if isKey {
    marks.append(
      Legend(
        .topLeft,
        [
          LegendEntry("sufficiency", .bar(colors.0)), LegendEntry("necessity", .bar(colors.1)),
          LegendEntry("random, as long", .bar(colors.2)),
        ]))
  }
  return Panel(
    letter, "\(model.model), \(comparedSize) directions", in: area,
    x: .categories("", model.curves.map { label($0.method) }),
    y: Axis(isKey ? "Recovery" : "", -0.2...1.6, ticks: ticks(in: 0...1.2, about: 4)), marks)
}

/// The methods' colours and symbols in one line.
private func key(_ methods: [String], in area: Rect) -> (Canvas) -> Void {
  { canvas in
    var x = area.left + 12
    let y = area.center.y
    for (i, method) in methods.enumerated() {
      let color = Palette.categories[i]
      canvas.stroke(.line(Point(x, y), Point(x + 5, y)), Pen(color, width: 0.9))
      canvas.symbol(symbols[i % symbols.count], at: Point(x + 2.5, y), size: 1.4, color)
      canvas.text(label(method), at: Point(x + 6, y), Style.small, .middle)
      x += 11 + canvas.width(of: label(method), Style.small)
    }
    canvas.stroke(
      .line(Point(x, y), Point(x + 5, y)), Pen(.ink, width: 0.6, dashes: [1, 0.8]))
    canvas.text("random, as long", at: Point(x + 6, y), Style.small, .middle)
  }
}

/// Every plotted value and all families, one a line.
private func table(_ models: [MethodComparison]) -> String {
  var lines = ["model\tmethod\tK\tdirection\tpart\tvalue\tlow\thigh"]
  func line(_ start: String, _ what: String, _ value: Estimate) {
    lines.append("\(start)\t\(what)\t\(value.value)\t\(value.low)\t\(value.high)")
  }
  for model in models {
    line("\(model.model)\t\t\tsufficiency", "whole", model.sufficiency)
    line("\(model.model)\t\t\tnecessity", "whole", model.necessity)
    for curve in model.curves {
      for (direction, arm) in [("sufficiency", curve.sufficiency), ("necessity", curve.necessity)] {
        for (k, size) in curve.sizes.enumerated() {
          let start = "\(model.model)\t\(curve.method)\t\(size)\t\(direction)"
          line(start, "part", arm.part[k])
          line(start, "complement", arm.complement[k])
          for family in RandomFamily.allCases {
            if let random = arm.random[family.rawValue]?[k] {
              line(start, "random: \(family.rawValue)", random)
            }
          }
        }
        let start = "\(model.model)\t\(curve.method)\t\t\(direction)"
        line(start, "area", arm.area)
        line(start, "area over random as long", arm.overNorm)
        lines.append("\(start)\tK90\t\(arm.k90.map { "\($0)" } ?? "NA")\t\t")
      }
    }
  }
  return lines.joined(separator: "\n") + "\n"
}

extension Notebook {
  /// Whole sites, areas, K90, and five directions of every method with what is matched to them.
  public func numbers(of models: [MethodComparison], _ name: String) {
    for model in models {
      let name = "\(name).\(model.model)"
      number("\(name).whole.sufficiency", model.sufficiency)
      number("\(name).whole.necessity", model.necessity)
      for curve in model.curves {
        for (direction, arm) in [
          ("sufficiency", curve.sufficiency), ("necessity", curve.necessity),
        ] {
          let name = "\(name).\(curve.method).\(direction)"
          number("\(name).area", arm.area)
          number("\(name).area.overSameLength", arm.overNorm)
          if let k90 = arm.k90 { number("\(name).K90", Double(k90)) }
          guard let k = curve.sizes.firstIndex(of: comparedSize) else { continue }
          number("\(name).K\(comparedSize)", arm.part[k])
          number("\(name).K\(comparedSize).complement", arm.complement[k])
          for family in RandomFamily.allCases {
            if let random = arm.random[family.rawValue]?[k] {
              number("\(name).K\(comparedSize).random.\(family.rawValue)", random)
            }
          }
        }
      }
    }
  }
}
