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
/// - Parameter file: the experiment's source, from which the package is found
public func experiment(_ name: String, file: String = #filePath) -> Notebook {
  Runtime.pin()
  let notebook = Notebook(name, file: file)
  notebook.note("BLAS", Runtime.description)
  return notebook
}

/// What an experiment is run on: the pairs, and the rules that were fixed beforehand.
public struct Study: Sendable {
  public let suite: PairSuite
  public let rules: Preregistration
  /// The folder below which the recordings lie.
  public let root: String

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
      throw CellError("\(checkpoint): no pair enters, so there is no map; train it again")
    }
    return kept
  }
}

extension Notebook {
  /// The pairs of the suite with their recordings, and the preregistered rules; all of them verified
  /// and part of the stamp.
  public func study(rules path: String = "paper/preregistration.json") -> Study {
    let suite = tracked("data-manifests/evaluation.json", as: "pairs") {
      try PairSuite(manifest: $0)
    }
    _ = input("artifacts/evaluation", as: "audio")
    let rules = tracked(path, as: "preregistration") {
      try Preregistration($0)
    }
    return Study(suite: suite, rules: rules, root: root ?? ".")
  }

  /// A checkpoint of the package, verified and part of the stamp.
  ///
  /// - Parameter name: what the stamp calls it; its path if nil
  public func checkpoint(_ folder: String, as name: String? = nil) -> SpeechModel {
    input("artifacts/\(folder)", as: name) { try SpeechModel(folder: $0) }
  }

  /// The pairs that enter, which are counted in the report.
  public func entering(
    _ study: Study, _ runs: [(clean: Double, corrupt: Double)], of checkpoint: String
  ) -> [Int] {
    let kept = attempt { try study.entering(runs, of: checkpoint) }
    let gap = kept.reduce(0) { $0 + runs[$1].clean - runs[$1].corrupt } / Double(kept.count)
    say("\(checkpoint): \(kept.count) of \(runs.count) pairs enter; mean gap \(gap) nats")
    return kept
  }

  /// Registers a figure: its drawing as PDF and SVG, stamped with what it was made from, and the table
  /// of everything that it plots.
  ///
  /// - Parameter path: without an ending, as in `figures/figure2`
  public func figure(_ path: String, _ figure: DrawnFigure, title: String) {
    output("\(path).tsv", text: figure.table)
    let stamp = stamp.with("table", Digest(of: figure.table)).description
    for format in ["pdf", "svg"] {
      output("\(path).\(format)") {
        let file = URL(fileURLWithPath: $0)
        try figure.drawing.write(
          pdf: format == "pdf" ? file : nil, svg: format == "svg" ? file : nil, title: title,
          description: figure.caption, stamp: stamp)
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
