// One visit to an utterance: what the frozen encoder makes of its sound, and instructions with answers.

import Speech
import Tensor

/// The frozen halves as training meets them.
struct JoinedHalves: Sendable {
  let model: AudioLanguageModel
  let tokenizer: Tokenizer
  /// The turns up to the sound, with its placeholder.
  let trunk: [Int]
  /// The token that ends an answer.
  let endToken: Int
  /// Keys and values of the trunk's first positions, a multiple of the block of rows: the system's turn
  /// is the same for every sound.
  let prefix: (positions: Int, keysValues: KeyValueCache)
  private let template: ChatTemplate

  /// - Parameter model: with any projector
  init(_ config: Qwen2AudioConfig, _ model: AudioLanguageModel, _ tokenizer: Tokenizer) throws {
    guard let jinja = config.chatTemplate, let end = tokenizer.id(of: "<|im_end|>") else {
      throw CheckpointError("the language model has no chat template; run make published")
    }
    self.model = model
    self.tokenizer = tokenizer
    template = try ChatTemplate(jinja)
    endToken = end
    trunk =
      try tokenizer.encode(template.prompt("").before, addingSpecialTokens: false)
      + [config.audioToken]
    let positions = (trunk.count - 1) / rowBlock * rowBlock
    prefix = (positions, try model.keysValues(ofText: Array(trunk.prefix(positions))))
  }

  /// The tokens behind the sound that ask for something.
  func instruction(_ text: String) throws -> [Int] {
    try tokenizer.encode("\n" + template.prompt(text).after, addingSpecialTokens: false)
  }

  /// What the projector is given: the encoder's output, pooled, [audio tokens, width].
  func heard(_ wave: Waveform) throws -> Tensor {
    var batch = try Batch(
      model.config.sound, clips: [model.clip(wave)], prompts: [Prompt(trunk)])
    let waist = Site(.encoder, .final)
    var found: Tensor?
    let tap = Tap([waist]) { _, x in
      found = x
      return x
    }
    _ = model.entered(model.embedded(batch), from: 0, in: &batch, tap: tap)
    return gatherRows(found!, Array(0..<batch.audio.sequences[0].count))
  }
}

struct JoinedExample: Sendable {
  /// [audio tokens, width of the encoder]
  let heard: Tensor
  let trunk: [Int]
  /// Instruction and answer, which ends with the end token.
  let branches: [(instruction: [Int], answer: [Int])]

  var prompt: Prompt {
    Prompt(trunk: trunk, branches: branches.map { $0.instruction + $0.answer.dropLast() })
  }

  /// The positions, in the prompt with one placeholder, whose next token is an answer's, and those
  /// tokens.
  var targets: [(position: Int, token: Int)] {
    var start = trunk.count
    return branches.flatMap { branch in
      defer { start += branch.instruction.count + branch.answer.count - 1 }
      return branch.answer.enumerated().map { i, token in
        (start + branch.instruction.count - 1 + i, token)
      }
    }
  }

  init(
    heard: Tensor, trunk: [Int], branches: [(instruction: [Int], answer: [Int])]
  ) {
    (self.heard, self.trunk, self.branches) = (heard, trunk, branches)
  }

  /// Draws the instructions of one visit: the transcript, every second time the translation where there
  /// is one, and two of the short ones, about the words and about the voice.
  init(
    _ utterance: JoinedUtterance, heard: Tensor, _ halves: JoinedHalves, _ random: Random
  ) throws {
    self.heard = heard
    trunk = halves.trunk
    var picks = random
    var asked = [utterance.aboutWords[0]]
    var short: [Question] = []
    for question in utterance.aboutWords.dropFirst() {
      if question.kind != .translation {
        short.append(question)
      } else if picks.uniform() < 0.5 {
        asked.append(question)
      }
    }
    short += utterance.aboutVoice
    asked += picks.permutation(short.count).prefix(2).map { short[$0] }
    branches = try asked.map { question in
      let wordings = Wordings(question).trained
      return (
        try halves.instruction(wordings[picks.below(wordings.count)]),
        try halves.tokenizer.encode(question.answer, addingSpecialTokens: false)
          + [halves.endToken]
      )
    }
  }
}
