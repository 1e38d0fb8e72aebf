// The same patched runs read by three metrics, and the estimates of the search for the same cells: every
// kind of site by every window (`paper/definitions.md`, D152).

import Corpus
import Speech
import Tensor

extension AudioLanguageModel {
  /// The rows of a family in the encoder, at the connector and in the language model; queries, keys and
  /// heads' outputs head by head.
  public func componentRows(_ family: String, in trace: Trace) throws -> [GridRow] {
    let own = try rows(family, in: trace).filter {
      [.encoder, .lm, .connector].contains($0.site.stage)
    }
    guard ["queries", "keys"].contains(family) else { return own }
    return try rows(own.map { "\($0.site)[*]" }.joined(separator: ","), in: trace)
  }
}

/// The metrics that are compared, in the order of all lists of this ablation.
public let comparedMetrics: [Metric] = [.logitDifference, .probability, .divergence]

/// What a metric is called in figures and tables.
public func metricTitle(_ metric: Metric) -> String {
  switch metric {
  case .logitDifference: "LD"
  case .probability: "probability"
  case .divergence: "KL"
  case .sequence: "whole answer"
  }
}

/// One family of sites of one pair.
public struct ComponentMap: Codable, Sendable {
  /// The rows, as cells are written.
  public let rows: [String]
  /// Of each row its stage and layer.
  public let depths: [String]
  /// By [metric][row][window] the changes that the patch makes, over no gap: into the corrupt run, into the
  /// clean one, and of an unrelated item into the corrupt one. The last two and all metrics but the logit
  /// difference are empty where they were not asked for.
  public var sufficiency: [[[Double?]]] = []
  public var necessity: [[[Double?]]] = []
  public var unrelated: [[[Double?]]] = []
  /// The search's estimate of the change of the logit difference of the corrupt run, by [row][window].
  public var estimates: [[Double?]] = []

  public init(rows: [String], depths: [String]) { (self.rows, self.depths) = (rows, depths) }
}

/// All families of one pair.
public struct ComponentMaps: Codable, Sendable {
  /// By metric.
  public let clean: [Double]
  public let corrupt: [Double]
  public let families: [ComponentMap]

  public init(clean: [Double], corrupt: [Double], families: [ComponentMap]) {
    (self.clean, self.corrupt, self.families) = (clean, corrupt, families)
  }

  /// LD of both runs.
  public var runs: (clean: Double, corrupt: Double) { (clean[0], corrupt[0]) }
  /// By metric, clean less corrupt; of the divergence it is negative.
  public var gaps: [Double] { zip(clean, corrupt).map { $0 - $1 } }
}

/// Which families are measured, and of which the metrics are compared.
public struct ComponentPlan: Sendable {
  public let families: [String]
  public let metered: [String]
  public let windows: LockedWindows
  /// The folder below which the recordings lie.
  public let root: String

  public init(families: [String], metered: [String], windows: LockedWindows, root: String) {
    (self.families, self.metered) = (families, metered)
    (self.windows, self.root) = (windows, root)
  }
}

extension SpeechModel {
  /// Patches and searches every cell of a pair. Where the sound decides which frames become tokens, all runs
  /// keep those of the corrupt member.
  ///
  /// - Parameter other: the pair that lends the unrelated item
  public func componentMaps(
    of pair: MinimalPair, unrelated other: MinimalPair, _ plan: ComponentPlan
  ) throws -> ComponentMaps {
    var (clean, corrupt) = try questions(for: pair, root: plan.root)
    let first = try model.trace(corrupt)
    (clean, corrupt) = (clean.keepingFrames(of: first), corrupt.keepingFrames(of: first))
    let sized = model.sites.filter { [.encoder, .lm].contains($0.stage) }
    let example = try model.trace(corrupt, keeping: sized)
    let rows = try plan.families.map { try model.componentRows($0, in: example) }
    let sites = Set(rows.joined().map(\.site)).union(model.branchSites).sorted { "\($0)" < "\($1)" }
    let (base, source) = (
      try model.trace(corrupt, keeping: sites), try model.trace(clean, keeping: sites)
    )
    let stranger = try model.trace(questions(for: other, root: plan.root).clean, keeping: sites)
    let lent = Donor.unrelated(stranger, shift: other.onset - pair.onset, matching: source)
    let found = try model.search(
      base: corrupt, source: clean, SearchOptions(.attribution, sites: sites))
    let columns = plan.windows.ofTime(pair)

    /// By [metric][row][window], what is read with a donor's activations less what is read without.
    func changes(_ own: [GridRow], _ here: Trace, _ donor: Donor, _ metrics: [Metric]) throws
      -> [[[Double?]]]
    {
      let sets = try own.flatMap { row in
        try columns.map { window -> [Patch] in
          let cell = Cell(row.site, index: row.index, window)
          let positions = try here.place(of: row.site).positions(in: window)
          guard !positions.isEmpty, let rows = try donor.rows(for: cell, positions, here) else {
            return []
          }
          return [Patch(row.site, positions: positions, index: row.index, taking: rows)]
        }
      }
      let unchanged = here.question.outcome(here.logits, reference: source.logits)
      var outcomes = try model.patched(here, sets.filter { !$0.isEmpty }, reference: source)[...]
      let read = sets.map { $0.isEmpty ? nil : outcomes.removeFirst() }
      return metrics.map { metric in
        own.indices.map { row in
          columns.indices.map { window in
            read[row * columns.count + window].map { $0[metric]! - unchanged[metric]! }
          }
        }
      }
    }
    func whole(_ trace: Trace) -> [Double] {
      let outcome = trace.question.outcome(trace.logits, reference: source.logits)
      return comparedMetrics.map { outcome[$0]! }
    }
    return ComponentMaps(
      clean: whole(source), corrupt: whole(base),
      families: try zip(plan.families, rows).map { family, own in
        var map = ComponentMap(
          rows: own.map { "\($0)" },
          depths: own.map {
            $0.site == Site(.encoder, .embed)
              ? "encoder in" : $0.site.stage.rawValue + ($0.site.layer.map { " \($0)" } ?? "")
          })
        let isMetered = plan.metered.contains(family)
        map.sufficiency = try changes(
          own, base, .source(source), isMetered ? comparedMetrics : [.logitDifference])
        if isMetered {
          map.necessity = try changes(own, source, .source(base), comparedMetrics)
          map.unrelated = try changes(own, base, lent, comparedMetrics)
        }
        map.estimates = own.map { row in
          columns.map { found.scores[row.site]!.score($0, index: row.index) }
        }
        return map
      })
  }
}

extension Place {
  /// The positions inside a window.
  fileprivate func positions(in window: Window) -> [Int] { window.positions(in: spans) }
}
