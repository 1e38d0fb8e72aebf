// A Whisper as its user meets it: weights, tokenizer and the published way of making a transcript.

import JSON
import Tensor

/// A recogniser opened from a folder in either published layout.
public struct Recogniser: Sendable {
  public let folder: String
  public let model: Whisper
  public let tokenizer: Tokenizer
  /// What is never said, what is not said first, and where a transcript ends.
  public let generation: GenerationConfig
  /// The decoder's start: English speech, transcribed, without timestamps.
  public let start: [Int]

  /// - Throws: where a file is missing or damaged, or the folder holds another architecture.
  public init(folder: String) throws {
    let opened = try OpenedFolder(folder)
    guard let model = opened.model as? Whisper else {
      throw CheckpointError(
        "\(folder): is no Whisper; give a folder with a Whisper's config.json, or run make published"
      )
    }
    self.folder = folder
    self.model = model
    tokenizer = try Tokenizer(folder: folder)
    generation = try GenerationConfig(folder: folder)
    start = try PromptTemplate().tokens("", for: model.config, tokenizer)
  }

  private init(_ other: Recogniser, _ model: Whisper) {
    self.model = model
    (folder, tokenizer, generation) = (other.folder, other.tokenizer, other.generation)
    start = other.start
  }

  /// The same architecture with weights that were drawn and not trained.
  public func untrained(_ random: Random) -> Recogniser {
    Recogniser(
      self, Whisper(model.config, Weights(model.config.randomParameters(random))))
  }

  /// The tokens of a piece of a transcript, as it stands.
  public func tokens(_ text: String) throws -> [Int] {
    try tokenizer.encode(text, addingSpecialTokens: false)
  }

  /// The most probable transcript, token by token, under the published suppression.
  ///
  /// - Parameter limit: the most tokens that are said; loops end there
  public func transcript(of clip: Clip, limit: Int = 224) throws -> Transcript {
    var config = generation
    config.limit = limit
    let said = try model.generate(ModelInput(clip: clip, tokens: start), config) { _ in }
    return Transcript(
      tokens: said.tokens, text: tokenizer.decode(said.tokens, skippingSpecialTokens: true),
      ended: said.ended)
  }
}

/// What a recogniser wrote.
public struct Transcript: Codable, Sendable, Equatable {
  public let tokens: [Int]
  public let text: String
  /// Whether it came to an end by itself.
  public let ended: Bool

  public init(tokens: [Int], text: String, ended: Bool) {
    (self.tokens, self.text, self.ended) = (tokens, text, ended)
  }
}

extension WhisperConfig {
  /// Parameters drawn at random, as those of the speech language models are.
  public func randomParameters(_ random: Random) -> Parameters {
    randomParameters(random, encoder) { name in
      name.hasPrefix(Self.encoderPrefix) ? encoder.layers : layers
    }
  }
}
