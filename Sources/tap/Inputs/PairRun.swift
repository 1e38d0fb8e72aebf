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
  @Option(help: "The list that tap pairs has written, or a manifest of the suite.") var pairs:
    String
  @Option(
    help: """
      Of a manifest of the suite: answer (a short one), transcription or translation; a list says its own \
      prompts.
      """) var task: SpokenTask?
  @Option(help: "auto, identity, linear, segments or dtw.") var alignment = AlignmentChoice
    .automatic
  @Option(
    help: """
      What the corrupt run hears: paired (the other recording), silence, or noise:0 (white noise on \
      the clean recording at 0 dB), noise:0:7 with another seed than 1.
      """) var corruption = "paired"
  @OptionGroup var rules: RuleOptions
  @Option(help: "The split whose pairs are taken; all where not given.") var split: String?
  @Option(
    help: """
      Windows of the sound: time:80 (ms; at least as wide as the finest position of the sites), segments \
      or whole.
      """) var windows = "time:80"
  @Option(
    help: """
      How many of the last positions of the text get a window each; the last is the one at which the answers \
      are compared.
      """) var text = PairRun.usualText
  @Option(help: "Of the list, take only so many pairs.") var limit: Int?
  @Flag(help: "Forget what an interrupted run has computed.") var fresh = false
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if text < 0 || (limit ?? 1) < 1 {
      throw ValidationError("--text should not be negative, and --limit 1 or more")
    }
    _ = try Corruption(corruption)
    _ = try WindowPlan(windows)
  }
}

/// A list of pairs, those of them that enter, and why the others do not.
struct PairRun {
  let pairs: AnsweredPairs
  let plan: WindowPlan
  let text: Int
  static let usualText = 4
  /// A run of the first pair, for the sizes of sites.
  let example: Trace
  private let options: PairListOptions

  var opened: OpenedModel { pairs.opened }
  var kept: [OpenedPair] { pairs.kept }
  var summary: String { pairs.summary }

  /// - Parameters:
  ///   - outputs: what is written, which no recording of the list may be
  ///   - verb: which verb measures, for the log of openings
  ///   - checking: what a run of the first pair can refuse before a split is opened and all pairs are asked
  init(
    _ model: ModelOptions, _ options: PairListOptions,
    writing outputs: [(option: String, path: String?)] = [], by verb: String,
    checking: (_ model: any SpeechLanguageModel, _ example: Trace) throws -> Void
  ) throws {
    self.options = options
    plan = try WindowPlan(options.windows)
    text = options.text
    let listed = try RecordedPair.list(contentsOf: options.pairs, task: options.task)
    try checkOutputs(outputs, apartFrom: listed.flatMap { [$0.clean, $0.corrupt] })
    let conditions = PairConditions(
      alignment: options.alignment, corruption: try Corruption(options.corruption),
      rules: try options.rules.rules(), split: options.split, limit: options.limit, verb: verb)
    pairs = try AnsweredPairs(
      conditions.chosen(among: listed, of: options.pairs), among: listed, of: options.pairs, model,
      conditions
    ) { opened, all in
      if let first = all.first { try checking(opened.model, PairRun.example(first, opened.model)) }
    }
    example = try PairRun.example(pairs.kept[0], pairs.opened.model)
  }

  private static func example(_ pair: OpenedPair, _ model: any SpeechLanguageModel) throws -> Trace
  {
    try model.trace(pair.clean, keeping: model.sites.filter { $0.activation == .mlpPost })
  }

  /// - Throws: where the windows are too narrow for every one of these sites, or the text of the first
  ///   pair's run has fewer positions than windows of text are asked for. The usual number may be more:
  ///   it is for all models, and some have a shorter text or none.
  func checkWindows(over sites: [Site]) throws {
    do { try plan.check(over: sites, in: example) } catch { throw CellError("--windows: \(error)") }
    let most = try sites.map { site in
      try example.place(of: site).spans.count { $0 == nil }
    }.max()
    guard text > PairRun.usualText, let most, text > most else { return }
    throw CellError(
      "--text \(text): the text has \(most) positions at the patched sites; give no more")
  }

  /// The windows of a pair in one direction, by name.
  func windows(_ pair: OpenedPair, _ direction: Direction) throws -> [GridWindow] {
    try pair.windows(plan, text: text, direction)
  }

  /// The names of all windows, those of sound in order of time before those of text.
  func columns() throws -> [GridWindow] { try kept.columns(plan, text: text) }

  /// The labels of the segments in which all pairs agree; the others are counted.
  var labels: [String]? {
    let lists = kept.compactMap { $0.pair.segments?.clean.map(\.label) }
    guard let longest = lists.max(by: { $0.count < $1.count }) else { return nil }
    return longest.enumerated().map { i, label in
      lists.allSatisfy { $0.indices.contains(i) && $0[i] == label } ? label : "\(i)"
    }
  }

  /// What is asked, as a title.
  var askedTitle: String {
    if let task = options.task { return task.title }
    let prompts = Set(kept.map(\.pair.prompt))
    return prompts.count == 1 ? "“\(prompts.first!)”" : "\(prompts.count) questions"
  }

  /// Says where the wrong-item control is missing.
  func warnOfMissingStrangers() {
    if kept[0].corruption == .silence {
      warn("necessity has no wrong-item control: the corrupt run of every item is the same silence")
    }
    let alone = kept.indices.count { stranger(to: $0) == nil }
    guard alone > 0 else { return }
    warn(
      "\(alone) of \(kept.count) pairs have no other item without their answers in the list, so they "
        + "have no wrong-item control; add pairs with other answers")
  }

  /// The pairs that enter, each with another item for its control.
  var items: [PairWithStranger] {
    kept.indices.map { PairWithStranger(kept[$0], stranger(to: $0)) }
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
    pairs.inputs + [options.windows, "\(options.text)", (options.task ?? .answer).rawValue] + more
  }

  /// What every result states.
  var provenance: [String: JSON] {
    var members: [String: JSON] = [
      "windows": .string(plan.description), "text": .integer(text),
    ]
    if let task = options.task { members["task"] = .string(task.rawValue) }
    return pairs.provenance.merging(members) { $1 }
  }
}

/// A pair with another item for its control.
struct PairWithStranger: Sendable {
  let pair: OpenedPair
  let stranger: OpenedPair?

  var id: String { pair.pair.id }

  init(_ pair: OpenedPair, _ stranger: OpenedPair?) {
    self.pair = pair
    self.stranger = stranger
  }

  /// The other item's source run, and how it is joined to the base run; nil where there is no other
  /// item, or where its source is the same silence. Behind its sound stands the base run's text, answers and
  /// all, so that every position of text has its equal.
  func strangerRun(
    _ direction: Direction, into base: Trace, _ model: any SpeechLanguageModel, _ sites: [Site]
  ) throws -> (trace: Trace, alignment: Alignment)? {
    guard let stranger, pair.corruption != .silence || direction == .sufficiency else {
      return nil
    }
    let (asked, other) = (base.question, stranger.source(direction))
    let question = Question(
      other.input, asked.answers, continuing: !asked.input.continuations.isEmpty)
    let run = try model.trace(question, keeping: sites)
    return (
      run,
      try AlignmentChoice.automatic.alignment(
        base: base.question.clip, source: run.question.clip, segments: nil)
    )
  }
}

extension OpenedPair {
  /// The windows in one direction, by name. Those of text are counted back from the position at which the
  /// answers are compared, behind which longer answers lie.
  func windows(_ plan: WindowPlan, text: Int, _ direction: Direction) throws -> [GridWindow] {
    let behind = clean.input.continuations.reduce(0) { $0 + $1.count }
    do {
      return try plan.windows(
        length: length(direction), segments: segments(direction)?.base, text: text, behind: behind)
    } catch { throw CellError("pair \(pair.id): \(error)") }
  }
}

extension [OpenedPair] {
  /// The windows of the pair that has most of them.
  func columns(_ plan: WindowPlan, text: Int) throws -> [GridWindow] {
    let lists = try flatMap { pair in
      try Direction.allCases.map { try pair.windows(plan, text: text, $0) }
    }
    return lists.max { $0.count < $1.count } ?? []
  }
}
