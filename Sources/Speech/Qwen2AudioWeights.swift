// Reading, writing and drawing the weights of a Qwen2-Audio model.

import Tensor

/// The parameters of a model by their published names.
public typealias Parameters = [String: Tensor]

extension Qwen2AudioConfig {
  /// Name and shape of every parameter, in the published layout.
  public var parameterShapes: [String: [Int]] {
    var shapes: [String: [Int]] = [:]
    let d = encoderWidth
    let tower = "audio_tower."
    shapes[tower + "conv1.weight"] = [d, melBands, 3]
    shapes[tower + "conv1.bias"] = [d]
    shapes[tower + "conv2.weight"] = [d, d, 3]
    shapes[tower + "conv2.bias"] = [d]
    shapes[tower + "embed_positions.weight"] = [maxSourcePositions, d]
    for i in 0..<encoderLayers {
      let layer = tower + "layers.\(i)."
      for name in ["q", "k", "v", "out"] {
        shapes[layer + "self_attn.\(name)_proj.weight"] = [d, d]
        if name != "k" { shapes[layer + "self_attn.\(name)_proj.bias"] = [d] }
      }
      for norm in ["self_attn_layer_norm", "final_layer_norm"] {
        shapes[layer + norm + ".weight"] = [d]
        shapes[layer + norm + ".bias"] = [d]
      }
      shapes[layer + "fc1.weight"] = [encoderMLP, d]
      shapes[layer + "fc1.bias"] = [encoderMLP]
      shapes[layer + "fc2.weight"] = [d, encoderMLP]
      shapes[layer + "fc2.bias"] = [d]
    }
    shapes[tower + "layer_norm.weight"] = [d]
    shapes[tower + "layer_norm.bias"] = [d]
    shapes["multi_modal_projector.linear.weight"] = [width, d]
    shapes["multi_modal_projector.linear.bias"] = [width]

    let model = "language_model.model."
    let keyWidth = width / heads * keyHeads
    shapes[model + "embed_tokens.weight"] = [vocabulary, width]
    for i in 0..<layers {
      let layer = model + "layers.\(i)."
      for (name, size) in [("q", width), ("k", keyWidth), ("v", keyWidth)] {
        shapes[layer + "self_attn.\(name)_proj.weight"] = [size, width]
        shapes[layer + "self_attn.\(name)_proj.bias"] = [size]
      }
      shapes[layer + "self_attn.o_proj.weight"] = [width, width]
      shapes[layer + "mlp.gate_proj.weight"] = [mlp, width]
      shapes[layer + "mlp.up_proj.weight"] = [mlp, width]
      shapes[layer + "mlp.down_proj.weight"] = [width, mlp]
      shapes[layer + "input_layernorm.weight"] = [width]
      shapes[layer + "post_attention_layernorm.weight"] = [width]
    }
    shapes[model + "norm.weight"] = [width]
    if !tiesEmbeddings { shapes["language_model.lm_head.weight"] = [vocabulary, width] }
    return shapes
  }

  /// The names under which newer files keep the same parameter.
  static func aliases(_ name: String) -> [String] {
    if name.hasPrefix("language_model.model.") {
      return [name, "model.language_model." + name.dropFirst("language_model.model.".count)]
    }
    if name == "language_model.lm_head.weight" { return [name, "lm_head.weight"] }
    return [name, "model." + name]
  }

  /// Whisper's table of positions, [sines | cosines] of geometric frequencies.
  public var sinusoids: Tensor {
    let half = encoderWidth / 2
    var numbers = [Float](repeating: 0, count: maxSourcePositions * encoderWidth)
    for j in 0..<half {
      let frequency = Elementary.exp(
        -Double(j) * Elementary.log(10_000) / Double(max(half - 1, 1)))
      for t in 0..<maxSourcePositions {
        numbers[t * encoderWidth + j] = Float(Elementary.sin(Double(t) * frequency))
        numbers[t * encoderWidth + half + j] = Float(Elementary.cos(Double(t) * frequency))
      }
    }
    return Tensor([maxSourcePositions, encoderWidth], numbers)
  }

  /// Reads every parameter, checked for shape and finiteness.
  public func parameters(from checkpoint: Checkpoint) throws -> Parameters {
    var parameters: Parameters = [:]
    for (name, shape) in parameterShapes.sorted(by: { $0.key < $1.key }) {
      let aliases = Qwen2AudioConfig.aliases(name)
      if name == "audio_tower.embed_positions.weight" && !checkpoint.contains(aliases) {
        parameters[name] = sinusoids
      } else {
        parameters[name] = try checkpoint.tensor(aliases, shape: shape)
      }
    }
    return parameters
  }

  /// Parameters drawn at random: linear maps with a deviation of 0.7 / sqrt(inputs), smaller where
  /// they write to the residual stream; norms at 1; embeddings with 0.5.
  public func randomParameters(_ random: Random) -> Parameters {
    var parameters: Parameters = [:]
    for (name, shape) in parameterShapes {
      let stream = random.split(name)
      if name.hasSuffix("embed_positions.weight") {
        parameters[name] = (sinusoids * 0.3).detached
      } else if name.hasSuffix("bias") {
        parameters[name] = Tensor(shape)
      } else if shape.count == 1 {
        parameters[name] = Tensor(shape, repeating: 1)
      } else if name.hasSuffix("embed_tokens.weight") {
        parameters[name] = Tensor(shape, normal: 0.5, stream)
      } else {
        let inputs = Double(shape.dropFirst().reduce(1, *))
        var deviation = 0.7 / inputs.squareRoot()
        let writes = ["out_proj.weight", "fc2.weight", "o_proj.weight", "down_proj.weight"]
        if writes.contains(where: { name.hasSuffix($0) }) {
          let depth = name.hasPrefix("audio_tower") ? encoderLayers : layers
          deviation /= Double(2 * depth).squareRoot()
        }
        parameters[name] = Tensor(shape, normal: deviation, stream)
      }
    }
    return parameters
  }
}

extension Parameters {
  /// The tensor of this name; all names were checked when the parameters were made.
  func named(_ name: String) -> Tensor {
    guard let tensor = self[name] else { preconditionFailure("no parameter \(name)") }
    return tensor
  }

  func linear(_ prefix: String) -> Linear {
    Linear(weight: named(prefix + ".weight"), bias: self[prefix + ".bias"])
  }

  func layerNorm(_ prefix: String) -> LayerNorm {
    LayerNorm(weight: named(prefix + ".weight"), bias: named(prefix + ".bias"))
  }
}
