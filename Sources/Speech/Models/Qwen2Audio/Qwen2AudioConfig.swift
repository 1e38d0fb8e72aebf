// The sizes of a Qwen2-Audio model, as config.json gives them.

import JSON
import Tensor

/// Sizes of the Qwen2-Audio architecture. Fields that the published file omits have the defaults
/// of the reference's configuration classes.
public struct Qwen2AudioConfig: AudioLanguageConfig, Equatable {
  public var melBands = 128
  public var encoderWidth = 1280
  public var encoderLayers = 32
  public var encoderHeads = 20
  public var encoderMLP = 5120
  /// Encoder positions of a full clip, 20 ms each.
  public var maxSourcePositions = 1500

  public var vocabulary = 151_936
  public var width = 4096
  public var layers = 32
  public var heads = 32
  public var keyHeads = 32
  public var mlp = 22_016
  public var maxPositions = 32_768
  public var epsilon = 1e-6
  public var theta = 10_000.0
  public var tiesEmbeddings = false
  /// The width of a head, where it is not width / heads, and the rescaling of rotary positions.
  public var givenHeadWidth: Int?
  public var ropeScaling: RopeScaling?
  public var audioToken = 151_646
  /// The template of the language model's chats, in Jinja, where the model is prompted by it alone: its
  /// vocabulary has no marks around the sound.
  public var chatTemplate: String?
  /// Whether two layers stand beside the projector's linear one, which the published model lacks.
  public var hasLayersBeside = false
  /// Adapters beside queries and values while they are trained; in a file they are merged.
  public var lowRank: LowRankConfig?

  public init() {}

  public init(_ json: JSON) throws {
    guard json["model_type"]?.string == "qwen2_audio" else {
      throw JSONError(
        "\"model_type\" is \(json["model_type"]?.string ?? "missing"); "
          + "this version runs qwen2_audio")
    }
    let audio = json["audio_config"] ?? [:]
    let text = json["text_config"] ?? [:]
    for (key, part) in [("audio_config", audio), ("text_config", text)] where part.members == nil {
      throw JSONError("\"\(key)\" should be an object")
    }
    func read(_ object: JSON, _ key: String, _ value: inout Int) throws {
      if object[key] != nil { value = try object.int(key) }
    }
    try read(audio, "num_mel_bins", &melBands)
    try read(audio, "d_model", &encoderWidth)
    try read(audio, "encoder_layers", &encoderLayers)
    try read(audio, "encoder_attention_heads", &encoderHeads)
    try read(audio, "encoder_ffn_dim", &encoderMLP)
    try read(audio, "max_source_positions", &maxSourcePositions)
    try read(json, "vocab_size", &vocabulary)
    try read(text, "vocab_size", &vocabulary)
    try read(text, "hidden_size", &width)
    try read(text, "num_hidden_layers", &layers)
    try read(text, "num_attention_heads", &heads)
    keyHeads = heads
    try read(text, "num_key_value_heads", &keyHeads)
    try read(text, "intermediate_size", &mlp)
    try read(text, "max_position_embeddings", &maxPositions)
    try read(json, "audio_token_index", &audioToken)
    try read(json, "audio_token_id", &audioToken)
    hasLayersBeside = json["projector_layers_beside"]?.bool ?? false
    if text["rms_norm_eps"] != nil { epsilon = try text.double("rms_norm_eps") }
    // Newer files keep the base of the rotary positions in an object of its own.
    let rope = text["rope_parameters"] ?? text
    if rope["rope_theta"] != nil { theta = try rope.rotaryBase() }
    if let ties = text["tie_word_embeddings"]?.bool { tiesEmbeddings = ties }
    chatTemplate = json["chat_template"]?.string
    givenHeadWidth = try text.headWidth()
    ropeScaling = try text.ropeScaling()
    try check(audio, text)
  }

  /// Sizes of a model that is put together from a Whisper's encoder and a Qwen2 language model.
  ///
  /// - Parameters:
  ///   - text: the language model's config.json, or what its GGUF file says
  ///   - audioToken: the token of the language model's vocabulary that sound overwrites
  public init(encoder: EncoderConfig, text: JSON, audioToken: Int) throws {
    try self.init([
      "model_type": "qwen2_audio",
      "audio_config": [
        "num_mel_bins": .integer(encoder.melBands), "d_model": .integer(encoder.width),
        "encoder_layers": .integer(encoder.layers),
        "encoder_attention_heads": .integer(encoder.heads),
        "encoder_ffn_dim": .integer(encoder.mlp),
        "max_source_positions": .integer(encoder.positions),
      ],
      "text_config": text, "audio_token_index": .integer(audioToken),
      "chat_template": text["chat_template"] ?? .null,
    ])
  }

  /// Refuses what this implementation would silently compute otherwise.
  private func check(_ audio: JSON, _ text: JSON) throws {
    for (object, key, expected) in [
      (audio, "activation_function", "gelu"), (text, "hidden_act", "silu"),
    ] where object[key] != nil && object[key]?.string != expected {
      throw JSONError(
        "\"\(key)\" is \(shortened(object[key]!.compactText)); only \(expected) is implemented")
    }
    // The first layers see everything in any case.
    let kinds = text["layer_types"]?.elements?.prefix(layers).compactMap(\.string)
    let slides =
      kinds?.contains("sliding_attention") ?? (layers > text["max_window_layers"]?.int ?? 28)
    if slides && text["use_sliding_window"]?.bool == true {
      throw JSONError("\"use_sliding_window\" is true; layers with a window are not implemented")
    }
    // The largest are well above any published model; beyond them tables that depend on the
    // configuration alone would fill the memory before a weight is read.
    for (name, size, most) in [
      ("num_mel_bins", melBands, 511), ("d_model", encoderWidth, 1 << 20),
      ("encoder_layers", encoderLayers, 1024), ("encoder_attention_heads", encoderHeads, 1 << 20),
      ("encoder_ffn_dim", encoderMLP, 1 << 24),
      ("max_source_positions", maxSourcePositions, 1 << 16), ("vocab_size", vocabulary, 1 << 28),
      ("hidden_size", width, 1 << 20), ("num_hidden_layers", layers, 1024),
      ("num_attention_heads", heads, 1 << 20), ("num_key_value_heads", keyHeads, 1 << 20),
      ("intermediate_size", mlp, 1 << 24), ("max_position_embeddings", maxPositions, 1 << 20),
    ] where size < 1 || size > most {
      throw JSONError("\"\(name)\" is \(size); it should lie between 1 and \(most)")
    }
    for (name, value) in [("rms_norm_eps", epsilon), ("rope_theta", theta)] where value <= 0 {
      throw JSONError("\"\(name)\" is \(value); it should be above 0")
    }
    for (fits, problem) in [
      (encoderWidth % encoderHeads == 0, "d_model is no multiple of encoder_attention_heads"),
      (0..<vocabulary ~= audioToken, "audio_token_index is not in the vocabulary"),
    ] where !fits {
      throw JSONError("the sizes do not fit together: \(problem)")
    }
    try lm.checkHeads()
  }

  /// config.json in the published layout.
  public func json(architecture: String = "Qwen2AudioForConditionalGeneration", endToken: Int)
    -> JSON
  {
    var members: [String: JSON] = [
      "architectures": [.string(architecture)],
      "model_type": "qwen2_audio",
      "audio_config": [
        "model_type": "qwen2_audio_encoder", "num_mel_bins": .integer(melBands),
        "d_model": .integer(encoderWidth), "encoder_layers": .integer(encoderLayers),
        "encoder_attention_heads": .integer(encoderHeads),
        "encoder_ffn_dim": .integer(encoderMLP),
        "max_source_positions": .integer(maxSourcePositions), "activation_function": "gelu",
        "scale_embedding": false, "dropout": 0.0, "attention_dropout": 0.0,
        "activation_dropout": 0.0, "encoder_layerdrop": 0.0,
      ],
      "text_config": [
        "model_type": "qwen2", "vocab_size": .integer(vocabulary), "hidden_size": .integer(width),
        "num_hidden_layers": .integer(layers), "num_attention_heads": .integer(heads),
        "num_key_value_heads": .integer(keyHeads), "intermediate_size": .integer(mlp),
        "max_position_embeddings": .integer(maxPositions), "rms_norm_eps": .number(epsilon),
        "rope_theta": .number(theta), "hidden_act": "silu", "use_sliding_window": false,
        "tie_word_embeddings": .bool(tiesEmbeddings), "eos_token_id": .integer(endToken),
        "bos_token_id": .integer(endToken),
      ],
      "audio_token_index": .integer(audioToken),
      "ignore_index": -100,
      "vocab_size": .integer(vocabulary),
      "torch_dtype": "bfloat16",
    ]
    if let chatTemplate { members["chat_template"] = .string(chatTemplate) }
    if hasLayersBeside { members["projector_layers_beside"] = true }
    return .object(members)
  }
}
