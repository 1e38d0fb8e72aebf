// Operations of audio codecs: the exponential linear unit, scales of channels, and the overlapping
// sum of a transposed convolution.

/// x where positive, exp(x) - 1 elsewhere (Clevert et al., 2016).
public func elu(_ x: Tensor) -> Tensor {
  let (zero, one) = (Vector(repeating: 0), Vector(repeating: 1))
  let out = x.mapped { v in
    v.replacing(with: exponential(limited(v, -87, 0)) - one, where: v .< zero)
  }
  return Tensor(
    shape: x.shape, storage: out.storage,
    node: Node.of([x]) { g in
      let dx = Tensor(uninitialized: x.shape)
      forEachVector(x.count) { i, n in
        let v = load(x.start, i, n)
        let slope = one.replacing(with: exponential(limited(v, -87, 0)), where: v .< zero)
        store(load(g.start, i, n) * slope, dx.start, i, n)
      }
      return [dx]
    })
}

/// Every row times the same vector, [width].
public func scaledColumns(_ x: Tensor, by scale: Tensor) -> Tensor {
  precondition(scale.count == x.width)
  func product(_ a: Tensor) -> Tensor {
    let out = Tensor(uninitialized: a.shape)
    for r in 0..<a.rows {
      let (source, target) = (a.row(r), out.row(r))
      forEachVector(a.width) { i, n in
        store(load(source, i, n) * load(scale.start, i, n), target, i, n)
      }
    }
    return out
  }
  let out = product(x)
  return Tensor(
    shape: x.shape, storage: out.storage,
    node: Node.of([x, scale]) { g in
      let dScale = scale.isDifferentiated ? Tensor(scale.shape) : nil
      if let dScale {
        for r in 0..<x.rows {
          for i in 0..<x.width { dScale.start[i] += g.row(r)[i] * x.row(r)[i] }
        }
      }
      return [x.isDifferentiated ? product(g) : nil, dScale]
    })
}

/// What row t lays side by side for `kernel` rows is added to rows step*t and those behind it; what
/// falls behind the end is dropped. With `linear` before it this is a transposed convolution.
///
/// - Parameters:
///   - x: [input rows, kernel * channels]
///   - output: layout of the result; its sequences are `step` times as long as those of `input`
/// - Returns: [output rows, channels]
public func overlapped(
  _ x: Tensor, from input: Layout, to output: Layout, kernel: Int, step: Int
) -> Tensor {
  let channels = x.width / kernel
  let out = Tensor([output.rows, channels])
  func forEachTap(_ body: (_ source: Int, _ tap: Int, _ row: Int) -> Void) {
    for (a, b) in zip(input.sequences, output.sequences) {
      for t in 0..<a.count {
        for tap in 0..<kernel where step * t + tap < b.count {
          body(a.start + t, tap, b.start + step * t + tap)
        }
      }
    }
  }
  forEachTap { source, tap, row in
    let (target, part) = (out.row(row), x.row(source) + tap * channels)
    forEachVector(channels) { i, n in
      store(load(target, i, n) + load(part, i, n), target, i, n)
    }
  }
  return Tensor(
    shape: out.shape, storage: out.storage,
    node: Node.of([x]) { g in
      let dx = Tensor(x.shape)
      forEachTap { source, tap, row in
        (dx.row(source) + tap * channels).update(from: g.row(row), count: channels)
      }
      return [dx]
    })
}
