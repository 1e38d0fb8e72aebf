// Reading and replacing the rows of attention patterns.

extension PatternLayout {
  /// The place of the pattern of one query, by its row among the stacked queries, and how many keys it
  /// has.
  private func start(head: Int, row: Int) -> (start: Int, keys: Int) {
    let index = queries.sequences.lastIndex { $0.start <= row }!
    let (query, key) = (queries.sequences[index], keys.sequences[index])
    let place = head * query.padded + row - query.start
    return (starts[index] + place * PatternLayout.stride(key), key.count)
  }

  /// The patterns of some queries, head by head: [heads * queries, keys].
  ///
  /// - Parameter queries: their rows, all of which have as many keys
  public func rows(heads: [Int], queries: [Int], of patterns: Tensor) -> Tensor {
    let places = heads.flatMap { head in queries.map { start(head: head, row: $0) } }
    let keys = places.first?.keys ?? 0
    let out = Tensor(uninitialized: [places.count, keys])
    for (i, place) in places.enumerated() {
      precondition(place.keys == keys, "\(place.keys) keys beside \(keys)")
      out.row(i).update(from: patterns.start + place.start, count: keys)
    }
    return out
  }

  /// The patterns with those of some queries replaced by what `change` makes of them.
  public func replacing(
    heads: [Int], queries: [Int], in patterns: Tensor, by change: (Tensor) -> Tensor
  ) -> Tensor {
    let own = rows(heads: heads, queries: queries, of: patterns)
    let changed = change(own)
    precondition(changed.shape == own.shape, "\(changed.shape) in place of \(own.shape)")
    let out = Tensor(uninitialized: patterns.shape)
    out.start.update(from: patterns.start, count: patterns.count)
    let places = heads.flatMap { head in queries.map { start(head: head, row: $0) } }
    for (i, place) in places.enumerated() {
      (out.start + place.start).update(from: changed.row(i), count: place.keys)
    }
    return out
  }
}
