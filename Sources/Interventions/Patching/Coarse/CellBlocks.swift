// Blocks of a map's cells that are patched together: the levels of a map from coarse to fine
// (`paper/definitions.md`, D173).

import Speech

/// A rectangle of cells of a map: some rows by some windows.
public struct CellBlock: Hashable, Codable, Sendable {
  public let rows: Range<Int>
  public let columns: Range<Int>

  public init(rows: Range<Int>, columns: Range<Int>) {
    (self.rows, self.columns) = (rows, columns)
  }

  /// Its cells, row by row.
  public var cells: [(row: Int, column: Int)] {
    rows.flatMap { row in columns.map { (row, $0) } }
  }

  public var count: Int { rows.count * columns.count }

  /// The blocks of a smaller size that it consists of, row by row; those at the end may be smaller.
  public func parts(of size: BlockSize) -> [CellBlock] {
    pieces(of: rows, size.rows).flatMap { rows in
      pieces(of: columns, size.columns).map { CellBlock(rows: rows, columns: $0) }
    }
  }
}

/// How many rows and windows a block of a level has at most.
public struct BlockSize: Hashable, Codable, Sendable, CustomStringConvertible {
  public let rows: Int
  public let columns: Int

  public init(rows: Int, columns: Int) { (self.rows, self.columns) = (rows, columns) }

  public var description: String { "\(rows) x \(columns)" }
  /// That of a cell, at which a map ends.
  public static let cell = BlockSize(rows: 1, columns: 1)
}

/// How the cells of a map are taken together. No block reaches from one stage or kind of activation to
/// another, and each window of text is apart from all others.
public struct BlockPlan: Sendable {
  /// Sizes of blocks from coarse to fine, each made of those behind it; cells are not among them.
  public let levels: [BlockSize]
  /// The blocks of the first level.
  public let first: [CellBlock]

  /// Rows that a block holds at most.
  private static let rows = 4
  /// How many blocks of a level one of the level before it has beside each other, or about.
  private static let factor = 4

  /// - Parameter wide: windows of sound in a block of the first level
  /// - Returns: nil where the sound has no two such blocks, so that nothing can be left out of it
  public init?(rows: [GridRow], columns: [GridWindow], wide: Int) {
    let sound = columns.prefix { if case .text = $0.window { false } else { true } }.count
    guard wide > 1, sound > wide else { return nil }
    var widths = [wide]
    while let last = widths.last, last > 1 {
      widths.append(max(1, Int((Double(last) / Double(BlockPlan.factor)).rounded())))
    }
    levels = widths.map { BlockSize(rows: BlockPlan.rows, columns: $0) }
    var stretches: [Range<Int>] = []
    for (i, row) in rows.enumerated() {
      if let last = stretches.last, rows[last.lowerBound].isAlike(row) {
        stretches[stretches.count - 1] = last.lowerBound..<(i + 1)
      } else {
        stretches.append(i..<(i + 1))
      }
    }
    let parts =
      pieces(of: 0..<sound, wide) + (sound..<columns.count).map { $0..<($0 + 1) }
    first = stretches.flatMap { pieces(of: $0, BlockPlan.rows) }.flatMap { rows in
      parts.map { CellBlock(rows: rows, columns: $0) }
    }
  }

  /// Every block that can come to be patched, of all levels, each once.
  public var blocks: [CellBlock] {
    var (all, level) = (first, first)
    for size in levels.dropFirst() {
      level = level.flatMap { $0.parts(of: size) }
      all += level
    }
    var seen: Set<CellBlock> = []
    return all.filter { $0.count > 1 && seen.insert($0).inserted }
  }

  /// The next level at which a block falls into parts; nil where these are its cells.
  func level(of block: CellBlock, after level: Int) -> Int? {
    levels.indices.dropFirst(level + 1).first { block.parts(of: levels[$0]).count > 1 }
  }

  /// Windows of sound in a block of the first level: about a second of them, or eight segments.
  public static func width(of plan: WindowPlan) -> Int {
    switch plan {
    case .time(let milliseconds): max(1, Int((1000 / milliseconds).rounded()))
    case .segments: 8
    case .whole: 1
    }
  }
}

extension GridRow {
  /// Whether two rows are layers, heads or neurons of one kind.
  fileprivate func isAlike(_ other: GridRow) -> Bool {
    site.stage == other.site.stage && site.activation == other.site.activation
  }
}

private func pieces(of range: Range<Int>, _ size: Int) -> [Range<Int>] {
  stride(from: range.lowerBound, to: range.upperBound, by: size).map {
    $0..<min($0 + size, range.upperBound)
  }
}
