// LayerNorm and RMSNorm over the last dimension.

/// (x - mean) / sqrt(variance + epsilon) * weight + bias, with the biased variance.
public func layerNorm(_ x: Tensor, _ weight: Tensor, _ bias: Tensor, epsilon: Float) -> Tensor {
  let (rows, width) = (x.rows, x.width)
  precondition(weight.count == width && bias.count == width)
  // The reverse pass alone reads the normalised rows.
  let isRecorded = [x, weight, bias].contains(where: \.isDifferentiated)
  let normal = Tensor(uninitialized: isRecorded ? x.shape : [1, width])
  let scales = Tensor(uninitialized: [rows])
  let out = Tensor(uninitialized: x.shape)
  for r in 0..<rows {
    let (source, unit, target) = (x.row(r), normal.row(isRecorded ? r : 0), out.row(r))
    var sum = Vector(repeating: 0)
    forEachVector(width) { i, n in sum += load(source, i, n) }
    let mean = laneSum(sum) / Float(width)
    var squares = Vector(repeating: 0)
    forEachVector(width) { i, n in
      var d = load(source, i, n) - Vector(repeating: mean)
      if n < 8 { for k in n..<8 { d[k] = 0 } }
      squares = squares.addingProduct(d, d)
    }
    let scale = 1 / (laneSum(squares) / Float(width) + epsilon).squareRoot()
    scales.start[r] = scale
    forEachVector(width) { i, n in
      let u = (load(source, i, n) - Vector(repeating: mean)) * Vector(repeating: scale)
      store(u, unit, i, n)
      store(load(bias.start, i, n).addingProduct(u, load(weight.start, i, n)), target, i, n)
    }
  }
  return Tensor(
    shape: x.shape, storage: out.storage,
    node: Node.of([x, weight, bias]) { g, rules in
      let dx = normGradient(
        g, weight, normal, scales, centred: true, frozen: rules.freezesScales)
      let dw = weight.isDifferentiated ? weightGradient(g, normal, weight.shape) : nil
      return [dx, dw, bias.isDifferentiated ? g.columnSums(bias.shape) : nil]
    })
}

/// x / sqrt(mean(x^2) + epsilon) * weight.
public func rmsNorm(_ x: Tensor, _ weight: Tensor, epsilon: Float) -> Tensor {
  let (rows, width) = (x.rows, x.width)
  precondition(weight.count == width)
  let isRecorded = x.isDifferentiated || weight.isDifferentiated
  let normal = Tensor(uninitialized: isRecorded ? x.shape : [1, width])
  let scales = Tensor(uninitialized: [rows])
  let out = Tensor(uninitialized: x.shape)
  for r in 0..<rows {
    let (source, unit, target) = (x.row(r), normal.row(isRecorded ? r : 0), out.row(r))
    var squares = Vector(repeating: 0)
    forEachVector(width) { i, n in
      let v = load(source, i, n)
      squares = squares.addingProduct(v, v)
    }
    let scale = 1 / (laneSum(squares) / Float(width) + epsilon).squareRoot()
    scales.start[r] = scale
    forEachVector(width) { i, n in
      let u = load(source, i, n) * Vector(repeating: scale)
      store(u, unit, i, n)
      store(u * load(weight.start, i, n), target, i, n)
    }
  }
  return Tensor(
    shape: x.shape, storage: out.storage,
    node: Node.of([x, weight]) { g, rules in
      let dx = normGradient(
        g, weight, normal, scales, centred: false, frozen: rules.freezesScales)
      return [dx, weight.isDifferentiated ? weightGradient(g, normal, weight.shape) : nil]
    })
}

/// The gradient through a normalisation u = (x - m) * s:
/// s * (h - mean(h) - u * mean(h * u)) with h = g * weight, without mean(h) for RMSNorm, and without
/// the last term where s is a constant.
private func normGradient(
  _ g: Tensor, _ weight: Tensor, _ normal: Tensor, _ scales: Tensor, centred: Bool, frozen: Bool
) -> Tensor {
  let width = g.width
  let dx = Tensor(uninitialized: g.shape)
  for r in 0..<g.rows {
    let (upstream, unit, target) = (g.row(r), normal.row(r), dx.row(r))
    var sum = Vector(repeating: 0)
    var dot = Vector(repeating: 0)
    forEachVector(width) { i, n in
      let h = load(upstream, i, n) * load(weight.start, i, n)
      sum += h
      dot = dot.addingProduct(h, load(unit, i, n))
    }
    let mean = Vector(repeating: centred ? laneSum(sum) / Float(width) : 0)
    let projection = Vector(repeating: frozen ? 0 : laneSum(dot) / Float(width))
    forEachVector(width) { i, n in
      let h = load(upstream, i, n) * load(weight.start, i, n)
      let inner = (h - mean).addingProduct(-projection, load(unit, i, n))
      store(inner * Vector(repeating: scales.start[r]), target, i, n)
    }
  }
  return dx
}

/// The sum over rows of g * u.
private func weightGradient(_ g: Tensor, _ normal: Tensor, _ shape: [Int]) -> Tensor {
  let sums = Tensor(shape)
  for r in 0..<g.rows {
    let (a, b) = (g.row(r), normal.row(r))
    forEachVector(g.width) { i, n in
      store(
        load(sums.start, i, n).addingProduct(load(a, i, n), load(b, i, n)), sums.start, i, n)
    }
  }
  return sums
}
