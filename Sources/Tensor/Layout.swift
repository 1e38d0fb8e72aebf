// How the rows of a stacked tensor belong to sequences, and which rows a row may attend to.

/// One sequence of a batch: a block of rows that starts and ends on a multiple of `rowBlock`.
public struct SequenceRows: Sendable, Equatable {
  /// The first row in the stacked tensor.
  public let start: Int
  /// Rows of the block, padding included.
  public let padded: Int
  /// Rows that hold positions; the rest is padding.
  public let count: Int
  /// For each row, the keys it sees: `first` and `second`, in positions of the sequence.
  public let visible: Visibility

  public init(start: Int, count: Int, visible: Visibility) {
    self.start = start
    self.count = count
    self.padded = paddedRows(count)
    self.visible = visible
  }

  public var range: Range<Int> { start..<(start + count) }
}

/// Which keys a query sees.
public enum Visibility: Sendable, Equatable {
  /// The first `keys` positions, whatever the query.
  case all(keys: Int)
  /// Itself and what came before.
  case causal
  /// Itself and what came before in the same branch, and the first `trunk` positions, which all
  /// branches share. `branches` holds the first position of each branch.
  case branched(trunk: Int, branches: [Int])

  /// The two ranges of keys that `query` sees.
  func keys(of query: Int) -> (Range<Int>, Range<Int>) {
    switch self {
    case .all(let keys): return (0..<keys, 0..<0)
    case .causal: return (0..<(query + 1), 0..<0)
    case .branched(let trunk, let branches):
      guard query >= trunk, let start = branches.last(where: { $0 <= query }) else {
        return (0..<(query + 1), 0..<0)
      }
      return (0..<trunk, start..<(query + 1))
    }
  }
}

/// The sequences of a batch, one below the other.
public struct Layout: Sendable, Equatable {
  public let sequences: [SequenceRows]

  /// Rows of the stacked tensor.
  public let rows: Int

  /// Stacks sequences of the given numbers of positions.
  public init(counts: [Int], visible: [Visibility]) {
    var start = 0
    sequences = zip(counts, visible).map { count, visible in
      let sequence = SequenceRows(start: start, count: count, visible: visible)
      start += sequence.padded
      return sequence
    }
    rows = start
  }
}
