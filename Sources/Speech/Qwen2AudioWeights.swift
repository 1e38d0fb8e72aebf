// Reading, writing and drawing the weights of a Qwen2-Audio model.

import Tensor

/// The parameters of a model by their published names.
public typealias Parameters = [String: Tensor]

extension Qwen2AudioConfig {
  public var encoder: EncoderConfig {
    EncoderConfig(
      melBands: melBands, width: encoderWidth, layers: encoderLayers, heads: encoderHeads,
      mlp: encoderMLP, positions: maxSourcePositions)
  }

  public var lm: DecoderConfig {
    DecoderConfig(
      vocabulary: vocabulary, width: width, layers: layers, heads: heads, keyHeads: keyHeads,
      mlp: mlp, maxPositions: maxPositions, epsilon: epsilon, theta: theta, hasBiases: true,
      tiesEmbeddings: tiesEmbeddings)
  }

  public var sound: SoundShape {
    SoundShape(
      melBands: melBands, positions: maxSourcePositions, masksPadding: true, positionsPerRow: 2,
      placeholder: audioToken, vocabulary: vocabulary, maxTokens: maxPositions)
  }

  public var encoderPrefix: String { "audio_tower." }
  public var lmPrefix: String { "language_model.model." }
  public var headName: String { "language_model.lm_head.weight" }

  public func connector(_ parameters: Parameters) -> any Connector {
    PooledConnector(projection: parameters.linear("multi_modal_projector.linear"))
  }

  /// Name and shape of every parameter, in the published layout.
  public var parameterShapes: [String: [Int]] {
    var shapes = encoder.parameterShapes(encoderPrefix)
    shapes["multi_modal_projector.linear.weight"] = [width, encoderWidth]
    shapes["multi_modal_projector.linear.bias"] = [width]
    return shapes.merging(lm.parameterShapes(lmPrefix, head: headName)) { $1 }
  }

  /// The names under which newer files keep the same parameter.
  static func aliases(_ name: String) -> [String] {
    if name.hasPrefix("language_model.model.") {
      return [name, "model.language_model." + name.dropFirst("language_model.model.".count)]
    }
    if name == "language_model.lm_head.weight" { return [name, "lm_head.weight"] }
    return [name, "model." + name]
  }

  /// Reads every parameter, checked for shape and finiteness.
  public func parameters(from checkpoint: Checkpoint) throws -> Parameters {
    var parameters: Parameters = [:]
    for (name, shape) in parameterShapes.sorted(by: { $0.key < $1.key }) {
      let aliases = Qwen2AudioConfig.aliases(name)
      if name == "audio_tower.embed_positions.weight" && !checkpoint.contains(aliases) {
        parameters[name] = encoder.sinusoids
      } else {
        parameters[name] = try checkpoint.tensor(aliases, shape: shape)
      }
    }
    return parameters
  }
}

extension AudioLanguageConfig {
  /// Parameters drawn at random: linear maps with a deviation of 0.7 / sqrt(inputs), smaller where
  /// they write to the residual stream; norms at 1; embeddings with 0.5.
  public func randomParameters(_ random: Random) -> Parameters {
    var parameters: Parameters = [:]
    for (name, shape) in parameterShapes {
      let stream = random.split(name)
      if name.hasSuffix("embed_positions.weight") {
        parameters[name] = (encoder.sinusoids * 0.3).detached
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
          let depth = name.hasPrefix(encoderPrefix) ? encoder.layers : lm.layers
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
