// The projector of a Qwen2-Audio that is put together of two published halves: how it is drawn before
// it is trained, and the same halves with another one.

import JSON
import Tensor

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
    let drawn = try drawnProjector(config, languageModel: parts.languageModel, random)
    weights.merge(Weights(drawn))
    return with(weights)
  }
}
