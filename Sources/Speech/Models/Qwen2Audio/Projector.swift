// The projector of a Qwen2-Audio: one linear layer, as published, with two layers beside it where that is
// tried; how it is drawn before it is trained, and the same halves with another one.

import JSON
import Tensor

/// From the encoder's pooled output to the language model's width.
public struct Projector: Sendable {
  let linear: Linear
  /// Two layers with a GELU between them, which are added.
  let beside: (first: Linear, second: Linear)?

  private static let name = "multi_modal_projector"

  init(_ weights: Weights) {
    func layer(_ name: String) -> Linear { weights.linear("\(Projector.name).\(name)") }
    linear = layer("linear")
    let isAlone = weights["\(Projector.name).linear_1.weight"] == nil
    beside = isAlone ? nil : (layer("linear_1"), layer("linear_2"))
  }

  /// A projector of parameters by their names, as training holds them.
  public init(_ parameters: Parameters) { self.init(Weights(parameters)) }

  /// Name and shape of every parameter.
  static func shapes(from inputs: Int, to width: Int, hasLayersBeside: Bool) -> [String: [Int]] {
    var shapes = ["\(name).linear.weight": [width, inputs], "\(name).linear.bias": [width]]
    guard hasLayersBeside else { return shapes }
    shapes["\(name).linear_1.weight"] = [width, inputs]
    shapes["\(name).linear_1.bias"] = [width]
    shapes["\(name).linear_2.weight"] = [width, width]
    return shapes
  }

  /// Layers that begin by adding nothing: the first is drawn, the second zero.
  public static func drawnBeside(_ config: Qwen2AudioConfig, _ random: Random) -> Parameters {
    let inputs = config.encoderWidth
    return [
      "\(name).linear_1.weight": Tensor(
        [config.width, inputs], normal: (1 / Double(inputs)).squareRoot(), random),
      "\(name).linear_1.bias": Tensor([config.width]),
      "\(name).linear_2.weight": Tensor([config.width, config.width]),
    ]
  }

  /// - Parameter heard: [audio tokens, width of the encoder]
  /// - Returns: [audio tokens, width of the language model]
  public func callAsFunction(_ heard: Tensor) -> Tensor {
    beside.map { linear(heard) + $0.second(gelu($0.first(heard))) } ?? linear(heard)
  }
}

/// The first projector: drawn so that its outputs are as large as the language model's own embeddings,
/// for inputs of unit variance, as the encoder's final norm gives them.
///
/// - Parameter languageModel: the folder of the language model
public func drawnProjector(
  _ config: Qwen2AudioConfig, languageModel: String, _ random: Random
) throws -> Parameters {
  // Every hundredth token tells how large embeddings are.
  let some = try TextModel(folder: languageModel)
    .embedded(Array(stride(from: 0, to: config.vocabulary, by: 100))).numbers
  let squares = some.reduce(0.0) { $0 + Double($1) * Double($1) }
  let deviation = (squares / Double(some.count) / Double(config.encoderWidth)).squareRoot()
  return [
    "multi_modal_projector.linear.weight": Tensor(
      [config.width, config.encoderWidth], normal: deviation, random),
    "multi_modal_projector.linear.bias": Tensor([config.width]),
  ]
}

extension SpeechModel {
  /// The same two halves with a projector that was drawn and not trained.
  ///
  /// - Throws: where the folder is not put together of parts.
  public func withDrawnProjector(_ random: Random) throws -> SpeechModel {
    guard let config = config as? Qwen2AudioConfig, let parts = try CheckpointParts(of: folder)
    else {
      throw CheckpointError(
        "\(folder): is not put together of an encoder, a projector and a language model, so no "
          + "projector can be drawn for it; give a folder with parts.json")
    }
    var weights = try config.weights(from: Checkpoint(folder: folder))
    var drawn = try drawnProjector(config, languageModel: parts.languageModel, random)
    if config.hasLayersBeside {
      drawn.merge(Projector.drawnBeside(config, random.split("layers beside"))) { $1 }
    }
    weights.merge(Weights(drawn))
    return with(weights)
  }
}
