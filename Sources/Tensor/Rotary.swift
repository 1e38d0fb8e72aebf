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

/// Cosines and sines of rotary positions, [positions, headWidth / 2] each.
public struct RotaryTable: Sendable {
  public let headWidth: Int
  private let cosines: Tensor
  private let sines: Tensor

  public init(positions: Int, headWidth: Int, theta: Double) {
    precondition(headWidth % 2 == 0)
    self.headWidth = headWidth
    let half = headWidth / 2
    cosines = Tensor(uninitialized: [positions, half])
    sines = Tensor(uninitialized: [positions, half])
    for j in 0..<half {
      // Frequencies are rounded to Float32 before the product, as the reference does.
      let power = Elementary.exp(-Elementary.log(theta) * Double(2 * j) / Double(headWidth))
      for p in 0..<positions {
        let angle = Double(Float(p) * Float(power))
        cosines.row(p)[j] = Float(Elementary.cos(angle))
        sines.row(p)[j] = Float(Elementary.sin(angle))
      }
    }
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
