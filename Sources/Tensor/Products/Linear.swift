// The linear map, as every checkpoint stores it.

/// Rows of a large product that go to one core at a time: a multiple of `rowBlock`, so that they have
/// the bits of the whole, and half of a full clip of Whisper's.
private let rowsPerCore = 63 * rowBlock

/// x * weight^T + bias.
///
/// - Parameters:
///   - x: [rows, in]
///   - weight: [out, in], as checkpoints store it
///   - bias: [out]
/// - Returns: [rows, out]
public func linear(_ x: Tensor, _ weight: Tensor, bias: Tensor? = nil) -> Tensor {
  let (rows, inner, outer) = (x.rows, x.width, weight.rows)
  precondition(weight.width == inner, "linear: \(x.shape) with a weight of \(weight.shape)")
  let out = Tensor(uninitialized: [rows, outer])
  if let bias {
    precondition(bias.count == outer)
    for r in 0..<rows { out.row(r).update(from: bias.start, count: outer) }
  }
  @Sendable func product(_ first: Int, _ count: Int) {
    BLAS.productTransposed(
      count, outer, inner, x.row(first), inner, weight.start, inner, out.row(first), outer,
      adding: bias != nil)
  }
  if rows > rowsPerCore, rows * inner * outer > 1 << 27, !Runtime.isBusy {
    inParallel((rows + rowsPerCore - 1) / rowsPerCore) { block in
      product(block * rowsPerCore, min(rowsPerCore, rows - block * rowsPerCore))
    }
  } else {
    product(0, rows)
  }

  let operands = [x, weight] + (bias.map { [$0] } ?? [])
  return Tensor(
    shape: out.shape, storage: out.storage,
    node: Node.of(operands) { g in
      var gradients: [Tensor?] = [nil, nil]
      if x.isDifferentiated {
        let dx = Tensor(uninitialized: x.shape)
        BLAS.product(rows, inner, outer, g.start, outer, weight.start, inner, dx.start, inner)
        gradients[0] = dx
      }
      if weight.isDifferentiated {
        let dw = Tensor(uninitialized: weight.shape)
        BLAS.transposedProduct(
          outer, inner, rows, g.start, outer, x.start, inner, dw.start, inner)
        gradients[1] = dw
      }
      if let bias { gradients.append(bias.isDifferentiated ? g.columnSums(bias.shape) : nil) }
      return gradients
    })
}

extension Tensor {
  /// The sum of all rows, added in order.
  func columnSums(_ shape: [Int]) -> Tensor {
    let sums = Tensor(shape)
    for r in 0..<rows {
      let source = row(r)
      forEachVector(width) { i, n in
        store(load(sums.start, i, n) + load(source, i, n), sums.start, i, n)
      }
    }
    return sums
  }
}
