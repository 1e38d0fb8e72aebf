// Figure S10: noise that was made for one wrong word, what interventions leave of it, and what they cost.

import Interventions
import Notebook
import Plot

/// What one model came to.
public struct WrongWordResult: Sendable {
  public let model: String
  /// Every intervention, as figures list them.
  public let readings: [WrongWordReading]
  /// With noise of drawn signs, as loud: the share of wrong texts, and of right ones.
  public let drawn: (hit: Estimate, right: Estimate)

  public init(
    model: String, readings: [WrongWordReading], drawn: (hit: Estimate, right: Estimate)
  ) {
    (self.model, self.readings, self.drawn) = (model, readings, drawn)
  }

  func reading(_ arm: NoiseArm) -> WrongWordReading? { readings.first { $0.arm == arm } }
}

private let drawnNoise = "noise of drawn signs"

/// - Parameter cost: what a strength may cost
public func wrongWordFigure(_ results: [WrongWordResult], cost: Double) -> DrawnFigure {
  let arms = NoiseArm.all
  let items = [drawnNoise] + arms.map(\.name)
  var figure = Figure(width: Figure.full, height: 3.6 * Double(items.count) + 22)
  let columns = figure.area.columns([92, 46, 40], gap: 1)
  let models = results.map(\.model)
  func value(
    _ path: KeyPath<WrongWordReading, Estimate?>, drawn: @escaping (WrongWordResult) -> Estimate?
  ) -> (Int, Int) -> Estimate? {
    { m, i in
      i == 0 ? drawn(results[m]) : results[m].reading(arms[i - 1])?[keyPath: path]
    }
  }
  figure.add(
    dotPanel(
      "a", "Writes the wrong text", x: .linear("Share of recordings", -0.02...1.02, ticks: 5),
      items: items, models: models, names: 43, lines: [0], missing: "no strength below the cost",
      legend: .bottomRight, in: columns[0], value(\.hit) { $0.drawn.hit }))
  figure.add(
    dotPanel(
      "b", "Writes what is said", x: .linear("Share of recordings", -0.02...1.02, ticks: 3),
      items: items, models: models, names: nil, lines: [0], in: columns[1],
      value(\.right) { $0.drawn.right }))
  figure.add(
    dotPanel(
      "c", "Without noise", x: .linear("Word error rate, change", -0.05...0.1, ticks: 3),
      items: items, models: models, names: nil, lines: [0, cost], in: columns[2],
      value(\.cost) { _ in nil }))
  return DrawnFigure(
    drawing: figure, table: table(results),
    caption:
      "Recordings in little noise that was made, through the model, for one wrong word: the share for which "
      + "that text is written, the share for which what is said is written, and the word error rate without noise "
      + "less that of nothing done, by intervention. Beside noise made for the word stands noise as loud of drawn "
      + "signs, beside interventions where the causal map points those on SPIRIT's neurons, on drawn neurons and "
      + "directions, and the denoised waveform; \"oracle\" takes the recording without noise, which nobody has. "
      + "What costs more than the axis of c holds is in the table.")
}

/// Every plotted value, one a line.
private func table(_ results: [WrongWordResult]) -> String {
  var lines = ["model\tintervention\tstrength\tquantity\tvalue\tlow\thigh"]
  for result in results {
    func add(_ what: String, _ strength: String, _ quantity: String, _ number: Estimate?) {
      let values = number.map { "\($0.value)\t\($0.low)\t\($0.high)" } ?? "NA\tNA\tNA"
      lines.append("\(result.model)\t\(what)\t\(strength)\t\(quantity)\t\(values)")
    }
    add(drawnNoise, "", "wrong text", result.drawn.hit)
    add(drawnNoise, "", "right text", result.drawn.right)
    for reading in result.readings {
      let strength = reading.strength.map { "\($0)" } ?? "none"
      add(reading.arm.name, strength, "wrong text", reading.hit)
      add(reading.arm.name, strength, "right text", reading.right)
      add(reading.arm.name, strength, "cost", reading.cost)
    }
  }
  return lines.map { $0 + "\n" }.joined()
}

extension Notebook {
  /// Records what one model came to.
  public func numbers(of result: WrongWordResult) {
    let name = "e3.wrongWord.\(result.model)"
    number("\(name).drawnNoise.hit", result.drawn.hit)
    number("\(name).drawnNoise.right", result.drawn.right)
    for reading in result.readings {
      let arm = "\(name).\(reading.arm.name.ledgerName)"
      for (what, value) in [
        ("hit", reading.hit), ("right", reading.right),
        ("cost", reading.arm == .nothing ? nil : reading.cost),
      ] {
        if let value { number("\(arm).\(what)", value) }
      }
    }
  }
}
