// Does the procedure find what was planted, and nothing where nothing was?

import Speech
import Tensor

/// One plant, and what the procedure made of it.
public struct PlantedTrial: Sendable {
  public let plant: Plant
  public let planted: Cell
  public let finding: BottleneckFinding

  /// Whether the planted cell and no other was found.
  public var foundCell: Bool { finding.bottleneck == [planted] }

  /// Whether the chosen number of directions is the planted one.
  public var foundRank: Bool { finding.size?.chosen.size == plant.rank }

  /// The smallest cosine between the found subspace and the planted one; nil where
  /// another cell, another dimension or nothing was found.
  public let alignment: Double?

  /// Layer, window and dimension.
  public var isRecovered: Bool { foundCell && foundRank }

  /// Whether something was found where nothing was planted.
  public var isFalsePositive: Bool { plant.kind != .bottleneck && !finding.bottleneck.isEmpty }
}

/// What a trial came to, without what it found on the way.
public struct PlantedOutcome: Codable, Sendable {
  public let kind: Plant.Kind
  public let foundCell: Bool
  public let foundRank: Bool
  public let foundSomething: Bool
  /// The smallest cosine between the found subspace and the planted one, as in `PlantedTrial`.
  public let alignment: Double?

  public init(_ trial: PlantedTrial) {
    (kind, foundCell, foundRank) = (trial.plant.kind, trial.foundCell, trial.foundRank)
    (foundSomething, alignment) = (!trial.finding.bottleneck.isEmpty, trial.alignment)
  }
}

extension Array where Element == PlantedOutcome {
  /// The share of the models of one kind of which something holds, with its exact interval.
  public func share(of kind: Plant.Kind, where test: (PlantedOutcome) -> Bool) -> SanityEvidence {
    let own = filter { $0.kind == kind }
    if own.isEmpty { return SanityEvidence(every: []) }
    return SanityEvidence(clopperPearson(own.count(where: test), of: own.count), count: own.count)
  }
}

/// The procedure on one plant: 12 voices of two pairs a split, cells of all residual sites by all
/// windows of the sound, sizes 1 to 8.
public func plantedTrial(_ plant: Plant) throws -> PlantedTrial {
  let planted = PlantedModel(plant)
  let rules = BottleneckRules(selection: try SelectionRule(sizes: Array(1...8)))
  let pairs = SplitPairs(
    discovery: planted.pairs("discovery", voices: 12),
    validation: planted.pairs("validation", voices: 12), test: planted.pairs("test", voices: 12))
  let cells = planted.sites.flatMap { site in planted.windows.map { Cell(site, $0) } }
  let finding = try planted.model.bottleneck(
    among: cells, pairs: pairs, rules: rules, Random(seed: plant.seed).split("procedure"))
  // What was found elsewhere may lie in another space, as wide as the encoder.
  let cosines =
    finding.bottleneck == [planted.cell]
    ? finding.subspace?.principalCosines(to: planted.subspace) : nil
  return PlantedTrial(
    plant: plant, planted: planted.cell, finding: finding,
    alignment: cosines.flatMap { $0.count == plant.rank ? $0.last : nil })
}

/// The procedure on the plants of many seeds, in order.
public func plantedTrials(_ kind: Plant.Kind, seeds: Range<UInt64>) throws -> [PlantedTrial] {
  let seeds = Array(seeds)
  return try mapInParallel(seeds.count) { try plantedTrial(Plant(kind, seed: seeds[$0])) }
}
