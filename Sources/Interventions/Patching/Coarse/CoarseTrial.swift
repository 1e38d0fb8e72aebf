// What a map from coarse to fine finds of a map that is known, cell by cell: the trial of D173
// (`paper/definitions.md`, D178).

import Speech
import Tensor

/// One pair in one direction: every cell of its map, and every block that a map from coarse to fine could patch.
public struct KnownMap: Codable, Sendable {
  /// Shares of the pair's gap, by row and column; nil where the site has no position in the window.
  public let recoveries: [[Double?]]
  /// Attribution's estimates of the same.
  public let estimates: [[Double?]]
  /// In the order of the plan's blocks.
  public let blocks: [Double?]

  public init(recoveries: [[Double?]], estimates: [[Double?]], blocks: [Double?]) {
    self.recoveries = recoveries
    self.estimates = estimates
    self.blocks = blocks
  }
}

extension SpeechLanguageModel {
  /// Patches everything that a map has and everything that a plan could ask for.
  ///
  /// - Parameters:
  ///   - windows: the columns of the map
  public func knownMap(
    _ base: Trace, from source: Trace, rows: [GridRow], windows: [Window], plan: BlockPlan
  ) throws -> KnownMap {
    let cells = rows.map { row in windows.map { Cell(row.site, index: row.index, $0) } }
    let (start, gap) = (base.logitDifference, source.logitDifference - base.logitDifference)
    func onGrid(_ values: [Double?], _ share: (Double) -> Double) -> [[Double?]] {
      rows.indices.map { row in
        windows.indices.map { values[row * windows.count + $0].map(share) }
      }
    }
    let all = Array(cells.joined())
    let patched = try patched(base, from: source, cells: all.map { [$0] })
    let estimates = try attribution(of: source, into: base, cells: all)
    let blocks = try self.patched(base, from: source, blocks: plan.blocks, of: cells)
    return KnownMap(
      recoveries: onGrid(patched) { ($0 - start) / gap }, estimates: onGrid(estimates) { $0 / gap },
      blocks: blocks.patched.map { $0.map { ($0 - start) / gap } })
  }
}

/// What of a known map is found with so many patches.
public struct FoundShare: Sendable {
  /// Cells that move as much as a hit does, and how many of them are found.
  public let hits: Int
  public let found: Int
  /// How many of the strongest cells are found.
  public let strongest: Int
}

/// A map from coarse to fine of a known map, beside the search with as many patches.
public struct CoarseTrial: Sendable {
  public let map: CoarseMap
  /// Cells that the pair has.
  public let cells: Int
  /// Blocks and cells that are patched.
  public let patches: Int
  public let coarse: FoundShare
  /// Of the cells with the largest estimates, as many as the other has patches.
  public let search: FoundShare
  /// The bound on skipped cells of the hit size, and how many there are.
  public let missed: MissedCells?
  public let missedHits: Int

  /// How many cells count as the strongest.
  public static let strongest = 20

  /// - Parameters:
  ///   - splitAt: the share of the gap from which a block is split, and `hit` that from which a cell counts
  ///   - sample: how many of the skipped cells are drawn at most
  public init(
    _ known: KnownMap, _ plan: BlockPlan, splitAt: Double, hit: Double, sample: Int,
    _ random: Random
  ) {
    let (rows, columns) = (known.recoveries.count, known.recoveries[0].count)
    let values = Dictionary(uniqueKeysWithValues: zip(plan.blocks, known.blocks))
    let isThere = known.recoveries.map { $0.map { $0 != nil } }
    var map = CoarseMap(plan, rows: rows, columns: columns, splitAt: splitAt) { _, blocks in
      blocks.map { values[$0]! }
    }
    map.draw(sample, among: isThere, random)
    let isPatched = zip(map.isPatched, isThere).map { zip($0, $1).map { $0 && $1 } }
    let flat = known.recoveries.joined().enumerated().compactMap { place, value in
      value.map { (place: place, size: abs($0)) }
    }
    let ranked = flat.sorted { ($1.size, $0.place) < ($0.size, $1.place) }
    let strongest = Set(ranked.prefix(CoarseTrial.strongest).map(\.place))
    let hits = Set(ranked.filter { $0.size >= hit }.map(\.place))
    func share(of chosen: Set<Int>) -> FoundShare {
      FoundShare(
        hits: hits.count, found: hits.intersection(chosen).count,
        strongest: strongest.intersection(chosen).count)
    }
    func places(_ isChosen: [[Bool]]) -> Set<Int> {
      Set(isChosen.joined().enumerated().filter(\.element).map(\.offset))
    }
    let own = places(isPatched)
    (self.map, cells, patches) = (map, flat.count, own.count + map.patchedBlocks)
    coarse = share(of: own)
    let estimates = known.estimates.joined().enumerated().compactMap { place, value in
      value.map { (place: place, size: abs($0)) }
    }.sorted { ($1.size, $0.place) < ($0.size, $1.place) }
    search = share(of: Set(estimates.prefix(own.count + map.patchedBlocks).map(\.place)))
    missed = map.missed(known.recoveries, hit: hit, seed: 0)
    missedHits = hits.subtracting(places(map.isReached)).count
  }
}
