// Reading and replacing the rows of attention patterns.

extension PatternLayout {
  /// The place of the pattern of one query of the first sequence, and how many keys it has.
  private func start(head: Int, query: Int) -> (start: Int, keys: Int) {
    let (queries, keys) = (queries.sequences[0], keys.sequences[0])
    let row = head * queries.padded + query - queries.first
    return (starts[0] + row * PatternLayout.stride(keys), keys.count)
  }

  /// The patterns of some queries of the first sequence, head by head:
  /// [heads * queries, keys].
  public func rows(heads: [Int], queries: [Int], of patterns: Tensor) -> Tensor {
    let places = heads.flatMap { head in queries.map { start(head: head, query: $0) } }
    let keys = self.keys.sequences[0].count
    let out = Tensor(uninitialized: [places.count, keys])
    for (i, place) in places.enumerated() {
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
    let places = heads.flatMap { head in queries.map { start(head: head, query: $0) } }
    for (i, place) in places.enumerated() {
      (out.start + place.start).update(from: changed.row(i), count: place.keys)
    }
    return out
  }
}
