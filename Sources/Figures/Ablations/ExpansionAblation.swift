// The ablation of the width of sparse autoencoders: its figure, table and rows of the ledger.

import Interventions
import Notebook
import Plot

/// One form and width of autoencoders with what is lost where each seed's takes the activation's place.
public struct ExpansionPoint: Sendable {
  public let report: SparseReport
  /// By seed.
  public let splices: [SpliceReport]

  public init(report: SparseReport, splices: [SpliceReport]) {
    (self.report, self.splices) = (report, splices)
  }
}

/// How many features are swapped where widths stand beside each other.
private let comparedSize = 5

/// A quantity of each seed; controls are drawn hollow.
private struct Quantity {
  let title: String
  let range: ClosedRange<Double>
  let value: (ExpansionPoint, _ seed: Int) -> (Double, ClosedRange<Double>?)?
  var control: ((ExpansionPoint, _ seed: Int) -> (Double, ClosedRange<Double>?)?)? = nil
  var names: (value: String, control: String)? = nil
}

private func plain(_ estimate: Estimate?) -> (Double, ClosedRange<Double>?)? {
  estimate.map { ($0.value, $0.interval) }
}

extension FeatureSwap {
  fileprivate func at(_ size: Int, _ values: [Estimate]) -> Estimate? {
    sizes.firstIndex(of: size).map { values[$0] }
  }
}

/// Six quantities by expansion; a colour a form, a point a seed.
///
/// - Parameter meanStays: the share of transcripts that stay with the mean activation in place
public func expansionAblationFigure(_ points: [ExpansionPoint], meanStays: Estimate) -> DrawnFigure
{
  var figure = Figure(width: Figure.full, height: 118)
  let rows = figure.area.rows([54, 54, 5], gap: 1)
  let quantities = [
    Quantity(
      title: "Explained variance", range: 0...1,
      value: { point, seed in (point.report.held[seed].explainedVariance, nil) },
      control: { point, seed in (point.report.fitExplained[seed], nil) },
      names: ("other recordings", "those trained on")),
    Quantity(
      title: "Share of features never present", range: 0...1,
      value: { point, seed in (point.report.held[seed].dead, nil) },
      control: { point, seed in (point.report.fitDead[seed], nil) },
      names: ("other recordings", "those trained on")),
    Quantity(
      title: "Share of the loss recovered", range: 0...1.05,
      value: { point, seed in plain(point.splices[seed].recovered) }),
    Quantity(
      title: "Transcripts that stay", range: 0...1.05,
      value: { point, seed in plain(point.splices[seed].textStays) },
      control: { _, _ in plain(meanStays) }, names: ("reconstruction", "mean in its place")),
    Quantity(
      title: "Mean largest cosine", range: 0...1,
      value: { point, seed in seed == 0 ? (point.report.stability.seeds, nil) : nil },
      control: { point, seed in seed == 0 ? (point.report.stability.variance, nil) : nil },
      names: ("to another seed's", "to drawn directions")),
    Quantity(
      title: "Recovery, \(comparedSize) features", range: -0.1...1.1,
      value: { point, seed in
        let swap = point.report.swaps[seed]
        return plain(swap.at(comparedSize, swap.top))
      },
      control: { point, seed in
        let swap = point.report.swaps[seed]
        return plain(swap.at(comparedSize, swap.matchedAsLong))
      }, names: ("top", "as active, as long")),
  ]
  for (i, quantity) in quantities.enumerated() {
    let area = rows[i / 3].columns([1, 1, 1], gap: 2)[i % 3]
    figure.add(
      panel("\(Character(UnicodeScalar(UInt8(97 + i))))", quantity, points, in: area))
  }
  figure.draw(key(points, in: rows[2]))
  return DrawnFigure(drawing: figure, table: table(points, meanStays), caption: caption)
}

private let caption =
  "Sparse autoencoders of the connector's output by expansion: what they explain, how many of their features "
  + "are never present, what is lost of the answer and of the transcript where the reconstruction takes the "
  + "activation's place, how alike the features of two seeds are, and what swapping the first features "
  + "recovers; hollow: the controls. A point a seed; intervals are over groups of pairs."

private func panel(
  _ letter: String, _ quantity: Quantity, _ points: [ExpansionPoint], in area: Rect
) -> Panel {
  let expansions = Set(points.map(\.report.expansion)).sorted()
  let forms = points.map(\.report.form).uniqued
  var marks: [any Mark] = [ReferenceLine.horizontal(0)]
  for (f, form) in forms.enumerated() {
    let color = Palette.categories[f]
    let own = points.filter { $0.report.form == form }
    func data(_ value: (ExpansionPoint, Int) -> (Double, ClosedRange<Double>?)?) -> [Datum] {
      own.flatMap { point in
        point.splices.indices.compactMap { seed -> Datum? in
          guard let (number, interval) = value(point, seed) else { return nil }
          let place = Double(expansions.firstIndex(of: point.report.expansion)!) + 0.5
          let shift = (Double(f) - Double(forms.count - 1) / 2) * 0.34
          return Datum(place + shift + (Double(seed) - 0.5) * 0.14, number, interval)
        }
      }
    }
    if let control = quantity.control {
      let found = data(control)
      marks += [
        Whiskers(found, Pen(.muted, width: 0.5)), Points(found, hollow[f], color, size: 1.5),
      ]
    }
    let found = data(quantity.value)
    marks += [
      Whiskers(found, Pen(color, width: 0.6)), Points(found, solid[f], color, size: 1.5),
    ]
  }
  if let names = quantity.names {
    marks.append(
      Legend(
        .topLeft,
        [
          LegendEntry(names.value, .symbol(.circle, .ink)),
          LegendEntry(names.control, .symbol(.hollowCircle, .ink)),
        ]))
  }
  // Room for the key above what is drawn.
  let top = quantity.range.upperBound + (quantity.names == nil ? 0 : 0.3)
  return Panel(
    letter, quantity.title, in: area,
    x: .categories("Expansion", expansions.map { "\($0)" }),
    y: Axis("", quantity.range.lowerBound...top, ticks: ticks(in: 0...1, about: 4)), marks)
}

private let solid: [Symbol] = [.circle, .square]
private let hollow: [Symbol] = [.hollowCircle, .hollowSquare]

private func key(_ points: [ExpansionPoint], in area: Rect) -> (Canvas) -> Void {
  { canvas in
    var x = area.left + 12
    for (f, form) in points.map(\.report.form).uniqued.enumerated() {
      let name = form == "topk" ? "TopK" : form == "batchtopk" ? "BatchTopK" : form
      canvas.symbol(solid[f], at: Point(x, area.center.y), size: 1.5, Palette.categories[f])
      canvas.text(name, at: Point(x + 2, area.center.y), Style.small, .middle)
      x += 9 + canvas.width(of: name, Style.small)
    }
  }
}

/// Every plotted value and the rest, one form, width and seed a line.
private func table(_ points: [ExpansionPoint], _ meanStays: Estimate) -> String {
  let columns = [
    "form", "expansion", "features", "seed", "explained", "explainedFit", "l0", "dead", "deadFit",
    "unseen", "dense", "bias", "lossChange", "low", "high", "lossRecovered", "low", "high",
    "textStays", "low", "high", "wordErrors", "low", "high", "cosine", "cosineHaar",
    "cosineVariance", "degenerate",
  ]
  let sizes = points.first?.report.swaps.first?.sizes ?? []
  let swaps = sizes.flatMap { size in
    ["top\(size)", "low", "high", "matched\(size)", "matchedAsLong\(size)"]
  }
  var lines = [(columns + swaps).joined(separator: "\t")]
  func three(_ estimate: Estimate) -> [Double] { [estimate.value, estimate.low, estimate.high] }
  for point in points {
    let report = point.report
    for (seed, splice) in point.splices.enumerated() {
      let (held, swap) = (report.held[seed], report.swaps[seed])
      var values = [
        held.explainedVariance, report.fitExplained[seed], held.l0, held.dead, report.fitDead[seed],
        report.unseen[seed], held.dense, held.reconstructionBias,
      ]
      values += [splice.change, splice.recovered, splice.textStays, splice.wordErrors].flatMap(
        three)
      values += [report.stability.seeds, report.stability.haar, report.stability.variance]
      let recovered = swap.sizes.indices.flatMap { k in
        three(swap.top[k]) + [swap.matched[k].value, swap.matchedAsLong[k].value]
      }
      lines.append(
        ([report.form, "\(report.expansion)", "\(report.features)", "\(seed + 1)"]
          + values.map { "\($0)" } + [report.isDegenerate ? "yes" : "no"]
          + recovered.map { "\($0)" }).joined(separator: "\t"))
    }
  }
  lines.append(
    "mean in its place\ttextStays\t\(meanStays.value)\t\(meanStays.low)\t\(meanStays.high)")
  return lines.joined(separator: "\n") + "\n"
}

extension Notebook {
  /// What each form and width comes to, seed by seed.
  public func numbers(of points: [ExpansionPoint], _ name: String) {
    for point in points {
      let report = point.report
      let name = "\(name).\(report.form).x\(report.expansion)"
      for (what, value) in [
        ("cosine", report.stability.seeds), ("cosine.haar", report.stability.haar),
        ("cosine.variance", report.stability.variance),
      ] {
        number("\(name).\(what)", value, tolerance: 1e-6)
      }
      number("\(name).features", Double(report.features))
      for (seed, splice) in point.splices.enumerated() {
        let (name, held) = ("\(name).seed\(seed + 1)", report.held[seed])
        for (what, value) in [
          ("explained", held.explainedVariance),
          ("explained.fit", report.fitExplained[seed]), ("dead", held.dead),
          ("dead.fit", report.fitDead[seed]), ("unseen", report.unseen[seed]),
        ] {
          number("\(name).\(what)", value, tolerance: 1e-6)
        }
        number("\(name).loss.change", splice.change)
        number("\(name).loss.recovered", splice.recovered)
        number("\(name).textStays", splice.textStays)
        number("\(name).wordErrors", splice.wordErrors)
        let swap = report.swaps[seed]
        for (what, values) in [
          ("top", swap.top), ("matched", swap.matched), ("matched.asLong", swap.matchedAsLong),
        ] {
          if let value = swap.at(comparedSize, values) {
            number("\(name).swap\(comparedSize).\(what)", value)
          }
        }
      }
    }
  }
}
