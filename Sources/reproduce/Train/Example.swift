// From an utterance to what one training step reads: features, prompts and labels.

import Foundation
import Speech
import Tensor

/// Everything that turns utterances into numbers.
struct Preparation: Sendable {
  let config: Qwen2AudioConfig
  let tokenizer: Tokenizer
  let features: LogMel
  let endToken: Int

  func id(_ token: String) -> Int {
    guard let id = tokenizer.id(of: token) else { fatalError("no token \(token)") }
    return id
  }
}

/// One utterance of a batch: its clip, its prompts as branches behind the audio, and the labels.
struct Example: Sendable {
  /// Nil where only the text is learned from.
  let clip: Speech.Clip?
  let trunk: [Int]
  /// Prompt and answer of each question.
  let branches: [(prompt: [Int], answer: [Int])]
  /// The phone at the centre of each encoder position, or nil where the engine tells none.
  let phones: [Int]?
  /// The word (as a token) at the centre of each audio token; the end token where none is said.
  let words: [Int]?

  var prompt: Prompt { Prompt(trunk: trunk, branches: branches.map { $0.prompt + $0.answer }) }

  /// The positions whose next token is an answer's, and those tokens.
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
  /// Draws the questions of one visit to an utterance, without its sound.
  init(textOf utterance: TrainingUtterance, _ preparation: Preparation, _ random: Random) throws {
    clip = nil
    trunk = [preparation.id("<|audio_bos|>"), preparation.id("<|audio_eos|>")]
    branches = try Example.branches(utterance, preparation, random)
    (phones, words) = (nil, nil)
  }

  /// The transcription and three other questions.
  private static func branches(
    _ utterance: TrainingUtterance, _ preparation: Preparation, _ random: Random
  ) throws -> [(prompt: [Int], answer: [Int])] {
    let all = utterance.questions
    var picks = random.split("questions")
    let chosen = [all[0]] + picks.permutation(all.count - 1).prefix(3).map { all[$0 + 1] }
    return try chosen.map {
      (try preparation.tokenizer.encode($0.prompt), try preparation.tokenizer.encode($0.answer))
    }
  }

  /// Draws the augmentation and the questions of one visit to an utterance.
  init(_ utterance: TrainingUtterance, _ preparation: Preparation, _ random: Random) throws {
    let config = preparation.config
    var draws = random.split("wave")
    let room = preparation.features.samples - utterance.samples.count
    let lead = Int(draws.uniform() * Double(min(room, 4800)))
    let samples = augmentedWave(utterance.samples, lead: lead, &draws)
    var mel = preparation.features(samples)
    let valid = preparation.features.validFrames(samples: samples.count)
    mel = augmentedMel(mel, valid: valid, random.split("mel"))
    clip = Speech.Clip(mel: mel, validFrames: valid)

    let audioTokens = config.sound.audioTokens(melFrames: valid)
    trunk =
      [preparation.id("<|audio_bos|>")]
      + [Int](repeating: config.audioToken, count: audioTokens)
      + [preparation.id("<|audio_eos|>")]
    branches = try Example.branches(utterance, preparation, random)

    guard let spoken = utterance.phones else {
      (phones, words) = (nil, nil)
      return
    }
    // Encoder position i is centred on 20 i ms, audio token i on 40 i + 10 ms.
    let ends = spoken.map { $0.endSample + lead }
    func index(at sample: Int) -> Int? {
      sample < lead ? nil : ends.firstIndex { sample < $0 }
    }
    phones = (0..<SoundShape.encoderPositions(melFrames: valid)).map { position in
      index(at: position * 320).flatMap { Phones.number[spoken[$0].name] } ?? 0
    }
    // Phones follow the words in order; pauses belong to none.
    var wordOfPhone: [String?] = []
    var pending = utterance.text.flatMap { text in Lexicon.word(text).phones.map { _ in text } }[
      ...]
    for phone in spoken { wordOfPhone.append(phone.name == "pau" ? nil : pending.popFirst()) }
    words = (0..<audioTokens).map { token in
      index(at: token * 640 + 160).flatMap { wordOfPhone[$0] }.map(preparation.id)
        ?? preparation.endToken
    }
  }
}
