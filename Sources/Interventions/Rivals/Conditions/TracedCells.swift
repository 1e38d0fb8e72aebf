// Sets of neurons of one condition's run in another's, together; growing sets in three orders; and the
// search's estimate of each (`paper/definitions.md`, D166).

import Corpus
import Speech
import Tensor

/// A sentence in the condition whose activations are taken and in the one that takes them.
public struct TracedRuns: Sendable {
  let group: String
  let base: ConditionRun
  let source: ConditionRun

  /// LDs of both runs, in nats.
  public var said: (source: Double, base: Double) {
    (source.trace.logitDifference, base.trace.logitDifference)
  }
}

extension SpeechModel {
  /// Sites of the neurons of encoder and language model behind the activation function, from sound to
  /// text.
  public var tracedSites: [Site] {
    model.sites.filter {
      $0.activation == .mlpPost && ($0.stage == .encoder || $0.stage == .lm)
    }
  }

  /// Both runs of a factorial pair's clean text.
  public func tracedRuns(
    of pair: MinimalPair, from source: Condition, into base: Condition,
    _ settings: ConditionSettings, root: String
  ) throws -> TracedRuns {
    func run(_ condition: Condition) throws -> ConditionRun {
      try self.run(pair, in: condition, settings, keeping: tracedSites, root: root)
    }
    return TracedRuns(group: pair.group, base: try run(base), source: try run(source))
  }

  /// The procedure's choices for this model.
  ///
  /// - Parameter runs: of any sentence, which tell how many neurons a layer has
  public func coarseToFine(_ runs: TracedRuns, windows: [Window]) throws -> CoarseToFine {
    try CoarseToFine(
      sites: tracedSites,
      widths: tracedSites.map { try runs.base.trace.activation(of: $0).width }, windows: windows)
  }

  /// What sets of cells do, each patched together; a set without any position changes nothing.
  ///
  /// - Parameter sets: windows from the onset of the changed phone
  public func traced(_ sets: [[Cell]], _ runs: TracedRuns) throws -> TracedSets {
    TracedSets(
      group: runs.group, base: runs.base.trace.logitDifference,
      source: runs.source.trace.logitDifference,
      patched: try model.patched(runs.base.trace, sets.map { try runs.patches($0) })
        .map(\.logitDifference))
  }

  /// The conductance of each cell from the base run to the source run, in nats.
  ///
  /// - Throws: where the conditions differ in length, so that there is no path of inputs between them.
  public func conductance(of cells: [Cell], _ runs: TracedRuns, steps: Int) throws -> [Double] {
    let (base, source) = (runs.base.trace.question, runs.source.trace.question)
    guard runs.base.boundaries == runs.source.boundaries else {
      throw CellError(
        "coarse to fine: \(runs.group): the conditions differ in length, so that no path of inputs leads "
          + "from one to the other; take two as long")
    }
    let found = try model.search(
      base: base, source: source, SearchOptions(.conductance(steps: steps), sites: tracedSites))
    return try cells.map { cell in
      guard let scores = found.scores[cell.site] else {
        throw CellError("\(cell): is not among the sites that are searched")
      }
      let window = cell.located(at: runs.base.moment.start).window
      return scores.score(window, index: cell.index) ?? 0
    }
  }
}

extension TracedRuns {
  /// One patch for each site and window of a set, which takes the source's columns of all its neurons.
  func patches(_ set: [Cell]) throws -> [Patch] {
    let alignment = try base.alignment(to: source)
    var order: [Cell] = []
    var columns: [Cell: [Int]] = [:]
    for cell in set {
      let whole = Cell(cell.site, cell.window)
      if columns[whole] == nil { order.append(whole) }
      columns[whole, default: []] += cell.index.map { [$0] } ?? []
    }
    return try order.compactMap { cell in
      guard
        let selection = try Selection(
          cell.located(at: base.moment.start), base: base.trace, source: source.trace, alignment)
      else { return nil }
      let (rows, own) = (selection.source, columns[cell]!)
      guard !own.isEmpty else { return selection.patch() }
      guard own.allSatisfy({ (0..<rows.width).contains($0) }) else {
        throw CellError("\(cell): has \(rows.width) neurons, counted from 0; not \(own.max()!)")
      }
      return Patch(cell.site, positions: selection.positions) { base in
        var numbers = base.numbers
        rows.withNumbers { source in
          for start in stride(from: 0, to: numbers.count, by: rows.width) {
            for column in own { numbers[start + column] = source[start + column] }
          }
        }
        return Tensor(base.shape, numbers)
      }
    }
  }
}

/// What growing sets of neurons do to one sentence, as changes of LD in nats, by count.
public struct TracedSaturation: Codable, Sendable {
  public let group: String
  public let gap: Double
  public let counts: [Int]
  public let ranked: [Double]
  /// From the last of the order on.
  public let reversed: [Double]
  /// The mean over drawn orders.
  public let random: [Double]

  public init(
    group: String, gap: Double, counts: [Int], ranked: [Double], reversed: [Double],
    random: [Double]
  ) {
    (self.group, self.gap, self.counts) = (group, gap, counts)
    (self.ranked, self.reversed, self.random) = (ranked, reversed, random)
  }
}

extension SpeechModel {
  /// Patches the first 1, 2, 5, 10, ... and all of the cells, in order, in reverse and in drawn orders.
  public func saturation(of ranked: [Cell], _ runs: TracedRuns, draws: Int, _ random: Random) throws
    -> TracedSaturation
  {
    let counts = GrainOrder.ladder(to: ranked.count)
    let base = runs.base.trace.logitDifference
    let found = try Saturation(
      components: ranked.count, counts: counts, draws: draws, random
    ) { ranks in
      try traced([ranks.map { ranked[$0] }], runs).patched[0] - base
    }
    return TracedSaturation(
      group: runs.group, gap: runs.source.trace.logitDifference - base, counts: counts,
      ranked: found.ranked.recoveries, reversed: found.reversed.recoveries,
      random: counts.indices.map { i in
        found.random.reduce(0) { $0 + $1.recoveries[i] } / Double(draws)
      })
  }
}

extension [TracedSaturation] {
  /// The normalised area under the mean change (D75), and the K at 90 % of all cells' change; nil where
  /// there are no sentences, or none of the K reaches it.
  public func summary(
    _ order: KeyPath<TracedSaturation, [Double]>, draws: Int, _ random: Random
  ) -> (area: Estimate, smallest: Int?)? {
    guard let counts = first?.counts, allSatisfy({ $0.counts == counts }) else { return nil }
    func curve(_ readings: [TracedSaturation]) -> (curve: SaturationCurve, full: Double) {
      let sums = counts.indices.map { i in readings.reduce(0) { $0 + $1[keyPath: order][i] } }
      return (SaturationCurve(counts: counts, recoveries: sums), sums.last!)
    }
    let area = clusterInterval(
      of: clustered(self, by: map(\.group)), draws: draws, widened: true, random
    ) { clusters in
      let found = curve(clusters.flatMap { $0 })
      return found.curve.normalisedArea(of: found.full)
    }
    let whole = curve(self)
    return (area, whole.curve.smallestCount(of: whole.full))
  }
}
