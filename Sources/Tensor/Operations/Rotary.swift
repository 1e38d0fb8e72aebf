// Rotary positions.

/// Rotary positions in half-split layout (Su et al., 2021): within each head, the pair
/// (x_j, x_{j + headWidth/2}) is turned by position * theta^(-2j / headWidth).
///
/// - Parameters:
///   - x: [rows, heads * headWidth]
///   - positions: one for each row
public func rotary(_ x: Tensor, positions: [Int], table: RotaryTable) -> Tensor {
  precondition(positions.count == x.rows)
  return Tensor(
    shape: x.shape, storage: table.turned(x, positions, sign: 1).storage,
    node: Node.of([x]) { g in [table.turned(g, positions, sign: -1)] })
}

/// A rescaling of rotary frequencies for more positions than in pre-training.
public enum RopeScaling: Sendable, Equatable {
  /// All are slowed by a factor (Chen et al., 2023).
  case linear(factor: Float)
  /// Llama 3.1: waves longer than the context of pre-training are slowed by `factor`, short ones
  /// kept, those between interpolated.
  case llama3(factor: Float, lowFactor: Float, highFactor: Float, originalPositions: Float)

  func callAsFunction(_ frequency: Float) -> Float {
    switch self {
    case .linear(let factor): return frequency / factor
    case .llama3(let factor, let lowFactor, let highFactor, let originalPositions):
      // A number over a tensor is that number times the reciprocal in PyTorch, rounded twice.
      let wave = 6.283_185_5 * (1 / frequency)
      if wave < originalPositions / highFactor { return frequency }
      if wave > originalPositions / lowFactor { return frequency / factor }
      let share = (originalPositions * (1 / wave) - lowFactor) / (highFactor - lowFactor)
      return (1 - share) * frequency / factor + share * frequency
    }
  }
}

/// Cosines and sines of rotary positions, [positions, headWidth / 2] each.
public struct RotaryTable: Sendable {
  public let headWidth: Int
  private let frequencies: [Float]
  private let cosines: Tensor
  private let sines: Tensor

  /// - Parameter positions: how many there can be; those above `ready` are computed when a run
  ///   has them
  public init(positions: Int, headWidth: Int, theta: Double, scaling: RopeScaling? = nil) {
    precondition(headWidth % 2 == 0)
    // Every step is rounded to Float32, as in the reference: at the end of a long prompt a frequency
    // that is off by its last bit turns a pair by 1e-5.
    let frequencies = (0..<headWidth / 2).map { j in
      let exponent = Double(Float(2 * j) / Float(headWidth))
      let frequency = 1 / Float(Elementary.exp(Elementary.log(theta) * exponent))
      return scaling?(frequency) ?? frequency
    }
    self.init(frequencies, positions: min(positions, RotaryTable.ready))
  }

  private static let ready = 1024

  private init(_ frequencies: [Float], positions: Int) {
    self.frequencies = frequencies
    headWidth = 2 * frequencies.count
    cosines = Tensor(uninitialized: [positions, frequencies.count])
    sines = Tensor(uninitialized: [positions, frequencies.count])
    for (j, frequency) in frequencies.enumerated() {
      for p in 0..<positions {
        let angle = Double(Float(p) * frequency)
        cosines.row(p)[j] = Float(Elementary.cos(angle))
        sines.row(p)[j] = Float(Elementary.sin(angle))
      }
    }
  }

  /// A table that holds all of `positions`: this one, or a longer one.
  public func covering(_ positions: [Int]) -> RotaryTable {
    let count = (positions.max() ?? 0) + 1
    return count <= cosines.rows ? self : RotaryTable(frequencies, positions: count)
  }

  fileprivate func turned(_ x: Tensor, _ positions: [Int], sign: Float) -> Tensor {
    let half = headWidth / 2
    let out = Tensor(uninitialized: x.shape)
    for (r, position) in positions.enumerated() {
      let (c, s) = (cosines.row(position), sines.row(position))
      for head in stride(from: 0, to: x.width, by: headWidth) {
        let (source, target) = (x.row(r) + head, out.row(r) + head)
        forEachVector(half) { j, n in
          let (a, b) = (load(source, j, n), load(source + half, j, n))
          let (cosine, sine) = (load(c, j, n), load(s, j, n) * Vector(repeating: sign))
          store((a * cosine).addingProduct(-b, sine), target, j, n)
          store((b * cosine).addingProduct(a, sine), target + half, j, n)
        }
      }
    }
    return out
  }
}
