// From an utterance to what one training step reads: features, prompts and labels.

import Corpus
import Foundation
import Speech
import Tensor

/// Everything that turns utterances into numbers.
struct Preparation: Sendable {
  let config: any AudioLanguageConfig
  let tokenizer: Tokenizer
  let endToken: Int
  /// The tokens of a prompt up to the question, with one placeholder, and behind it.
  let before: [Int]
  let after: [Int]

  init(_ config: any AudioLanguageConfig, _ tokenizer: Tokenizer, endToken: Int) throws {
    self.config = config
    self.tokenizer = tokenizer
    self.endToken = endToken
    // The published template around any question.
    let question = "transcribe:"
    let asked = try tokenizer.encode(question, addingSpecialTokens: false)
    let all = try PromptTemplate().tokens(question, for: config, tokenizer)
    let place = all.indices.last { all[$0...].starts(with: asked) }!
    before = Array(all[..<place])
    after = Array(all[(place + asked.count)...])
  }

  func id(_ token: String) -> Int {
    guard let id = tokenizer.id(of: token) else { fatalError("no token \(token)") }
    return id
  }

  /// The samples of a full clip.
  var room: Int { 2 * config.sound.positions * LogMel.hop }
}

/// One utterance of a batch: its clip, its prompts as branches behind the audio, and the labels.
struct Example: Sendable {
  /// Nil where only the text is learned from.
  let clip: Speech.Clip?
  let trunk: [Int]
  /// Prompt and answer of each question.
  let branches: [(prompt: [Int], answer: [Int])]
  /// The words that are said, as tokens, and their phones.
  let said: [Int]
  let saidPhones: [Int]
  /// The phone at the centre of each encoder position, or nil where nobody tells.
  let phones: [Int]?
  /// The word (as a token) at the centre of each row of the connector; the end token where none is
  /// said; nil where nobody tells.
  let words: [Int]?

  var prompt: Prompt { Prompt(trunk: trunk, branches: branches.map { $0.prompt + $0.answer }) }

  /// The positions, in the prompt with one placeholder, whose next token is an answer's, and those
  /// tokens.
  func targets(end: Int) -> [(position: Int, token: Int)] {
    var out: [(position: Int, token: Int)] = []
    var start = trunk.count
    for (prompt, answer) in branches {
      for (i, token) in (answer + [end]).enumerated() {
        out.append((start + prompt.count - 1 + i, token))
      }
      start += prompt.count + answer.count
    }
    return out
  }
}

extension Example {
  /// The questions of one visit to an utterance, without its sound.
  init(
    textOf utterance: TrainingUtterance, _ stage: Stage.Kind, _ preparation: Preparation,
    _ random: Random
  ) throws {
    var draws = random.split("questions")
    let all = utterance.sentence.questions
    let short = Array(all[2...])
    clip = nil
    trunk = preparation.before
    branches = try Example.branches(
      stage == .binding ? short : all[..<2] + Example.picked(4, of: short, &draws), preparation)
    said = utterance.sentence.words.map(preparation.id)
    (saidPhones, phones, words) = ([], nil, nil)
  }

  /// Draws the augmentation and the questions of one visit to an utterance.
  init(_ utterance: TrainingUtterance, _ preparation: Preparation, _ random: Random) throws {
    let config = preparation.config
    var draws = random.split("wave")
    let lead = Int(
      draws.uniform() * Double(min(preparation.room - utterance.samples.count, 4800)))
    let samples = augmentedWave(utterance.samples, lead: lead, &draws)
    let heard = try config.clip(Waveform(samples: samples))
    let valid = heard.validFrames
    clip = Speech.Clip(
      mel: augmentedMel(heard.mel, valid: valid, random.split("mel")), validFrames: valid,
      filterbank: heard.filterbank)

    trunk = preparation.before
    let all = utterance.sentence.questions
    let short = Array(all[2...])
    let (bound, plain) = (short.filter(\.kind.isBinding), short.filter { !$0.kind.isBinding })
    var picks = random.split("questions")
    branches = try Example.branches(
      Array(all[..<2]) + Example.picked(2, of: bound, &picks)
        + Example.picked(2, of: plain, &picks)
        + Example.picked(1, of: utterance.manner.questions, &picks), preparation)
    said = utterance.sentence.words.map(preparation.id)
    saidPhones = utterance.sentence.words.flatMap { Lexicon.word($0).phones }
      .map { Phones.number[$0]! }

    // Encoder position i is centred on 20 i ms.
    phones = utterance.phones.map { spoken in
      let ends = spoken.map { $0.endSample + lead }
      return (0..<SoundShape.encoderPositions(melFrames: valid)).map { position in
        let sample = position * 320
        guard sample >= lead, let index = ends.firstIndex(where: { sample < $0 }) else { return 0 }
        return Phones.number[spoken[index].name] ?? 0
      }
    }
    let rows = config.sound.positionsPerRow
    words = utterance.words.map { spoken in
      (0..<config.sound.audioTokens(melFrames: valid)).map { row in
        let sample = row * rows * 320 + (rows - 1) * 160 - lead
        return spoken.first { $0.range.contains(sample) }.map { preparation.id($0.word) }
          ?? preparation.endToken
      }
    }
  }

  private static func picked(_ count: Int, of questions: [Question], _ draws: inout Random)
    -> [Question]
  {
    draws.permutation(questions.count).prefix(count).map { questions[$0] }
  }

  private static func branches(_ questions: some Sequence<Question>, _ preparation: Preparation)
    throws -> [(prompt: [Int], answer: [Int])]
  {
    try questions.map {
      (
        try preparation.tokenizer.encode($0.prompt) + preparation.after,
        try preparation.tokenizer.encode($0.answer)
      )
    }
  }
}
