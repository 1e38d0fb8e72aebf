// The sizes of Moshi (Défossez et al., 2024), from either family of published files.

import JSON
import Tensor

/// Sizes of a Moshi model.
public struct MoshiConfig: Sendable, Equatable {
  public let codec: MimiConfig
  /// The temporal transformer; its vocabulary is the text's.
  public let lm: DecoderConfig
  let depth: DepthConfig
  /// Codebooks of each voice.
  public let codebooks: Int
  public let codebookSize: Int
  /// Frames by which each stream is late: text, the model's codebooks, the user's.
  public let delays: [Int]
  /// The text token of a frame without a word.
  public let padding: Int

  /// From config.json of the Hugging Face files, or of kyutai's.
  ///
  /// - Parameter codec: the codec's sizes, where config.json does not give them
  public init(_ json: JSON, codec given: MimiConfig? = nil) throws {
    self =
      json["dim"] == nil
      ? try MoshiConfig(huggingFace: json)
      : try MoshiConfig(original: json, codec: given)
    guard delays.count == 1 + 2 * codebooks, delays.allSatisfy({ $0 >= 0 && $0 < 1 << 10 }) else {
      throw JSONError("\"delays\" should be \(1 + 2 * codebooks) numbers of frames")
    }
    guard codebooks <= codec.quantizers, codebookSize == codec.codebookSize else {
      throw JSONError("the model takes other codes than the codec makes")
    }
    guard (0..<lm.vocabulary).contains(padding) else {
      throw JSONError("\"existing_text_padding_id\" is \(padding), outside the vocabulary")
    }
    for (config, name) in [(lm, "the temporal"), (depth.decoder, "the depth")]
    where config.givenHeadWidth == nil && config.width % config.heads != 0 {
      throw JSONError("the width of \(name) transformer is no multiple of its heads")
    }
    guard lm.headWidth % 2 == 0 else {
      throw JSONError("the width of a head is odd, rotary positions need an even one")
    }
  }

  private init(huggingFace json: JSON) throws {
    try json.requires("hidden_act", "silu")
    codec = try MimiConfig(
      json["audio_encoder_config"] == nil ? [:] : json.part("audio_encoder_config"),
      prefix: "audio_encoder.")
    let heads = try json.size("num_attention_heads", usual: 32, upTo: 1 << 16)
    codebooks = try json.size("num_codebooks", usual: 8, upTo: 1024)
    codebookSize = try json.size("audio_vocab_size", usual: codec.codebookSize, upTo: 1 << 20)
    let wide = try json.size("ffn_dim", usual: 22_528, upTo: 1 << 24)
    lm = DecoderConfig(
      vocabulary: try json.size("vocab_size", usual: 32_000, upTo: 1 << 28),
      width: try json.size("hidden_size", usual: 4096, upTo: 1 << 20),
      layers: try json.size("num_hidden_layers", usual: 32, upTo: 1024), heads: heads,
      keyHeads: try json.size("num_key_value_heads", usual: heads, upTo: 1 << 16), mlp: wide / 2,
      maxPositions: try json.size("max_position_embeddings", usual: 3000, upTo: 1 << 20),
      epsilon: try json.positive("rms_norm_eps", usual: 1e-8),
      theta: try (json["rope_parameters"] ?? json).rotaryBase(),
      ropeScaling: try json.ropeScaling(), givenHeadWidth: try json.headWidth())
    let part = json["depth_decoder_config"] == nil ? [:] : try json.part("depth_decoder_config")
    let depthHeads = try part.size("num_attention_heads", usual: 16, upTo: 1 << 16)
    let depthKeyHeads = try part.size("num_key_value_heads", usual: depthHeads, upTo: 1 << 16)
    guard lm.heads % lm.keyHeads == 0, depthHeads % depthKeyHeads == 0 else {
      throw JSONError("\"num_key_value_heads\" does not fit the heads")
    }
    var inner = lm
    inner.width = try part.size("hidden_size", usual: 1024, upTo: 1 << 20)
    inner.layers = try part.size("num_hidden_layers", usual: 6, upTo: 1024)
    (inner.heads, inner.keyHeads) = (depthHeads, depthKeyHeads)
    inner.givenHeadWidth = try part.headWidth()
    inner.mlp = try part.size("ffn_dim", usual: 5632, upTo: 1 << 24) / 2
    inner.epsilon = try part.positive("rms_norm_eps", usual: 1e-8)
    depth = DepthConfig(decoder: inner, steps: codebooks)
    delays = MoshiConfig.delays(json, codebooks)
    padding = 3
  }

  private init(original json: JSON, codec given: MimiConfig?) throws {
    try json.requires("gating", "silu")
    try json.requires("positional_embedding", "rope")
    try json.requires("depformer_multi_linear", true)
    try json.requires("depformer_weights_per_step", true)
    try json.requires("depformer_pos_emb", "none")
    codec = try given ?? MimiConfig(json["mimi"] ?? [:])
    let streams = try json.size("n_q", usual: 16, upTo: 2048)
    codebooks = try json.size("dep_q", usual: 8, upTo: 1024)
    guard streams == 2 * codebooks else {
      throw JSONError("\"n_q\" is \(streams), it should be twice \"dep_q\"")
    }
    codebookSize = try json.size("card", usual: 2048, upTo: 1 << 20)
    let width = try json.size("dim", usual: 4096, upTo: 1 << 20)
    let heads = try json.size("num_heads", usual: 32, upTo: 1 << 16)
    let scale = try json.positive("hidden_scale", usual: 4.125)
    guard scale * Double(width) <= 0x1p24 else {
      throw JSONError("\"hidden_scale\" is \(scale), which makes an MLP of more than 2^24")
    }
    lm = DecoderConfig(
      vocabulary: try json.size("text_card", usual: 32_000, upTo: 1 << 28), width: width,
      layers: try json.size("num_layers", usual: 32, upTo: 1024), heads: heads, keyHeads: heads,
      mlp: MoshiConfig.gated(Int(scale * Double(width)), width),
      maxPositions: try json.size("context", usual: 3000, upTo: 1 << 20), epsilon: 1e-8,
      theta: try json.positive("max_period", usual: 10_000))
    var inner = lm
    inner.width = try json.size("depformer_dim", usual: 1024, upTo: 1 << 20)
    inner.layers = try json.size("depformer_num_layers", usual: 6, upTo: 1024)
    inner.heads = try json.size("depformer_num_heads", usual: 16, upTo: 1 << 16)
    inner.keyHeads = inner.heads
    inner.mlp = MoshiConfig.gated(
      try json.size("depformer_dim_feedforward", usual: 4224, upTo: 1 << 24), inner.width)
    depth = DepthConfig(decoder: inner, steps: codebooks)
    delays = MoshiConfig.delays(json, codebooks)
    padding = json["existing_text_padding_id"]?.int ?? 3
  }

  /// The inner width of a gated MLP that is to cost as much as a plain one of width `plain`.
  private static func gated(_ plain: Int, _ width: Int) -> Int {
    plain == 4 * width ? 21 * width / 8 : 2 * plain / 3
  }

  private static func delays(_ json: JSON, _ codebooks: Int) -> [Int] {
    let usual =
      [0]
      + [[Int]](repeating: [0] + [Int](repeating: 1, count: codebooks - 1), count: 2)
      .joined()
    return json["delays"]?.elements?.map { $0.int ?? -1 } ?? usual
  }

  /// Tokens that stand before the first frame.
  var textStart: Int { lm.vocabulary }
  var audioStart: Int { codebookSize }
}

/// Sizes of the depth transformer.
struct DepthConfig: Sendable, Equatable {
  let decoder: DecoderConfig
  /// Sub-steps, each with weights of its own.
  let steps: Int
}
