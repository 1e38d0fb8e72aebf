// Figure 6: word errors in noise with and without interventions, what they cost without noise, and what tells
// beforehand that a text will be wrong.

import Foundation
import Interventions
import Plot

/// What one model came to.
public struct NoiseResult: Sendable {
  public let model: String
  /// Where whole activations and directions are changed.
  public let place: String
  /// Every intervention, as figures list them.
  public let readings: [ArmReading]
  /// The interventions that validation put first: where the causal map points, and of SPIRIT's.
  public let best: (causal: NoiseArm?, sensitive: NoiseArm?)
  public let areas: [FailureArea]

  public init(
    model: String, place: String = "connector", readings: [ArmReading],
    best: (causal: NoiseArm?, sensitive: NoiseArm?), areas: [FailureArea]
  ) {
    (self.model, self.place) = (model, place)
    (self.readings, self.best, self.areas) = (readings, best, areas)
  }

  public func reading(_ arm: NoiseArm) -> ArmReading? { readings.first { $0.arm == arm } }

  /// An intervention's or a score's name, with the place that this model has.
  func named(_ name: String) -> String { name.replacingOccurrences(of: "connector", with: place) }
}

/// Curves of the first model over the ratio, areas of all, and by intervention errors and cost of all; where there are
/// no areas, curves of the second model in their place.
///
/// - Parameter cost: what a strength may cost
public func noiseFigure(_ results: [NoiseResult], cost: Double) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 156)
  let bands = figure.area.rows([56, 96], gap: 2)
  let top = bands[0].columns([88, 90], gap: 2)
  figure.add(noisePanel("a", "Word errors in noise, \(results[0].model)", results[0], in: top[0]))
  let (models, scores) = (results.map(\.model), results[0].areas.map(\.score))
  if !scores.isEmpty {
    figure.add(
      dotPanel(
        "b", "Telling right texts from wrong ones",
        x: .linear("Area under the receiver operating characteristic", 0...1.02, ticks: 5),
        items: scores.map(results[0].named), models: models, names: 37, lines: [0.5],
        legend: .bottomLeft, in: top[1]
      ) { m, s in results[m].areas.first { $0.score == scores[s] }?.area })
  } else if results.count > 1 {
    figure.add(
      noisePanel("b", "Word errors in noise, \(results[1].model)", results[1], in: top[1]))
  }
  let below = bands[1].columns([108, 70], gap: 1)
  let arms = NoiseArm.all.filter { $0 != .nothing }
  func ends(_ path: KeyPath<ArmReading, Estimate?>, within limit: ClosedRange<Double>)
    -> ClosedRange<Double>
  {
    let all = results.flatMap(\.readings).compactMap { $0[keyPath: path] }
      .flatMap { [$0.value, $0.low, $0.high] }.filter { limit.contains($0) }
    return roundRange(containing: all + [-0.02, 0.02], about: 4)
  }
  func value(_ path: KeyPath<ArmReading, Estimate?>) -> (Int, Int) -> Estimate? {
    { m, a in results[m].reading(arms[a])?[keyPath: path] }
  }
  figure.add(
    dotPanel(
      "c", "In noise, at 5 and 0 dB",
      x: .linear(
        "Word error rate, less that of nothing done", ends(\.gain, within: -1...1), ticks: 5),
      items: arms.map { results[0].named($0.name) }, models: models, names: 39, lines: [0],
      missing: "no strength below the cost", legend: scores.isEmpty ? .topRight : nil,
      in: below[0], value(\.gain)))
  // What destroys every text would hide what matters; it is in the table.
  figure.add(
    dotPanel(
      "d", "Without noise",
      x: .linear(
        "Word error rate, less that of nothing done", ends(\.cost, within: -0.1...0.1), ticks: 5),
      items: arms.map(\.name), models: models, names: nil, lines: [0, cost], in: below[1],
      value(\.cost)))
  return DrawnFigure(
    drawing: figure, table: noiseTable(results),
    caption: beginning
      + (scores.isEmpty ? "; " : "; how well scores tell right texts from wrong ones; ") + rest)
}

private let beginning =
  "Speech in five noises, of speakers and sentences that nothing was chosen on: word errors by ratio of speech to "
  + "noise"
private let rest =
  "and by intervention the word error rate less "
  + "that of nothing done, in noise and without. Where no strength helped on validation at a cost below a point "
  + "there is none, and no dot. Beside interventions where the causal map points stand those on the neurons that SPIRIT "
  + "chooses, drawn neurons and directions, and the denoised waveform; \"oracle\" takes the recording without "
  + "noise, which nobody has, and bounds what can be had. What costs more than the axis of d holds is in the "
  + "table."

/// Word error rates of one model by the ratio of speech to noise.
func noisePanel(_ letter: String, _ title: String, _ result: NoiseResult, in area: Rect) -> Panel {
  var marks: [any Mark] = []
  var entries: [LegendEntry] = []
  let shown: [(arm: NoiseArm?, name: String)] = [
    (.nothing, "nothing done"), (.denoiser, "denoised waveform"),
    (result.best.sensitive, "SPIRIT's best"), (result.best.causal, "TAP's best"),
    (result.best.causal?.control, "the same, drawn"),
    (.neurons(.sensitive, .patch(.oracle)), "SPIRIT, oracle"),
    (.neurons(.causal, .patch(.oracle)), "TAP, oracle"),
  ]
  let rates = result.readings.filter { reading in shown.contains { $0.arm == reading.arm } }
    .flatMap(\.byRatio)
  let ratios = rates.map(\.ratio)
  let (first, last) = (ratios.min() ?? -5, ratios.max() ?? 20)
  let step = last - first < 10 ? 0.1 : 0.25
  for (i, (arm, name)) in shown.enumerated() {
    guard let arm, let reading = result.reading(arm), !reading.byRatio.isEmpty else { continue }
    let color = Palette.categories[i % Palette.categories.count]
    let symbol = Symbol.allCases[i % Symbol.allCases.count]
    let shift = step * (Double(i) - 3)
    let points = reading.byRatio.map {
      Datum($0.ratio + shift, $0.rate.value, $0.rate.interval)
    }
    let pen = Pen(color, width: 0.6)
    marks += [Line(points, pen), Whiskers(points, pen), Points(points, symbol, color, size: 1.1)]
    entries.append(LegendEntry(name, .symbol(symbol, color)))
  }
  marks.append(Legend(.topRight, entries))
  // More words may be written than were said.
  let most = rates.contains { $0.rate.value > 1 } ? rates.map(\.rate.high).max()! : 1
  return Panel(
    letter, title, in: area,
    x: .linear(
      "Ratio of speech to noise (dB)", first - 1.5...last + 1.5, ticks: 5),
    y: .linear("Word error rate", 0...(10 * most).rounded(.up) / 10, ticks: 5), marks)
}

/// Every plotted value and those that are not, one a line.
private func noiseTable(_ results: [NoiseResult]) -> String {
  var lines = ["model\tintervention\tstrength\tquantity\tvalue\tlow\thigh"]
  for result in results {
    func add(_ what: String, _ strength: String, _ quantity: String, _ number: Estimate?) {
      let values = number.map { "\($0.value)\t\($0.low)\t\($0.high)" } ?? "NA\tNA\tNA"
      lines.append("\(result.model)\t\(result.named(what))\t\(strength)\t\(quantity)\t\(values)")
    }
    for reading in result.readings {
      let strength = reading.strength.map { "\($0)" } ?? "none"
      for one in reading.byRatio {
        add(reading.arm.name, strength, "errors at \(one.ratio) dB", one.rate)
      }
      for one in reading.byKind { add(reading.arm.name, strength, "gain in \(one.kind)", one.gain) }
      for (quantity, number) in [
        ("gain", reading.gain), ("gain, all ratios", reading.overall), ("cost", reading.cost),
        ("gain, exact texts", reading.exact),
      ] { add(reading.arm.name, strength, quantity, number) }
    }
    for area in result.areas {
      add(area.score, "", "area", area.area)
      add(area.score, "", "area, less that of entropy", area.beyondEntropy)
    }
  }
  return lines.map { $0 + "\n" }.joined()
}
