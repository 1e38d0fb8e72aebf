// Whisper (Radford et al., 2022): an encoder, and a decoder that attends to its output.

import JSON
import Tensor

/// Sizes of a Whisper model.
public struct WhisperConfig: ModelConfig, Equatable {
  public let encoder: EncoderConfig
  public let layers: Int
  public let heads: Int
  public let mlp: Int
  public let vocabulary: Int
  /// Positions of the decoder.
  public let maxPositions: Int
  /// Whether the head is the table of token embeddings, as in all published models.
  public let tiesEmbeddings: Bool
  /// Whether the decoder was trained with tokens of language and task; those of the English-only models
  /// are in their vocabulary and never occurred.
  public let isMultilingual: Bool

  /// - Parameter generation: what generation_config.json holds
  public init(_ json: JSON, generation: JSON = [:]) throws {
    encoder = try EncoderConfig(whisper: json)
    layers = try json.size("decoder_layers", usual: 4, upTo: 1024)
    heads = try json.size("decoder_attention_heads", usual: 6, upTo: 1 << 20)
    mlp = try json.size("decoder_ffn_dim", usual: 1536, upTo: 1 << 24)
    vocabulary = try json.size("vocab_size", usual: 51_865, upTo: 1 << 28)
    maxPositions = try json.size("max_target_positions", usual: 448, upTo: 1 << 20)
    tiesEmbeddings = json["tie_word_embeddings"]?.bool ?? true
    // The published English-only models have one token less than the smallest of several languages.
    isMultilingual = vocabulary != 51_864 && generation["is_multilingual"]?.bool != false
    guard encoder.width % heads == 0 else {
      throw JSONError(
        "the sizes do not fit together: d_model is no multiple of decoder_attention_heads")
    }
  }

  static let encoderPrefix = "model.encoder."
  static let decoderPrefix = "model.decoder."
  static let headName = "proj_out.weight"

  public var parameterShapes: [String: [Int]] {
    let (d, prefix) = (encoder.width, Self.decoderPrefix)
    var shapes = encoder.parameterShapes(Self.encoderPrefix)
    shapes[prefix + "embed_tokens.weight"] = [vocabulary, d]
    shapes[prefix + "embed_positions.weight"] = [maxPositions, d]
    func norm(_ name: String) {
      shapes[name + ".weight"] = [d]
      shapes[name + ".bias"] = [d]
    }
    for i in 0..<layers {
      let layer = prefix + "layers.\(i)."
      for attention in ["self_attn", "encoder_attn"] {
        for name in ["q", "k", "v", "out"] {
          shapes[layer + "\(attention).\(name)_proj.weight"] = [d, d]
          if name != "k" { shapes[layer + "\(attention).\(name)_proj.bias"] = [d] }
        }
        norm(layer + "\(attention)_layer_norm")
      }
      norm(layer + "final_layer_norm")
      shapes[layer + "fc1.weight"] = [mlp, d]
      shapes[layer + "fc1.bias"] = [mlp]
      shapes[layer + "fc2.weight"] = [d, mlp]
      shapes[layer + "fc2.bias"] = [d]
    }
    norm(prefix + "layer_norm")
    if !tiesEmbeddings { shapes[Self.headName] = [vocabulary, d] }
    return shapes
  }

  /// With and without `model.`, and the names of openai-whisper.
  public func aliases(of name: String) -> [String] {
    if name == Self.headName { return [name] }
    let short = String(name.dropFirst("model.".count))
    if name.hasPrefix(Self.encoderPrefix) {
      let rest = String(name.dropFirst(Self.encoderPrefix.count))
      return [name, short, "encoder." + EncoderConfig.originalName(rest)]
    }
    var rest = String(name.dropFirst(Self.decoderPrefix.count))
    for (new, old) in [
      ("embed_tokens", "token_embedding"), ("embed_positions.weight", "positional_embedding"),
      ("encoder_attn_layer_norm", "cross_attn_ln"), ("encoder_attn.q_proj", "cross_attn.query"),
      ("encoder_attn.k_proj", "cross_attn.key"), ("encoder_attn.v_proj", "cross_attn.value"),
      ("encoder_attn.out_proj", "cross_attn.out"),
    ] {
      if let range = rest.firstRange(of: new) { rest.replaceSubrange(range, with: old) }
    }
    rest = EncoderConfig.originalName(rest)
    if rest.hasPrefix("ln_post") { rest = "ln" + rest.dropFirst("ln_post".count) }
    return [name, short, "decoder." + rest]
  }

  public func substitute(for name: String) -> Tensor? {
    name == Self.encoderPrefix + "embed_positions.weight" ? encoder.sinusoids : nil
  }
}

/// A Whisper model.
public struct Whisper: SpeechLanguageModel {
  public let config: WhisperConfig
  public let encoder: WhisperEncoder
  let decoder: WhisperDecoder

  /// A model of these parameters, by their published names.
  public init(_ config: WhisperConfig, _ p: Weights) {
    self.config = config
    encoder = WhisperEncoder(config.encoder, p, WhisperConfig.encoderPrefix)
    decoder = WhisperDecoder(config, p)
  }

  public var vocabulary: Int { config.vocabulary }
  public var placeholder: Int? { nil }
  public var longestClip: Double { config.encoder.seconds }
  public func clip(_ wave: Waveform) throws -> Clip { try config.encoder.clip(wave) }

  public var sites: [Site] { encoder.sites + [Site(.encoder, .final)] + decoder.sites }

  /// - Parameter input: its tokens are what is said so far, from the start of the transcript on
  public func generate(
    _ input: ModelInput, _ config: GenerationConfig, changing: SpeakingTap?,
    progress: (Int) -> Void
  ) throws -> Generated {
    let said = try decoder.checked(input).tokens
    let sound = try heard(input.clip, tap: changing?.tap(nil))
    return try generate(said, hearing: sound, config, changing: changing, progress: progress)
  }

  /// What the decoder attends to of a clip, and in which rows.
  func heard(_ clip: Clip, tap: Tap? = nil) throws -> (sound: HeardSound, layout: Layout) {
    let sound = try SoundBatch(config.encoder, clips: [clip])
    let memory = encoder.norm(encoder(encoder.embedded(sound), layout: sound.encoder, tap: tap))
    return (decoder.heard(tap?(Site(.encoder, .final), memory) ?? memory), sound.encoder)
  }

  /// - Parameters:
  ///   - said: what is said so far
  ///   - changing: what changes activations of the decoder
  ///   - reading: called with the logits that each token is chosen from, [1, vocabulary]
  func generate(
    _ said: [Int], hearing heard: (sound: HeardSound, layout: Layout), _ config: GenerationConfig,
    changing: SpeakingTap? = nil, progress: (Int) -> Void,
    reading: @escaping (Tensor) -> Void = { _ in }
  ) throws -> Generated {
    var limited = config
    limited.limit = min(config.limit, self.config.maxPositions - said.count)
    let step: StepLogits = { x, layout, row, prefix, tap in
      let logits = decoder.logits(
        x, rows: layout, crossing: heard.sound, in: heard.layout, wanted: [row], prefix: prefix,
        tap: tap)
      reading(logits)
      return logits
    }
    let x = decoder.embedded(said)
    return try limited.generate(
      after: changing?.tap(0..<said.count)(Site(.decoder, .embed), x) ?? x, prompt: said,
      at: .decoder, layers: decoder.layers, embedding: { decoder.embedded([$0], from: $1) },
      changing: changing, said: progress, logits: step)
  }
}
