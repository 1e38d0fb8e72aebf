// The sizes of Mimi (Défossez et al., 2024), Moshi's codec, and the names of its parameters.

import JSON
import Tensor

/// Sizes of a Mimi codec.
public struct MimiConfig: ModelConfig, Equatable {
  public let rate: Int
  let width: Int
  let filters: Int
  let residualLayers: Int
  /// Strides from the slowest to the fastest rate; the encoder takes them from the end.
  let ratios: [Int]
  let kernel: Int
  let lastKernel: Int
  let residualKernel: Int
  let dilationGrowth: Int
  let compression: Int
  /// Whether a residual layer adds to a convolution of its input, where it adds to the input.
  let hasShortcut: Bool
  /// Transformer positions that make one frame of codes.
  let downsampling: Int
  /// Groups of channels on the way back to the transformer's positions.
  let upsampleGroups: Int
  public let codebookSize: Int
  let codebookWidth: Int
  public let quantizers: Int
  /// The first of them, each on the latent alone.
  let semanticQuantizers: Int
  let layers: Int
  let heads: Int
  let keyHeads: Int
  let headWidth: Int
  let hasAttentionBiases: Bool
  let mlp: Int
  let window: Int
  let epsilon: Float
  let theta: Double
  let ropeScaling: RopeScaling?
  /// What the names of its parameters begin with.
  let prefix: String

  public init(_ json: JSON, prefix: String = "") throws {
    self.prefix = prefix
    try json.requires("audio_channels", 1)
    try json.requires("use_causal_conv", true)
    try json.requires("pad_mode", "constant")
    try json.requires("trim_right_ratio", 1.0)
    try json.requires("hidden_act", "gelu")
    rate = try json.size("sampling_rate", usual: 24_000, upTo: 1 << 20)
    width = try json.size("hidden_size", usual: 512, upTo: 1 << 16)
    filters = try json.size("num_filters", usual: 64, upTo: 1 << 16)
    residualLayers = try json.size("num_residual_layers", usual: 1, from: 0, upTo: 8)
    let list = json["upsampling_ratios"]?.elements ?? [8, 6, 5, 4]
    ratios = list.compactMap(\.int).filter { (1...1024).contains($0) }
    guard ratios.count == list.count, ratios.count <= 6 else {
      throw JSONError("\"upsampling_ratios\" should be up to 6 whole numbers from 1 to 1024")
    }
    kernel = try json.size("kernel_size", usual: 7, upTo: 1024)
    lastKernel = try json.size("last_kernel_size", usual: 3, upTo: 1024)
    residualKernel = try json.size("residual_kernel_size", usual: 3, upTo: 1024)
    dilationGrowth = try json.size("dilation_growth_rate", usual: 2, upTo: 16)
    compression = try json.size("compress", usual: 2, upTo: 1 << 16)
    hasShortcut = json["use_conv_shortcut"]?.bool ?? false
    // As the reference: rounded up, and down; half as many frames where nothing is said.
    let hop = ratios.reduce(1, *)
    let rowRate = (Double(rate) / Double(hop)).rounded(.up)
    let key = json["frame_rate"] == nil ? "_frame_rate" : "frame_rate"
    let frameRate = try json.positive(key, usual: Double(rate) / Double(2 * hop))
    downsampling = Int(min(rowRate / frameRate, 0x1p20))
    codebookSize = try json.size("codebook_size", usual: 2048, upTo: 1 << 20)
    codebookWidth = try json.size("codebook_dim", usual: 256, upTo: 1 << 16)
    quantizers = try json.size("num_quantizers", usual: 32, upTo: 1024)
    semanticQuantizers = try json.size("num_semantic_quantizers", usual: 1, upTo: 1024)
    layers = try json.size("num_hidden_layers", usual: 8, upTo: 1024)
    heads = try json.size("num_attention_heads", usual: 8, upTo: 1 << 16)
    keyHeads = try json.size("num_key_value_heads", usual: heads, upTo: 1 << 16)
    headWidth = try json.headWidth() ?? width / heads
    hasAttentionBiases = json["attention_bias"]?.bool ?? false
    mlp = try json.size("intermediate_size", usual: 2048, upTo: 1 << 20)
    window = try json.size("sliding_window", usual: 250, upTo: 1 << 24)
    epsilon = Float(try json.positive("norm_eps", usual: 1e-5))
    theta = try (json["rope_parameters"] ?? json).rotaryBase()
    ropeScaling = try json.ropeScaling()
    upsampleGroups = try json.size("upsample_groups", usual: width, upTo: 1 << 16)
    let quantized = json["vector_quantization_hidden_dimension"]?.int ?? codebookWidth
    for (fits, problem) in [
      (filters << ratios.count <= 1 << 20, "num_filters and upsampling_ratios"),
      (frameRate < rowRate, "frame_rate is no lower than that of the transformers"),
      (Double(rate) / frameRate <= 0x1p20, "frame_rate makes frames of over a million samples"),
      (width % heads == 0, "hidden_size is no multiple of num_attention_heads"),
      (headWidth % 2 == 0, "the width of a head is odd"),
      (heads % keyHeads == 0, "num_attention_heads is no multiple of num_key_value_heads"),
      (filters >= compression, "compress is larger than num_filters"),
      (width % upsampleGroups == 0, "hidden_size is no multiple of upsample_groups"),
      (semanticQuantizers <= quantizers, "num_semantic_quantizers"),
      (quantized == codebookWidth, "vector_quantization_hidden_dimension"),
    ] where !fits {
      throw JSONError("the sizes of the codec do not fit together: \(problem)")
    }
  }

  /// The chains of codebooks, and how many are in each.
  var quantizerGroups: [(name: String, count: Int)] {
    [("semantic", semanticQuantizers), ("acoustic", quantizers - semanticQuantizers)]
  }

  /// Samples of one frame of codes.
  public var frame: Int { ratios.reduce(1, *) * downsampling }

  /// Positions of the transformers that make one frame of codes.
  public var rowsPerFrame: Int { downsampling }

  /// Milliseconds of one frame.
  public var frameDuration: Double { 1000 * Double(frame) / Double(rate) }

  /// One step of the convolutional stacks: what stands at an index of the reference's list.
  enum Step: Equatable {
    case convolution(name: String, inputs: Int, outputs: Int, kernel: Int, stride: Int)
    case transposed(name: String, inputs: Int, outputs: Int, kernel: Int, stride: Int)
    case residual(name: String, channels: Int, dilation: Int)
    case unit
  }

  /// The encoder's convolutions, from samples on.
  var encoderSteps: [Step] {
    var steps: [Step] = []
    func add(_ make: (String) -> Step) { steps.append(make("encoder.layers.\(steps.count)")) }
    var channels = filters
    add { .convolution(name: $0, inputs: 1, outputs: channels, kernel: kernel, stride: 1) }
    for ratio in ratios.reversed() {
      addResiduals(&steps, "encoder", channels)
      steps.append(.unit)
      add {
        .convolution(
          name: $0, inputs: channels, outputs: 2 * channels, kernel: 2 * ratio, stride: ratio)
      }
      channels *= 2
    }
    steps.append(.unit)
    add {
      .convolution(name: $0, inputs: channels, outputs: width, kernel: lastKernel, stride: 1)
    }
    return steps
  }

  /// The decoder's convolutions, to samples.
  var decoderSteps: [Step] {
    var steps: [Step] = []
    func add(_ make: (String) -> Step) { steps.append(make("decoder.layers.\(steps.count)")) }
    var channels = filters << ratios.count
    add { .convolution(name: $0, inputs: width, outputs: channels, kernel: kernel, stride: 1) }
    for ratio in ratios {
      steps.append(.unit)
      add {
        .transposed(
          name: $0, inputs: channels, outputs: channels / 2, kernel: 2 * ratio, stride: ratio)
      }
      channels /= 2
      addResiduals(&steps, "decoder", channels)
    }
    steps.append(.unit)
    add { .convolution(name: $0, inputs: channels, outputs: 1, kernel: lastKernel, stride: 1) }
    return steps
  }

  private func addResiduals(_ steps: inout [Step], _ stack: String, _ channels: Int) {
    var dilation = 1
    for _ in 0..<residualLayers {
      steps.append(
        .residual(
          name: "\(stack).layers.\(steps.count)", channels: channels, dilation: dilation))
      dilation *= dilationGrowth
    }
  }

  public var parameterShapes: [String: [Int]] {
    var shapes: [String: [Int]] = [:]
    func convolution(_ name: String, _ shape: [Int], _ outputs: Int) {
      shapes[prefix + name + ".conv.weight"] = shape
      shapes[prefix + name + ".conv.bias"] = [outputs]
    }
    for step in encoderSteps + decoderSteps {
      switch step {
      case .convolution(let name, let inputs, let outputs, let kernel, _):
        convolution(name, [outputs, inputs, kernel], outputs)
      case .transposed(let name, let inputs, let outputs, let kernel, _):
        convolution(name, [inputs, outputs, kernel], outputs)
      case .residual(let name, let channels, _):
        let hidden = channels / compression
        convolution(name + ".block.1", [hidden, channels, residualKernel], hidden)
        convolution(name + ".block.3", [channels, hidden, 1], channels)
        if hasShortcut { convolution(name + ".shortcut", [channels, channels, 1], channels) }
      case .unit: break
      }
    }
    for stack in ["encoder_transformer", "decoder_transformer"] {
      for i in 0..<layers {
        let layer = prefix + "\(stack).layers.\(i)."
        let (queryWidth, keyWidth) = (heads * headWidth, keyHeads * headWidth)
        for (name, outputs, inputs) in [
          ("q", queryWidth, width), ("k", keyWidth, width), ("v", keyWidth, width),
          ("o", width, queryWidth),
        ] {
          let projection = layer + "self_attn.\(name)_proj"
          shapes[projection + ".weight"] = [outputs, inputs]
          if hasAttentionBiases { shapes[projection + ".bias"] = [outputs] }
        }
        shapes[layer + "mlp.fc1.weight"] = [mlp, width]
        shapes[layer + "mlp.fc2.weight"] = [width, mlp]
        for norm in ["input_layernorm", "post_attention_layernorm"] {
          shapes[layer + norm + ".weight"] = [width]
          shapes[layer + norm + ".bias"] = [width]
        }
        shapes[layer + "self_attn_layer_scale.scale"] = [width]
        shapes[layer + "mlp_layer_scale.scale"] = [width]
      }
    }
    shapes[prefix + "downsample.conv.weight"] = [width, width, 2 * downsampling]
    shapes[prefix + "upsample.conv.weight"] = [width, width / upsampleGroups, 2 * downsampling]
    for (group, count) in quantizerGroups {
      let quantizer = prefix + "quantizer.\(group)_residual_vector_quantizer."
      if codebookWidth != width {
        shapes[quantizer + "input_proj.weight"] = [codebookWidth, width, 1]
        shapes[quantizer + "output_proj.weight"] = [width, codebookWidth, 1]
      }
      for i in 0..<count {
        let book = quantizer + "layers.\(i).codebook."
        shapes[book + "embed_sum"] = [codebookSize, codebookWidth]
        shapes[book + "cluster_usage"] = [codebookSize]
      }
    }
    return shapes
  }

  /// The names in kyutai's files; what lies fused there is split by `MimiNames`.
  public func aliases(of name: String) -> [String] {
    let original = MimiNames.original(String(name.dropFirst(prefix.count)))
    return [
      name, original, original.replacing("out_proj.weight", with: "out_projs.0.weight"),
      original.replacing("embedding_sum", with: "embed_sum"),
      original.replacing("embedding_sum", with: "embed_avg"),
      original.replacing("cluster_usage", with: "cluster_size"),
    ]
  }
}
