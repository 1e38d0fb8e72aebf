// What was fixed before anything was measured: thresholds, splits, seed. The file is frozen: its
// digest is in every result, and the test split is opened under one digest only (Openings.swift).

import Notebook
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
  /// How the number of components is chosen, and on which split.
  public let selection: SelectionRule
  public let selectionSplit: String
  /// Of the file's bytes.
  public let digest: Digest

  /// - Throws: an error that names the file and the entry that is missing or out of range.
  public init(_ path: String) throws {
    let json = try readJSON(path)
    digest = try Digest(ofFile: path)
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
      selectionSplit = try splits.string("selection")
      confirmSplit = try splits.string("confirm")
      let rule = json["selection"] ?? [:]
      selection = try SelectionRule(
        sizes: rule.array("sizes").map { $0.int ?? 0 }, share: rule.double("recoveryShare"))
    } catch { throw CheckpointError("\(path): \(error)") }
    let names = [searchSplit, selectionSplit, confirmSplit]
    guard Set(names).count == names.count else {
      throw CheckpointError(
        "\(path): \"splits\" names one split twice (\(names.joined(separator: ", "))); search, "
          + "selection and confirmation need one each")
    }
  }
}
