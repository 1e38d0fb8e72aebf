// From the residual stream down to neurons: what one component of a kind does at the changed phone's moment,
// and how many of them it takes (`paper/definitions.md`, D154).

import Corpus
import Speech
import Tensor

/// What counts as a component.
public enum Grain: String, Codable, Sendable, CaseIterable {
  case residual
  case attention = "attention output"
  case mlp = "MLP output"
  case heads
  case neurons

  fileprivate var family: String {
    switch self {
    case .attention: "attention"
    default: self == .mlp ? "mlp" : rawValue
    }
  }
}

/// The components of a kind in one model: sites, heads or neurons, in the order of the model.
public struct GrainRows: Sendable {
  public let grain: Grain
  public let rows: [GridRow]

  /// Of each stage and layer that has several components, the places of all of them.
  public var layers: [(name: String, members: [Int])] {
    let names = rows.map { $0.site.stage.rawValue + ($0.site.layer.map { " \($0)" } ?? "") }
    var found: [(String, [Int])] = []
    for (i, name) in names.enumerated() {
      if found.last?.0 == name {
        found[found.count - 1].1.append(i)
      } else {
        found.append((name, [i]))
      }
    }
    return found.filter { $0.1.count > 1 }
  }
}

/// Runs of one pair at the moment of its change.
public struct GrainRuns: Sendable {
  let clean: Trace
  let corrupt: Trace
  let stranger: Trace
  let shift: Double
  let window: Window

  public var gap: Double { clean.logitDifference - corrupt.logitDifference }
  public var runs: (clean: Double, corrupt: Double) {
    (clean.logitDifference, corrupt.logitDifference)
  }
}

extension SpeechModel {
  /// The components of every kind; what the second of two encoders has is none of them.
  public func grains(of pair: MinimalPair, root: String) throws -> [GrainRows] {
    let sized = model.sites.filter { [.encoder, .lm].contains($0.stage) }
    let example = try model.trace(questions(for: pair, root: root).corrupt, keeping: sized)
    return try Grain.allCases.map {
      GrainRows(grain: $0, rows: try model.componentRows($0.family, in: example))
    }
  }

  /// Both members' runs and an unrelated item's, with all that components need.
  public func grainRuns(
    of pair: MinimalPair, unrelated other: MinimalPair, _ grains: [GrainRows], root: String
  ) throws -> GrainRuns {
    let asked = try questions(for: pair, root: root)
    let first = try model.trace(asked.corrupt)
    let sites = Set(grains.flatMap(\.rows).map(\.site)).sorted { "\($0)" < "\($1)" }
    func run(_ question: Question) throws -> Trace {
      try model.trace(question.keepingFrames(of: first), keeping: sites)
    }
    return GrainRuns(
      clean: try run(asked.clean), corrupt: try run(asked.corrupt),
      stranger: try model.trace(questions(for: other, root: root).clean, keeping: sites),
      shift: other.onset - pair.onset, window: TaskWindows.momentWindow(of: pair))
  }

  /// The changes of the corrupt run's logit difference, in nats, where each set of components takes the clean
  /// run's activations together; 0 where none of a set has a position in the moment.
  ///
  /// - Parameter unrelated: takes an unrelated item's in their place, moved as far
  public func changes(_ runs: GrainRuns, _ sets: [[GridRow]], unrelated: Bool = false) throws
    -> [Double]
  {
    let donor: Donor =
      unrelated
      ? .unrelated(runs.stranger, shift: runs.shift, matching: runs.clean) : .source(runs.clean)
    let patches = try sets.map { set in
      try set.compactMap { row -> Patch? in
        let cell = Cell(row.site, index: row.index, runs.window)
        let positions = runs.corrupt.timeline.positions(in: runs.window, at: row.site)
        guard !positions.isEmpty,
          let rows = try donor.rows(for: cell, positions, runs.corrupt)
        else { return nil }
        return Patch(row.site, positions: positions, index: row.index, taking: rows)
      }
    }
    return try model.patched(runs.corrupt, patches)
      .map { $0.logitDifference - runs.corrupt.logitDifference }
  }
}

/// What each component of every kind does alone, and all of one layer and of one kind do together.
public struct GrainSingles: Codable, Sendable {
  public let clean: Double
  public let corrupt: Double
  /// By [kind][component], in nats.
  public var single: [[Double]] = []
  /// By [kind][layer of `GrainRows.layers`].
  public var layer: [[Double]] = []
  /// By [kind].
  public var all: [Double] = []

  public var gap: Double { clean - corrupt }

  public init(clean: Double, corrupt: Double) { (self.clean, self.corrupt) = (clean, corrupt) }
}

extension SpeechModel {
  public func grainSingles(_ runs: GrainRuns, _ grains: [GrainRows]) throws -> GrainSingles {
    var found = GrainSingles(clean: runs.runs.clean, corrupt: runs.runs.corrupt)
    for own in grains {
      found.single.append(try changes(runs, own.rows.map { [$0] }))
      found.layer.append(
        try changes(runs, own.layers.map { $0.members.map { own.rows[$0] } }))
      found.all += try changes(runs, [own.rows])
    }
    return found
  }
}

/// The order of a kind's components, and how many of them are patched together.
public struct GrainOrder: Sendable {
  public let ranked: [Int]
  /// Orders drawn at random.
  public let random: [[Int]]
  public let counts: [Int]

  /// - Parameters:
  ///   - singles: of the pairs on which components are ranked, from the one that moves most towards the
  ///     source
  ///   - draws: orders at random
  public init(
    ranking singles: [GrainSingles], kind: Int, components: Int, draws: Int, _ random: Random
  ) {
    let sums = (0..<components).map { i in singles.reduce(0) { $0 + $1.single[kind][i] } }
    ranked = sums.indices.sorted { (-sums[$0], $0) < (-sums[$1], $1) }
    self.random = (0..<draws).map { draw in
      var stream = random.split(draw)
      return stream.permutation(components)
    }
    counts = GrainOrder.ladder(to: components)
  }

  /// 1, 2, 5, 10, 20, ... and the last.
  public static func ladder(to last: Int) -> [Int] {
    var counts: [Int] = []
    var unit = 1
    while counts.last ?? 0 < last {
      counts += [1, 2, 5].map { $0 * unit }.filter { $0 < last }
      unit *= 10
      if unit > last { counts.append(last) }
    }
    return counts
  }
}

/// What growing sets of components do to one pair, by [kind].
public struct GrainCurves: Codable, Sendable {
  public let gap: Double
  /// By [kind][count], in nats: the first of the ranked ones, as many at random (the mean over draws), and the
  /// first ranked ones with an unrelated item's activations.
  public var ranked: [[Double]] = []
  public var random: [[Double]] = []
  public var unrelated: [[Double]] = []
}

extension SpeechModel {
  public func grainCurves(_ runs: GrainRuns, _ grains: [GrainRows], _ orders: [GrainOrder]) throws
    -> GrainCurves
  {
    var curves = GrainCurves(gap: runs.gap)
    for (own, order) in zip(grains, orders) {
      func sets(_ list: [Int]) -> [[GridRow]] {
        order.counts.map { list.prefix($0).map { own.rows[$0] } }
      }
      curves.ranked.append(try changes(runs, sets(order.ranked)))
      curves.unrelated.append(try changes(runs, sets(order.ranked), unrelated: true))
      let drawn = try order.random.map { try changes(runs, sets($0)) }
      curves.random.append(
        order.counts.indices.map { i in
          drawn.reduce(0) { $0 + $1[i] } / Double(drawn.count)
        })
    }
    return curves
  }
}
