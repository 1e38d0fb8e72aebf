// The whole of TAP as one procedure: search on one split, choose a subspace's size on a second,
// confirm on a third. A cell is a bottleneck where patching it restores and destroys at least a
// given share of the answer, and does so beyond a matched control, over the whole family of cells
// that were proposed (`paper/definitions.md`, D85).

import Speech
import Tensor

/// The thresholds of the procedure, fixed beforehand.
public struct BottleneckRules: Sendable {
  /// LD_clean - LD_corrupt from which a pair enters, in nats.
  public var minimumGap = 1.0
  /// By what cells are proposed, and how many.
  public var search = SearchMethod.conductance(steps: 4)
  public var proposed = 16
  /// The recovery to be reached in both directions.
  public var recovery = 0.5
  /// The level of the max-T test of the contrasts.
  public var level = 0.05
  /// How the size of the subspace is chosen.
  public var selection: SelectionRule
  public var draws = 2_000

  public init(selection: SelectionRule) { self.selection = selection }
}

/// What the test split says of one proposed cell.
public struct ConfirmedCell: Sendable {
  public let cell: Cell
  /// Recovery from the corrupt to the clean answer, and loss from the clean to the corrupt one, as
  /// ratios of means over pairs.
  public let sufficiency: Estimate
  public let necessity: Estimate
  /// P-values of the contrasts with the matched control, adjusted for all cells and directions.
  public let sufficiencyP: Double
  public let necessityP: Double
}

/// What the procedure has found.
public struct BottleneckFinding: Sendable {
  /// Pairs that entered: of the discovery, validation and test split.
  public let entered: [Int]
  /// Every proposed cell, in the order of the search.
  public let confirmed: [ConfirmedCell]
  /// Those that are a bottleneck.
  public let bottleneck: [Cell]
  /// The subspace of the strongest of them, and its size; nil where there is none.
  public let subspace: Subspace?
  public let size: SizeReport?
}

/// Pairs of the three splits.
public struct SplitPairs: Sendable {
  public let discovery: [ContrastPair]
  public let validation: [ContrastPair]
  public let test: [ContrastPair]

  public init(discovery: [ContrastPair], validation: [ContrastPair], test: [ContrastPair]) {
    self.discovery = discovery
    self.validation = validation
    self.test = test
  }
}

extension SpeechLanguageModel {
  /// Looks for a bottleneck among the cells of a map.
  ///
  /// - Parameters:
  ///   - cells: those that may be called one. The position where the answer is read does not belong
  ///     there: behind the last layer it has everything by construction
  public func bottleneck(
    among cells: [Cell], pairs: SplitPairs, rules: BottleneckRules, _ random: Random
  ) throws -> BottleneckFinding {
    let splits = try [pairs.discovery, pairs.validation, pairs.test].map { split in
      try split.map { try TracedPair($0, self) }.filter { $0.enters(rules.minimumGap) }
    }
    let entered = splits.map(\.count)
    // Fewer than five groups cannot be significant at 5%: of the 2^4 choices of signs two reach the
    // observed value.
    guard splits.allSatisfy({ Set($0.map(\.group)).count >= 5 }) else {
      return BottleneckFinding(
        entered: entered, confirmed: [], bottleneck: [], subspace: nil, size: nil)
    }
    let scores = try searchScores(of: cells, on: splits[0], rules.search)
    let proposed = byStrength(scores.map { $0 ?? 0 }).prefix(rules.proposed)
      .filter { scores[$0] != nil }.map { cells[$0] }
    let confirmed = try confirm(proposed, on: splits[2], rules, random.split("confirm"))
    let found = confirmed.filter { $0.isBottleneck(rules) }
    // The cell whose subspace is measured is chosen before the test split is looked at.
    guard let site = try strongest(of: proposed, on: splits[1]),
      found.contains(where: { $0.cell == site })
    else {
      return BottleneckFinding(
        entered: entered, confirmed: confirmed, bottleneck: found.map(\.cell), subspace: nil,
        size: nil)
    }
    let subspace = try Subspace.principal(ofMoves: moves(at: site, of: splits[0]))
    func effects(_ pairs: [TracedPair]) throws -> [SizeEffects] {
      try pairs.map { try sizeEffects(site, subspace, sizes: rules.selection.sizes, on: $0) }
    }
    let chosen = rules.selection.choice(from: try effects(splits[1]))
    return BottleneckFinding(
      entered: entered, confirmed: confirmed, bottleneck: found.map(\.cell),
      subspace: try subspace.first(min(chosen.size, subspace.rank)),
      size: rules.selection.report(
        chosen, on: try effects(splits[2]), draws: rules.draws, random.split("size")))
  }

  /// The search's recovery of each cell, the weaker of both directions, as a ratio of means over
  /// pairs; nil where the site has no position in the window.
  private func searchScores(
    of cells: [Cell], on pairs: [TracedPair], _ method: SearchMethod
  ) throws -> [Double?] {
    let options = SearchOptions(method, sites: Array(Set(cells.map(\.site))))
    let gap = pairs.reduce(0) { $0 + $1.gap }
    let sums = try Direction.allCases.map { direction -> [Double?] in
      var sum = [Double?](repeating: 0, count: cells.count)
      for pair in pairs {
        let (base, source) = pair.runs(direction)
        let result = try search(base: base.question, source: source.question, options)
        for (i, cell) in cells.enumerated() {
          let change = result.scores[cell.site]?.score(cell.window, index: cell.index)
          sum[i] = sum[i].flatMap { old in
            change.map { old + (direction == .sufficiency ? $0 : -$0) }
          }
        }
      }
      return sum
    }
    return cells.indices.map { i in
      sums[0][i].flatMap { a in sums[1][i].map { b in min(a, b) / gap } }
    }
  }

  /// The proposed cell with the largest recovery, the weaker of both directions.
  private func strongest(of cells: [Cell], on pairs: [TracedPair]) throws -> Cell? {
    let sums = try Direction.allCases.map { direction in
      try pairs.map { try effects(direction, of: cells, on: $0).map { $0?.real ?? 0 } }
        .reduce([Double](repeating: 0, count: cells.count)) { zip($0, $1).map(+) }
    }
    let weaker = cells.indices.map { min(sums[0][$0], sums[1][$0]) }
    return cells.indices.max { (weaker[$0], -$0) < (weaker[$1], -$1) }.map { cells[$0] }
  }

  /// h_clean - h_corrupt of every position, [pairs * positions, width].
  private func moves(at cell: Cell, of pairs: [TracedPair]) throws -> DoubleMatrix {
    DoubleMatrix(
      joiningRows(
        try pairs.compactMap {
          try Selection(cell, base: $0.corrupt, source: $0.clean, .identity)?.move
        }))
  }

  private func confirm(
    _ cells: [Cell], on pairs: [TracedPair], _ rules: BottleneckRules, _ random: Random
  ) throws -> [ConfirmedCell] {
    let groups = pairs.map(\.group)
    let effects = try Direction.allCases.map { direction in
      try pairs.map { try self.effects(direction, of: cells, on: $0) }
    }
    func recovery(_ direction: Int, _ cell: Int) -> Estimate {
      ratioOfMeans(
        effects[direction].map { $0[cell]?.real ?? 0 }, pairs.map(\.gap), groups: groups,
        draws: rules.draws, random.split("recovery \(direction)").split(cell))
    }
    let contrasts = effects.flatMap { pairs in
      cells.indices.map { cell in
        clusterMeans(
          pairs.map { pair in pair[cell].map { $0.real - $0.matched } ?? 0 }, groups: groups)
      }
    }
    let tests = maxT(contrasts, draws: rules.draws, random.split("signs"))
    return cells.indices.map { i in
      ConfirmedCell(
        cell: cells[i], sufficiency: recovery(0, i), necessity: recovery(1, i),
        sufficiencyP: tests[i]?.p ?? 1, necessityP: tests[cells.count + i]?.p ?? 1)
    }
  }
}

extension ConfirmedCell {
  /// Whether the cell meets the rules in both directions.
  public func isBottleneck(_ rules: BottleneckRules) -> Bool {
    sufficiency.value >= rules.recovery && necessity.value >= rules.recovery
      && sufficiencyP <= rules.level && necessityP <= rules.level
  }
}
