// A sparse autoencoder: an activation as a sum of few directions of a dictionary
// (`paper/definitions.md`, D77). Features that are to be believed are patched, in a form that
// keeps what the dictionary does not explain.

import Tensor

/// A trained sparse autoencoder. Its decoder's directions have length 1.
public struct SparseAutoencoder: Sendable {
  /// What becomes of pre-activations.
  public enum Activation: Sendable, Equatable {
    case relu
    /// The k largest of each row, where they are positive.
    case topK(Int)
    /// Those above a threshold: what BatchTopK is used as after training (Bussmann et al., 2024).
    case threshold(Double)
  }

  /// [features, width].
  public let encoder: Tensor
  /// [features].
  public let encoderBias: Tensor
  /// [width, features].
  public let decoder: Tensor
  /// [width].
  public let decoderBias: Tensor
  /// Activations are multiplied by it before they are encoded, so that their mean squared length is
  /// their width.
  public let scale: Float
  public let activation: Activation

  public var width: Int { decoder.rows }
  public var features: Int { encoder.rows }

  public init(
    encoder: Tensor, encoderBias: Tensor, decoder: Tensor, decoderBias: Tensor, scale: Float,
    activation: Activation
  ) {
    precondition(
      encoder.width == decoder.rows && encoder.rows == decoder.width
        && encoderBias.count == encoder.rows && decoderBias.count == decoder.rows)
    (self.encoder, self.encoderBias, self.decoder) = (encoder, encoderBias, decoder)
    (self.decoderBias, self.scale, self.activation) = (decoderBias, scale, activation)
  }

  /// How strongly each feature is present, in units of the scaled activation.
  ///
  /// - Parameter x: activations, [rows, width]
  /// - Returns: [rows, features], no number below 0
  public func encoded(_ x: Tensor) -> Tensor {
    let centred = x * scale - rowsOf(decoderBias, x.rows)
    let before = linear(centred, encoder, bias: encoderBias)
    switch activation {
    case .relu: return relu(before)
    case .topK(let k): return relu(before.scaled(by: keepingLargest(k, inEachRowOf: before)))
    case .threshold(let threshold):
      let limit = Float(threshold)
      return Tensor(before.shape, before.numbers.map { $0 > limit ? $0 : 0 })
    }
  }

  /// The activation that features describe, [rows, width].
  public func decoded(_ f: Tensor) -> Tensor { linear(f, decoder, bias: decoderBias) * (1 / scale) }

  /// What the autoencoder makes of activations.
  public func reconstructed(_ x: Tensor) -> Tensor { decoded(encoded(x)) }

  /// W_dec (f_source - f_base), the move of a patch that swaps features and keeps the base's
  /// reconstruction error.
  ///
  /// - Parameters:
  ///   - base: the base run's activations, [rows, width]
  ///   - source: the source run's
  ///   - swapped: the features that are swapped; nil for all
  public func move(from base: Tensor, to source: Tensor, swapping swapped: [Int]? = nil)
    -> DoubleMatrix
  {
    var change = (encoded(source) - encoded(base)).numbers
    if let swapped {
      let kept = Set(swapped)
      for i in change.indices where !kept.contains(i % features) { change[i] = 0 }
    }
    let moves = linear(Tensor([base.rows, features], change), decoder) * (1 / scale)
    return DoubleMatrix(moves)
  }
}

/// A vector as each of so many rows; gradients flow back.
func rowsOf(_ vector: Tensor, _ count: Int) -> Tensor {
  linear(Tensor([count, 1], repeating: 1), vector.reshaped([vector.count, 1]))
}

/// 1 at the k largest numbers of each row and 0 elsewhere; of equal numbers the first are kept, so
/// that exactly k are.
func keepingLargest(_ k: Int, inEachRowOf x: Tensor) -> Tensor {
  precondition(k >= 0 && k <= x.width, "the \(k) largest of \(x.width)")
  var kept = [Float](repeating: 0, count: x.count)
  x.withNumbers { numbers in
    for r in 0..<x.rows {
      let row = UnsafeBufferPointer(rebasing: numbers[r * x.width..<(r + 1) * x.width])
      keepLargest(k, of: row) { kept[r * x.width + $0] = 1 }
    }
  }
  return Tensor(x.shape, kept)
}

/// 1 at the k largest numbers of all and 0 elsewhere.
func keepingLargest(_ k: Int, of x: Tensor) -> Tensor {
  precondition(k >= 0 && k <= x.count, "the \(k) largest of \(x.count)")
  var kept = [Float](repeating: 0, count: x.count)
  x.withNumbers { keepLargest(k, of: $0) { kept[$0] = 1 } }
  return Tensor(x.shape, kept)
}

/// Calls `keep` with the places of the k largest numbers, in their order.
private func keepLargest(
  _ k: Int, of x: UnsafeBufferPointer<Float>, keep: (Int) -> Void
) {
  if k == 0 { return }
  let limit = kthLargest(k, of: x)
  var ties = k - x.reduce(0) { $1 > limit ? $0 + 1 : $0 }
  for i in x.indices {
    if x[i] > limit {
      keep(i)
    } else if x[i] == limit && ties > 0 {
      keep(i)
      ties -= 1
    }
  }
}

/// The k-th largest number, by partitioning about the middle one (Hoare, 1961).
private func kthLargest(_ k: Int, of x: UnsafeBufferPointer<Float>) -> Float {
  var numbers = Array(x)
  var (low, high) = (0, numbers.count - 1)
  let wanted = k - 1
  while low < high {
    let pivot = numbers[(low + high) / 2]
    var (i, j) = (low, high)
    while i <= j {
      while numbers[i] > pivot { i += 1 }
      while numbers[j] < pivot { j -= 1 }
      if i <= j {
        numbers.swapAt(i, j)
        i += 1
        j -= 1
      }
    }
    if wanted <= j { high = j } else if wanted >= i { low = i } else { return numbers[wanted] }
  }
  return numbers[wanted]
}
