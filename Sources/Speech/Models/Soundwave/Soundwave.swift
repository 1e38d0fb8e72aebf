// Soundwave (Zhang et al., 2025): sizes and names. The connector is in AlignmentConnector.swift.

import JSON
import Tensor

/// Sizes of a Soundwave model.
public struct SoundwaveConfig: AudioLanguageConfig, Equatable {
  public let encoder: EncoderConfig
  public let lm: DecoderConfig
  /// The token that the sound overwrites, which is also the blank of the alignment.
  public let audioToken: Int
  /// Whether the adapter's attention runs over time. The published code feeds it one frame at a
  /// time, so that it does not.
  public let timeAttention: Bool

  /// - Parameter folder: where the audio tower's own config.json may lie
  public init(_ json: JSON, folder: String) throws {
    encoder = try EncoderConfig(whisper: try SoundwaveConfig.tower(json, folder))
    lm = try DecoderConfig(llama: json)
    let adapter = try json.size("adapter_size", usual: encoder.width, upTo: 1 << 20)
    guard adapter == encoder.width else {
      throw JSONError("\"adapter_size\" is \(adapter), the encoder's width is \(encoder.width)")
    }
    try json.requires("audio_patch_size", 1)
    audioToken = try json["audio_patch_token"] == nil ? 128_256 : json.int("audio_patch_token")
    guard (0..<lm.vocabulary).contains(audioToken) else {
      throw JSONError("\"audio_patch_token\" is \(audioToken), outside the vocabulary")
    }
    timeAttention =
      try json["adapter_time_attention"] == nil
      ? false
      : json.bool("adapter_time_attention")
  }

  /// The configuration of the audio tower: beside the model's, in a folder that it names, or that of
  /// a published Whisper.
  private static func tower(_ json: JSON, _ folder: String) throws -> JSON {
    if json["audio_tower_config"] != nil { return try json.part("audio_tower_config") }
    let name = json["audio_tower"]?.string ?? "openai/whisper-large-v2"
    for path in ["\(folder)/\(name)/config.json", "\(folder)/audio_tower/config.json"]
    where !name.hasPrefix("/") && fileExists(path) {
      return try readJSON(path)
    }
    let large: [String: JSON] = [
      "d_model": 1280, "encoder_layers": 32, "encoder_attention_heads": 20,
      "encoder_ffn_dim": 5120,
    ]
    switch name.split(separator: "/").last.map(String.init) {
    case "whisper-large", "whisper-large-v2": return .object(large)
    case "whisper-large-v3", "whisper-large-v3-turbo":
      return .object(large.merging(["num_mel_bins": 128]) { $1 })
    default:
      throw JSONError(
        "\"audio_tower\" is \(quoted(name)), whose sizes are not known; put its config.json into "
          + "\(folder)/audio_tower")
    }
  }

  public var sound: SoundShape {
    SoundShape(
      melBands: encoder.melBands, positions: encoder.positions, masksPadding: false,
      positionsPerRow: 2, positionsBetweenRows: 2, placeholder: audioToken,
      vocabulary: lm.vocabulary,
      maxTokens: lm.maxPositions)
  }

  public var encoderPrefix: String { "model.audio_tower." }
  public var lmPrefix: String { "model." }
  public var headName: String { "lm_head.weight" }

  public var parameterShapes: [String: [Int]] {
    let (d, layer) = (lm.width, "model.asr_transformer_encoder.layers.0.")
    var shapes = encoder.parameterShapes(encoderPrefix)
    func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
      shapes[name + ".weight"] = [outputs, inputs]
      shapes[name + ".bias"] = [outputs]
    }
    func attention(_ name: String) {
      shapes[name + ".in_proj_weight"] = [3 * d, d]
      shapes[name + ".in_proj_bias"] = [3 * d]
      linear(name + ".out_proj", d, d)
    }
    linear("model.mm_projector1", d, 2 * encoder.width)
    attention(layer + "self_attn")
    linear(layer + "linear1", 2 * d, d)
    linear(layer + "linear2", d, 2 * d)
    attention("model.lbm.encoder_attn")
    for norm in [
      layer + "norm1", layer + "norm2", "model.out_norm", "model.lbm.atten_layer_norm",
    ] {
      shapes[norm + ".weight"] = [d]
      shapes[norm + ".bias"] = [d]
    }
    shapes["model.audio_feature_head.weight"] = [lm.vocabulary, d]
    return shapes.merging(lm.parameterShapes(lmPrefix, head: headName)) { $1 }
  }

  public func connector(_ p: Weights) -> any Connector {
    AlignmentConnector(p, heads: lm.heads, timeAttention: timeAttention)
  }
}
