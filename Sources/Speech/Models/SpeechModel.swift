// A checkpoint as its user meets it: weights, tokenizer and front end of one folder.

import JSON
import Tensor

/// A speech language model opened from a folder in the published layout.
public struct SpeechModel: Sendable {
  public let folder: String
  public let model: AudioLanguageModel
  public let tokenizer: Tokenizer
  public let features: LogMel
  /// Generation stops at any of these.
  public let endTokens: Set<Int>

  public var config: any AudioLanguageConfig { model.config }

  /// Opens config.json, weights, tokenizer and preprocessor_config.json.
  public init(folder: String) throws {
    self.folder = folder
    model = try AudioLanguageModel(folder: folder)
    let tokenizer =
      try fileExists("\(folder)/parts.json")
      ? Tokenizer(folder: folder) : Tokenizer(contentsOf: "\(folder)/tokenizer.json")
    self.tokenizer = tokenizer
    features = try SpeechModel.frontEnd("\(folder)/preprocessor_config.json", model.encoder.config)
    guard tokenizer.vocabularySize <= model.vocabulary else {
      throw CheckpointError(
        "\(folder)/tokenizer.json: has \(tokenizer.vocabularySize) tokens, "
          + "the model \(model.vocabulary); take both from one checkpoint")
    }
    let named = ["<|endoftext|>", "<|im_end|>"].compactMap { tokenizer.id(of: $0) }
    endTokens = try GenerationConfig(folder: folder).endTokens.union(named)
  }

  /// The front end that a preprocessor_config.json describes.
  ///
  /// - Throws: where it is not the one of the model.
  private static func frontEnd(_ path: String, _ encoder: EncoderConfig) throws -> LogMel {
    try encoder.check(frontEnd: path, usually: ["feature_size": 128, "chunk_length": 30])
    let seconds = encoder.positions / 50
    guard encoder.positions % 50 == 0 else {
      throw CheckpointError(
        "\(path): describes whole seconds, the model takes \(encoder.positions) positions "
          + "of 20 ms; it needs another \"max_source_positions\" in config.json")
    }
    return LogMel(bands: encoder.melBands, samples: seconds * LogMel.rate)
  }

  /// The same tokenizer and front end with other weights, such as random ones.
  public func with(_ parameters: Weights) -> SpeechModel {
    SpeechModel(
      folder: folder, model: AudioLanguageModel(config, parameters), tokenizer: tokenizer,
      features: features, endTokens: endTokens)
  }

  /// The same model with weights that were drawn and not trained: what the architecture alone does.
  public func untrained(_ random: Random) -> SpeechModel {
    with(Weights(config.randomParameters(random)))
  }

  private init(
    folder: String, model: AudioLanguageModel, tokenizer: Tokenizer, features: LogMel,
    endTokens: Set<Int>
  ) {
    self.folder = folder
    self.model = model
    self.tokenizer = tokenizer
    self.features = features
    self.endTokens = endTokens
  }

  /// What the model takes of a recording at 16 kHz.
  ///
  /// - Throws: where it is longer or shorter than the model takes.
  public func clip(_ wave: Waveform) throws -> Clip {
    guard wave.samples.count <= features.samples else {
      throw CheckpointError(
        "the audio lasts \(wave.duration) s; \(folder) takes "
          + "\(features.samples / LogMel.rate) s at most; cut it first")
    }
    return try model.clip(wave)
  }

  /// The tokens of a text prompt in the published template, with as many placeholders as the clip has
  /// audio tokens, or one where the sound decides how many.
  ///
  /// - Throws: where the tokenizer does not know a word of the text.
  public func tokens(for text: String, clip: Clip) throws -> [Int] {
    _ = try textTokens(text)
    let tokens: [Int]
    do { tokens = try PromptTemplate().tokens(text, for: config, tokenizer) } catch {
      throw CheckpointError("\(folder)/tokenizer.json: \(error)")
    }
    guard !(config is SoundwaveConfig) else { return tokens }
    let (sound, count) = (
      config.sound.placeholder, config.sound.audioTokens(melFrames: clip.validFrames)
    )
    return tokens.flatMap { $0 == sound ? [Int](repeating: sound, count: count) : [$0] }
  }

  /// The tokens of a text, all of them known.
  public func textTokens(_ text: String) throws -> [Int] {
    let unknown = try tokenizer.unknownWords(in: text)
    guard unknown.isEmpty else {
      throw CheckpointError(
        "\(folder)/tokenizer.json: does not know \(unknown.map { quoted($0) }.joined(separator: ", "))"
      )
    }
    return try tokenizer.encode(text)
  }

  /// The most probable continuation, token by token, up to and without an end token.
  public func greedy(_ clip: Clip, prompt: String, limit: Int = 32) throws -> [Int] {
    var config = GenerationConfig()
    config.endTokens = endTokens
    config.limit = limit
    let input = ModelInput(clip: clip, tokens: try tokens(for: prompt, clip: clip))
    return try model.generate(input, config) { _ in }.tokens
  }
}

extension EncoderConfig {
  /// Refuses a preprocessor_config.json of another front end than the one that the encoder hears through.
  ///
  /// - Parameter usual: what is meant where a key is not there; what has no usual value is not asked for
  func check(frontEnd path: String, usually usual: [String: Int] = [:]) throws {
    let json = try readJSON(path)
    guard json.members != nil else { throw CheckpointError("\(path): should be a JSON object") }
    for (key, expected) in [
      ("feature_size", melBands), ("chunk_length", positions / 50), ("sampling_rate", LogMel.rate),
      ("hop_length", LogMel.hop), ("n_fft", 400),
    ] where key != "chunk_length" || positions % 50 == 0 {
      guard let found = json[key] ?? usual[key].map({ .integer($0) }), found.int != expected else {
        continue
      }
      throw CheckpointError(
        "\(path): \"\(key)\" is \(shortened(found.compactText)), config.json asks for \(expected); "
          + "take both from one checkpoint")
    }
  }
}
