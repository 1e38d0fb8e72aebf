// The pairs of a list that enter a measurement: the model answers both runs. What every verb over
// pairs shares, and what its results state of them.

import Foundation
import Interventions
import JSON
import Notebook
import Tensor

/// Under which conditions pairs are measured.
struct PairConditions {
  let alignment: AlignmentChoice
  var corruption = Corruption.paired
  let rules: Rules
  /// The split whose pairs are taken, and how many of them, where not all are.
  var split: String?
  var limit: Int?
  /// Which verb measures, for the log of openings.
  let verb: String

  /// The pairs of a list that are tried.
  ///
  /// - Throws: where the list has no such split.
  func chosen(among listed: [RecordedPair], of path: String) throws -> [RecordedPair] {
    var pairs = listed
    if let split {
      pairs = listed.filter { $0.split == split }
      guard !pairs.isEmpty else {
        let names = Set(listed.compactMap(\.split)).sorted()
        throw CellError(
          "\(path): has no split \(quoted(split)); it has "
            + (names.isEmpty
              ? "none, as no pair names one"
              : names.map { quoted($0) }.joined(separator: ", ")))
      }
    }
    return limit.map { Array(pairs.prefix($0)) } ?? pairs
  }
}

/// Pairs that the model answers, and why the others do not enter.
struct AnsweredPairs {
  let opened: OpenedModel
  let kept: [OpenedPair]
  let modelDigest: String
  let pairsDigest: String
  /// Of the sound of all pairs that were tried.
  let recordingsDigest: String
  /// Of the two runs of each pair that was tried.
  let cost: Cost
  private let excluded: [(id: String, reason: Exclusion)]
  private let path: String
  private let conditions: PairConditions
  private let openings: String?

  /// - Parameters:
  ///   - pairs: those of the list that are tried
  ///   - listed: all of the list
  ///   - path: the list
  ///   - checking: what can be refused before a split is opened and any pair is asked
  /// - Throws: where a recording is unusable, the split may not be opened, or no pair enters
  init(
    _ pairs: [RecordedPair], among listed: [RecordedPair], of path: String, _ model: ModelOptions,
    _ conditions: PairConditions,
    checking: (OpenedModel, [OpenedPair]) throws -> Void = { _, _ in }
  ) throws {
    (self.path, self.conditions) = (path, conditions)
    let opened = try OpenedModel(model)
    self.opened = opened
    modelDigest = try opened.digest().description
    pairsDigest = try Digest(ofFile: path).description
    let minimumGap = conditions.rules.minimumGap
    let filter = PairFilter(minimumGap: minimumGap, needsFoil: conditions.corruption.saysFoil)
    let all = try pairs.map {
      try OpenedPair($0, opened, conditions.alignment, conditions.corruption)
    }
    recordingsDigest =
      Digest(
        ofParts: try pairs.flatMap { pair in
          try [pair.clean, pair.corrupt].map { try Digest(ofFile: $0).description }
        }
      ).description
    try checking(opened, all)
    // Seen is opened: from here on the model's answers are known.
    openings = try conditions.rules.open(pairs, among: listed, of: path, by: conditions.verb)
    let (reasons, time) = try Cost.timed {
      let said = try mapInParallel(2 * all.count) { i in
        let (pair, isClean) = (all[i / 2], i % 2 == 0)
        return try opened.model.trace(isClean ? pair.clean : pair.corrupt).logitDifference
      }
      return all.indices.map { filter.reason(clean: said[2 * $0], corrupt: said[2 * $0 + 1]) }
    }
    var cost = time
    cost.forwards = 2 * Double(all.count)
    self.cost = cost
    kept = all.indices.filter { reasons[$0] == nil }.map { all[$0] }
    excluded = all.indices.compactMap { i in reasons[i].map { (all[i].pair.id, $0) } }
    guard !kept.isEmpty else {
      throw CellError(
        "\(path): none of \(all.count) pairs enters (\(exclusions)); the model must answer "
          + (conditions.corruption.saysFoil ? "both recordings" : "the clean recording")
          + ", by a gap of \(minimumGap) nats")
    }
  }

  private func count(_ reason: Exclusion) -> Int { excluded.count { $0.reason == reason } }

  private var exclusions: String {
    Exclusion.allCases.compactMap { reason -> String? in
      count(reason) == 0 ? nil : "\(count(reason)) \(reason.rawValue)"
    }.joined(separator: ", ")
  }

  /// The digest of the preregistration, or "none".
  var rules: String { conditions.rules.frozen?.digest.description ?? "none" }

  /// The resampling unit of each pair that enters.
  var groups: [String] { kept.map(\.pair.group) }

  /// What every result states.
  var provenance: [String: JSON] {
    var members: [String: JSON] = [
      "model": .string(opened.folder), "model_sha256": .string(modelDigest),
      "unexpected_tensors": opened.unexpectedTensors,
      "pairs": .string(path), "pairs_sha256": .string(pairsDigest),
      "recordings_sha256": .string(recordingsDigest),
      "preregistration": conditions.rules.json,
      "corruption": .string(conditions.corruption.description),
      "corruption_is": .string(conditions.corruption.explanation),
      "alignment": .string(conditions.alignment.rawValue),
      "minimum_gap": .number(conditions.rules.minimumGap),
      "pairs_given": .integer(kept.count + excluded.count),
      "pairs_kept": .array(kept.map { .string($0.pair.id) }),
      "groups_kept": .integer(Set(groups).count),
      "cut_short": .array(kept.filter(\.isCut).map { .string($0.pair.id) }),
      "excluded": .array(
        excluded.map { ["id": .string($0.id), "reason": .string($0.reason.rawValue)] }),
      "excluded_by_reason": .object(
        Exclusion.allCases.reduce(into: [:]) { $0[$1.rawValue] = .integer(count($1)) }),
    ]
    if let split = conditions.split { members["split"] = .string(split) }
    if let limit = conditions.limit { members["limit"] = .integer(limit) }
    if let openings { members["openings"] = .string(openings) }
    return members.merging(opened.prompting) { $1 }
  }

  /// How many pairs enter and what they are measured under, in two lines.
  var summary: String {
    "\(kept.count) of \(kept.count + excluded.count) pairs enter, in \(Set(groups).count) groups"
      + (excluded.isEmpty ? "" : " (left out: \(exclusions))")
      + "\nmodel \(modelDigest.prefix(12)), pairs \(pairsDigest.prefix(12)), recordings "
      + "\(recordingsDigest.prefix(12)), preregistration \(conditions.rules.text); corruption "
      + "\(conditions.corruption), alignment \(conditions.alignment.rawValue)"
  }

  /// What values depend on, for a journal.
  var inputs: [String] {
    [
      modelDigest, pairsDigest, recordingsDigest, conditions.alignment.rawValue,
      conditions.corruption.description, "\(conditions.rules.minimumGap)", conditions.split ?? "",
      "\(conditions.limit ?? 0)", JSON.object(opened.prompting).compactText,
    ]
  }
}
