// A trained autoencoder as a list of numbers, so that training is a cell that is stored as its memory.

import Tensor

extension SparseAutoencoder {
  /// Encoder, its bias, decoder, its bias, scale, and a threshold where there is one, one behind the
  /// other.
  public var numbers: [Float] {
    var threshold: Float = 0
    if case .threshold(let value) = activation { threshold = Float(value) }
    return encoder.numbers + encoderBias.numbers + decoder.numbers + decoderBias.numbers
      + [scale, threshold]
  }

  /// The autoencoder that `numbers` were taken of, its threshold rounded once.
  ///
  /// - Parameters:
  ///   - numbers: of an autoencoder of so many features of an activation of so many numbers
  ///   - objective: by which it was trained
  /// - Precondition: there are as many numbers as such an autoencoder has
  public init(
    numbers: [Float], features: Int, width: Int, objective: SparseTraining.Objective
  ) {
    precondition(numbers.count == 2 * features * width + features + width + 2)
    var rest = numbers[...]
    func take(_ shape: [Int]) -> Tensor {
      let count = shape.reduce(1, *)
      defer { rest = rest.dropFirst(count) }
      return Tensor(shape, Array(rest.prefix(count)))
    }
    let (encoder, encoderBias) = (take([features, width]), take([features]))
    let (decoder, decoderBias) = (take([width, features]), take([width]))
    let last = Array(rest)
    let activation: Activation =
      switch objective {
      case .relu: .relu
      case .topK(let k): .topK(k)
      case .batchTopK: .threshold(Double(last[1]))
      }
    self.init(
      encoder: encoder, encoderBias: encoderBias, decoder: decoder, decoderBias: decoderBias,
      scale: last[0], activation: activation)
  }
}
