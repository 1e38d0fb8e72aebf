// A patch: at one site, positions of the base run take other values, those of a source run in the
// first place.

import Speech
import Tensor

/// At one site, some positions, or one head or neuron there, take the values that `change` makes of
/// the base run's.
///
/// Several patches make one intervention; each sees what those before it in the model have done.
public struct Patch: Sendable {
  public let site: Site
  /// The base run's positions; for a pattern those of the queries.
  public let positions: [Int]
  /// The head or neuron, all where nil.
  public let index: Int?
  /// From [positions, width] of the base run to what takes its place, of the same shape. The width
  /// is that of the head or neuron where there is one. Must be a function of its argument alone.
  let change: @Sendable (Tensor) -> Tensor

  /// What takes the place of the base run's values, of the same shape.
  public func changed(_ own: Tensor) -> Tensor { change(own) }

  public init(
    _ site: Site, positions: [Int], index: Int? = nil,
    change: @escaping @Sendable (Tensor) -> Tensor
  ) {
    self.site = site
    self.positions = positions
    self.index = index
    self.change = change
  }

  /// The values of `rows`, [positions, width] of the head or neuron where there is one.
  public init(_ site: Site, positions: [Int], index: Int? = nil, taking rows: Tensor) {
    self.init(site, positions: positions, index: index) { _ in rows }
  }

  /// h + alpha (h_source - h).
  public init(
    _ site: Site, positions: [Int], index: Int? = nil, towards rows: Tensor, by alpha: Float
  ) {
    self.init(site, positions: positions, index: index) { $0 + (rows - $0) * alpha }
  }

  /// h + B A^T (h_source - h), rows as columns: the coordinates that A reads are written along B
  /// (`paper/definitions.md`, D59). An orthonormal basis Q is both, A = B = Q.
  ///
  /// - Parameters:
  ///   - write: B, [width, rank]
  ///   - read: A, [width, rank]; `write` where nil
  public init(
    _ site: Site, positions: [Int], index: Int? = nil, subspace write: Tensor,
    read: Tensor? = nil, of rows: Tensor
  ) {
    let reader = transposed(read ?? write)
    self.init(site, positions: positions, index: index) { own in
      own + linear(linear(rows - own, reader), write)
    }
  }
}

extension Patch {
  /// The activation of one run with patches of one site applied.
  static func applying(_ patches: [Patch], to x: Tensor, at place: Place) -> Tensor {
    if let layout = place.pattern {
      return patches.reduce(x) { x, patch in
        let heads = patch.index.map { [$0] } ?? Array(0..<place.heads)
        return layout.replacing(
          heads: heads, queries: patch.positions.map { place.rows[$0] }, in: x, by: patch.change)
      }
    }
    return applying(
      patches.map { patch in
        (
          patch, patch.positions.map { place.rows[$0] },
          place.columns(of: patch.index, width: x.width)
        )
      }, to: x)
  }

  /// The activation with patches of one site applied, one after the other.
  ///
  /// - Parameters:
  ///   - x: the stacked activation, [rows, width]
  ///   - patches: each with the row of every one of its positions and the columns that it changes
  static func applying(
    _ patches: [(patch: Patch, rows: [Int], columns: Range<Int>)], to x: Tensor
  ) -> Tensor {
    var order: [Int] = []
    var lines: [Int: Int] = [:]
    for row in patches.flatMap(\.rows) where lines[row] == nil {
      lines[row] = order.count
      order.append(row)
    }
    let width = x.width
    var numbers = gatherRows(x, order).numbers
    for (patch, rows, columns) in patches {
      let starts = rows.map { lines[$0]! * width + columns.lowerBound }
      let own = Tensor(
        [rows.count, columns.count], starts.flatMap { numbers[$0..<($0 + columns.count)] })
      let changed = patch.change(own)
      precondition(changed.count == own.count, "a patch changes the shape at \(patch.site)")
      changed.withNumbers { new in
        for (i, start) in starts.enumerated() {
          for j in 0..<columns.count { numbers[start + j] = new[i * columns.count + j] }
        }
      }
    }
    return replacingRows(x, at: order, with: Tensor([order.count, width], numbers))
  }
}

extension Trace {
  /// The rows of a site at some positions, or of one head or neuron there.
  ///
  /// - Returns: [positions, width]; of a pattern [heads * positions, keys]
  public func rows(of cell: Cell, at positions: [Int]) throws -> Tensor {
    let place = try place(of: cell.site)
    guard let x = kept[cell.site] else {
      throw CellError("the run has not kept \(cell.site); name it when the run is traced")
    }
    try place.check(cell, width: x.width)
    if let layout = place.pattern {
      let heads = cell.index.map { [$0] } ?? Array(0..<place.heads)
      return layout.rows(heads: heads, queries: positions.map { place.rows[$0] }, of: x)
    }
    let rows = gatherRows(x.detached, positions.map { place.rows[$0] })
    return cell.index == nil ? rows : rows.columns(place.columns(of: cell.index, width: x.width))
  }
}

extension Tensor {
  /// Some columns of a matrix, outside any record of gradients.
  func columns(_ range: Range<Int>) -> Tensor {
    let numbers = self.numbers
    return Tensor(
      [rows, range.count],
      (0..<rows).flatMap {
        numbers[($0 * width + range.lowerBound)..<($0 * width + range.upperBound)]
      }
    )
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
