// The linear map of large weights: blocks of the weight's rows, widened where they are kept in fewer
// bits, each one product, spread over the cores. Blocks have one size whatever the number of cores,
// so the bits do not depend on it.

/// x * weight^T + bias.
///
/// - Parameters:
///   - x: [rows, in]
///   - weight: [out, in]
///   - bias: [out]
/// - Returns: [rows, out]
public func linear(_ x: Tensor, _ weight: Matrix, bias: Tensor? = nil) -> Tensor {
  switch weight {
  case .float(let tensor):
    // Training and the small models: one product, and a gradient of the weight.
    if tensor.count < largeWeight || tensor.isDifferentiated {
      return linear(x, tensor, bias: bias)
    }
    return largeLinear(x, FloatRows(tensor), bias)
  case .packed(let matrix):
    return largeLinear(x, matrix, bias)
  }
}

/// Numbers from which on a weight is multiplied by block.
private let largeWeight = 1 << 22

/// Rows of the weight, and columns in the reverse pass, that make one block.
private let blockRows = 128
private let blockColumns = 256
/// Rows of the weight that the reverse pass adds at a time.
private let chunkRows = 1024

/// A weight whose rows can be had as Float32.
private protocol WeightRows: Sendable {
  var rows: Int { get }
  var width: Int { get }
  func widen(row: Int, _ columns: Range<Int>, to target: UnsafeMutablePointer<Float>)
  /// Calls `body` with some whole rows as Float32, one below the other.
  func withRows(_ block: Range<Int>, _ body: (UnsafePointer<Float>) -> Void)
}

extension PackedMatrix: WeightRows {
  fileprivate func withRows(_ block: Range<Int>, _ body: (UnsafePointer<Float>) -> Void) {
    let widened = Storage(uninitialized: block.count * width)
    for (i, row) in block.enumerated() {
      widen(row: row, 0..<width, to: widened.start + i * width)
    }
    body(widened.start)
  }
}

private struct FloatRows: WeightRows {
  let tensor: Tensor
  var rows: Int { tensor.rows }
  var width: Int { tensor.width }

  init(_ tensor: Tensor) { self.tensor = tensor }

  func widen(row: Int, _ columns: Range<Int>, to target: UnsafeMutablePointer<Float>) {
    target.update(from: tensor.row(row) + columns.lowerBound, count: columns.count)
  }

  func withRows(_ block: Range<Int>, _ body: (UnsafePointer<Float>) -> Void) {
    body(tensor.row(block.lowerBound))
  }
}

private func largeLinear(_ x: Tensor, _ weight: some WeightRows, _ bias: Tensor?) -> Tensor {
  let (rows, inner, outer) = (x.rows, weight.width, weight.rows)
  precondition(x.width == inner && (bias == nil || bias!.count == outer))
  let out = Tensor(uninitialized: [rows, outer])
  inParallel((outer + blockRows - 1) / blockRows) { index in
    let block = index * blockRows..<min((index + 1) * blockRows, outer)
    if let bias {
      for r in 0..<rows {
        (out.row(r) + block.lowerBound)
          .update(from: bias.start + block.lowerBound, count: block.count)
      }
    }
    weight.withRows(block) { stored in
      BLAS.productTransposed(
        rows, block.count, inner, x.start, inner, stored, inner, out.start + block.lowerBound,
        outer, adding: bias != nil)
    }
  }
  return Tensor(
    shape: out.shape, storage: out.storage,
    node: Node.of([x] + (bias.map { [$0] } ?? [])) { g in
      let dx = x.isDifferentiated ? reversed(g, weight) : nil
      return [dx] + (bias.map { [$0.isDifferentiated ? g.columnSums($0.shape) : nil] } ?? [])
    })
}

/// g * weight, [rows, in].
private func reversed(_ g: Tensor, _ weight: some WeightRows) -> Tensor {
  let (rows, inner, outer) = (g.rows, weight.width, weight.rows)
  let dx = Tensor(uninitialized: [rows, inner])
  inParallel((inner + blockColumns - 1) / blockColumns) { index in
    let block = index * blockColumns..<min((index + 1) * blockColumns, inner)
    let widened = Storage(uninitialized: min(chunkRows, outer) * block.count)
    for first in stride(from: 0, to: outer, by: chunkRows) {
      let chunk = first..<min(first + chunkRows, outer)
      for (i, row) in chunk.enumerated() {
        weight.widen(row: row, block, to: widened.start + i * block.count)
      }
      BLAS.product(
        rows, block.count, chunk.count, g.start + first, outer, widened.start, block.count,
        dx.start + block.lowerBound, inner, adding: first > 0)
    }
  }
  return dx
}
