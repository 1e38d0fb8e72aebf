// What `tap search`, `map` and `confirm` share: the options of a list of pairs, its pairs opened and
// filtered, and how results state them.

import ArgumentParser
import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

struct PairListOptions: ParsableArguments {
  @Option(help: "The list that tap pairs has written.") var pairs: String
  @Option(help: "auto, identity, linear, segments or dtw.") var alignment = AlignmentChoice.automatic
  @Option(help: "The smallest gap of the logit difference of a pair that enters, in nats.")
  var minimumGap = 1.0
  @Option(help: "Windows of the sound: time:80 (ms), segments or whole.") var windows = "time:80"
  @Option(help: "How many of the last positions of the text get a window each.") var text = 4
  @Option(help: "Of the list, take only so many pairs.") var limit: Int?
  @Flag(help: "Forget what an interrupted run has computed.") var fresh = false
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if text < 0 || !minimumGap.isFinite || (limit ?? 1) < 1 {
      throw ValidationError("--text, --minimum-gap and --limit should not be negative")
    }
    _ = try WindowPlan(windows)
  }
}

/// A list of pairs, those of them that enter, and why the others do not.
struct PairRun {
  let opened: OpenedModel
  let kept: [OpenedPair]
  let excluded: [(id: String, reason: String)]
  let plan: WindowPlan
  let text: Int
  /// A run of the first pair, for the sizes of sites.
  let example: Trace
  let modelDigest: String
  let pairsDigest: String
  private let options: PairListOptions
  private let count: Int

  init(_ model: ModelOptions, _ options: PairListOptions) throws {
    self.options = options
    var pairs = try RecordedPair.list(contentsOf: options.pairs)
    if let limit = options.limit { pairs = Array(pairs.prefix(limit)) }
    plan = try WindowPlan(options.windows)
    text = options.text
    let opened = try OpenedModel(model)
    self.opened = opened
    count = pairs.count
    modelDigest = try opened.digest().description
    pairsDigest = try Digest(ofFile: options.pairs).description
    let filter = PairFilter(minimumGap: options.minimumGap)
    let all = try pairs.map { try OpenedPair($0, opened, options.alignment) }
    let reasons = try mapInParallel(all.count) { i in
      filter.reason(
        clean: try opened.model.trace(all[i].clean).logitDifference,
        corrupt: try opened.model.trace(all[i].corrupt).logitDifference)
    }
    kept = all.indices.filter { reasons[$0] == nil }.map { all[$0] }
    excluded = all.indices.compactMap { i in reasons[i].map { (all[i].pair.id, $0.rawValue) } }
    guard let first = kept.first else {
      let counts = Exclusion.allCases.map { reason in
        "\(reasons.count { $0 == reason }) \(reason.rawValue)"
      }
      throw CellError(
        "\(options.pairs): none of \(all.count) pairs enters (\(counts.joined(separator: ", "))); the "
          + "model must answer both recordings, by a gap of \(options.minimumGap) nats")
    }
    let sized = opened.model.sites.filter { $0.activation == .mlpPost }
    example = try opened.model.trace(first.clean, keeping: sized)
  }

  /// The windows of a pair in one direction, by name.
  func windows(_ pair: OpenedPair, _ direction: Direction) throws -> [GridWindow] {
    do {
      return try plan.windows(
        length: pair.length(direction), segments: pair.segments(direction)?.base, text: text)
    } catch { throw CellError("pair \(pair.pair.id): \(error)") }
  }

  /// The names of all windows, those of sound in order of time before those of text.
  func columns() throws -> [GridWindow] {
    let lists = try kept.flatMap { pair in
      try Direction.allCases.map { try windows(pair, $0) }
    }
    return lists.max { $0.count < $1.count } ?? []
  }

  /// Another item for the wrong-item control: the next pair that shares no answer.
  func stranger(to index: Int) -> OpenedPair? {
    let own = kept[index].clean.answers
    let others = (1..<max(kept.count, 1)).map { kept[(index + $0) % kept.count] }
    return others.first { other in
      let theirs = other.clean.answers
      return Set([own.answer[0], own.foil[0]]).isDisjoint(with: [theirs.answer[0], theirs.foil[0]])
    }
  }

  /// What values depend on, for the journal.
  func inputs(_ more: [String]) -> [String] {
    [
      modelDigest, pairsDigest, options.alignment.rawValue, options.windows, "\(options.text)",
      "\(options.minimumGap)", "\(options.limit ?? 0)",
    ] + more
  }

  /// What every result states.
  var provenance: [String: JSON] {
    [
      "model": .string(opened.folder), "model_sha256": .string(modelDigest),
      "pairs": .string(options.pairs), "pairs_sha256": .string(pairsDigest),
      "corruption": "the corrupt recording of each pair",
      "alignment": .string(options.alignment.rawValue),
      "windows": .string(plan.description), "text": .integer(text),
      "minimum_gap": .number(options.minimumGap), "pairs_given": .integer(count),
      "pairs_kept": .array(kept.map { .string($0.pair.id) }),
      "excluded": .array(
        excluded.map { ["id": .string($0.id), "reason": .string($0.reason)] }),
    ]
  }

  /// How many pairs enter, in a line.
  var summary: String {
    let counts = Exclusion.allCases.compactMap { reason -> String? in
      let count = excluded.count { $0.reason == reason.rawValue }
      return count == 0 ? nil : "\(count) \(reason.rawValue)"
    }
    return "\(kept.count) of \(count) pairs enter"
      + (counts.isEmpty ? "" : " (left out: \(counts.joined(separator: ", ")))")
  }
}
