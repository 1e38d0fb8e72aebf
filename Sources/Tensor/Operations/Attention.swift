// Multi-head attention over the sequences of a batch, in two steps: patterns, and what they gather.

/// Where the pattern of each sequence lies in the one tensor that holds all patterns of a batch:
/// [heads, query rows, stride] each, with exact zeros outside the visible keys.
public struct PatternLayout: Sendable {
  let starts: [Int]
  let count: Int
  let heads: Int
  let queries: Layout
  let keys: Layout

  /// - Parameters:
  ///   - queries: the rows that attend
  ///   - keys: all rows of the same sequences
  public init(queries: Layout, keys: Layout, heads: Int) {
    precondition(queries.sequences.count == keys.sequences.count)
    precondition(keys.sequences.allSatisfy { $0.first == 0 })
    var start = 0
    starts = zip(queries.sequences, keys.sequences).map { query, key in
      defer { start += heads * query.padded * PatternLayout.stride(key) }
      return start
    }
    count = start
    self.heads = heads
    self.queries = queries
    self.keys = keys
  }

  /// Where queries and keys are the same rows.
  public init(_ layout: Layout, heads: Int) {
    self.init(queries: layout, keys: layout, heads: heads)
  }

  static func stride(_ keys: SequenceRows) -> Int { (keys.padded + 7) / 8 * 8 }

  /// Calls `body` for each sequence and head with the place of its pattern.
  @inline(__always)
  func visit(
    _ body: (
      _ query: SequenceRows, _ key: SequenceRows, _ head: Int, _ start: Int, _ stride: Int
    ) -> Void
  ) {
    for i in starts.indices {
      let (query, key) = (queries.sequences[i], keys.sequences[i])
      let stride = PatternLayout.stride(key)
      for head in 0..<heads {
        body(query, key, head, starts[i] + head * query.padded * stride, stride)
      }
    }
  }

  /// The pattern of one sequence without padding, [heads, queries, keys].
  public func pattern(of index: Int, in patterns: Tensor) -> Tensor {
    let (query, key) = (queries.sequences[index], keys.sequences[index])
    let (rows, columns, stride) = (query.range.count, key.count, PatternLayout.stride(key))
    let out = Tensor(uninitialized: [heads, rows, columns])
    for h in 0..<heads {
      for i in 0..<rows {
        (out.start + (h * rows + i) * columns).update(
          from: patterns.start + starts[index] + (h * query.padded + i) * stride, count: columns)
      }
    }
    return out
  }
}

/// softmax(q k^T * scale) over the visible keys, for each head and each sequence; queries share
/// keys in groups where there are fewer key heads than query heads.
///
/// - Parameters:
///   - q: [query rows, heads * headWidth]
///   - k: [key rows, keyHeads * headWidth]
///   - places: which rows attend to which
///   - bias: added to the scores, laid out as `places` says
/// - Returns: the patterns of all sequences, laid out as `places` says
public func attentionPatterns(
  _ q: Tensor, _ k: Tensor, keyHeads: Int, scale: Float, places: PatternLayout,
  bias: Tensor? = nil
) -> Tensor {
  let heads = places.heads
  let headWidth = q.width / heads
  precondition(q.width == heads * headWidth && k.width == keyHeads * headWidth)
  precondition(heads % keyHeads == 0)
  precondition(q.rows == places.queries.rows && k.rows == places.keys.rows)
  let group = heads / keyHeads
  let p = Tensor(uninitialized: [places.count])
  places.visit { query, key, h, start, stride in
    let scores = p.start + start
    BLAS.productTransposed(
      query.padded, key.padded, headWidth, q.row(query.start) + h * headWidth, q.width,
      k.row(key.start) + h / group * headWidth, k.width, scores, stride, scale: scale)
    if let bias {
      forEachVector(query.padded * stride) { i, n in
        store(load(scores, i, n) + load(bias.start + start, i, n), scores, i, n)
      }
    }
    for i in 0..<query.padded { softmax(scores + i * stride, stride, of: query, row: i) }
  }
  let node = Node.of([q, k] + (bias.map { [$0] } ?? [])) { g, rules in
    if rules.freezesPatterns { return [nil, nil] + (bias == nil ? [] : [nil]) }
    // ds = p * (g - sum(g * p)); dq = ds k; dk += ds^T q.
    let (dq, dk) = (Tensor(uninitialized: q.shape), Tensor(k.shape))
    let ds = Tensor(uninitialized: [places.count])
    places.visit { query, key, h, start, stride in
      for i in 0..<query.padded {
        let row = start + i * stride
        softmaxGradient(ds.start + row, g.start + row, p.start + row, stride)
      }
      let slope = ds.start + start
      let keyColumn = h / group * headWidth
      BLAS.product(
        query.padded, headWidth, key.padded, slope, stride, k.row(key.start) + keyColumn, k.width,
        dq.row(query.start) + h * headWidth, q.width, scale: scale)
      BLAS.transposedProduct(
        key.padded, headWidth, query.padded, slope, stride, q.row(query.start) + h * headWidth,
        q.width, dk.row(key.start) + keyColumn, k.width, scale: scale, adding: true)
    }
    return [dq, dk] + (bias == nil ? [] : [ds])
  }
  return Tensor(shape: p.shape, storage: p.storage, node: node)
}

/// The values that each query gathers by its pattern, head beside head:
/// [query rows, heads * headWidth].
///
/// - Parameters:
///   - patterns: as `attentionPatterns` gives them
///   - v: [key rows, keyHeads * headWidth]
public func attended(_ patterns: Tensor, _ v: Tensor, keyHeads: Int, places: PatternLayout)
  -> Tensor
{
  let heads = places.heads
  let headWidth = v.width / keyHeads
  let group = heads / keyHeads
  precondition(patterns.count == places.count && v.rows == places.keys.rows)
  let z = Tensor(uninitialized: [places.queries.rows, heads * headWidth])
  places.visit { query, key, h, start, stride in
    BLAS.product(
      query.padded, headWidth, key.padded, patterns.start + start, stride,
      v.row(key.start) + h / group * headWidth, v.width, z.row(query.start) + h * headWidth,
      z.width)
  }
  let node = Node.of([patterns, v]) { g in
    // dp = g v^T; dv += p^T g.
    let (dp, dv) = (Tensor([places.count]), Tensor(v.shape))
    places.visit { query, key, h, start, stride in
      let upstream = g.row(query.start) + h * headWidth
      let values = key.start * v.width + h / group * headWidth
      BLAS.productTransposed(
        query.padded, key.padded, headWidth, upstream, g.width, v.start + values, v.width,
        dp.start + start, stride)
      BLAS.transposedProduct(
        key.padded, headWidth, query.padded, patterns.start + start, stride, upstream, g.width,
        dv.start + values, v.width, adding: true)
    }
    return [dp, dv]
  }
  return Tensor(shape: z.shape, storage: z.storage, node: node)
}

/// Queries of one head whose scores are there at the same time; they stay in the second-level cache.
private let queryBlock = 20 * rowBlock

/// What each query gathers, [query rows, heads * headWidth]: `attended` of `attentionPatterns`, to the
/// bit. Where nobody looks at the patterns they are made and used a block of queries at a time, heads
/// spread over the cores.
///
/// - Parameters:
///   - q: [query rows, heads * headWidth]
///   - k: [key rows, keyHeads * headWidth]
///   - v: [value rows, keyHeads * headWidth]
///   - values: where the values of each sequence lie; where its keys do if nil. Where somebody looks at the
///     patterns, or there is a gradient, they must lie there
///   - seen: what becomes of the patterns, where somebody looks at them
public func attending(
  _ q: Tensor, _ k: Tensor, _ v: Tensor, keyHeads: Int, scale: Float, places: PatternLayout,
  values: Layout? = nil, seen: ((Tensor) -> Tensor)? = nil
) -> Tensor {
  let values = values ?? places.keys
  if seen != nil || q.isDifferentiated || k.isDifferentiated || v.isDifferentiated {
    let patterns = attentionPatterns(q, k, keyHeads: keyHeads, scale: scale, places: places)
    return attended(seen?(patterns) ?? patterns, v, keyHeads: keyHeads, places: places)
  }
  let heads = places.heads
  let (width, perKey) = (q.width / heads, heads / keyHeads)
  precondition(q.rows == places.queries.rows && k.rows == places.keys.rows)
  precondition(v.rows == values.rows && v.width == keyHeads * width && k.width == v.width)
  let z = Tensor(uninitialized: [places.queries.rows, heads * width])
  // Queries of runs that share their keys and values are one product.
  var shared: [Range<Int>] = []
  for s in places.queries.sequences.indices {
    if let first = shared.last?.lowerBound,
      places.keys.sequences[first] == places.keys.sequences[s],
      values.sequences[first] == values.sequences[s]
    {
      shared[shared.count - 1] = first..<s + 1
    } else {
      shared.append(s..<s + 1)
    }
  }
  let work = shared.flatMap { group in (0..<heads).map { (sequences: group, head: $0) } }
  let owners = places.queries.sequences.enumerated().flatMap { s, query in
    [Int](repeating: s, count: query.padded)
  }
  @Sendable func gather(_ index: Int) {
    let (group, h) = work[index]
    let (first, last) = (
      places.queries.sequences[group.lowerBound], places.queries.sequences[group.upperBound - 1]
    )
    let rows = first.start..<last.start + last.padded
    let key = places.keys.sequences[group.lowerBound]
    let value = values.sequences[group.lowerBound]
    let stride = PatternLayout.stride(key)
    let scores = Storage(uninitialized: min(queryBlock, rows.count) * stride)
    let column = h / perKey * width
    for start in Swift.stride(from: rows.lowerBound, to: rows.upperBound, by: queryBlock) {
      let count = min(queryBlock, rows.upperBound - start)
      BLAS.productTransposed(
        count, key.padded, width, q.row(start) + h * width, q.width,
        k.row(key.start) + column, k.width, scores.start, stride, scale: scale)
      for i in 0..<count {
        let query = places.queries.sequences[owners[start + i]]
        softmax(scores.start + i * stride, stride, of: query, row: start + i - query.start)
      }
      BLAS.product(
        count, width, key.padded, scores.start, stride, v.row(value.start) + column, v.width,
        z.row(start) + h * width, z.width)
    }
  }
  if places.count < 1 << 18 {
    for index in work.indices { gather(index) }
  } else {
    inParallel(work.count) { gather($0) }
  }
  return z
}

/// Softmax of one row of scores over the keys that the query sees; exactly 0 elsewhere.
@inline(__always)
private func softmax(
  _ row: UnsafeMutablePointer<Float>, _ stride: Int, of query: SequenceRows, row index: Int
) {
  // A padding row sees nothing and attends to nothing.
  if query.first + index >= query.count {
    row.update(repeating: 0, count: stride)
    return
  }
  let (first, second) = query.visible.keys(of: query.first + index)
  let gapEnd = second.isEmpty ? stride : second.lowerBound
  for j in 0..<first.lowerBound { row[j] = -.infinity }
  for j in first.upperBound..<gapEnd { row[j] = -.infinity }
  if !second.isEmpty { for j in second.upperBound..<stride { row[j] = -.infinity } }
  var largest = Vector(repeating: -.infinity)
  // A stride is a multiple of eight.
  forEachWholeVector(stride) { i in
    let v = load(row, i, 8)
    largest.replace(with: v, where: v .> largest)
  }
  let top = Vector(repeating: largest.max())
  var sum = Vector(repeating: 0)
  forEachWholeVector(stride) { i in
    let e = exponential(load(row, i, 8) - top)
    sum += e
    store(e, row, i, 8)
  }
  let scale = Vector(repeating: 1 / laneSum(sum))
  forEachWholeVector(stride) { i in store(load(row, i, 8) * scale, row, i, 8) }
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
