// The pairs of a list that enter a measurement: the model answers both recordings. What every verb over
// pairs shares.

import Foundation
import Interventions
import JSON
import Notebook
import Tensor

/// Pairs that the model answers, and why the others do not enter.
struct AnsweredPairs {
  let opened: OpenedModel
  let kept: [OpenedPair]
  let modelDigest: String
  let pairsDigest: String
  private let excluded: [(id: String, reason: Exclusion)]
  private let path: String
  private let alignment: AlignmentChoice
  private let minimumGap: Double

  /// - Parameters:
  ///   - pairs: those of the list that are tried
  ///   - path: the list
  ///   - minimumGap: the smallest gap of the logit difference, in nats
  /// - Throws: where a recording is unusable, or no pair enters
  init(
    _ pairs: [RecordedPair], of path: String, _ model: ModelOptions, _ alignment: AlignmentChoice,
    minimumGap: Double
  ) throws {
    (self.path, self.alignment, self.minimumGap) = (path, alignment, minimumGap)
    let opened = try OpenedModel(model)
    self.opened = opened
    modelDigest = try opened.digest().description
    pairsDigest = try Digest(ofFile: path).description
    let filter = PairFilter(minimumGap: minimumGap)
    let all = try pairs.map { try OpenedPair($0, opened, alignment) }
    let reasons = try mapInParallel(all.count) { i in
      filter.reason(
        clean: try opened.model.trace(all[i].clean).logitDifference,
        corrupt: try opened.model.trace(all[i].corrupt).logitDifference)
    }
    kept = all.indices.filter { reasons[$0] == nil }.map { all[$0] }
    excluded = all.indices.compactMap { i in reasons[i].map { (all[i].pair.id, $0) } }
    guard !kept.isEmpty else {
      throw CellError(
        "\(path): none of \(all.count) pairs enters (\(exclusions)); the model must answer both "
          + "recordings, by a gap of \(minimumGap) nats")
    }
  }

  private var exclusions: String {
    Exclusion.allCases.compactMap { reason -> String? in
      let count = excluded.count { $0.reason == reason }
      return count == 0 ? nil : "\(count) \(reason.rawValue)"
    }.joined(separator: ", ")
  }

  /// What every result states.
  var provenance: [String: JSON] {
    [
      "model": .string(opened.folder), "model_sha256": .string(modelDigest),
      "pairs": .string(path), "pairs_sha256": .string(pairsDigest),
      "corruption": "the corrupt recording of each pair",
      "alignment": .string(alignment.rawValue), "minimum_gap": .number(minimumGap),
      "pairs_given": .integer(kept.count + excluded.count),
      "pairs_kept": .array(kept.map { .string($0.pair.id) }),
      "excluded": .array(
        excluded.map { ["id": .string($0.id), "reason": .string($0.reason.rawValue)] }),
    ]
  }

  /// How many pairs enter, in a line.
  var summary: String {
    "\(kept.count) of \(kept.count + excluded.count) pairs enter"
      + (excluded.isEmpty ? "" : " (left out: \(exclusions))")
  }
}
