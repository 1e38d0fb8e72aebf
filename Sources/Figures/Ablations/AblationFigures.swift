// The figures of the ablations of the map: which panels each axis has, and what their captions say.

import Interventions
import Plot
import Speech

/// What the corrupt run hears.
///
/// - Parameter maps: of one model, one a corruption
public func corruptionFigure(_ rows: [AblationRow], _ maps: [AblationMap]) -> DrawnFigure {
  ablationFigure(
    rows,
    [
      [
        AblationPanel("spearman", "Are maps alike?", "Spearman", -0.5...1, names: 42),
        AblationPanel("strongest ten", "The ten strongest cells", "Shared", 0...1, width: 0.55),
      ],
      [
        AblationPanel("pairs that enter", "Yield", "Share of pairs", 0...1, names: 24),
        AblationPanel(
          "moment", "The changed phone's 120 ms", "Recovery, connector", -0.25...1.25, names: 37),
        AblationPanel("near", "Near the phone", "Share", -0.25...1.25, width: 0.62),
        AblationPanel("depth", "How deep", "Mean depth", 0...1, width: 0.62),
      ],
    ], maps: maps, chance: "ten cells drawn at random",
    caption:
      "Causal maps under five corruptions; how alike the maps under each two are, beside the map of an "
      + "unrelated item under the same corruption; and how many pairs enter, what the changed phone's "
      + "window recovers at the connector, and where in time and depth the effect lies, beside the "
      + "unrelated item.")
}

extension Array where Element == ComponentMaps {
  /// Maps of the residual stream by each metric.
  public func metricMaps(_ sites: [Site]) -> [AblationMap] {
    comparedMetrics.enumerated().map { i, metric in
      AblationMap(metricTitle(metric), sites, sufficiency(i, of: sites.map { "\($0)" }))
    }
  }
}

/// What is read from the logits.
public func metricFigure(
  _ rows: [AblationRow], _ maps: [AblationMap], _ windows: LockedWindows
) -> DrawnFigure {
  ablationFigure(
    rows,
    [
      [
        AblationPanel(
          "spearman, sufficiency", "Into the corrupt run", "Spearman", 0...1, names: 38),
        AblationPanel(
          "strongest fifty, sufficiency", "The fifty strongest", "Shared", 0...1, width: 0.5),
        AblationPanel(
          "spearman, necessity", "Into the clean run", "Spearman", 0...1, width: 0.5),
        AblationPanel(
          "strongest fifty, necessity", "The fifty strongest", "Shared", 0...1, width: 0.5),
      ],
      [
        AblationPanel(
          "lost", "What another metric does not see", "Share of these cells", 0...1, names: 38),
        AblationPanel(
          "moment", "The phone's window", "Recovery, connector", -0.25...1.25, names: 30),
      ],
    ], maps: maps, windows: windows, chance: "as many cells drawn at random",
    caption:
      "Causal maps of the same patched runs by three metrics; how alike they are; the share of cells that "
      + "hurt or help by the logit difference and do not by another metric; and what the source and an "
      + "unrelated item recover in the changed phone's window at the connector by each.")
}

/// Attribution against exact effects.
public func searchAgreementFigure(_ rows: [AblationRow]) -> DrawnFigure {
  func band(_ what: String, names: Double) -> [AblationPanel] {
    [
      AblationPanel(
        "overlap by \(what), size", "By \(what): strongest", "Shared", 0...1, names: names),
      AblationPanel(
        "overlap by \(what), signed", "Signed", "Shared", 0...1, width: 0.62),
      AblationPanel(
        "precision by \(what), size", "Count", "Precision", 0...1, width: 0.62),
      AblationPanel(
        "precision by \(what), signed", "Count, signed", "Precision", 0...1, width: 0.62),
      AblationPanel(
        "spearman by \(what)", "Ranks", "Spearman", 0...1, width: 0.62),
    ]
  }
  return ablationFigure(
    rows, [band("kind", names: 18), band("depth", names: 18)],
    chance: "as many cells drawn at random",
    caption:
      "How many of the fifty strongest cells (a tenth where there are fewer than fifty) attribution and "
      + "exact patching share, by size and by the signed effect; how many of those that attribution "
      + "proposes move at least a twentieth of the gap; and the correlation of ranks; by kind of site and by "
      + "depth, beside as many cells drawn at random.")
}

/// What counts as a component.
public func granularityFigure(_ rows: [AblationRow]) -> DrawnFigure {
  ablationFigure(
    rows,
    [
      Grain.allCases.enumerated().map { i, grain in
        AblationPanel(
          "first components, \(grain.rawValue)", grain.rawValue.capitalisedFirst,
          i == 0 ? "Recovery" : "", -0.25...1.25,
          shape: .curves(i == 2 ? "Components patched" : ""),
          names: i == 0 ? 11 : 6)
      },
      [
        AblationPanel("largest", "The largest alone", "Recovery", -0.1...1.1, names: 22),
        AblationPanel(
          "half", "Components for half", "Share of all of the kind", 0...1, width: 0.6),
        AblationPanel(
          "joint over sum", "Together, over the sum alone", "Ratio", 0...3, names: 28),
      ],
    ],
    caption:
      "What growing sets of components of five kinds recover at the changed phone's moment, in the order of "
      + "what each does alone on other pairs, at random, and with an unrelated item's activations; the "
      + "largest component alone; how many it takes for half of all; and what those of one layer do "
      + "together over the sum of what each does alone.")
}

/// How wide a window is.
public func windowFigure(_ rows: [AblationRow]) -> DrawnFigure {
  let size = "Positions in a window"
  func curve(_ panel: String, _ title: String, _ quantity: String, _ range: ClosedRange<Double>)
    -> AblationPanel
  {
    AblationPanel(panel, title, quantity, range, shape: .curves(size), names: 11)
  }
  return ablationFigure(
    rows,
    [
      [
        curve("begins with the phone", "Begins with the phone", "Recovery", -0.25...1.25),
        curve("best placed", "Best placed on other pairs", "Recovery", -0.25...1.25),
        AblationPanel(
          "half width", "Recovers half", "Width (ms)", 0...400, width: 0.9, names: 24),
      ],
      ["one", "half", "size"].map {
        curve("inside, stride \($0)", "In the phone: stride \($0)", "Share of effect", -0.1...1.1)
      },
      ["one", "half", "size"].map {
        curve(
          "joint over sum, stride \($0)", "Whole over sum: stride \($0)", "Ratio", 0...2)
      },
    ],
    chance: "share of windows that reach the phone",
    caption:
      "Windows of one to sixteen positions of what the connector gives: what one recovers that begins with "
      + "the changed phone, and one whose place was chosen on other pairs; the width at which half is "
      + "recovered; the share of the effect in windows that reach the phone, beside the share of such "
      + "windows (dashed); and what all of the sound does over the sum of its windows; beside an unrelated "
      + "item.")
}

/// How many pairs.
public func pairCountFigure(_ rows: [AblationRow]) -> DrawnFigure {
  let names = [
    ("sufficiency", "Sufficiency"), ("necessity", "Necessity"), ("depth", "Mean depth"),
    ("near", "Share near the phone"),
  ]
  return ablationFigure(
    rows,
    [
      names.map {
        AblationPanel($0.0, $0.1, "Value", -0.25...1.25, shape: .curves("Pairs"), names: 11)
      },
      names.map {
        AblationPanel(
          "width, \($0.0)", "Interval", "Width", 0...0.8, shape: .curves("Pairs"), names: 11)
      },
    ],
    caption:
      "The headline numbers of Figure 2 on subsamples of pairs, with the range of nineteen of twenty "
      + "subsamples, and the width of their 95% intervals; beside the unrelated item's.")
}

/// Which numbers a machine computes in.
public func numericsFigure(_ rows: [AblationRow]) -> DrawnFigure {
  ablationFigure(
    rows,
    [
      [
        AblationPanel("logits", "Logits", "Largest difference (nats)", -8...2, names: 42)
          .logarithmic,
        AblationPanel(
          "cells", "Cells of the map", "Largest difference (share of the gap)", -8...2, width: 0.65
        ).logarithmic,
        AblationPanel(
          "texts equal", "Transcripts", "Share unchanged", 0...1, width: 0.5),
      ]
    ],
    caption:
      "The largest difference of a logit and of a cell of the map, and the share of transcripts that stay "
      + "word for word, where a model is computed in other numbers, in other company or with silence "
      + "behind the recording; beside what the pair's other recording changes. Exact zeros stand at the "
      + "left edge.")
}

extension String {
  fileprivate var capitalisedFirst: String { prefix(1).uppercased() + dropFirst() }
}
