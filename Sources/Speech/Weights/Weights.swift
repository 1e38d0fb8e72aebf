// The parameters of a model as its blocks take them: small ones as Float32, large matrices as their
// file keeps them.

import Tensor

/// Parameters by their published names; all names were checked when they were read.
public struct Weights: Sendable {
  private var stored: [String: Matrix]

  public init(_ parameters: Parameters) { stored = parameters.mapValues { .float($0) } }
  init(_ stored: [String: Matrix]) { self.stored = stored }

  subscript(name: String) -> Matrix? {
    get { stored[name] }
    set { stored[name] = newValue }
  }

  /// All as Float32.
  public var parameters: Parameters { stored.mapValues(\.floats) }

  /// Takes those of another, and where both have one of a name, the other's.
  public mutating func merge(_ others: Weights) { stored.merge(others.stored) { $1 } }

  /// A weight matrix or a table.
  func matrix(_ name: String) -> Matrix {
    guard let matrix = stored[name] else { preconditionFailure("no parameter \(name)") }
    return matrix
  }

  /// The numbers as Float32, in the shape that they are kept in.
  func named(_ name: String) -> Tensor { matrix(name).floats }

  func linear(_ prefix: String) -> Linear {
    Linear(weight: matrix(prefix + ".weight"), bias: self[prefix + ".bias"]?.floats)
  }

  func layerNorm(_ prefix: String, epsilon: Float = 1e-5) -> LayerNorm {
    LayerNorm(
      weight: named(prefix + ".weight"), bias: named(prefix + ".bias"), epsilon: epsilon)
  }
}
