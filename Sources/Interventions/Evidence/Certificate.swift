// The certificate of a search: how its scores compare with the exact effects of the same cells, and
// what it would cost to trust it (`paper/definitions.md`, D42 to D45).

import Tensor

/// How the K cells that a search proposes compare with the K strongest.
public struct Agreement: Sendable, Codable, Equatable {
  public let k: Int
  /// How K was chosen: `10`, `1%`.
  public let name: String
  /// The share of the proposed cells that are among the K strongest, and what a random choice would
  /// reach: K / N, from an expected overlap of K * K / N cells.
  public let overlap: Double
  public let chance: Double
  /// The share of the proposed cells whose effect reaches the threshold; nil without a threshold.
  public let precision: Double?
  /// The share of the cells that reach the threshold that are among the proposed; nil without a
  /// threshold, and where no cell reaches it.
  public let recall: Double?
}

/// What it costs to have verified the K strongest cells by patching cells in order of their scores
/// (AtP*, Kramar et al., 2024), in forward passes.
public struct RecallCost: Sendable, Codable, Equatable {
  public let k: Int
  public let cost: Double
  /// Cost / K, at least 1.
  public let ratio: Double
  /// The same ratio where cells are patched in random order, and where all are.
  public let random: Double
  public let exhaustive: Double
}

/// How a search compares with the exact effects of the same cells.
public struct Certificate: Sendable, Codable, Equatable {
  /// Cells that have both a score and an effect.
  public let cells: Int
  /// Each nil where one side does not vary.
  public let pearson: Double?
  public let spearman: Double?
  public let kendall: Double?
  /// Their intervals over groups of pairs, where the maps of the pairs were given.
  public let intervals: Correlations?
  /// The share of the total absolute effect that lies in cells whose score has its sign; nil where
  /// there is no effect.
  public let signAgreement: Double?
  /// Of the effects on the scores; nil where those do not vary.
  public let slope: Double?
  public let largestDifference: Double
  /// The size from which an effect counts, in the effects' units.
  public let threshold: Double?
  public let agreements: [Agreement]
  /// Forward passes that the search itself took; a backward pass counts as two.
  public let searchCost: Double
  public let recallCosts: [RecallCost]
  /// The mean ratio of cost to K over all K, geometric and weighted by 1 / K.
  public let meanCostRatio: Double
  /// What a random sample of the other cells says of those that were missed, where one was taken.
  public var missed: MissedCells?

  /// Compares scores with effects, cell by cell; cells that lack one are left out. Cells are ranked
  /// by absolute value, equal ones by index.
  ///
  /// - Parameters:
  ///   - scores: the search's estimate of each cell, and `effects` what exact patching gave, in one
  ///     unit
  ///   - searchCost: in forward passes; 4 for plain attribution (two forward, one backward)
  ///   - threshold: the size from which an effect counts
  /// - Throws: where fewer than two cells have both, or one is not finite.
  public init(
    of scores: [Double?], against effects: [Double?], searchCost: Double,
    threshold: Double? = nil, intervals: Correlations? = nil, missed: MissedCells? = nil
  ) throws {
    let both = try commonCells(scores, effects)
    let (a, e) = (both.map(\.score), both.map(\.effect))
    cells = both.count
    func defined(_ value: Double) -> Double? { value.isNaN ? nil : value }
    pearson = defined(Interventions.pearson(a, e))
    spearman = defined(Interventions.spearman(a, e))
    kendall = defined(Interventions.kendall(a, e))
    self.intervals = intervals
    let total = e.reduce(0) { $0 + abs($1) }
    let agreeing = both.reduce(0.0) {
      $0 + ($1.score * $1.effect > 0 ? abs($1.effect) : 0)
    }
    signAgreement = total > 0 ? agreeing / total : nil
    slope = defined(Interventions.slope(a, e))
    largestDifference = both.reduce(0) { max($0, abs($1.score - $1.effect)) }
    self.threshold = threshold
    let (proposed, strongest) = (byStrength(a), byStrength(e))
    agreements = sizes(of: both.count).map { k, name in
      Agreement(k, name, proposed, strongest, effects: e, threshold: threshold)
    }
    self.searchCost = searchCost
    let costs = verifiedRecall(proposed, strongest, searchCost: searchCost)
    recallCosts = costs.filter { isRound($0.k) || $0.k == both.count }
    let weights = costs.reduce(0) { $0 + 1 / Double($1.k) }
    meanCostRatio = Elementary.exp(
      costs.reduce(0) { $0 + Elementary.log($1.ratio) / Double($1.k) } / weights)
    self.missed = missed
  }
}

/// Why a certificate cannot be given.
public struct EvidenceError: Error, CustomStringConvertible, Equatable {
  public let description: String
  public init(_ description: String) { self.description = description }
}

private func commonCells(_ scores: [Double?], _ effects: [Double?]) throws -> [(
  score: Double, effect: Double
)] {
  guard scores.count == effects.count else {
    throw EvidenceError(
      "\(scores.count) scores for \(effects.count) effects; a certificate compares the same cells")
  }
  let both = zip(scores, effects).compactMap { score, effect in
    score.flatMap { score in effect.map { (score: score, effect: $0) } }
  }
  guard both.count > 1 else {
    throw EvidenceError(
      "\(both.count) cells have a score and an effect; patch at least two of the scored cells")
  }
  guard both.allSatisfy({ $0.score.isFinite && $0.effect.isFinite }) else {
    throw EvidenceError(
      "a score or an effect is not finite; leave out pairs without a gap before averaging")
  }
  return both
}

/// The indices of cells from the largest absolute value on, equal ones by index.
func byStrength(_ values: [Double]) -> [Int] {
  values.indices.sorted { (-abs(values[$0]), $0) < (-abs(values[$1]), $1) }
}

/// The numbers of cells at which search and exact effects are compared, with their names.
private func sizes(of cells: Int) -> [(k: Int, name: String)] {
  let shares = [1, 5].map { share in
    (k: (cells * share + 99) / 100, name: "\(share)%")
  }
  return [(k: 10, name: "10"), shares[0], shares[1], (k: 50, name: "50")].filter { $0.k <= cells }
}

/// 1, 2, 5, 10, 20, 50, ...
private func isRound(_ k: Int) -> Bool {
  var k = k
  while k % 10 == 0 { k /= 10 }
  return [1, 2, 5].contains(k)
}

extension Agreement {
  fileprivate init(
    _ k: Int, _ name: String, _ proposed: [Int], _ strongest: [Int], effects: [Double],
    threshold: Double?
  ) {
    let found = Set(proposed.prefix(k))
    self.k = k
    self.name = name
    overlap = Double(strongest.prefix(k).count(where: found.contains)) / Double(k)
    chance = Double(k) / Double(effects.count)
    let strong = threshold.map { limit in effects.indices.filter { abs(effects[$0]) >= limit } }
    let hits = strong.map { Double($0.count(where: found.contains)) }
    precision = hits.map { $0 / Double(k) }
    recall = strong.flatMap { $0.isEmpty ? nil : hits! / Double($0.count) }
  }
}

/// The cost of having verified the K strongest, for every K.
private func verifiedRecall(_ proposed: [Int], _ strongest: [Int], searchCost: Double)
  -> [RecallCost]
{
  let count = Double(proposed.count)
  var place = [Int](repeating: 0, count: proposed.count)
  for (rank, cell) in proposed.enumerated() { place[cell] = rank + 1 }
  var farthest = 0
  return strongest.enumerated().map { index, cell in
    farthest = max(farthest, place[cell])
    let k = Double(index + 1)
    let cost = searchCost + Double(farthest)
    // In random order the last of K cells is met after K (N + 1) / (K + 1) on average.
    return RecallCost(
      k: index + 1, cost: cost, ratio: cost / k, random: (count + 1) / (k + 1),
      exhaustive: count / k)
  }
}
