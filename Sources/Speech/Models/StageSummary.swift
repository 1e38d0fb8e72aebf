// What an architecture's stages are, from its configuration alone.

import Tensor

/// One stage of the chain from sound to text.
public struct StageSummary: Sendable {
  public let name: String
  /// Positions of a full clip, or the most there can be; nil where the clip decides.
  public let positions: Int?
  /// Milliseconds that a position stands for, where they all stand for as much.
  public let milliseconds: Double?
  public let note: String

  init(_ name: String, _ positions: Int?, _ milliseconds: Double?, _ note: String) {
    self.name = name
    self.positions = positions
    self.milliseconds = milliseconds
    self.note = note
  }
}

extension EncoderConfig {
  var stages: [StageSummary] {
    [
      StageSummary("features", 2 * positions, 10, "log-mel, \(melBands) bands"),
      StageSummary("encoder", positions, 20, "\(layers) layers of width \(width), \(heads) heads"),
    ]
  }
}

extension DecoderConfig {
  func stage(_ name: String, _ note: String) -> StageSummary {
    StageSummary(
      name, maxPositions, nil,
      "\(layers) layers of width \(width), \(heads) heads on \(keyHeads) of keys, "
        + "\(vocabulary) tokens; \(note)")
  }

  /// Bytes of keys and values for each position.
  var cacheBytes: Int { 2 * layers * headWidth * keyHeads * 4 }
}

extension AudioLanguageConfig {
  public var architecture: String {
    switch self {
    case is Qwen2AudioConfig: "Qwen2-Audio"
    case is SALMONNConfig: "SALMONN"
    case is SoundwaveConfig: "Soundwave"
    default: "LLaMA-Omni"
    }
  }

  public var cacheBytes: Int { lm.cacheBytes }

  public var stages: [StageSummary] {
    let rows = sound.rows(positions: sound.positions)
    let step = 20 * Double(sound.positionsBetweenRows)
    var stages = encoder.stages
    var note = "an audio token each"
    switch self {
    case let config as SALMONNConfig:
      if let beats = config.beats {
        stages.append(
          StageSummary(
            "beats", nil, 10 * Double(beats.patchSize),
            "\(beats.layers) layers of width \(beats.width); "
              + "\(beats.bandsOfPatches) bands of frequency at each time"))
      }
      note = "a query each"
    case is SoundwaveConfig: note = "those that open a run of one class become audio tokens"
    default: break
    }
    stages.append(StageSummary("connector", rows, step, note))
    stages.append(lm.stage("lm", "audio tokens in place of token \(sound.placeholder)"))
    if let speech = (self as? LlamaOmniConfig)?.speech {
      stages.append(
        StageSummary(
          "gen", nil, nil, "\(speech.upsampling) slots for each token said, \(speech.units) units"))
    }
    return stages
  }
}

extension WhisperConfig {
  public var architecture: String { "Whisper" }
  public var cacheBytes: Int { 2 * layers * encoder.width * 4 }

  public var stages: [StageSummary] {
    encoder.stages + [
      StageSummary(
        "decoder", maxPositions, nil,
        "\(layers) layers of width \(encoder.width), \(heads) heads, \(vocabulary) tokens; attends to "
          + "the encoder")
    ]
  }
}

extension MimiConfig {
  public var architecture: String { "Mimi" }
  public var cacheBytes: Int { 0 }

  public var stages: [StageSummary] {
    [
      StageSummary("samples", nil, 1000 / Double(rate), "\(rate) Hz"),
      StageSummary(
        "mimi.tr", nil, frameDuration / Double(downsampling),
        "\(layers) layers of width \(width), \(heads) heads, a window of \(window)"),
      StageSummary(
        "mimi.latent", nil, frameDuration,
        "\(quantizers) codebooks of \(codebookSize)"),
    ]
  }
}

extension MoshiConfig {
  public var architecture: String { "Moshi" }
  public var cacheBytes: Int { lm.cacheBytes }

  public var stages: [StageSummary] {
    codec.stages + [
      StageSummary(
        "lm", lm.maxPositions, codec.frameDuration,
        "\(lm.layers) layers of width \(lm.width), \(lm.heads) heads; text and two voices of "
          + "\(codebooks) codebooks"),
      StageSummary(
        "depth", codebooks, nil,
        "\(depth.decoder.layers) layers of width \(depth.decoder.width), a sub-step a codebook"),
    ]
  }
}
