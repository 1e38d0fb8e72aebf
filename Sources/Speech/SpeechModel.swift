// A checkpoint as its user meets it: weights, tokenizer and front end of one folder.

import JSON
import Tensor

/// A speech language model opened from a folder in the published layout.
public struct SpeechModel: Sendable {
  public let folder: String
  public let model: Qwen2Audio
  public let tokenizer: Tokenizer
  public let features: LogMel
  /// Generation stops at any of these.
  public let endTokens: Set<Int>

  public var config: Qwen2AudioConfig { model.config }

  /// Opens config.json, model.safetensors, tokenizer.json and preprocessor_config.json.
  public init(folder: String) throws {
    self.init(
      folder: folder, model: try Qwen2Audio(folder: folder),
      tokenizer: try Tokenizer(contentsOf: "\(folder)/tokenizer.json"),
      preprocessor: try readJSON("\(folder)/preprocessor_config.json"),
      config: try readJSON("\(folder)/config.json"))
    let expected = 2 * model.config.maxSourcePositions
    guard features.bands == model.config.melBands, features.frames == expected else {
      throw CheckpointError(
        "\(folder)/preprocessor_config.json: \(features.bands) bands and \(features.frames) frames, "
          + "config.json asks for \(model.config.melBands) and \(expected)")
    }
    guard tokenizer.vocabularySize <= model.config.vocabulary else {
      throw CheckpointError(
        "\(folder)/tokenizer.json: has \(tokenizer.vocabularySize) tokens, "
          + "the model \(model.config.vocabulary)")
    }
  }

  private init(
    folder: String, model: Qwen2Audio, tokenizer: Tokenizer, preprocessor: JSON, config: JSON
  ) {
    self.folder = folder
    self.model = model
    self.tokenizer = tokenizer
    features = LogMel(
      bands: preprocessor["feature_size"]?.int ?? 128,
      samples: (preprocessor["chunk_length"]?.int ?? 30) * LogMel.rate)
    let named = ["<|endoftext|>", "<|im_end|>"].compactMap { tokenizer.id(of: $0) }
    endTokens = Set(named + [config["text_config"]?["eos_token_id"]?.int].compactMap { $0 })
  }

  /// The same tokenizer and front end with other weights, such as random ones.
  public func with(_ parameters: Parameters) -> SpeechModel {
    SpeechModel(
      folder: folder, model: Qwen2Audio(config, parameters), tokenizer: tokenizer,
      features: features, endTokens: endTokens)
  }

  private init(
    folder: String, model: Qwen2Audio, tokenizer: Tokenizer, features: LogMel, endTokens: Set<Int>
  ) {
    self.folder = folder
    self.model = model
    self.tokenizer = tokenizer
    self.features = features
    self.endTokens = endTokens
  }

  /// The features of a recording at 16 kHz.
  ///
  /// - Throws: where it is longer than the model takes.
  public func clip(_ wave: Waveform) throws -> Clip {
    guard wave.samples.count <= features.samples else {
      throw CheckpointError(
        "the audio lasts \(wave.duration) s; \(folder) takes "
          + "\(features.samples / LogMel.rate) s at most; cut it first")
    }
    return Clip(
      mel: features(wave.samples), validFrames: features.validFrames(samples: wave.samples.count))
  }

  /// The tokens of a text prompt behind the clip: `<|audio_bos|>`, the placeholders,
  /// `<|audio_eos|>`, the text (the template of the published base model).
  ///
  /// - Throws: where the tokenizer does not know a word of the text.
  public func tokens(for text: String, clip: Clip) throws -> [Int] {
    try trunk(of: clip) + textTokens(text)
  }

  /// The tokens up to the end of the audio.
  public func trunk(of clip: Clip) throws -> [Int] {
    guard let begin = tokenizer.id(of: "<|audio_bos|>"), let end = tokenizer.id(of: "<|audio_eos|>")
    else {
      throw CheckpointError(
        "\(folder)/tokenizer.json: has no <|audio_bos|> and <|audio_eos|>")
    }
    let count = config.audioTokens(melFrames: clip.validFrames)
    return [begin] + [Int](repeating: config.audioToken, count: count) + [end]
  }

  /// The tokens of a text, all of them known.
  public func textTokens(_ text: String) throws -> [Int] {
    let unknown = tokenizer.unknownWords(in: text)
    guard unknown.isEmpty else {
      throw CheckpointError(
        "\(folder)/tokenizer.json: does not know \(unknown.map { "\"\($0)\"" }.joined(separator: ", "))"
      )
    }
    return try tokenizer.encode(text)
  }

  /// The most probable continuation, token by token, up to and without an end token.
  public func greedy(_ clip: Clip, prompt: String, limit: Int = 32) throws -> [Int] {
    var tokens = try tokens(for: prompt, clip: clip)
    let start = tokens.count
    var embedded: Tensor?
    while tokens.count - start < limit {
      let batch = try Batch(config, clips: [clip], prompts: [Prompt(tokens)])
      let sound = embedded ?? model.embedded(batch)
      embedded = sound
      let logits = model.logits(after: .encoder(0), sound, in: batch, rows: [tokens.count - 1])
      let next = (0..<logits.count).reduce(0) { logits[$1] > logits[$0] ? $1 : $0 }
      if endTokens.contains(next) { break }
      tokens.append(next)
    }
    return Array(tokens[start...])
  }
}
