// One of so many tasks that share a map, and which cells are its own.

import Foundation
import Interventions

/// The shard `index` of `count`, from 1 on, as in `--shard 3/8`.
struct Shard: Codable, Hashable, CustomStringConvertible {
  let index: Int
  let count: Int

  var description: String { "\(index)/\(count)" }

  init(_ index: Int, of count: Int) { (self.index, self.count) = (index, count) }

  /// - Throws: where the text is not such a fraction, or the index is outside 1...count.
  init(_ text: String) throws {
    let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let index = numbers[0], let count = numbers[1],
      (1...100_000).contains(count), (1...count).contains(index)
    else {
      throw CellError(
        "a shard is i/n with i from 1 to n, and n up to 100,000, so 1/8 to 8/8 are the shards of 8 "
          + "tasks")
    }
    self.init(index, of: count)
  }

  /// All shards of so many.
  static func all(_ count: Int) -> [Shard] { (1...count).map { Shard($0, of: count) } }

  /// The file of this shard beside a map.
  func path(beside out: String) -> String { "\(out).shard-\(index)-of-\(count)" }

  /// What this shard measures. Pairs go round whole as long as all shards get one; what is left over is
  /// divided by rows among all of them, so that a single pair of a large model is shared too. A shard may
  /// have nothing to do where there are more shards than rows.
  ///
  /// - Parameters:
  ///   - pairs: how many pairs enter
  ///   - rows: how many rows the map has
  func shares(pairs: Int, rows: Int) -> [PairShare] {
    (0..<pairs).compactMap { pair in
      let isOwn = pair % count == index - 1
      if pair < pairs / count * count { return isOwn ? PairShare(pair: pair, rows: nil) : nil }
      let own = (0..<rows).filter { ($0 + pair) % count == index - 1 }
      return own.isEmpty && !isOwn
        ? nil : PairShare(pair: pair, rows: own, hasRuns: isOwn)
    }
  }
}

/// What one shard measures of one pair.
struct PairShare: Codable, Hashable, Sendable {
  /// Its place among the pairs that enter.
  let pair: Int
  /// The rows whose cells are patched, in order; nil where all are.
  let rows: [Int]?
  /// Whether the pair's own runs, its estimates and what the model says to it unpatched are of this share. One
  /// share of a pair has them, so that the costs of all shares sum to those of one process.
  let hasRuns: Bool

  init(pair: Int, rows: [Int]?, hasRuns: Bool = true) {
    (self.pair, self.rows, self.hasRuns) = (pair, rows, hasRuns)
  }

  /// All of a pair, as one process measures it.
  static let whole = PairShare(pair: 0, rows: nil)

  /// A grid without the cells of other rows.
  func own<T>(_ grid: [[T?]]) -> [[T?]] {
    guard let rows else { return grid }
    let own = Set(rows)
    return grid.enumerated().map { row, cells in
      own.contains(row) ? cells : cells.map { _ in nil }
    }
  }
}
