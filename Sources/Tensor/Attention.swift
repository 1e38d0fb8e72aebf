// Multi-head attention over the sequences of a batch, and rotary positions.

/// What attention computes: z is [rows, heads * headWidth], `patterns[s]` is [heads, queries, keys]
/// of sequence s where asked for.
public struct AttentionResult {
  public let z: Tensor
  public let patterns: [Tensor]
}

/// softmax(q k^T * scale) v for each head and each sequence; queries share keys in groups where
/// there are fewer key heads than query heads.
///
/// - Parameters:
///   - q: [rows, heads * headWidth]
///   - k: [rows, keyHeads * headWidth], and `v` likewise
///   - keepingPatterns: also returns the patterns, without padding
public func attention(
  _ q: Tensor, _ k: Tensor, _ v: Tensor, heads: Int, keyHeads: Int, scale: Float, layout: Layout,
  keepingPatterns: Bool = false
) -> AttentionResult {
  let headWidth = q.width / heads
  precondition(q.width == heads * headWidth && k.width == keyHeads * headWidth)
  precondition(heads % keyHeads == 0 && k.shape == v.shape && q.rows == layout.rows)
  let group = heads / keyHeads
  let z = Tensor(uninitialized: q.shape)
  let recording = q.isDifferentiated || k.isDifferentiated || v.isDifferentiated
  var stored: [Tensor] = []
  var patterns: [Tensor] = []
  for sequence in layout.sequences {
    let n = sequence.padded
    let stride = (n + 7) / 8 * 8
    let p = Tensor(uninitialized: [heads, n, stride])
    for h in 0..<heads {
      let scores = p.start + h * n * stride
      let (qh, kh) = (sequence.start * q.width + h * headWidth, h / group * headWidth)
      let keys = sequence.start * k.width + kh
      BLAS.productTransposed(
        n, n, headWidth, q.start + qh, q.width, k.start + keys, k.width, scores, stride,
        scale: scale)
      for i in 0..<n { softmax(scores + i * stride, stride, visible: sequence, query: i) }
      BLAS.product(
        n, headWidth, n, scores, stride, v.start + keys, v.width, z.start + qh, z.width)
    }
    if recording { stored.append(p) }
    if keepingPatterns { patterns.append(trimmed(p, sequence.count)) }
  }
  let node = Node.of([q, k, v]) { g in
    let (dq, dk, dv) = (Tensor(uninitialized: q.shape), Tensor(k.shape), Tensor(v.shape))
    for (sequence, p) in zip(layout.sequences, stored) {
      let n = sequence.padded
      let stride = p.width
      let ds = Tensor(uninitialized: [n, stride])
      for h in 0..<heads {
        let pattern = p.start + h * n * stride
        let qh = sequence.start * q.width + h * headWidth
        let keys = sequence.start * k.width + h / group * headWidth
        // dv += p^T g; dp = g v^T; ds = p * (dp - sum(dp * p)); dq = ds k; dk += ds^T q.
        BLAS.transposedProduct(
          n, headWidth, n, pattern, stride, g.start + qh, g.width, dv.start + keys, v.width,
          adding: true)
        BLAS.productTransposed(
          n, n, headWidth, g.start + qh, g.width, v.start + keys, v.width, ds.start, stride)
        for i in 0..<n { softmaxGradient(ds.start + i * stride, pattern + i * stride, n) }
        BLAS.product(
          n, headWidth, n, ds.start, stride, k.start + keys, k.width, dq.start + qh, q.width,
          scale: scale)
        BLAS.transposedProduct(
          n, headWidth, n, ds.start, stride, q.start + qh, q.width, dk.start + keys, k.width,
          scale: scale, adding: true)
      }
    }
    return [dq, dk, dv]
  }
  return AttentionResult(
    z: Tensor(shape: z.shape, storage: z.storage, node: node), patterns: patterns)
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

/// ds := p * (ds - sum(ds * p)).
@inline(__always)
private func softmaxGradient(
  _ ds: UnsafeMutablePointer<Float>, _ p: UnsafeMutablePointer<Float>, _ n: Int
) {
  var dot = Vector(repeating: 0)
  forEachVector(n) { i, m in dot = dot.addingProduct(load(ds, i, m), load(p, i, m)) }
  let mean = Vector(repeating: laneSum(dot))
  forEachVector(n) { i, m in store(load(p, i, m) * (load(ds, i, m) - mean), ds, i, m) }
}

/// The patterns of the positions alone, [heads, count, count].
private func trimmed(_ p: Tensor, _ count: Int) -> Tensor {
  let (heads, n, stride) = (p.shape[0], p.shape[1], p.shape[2])
  let out = Tensor(uninitialized: [heads, count, count])
  for h in 0..<heads {
    for i in 0..<count {
      (out.start + (h * count + i) * count)
        .update(from: p.start + (h * n + i) * stride, count: count)
    }
  }
  return out
}

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
