// A patch: at one site, positions of the base run take the activation of the source run.

import Speech
import Tensor

/// Which part of an activation a patch replaces.
public enum PatchedPart: Sendable {
  case whole
  /// One head of an `attn.z` site of so many heads.
  case head(Int, of: Int)
  /// The coordinates in an orthonormal basis, [width, rank]: h + Q Q^T (h_source - h).
  case subspace(Tensor)
}

/// At one site, `base` positions take the values of `source` positions.
public struct Patch: Sendable {
  public let site: Site
  /// Which source position goes to which base position.
  public let positions: [(base: Int, source: Int)]
  /// The source run's activation, [positions, width].
  public let source: Tensor
  public let part: PatchedPart

  public init(
    _ site: Site, positions: [(base: Int, source: Int)], from source: Tensor,
    part: PatchedPart = .whole
  ) {
    self.site = site
    self.positions = positions
    self.source = source
    self.part = part
  }

  /// The base run's activation with the patch applied.
  ///
  /// - Parameters:
  ///   - x: the stacked activation, [rows, width]
  ///   - place: the row of each position of the base run
  public func applied(to x: Tensor, at place: [Int]) -> Tensor {
    let rows = positions.map { place[$0.base] }
    let donor = gatherRows(source, positions.map(\.source))
    let own = gatherRows(x, rows)
    switch part {
    case .whole:
      return replacingRows(x, at: rows, with: donor)
    case .head(let head, let heads):
      let width = x.width / heads
      var mixed = own.numbers
      let taken = donor.numbers
      for r in 0..<own.rows {
        for j in (head * width)..<((head + 1) * width) {
          mixed[r * x.width + j] = taken[r * x.width + j]
        }
      }
      return replacingRows(x, at: rows, with: Tensor(own.shape, mixed))
    case .subspace(let basis):
      // linear(v, Q^T) gives coordinates and linear(c, Q) the vector again.
      let coordinates = linear(donor - own, transposed(basis))
      return replacingRows(x, at: rows, with: own + linear(coordinates, basis))
    }
  }
}

/// The transpose of a matrix, outside any record of gradients.
public func transposed(_ x: Tensor) -> Tensor {
  let (rows, columns) = (x.rows, x.width)
  let numbers = x.numbers
  var out = [Float](repeating: 0, count: numbers.count)
  for r in 0..<rows { for c in 0..<columns { out[c * rows + r] = numbers[r * columns + c] } }
  return Tensor([columns, rows], out)
}
