// A trace: one run of a model with activations kept, from which patches are made and runs resumed.

import Speech
import Tensor

/// A run with the activations of some sites, padded to blocks of rows as the model computes them.
public struct Trace: Sendable {
  public let question: Question
  /// Where positions lie; its logits are those that the question reads.
  public let run: ModelRun
  /// What was read, without a divergence.
  public let outcome: Outcome
  /// Positions of the text.
  public let tokens: Int
  let kept: [Site: Tensor]
  /// How the logits that are read were made of the activations, where the run was recorded.
  let record: Record?
  /// The run at each cut of the model, and what runs that go on from there need not compute again.
  let states: [any RunState]
  let memory: RunMemory

  /// Activations and logits as they stand in the record of the reverse pass.
  struct Record: Sendable {
    let activations: [Site: Tensor]
    let logits: Tensor
  }

  /// The logits that the question reads, [reads, vocabulary].
  public var logits: Tensor { run.logits }
  /// log p(answer) - log p(foil), in nats.
  public var logitDifference: Double { outcome.logitDifference }
  public var timeline: Timeline { Timeline(run, tokens: tokens) }
  /// The positions of the text whose logits the question reads.
  var reads: [Int] { question.reads(of: tokens) }

  /// The activation of a site that was kept, [positions, width] (a pattern: [heads, queries, keys]).
  ///
  /// - Throws: where it was not kept.
  public func activation(of site: Site) throws -> Tensor {
    guard let x = kept[site], let own = run.positions(of: x, at: site) else {
      throw CellError("the run has not kept \(site); name it when the run is traced")
    }
    return own
  }

  /// Where a site's positions lie.
  ///
  /// - Throws: where this run has no such site.
  public func place(of site: Site) throws -> Place {
    guard let place = run.place(of: site) else { throw CellError("the run has no site \(site)") }
    return place
  }

  /// The connector's rows that became tokens, where the sound decides which do; else nil.
  var spliced: [Int]? {
    guard let (site, x) = kept.first(where: { $0.key.activation == .keep }),
      let own = run.positions(of: x, at: site)
    else { return nil }
    return own.numbers.indices.filter { own.numbers[$0] != 0 }
  }
}

extension Trace {
  /// The same run with its states at some cuts alone, for a data set of many runs that lend each other
  /// activations there.
  public func reduced(to sites: Set<Site>) -> Trace {
    let states = self.states.map { state in
      var state = state
      if let site = state.site(ofStream: 0), !sites.contains(site) { state.streams = [] }
      return state
    }
    return Trace(
      question: question, run: run, outcome: outcome, tokens: tokens,
      kept: kept.filter { sites.contains($0.key) }, record: nil, states: states,
      memory: RunMemory())
  }
}

extension SpeechLanguageModel {
  /// The cuts before the logits.
  var cutsToText: [Cut] { cuts.filter { $0.kind != .spoken } }

  /// Runs the model once and keeps what is wanted, and always what runs are resumed from: the residual
  /// stream at every cut, keys and values.
  ///
  /// - Throws: where a site is unknown or the question is not one for this model.
  public func trace(_ question: Question, keeping sites: [Site] = []) throws -> Trace {
    try trace(question, keeping: sites, recording: false)
  }

  /// The same, with the record of how the logits were made.
  ///
  /// - Parameters:
  ///   - patches: what is changed on the way
  ///   - base: a run that says where the positions of patched sites lie
  func trace(
    _ question: Question, keeping sites: [Site], recording: Bool, patches: [Patch] = [],
    like base: Trace? = nil
  ) throws -> Trace {
    for site in sites { try check(site) }
    let answers = question.answers
    let said = answers.shared + answers.answer + answers.foil
    if let token = said.first(where: { !(0..<vocabulary).contains($0) }) {
      throw CellError(
        "token \(token) of the answers is outside the model's vocabulary of \(vocabulary); take the "
          + "tokens from the model's own tokenizer")
    }
    let wanted = Set(sites).union(cutsToText.map(\.site))
      .union(self.sites.filter { $0.activation == .keep })
    var kept: [Site: Tensor] = [:]
    var activations: [Site: Tensor] = [:]
    let tap = Tap(wanted.union(patches.map(\.site))) { site, x in
      var x = x
      let own = patches.filter { $0.site == site }
      if !own.isEmpty, let place = base?.run.place(of: site) {
        x = Patch.applying(own, to: x, at: place)
      }
      if recording {
        // The first activations of every branch become variables.
        if !x.isDifferentiated { x = x.variable }
        if wanted.contains(site) { activations[site] = x }
      }
      if wanted.contains(site) { kept[site] = x.detached }
      return x
    }
    var state = try begin(question.input, remembering: true, tap: tap)
    var states = [state.detached]
    while state.advance(tap: tap) { states.append(state.detached) }
    let run = state.finished(tap: tap)
    let rows = question.reads(of: run.logits.rows)
    let read = run.reading(rows)
    let record = Trace.Record(activations: activations, logits: gatherRows(run.logits, rows))
    let outcome = question.outcome(read.logits)
    guard outcome.isFinite else {
      throw CellError(
        "the model's logits are no numbers: something overflows on the way; look for weights, patches or "
          + "constants of config.json that are far too large or too small")
    }
    return Trace(
      question: question, run: read, outcome: outcome,
      tokens: run.logits.rows, kept: kept, record: recording ? record : nil, states: states,
      memory: state.memory)
  }
}

extension RunState {
  /// The same state, cut off from how it was made.
  fileprivate var detached: Self {
    var state = self
    state.streams = streams.map(\.detached)
    state.forget()
    return state
  }
}
