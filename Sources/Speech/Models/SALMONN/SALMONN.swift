// SALMONN (Tang et al., 2024): sizes and names. Whisper and BEATs hear the clip, a query transformer
// reads both window by window (QFormer.swift), and Vicuna with low-rank adapters answers.

import JSON
import Tensor

/// Sizes of a SALMONN model.
public struct SALMONNConfig: AudioLanguageConfig, Equatable {
  public let encoder: EncoderConfig
  /// The second encoder; without it the query transformer reads Whisper alone.
  public let beats: BEATsConfig?
  public let lm: DecoderConfig
  let reader: QFormerConfig
  /// Encoder positions that one query reads, and those from one query's first to the next one's.
  let window: Int
  let step: Int

  public init(_ json: JSON) throws {
    let model = try json.part("model")
    try model.requires("use_speech_Qformer", true)
    try model.requires("window_level_Qformer", true)
    try model.requires("num_speech_query_token", 1)
    encoder = try EncoderConfig(whisper: try json.part("whisper"))
    beats = try json["beats"].map(BEATsConfig.init)
    func positions(_ key: String) throws -> Int {
      // The reference counts positions of a clip of 30 s, whatever the model's length.
      let seconds = try model.positive(key, usual: 0.333333)
      return Int((1500 * min(seconds, 30) / 30).rounded(.toNearestOrEven))
    }
    window = try positions("second_per_window")
    step = try positions("second_stride")
    guard (1...encoder.positions).contains(window), step > 0 else {
      throw JSONError(
        "\"second_per_window\" and \"second_stride\" are \(window) and \(step) positions of 20 ms; "
          + "the window should fit the clip of \(encoder.positions), the stride be 1 at least")
    }
    var lm = try DecoderConfig(llama: try json.part("llama"))
    if model["lora"]?.bool ?? true {
      let rank = try model.size("lora_rank", usual: 8, upTo: 1 << 16)
      lm.lowRank = LowRankConfig(
        rank: rank,
        scale: Float(try model.positive("lora_alpha", usual: 32)) / Float(rank))
    }
    self.lm = lm
    reader = try QFormerConfig(
      try json.part("qformer"), inputs: encoder.width + (beats?.width ?? 0))
  }

  public var sound: SoundShape {
    SoundShape(
      melBands: encoder.melBands, positions: encoder.positions, masksPadding: false,
      positionsPerRow: window, positionsBetweenRows: step, placeholder: spokenPlaceholder,
      vocabulary: lm.vocabulary,
      maxTokens: lm.maxPositions)
  }

  public var encoderPrefix: String { "speech_encoder." }
  private var llama: String { "llama_model.base_model.model." }
  public var lmPrefix: String { llama + "model." }
  public var headName: String { llama + "lm_head.weight" }

  public var parameterShapes: [String: [Int]] {
    var shapes = encoder.parameterShapes(encoderPrefix)
    shapes.merge(beats?.parameterShapes("beats.") ?? [:]) { $1 }
    shapes.merge(reader.parameterShapes("speech_Qformer.bert.")) { $1 }
    shapes.merge(lm.parameterShapes(lmPrefix, head: headName)) { $1 }
    for (name, size) in [("ln_speech", encoder.width), ("ln_audio", beats?.width ?? 0)]
    where size > 0 {
      shapes[name + ".weight"] = [size]
      shapes[name + ".bias"] = [size]
    }
    shapes["speech_query_tokens"] = [1, 1, reader.width]
    shapes["speech_llama_proj.weight"] = [lm.width, reader.width]
    shapes["speech_llama_proj.bias"] = [lm.width]
    return shapes
  }

  /// The names in SALMONN's own files, in newer files of adapters, and in the files of its parts.
  public func aliases(of name: String) -> [String] {
    func rest(_ prefix: String) -> String? {
      name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : nil
    }
    if let part = rest(encoderPrefix) {
      return [name, "model.encoder." + part, "encoder." + EncoderConfig.originalName(part)]
    }
    if let part = rest("beats.") { return [name, part] }
    guard let part = rest(llama) else { return [name] }
    let newer = name.replacing("_proj.weight", with: "_proj.base_layer.weight")
    return [name, newer, "llama_model." + part, part]
  }

  /// Files whose adapters are merged into the projections have none of their tensors.
  public func isOptional(_ name: String) -> Bool { name.contains(".lora_") }

  /// Of Whisper the encoder is used; the classifier of BEATs is not used, and each layer's file holds the
  /// table of the first.
  public func ignores(_ name: String) -> Bool {
    name.hasPrefix("decoder.") || name.hasPrefix("model.decoder.")
      || name.contains("predictor.") || name.contains("relative_attention_bias")
      || name.hasSuffix("rotary_emb.inv_freq") || name.hasSuffix("position_ids")
  }

  public func clip(_ wave: Waveform) throws -> Clip {
    let clip = try encoder.clip(wave)
    guard beats != nil else { return clip }
    var heard = Array(wave.samples.prefix(encoder.positions * 2 * LogMel.hop))
    heard += [Float](repeating: 0, count: max(0, LogMel.rate - heard.count))
    return Clip(
      mel: clip.mel, validFrames: clip.validFrames, filterbank: KaldiFilterbank()(heard))
  }

  public func connector(_ p: Weights) -> any Connector { QFormerConnector(self, p) }
}
