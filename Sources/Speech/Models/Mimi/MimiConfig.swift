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
  /// Transformer positions that make one frame of codes.
  let downsampling: Int
  public let codebookSize: Int
  let codebookWidth: Int
  public let quantizers: Int
  let layers: Int
  let heads: Int
  let mlp: Int
  let window: Int
  let epsilon: Float
  let theta: Double
  /// What the names of its parameters begin with.
  let prefix: String

  public init(_ json: JSON, prefix: String = "") throws {
    self.prefix = prefix
    try json.requires("audio_channels", 1)
    try json.requires("use_causal_conv", true)
    try json.requires("pad_mode", "constant")
    try json.requires("trim_right_ratio", 1.0)
    try json.requires("use_conv_shortcut", false)
    try json.requires("hidden_act", "gelu")
    try json.requires("attention_bias", false)
    try json.requires("num_semantic_quantizers", 1)
    rate = try json.size("sampling_rate", usual: 24_000, upTo: 1 << 20)
    width = try json.size("hidden_size", usual: 512, upTo: 1 << 16)
    filters = try json.size("num_filters", usual: 64, upTo: 1 << 16)
    residualLayers = try json.size("num_residual_layers", usual: 1, upTo: 8)
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
    let rows = Double(rate) / Double(ratios.reduce(1, *))
    let frameRate = try json.positive("frame_rate", usual: 12.5)
    let framesPerRow = rows / frameRate
    downsampling = Int(min(framesPerRow, 0x1p20))
    codebookSize = try json.size("codebook_size", usual: 2048, upTo: 1 << 20)
    codebookWidth = try json.size("codebook_dim", usual: 256, upTo: 1 << 16)
    quantizers = try json.size("num_quantizers", usual: 32, upTo: 1024)
    layers = try json.size("num_hidden_layers", usual: 8, upTo: 1024)
    heads = try json.size("num_attention_heads", usual: 8, upTo: 1 << 16)
    mlp = try json.size("intermediate_size", usual: 2048, upTo: 1 << 20)
    window = try json.size("sliding_window", usual: 250, upTo: 1 << 24)
    epsilon = Float(try json.positive("norm_eps", usual: 1e-5))
    theta = try (json["rope_parameters"] ?? json).positive("rope_theta", usual: 10_000)
    for (fits, problem) in [
      (filters << ratios.count <= 1 << 20, "num_filters and upsampling_ratios"),
      (framesPerRow == Double(downsampling) && downsampling > 0, "frame_rate"),
      (Double(rate) / frameRate <= 0x1p20, "frame_rate makes frames of over a million samples"),
      (width % (2 * heads) == 0, "hidden_size is no even multiple of num_attention_heads"),
      (json["head_dim"] == nil || json["head_dim"]?.int == width / heads, "head_dim"),
      (json["num_key_value_heads"]?.int ?? heads == heads, "num_key_value_heads"),
      (filters % compression == 0, "compress does not divide num_filters"),
      (json["upsample_groups"]?.int ?? width == width, "upsample_groups should be hidden_size"),
      (
        json["vector_quantization_hidden_dimension"]?.int ?? codebookWidth == codebookWidth,
        "vector_quantization_hidden_dimension"
      ),
    ] where !fits {
      throw JSONError("the sizes of the codec do not fit together: \(problem)")
    }
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
      case .unit: break
      }
    }
    for stack in ["encoder_transformer", "decoder_transformer"] {
      for i in 0..<layers {
        let layer = prefix + "\(stack).layers.\(i)."
        for name in ["q", "k", "v", "o"] {
          shapes[layer + "self_attn.\(name)_proj.weight"] = [width, width]
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
    shapes[prefix + "upsample.conv.weight"] = [width, 1, 2 * downsampling]
    for (group, count) in [("semantic", 1), ("acoustic", quantizers - 1)] {
      let quantizer = prefix + "quantizer.\(group)_residual_vector_quantizer."
      shapes[quantizer + "input_proj.weight"] = [codebookWidth, width, 1]
      shapes[quantizer + "output_proj.weight"] = [width, codebookWidth, 1]
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
