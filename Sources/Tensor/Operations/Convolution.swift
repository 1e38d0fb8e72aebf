// Convolution over time as a matrix product, and pooling, for the sequences of a batch.

/// Lays neighbouring rows side by side: row t of the result is rows step*t - left and the
/// `kernel` - 1 behind it of the sequence, `dilation` apart, zeros beyond its ends.
///
/// With the weight of a convolution reordered by `convolutionWeight`, `linear` of the result is that
/// convolution.
///
/// - Parameters:
///   - x: rows of `input`, [rows, channels]
///   - input: layout of `x`
///   - output: layout of the result; its sequences are those of `input`, `step` times shorter
///   - repeatsFirst: the first row stands in for those before it, in place of zeros
///   - columns: the channels that are taken; all where nil
/// - Returns: [output rows, kernel * channels]
public func unfolded(
  _ x: Tensor, from input: Layout, to output: Layout, kernel: Int = 3, step: Int, left: Int = 1,
  dilation: Int = 1, repeatsFirst: Bool = false, columns: Range<Int>? = nil
) -> Tensor {
  let columns = columns ?? 0..<x.width
  let channels = columns.count
  precondition(x.rows == input.rows && input.sequences.count == output.sequences.count)
  let out = Tensor([output.rows, kernel * channels])
  func forEachTap(_ body: (_ source: Int, _ row: Int, _ tap: Int) -> Void) {
    for (a, b) in zip(input.sequences, output.sequences) {
      for t in 0..<b.count {
        for tap in 0..<kernel {
          var source = step * t + tap * dilation - left
          if repeatsFirst && source < 0 { source = 0 }
          if source >= 0 && source < a.count { body(a.start + source, b.start + t, tap) }
        }
      }
    }
  }
  forEachTap { source, row, tap in
    (out.row(row) + tap * channels).update(
      from: x.row(source) + columns.lowerBound, count: channels)
  }
  return Tensor(
    shape: out.shape, storage: out.storage,
    node: Node.of([x]) { g in
      let dx = Tensor(x.shape)
      forEachTap { source, row, tap in
        let (target, upstream) = (
          dx.row(source) + columns.lowerBound, g.row(row) + tap * channels
        )
        forEachVector(channels) { i, n in
          store(load(target, i, n) + load(upstream, i, n), target, i, n)
        }
      }
      return [dx]
    })
}

/// A convolution weight [out, in, kernel] as the weight [out, kernel * in] of `linear` after
/// `unfolded`.
public func convolutionWeight(_ weight: Tensor) -> Tensor {
  precondition(weight.shape.count == 3)
  let (outer, inner, kernel) = (weight.shape[0], weight.shape[1], weight.shape[2])
  func reordered(_ source: Tensor, _ shape: [Int], _ forward: Bool) -> Tensor {
    let out = Tensor(uninitialized: shape)
    for o in 0..<outer {
      for i in 0..<inner {
        for tap in 0..<kernel {
          let (stored, flat) = ((o * inner + i) * kernel + tap, (o * kernel + tap) * inner + i)
          if forward {
            out.start[flat] = source.start[stored]
          } else {
            out.start[stored] = source.start[flat]
          }
        }
      }
    }
    return out
  }
  let out = reordered(weight, [outer, kernel * inner], true)
  return Tensor(
    shape: out.shape, storage: out.storage,
    node: Node.of([weight]) { g in [reordered(g, weight.shape, false)] })
}

/// The mean of each two neighbouring rows of every sequence; an odd last row is dropped.
public func pooledPairs(_ x: Tensor, from input: Layout, to output: Layout) -> Tensor {
  let width = x.width
  let out = Tensor([output.rows, width])
  for (a, b) in zip(input.sequences, output.sequences) {
    precondition(b.count == a.count / 2)
    for t in 0..<b.count {
      let (first, second) = (x.row(a.start + 2 * t), x.row(a.start + 2 * t + 1))
      let target = out.row(b.start + t)
      forEachVector(width) { i, n in
        let sum = load(first, i, n) + load(second, i, n)
        store(sum * Vector(repeating: 0.5), target, i, n)
      }
    }
  }
  return Tensor(
    shape: out.shape, storage: out.storage,
    node: Node.of([x]) { g in
      let dx = Tensor(x.shape)
      for (a, b) in zip(input.sequences, output.sequences) {
        for t in 0..<b.count {
          let upstream = g.row(b.start + t)
          let (first, second) = (dx.row(a.start + 2 * t), dx.row(a.start + 2 * t + 1))
          forEachVector(width) { i, n in
            let half = load(upstream, i, n) * Vector(repeating: 0.5)
            store(half, first, i, n)
            store(half, second, i, n)
          }
        }
      }
      return [dx]
    })
}

/// Lays each `count` neighbouring rows of every sequence side by side; those left over are dropped.
///
/// - Parameter output: layout of the result; its sequences are those of `input`, `count` times
///   shorter
/// - Returns: [output rows, count * width]
public func stackedRows(_ x: Tensor, _ count: Int, from input: Layout, to output: Layout) -> Tensor
{
  let width = x.width
  let out = Tensor([output.rows, count * width])
  for (a, b) in zip(input.sequences, output.sequences) {
    precondition(b.count == a.count / count)
    out.row(b.start).update(from: x.row(a.start), count: b.count * count * width)
  }
  return Tensor(
    shape: out.shape, storage: out.storage,
    node: Node.of([x]) { g in
      let dx = Tensor(x.shape)
      for (a, b) in zip(input.sequences, output.sequences) {
        dx.row(a.start).update(from: g.row(b.start), count: b.count * count * width)
      }
      return [dx]
    })
}
