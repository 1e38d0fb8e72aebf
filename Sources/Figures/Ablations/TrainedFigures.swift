// The figures of checkpoints that were trained to be compared.

import Interventions
import Plot

private let measures:
  [(panel: String, title: String, quantity: String, range: ClosedRange<Double>)] = [
    ("errors", "Unheard sentences", "Word error rate", 0...1),
    ("never heard", "Unheard voices", "Word error rate", 0...1),
    ("enter", "Pairs that enter", "Share", 0...1),
    ("moment", "The phone's 120 ms", "Recovery, connector", -0.25...1.25),
    ("near", "Near the phone", "Share", -0.25...1.25),
    ("depth", "How deep", "Mean depth", 0...1),
    ("part", "Five directions", "Recovery", -0.25...1.25),
    ("directions", "For nine tenths", "Directions", 0...45),
    ("cosine", "Sound and text", "Cosine", -0.25...1),
    ("angle", "Shared directions", "Squared cosine", 0...1),
  ]

/// The panels of some measures, whose places are those of the first.
private func band(_ panels: [String], names: Double) -> [AblationPanel] {
  panels.enumerated().map { i, name in
    let one = measures.first { $0.panel == name }!
    // The first is wider by what its names take.
    return AblationPanel(
      one.panel, one.title, one.quantity, one.range,
      width: i == 0 && panels.count > 1 ? 1 + names / 22 : 1, names: i == 0 ? names : nil)
  }
}

/// Checkpoints that differ in their seed.
public func seedFigure(_ rows: [AblationRow], _ maps: [AblationMap]) -> DrawnFigure {
  func own(_ panels: [String]) -> [AblationPanel] {
    panels.flatMap { band([$0], names: 24) }
  }
  return ablationFigure(
    rows,
    [
      own(["errors", "never heard", "enter"]),
      own(["moment", "near", "depth"]),
      own(["part", "directions", "cosine"]),
      [AblationPanel("likeness", "Are maps alike?", "Spearman", -0.25...1, names: 30)],
    ], maps: maps,
    chance: "unrelated item, random move as long, or another pair's text",
    caption:
      "Four checkpoints of one recipe from four seeds: word errors, pairs that enter, what the changed phone's "
      + "120 ms recover at the connector, where the effect lies, five directions trained through the model and "
      + "how many it takes for nine tenths, the cosine between what a changed word moves in sound and in text, "
      + "and how alike the maps are, beside the unrelated item's.")
}

/// Checkpoints that differ in their training set, with and without a loss that aligns sound and text.
public func efficiencyFigure(_ rows: [AblationRow])
  -> DrawnFigure
{
  ablationFigure(
    rows,
    [
      band(["errors", "never heard", "enter", "cosine", "angle"], names: 30),
      band(["moment", "near", "depth", "part", "directions"], names: 30),
      [
        AblationPanel(
          "prediction", "What orders the checkpoints as word errors do?", "Spearman", -1...1,
          names: 44)
      ],
    ],
    chance:
      "unrelated item, random move as long, another pair's text, directions or order drawn at random",
    caption:
      "Twelve checkpoints of one architecture, trained on three sizes of training set from two seeds, with and "
      + "without a loss that aligns sound and text: word errors, pairs that enter, how near sound and text "
      + "lie at the connector, what the changed phone recovers there and where, and how many directions it "
      + "takes; and the rank correlation of each with the word errors of unheard voices, over all and among those "
      + "of one loss, beside what 95 of 100 shuffles stay below in size.")
}
