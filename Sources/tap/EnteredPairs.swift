// What `tap subspace` and `tap scrub` share: the pairs of a list that enter, by split, and how results
// state them.

import ArgumentParser
import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

struct EnteredPairOptions: ParsableArguments {
  @Option(help: "The list that tap pairs has written, or a manifest of the suite.") var pairs:
    String
  @Option(
    help: ArgumentHelp(
      "auto, identity, linear, segments or dtw. auto takes what it can of the last four.",
      valueName: "alignment")) var alignment = AlignmentChoice.automatic
  @Option(help: "The smallest gap of the logit difference of a pair that enters, in nats.")
  var minimumGap = 1.0
  @Option(help: "Of each split, take only so many pairs.") var limit: Int?
  @Option(help: "The seed of everything that is drawn.") var seed = 1
  @Option(help: "A file for the result as JSON.") var out: String?
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if !minimumGap.isFinite || minimumGap < 0 || (limit ?? 1) < 1 || seed < 0 {
      throw ValidationError("--minimum-gap, --limit and --seed should not be negative")
    }
  }
}

/// Pairs of a list that the model answers, and why the others do not enter.
struct EnteredPairs {
  let opened: OpenedModel
  let kept: [OpenedPair]
  private let options: EnteredPairOptions
  private let excluded: [(id: String, reason: String)]
  private let given: Int

  /// - Parameter splits: those of which pairs are taken; nil for all
  init(_ model: ModelOptions, _ options: EnteredPairOptions, splits: [String]? = nil) throws {
    self.options = options
    var pairs = try RecordedPair.list(contentsOf: options.pairs)
    if let splits, pairs.contains(where: { $0.split != nil }) {
      let names = Set(pairs.compactMap(\.split)).sorted()
      if let absent = splits.first(where: { !names.contains($0) }) {
        throw CellError(
          "\(options.pairs): has no split \"\(absent)\"; it has \(names.joined(separator: ", "))")
      }
      pairs = pairs.filter { splits.contains($0.split ?? "") }
    }
    if let limit = options.limit {
      pairs = Dictionary(grouping: pairs.indices, by: { pairs[$0].split ?? "" })
        .values.flatMap { $0.prefix(limit) }.sorted().map { pairs[$0] }
    }
    let opened = try OpenedModel(model)
    self.opened = opened
    given = pairs.count
    let filter = PairFilter(minimumGap: options.minimumGap)
    let all = try pairs.map { try OpenedPair($0, opened, options.alignment) }
    let reasons = try mapInParallel(all.count) { i in
      filter.reason(
        clean: try opened.model.trace(all[i].clean).logitDifference,
        corrupt: try opened.model.trace(all[i].corrupt).logitDifference)
    }
    kept = all.indices.filter { reasons[$0] == nil }.map { all[$0] }
    excluded = all.indices.compactMap { i in reasons[i].map { (all[i].pair.id, $0.rawValue) } }
    guard !kept.isEmpty else {
      throw CellError(
        "\(options.pairs): none of \(all.count) pairs enters; the model must answer both recordings, "
          + "by a gap of \(options.minimumGap) nats")
    }
  }

  /// What every result states.
  func provenance() throws -> [String: JSON] {
    [
      "model": .string(opened.folder), "model_sha256": .string(try opened.digest().description),
      "pairs": .string(options.pairs),
      "pairs_sha256": .string(try Digest(ofFile: options.pairs).description),
      "corruption": "the corrupt recording of each pair", "metric": "logit-difference",
      "alignment": .string(options.alignment.rawValue), "seed": .integer(options.seed),
      "minimum_gap": .number(options.minimumGap), "pairs_given": .integer(given),
      "excluded": .array(
        excluded.map { ["id": .string($0.id), "reason": .string($0.reason)] }),
    ]
  }

  var summary: String {
    let counts = Exclusion.allCases.compactMap { reason -> String? in
      let count = excluded.count { $0.reason == reason.rawValue }
      return count == 0 ? nil : "\(count) \(reason.rawValue)"
    }
    return "\(kept.count) of \(given) pairs enter"
      + (counts.isEmpty ? "" : " (left out: \(counts.joined(separator: ", ")))")
  }

  /// Stores and prints a result.
  func finish(_ members: [String: JSON]) throws {
    let all = JSON.object(try provenance().merging(members) { $1 })
    if let out = options.out { try writeAtomically(all.text + "\n", to: out) }
    if options.json { print(all.text) }
  }
}

extension Estimate {
  /// Value and interval; what is not finite is null.
  var json: JSON { numbers([value, low, high]) }

  var text: String { String(format: "%6.3f [%6.3f, %6.3f]", value, low, high) }
}

/// A line of progress on a terminal, which the next one overwrites.
func note(_ message: String) {
  guard isatty(STDERR_FILENO) != 0 else { return }
  FileHandle.standardError.write(Data("\r\u{1B}[K\(message)".utf8))
}
