// What experiments on the suite begin with and end with: the material, verified; the pairs that enter;
// a checkpoint beside its untrained twin; a figure with its table; a number with its interval.

import Corpus
import Foundation
import Interventions
import Notebook
import Plot
import Speech
import Tensor

/// A notebook whose numbers are the paper's: BLAS is pinned first, and the record says so.
///
/// - Parameters:
///   - own: what the reader may put in the place of the package's; where it takes the pairs alone or the
///     checkpoint alone, `instead` says why, and what takes the other
///   - file: the experiment's source, from which the package is found
public func experiment(
  _ name: String, takes own: Set<Own> = [], instead: String? = nil, file: String = #filePath
) -> Notebook {
  Runtime.pin()
  let notebook =
    instead.map { Notebook(name, file: file, takes: own, instead: $0) }
    ?? Notebook(name, file: file, takes: own)
  notebook.note("BLAS", Runtime.description)
  return notebook
}

/// What an experiment is run on: the pairs, and the rules that were fixed beforehand.
public struct Study: Sendable {
  public let suite: PairSuite
  public let rules: Preregistration
  /// The folder below which the recordings lie.
  public let root: String
  /// The reader's manifest, where the pairs are their own.
  var own: String? = nil

  /// The stream of an experiment, from the preregistered seed.
  public func random(_ name: String) -> Random { Random(seed: UInt64(rules.seed)).split(name) }

  /// The pairs that enter (`paper/definitions.md`, D17), by their place.
  ///
  /// - Throws: where there is none, so that there would be no map.
  public func entering(_ runs: [(clean: Double, corrupt: Double)], of checkpoint: String) throws
    -> [Int]
  {
    let filter = PairFilter(minimumGap: rules.minimumGap)
    let kept = runs.indices.filter {
      filter.reason(clean: runs[$0].clean, corrupt: runs[$0].corrupt) == nil
    }
    guard !kept.isEmpty else {
      throw CellError(
        (own.map { "\($0): " } ?? "")
          + "\(checkpoint): none of \(runs.count) pairs enters, so there is no map: both members must be "
          + "answered right, by a gap of \(rules.minimumGap) nats; train it again, or take pairs that it "
          + "answers")
    }
    return kept
  }

  /// Every so many-th pair of the suite, and all of the reader's own.
  public func sample(_ step: Int) -> [MinimalPair] { suite.pairs.every(own == nil ? step : 1) }

  /// The same of the pairs of every split but one.
  public func sample(_ step: Int, without split: String) -> [MinimalPair] {
    suite.pairs.filter { $0.split != split }.every(own == nil ? step : 1)
  }
}

extension Notebook {
  /// The pairs of the suite with their recordings, or the reader's own in their place, and the
  /// preregistered rules; all of them verified and part of the stamp.
  ///
  /// - Parameter splits: those that the experiment needs
  public func study(
    rules path: String = "paper/preregistration.json",
    needing splits: [KeyPath<Preregistration, String>] = []
  ) -> Study {
    if let own = options.pairs { return study(of: own, rules: path, needing: splits) }
    let suite = tracked("data-manifests/evaluation.json", as: "pairs") {
      try PairSuite(manifest: $0)
    }
    _ = input("artifacts/evaluation", as: "audio")
    let rules = tracked(path, as: "preregistration") {
      try Preregistration($0)
    }
    return Study(suite: suite, rules: rules, root: root ?? ".")
  }

  private func study(
    of path: String, rules: String, needing splits: [KeyPath<Preregistration, String>]
  ) -> Study {
    attempt {
      let own = try OwnPairs(manifest: path)
      input("pairs", digest: own.manifest)
      input("audio", digest: own.audio)
      let rules = tracked(rules, as: "preregistration") { try Preregistration($0) }
      try own.demand(splits.map { rules[keyPath: $0] }, of: path)
      return Study(suite: own.suite, rules: rules, root: own.root, own: path)
    }
  }

  /// What `checkpoint` opens: checkpoints of the package by their folders, or the reader's own in the
  /// place of all of them.
  public func checkpoints(_ names: [String]) -> [String] {
    options.model == nil ? names : [Notebook.ownModel]
  }

  /// What the reader's own checkpoint is called.
  public static let ownModel = "own-model"

  /// A checkpoint of the package, or the reader's own in its place, verified and part of the stamp.
  ///
  /// - Parameters:
  ///   - name: what the stamp calls it; its path if nil
  ///   - isSinglePath: whether the whole sound must pass through one encoder, in the time of the sound
  public func checkpoint(
    _ folder: String, as name: String? = nil, isSinglePath: Bool = false
  ) -> SpeechModel {
    guard let own = options.model else {
      return input("artifacts/\(folder)", as: name) { try SpeechModel(folder: $0) }
    }
    return attempt {
      input("model", digest: try Digest(ofCheckpoint: own))
      let speech = try SpeechModel(folder: own)
      guard !isSinglePath || speech.model.branchSites.isEmpty && !(speech.config is SoundwaveConfig)
      else {
        throw CellError(
          "\(own): hears through two encoders, or keeps frames as it hears them, which this "
            + "experiment does not follow; maps-by-model (make figureS1) does")
      }
      return speech
    }
  }

  /// The pairs that enter, which are counted in the report.
  public func entering(
    _ study: Study, _ runs: [(clean: Double, corrupt: Double)], of checkpoint: String
  ) -> [Int] {
    let kept = attempt { try study.entering(runs, of: options.model ?? checkpoint) }
    let gap = kept.reduce(0) { $0 + runs[$1].clean - runs[$1].corrupt } / Double(kept.count)
    say("\(checkpoint): \(kept.count) of \(runs.count) pairs enter; mean gap \(gap) nats")
    return kept
  }

  /// Asks the pairs before anything is mapped, which takes long: of the reader's own model or pairs it may
  /// be that none enters. Of the package's it is known that they do.
  public func askFirst(
    _ speech: SpeechModel, _ pairs: [MinimalPair], of study: Study, as checkpoint: String
  ) {
    guard !options.own.isEmpty else { return }
    let runs = cell("\(checkpoint): answers", over: pairs, key: \.id) { pair in
      let asked = try speech.questions(for: pair, root: study.root)
      return [
        try speech.model.trace(asked.clean).logitDifference,
        try speech.model.trace(asked.corrupt).logitDifference,
      ]
    }
    _ = entering(study, runs.map { ($0[0], $0[1]) }, of: checkpoint)
  }

  /// Registers a figure: its drawing as PDF and SVG, stamped with what it was made from, and the table
  /// of everything that it plots. What is not the paper's says so across the drawing and below it.
  ///
  /// - Parameter path: without an ending, as in `figures/figure2`
  public func figure(_ path: String, _ figure: DrawnFigure, title: String) {
    output("\(path).tsv", text: figure.table)
    let stamp = stamp.with("table", Digest(of: figure.table)).description
    let drawing =
      options.mark.map {
        figure.drawing.marked(options.marks.joined(separator: ", "), "\($0): \(name)")
      } ?? figure.drawing
    // The caption names the package's models.
    let caption = options.own.isEmpty ? figure.caption : "Drawn as \(title)."
    let (title, description) =
      options.mark.map { ("\($0): \(title)", "\($0). \(caption)") } ?? (title, caption)
    for format in ["pdf", "svg"] {
      output("\(path).\(format)") {
        let file = URL(fileURLWithPath: $0)
        try drawing.write(
          pdf: format == "pdf" ? file : nil, svg: format == "svg" ? file : nil, title: title,
          description: description, stamp: stamp)
      }
    }
  }

  /// Records a number with its interval; without one where too few groups gave none.
  public func number(_ name: String, _ estimate: Estimate, claim: String = "") {
    let hasInterval = estimate.low.isFinite && estimate.high.isFinite
    number(
      name, estimate.value, low: hasInterval ? estimate.low : nil,
      high: hasInterval ? estimate.high : nil, tolerance: 1e-6, claim: claim)
  }
}

extension Array {
  /// Every so many-th element, the first among them.
  public func every(_ step: Int) -> [Element] {
    indices.filter { $0 % step == 0 }.map { self[$0] }
  }
}

extension Array where Element == String {
  /// The elements in the order of their first appearance.
  var uniqued: [String] {
    reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }
}
