// A trace: one run of the model with its residual stream kept at every residual site.

import Speech
import Tensor

/// What the model heard and was asked, and the two answers that are compared.
public struct Question: Sendable {
  public let clip: Clip
  public let tokens: [Int]
  /// First tokens of the two answers.
  public let answer: Int
  public let foil: Int

  public init(clip: Clip, tokens: [Int], answer: Int, foil: Int) {
    self.clip = clip
    self.tokens = tokens
    self.answer = answer
    self.foil = foil
  }

  /// The logit difference log p(answer) - log p(foil) from one row of logits.
  func logitDifference(_ logits: Tensor, row: Int = 0) -> Double {
    Double(logits[row, answer]) - Double(logits[row, foil])
  }
}

/// A run with its residual stream at each boundary, padded to blocks of rows.
public struct Trace: Sendable {
  public let question: Question
  public let timeline: Timeline
  /// The logits of the last position, [1, vocabulary].
  public let logits: Tensor
  /// log p(answer) - log p(foil) at the last position.
  public let logitDifference: Double
  let states: [Boundary: Tensor]
  /// Keys and values of the language model, for runs resumed behind their first positions.
  let cache: KeyValueCache

  /// The residual stream at a site, [rows, width]; rows beyond the positions are padding.
  func state(at boundary: Boundary) -> Tensor {
    guard let state = states[boundary] else { preconditionFailure("no boundary \(boundary)") }
    return state
  }
}

extension AudioLanguageModel {
  /// Runs the model once and keeps the residual stream.
  public func trace(_ question: Question) throws -> Trace {
    let batch = try Batch(config.sound, clips: [question.clip], prompts: [Prompt(question.tokens)])
    let boundaries = Dictionary(
      uniqueKeysWithValues: residualSites.map { ($0.site, $0.boundary) })
    var states: [Boundary: Tensor] = [:]
    var cache = KeyValueCache()
    let logits = self.logits(
      after: .encoder(0), embedded(batch), in: batch, rows: [question.tokens.count - 1]
    ) { site, x in
      if let boundary = boundaries[site] { states[boundary] = x }
      if site.stage == .lm && site.activation == .rotK { cache.keys.append(x) }
      if site.stage == .lm && site.activation == .v { cache.values.append(x) }
      return x
    }
    return Trace(
      question: question, timeline: timeline(of: batch), logits: logits,
      logitDifference: question.logitDifference(logits), states: states, cache: cache)
  }

  func timeline(of batch: Batch) -> Timeline {
    Timeline(
      encoder: batch.encoder.sequences[0].count, audio: batch.audio.sequences[0].count,
      tokens: batch.lm.sequences[0].count,
      firstAudio: batch.prompts[0].tokens.firstIndex(of: config.sound.placeholder) ?? 0)
  }
}
