// LLaMA-Omni (Fang et al., 2024): neighbouring encoder positions are laid side by side and taken to
// the language model's width by two linear maps; a second decoder speaks the answer in units.

import JSON
import Tensor

/// Sizes of a LLaMA-Omni model.
public struct LlamaOmniConfig: AudioLanguageConfig, Equatable {
  public let encoder: EncoderConfig
  public let lm: DecoderConfig
  /// Encoder positions that make one audio token.
  public let downsampling: Int
  public let projectorWidth: Int
  public let speech: SpeechGeneratorConfig?
  /// The most positions of a sequence, where the reference cuts.
  public let maxTokens: Int

  public init(_ json: JSON) throws {
    try json.requires("speech_encoder_type", "whisper")
    try json.requires("speech_projector_type", "linear")
    try json.requires("speech_normalize", false)
    if let sizes = json["speech_encoder_config"] {
      encoder = try EncoderConfig(dims: sizes)
    } else {
      encoder = EncoderConfig(
        melBands: 128, width: 1280, layers: 32, heads: 20, mlp: 5120, positions: 1500)
    }
    let width = try json.size("speech_encoder_hidden_size", usual: encoder.width, upTo: 1 << 20)
    guard width == encoder.width else {
      throw JSONError(
        "\"speech_encoder_hidden_size\" is \(width), the encoder's width is \(encoder.width)")
    }
    lm = try DecoderConfig(llama: json)
    downsampling = try json.size("speech_encoder_ds_rate", usual: 5, upTo: encoder.positions)
    projectorWidth = try json.size("speech_projector_hidden_size", usual: 2048, upTo: 1 << 20)
    maxTokens = min(
      lm.maxPositions, try json.size("tokenizer_model_max_length", usual: 2048, upTo: 1 << 20))
    speech =
      json["speech_generator_type"] == nil ? nil : try SpeechGeneratorConfig(json, beside: lm)
  }

  public var sound: SoundShape {
    SoundShape(
      melBands: encoder.melBands, positions: encoder.positions, masksPadding: false,
      positionsPerRow: downsampling, positionsBetweenRows: downsampling,
      placeholder: spokenPlaceholder, vocabulary: lm.vocabulary,
      maxTokens: maxTokens)
  }

  public var encoderPrefix: String { "model.speech_encoder." }
  public var lmPrefix: String { "model." }
  public var headName: String { "lm_head.weight" }
  private var projector: String { "model.speech_projector." }

  public var parameterShapes: [String: [Int]] {
    var shapes = encoder.parameterShapes(encoderPrefix)
    shapes[projector + "linear1.weight"] = [projectorWidth, downsampling * encoder.width]
    shapes[projector + "linear1.bias"] = [projectorWidth]
    shapes[projector + "linear2.weight"] = [lm.width, projectorWidth]
    shapes[projector + "linear2.bias"] = [lm.width]
    shapes.merge(lm.parameterShapes(lmPrefix, head: headName)) { $1 }
    if let speech { shapes.merge(speech.parameterShapes(inputs: lm.width)) { $1 } }
    return shapes
  }

  /// The published files keep the encoder under the names of openai-whisper.
  public func aliases(of name: String) -> [String] {
    guard name.hasPrefix(encoderPrefix) else { return [name] }
    let rest = String(name.dropFirst(encoderPrefix.count))
    return [encoderPrefix + EncoderConfig.originalName(rest), name]
  }

  public func connector(_ p: Weights) -> any Connector {
    ConcatenationConnector(
      first: p.linear(projector + "linear1"), second: p.linear(projector + "linear2"),
      downsampling: downsampling)
  }

  public func generator(_ p: Weights) -> SpeechGenerator? {
    speech.map { SpeechGenerator($0, p) }
  }
}

/// The adaptor of LLaMA-Omni.
struct ConcatenationConnector: Connector {
  let first: Linear
  let second: Linear
  let downsampling: Int

  private static let stack = Site(.connector, Site.Activation(rawValue: "stack"))
  private static let before = Site(.connector, Site.Activation(rawValue: "fc1"))
  private static let after = Site(.connector, Site.Activation(rawValue: "fc1_post"))

  let sites = [Site(.encoder, .final), stack, before, after, Site(.connector, .out)]
  let waist = Site(.encoder, .final)

  func entering(
    _ x: Tensor, norm: LayerNorm, heard: Tensor?, in batch: inout Batch, tap: Tap?
  ) -> Tensor {
    let final = norm(x)
    return tap?(waist, final) ?? final
  }

  func leaving(_ x: Tensor, in batch: Batch, tap: Tap?) -> Tensor {
    func at(_ site: Site, _ value: Tensor) -> Tensor { tap?(site, value) ?? value }
    let stacked = at(
      Self.stack, stackedRows(x, downsampling, from: batch.encoder, to: batch.frames))
    let hidden = at(Self.after, relu(at(Self.before, first(stacked))))
    let out = second(hidden)
    return at(Site(.connector, .out), gatherRows(out, batch.audioRows))
  }

  func place(of site: Site, in batch: Batch, _ copy: Copy) -> Place? {
    switch site {
    case waist: Place(batch.encoder, copy) { .centred($0, step: 20) }
    case Self.stack, Self.before, Self.after:
      Place(batch.frames, copy) { span(ofToken: $0, in: batch) }
    case Site(.connector, .out): Place(batch.audio, copy) { span(ofToken: $0, in: batch) }
    default: nil
    }
  }

  func span(ofToken index: Int, in batch: Batch) -> TimeSpan {
    .centred(downsampling * index, step: 20, count: downsampling)
  }
}
