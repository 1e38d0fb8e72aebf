// How the rows of a stacked tensor belong to sequences, and which rows a row may attend to.

/// One sequence of a batch: a block of rows that starts and ends on a multiple of `rowBlock`.
public struct SequenceRows: Sendable, Equatable {
  /// The first row in the stacked tensor.
  public let start: Int
  /// The position of that row: 0, or a multiple of `rowBlock` where a run is resumed there.
  public let first: Int
  /// Positions of the whole sequence; rows hold those from `first` on.
  public let count: Int
  /// Rows of the block, padding included.
  public let padded: Int
  /// The keys that each position sees.
  public let visible: Visibility

  init(start: Int, first: Int, count: Int, visible: Visibility) {
    precondition(first % rowBlock == 0 && first < max(count, 1))
    self.start = start
    self.first = first
    self.count = count
    self.visible = visible
    padded = paddedRows(count) - first
  }

  /// The rows that hold positions; the rest of the block is padding.
  public var range: Range<Int> { start..<(start + count - first) }

  /// The row of a position.
  public func row(of position: Int) -> Int { start + position - first }
}

/// Which keys a query sees.
public enum Visibility: Sendable, Equatable {
  /// The first `keys` positions, whatever the query.
  case all(keys: Int)
  /// Itself and what came before.
  case causal
  /// Itself and the positions before it, so many in all.
  case window(Int)
  /// Itself and what came before in the same branch, and the first `trunk` positions, which all
  /// branches share. `branches` holds the first position of each branch.
  case branched(trunk: Int, branches: [Int])

  /// The two ranges of keys that `query` sees.
  func keys(of query: Int) -> (Range<Int>, Range<Int>) {
    switch self {
    case .all(let keys): return (0..<keys, 0..<0)
    case .causal: return (0..<(query + 1), 0..<0)
    case .window(let width): return (max(0, query + 1 - width)..<(query + 1), 0..<0)
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
  ///
  /// - Parameter firsts: the position with which each sequence's rows begin; 0 where nil.
  public init(counts: [Int], visible: [Visibility], firsts: [Int]? = nil) {
    var start = 0
    sequences = counts.indices.map { i in
      let sequence = SequenceRows(
        start: start, first: firsts?[i] ?? 0, count: counts[i], visible: visible[i])
      start += sequence.padded
      return sequence
    }
    rows = start
  }

  private init(sequences: [SequenceRows], rows: Int) {
    (self.sequences, self.rows) = (sequences, rows)
  }

  /// The rows of the first sequence for so many sequences that all read them.
  public func shared(by copies: Int) -> Layout {
    let first = sequences[0]
    return Layout(
      sequences: [SequenceRows](repeating: first, count: copies), rows: first.padded)
  }

  /// The sequence whose rows all of them read; nil where they read several.
  public var only: SequenceRows? {
    sequences.allSatisfy { $0 == sequences[0] } ? sequences.first : nil
  }

  /// The same sequences with their rows from other positions on.
  public func beginning(at firsts: [Int]) -> Layout {
    Layout(counts: sequences.map(\.count), visible: sequences.map(\.visible), firsts: firsts)
  }

  /// The last block of rows of every sequence, or nil where a row of `wanted` lies before it.
  public func tail(holding wanted: [Int]) -> Layout? {
    let tail = beginning(at: sequences.map { paddedRows($0.count) - rowBlock })
    let kept = Set(rows(of: tail))
    return wanted.allSatisfy(kept.contains) ? tail : nil
  }

  /// Where rows of this layout lie in `part`, which begins later and holds them.
  public func rows(_ wanted: [Int], in part: Layout) -> [Int] {
    let places = Dictionary(
      uniqueKeysWithValues: rows(of: part).enumerated().map { ($1, $0) })
    return wanted.map { places[$0]! }
  }

  /// The rows of this layout that `part`, which begins later, keeps.
  public func rows(of part: Layout) -> [Int] {
    zip(sequences, part.sequences).flatMap { whole, part in
      (whole.row(of: part.first))..<(whole.start + whole.padded)
    }
  }
}

/// Rows moved together into blocks of `rowBlock`, each within its half of a block, so that a product
/// leaves their bits alone.
public struct PackedRows: Sendable {
  /// For each row of the blocks the row that moves there, or -1.
  public let sources: [Int]
  /// Where each of the given rows is now.
  public let places: [Int]

  public init(_ rows: [Int]) {
    let half = rowBlock / 2
    var filled = [0, 0]
    places = rows.map { row in
      let side = row % rowBlock / half
      defer { filled[side] += 1 }
      return filled[side] / half * rowBlock + side * half + filled[side] % half
    }
    var sources = [Int](repeating: -1, count: paddedRows((places.max() ?? -1) + 1))
    for (row, place) in zip(rows, places) { sources[place] = row }
    self.sources = sources
  }

  /// The rows of `x`, moved together.
  public func taking(_ x: Tensor) -> Tensor { gatherRows(x, sources) }

  /// Rows that were moved together, where they came from among so many; zeros elsewhere.
  public func spreading(_ x: Tensor, over rows: Int) -> Tensor {
    var places = [Int](repeating: -1, count: rows)
    for (place, row) in sources.enumerated() where row >= 0 { places[row] = place }
    return gatherRows(x, places)
  }
}

/// Keys or values of whole sequences: those of `rows` behind the first positions of `prefix`, which
/// all sequences share and which has no gradient. Where nothing is missing it is `rows` itself.
///
/// - Parameters:
///   - rows: [layout rows, width]
///   - prefix: [positions, width] of one sequence
public func completing(_ rows: Tensor, _ layout: Layout, with prefix: Tensor?) -> Tensor {
  guard let prefix, layout.sequences.contains(where: { $0.first > 0 }) else { return rows }
  let full = layout.beginning(at: layout.sequences.map { _ in 0 })
  let out = Tensor(uninitialized: [full.rows, rows.width])
  for (part, whole) in zip(layout.sequences, full.sequences) {
    let head = out.row(whole.start)
    head.update(from: prefix.start, count: part.first * rows.width)
    (head + part.first * rows.width)
      .update(from: rows.row(part.start), count: part.padded * rows.width)
  }
  return Tensor(
    shape: out.shape, storage: out.storage,
    node: Node.of([rows]) { g in
      // The prefix is a constant.
      let d = Tensor(uninitialized: rows.shape)
      for (part, whole) in zip(layout.sequences, full.sequences) {
        d.row(part.start)
          .update(from: g.row(whole.row(of: part.first)), count: part.padded * rows.width)
      }
      return [d]
    })
}
