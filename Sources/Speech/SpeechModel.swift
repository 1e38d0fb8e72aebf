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

  /// Opens config.json, model.safetensors, tokenizer.json and preprocessor_config.json.
  public init(folder: String) throws {
    self.folder = folder
    model = try AudioLanguageModel(folder: folder)
    let tokenizer = try Tokenizer(contentsOf: "\(folder)/tokenizer.json")
    self.tokenizer = tokenizer
    features = try SpeechModel.frontEnd("\(folder)/preprocessor_config.json", model.encoder.config)
    guard tokenizer.vocabularySize <= model.vocabulary else {
      throw CheckpointError(
        "\(folder)/tokenizer.json: has \(tokenizer.vocabularySize) tokens, "
          + "the model \(model.vocabulary); take both from one checkpoint")
    }
    let config = try readJSON("\(folder)/config.json")
    let named = ["<|endoftext|>", "<|im_end|>"].compactMap { tokenizer.id(of: $0) }
    endTokens = Set(named + [config["text_config"]?["eos_token_id"]?.int].compactMap { $0 })
  }

  /// The front end that a preprocessor_config.json describes.
  ///
  /// - Throws: where it is not the one of the model.
  private static func frontEnd(_ path: String, _ encoder: EncoderConfig) throws -> LogMel {
    let json = try readJSON(path)
    guard json.members != nil else { throw CheckpointError("\(path): should be a JSON object") }
    let seconds = encoder.positions / 50
    for (key, usual, expected) in [
      ("feature_size", 128, encoder.melBands), ("chunk_length", 30, seconds),
      ("sampling_rate", LogMel.rate, LogMel.rate), ("hop_length", LogMel.hop, LogMel.hop),
      ("n_fft", 400, 400),
    ] {
      let found = json[key] ?? .integer(usual)
      guard found.int == expected else {
        throw CheckpointError(
          "\(path): \"\(key)\" is \(found.compactText), config.json asks for \(expected); "
            + "take both from one checkpoint")
      }
    }
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

  /// The features of a recording at 16 kHz.
  ///
  /// - Throws: where it is longer or shorter than the model takes.
  public func clip(_ wave: Waveform) throws -> Clip {
    guard wave.samples.count <= features.samples else {
      throw CheckpointError(
        "the audio lasts \(wave.duration) s; \(folder) takes "
          + "\(features.samples / LogMel.rate) s at most; cut it first")
    }
    let frames = features.validFrames(samples: wave.samples.count)
    guard frames >= Clip.fewestFrames else {
      throw CheckpointError(
        "the audio lasts \(wave.duration) s; \(folder) takes \(Clip.fewestFrames) frames of 10 ms "
          + "at least; record it again or pad it")
    }
    return Clip(mel: features(wave.samples), validFrames: frames)
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
    let count = config.sound.audioTokens(melFrames: clip.validFrames)
    return [begin] + [Int](repeating: config.sound.placeholder, count: count) + [end]
  }

  /// The tokens of a text, all of them known.
  public func textTokens(_ text: String) throws -> [Int] {
    let unknown = try tokenizer.unknownWords(in: text)
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
      let batch = try Batch(config.sound, clips: [clip], prompts: [Prompt(tokens)])
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
