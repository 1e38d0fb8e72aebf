// `tap merge`: the shards of a map, put together to the files that one process writes.

import ArgumentParser
import Foundation
import Interventions
import Notebook

struct MergeShards: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Puts the shards of tap map --shard together: the same bytes as of one process.",
    discussion: """
      Result, figure and page are those that tap map was told to write. All shards must be there, each \
      once, of the same model, pairs, rules and options, and computed by this version of tap; in which \
      order they ended, and on which machines, is of no account. Give it in the folder where tap map was \
      told, as paths are counted from there.

        tap merge build/map.json.shard-*-of-8
      """)

  @Argument(help: "The files of all shards.") var shards: [String]
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    let found = try ShardSet(shards)
    let map = try MapCells.parse(found.map.arguments + (json ? ["--json"] : []))
    let library = try map.library()
    let plan = try map.plan()
    if let other = try ShardedMap(plan, arguments: found.map.arguments).difference(from: found.map)
    {
      throw CellError(
        "\(shards[0]): since it was computed something has changed (\(other)); compute the shards "
          + "again, each with --fresh: \(found.command(Shard(1, of: found.count))) --fresh")
    }
    try map.conclude(
      plan, found.joined(), nil, map.explorer == nil ? nil : ExploredSounds(plan.run.kept),
      library: library)
  }
}

/// All shards of one map.
struct ShardSet {
  let map: ShardedMap
  let count: Int
  /// By index.
  private let shards: [MeasuredShard]

  /// - Throws: where files are unreadable, of different maps or of another program, or a shard is missing or
  ///   there twice; the error names the files and says what to do.
  init(_ paths: [String]) throws {
    let read = try paths.map { (path: $0, shard: try MeasuredShard(contentsOf: $0)) }
    let (first, path) = (read[0].shard, read[0].path)
    (map, count) = (first.of, first.shard.count)
    if map.program != (try ShardedMap.runningProgram()) {
      throw CellError(
        "\(path): was computed by another version of tap than this one; merge with that one, or compute the "
          + "shards again with this one, each with --fresh")
    }
    for (other, shard) in read.dropFirst() {
      if let difference = shard.of.difference(from: map) {
        throw CellError(
          "\(other) and \(path): are of different maps (\(difference)); merge shards of one map")
      }
      guard shard.shard.count == count else {
        throw CellError(
          "\(other) and \(path): are of \(shard.shard.count) and of \(count) shards; merge those of "
            + "one number")
      }
    }
    let byIndex = Dictionary(grouping: read, by: \.shard.shard.index)
    if let twice = byIndex.values.filter({ $0.count > 1 }).map({ $0.map(\.path).sorted() })
      .min(by: { $0[0] < $1[0] })
    {
      throw CellError(
        "\(twice.joined(separator: " and ")): are the same shard; give each once")
    }
    let missing = Shard.all(count).filter { byIndex[$0.index] == nil }
    if let next = missing.first {
      let named = missing.prefix(8).map(\.description).joined(separator: ", ")
      throw CellError(
        "\(path): of its map \(missing.count) of \(count) shards are missing: \(named)"
          + (missing.count > 8 ? " and more" : "") + ". Give their files too, or compute them: "
          + ShardSet.command(next, map))
    }
    shards = Shard.all(count).map { byIndex[$0.index]![0].shard }
  }

  /// What computes a shard.
  func command(_ shard: Shard) -> String { ShardSet.command(shard, map) }

  private static func command(_ shard: Shard, _ map: ShardedMap) -> String {
    "tap map \(shellWords(map.arguments)) --shard \(shard)"
  }

  /// What one process would have measured, by pair.
  func joined() throws -> [MeasuredPair] {
    var parts: [[(hasRuns: Bool, value: MeasuredPair)]] = map.pairs.map { _ in [] }
    for shard in shards {
      for (share, value) in zip(shard.shares, shard.values) {
        parts[share.pair].append((share.hasRuns, value))
      }
    }
    return try zip(map.pairs, parts).map { name, parts in
      try MeasuredPair(
        joining: parts.filter(\.hasRuns).map(\.value) + parts.filter { !$0.hasRuns }.map(\.value),
        of: name)
    }
  }
}
