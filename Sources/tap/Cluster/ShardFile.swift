// The file of one shard: what was measured, and of which map. Its first line has the digest of the rest, so
// that a file that is cut off or edited is told from a whole one.
//
//     tap map shard 1 <SHA-256 of what follows>
//     { "about": ..., "values": ... }

import Foundation
import Interventions
import JSON
import Notebook

/// Which map a shard is of. Shards can be merged where all of it is equal.
struct ShardedMap: Codable, Equatable {
  /// The digest of the program, so of all its code.
  let program: String
  /// What followed `tap map`, without what may differ between tasks of one map.
  let arguments: [String]
  /// The digest of all that the values depend on.
  let inputs: String
  /// Digests of the model, of the list, of the recordings and of the rules.
  let model: String
  let list: String
  let recordings: String
  let rules: String
  /// The pairs that enter, and how many rows each has.
  let pairs: [String]
  let rows: Int

  init(_ plan: MapPlan, arguments: [String]) throws {
    let entered = plan.run.pairs
    (self.arguments, program) = (arguments, try ShardedMap.runningProgram())
    inputs = Digest(ofParts: plan.inputs).description
    (model, list) = (entered.modelDigest, entered.pairsDigest)
    (recordings, rules) = (entered.recordingsDigest, entered.rules)
    (pairs, rows) = (entered.kept.map(\.pair.id), plan.rows.count)
  }

  static func runningProgram() throws -> String {
    try Digest(ofFile: "/proc/self/exe").description
  }

  /// What is another here than there, in words; nil where nothing is.
  func difference(from other: ShardedMap) -> String? {
    if self == other { return nil }
    let named: [(String, KeyPath<ShardedMap, String>)] = [
      ("another version of tap", \.program), ("another model", \.model),
      ("another list of pairs", \.list), ("other recordings", \.recordings),
      ("another preregistration", \.rules),
    ]
    for (name, member) in named where self[keyPath: member] != other[keyPath: member] {
      return name
    }
    if arguments != other.arguments {
      return "other options: \(shellWords(arguments)), and \(shellWords(other.arguments))"
    }
    return pairs != other.pairs ? "other pairs that enter" : "other inputs"
  }
}

/// One shard of a map, measured.
struct MeasuredShard: Codable {
  let shard: Shard
  let of: ShardedMap
  let shares: [PairShare]
  /// By share.
  let values: [MeasuredPair]
}

/// What is written into a shard's file; numbers have as many digits as it takes to read the same bits back.
extension MeasuredShard {
  private static let mark = "tap map shard 1 "
  private static let digits = 64

  var bytes: [UInt8] {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
      let content = [UInt8](try encoder.encode(self))
      return Array("\(Self.mark)\(Digest(of: content))\n".utf8) + content
    }
  }

  /// - Throws: where the file cannot be read, is none of a shard, or is not whole.
  init(contentsOf path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw CellError("\(path): cannot be read")
    }
    let (bytes, mark) = ([UInt8](data), Array(Self.mark.utf8))
    guard bytes.starts(with: mark) else {
      throw CellError("\(path): is no file that tap map --shard has written")
    }
    let content = bytes.dropFirst(mark.count + Self.digits + 1)
    let digest = bytes.dropFirst(mark.count).prefix(Self.digits)
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    guard String(decoding: digest, as: UTF8.self) == Digest(of: content).description,
      let found = try? decoder.decode(MeasuredShard.self, from: Data(content))
    else {
      throw CellError(
        "\(path): is cut off or was edited, as its digest says; remove it and compute its shard again"
      )
    }
    self = found
  }
}
