// In which numbers, and in which company, a model computes: what must not change anything to the bit, and
// what changes a little (`paper/definitions.md`, D158).

import Corpus
import Speech
import Tensor

/// How a pair's runs are computed otherwise than usual.
public enum NumericsSetting: Hashable, Sendable, CaseIterable {
  /// All positions of the padded clip are computed, as the reference does.
  case padded
  /// Every cell by a full run from the sound on, one at a time.
  case alone
  /// All clips in one batch of the same pass.
  case batched
  /// Weights widened to Float32 before the model is built.
  case float32
  /// Weights rounded to float16.
  case float16
  /// What each layer writes, and the residual stream, rounded to bfloat16 or to float16, as where a
  /// graphics processor computes in them.
  case activationsBF16
  case activationsF16
  /// So many milliseconds of digital silence behind the recording, or as many as fill the clip.
  case silence300
  case silence1000
  case silenceFull

  public var title: String {
    switch self {
    case .padded: "padding computed"
    case .alone: "cells one by one"
    case .batched: "items in a batch"
    case .float32: "weights float32"
    case .float16: "weights float16"
    case .activationsBF16: "activations bfloat16"
    case .activationsF16: "activations float16"
    case .silence300: "0.3 s of silence behind"
    case .silence1000: "1 s of silence behind"
    case .silenceFull: "silence to the clip's end"
    }
  }

  /// How much a logit, in nats, or a cell, as a share of the gap, may change at most: nothing to the bit
  /// where the same numbers are multiplied; the last bits of a sum where zeros are added to it, as padding
  /// that is computed adds them; nil where there is no bound.
  public var bound: Double? {
    switch self {
    case .alone, .batched, .float32: 0
    case .padded: 1e-4
    default: nil
    }
  }

  /// What it rounds activations by.
  fileprivate var rounding: (@Sendable (Float) -> Float)? {
    switch self {
    case .activationsBF16: roundedToBF16
    case .activationsF16: { Float(Float16($0)) }
    default: nil
    }
  }

  fileprivate var silence: Double? {
    switch self {
    case .silence300: 0.3
    case .silence1000: 1
    case .silenceFull: .infinity
    default: nil
    }
  }
}

/// How far a pair's numbers are from the usual ones; nil where a setting does not compute them.
public struct NumericsPair: Codable, Sendable {
  /// Whether the same text is said to the clean recording, asked for its transcript.
  public let isSameText: Bool?
  /// The largest difference of a logit of the clean run, in nats.
  public let logits: Double?
  /// The largest difference of a cell of the sufficiency map, as a share of the gap.
  public let cells: Double?
}

/// A pair's numbers under one setting.
private struct Computed {
  var text: [Int]?
  /// Of the clean run, at the position that says the answer.
  var logits: [Float]
  /// Shares of the gap, by cell.
  var cells: [Double?]?
}

/// What a pair's numbers are computed from.
public struct NumericsPlan: Sendable {
  public let windows: LockedWindows
  /// Recordings that share a batch with a pair's.
  public let company: [MinimalPair]
  /// The folder below which the recordings lie.
  public let root: String

  public init(windows: LockedWindows, company: [MinimalPair], root: String) {
    (self.windows, self.company, self.root) = (windows, company, root)
  }
}

extension SpeechModel {
  /// The same weights in the numbers of a setting; this model where it computes in the usual ones.
  ///
  /// - Throws: where the folder cannot be read again.
  public func recast(_ setting: NumericsSetting) throws -> SpeechModel {
    guard setting == .float32 || setting == .float16 else { return self }
    let parameters = try config.weights(from: Checkpoint(folder: folder)).parameters
    guard setting == .float16 else { return with(Weights(parameters)) }
    return with(
      Weights(
        parameters.mapValues { tensor in
          Tensor(tensor.shape, tensor.numbers.map { Float(Float16($0)) })
        }))
  }

  /// A pair's numbers under settings against the usual ones; then the corrupt recording's logits and text
  /// against the clean one's, beside which differences can be judged.
  ///
  /// - Parameter settings: each with this model in its numbers (`recast`)
  public func numerics(
    of pair: MinimalPair, _ settings: [(NumericsSetting, SpeechModel)], _ plan: NumericsPlan
  ) throws -> [NumericsPair] {
    let usual = try computed(nil, pair, plan)
    func difference(_ other: [Float]) -> Double {
      zip(usual.logits, other).reduce(0) { max($0, abs(Double($1.0) - Double($1.1))) }
    }
    let found = try settings.map { setting, model -> NumericsPair in
      let other = try model.computed(setting, pair, plan)
      let cells = other.cells.map { cells in
        zip(usual.cells!, cells).reduce(0.0) { largest, both in
          guard let a = both.0, let b = both.1 else { return largest }
          return max(largest, abs(a - b))
        }
      }
      return NumericsPair(
        isSameText: other.text.map { $0 == usual.text }, logits: difference(other.logits),
        cells: cells)
    }
    let corrupt = try questions(for: pair, root: plan.root).corrupt
    let logits = try model.trace(corrupt).logits.numbers
    let said = try text(corrupt.clip, nil)
    return found + [
      NumericsPair(isSameText: said == usual.text, logits: difference(logits), cells: nil)
    ]
  }

  /// Where the sound decides which frames become tokens, all runs keep those of the corrupt member.
  private func computed(
    _ setting: NumericsSetting?, _ pair: MinimalPair, _ plan: NumericsPlan
  ) throws -> Computed {
    func question(_ member: Utterance) throws -> Question {
      var wave = try member.waveform(root: plan.root)
      if let seconds = setting?.silence {
        let room = features.samples - wave.samples.count
        let wanted = seconds.isFinite ? Int(seconds * Double(wave.rate)) : room
        wave.samples += [Float](repeating: 0, count: min(wanted, room))
      }
      var question = try self.question(
        wave, pair.prompt, answers: pair.answers, of: pair.id)
      if setting == .padded { question.input.extent = .padded }
      return question
    }
    let (clean, corrupt) = (try question(pair.clean), try question(pair.corrupt))
    let first = try model.trace(corrupt)
    if setting == .batched {
      let kept = clean.keepingFrames(of: first)
      return Computed(text: nil, logits: try logits(of: kept, among: plan), cells: nil)
    }
    let rounding = setting?.rounding
    func run(_ question: Question) throws -> (trace: Trace, patches: [Patch]) {
      let question = question.keepingFrames(of: first)
      let plain = try model.trace(question, keeping: model.branchSites)
      guard let rounding else { return (plain, []) }
      let patches = try roundedSites.map { site in
        Patch(site, positions: Array(try plain.place(of: site).rows.indices)) {
          Tensor($0.shape, $0.numbers.map(rounding))
        }
      }
      let rounded = try model.trace(
        question, keeping: roundedSites + model.branchSites, recording: false, patches: patches,
        like: plain)
      return (rounded, patches)
    }
    let (base, source) = (try run(corrupt), try run(clean))
    let sets = try model.mapSites.flatMap { site in
      try plan.windows.ofTime(pair).map { window in
        try model.cut(at: site).compactMap { part in
          try Selection(
            Cell(part, window), base: base.trace, source: source.trace, .identity)?.patch()
        }
      }
    }
    let present = sets.filter { !$0.isEmpty }.map { base.patches + $0 }
    var outcomes =
      setting == .alone
      ? try present.map { try model.patched(base.trace, [$0], resuming: false)[0] }[...]
      : try model.patched(base.trace, present)[...]
    let (from, to) = (base.trace.logitDifference, source.trace.logitDifference)
    return Computed(
      text: try text(clean.clip, setting), logits: source.trace.logits.numbers,
      cells: sets.map {
        $0.isEmpty ? nil : (outcomes.removeFirst().logitDifference - from) / (to - from)
      })
  }

  /// The residual stream and what attention and MLP write, of both stages, and what the connector gives.
  private var roundedSites: [Site] {
    model.sites.filter { site in
      switch site.stage {
      case .encoder, .lm:
        [.embed, .residPost, .attnOut, .mlpOut].contains(site.activation)
      default: site == Site(.connector, .out)
      }
    }
  }

  /// The clean run's logits out of one pass over several recordings, of which it is neither the first nor
  /// the last.
  private func logits(of question: Question, among plan: NumericsPlan) throws -> [Float] {
    var asked = try plan.company.map { try questions(for: $0, root: plan.root).clean }
    let place = asked.count / 2
    asked.insert(question, at: place)
    var batch = try Batch(
      config.sound, clips: asked.map(\.clip), prompts: asked.map { Prompt($0.tokens) })
    let kept = try asked.map { try $0.input.kept ?? model.trace($0).spliced }
    if kept.allSatisfy({ $0 != nil }) { batch.frozen = kept.map { $0! } }
    let x = model.entered(model.embedded(batch), from: 0, in: &batch, tap: nil)
    let sequence = batch.lm.sequences[place]
    return model.logits(
      after: .lm(0), x, in: batch, rows: [sequence.row(of: sequence.count - 1)]
    ).numbers
  }

  /// The transcript that is said, token by token.
  private func text(_ clip: Clip, _ setting: NumericsSetting?) throws -> [Int] {
    var config = GenerationConfig()
    (config.endTokens, config.limit) = (endTokens, 32)
    var input = ModelInput(clip: clip, tokens: try tokens(for: "transcribe:", clip: clip))
    if setting == .padded { input.extent = .padded }
    guard let rounding = setting?.rounding else {
      return try model.generate(input, config) { _ in }.tokens
    }
    let base = try model.trace(Question(input, Answers(0, 1)))
    return try model.generate(
      base,
      try roundedSites.map { site in
        Patch(site, positions: Array(try base.place(of: site).rows.indices)) {
          Tensor($0.shape, $0.numbers.map(rounding))
        }
      },
      steps: roundedSites.filter { $0.stage == .lm }.map { site in
        StepChange(site) { Tensor($0.shape, $0.numbers.map(rounding)) }
      }, config
    ).tokens
  }
}

/// What settings change over several pairs: how many texts stay, and the largest differences.
public func numericsRows(
  _ pairs: [[NumericsPair]], names: [String], groups: [String], series: String, draws: Int,
  _ random: Random
) -> [AblationRow] {
  names.enumerated().flatMap { i, name -> [AblationRow] in
    let own = pairs.map { $0[i] }
    func largest(_ values: [Double?]) -> Estimate? {
      values.compactMap { $0 }.max().map {
        Estimate(value: $0, low: -.infinity, high: .infinity)
      }
    }
    var rows: [AblationRow] = []
    let texts = own.map(\.isSameText)
    if texts.allSatisfy({ $0 != nil }) {
      rows.append(
        AblationRow(
          "texts equal", name, series,
          ratioOfMeans(
            texts.map { $0! ? 1 : 0 }, texts.map { _ in 1 }, groups: groups, draws: draws,
            random.split(name))))
    }
    if let most = largest(own.map(\.logits)) {
      rows.append(AblationRow("logits", name, series, most))
    }
    if let most = largest(own.map(\.cells)) {
      rows.append(AblationRow("cells", name, series, most))
    }
    return rows
  }
}
