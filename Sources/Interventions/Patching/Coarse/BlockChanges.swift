// Blocks of cells patched together in one pair (`paper/definitions.md`, D173).

import Speech

/// What blocks of one pair do, in logit differences.
public struct BlockChanges: Codable, Sendable {
  public let base: Double
  public let source: Double
  /// Nil where the pair has no position in the block.
  public let patched: [Double?]
  /// By block, and by cell of it, row by row: whether the pair has a position there.
  public let isThere: [[Bool]]
  /// Runs that were made, the pair's own two among them.
  public let forwards: Double
}

extension SpeechLanguageModel {
  /// What the base run says with all cells of a block taken from the source run.
  ///
  /// - Parameters:
  ///   - cells: of the map, by row and column; nil where the pair has no such window
  ///   - alignment: which moment of the source run stands for one of the base run
  ///   - resuming: false computes every block by one full run from the sound on, as a check
  public func patched(
    _ base: Trace, from source: Trace, blocks: [CellBlock], of cells: [[Cell?]],
    alignment: Alignment = .identity, resuming: Bool = true
  ) throws -> BlockChanges {
    let patches = try blocks.map { block in
      try block.cells.map { place in
        try cells[place.row][place.column].flatMap {
          try Selection($0, base: base, source: source, alignment)?.patch()
        }
      }
    }
    let present = patches.map { $0.compactMap { $0 } }
    let outcomes = try patched(base, present.filter { !$0.isEmpty }, resuming: resuming)
    var next = outcomes[...]
    return BlockChanges(
      base: base.logitDifference, source: source.logitDifference,
      patched: present.map { $0.isEmpty ? nil : next.removeFirst().logitDifference },
      isThere: patches.map { $0.map { $0 != nil } }, forwards: Double(outcomes.count + 2))
  }
}
