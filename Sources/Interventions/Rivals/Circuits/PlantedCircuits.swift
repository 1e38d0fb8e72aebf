// Circuits that are known because they were planted: which searches rank them first, as InterpBench asks
// (arXiv 2407.14494; `paper/definitions.md`, D170).

import Speech
import Tensor

extension Plant {
  /// The heads that carry the content: the one that writes it where there is a bottleneck, and the one that
  /// reads it. None where nothing was planted.
  public var circuit: [GridRow] {
    let heads = [layer, layer + 1].map { GridRow(Site(.lm, $0, .z), 0) }
    switch kind {
    case .bottleneck: return heads
    case .diffuse: return [heads[1]]
    case .removed: return []
    }
  }
}

/// How the searches rank one planted circuit.
public struct PlantedCircuitReading: Codable, Sendable {
  public let kind: Plant.Kind
  public let seed: UInt64
  /// By search, then the learned mask: how often a planted head ranks before one that is not (area under the
  /// receiver operating characteristic), and the share of the planted among as many first parts, which is
  /// precision and recall at once.
  public let areas: [Double]
  public let found: [Double]
  /// The same of drawn orders, means over draws.
  public let drawnArea: Double
  public let drawnFound: Double
  /// f of the circuit that is the planted heads and nothing else.
  public let faithfulness: Double
}

/// Ranks the heads and MLPs of one planted model by size of score, and cuts out what was planted.
///
/// - Parameters:
///   - voices: groups of two pairs on which parts are scored, and as many others on which the planted circuit
///     is cut out
///   - random: for the drawn orders
/// - Throws: where nothing was planted.
public func plantedCircuit(
  _ plant: Plant, voices: Int, by searches: [CircuitSearch], _ learning: MaskLearning,
  draws: Int = 5, _ random: Random
) throws -> PlantedCircuitReading {
  let planted = PlantedModel(plant)
  let model = planted.model
  func pairs(_ split: String) throws -> [CircuitPair] {
    let asked = planted.pairs(split, voices: voices)
    let parts = try model.circuitRows(of: asked[0].clean).map { Cell($0.site, index: $0.index) }
    return try asked.map {
      try CircuitPair(model, clean: $0.clean, corrupt: $0.corrupt, parts: parts)
    }
  }
  let scored = try pairs("discovery")
  let parts = scored[0].parts
  let isPlanted = parts.map { plant.circuit.contains(GridRow($0.site, $0.index)) }
  let count = isPlanted.count { $0 }
  guard count > 0, count == plant.circuit.count else {
    throw CellError("\(plant.kind.rawValue), seed \(plant.seed): has no circuit to be found")
  }
  /// The area of an order, and the share of the planted among its first.
  func reading(_ order: CircuitOrder) -> (area: Double, found: Double) {
    let places = order.ranked.enumerated().map { (-Double($0), isPlanted[$1]) }
    let area = rankedArea(
      places.filter(\.1).map(\.0), over: places.filter { !$0.1 }.map(\.0))
    let found = order.ranked.prefix(count).count { isPlanted[$0] }
    return (area ?? .nan, Double(found) / Double(count))
  }
  let scores = try scored.map { try model.circuitScores(of: $0, by: searches) }
  var orders = searches.enumerated().map {
    CircuitOrder($1.name, by: scores.mean($0), bySize: true)
  }
  orders.append(
    CircuitOrder("mask", by: try model.learnedMask(scored, learning), bySize: false))
  let readings = orders.map(reading)
  let drawn = CircuitOrder.drawn(draws, parts: parts.count, random).map(reading)
  let own = isPlanted.indices.filter { isPlanted[$0] }
  let held = try pairs("validation").map { pair in
    let values = try model.logitDifferences(of: pair, keeping: [own, []])
    return (kept: values[0] - values[1], gap: pair.clean.logitDifference - values[1])
  }
  return PlantedCircuitReading(
    kind: plant.kind, seed: plant.seed, areas: readings.map(\.area), found: readings.map(\.found),
    drawnArea: drawn.reduce(0) { $0 + $1.area } / Double(draws),
    drawnFound: drawn.reduce(0) { $0 + $1.found } / Double(draws),
    faithfulness: held.reduce(0) { $0 + $1.kept } / held.reduce(0) { $0 + $1.gap })
}

extension Array where Element == PlantedCircuitReading {
  /// The mean of a number over models, with its interval.
  private func mean(
    _ name: String, draws: Int, _ random: Random, _ value: (PlantedCircuitReading) -> Double
  ) -> Estimate {
    ratioOfMeans(
      map(value), map { _ in 1 }, groups: map { "\($0.kind.rawValue) \($0.seed)" }, draws: draws,
      random.split("planted").split(name))
  }

  /// By arm of `CircuitStudy`, and of drawn orders, the area and the share found; then f of the planted
  /// heads.
  public func numbers(draws: Int, _ random: Random) -> [(name: String, estimate: Estimate)] {
    let arms = CircuitStudy.arms.enumerated().flatMap { i, arm in
      [
        ("\(arm).area", mean("\(arm) area", draws: draws, random) { $0.areas[i] }),
        ("\(arm).found", mean("\(arm) found", draws: draws, random) { $0.found[i] }),
      ]
    }
    return arms + [
      ("random.area", mean("random area", draws: draws, random, \.drawnArea)),
      ("random.found", mean("random found", draws: draws, random, \.drawnFound)),
      ("faithfulness", mean("faithfulness", draws: draws, random, \.faithfulness)),
    ]
  }

  /// It holds where integrated gradients rank planted heads above drawn orders by all of the interval.
  public func row(draws: Int, _ random: Random) -> RivalRow {
    func area(_ name: String) -> Estimate {
      let i = CircuitStudy.arms.firstIndex(of: name)!
      return mean("\(name) area", draws: draws, random) { $0.areas[i] }
    }
    let i = CircuitStudy.arms.firstIndex(of: "integrated-gradients")!
    let difference = mean("difference", draws: draws, random) { $0.areas[i] - $0.drawnArea }
    return RivalRow(
      "MIB", "planted", on: "planted-models",
      claim: "integrated gradients rank the planted heads first",
      measure: "area under the ROC, planted heads over all other heads and MLPs",
      effect: area("integrated-gradients"),
      control: mean("random area", draws: draws, random, \.drawnArea), tap: area("conductance"),
      holds: difference.low > 0)
  }
}
