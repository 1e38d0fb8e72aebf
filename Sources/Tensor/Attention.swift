// Multi-head attention over the sequences of a batch, in two steps: patterns, and what they gather.

/// Where the pattern of each sequence lies in the one tensor that holds all patterns of a batch:
/// [heads, padded queries, stride] each, with exact zeros outside the visible keys.
public struct PatternLayout {
  let starts: [Int]
  let heads: Int
  let layout: Layout

  public init(_ layout: Layout, heads: Int) {
    var start = 0
    starts = layout.sequences.map { sequence in
      defer { start += heads * sequence.padded * PatternLayout.stride(sequence) }
      return start
    }
    self.heads = heads
    self.layout = layout
  }

  static func stride(_ sequence: SequenceRows) -> Int { (sequence.padded + 7) / 8 * 8 }

  var count: Int {
    guard let last = layout.sequences.last else { return 0 }
    return starts.last! + heads * last.padded * PatternLayout.stride(last)
  }

  /// Calls `body` for each sequence and head with the place of its pattern.
  @inline(__always)
  func forEach(_ body: (_ sequence: SequenceRows, _ head: Int, _ start: Int, _ stride: Int) -> Void)
  {
    for (sequence, start) in zip(layout.sequences, starts) {
      let stride = PatternLayout.stride(sequence)
      for head in 0..<heads { body(sequence, head, start + head * sequence.padded * stride, stride) }
    }
  }

  /// The pattern of one sequence without padding, [heads, queries, keys].
  public func pattern(of index: Int, in patterns: Tensor) -> Tensor {
    let sequence = layout.sequences[index]
    let (n, stride) = (sequence.count, PatternLayout.stride(sequence))
    let out = Tensor(uninitialized: [heads, n, n])
    for h in 0..<heads {
      for i in 0..<n {
        (out.start + (h * n + i) * n).update(
          from: patterns.start + starts[index] + (h * sequence.padded + i) * stride, count: n)
      }
    }
    return out
  }
}

/// softmax(q k^T * scale) over the visible keys, for each head and each sequence; queries share
/// keys in groups where there are fewer key heads than query heads.
///
/// - Parameters:
///   - q: [rows, heads * headWidth]
///   - k: [rows, keyHeads * headWidth]
/// - Returns: the patterns of all sequences, laid out as `PatternLayout` says
public func attentionPatterns(
  _ q: Tensor, _ k: Tensor, heads: Int, keyHeads: Int, scale: Float, layout: Layout
) -> Tensor {
  let headWidth = q.width / heads
  precondition(q.width == heads * headWidth && k.width == keyHeads * headWidth)
  precondition(heads % keyHeads == 0 && q.rows == layout.rows && k.rows == layout.rows)
  let group = heads / keyHeads
  let places = PatternLayout(layout, heads: heads)
  let p = Tensor(uninitialized: [places.count])
  places.forEach { sequence, h, start, stride in
    let n = sequence.padded
    let scores = p.start + start
    BLAS.productTransposed(
      n, n, headWidth, q.row(sequence.start) + h * headWidth, q.width,
      k.row(sequence.start) + h / group * headWidth, k.width, scores, stride, scale: scale)
    for i in 0..<n { softmax(scores + i * stride, stride, visible: sequence, query: i) }
  }
  let node = Node.of([q, k]) { g in
    // ds = p * (g - sum(g * p)); dq = ds k; dk += ds^T q.
    let (dq, dk) = (Tensor(uninitialized: q.shape), Tensor(k.shape))
    let ds = Tensor(uninitialized: [places.count])
    places.forEach { sequence, h, start, stride in
      let n = sequence.padded
      for i in 0..<n {
        let row = start + i * stride
        softmaxGradient(ds.start + row, g.start + row, p.start + row, stride)
      }
      let slope = ds.start + start
      BLAS.product(
        n, headWidth, n, slope, stride, k.row(sequence.start) + h / group * headWidth, k.width,
        dq.row(sequence.start) + h * headWidth, q.width, scale: scale)
      BLAS.transposedProduct(
        n, headWidth, n, slope, stride, q.row(sequence.start) + h * headWidth, q.width,
        dk.row(sequence.start) + h / group * headWidth, k.width, scale: scale, adding: true)
    }
    return [dq, dk]
  }
  return Tensor(shape: p.shape, storage: p.storage, node: node)
}

/// The values that each query gathers by its pattern, head beside head: [rows, heads * headWidth].
///
/// - Parameters:
///   - patterns: as `attentionPatterns` gives them
///   - v: [rows, keyHeads * headWidth]
public func attended(
  _ patterns: Tensor, _ v: Tensor, heads: Int, keyHeads: Int, layout: Layout
) -> Tensor {
  let headWidth = v.width / keyHeads
  let group = heads / keyHeads
  let places = PatternLayout(layout, heads: heads)
  precondition(patterns.count == places.count && v.rows == layout.rows)
  let z = Tensor(uninitialized: [v.rows, heads * headWidth])
  places.forEach { sequence, h, start, stride in
    let n = sequence.padded
    BLAS.product(
      n, headWidth, n, patterns.start + start, stride,
      v.row(sequence.start) + h / group * headWidth, v.width,
      z.row(sequence.start) + h * headWidth, z.width)
  }
  let node = Node.of([patterns, v]) { g in
    // dp = g v^T; dv += p^T g.
    let (dp, dv) = (Tensor([places.count]), Tensor(v.shape))
    places.forEach { sequence, h, start, stride in
      let n = sequence.padded
      let upstream = g.row(sequence.start) + h * headWidth
      let values = sequence.start * v.width + h / group * headWidth
      BLAS.productTransposed(
        n, n, headWidth, upstream, g.width, v.start + values, v.width, dp.start + start, stride)
      BLAS.transposedProduct(
        n, headWidth, n, patterns.start + start, stride, upstream, g.width, dv.start + values,
        v.width, adding: true)
    }
    return [dp, dv]
  }
  return Tensor(shape: z.shape, storage: z.storage, node: node)
}

/// Softmax of one row of scores over the keys that the query sees; exactly 0 elsewhere.
@inline(__always)
private func softmax(
  _ row: UnsafeMutablePointer<Float>, _ stride: Int, visible sequence: SequenceRows, query: Int
) {
  // A padding row sees nothing and attends to nothing.
  if query >= sequence.count {
    row.update(repeating: 0, count: stride)
    return
  }
  let (first, second) = sequence.visible.keys(of: query)
  let gapEnd = second.isEmpty ? stride : second.lowerBound
  for j in first.upperBound..<gapEnd { row[j] = -.infinity }
  if !second.isEmpty { for j in second.upperBound..<stride { row[j] = -.infinity } }
  var largest = Vector(repeating: -.infinity)
  forEachVector(stride) { i, n in
    let v = load(row, i, n)
    largest.replace(with: v, where: v .> largest)
  }
  let top = Vector(repeating: largest.max())
  var sum = Vector(repeating: 0)
  forEachVector(stride) { i, n in
    let e = exponential(load(row, i, n) - top)
    sum += e
    store(e, row, i, n)
  }
  let scale = Vector(repeating: 1 / laneSum(sum))
  forEachVector(stride) { i, n in store(load(row, i, n) * scale, row, i, n) }
}

/// ds := p * (g - sum(g * p)).
@inline(__always)
private func softmaxGradient(
  _ ds: UnsafeMutablePointer<Float>, _ g: UnsafeMutablePointer<Float>,
  _ p: UnsafeMutablePointer<Float>, _ n: Int
) {
  var dot = Vector(repeating: 0)
  forEachVector(n) { i, m in dot = dot.addingProduct(load(g, i, m), load(p, i, m)) }
  let mean = Vector(repeating: laneSum(dot))
  forEachVector(n) { i, m in store(load(p, i, m) * (load(g, i, m) - mean), ds, i, m) }
}
