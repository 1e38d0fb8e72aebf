// Operations on each number or each row: sums, activations, gathering and joining rows.

extension Tensor {
  /// Elementwise sum of two tensors of one shape.
  public static func + (a: Tensor, b: Tensor) -> Tensor {
    precondition(a.shape == b.shape, "cannot add \(b.shape) to \(a.shape)")
    let sum = a.adding(b)
    return Tensor(
      shape: a.shape, storage: sum.storage, node: Node.of([a, b]) { [$0, $0] })
  }

  /// Elementwise difference of two tensors of one shape.
  public static func - (a: Tensor, b: Tensor) -> Tensor { a + b * -1 }

  /// Every number times a constant.
  public static func * (a: Tensor, factor: Float) -> Tensor {
    let out = a.mapped { $0 * Vector(repeating: factor) }
    return Tensor(
      shape: a.shape, storage: out.storage,
      node: Node.of([a]) { g in [g.mapped { $0 * Vector(repeating: factor) }] })
  }

  /// Every number times its own constant, such as 1 for what is kept and 0 for what is dropped.
  public func scaled(by factors: Tensor) -> Tensor {
    precondition(shape == factors.shape, "cannot scale \(shape) by \(factors.shape)")
    func product(_ x: Tensor) -> Tensor {
      let out = Tensor(uninitialized: x.shape)
      forEachVector(x.count) { i, n in
        store(load(x.start, i, n) * load(factors.start, i, n), out.start, i, n)
      }
      return out
    }
    let out = product(self)
    return Tensor(shape: shape, storage: out.storage, node: Node.of([self]) { [product($0)] })
  }

  /// A new tensor of a function of every number, outside the record.
  @inline(__always)
  func mapped(_ f: (Vector) -> Vector) -> Tensor {
    let out = Tensor(uninitialized: shape)
    forEachVector(count) { i, n in store(f(load(start, i, n)), out.start, i, n) }
    return out
  }
}

/// The exact Gaussian error linear unit, x * Phi(x).
public func gelu(_ x: Tensor) -> Tensor {
  let rootHalf = Vector(repeating: 0.707_106_78)
  let out = x.mapped { v in
    let half = Vector(repeating: 0.5) * v
    return half.addingProduct(half, errorFunction(v * rootHalf))
  }
  return Tensor(
    shape: x.shape, storage: out.storage,
    node: Node.of([x]) { g, rules in
      let dx = Tensor(uninitialized: x.shape)
      forEachVector(x.count) { i, n in
        let v = load(x.start, i, n)
        let half = Vector(repeating: 0.5)
        let phi = half.addingProduct(half, errorFunction(v * rootHalf))
        if rules.takesSecants {
          store(load(g.start, i, n) * phi, dx.start, i, n)
          return
        }
        let density = Vector(repeating: 0.398_942_28) * exponential(v * v * -half)
        store(load(g.start, i, n) * phi.addingProduct(v, density), dx.start, i, n)
      }
      return [dx]
    })
}

/// max(x, 0); its slope at 0 is 0.
public func relu(_ x: Tensor) -> Tensor {
  let zero = Vector(repeating: 0)
  let out = x.mapped { $0.replacing(with: zero, where: $0 .<= zero) }
  return Tensor(
    shape: x.shape, storage: out.storage,
    node: Node.of([x]) { g in
      let dx = Tensor(uninitialized: x.shape)
      forEachVector(x.count) { i, n in
        store(
          load(g.start, i, n).replacing(with: zero, where: load(x.start, i, n) .<= zero), dx.start,
          i, n)
      }
      return [dx]
    })
}

@inline(__always)
func sigmoid(_ v: Vector) -> Vector {
  Vector(repeating: 1) / (Vector(repeating: 1) + exponential(-v))
}

/// silu(gate) * up, the gated unit of the Qwen2 and Llama blocks.
public func gatedSilu(_ gate: Tensor, _ up: Tensor) -> Tensor {
  precondition(gate.shape == up.shape)
  let out = Tensor(uninitialized: gate.shape)
  forEachVector(gate.count) { i, n in
    let a = load(gate.start, i, n)
    store(a * sigmoid(a) * load(up.start, i, n), out.start, i, n)
  }
  return Tensor(
    shape: gate.shape, storage: out.storage,
    node: Node.of([gate, up]) { g, rules in
      let share = Vector(repeating: rules.halvesProducts ? 0.5 : 1)
      let dGate = Tensor(uninitialized: gate.shape)
      let dUp = Tensor(uninitialized: gate.shape)
      forEachVector(gate.count) { i, n in
        let a = load(gate.start, i, n)
        let s = sigmoid(a)
        let u = load(g.start, i, n) * share
        store(u * a * s, dUp.start, i, n)
        let slope =
          rules.takesSecants ? s : s.addingProduct(a * s, Vector(repeating: 1) - s)
        store(u * load(up.start, i, n) * slope, dGate.start, i, n)
      }
      return [dGate, dUp]
    })
}

/// Rows of `table` by index; an index of -1 gives a row of zeros.
///
/// Used for token embeddings, for picking the rows of an answer, and for laying rows out anew.
public func gatherRows(_ table: Tensor, _ indices: [Int]) -> Tensor {
  let width = table.width
  let out = Tensor(uninitialized: [indices.count, width])
  for (i, index) in indices.enumerated() {
    precondition(index >= -1 && index < table.rows, "row \(index) of \(table.rows)")
    if index < 0 {
      out.row(i).update(repeating: 0, count: width)
    } else {
      out.row(i).update(from: table.row(index), count: width)
    }
  }
  return Tensor(
    shape: out.shape, storage: out.storage,
    node: Node.of([table]) { g in
      let d = Tensor(table.shape)
      for (i, index) in indices.enumerated() where index >= 0 {
        let target = d.row(index)
        let source = g.row(i)
        forEachVector(width) { j, n in
          store(load(target, j, n) + load(source, j, n), target, j, n)
        }
      }
      return [d]
    })
}

/// `base` with the rows `indices[i]` replaced by row i of `rows`. No index may repeat.
public func replacingRows(_ base: Tensor, at indices: [Int], with rows: Tensor) -> Tensor {
  precondition(base.width == rows.width && indices.count <= rows.rows)
  let width = base.width
  let out = Tensor(uninitialized: base.shape)
  out.start.update(from: base.start, count: base.count)
  for (i, index) in indices.enumerated() { out.row(index).update(from: rows.row(i), count: width) }
  return Tensor(
    shape: base.shape, storage: out.storage,
    node: Node.of([base, rows]) { g in
      let dBase = Tensor(uninitialized: base.shape)
      dBase.start.update(from: g.start, count: g.count)
      let dRows = Tensor(rows.shape)
      for (i, index) in indices.enumerated() {
        dBase.row(index).update(repeating: 0, count: width)
        dRows.row(i).update(from: g.row(index), count: width)
      }
      return [dBase, dRows]
    })
}

/// Tensors of one width below each other.
public func joiningRows(_ parts: [Tensor]) -> Tensor {
  let width = parts[0].width
  precondition(parts.allSatisfy { $0.width == width })
  let out = Tensor(uninitialized: [parts.reduce(0) { $0 + $1.rows }, width])
  var offset = 0
  for part in parts {
    (out.start + offset).update(from: part.start, count: part.count)
    offset += part.count
  }
  return Tensor(
    shape: out.shape, storage: out.storage,
    node: Node.of(parts) { g in
      var offset = 0
      return parts.map { part in
        let d = Tensor(uninitialized: part.shape)
        d.start.update(from: g.start + offset, count: part.count)
        offset += part.count
        return d
      }
    })
}

/// Tensors of as many rows beside each other.
public func joiningColumns(_ parts: [Tensor]) -> Tensor {
  let rows = parts[0].rows
  precondition(parts.allSatisfy { $0.rows == rows })
  let width = parts.reduce(0) { $0 + $1.width }
  let out = Tensor(uninitialized: [rows, width])
  var first = 0
  for part in parts {
    for r in 0..<rows { (out.row(r) + first).update(from: part.row(r), count: part.width) }
    first += part.width
  }
  return Tensor(
    shape: out.shape, storage: out.storage,
    node: Node.of(parts) { g in
      var first = 0
      return parts.map { part in
        let d = Tensor(uninitialized: part.shape)
        for r in 0..<rows { d.row(r).update(from: g.row(r) + first, count: part.width) }
        first += part.width
        return d
      }
    })
}
