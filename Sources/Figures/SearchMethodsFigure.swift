// Figure S2: how close each search method comes to exact patching, by model and kind of site.

import Interventions
import Plot

/// The certificate of one method at one family of sites of one model.
public struct MethodAgreement: Sendable {
  public let model: String
  public let family: String
  public let method: String
  public let certificate: Certificate

  public init(model: String, family: String, method: String, certificate: Certificate) {
    self.model = model
    self.family = family
    self.method = method
    self.certificate = certificate
  }
}

/// One row a correlation, one column a model; kinds of sites along the axis, methods by colour.
public func searchMethodsFigure(_ all: [MethodAgreement]) -> DrawnFigure {
  var margins = Panel.margins
  margins.bottom = 7
  let models = all.map(\.model).uniqued
  let families = all.map(\.family).uniqued
  let methods = all.map(\.method).uniqued
  var figure = Figure(width: Figure.full, height: 102)
  let bands = figure.area.rows([47, 47, 6], gap: 0.5)
  let correlations: [(String, KeyPath<Correlations, Estimate>)] = [
    ("Pearson", \.pearson), ("Spearman", \.spearman),
  ]
  let lowest =
    all.flatMap { agreement in
      correlations.compactMap { agreement.certificate.intervals?[keyPath: $0.1].low }
    }.filter(\.isFinite).min() ?? 0
  for (r, (name, correlation)) in correlations.enumerated() {
    for (c, (model, area)) in zip(models, bands[r].columns(models.map { _ in 1.0 }, gap: 2))
      .enumerated()
    {
      var marks: [any Mark] = [ReferenceLine.horizontal(0)]
      for (m, method) in methods.enumerated() {
        let data = families.enumerated().compactMap { f, family -> Datum? in
          let own = all.first {
            $0.model == model && $0.family == family && $0.method == method
          }
          guard let estimate = own?.certificate.intervals?[keyPath: correlation],
            estimate.value.isFinite
          else { return nil }
          let x = Double(f) + 0.5 + (Double(m) - Double(methods.count - 1) / 2) * 0.13
          return Datum(x, estimate.value, estimate.interval)
        }
        let color = Palette.categories[m]
        marks += [Whiskers(data, Pen(color, width: 0.6)), Points(data, .circle, color, size: 1.5)]
      }
      let letter = "\(Character(UnicodeScalar(UInt8(97 + models.count * r + c))))"
      figure.add(
        Panel(
          letter, model, in: area, margins: margins, x: .categories("", families),
          y: .linear(
            c == 0 ? "\(name) with exact effects" : "", min(0, (lowest * 5).rounded(.down) / 5)...1,
            ticks: 5), marks))
    }
  }
  figure.draw(key(methods, in: bands[2]))
  return DrawnFigure(drawing: figure, table: table(all), caption: caption)
}

private let caption =
  "Correlation over cells between a search method's estimates and the exact effects of the same "
  + "cells, with 95% intervals over groups of pairs, for three small models and five kinds of sites."

/// The methods' colours in one line.
private func key(_ methods: [String], in area: Rect) -> (Canvas) -> Void {
  { canvas in
    var x = area.left + 12
    for (m, method) in methods.enumerated() {
      canvas.symbol(
        .circle, at: Point(x, area.top + 3), size: 1.6, Palette.categories[m])
      canvas.text(method, at: Point(x + 1.8, area.top + 3), Style.small, .middle)
      x += canvas.width(of: method, Style.small) + 7
    }
  }
}

/// Every plotted value and the rest of each certificate, one method a line.
private func table(_ all: [MethodAgreement]) -> String {
  let columns = [
    "model", "sites", "method", "cells", "pearson", "low", "high", "spearman", "low", "high",
    "kendall", "slope", "overlap10", "passesACell",
  ]
  let lines = all.map { one -> String in
    let c = one.certificate
    func number(_ value: Double?) -> String { value.map { "\($0)" } ?? "NA" }
    func bounds(_ estimate: Estimate?) -> [String] {
      [number(estimate?.low), number(estimate?.high)]
    }
    let fields =
      [one.model, one.family, one.method, "\(c.cells)", number(c.pearson)]
      + bounds(c.intervals?.pearson) + [number(c.spearman)] + bounds(c.intervals?.spearman)
      + [
        number(c.kendall), number(c.slope), number(c.agreements.first { $0.k == 10 }?.overlap),
        number(c.meanCostRatio),
      ]
    return fields.joined(separator: "\t")
  }
  return ([columns.joined(separator: "\t")] + lines).joined(separator: "\n") + "\n"
}
