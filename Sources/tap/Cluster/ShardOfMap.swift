// `tap map --shard i/n`: a part of a map as a file of its own, which `tap merge` puts together with the others.

import Foundation
import Interventions
import Notebook

extension MapCells {
  /// What was given to `tap map`, without what may differ between the tasks of one map.
  static func sharedArguments(_ given: [String]) -> [String] {
    var kept: [String] = []
    var isValue = false
    for word in given {
      defer { isValue = word == "--shard" }
      if isValue || ["--shard", "--fresh", "--json"].contains(word) { continue }
      if !word.hasPrefix("--shard=") { kept.append(word) }
    }
    return kept
  }

  /// Measures a shard and writes its file, which is complete or absent at any moment. What is there already is
  /// not computed again.
  ///
  /// - Throws: where the file that is there is of another map.
  func measure(_ shard: Shard) throws {
    let path = shard.path(beside: out)
    let plan = try plan()
    let map = try ShardedMap(
      plan, arguments: MapCells.sharedArguments(Array(CommandLine.arguments.dropFirst(2))))
    let store = journal(beside: path)
    if !list.fresh, FileManager.default.fileExists(atPath: path) {
      let found: MeasuredShard
      do { found = try MeasuredShard(contentsOf: path) } catch {
        throw CellError("\(error), or compute it again with --fresh")
      }
      guard found.shard == shard, found.of == map else {
        throw CellError(
          "\(path): is there already and is of \(found.of.difference(from: map) ?? "another shard"); "
            + "compute it again with --fresh, or write to another --out")
      }
      // A task that was killed after it had written the file leaves its journal.
      removeJournal(at: store)
      say("\(path) is there already and is passed over; --fresh computes it again")
      return
    }
    let shares = shard.shares(pairs: plan.run.kept.count, rows: plan.rows.count)
    let values = try plan.measured(shares, of: shard, journal: store, fresh: list.fresh)
    try writeAtomically(
      MeasuredShard(shard: shard, of: map, shares: shares, values: values).bytes, to: path,
      synchronizing: true)
    removeJournal(at: store)
    let (whole, divided) = (
      shares.count { $0.rows == nil }, shares.count { $0.rows != nil }
    )
    say(
      "wrote \(path): \(whole) of \(plan.run.kept.count) pairs whole, rows of \(divided) more\n"
        + "when all \(shard.count) shards are there: tap merge \(shellWord(out)).shard-*-of-\(shard.count)"
    )
  }

  private func say(_ line: String) { if !list.json { print(line) } }
}

extension MapPlan {
  /// What a shard measures of its pairs, resumed from its own journal.
  fileprivate func measured(
    _ shares: [PairShare], of shard: Shard, journal: String, fresh: Bool
  ) throws -> [MeasuredPair] {
    let (opened, asked, items) = (run.opened, asked, run.items)
    return try resumable(
      "shard \(shard)", over: shares, key: { items[$0.pair].id }, inputs: inputs + ["\(shard)"],
      journal: journal, fresh: fresh,
      { share in
        let item = items[share.pair]
        return try MeasuredPair(item, opened, asked, share) { try cells(item.pair, $0) }
      })
  }
}
