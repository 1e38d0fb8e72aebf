// Whisper's encoder (Radford et al., 2022), which five of the six architectures begin with: two
// convolutions, a table of positions and pre-norm layers.

import Tensor

/// Sizes of Whisper's encoder.
public struct EncoderConfig: Sendable, Equatable {
  public var melBands: Int
  public var width: Int
  public var layers: Int
  public var heads: Int
  public var mlp: Int
  /// Positions of a full clip, 20 ms each.
  public var positions: Int

  public init(melBands: Int, width: Int, layers: Int, heads: Int, mlp: Int, positions: Int) {
    self.melBands = melBands
    self.width = width
    self.layers = layers
    self.heads = heads
    self.mlp = mlp
    self.positions = positions
  }

  /// Name and shape of every parameter behind `prefix`, with the names of the Hugging Face files.
  func parameterShapes(_ prefix: String) -> [String: [Int]] {
    var shapes: [String: [Int]] = [:]
    shapes[prefix + "conv1.weight"] = [width, melBands, 3]
    shapes[prefix + "conv1.bias"] = [width]
    shapes[prefix + "conv2.weight"] = [width, width, 3]
    shapes[prefix + "conv2.bias"] = [width]
    shapes[prefix + "embed_positions.weight"] = [positions, width]
    for i in 0..<layers {
      let layer = prefix + "layers.\(i)."
      for name in ["q", "k", "v", "out"] {
        shapes[layer + "self_attn.\(name)_proj.weight"] = [width, width]
        if name != "k" { shapes[layer + "self_attn.\(name)_proj.bias"] = [width] }
      }
      for norm in ["self_attn_layer_norm", "final_layer_norm"] {
        shapes[layer + norm + ".weight"] = [width]
        shapes[layer + norm + ".bias"] = [width]
      }
      shapes[layer + "fc1.weight"] = [mlp, width]
      shapes[layer + "fc1.bias"] = [mlp]
      shapes[layer + "fc2.weight"] = [width, mlp]
      shapes[layer + "fc2.bias"] = [width]
    }
    shapes[prefix + "layer_norm.weight"] = [width]
    shapes[prefix + "layer_norm.bias"] = [width]
    return shapes
  }

  /// The name that openai-whisper gives to what the Hugging Face files call `name`, both behind the
  /// encoder's prefix.
  static func originalName(_ name: String) -> String {
    var name = name
    for (new, old) in [
      ("embed_positions.weight", "positional_embedding"), ("layers.", "blocks."),
      ("self_attn_layer_norm", "attn_ln"), ("self_attn.q_proj", "attn.query"),
      ("self_attn.k_proj", "attn.key"), ("self_attn.v_proj", "attn.value"),
      ("self_attn.out_proj", "attn.out"), ("fc1", "mlp.0"), ("fc2", "mlp.2"),
      ("final_layer_norm", "mlp_ln"),
    ] {
      if let range = name.firstRange(of: new) { name.replaceSubrange(range, with: old) }
    }
    return name.hasPrefix("layer_norm.") ? "ln_post." + name.dropFirst("layer_norm.".count) : name
  }

  /// Whisper's table of positions, [sines | cosines] of geometric frequencies.
  public var sinusoids: Tensor {
    let half = width / 2
    var numbers = [Float](repeating: 0, count: positions * width)
    for j in 0..<half {
      let frequency = Elementary.exp(
        -Double(j) * Elementary.log(10_000) / Double(max(half - 1, 1)))
      for t in 0..<positions {
        numbers[t * width + j] = Float(Elementary.sin(Double(t) * frequency))
        numbers[t * width + half + j] = Float(Elementary.cos(Double(t) * frequency))
      }
    }
    return Tensor([positions, width], numbers)
  }
}

extension EncoderConfig {
  /// Seconds of a full clip.
  var seconds: Double { Double(positions) / 50 }

  /// The log-mel features of a recording at 16 kHz; of its beginning, where it is longer than a full
  /// clip.
  ///
  /// - Throws: where it is shorter than what makes one position, or unusable.
  func clip(_ wave: Waveform) throws -> Clip {
    try wave.checkUsable("the recording")
    let features = LogMel(bands: melBands, samples: 2 * positions * LogMel.hop)
    let frames = features.validFrames(samples: wave.samples.count)
    guard frames >= Clip.fewestFrames else {
      throw CheckpointError(
        "the audio lasts \(wave.duration) s; the model takes \(Clip.fewestFrames) frames of 10 ms "
          + "at least; record it again or pad it")
    }
    return Clip(mel: features(wave.samples), validFrames: frames)
  }
}

/// Whisper's encoder.
public struct WhisperEncoder: Sendable {
  public let config: EncoderConfig
  let convolution1: Linear
  let convolution2: Linear
  let positions: Matrix
  let blocks: [EncoderBlock]
  /// The norm behind the last layer; Qwen2-Audio pools before it.
  let norm: LayerNorm

  /// - Parameter prefix: what the names of its parameters begin with
  init(_ config: EncoderConfig, _ p: Weights, _ prefix: String) {
    self.config = config
    func convolution(_ name: String) -> Linear {
      Linear(
        weight: convolutionWeight(p.named(prefix + name + ".weight")),
        bias: p.named(prefix + name + ".bias"))
    }
    convolution1 = convolution("conv1")
    convolution2 = convolution("conv2")
    positions = p.matrix(prefix + "embed_positions.weight")
    blocks = (0..<config.layers).map { i in
      let layer = prefix + "layers.\(i)."
      return EncoderBlock(
        attentionNorm: p.layerNorm(layer + "self_attn_layer_norm"),
        attention: AttentionWeights(
          q: p.linear(layer + "self_attn.q_proj"), k: p.linear(layer + "self_attn.k_proj"),
          v: p.linear(layer + "self_attn.v_proj"), out: p.linear(layer + "self_attn.out_proj")),
        mlpNorm: p.layerNorm(layer + "final_layer_norm"), up: p.linear(layer + "fc1"),
        down: p.linear(layer + "fc2"), heads: config.heads)
    }
    norm = p.layerNorm(prefix + "layer_norm")
  }

  /// The residual stream that enters the first layer: two convolutions and positions;
  /// `encoder.embed`.
  public func embedded(_ sound: SoundBatch) -> Tensor {
    let mel = gatherRows(joiningRows(sound.clips.map(\.mel)), sound.melRows)
    let first = gelu(
      convolution1(unfolded(mel, from: sound.melLayout, to: sound.convolved, step: 1)))
    let second = gelu(
      convolution2(unfolded(first, from: sound.convolved, to: sound.encoder, step: 2)))
    return second + gatherRows(positions, sound.encoderPositions)
  }

  /// Runs on from before layer `layer` to behind the last one, without the norm.
  func callAsFunction(
    _ x: Tensor, from layer: Int = 0, layout: Layout, tap: Tap?
  ) -> Tensor {
    var x = x
    if layer == 0, let tap { x = tap(Site(.encoder, .embed), x) }
    for i in layer..<blocks.count { x = blocks[i](x, layer: i, layout: layout, tap: tap) }
    return x
  }

  /// The sites up to the last layer, from sound on.
  var sites: [Site] {
    [Site(.encoder, .embed)]
      + blocks.indices.flatMap { i in
        EncoderBlock.activations.map { Site(.encoder, i, $0) }
      }
  }
}
