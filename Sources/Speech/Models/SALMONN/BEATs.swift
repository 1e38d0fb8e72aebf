// BEATs (Chen et al., 2022), SALMONN's second ear: patches of a filterbank image, a convolution over
// positions, and post-norm layers whose attention adds a gated bias of relative position.

import JSON
import Tensor

extension Site.Stage {
  static let beats = Site.Stage(rawValue: "beats")
}

extension Site.Activation {
  static let patch = Site.Activation(rawValue: "patch")
  static let gate = Site.Activation(rawValue: "attn.gate")
  /// Behind the first norm of a post-norm layer; `resid_mid` is before it.
  static let mid = Site.Activation(rawValue: "mid")
}

/// Sizes of a BEATs encoder.
public struct BEATsConfig: Sendable, Equatable {
  let patchSize: Int
  let patchWidth: Int
  let hasPatchBias: Bool
  let width: Int
  let layers: Int
  let heads: Int
  let mlp: Int
  let convolutionWidth: Int
  let convolutionGroups: Int
  let hasDeepNorm: Bool
  let hasPositionBias: Bool
  let isGated: Bool
  let buckets: Int
  let maxDistance: Int

  init(_ json: JSON) throws {
    try json.requires("activation_fn", "gelu")
    try json.requires("layer_norm_first", false)
    patchSize = try json.size("input_patch_size", usual: 16, upTo: KaldiFilterbank.bands)
    patchWidth = try json.size("embed_dim", usual: 512, upTo: 1 << 20)
    hasPatchBias = json["conv_bias"]?.bool ?? false
    width = try json.size("encoder_embed_dim", usual: 768, upTo: 1 << 20)
    layers = try json.size("encoder_layers", usual: 12, upTo: 1024)
    heads = try json.size("encoder_attention_heads", usual: 12, upTo: 1 << 20)
    mlp = try json.size("encoder_ffn_embed_dim", usual: 3072, upTo: 1 << 24)
    convolutionWidth = try json.size("conv_pos", usual: 128, upTo: 1 << 16)
    convolutionGroups = try json.size("conv_pos_groups", usual: 16, upTo: 1 << 16)
    hasDeepNorm = json["deep_norm"]?.bool ?? true
    hasPositionBias = json["relative_position_embedding"]?.bool ?? true
    isGated = json["gru_rel_pos"]?.bool ?? true
    buckets = try json.size("num_buckets", usual: 320, upTo: 1 << 20)
    maxDistance = try json.size("max_distance", usual: 800, upTo: 1 << 24)
    for (fits, problem) in [
      (width % heads == 0, "encoder_embed_dim is no multiple of encoder_attention_heads"),
      (width % convolutionGroups == 0, "encoder_embed_dim is no multiple of conv_pos_groups"),
      (KaldiFilterbank.bands % patchSize == 0, "input_patch_size does not divide the 128 bands"),
      (buckets % 4 == 0 && maxDistance > buckets / 4, "num_buckets and max_distance"),
    ] where !fits {
      throw JSONError("the sizes of \"beats\" do not fit together: \(problem)")
    }
  }

  /// Patches above each other at one time.
  var bandsOfPatches: Int { KaldiFilterbank.bands / patchSize }

  /// Tokens of so many frames.
  func tokens(frames: Int) -> Int { frames / patchSize * bandsOfPatches }

  func parameterShapes(_ prefix: String) -> [String: [Int]] {
    var shapes: [String: [Int]] = [:]
    func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
      shapes[prefix + name + ".weight"] = [outputs, inputs]
      shapes[prefix + name + ".bias"] = [outputs]
    }
    func norm(_ name: String, _ size: Int) {
      shapes[prefix + name + ".weight"] = [size]
      shapes[prefix + name + ".bias"] = [size]
    }
    shapes[prefix + "patch_embedding.weight"] = [patchWidth, 1, patchSize, patchSize]
    if hasPatchBias { shapes[prefix + "patch_embedding.bias"] = [patchWidth] }
    norm("layer_norm", patchWidth)
    if patchWidth != width { linear("post_extract_proj", width, patchWidth) }
    let position = "encoder.pos_conv.0."
    shapes[prefix + position + "weight_g"] = [1, 1, convolutionWidth]
    shapes[prefix + position + "weight_v"] = [width, width / convolutionGroups, convolutionWidth]
    shapes[prefix + position + "bias"] = [width]
    norm("encoder.layer_norm", width)
    if hasPositionBias {
      shapes[prefix + BEATs.table] = [buckets, heads]
    }
    for i in 0..<layers {
      let layer = "encoder.layers.\(i)."
      for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
        linear(layer + "self_attn.\(name)", width, width)
      }
      if hasPositionBias && isGated {
        linear(layer + "self_attn.grep_linear", 8, width / heads)
        shapes[prefix + layer + "self_attn.grep_a"] = [1, heads, 1, 1]
      }
      norm(layer + "self_attn_layer_norm", width)
      linear(layer + "fc1", mlp, width)
      linear(layer + "fc2", width, mlp)
      norm(layer + "final_layer_norm", width)
    }
    return shapes
  }
}

/// A BEATs encoder.
struct BEATs: Sendable {
  static let table = "encoder.layers.0.self_attn.relative_attention_bias.weight"

  let config: BEATsConfig
  private let patch: Linear
  private let patchNorm: LayerNorm
  private let projection: Linear?
  private let convolution: [Linear]
  private let norm: LayerNorm
  private let table: Tensor?
  private let blocks: [BEATsBlock]

  init(_ config: BEATsConfig, _ p: Weights, _ prefix: String) {
    self.config = config
    let size = config.patchSize * config.patchSize
    patch = Linear(
      weight: p.named(prefix + "patch_embedding.weight").reshaped([config.patchWidth, size]),
      bias: p[prefix + "patch_embedding.bias"]?.floats)
    patchNorm = p.layerNorm(prefix + "layer_norm")
    projection = config.patchWidth == config.width ? nil : p.linear(prefix + "post_extract_proj")
    let position = prefix + "encoder.pos_conv.0."
    convolution = groupedConvolution(
      p.named(position + "weight_g"), p.named(position + "weight_v"), p.named(position + "bias"),
      groups: config.convolutionGroups)
    norm = p.layerNorm(prefix + "encoder.layer_norm")
    table = config.hasPositionBias ? p.named(prefix + Self.table) : nil
    blocks = (0..<config.layers).map { BEATsBlock(config, p, prefix + "encoder.layers.\($0).") }
  }

  /// The tokens of each clip.
  func layout(of clips: [Clip]) -> Layout {
    let counts = clips.map { config.tokens(frames: $0.filterbank?.rows ?? 0) }
    return Layout(counts: counts, visible: counts.map { .all(keys: $0) })
  }

  /// [tokens, width] in `layout`; token j is the patch j / bands in time, j % bands in frequency.
  func embedded(_ clips: [Clip], _ layout: Layout, tap: Tap?) -> Tensor {
    func at(_ activation: Site.Activation, _ value: Tensor) -> Tensor {
      tap?(Site(.beats, activation), value) ?? value
    }
    let patches = at(.patch, patch(patched(clips, layout)))
    let normed = patchNorm(patches)
    let x = projection?(normed) ?? normed
    return at(.embed, norm(x + positions(x, layout)))
  }

  var layers: Int { blocks.count }

  /// One layer over whole clips.
  func layer(_ index: Int, _ x: Tensor, _ layout: Layout, tap: Tap?) -> Tensor {
    blocks[index](
      x, layer: index, places: PatternLayout(layout, heads: config.heads), table: table,
      buckets: config.hasPositionBias ? distanceBuckets(layout) : [], tap: tap)
  }

  /// Each square of the image as one row, time before frequency.
  private func patched(_ clips: [Clip], _ layout: Layout) -> Tensor {
    let (size, across) = (config.patchSize, config.bandsOfPatches)
    var rows = [Float](repeating: 0, count: layout.rows * size * size)
    for (clip, sequence) in zip(clips, layout.sequences) {
      guard let image = clip.filterbank else { continue }
      image.withNumbers { numbers in
        for token in 0..<sequence.count {
          let (time, band) = (token / across * size, token % across * size)
          for i in 0..<size {
            let source = (time + i) * image.width + band
            let target = ((sequence.start + token) * size + i) * size
            for j in 0..<size { rows[target + j] = numbers[source + j] }
          }
        }
      }
    }
    return Tensor([layout.rows, size * size], rows)
  }

  /// The convolution over tokens, each group of channels by itself; an even width drops the last
  /// output, as the reference does.
  private func positions(_ x: Tensor, _ layout: Layout) -> Tensor {
    let (k, group) = (config.convolutionWidth, config.width / config.convolutionGroups)
    return gelu(
      joiningColumns(
        convolution.enumerated().map { g, weights in
          weights(
            unfolded(
              x, from: layout, to: layout, kernel: k, step: 1, left: k / 2,
              columns: g * group..<(g + 1) * group))
        }))
  }

  /// The bucket of each distance j - i, from the most negative on.
  private func distanceBuckets(_ layout: Layout) -> [Int] {
    let longest = layout.sequences.map(\.count).max() ?? 0
    let (half, exact) = (config.buckets / 2, config.buckets / 4)
    let range = Elementary.log(Double(config.maxDistance) / Double(exact))
    return (-longest...longest).map { distance in
      let (side, length) = (distance > 0 ? half : 0, abs(distance))
      if length < exact { return side + length }
      let log = Float(Elementary.log(Double(Float(length) / Float(exact))))
      let place = exact + Int(log / Float(range) * Float(half - exact))
      return side + min(place, half - 1)
    }
  }

  var sites: [Site] {
    [Site(.beats, .patch), Site(.beats, .embed)]
      + blocks.indices.flatMap { i in
        BEATsBlock.activations.filter { config.hasPositionBias && config.isGated || $0 != .gate }
          .map { Site(.beats, i, $0) }
      }
  }

  func place(of site: Site, in layout: Layout, _ copy: Copy) -> Place {
    let across = config.bandsOfPatches
    let frames = Double(config.patchSize) * 10
    func span(_ token: Int) -> TimeSpan {
      let start = Double(token / across) * frames
      return TimeSpan(start, start + frames + 15)
    }
    if site.activation == .gate { return Place(layout, heads: config.heads, copy, span: span) }
    return site.place(in: layout, heads: config.heads, keyHeads: config.heads, copy, span: span)
  }
}

/// BEATs as SALMONN hears through it: the encoder and a norm behind it, whose output joins Whisper's.
public struct SecondEncoder: Sendable {
  let beats: BEATs
  let norm: LayerNorm

  /// Where its output is read.
  let output = Site(Site.Stage(rawValue: "fuse"), Site.Activation(rawValue: "audio"))

  var sites: [Site] { beats.sites + [output] }

  /// All of it, for whole clips.
  func callAsFunction(_ clips: [Clip], tap: Tap?) -> Tensor {
    let layout = beats.layout(of: clips)
    var x = beats.embedded(clips, layout, tap: tap)
    for i in 0..<beats.layers { x = beats.layer(i, x, layout, tap: tap) }
    return heard(x, tap: tap)
  }

  /// The output, from behind the last layer.
  func heard(_ x: Tensor, tap: Tap?) -> Tensor {
    let normed = norm(x)
    return tap?(output, normed) ?? normed
  }

  func place(of site: Site, clips: [Clip], _ copy: Copy) -> Place {
    beats.place(of: site, in: beats.layout(of: clips), copy)
  }
}

/// The linear maps of a convolution with weight normalisation: each tap's weights have the norm that
/// `gains` says.
private func groupedConvolution(_ gains: Tensor, _ weights: Tensor, _ bias: Tensor, groups: Int)
  -> [Linear]
{
  let (outputs, inputs, taps) = (weights.shape[0], weights.shape[1], weights.shape[2])
  let (v, g, b) = (weights.numbers, gains.numbers, bias.numbers)
  var squares = [Double](repeating: 0, count: taps)
  for i in v.indices { squares[i % taps] += Double(v[i]) * Double(v[i]) }
  let scales = (0..<taps).map { g[$0] / Float(squares[$0].squareRoot()) }
  let share = outputs / groups
  return (0..<groups).map { group in
    var weight = [Float](repeating: 0, count: share * taps * inputs)
    for o in 0..<share {
      for i in 0..<inputs {
        for tap in 0..<taps {
          weight[(o * taps + tap) * inputs + i] =
            v[((group * share + o) * inputs + i) * taps + tap] * scales[tap]
        }
      }
    }
    return Linear(
      weight: Tensor([share, taps * inputs], weight),
      bias: Tensor([share], Array(b[group * share..<(group + 1) * share])))
  }
}
