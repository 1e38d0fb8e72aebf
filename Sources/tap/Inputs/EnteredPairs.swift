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
  @OptionGroup var rules: RuleOptions
  @Option(help: "Of each split, take only so many pairs.") var limit: Int?
  @Option(help: "The seed of everything that is drawn.") var seed = 1
  @Option(help: "A file for the result as JSON.") var out: String?
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if (limit ?? 1) < 1 || seed < 0 {
      throw ValidationError("--limit should be 1 or more, and --seed not negative")
    }
  }
}

/// The pairs of some splits that the model answers.
struct EnteredPairs {
  private let answered: AnsweredPairs
  private let options: EnteredPairOptions

  var opened: OpenedModel { answered.opened }
  var kept: [OpenedPair] { answered.kept }
  var summary: String { answered.summary }

  /// - Parameters:
  ///   - splits: those of which pairs are taken; nil for all
  ///   - verb: which verb measures, for the log of openings
  ///   - checking: what can be refused before a split is opened and any pair is asked
  init(
    _ model: ModelOptions, _ options: EnteredPairOptions, splits: [String]? = nil, by verb: String,
    checking: (OpenedModel, [OpenedPair]) throws -> Void = { _, _ in }
  ) throws {
    self.options = options
    let listed = try RecordedPair.list(contentsOf: options.pairs)
    try checkOutputs(
      [("--out", options.out)],
      apartFrom: [options.pairs] + listed.flatMap { [$0.clean, $0.corrupt] }, model: model.model)
    var pairs = listed
    if let splits, pairs.contains(where: { $0.split != nil }) {
      let names = Set(pairs.compactMap(\.split)).sorted()
      if let absent = splits.first(where: { !names.contains($0) }) {
        throw CellError(
          "\(options.pairs): has no split \(quoted(absent)); it has \(names.joined(separator: ", "))"
        )
      }
      pairs = pairs.filter { splits.contains($0.split ?? "") }
    }
    if let limit = options.limit {
      pairs = Dictionary(grouping: pairs.indices, by: { pairs[$0].split ?? "" })
        .values.flatMap { $0.prefix(limit) }.sorted().map { pairs[$0] }
    }
    answered = try AnsweredPairs(
      pairs, among: listed, of: options.pairs, model,
      PairConditions(alignment: options.alignment, rules: try options.rules.rules(), verb: verb),
      checking: checking)
  }

  /// Stores and prints a result with what it has cost.
  func finish(_ members: [String: JSON], _ measured: Cost) throws {
    let cost = answered.cost + measured
    var stated: [String: JSON] = [
      "metric": .string(Metric.logitDifference.rawValue), "seed": .integer(options.seed),
      "cost": cost.json,
    ]
    if let limit = options.limit { stated["limit_of_each_split"] = .integer(limit) }
    let all = JSON.object(
      answered.provenance.merging(stated) { $1 }.merging(members) { $1 })
    if let out = options.out {
      try write(all, to: out, printing: options.json)
    } else if options.json {
      print(all.text)
    }
    if !options.json { print("\nmetric logit-difference; \(cost.text)") }
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
