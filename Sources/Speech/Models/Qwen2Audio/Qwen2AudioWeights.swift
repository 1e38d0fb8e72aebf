// The parts and names of a Qwen2-Audio model.

extension Qwen2AudioConfig {
  public var encoder: EncoderConfig {
    EncoderConfig(
      melBands: melBands, width: encoderWidth, layers: encoderLayers, heads: encoderHeads,
      mlp: encoderMLP, positions: maxSourcePositions)
  }

  public var lm: DecoderConfig {
    DecoderConfig(
      vocabulary: vocabulary, width: width, layers: layers, heads: heads, keyHeads: keyHeads,
      mlp: mlp, maxPositions: maxPositions, epsilon: epsilon, theta: theta,
      ropeScaling: ropeScaling, givenHeadWidth: givenHeadWidth, biases: .queriesKeysValues,
      tiesEmbeddings: tiesEmbeddings, lowRank: lowRank)
  }

  public var sound: SoundShape {
    SoundShape(
      melBands: melBands, positions: maxSourcePositions, masksPadding: true, positionsPerRow: 2,
      positionsBetweenRows: 2,
      placeholder: audioToken, vocabulary: vocabulary, maxTokens: maxPositions)
  }

  public var encoderPrefix: String { "audio_tower." }
  public var lmPrefix: String { "language_model.model." }
  public var headName: String { "language_model.lm_head.weight" }

  public func connector(_ parameters: Weights) -> any Connector {
    PooledConnector(projector: Projector(parameters))
  }

  /// Name and shape of every parameter, in the published layout.
  public var parameterShapes: [String: [Int]] {
    var shapes = encoder.parameterShapes(encoderPrefix)
    shapes.merge(projectorShapes) { $1 }
    return shapes.merging(lm.parameterShapes(lmPrefix, head: headName)) { $1 }
  }

  private var projectorShapes: [String: [Int]] {
    Projector.shapes(from: encoderWidth, to: width, hasLayersBeside: hasLayersBeside)
  }

  /// The names under which newer files keep the same parameter.
  public func aliases(of name: String) -> [String] {
    if name.hasPrefix("language_model.model.") {
      return [name, "model.language_model." + name.dropFirst("language_model.model.".count)]
    }
    if name == "language_model.lm_head.weight" { return [name, "lm_head.weight"] }
    return [name, "model." + name]
  }
}
