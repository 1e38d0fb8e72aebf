// Panels that Figure 5 and the rivals' steering have alike: how well scores tell two sorts of recordings apart,
// what arms leave written where nobody speaks, and what they cost where somebody does.

import Interventions
import Plot

/// A dot with its interval for each score and model, or contrast.
func areaPanel(
  _ title: String, scores: [String], models: [String], in area: Rect,
  _ value: (_ model: Int, _ score: Int) -> Estimate?
) -> Panel {
  dotPanel(
    "b", title, x: .linear("Area under the receiver operating characteristic", 0...1.03, ticks: 5),
    items: scores, models: models, names: 40, lines: [0.5, 1], legend: .topLeft, in: area, value)
}

/// The share of sounds with words left, a dot an arm and model.
///
/// - Parameters:
///   - names: millimetres that the arms' names take
///   - missing: what is written where no model has a number
func wordsLeftPanel(
  arms: [String], models: [String], names: Double, missing: String? = nil, in area: Rect,
  _ value: (_ model: Int, _ arm: Int) -> Estimate?
) -> Panel {
  dotPanel(
    "c", "Kinds of sound that nothing was chosen on",
    x: .linear("Share of sounds with words left", -0.03...1.03, ticks: 5), items: arms,
    models: models, names: names, lines: [0, 1], missing: missing, in: area, value)
}

/// The word errors that each arm costs, over an axis that holds all their intervals.
///
/// - Parameter limit: what a strength may cost, in word error rate
func costPanel(
  arms: [String], models: [String], limit: Double, in area: Rect,
  _ value: (_ model: Int, _ arm: Int) -> Estimate?
) -> Panel {
  let costs = models.indices.flatMap { m in arms.indices.compactMap { value(m, $0) } }
  let ends = costs.flatMap { [$0.low, $0.high] }.filter(\.isFinite)
  return dotPanel(
    "d", "Speech",
    x: .linear(
      "Word error rate, less that of what is written",
      roundRange(containing: ends + [-0.01, 0.02], about: 4), ticks: 5),
    items: arms, models: models, names: nil, lines: [0, limit], in: area, value)
}
