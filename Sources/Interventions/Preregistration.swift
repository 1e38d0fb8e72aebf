// What was fixed before anything was measured: thresholds, splits, seed.

import Speech

/// The rules by which a finding is called one, read from `paper/preregistration.json`.
public struct Preregistration: Sendable {
  /// The smallest gap LD_clean - LD_corrupt of a pair that enters, in nats.
  public let minimumGap: Double
  /// How many cells the search proposes.
  public let searchK: Int
  /// The share of the strongest cells that the search should propose.
  public let searchOverlap: Double
  /// The recovery that a bottleneck must reach in both directions.
  public let bottleneckRecovery: Double
  /// The recovery that the answer's position must reach before the last layer.
  public let answerPositionThreshold: Double
  public let bootstrapDraws: Int
  public let seed: Int
  /// The split on which cells are searched, and the one on which they are confirmed.
  public let searchSplit: String
  public let confirmSplit: String

  public init(_ path: String) throws {
    let json = try readJSON(path)
    do {
      minimumGap = try json.double("minimumGap")
      searchK = try json.int("searchK")
      searchOverlap = try json.double("searchOverlap")
      bottleneckRecovery = try json.double("bottleneckRecovery")
      answerPositionThreshold = try json.double("answerPositionThreshold")
      bootstrapDraws = try json.int("bootstrapDraws")
      seed = try json.int("seed")
      let splits = json["splits"] ?? [:]
      searchSplit = try splits.string("search")
      confirmSplit = try splits.string("confirm")
    } catch { throw CheckpointError("\(path): \(error)") }
  }
}
