// What a model answers, many questions in one pass over the sound.

import Corpus
import Interventions
import Speech
import Tensor

/// A question with what was said to it.
struct Answer: Codable, Sendable {
  let kind: Question.Kind
  let prompt: String
  let expected: String
  /// What greedy decoding gives.
  let said: String

  var isRight: Bool { said == expected }
}

/// What a model hears: a recording, or nothing (the words of the prompt alone); or what it reads in the
/// place of a recording.
enum Hearing: Sendable {
  case sound(Waveform)
  case nothing
  case read(String)

  /// Silence with a dither of one step.
  static func silence(seconds: Double) -> Hearing {
    .sound(Waveform(samples: dither(seconds: seconds)))
  }

  static func dither(seconds: Double) -> [Float] {
    var random = Random(seed: 1).split("silence")
    return (0..<Int(seconds * Double(LogMel.rate))).map { _ in
      Float(random.uniform() * 2 - 1) / 32768
    }
  }
}

extension SpeechModel {
  /// Greedy answers to questions about one recording.
  ///
  /// One pass over all prompts and right answers tells which are said: greedy decoding follows an
  /// answer as long as every token of it is the most probable one. Only the others are decoded.
  func answers(_ questions: [Question], hearing: Hearing) throws -> [Answer] {
    let expected = try questions.map { try textTokens($0.answer) }
    let prompts = try questions.map {
      try PromptTemplate().tokens($0.prompt, for: config, tokenizer)
    }
    let right: [Bool]
    let greedy: (Int) throws -> [Int]
    switch hearing {
    case .nothing, .read:
      let texts = try prompts.map { try text($0, hearing) }
      right = try zip(texts, expected).map { try isGreedy($1, after: $0) }
      greedy = { try self.continuation(of: texts[$0]) }
    case .sound(let wave):
      let clip = try self.clip(wave)
      right = try areGreedy(expected, after: prompts, clip)
      greedy = { try self.greedy(clip, prompt: questions[$0].prompt) }
    }
    return try questions.indices.map { i in
      Answer(
        kind: questions[i].kind, prompt: questions[i].prompt, expected: questions[i].answer,
        said: right[i] ? questions[i].answer : tokenizer.decode(try greedy(i)))
    }
  }

  /// A prompt whose sound is left out, or replaced by what is read.
  private func text(_ prompt: [Int], _ hearing: Hearing) throws -> [Int] {
    var words: [Int] = []
    if case .read(let text) = hearing { words = try textTokens(text) }
    return prompt.flatMap { $0 == config.sound.placeholder ? words : [$0] }
  }

  /// The logits of the first token of an answer, [vocabulary], or of the one behind `said`.
  func nextLogits(to prompt: String, saying said: [Int] = [], hearing: Hearing) throws -> [Float] {
    let tokens = try PromptTemplate().tokens(prompt, for: config, tokenizer) + said
    let logits: Tensor
    switch hearing {
    case .nothing, .read: logits = try model.logits(ofText: text(tokens, hearing))
    case .sound(let wave):
      logits = try model.run(ModelInput(clip: try clip(wave), tokens: tokens), tap: nil).logits
    }
    return gatherRows(logits, [logits.rows - 1]).numbers
  }

  /// Whether each answer is what greedy decoding gives behind its prompt.
  private func areGreedy(_ answers: [[Int]], after prompts: [[Int]], _ clip: Speech.Clip) throws
    -> [Bool]
  {
    let logits = try answerLogits(answers, after: prompts, clip)
    var row = 0
    return answers.map { answer in
      defer { row += answer.count + 1 }
      return follows(answer, logits, from: row)
    }
  }

  /// The logits before each token of each answer and before its end, [tokens and ends, vocabulary].
  func answerLogits(_ answers: [[Int]], after prompts: [[Int]], _ clip: Speech.Clip) throws
    -> Tensor
  {
    // The prompts share everything up to the sound, and branch behind it.
    let trunk = prompts[0].firstIndex(of: config.sound.placeholder)! + 1
    let branches = zip(prompts, answers).map { Array($0[trunk...]) + $1 }
    var batch = try Batch(
      config.sound, clips: [clip],
      prompts: [Prompt(trunk: Array(prompts[0][..<trunk]), branches: branches)])
    let x = model.entered(model.embedded(batch), from: 0, in: &batch, tap: nil)
    var start = batch.prompts[0].tokens.count - branches.reduce(0) { $0 + $1.count }
    let rows = zip(branches, answers).map { branch, answer in
      defer { start += branch.count }
      return Array(start + branch.count - answer.count - 1..<start + branch.count)
    }
    let first = batch.lm.sequences[0].start
    return model.logits(
      after: .lm(0), x, in: batch, rows: rows.flatMap { $0 }.map { first + $0 })
  }

  /// Whether each token of an answer, and then an end, is the most probable one, row by row.
  func follows(_ answer: [Int], _ logits: Tensor, from row: Int) -> Bool {
    (answer.map { [$0] } + [Array(endTokens)]).enumerated().allSatisfy {
      $1.contains(logits.largest(inRow: row + $0))
    }
  }

  private func isGreedy(_ answer: [Int], after tokens: [Int]) throws -> Bool {
    follows(answer, try model.logits(ofText: tokens + answer), from: tokens.count - 1)
  }

  private func continuation(of tokens: [Int]) throws -> [Int] {
    var config = GenerationConfig()
    config.endTokens = endTokens
    config.limit = 12
    return try model.generate(afterText: tokens, config)
  }
}

extension Utterance {
  /// Its questions, by kind; those of no kind known here are left out.
  var asked: [Question] {
    questions.compactMap { row in
      Question.Kind(prompt: row.prompt).map {
        Question(kind: $0, prompt: row.prompt, answer: row.answer)
      }
    }
  }
}

extension Question.Kind {
  /// What kind of question a prompt of the corpus is.
  init?(prompt: String) {
    switch prompt {
    case "transcribe:": self = .transcription
    case "translate:": self = .translation
    case "next number:": self = .knowledge
    case "who is speaking:": self = .speaker
    case "asking or telling:": self = .mood
    case "fast or slow:": self = .rate
    case _ where prompt.hasPrefix("what colour is the "): self = .colourOf
    case _ where prompt.hasPrefix("which is "): self = .thingOf
    case _ where prompt.hasPrefix("how many "): self = .countOf
    case _ where ["thing:", "colour:", "number:"].contains { prompt.hasSuffix($0) }:
      self = .position
    default: return nil
    }
  }
}
