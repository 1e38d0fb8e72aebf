// Where in depth and time the sound carries what tells a pair apart: numbers read from maps over pairs
// (`paper/definitions.md`, D125).

import Corpus
import Speech
import Tensor

/// Where the effect of maps lies, in one direction: read from sums over pairs, with intervals over groups.
/// Nothing is clipped, but that `range` leaves out depths whose sum is negative.
public struct Localisation: Codable, Sendable {
  /// The mean depth of what windows of sound carry, from 0 at the encoder's input to 1 behind the last
  /// layer, each depth weighted by its effect.
  public let depth: Estimate
  /// The depths below which a tenth and nine tenths of it lie.
  public let range: [Estimate]
  /// Its share at the connector and in the first layers of the language model.
  public let early: Estimate
  /// At the connector, the share of the changed span's windows and of one on either side.
  public let near: Estimate
  /// At the connector, the shortest run of windows that holds most of it, in milliseconds; the length of
  /// all fixed windows where none does.
  public let duration: Estimate
  /// At the connector, what all of the sound moves over the sum of what its windows move alone; nil of
  /// the control, which is not patched into all of the sound at once.
  public let joint: Estimate?
  /// The depth from which on the position of the answer carries a given share of the gap; nil where it
  /// never does, and of the control, whose answer is another.
  public let takesOver: Estimate?
}

/// What is read of maps beside the maps themselves.
public struct LocalisationOptions: Sendable {
  /// Sites of the map, and the number of layers of the language model that count as early.
  public var sites: [Site]
  public var early: Int
  /// The share that the shortest run of windows holds, and that from which on the answer's position has
  /// taken over.
  public var share: Double
  public var threshold: Double
  public var draws: Int

  public init(sites: [Site], early: Int, share: Double, threshold: Double, draws: Int) {
    (self.sites, self.early, self.share) = (sites, early, share)
    (self.threshold, self.draws) = (threshold, draws)
  }

  /// The connector's place among the sites.
  public var connector: Int { sites.firstIndex { $0.stage == .connector }! }

  var earlySites: [Int] {
    sites.indices.filter {
      sites[$0].stage == .connector || (sites[$0].stage == .lm && sites[$0].layer ?? 0 < early)
    }
  }
}

extension TaskMap {
  /// The effect at each site, over all windows of sound, in nats.
  func effectsBySite(_ direction: Direction, unrelated: Bool) -> [Double] {
    values(direction, unrelated: unrelated).indices.map { site in
      effectsByWindow(direction, at: site, unrelated: unrelated).reduce(0.0, +)
    }
  }

  /// The effect in each window of sound at a site, in nats; 0 where it has no position there.
  func effectsByWindow(_ direction: Direction, at site: Int, unrelated: Bool) -> [Double] {
    TaskWindows.sound.map { effect(direction, site, $0, unrelated: unrelated) ?? 0 }
  }
}

extension Array where Element == TaskMap {
  /// - Parameters:
  ///   - pairs: the pair of each map; their groups are the unit of resampling
  ///   - unrelated: reads the control's map instead: what a source of another pair would seem to show
  public func localisation(
    _ direction: Direction, of pairs: [MinimalPair], _ options: LocalisationOptions,
    unrelated: Bool = false, _ random: Random
  ) -> Localisation {
    precondition(pairs.count == count && !isEmpty, "a pair for each map")
    let groups = pairs.map(\.group)
    let sites = options.sites.indices
    let last = Double(Swift.max(sites.count - 1, 1))
    /// By pair: the effect at each site, over all windows of sound.
    let bySite = map { $0.effectsBySite(direction, unrelated: unrelated) }
    /// By pair: the effect in each window of sound at the connector.
    let byWindow = map {
      $0.effectsByWindow(direction, at: options.connector, unrelated: unrelated)
    }
    func ratio(_ name: String, _ above: [Double], _ below: [Double]) -> Estimate {
      ratioOfMeans(above, below, groups: groups, draws: options.draws, random.split(name))
    }
    func statistic(_ name: String, of rows: [[Double]], _ body: ([Double]) -> Double) -> Estimate {
      clusterInterval(
        of: clustered(rows, by: groups).map(sum), draws: options.draws, widened: true,
        random.split(name)
      ) { body(sum($0)) }
    }
    let total = bySite.map { $0.reduce(0, +) }
    let near = zip(pairs, byWindow).map { pair, row in
      TaskWindows.near(pair).reduce(0.0) { $0 + row[$1] }
    }
    let whole = map { $0.effect(direction, options.connector, TaskWindows.whole) ?? 0 }
    let depths = sites.map(Double.init)
    return Localisation(
      depth: ratio(
        "depth", bySite.map { row in zip(row, depths).reduce(0) { $0 + $1.0 * $1.1 / last } },
        total),
      range: [0.1, 0.9].map { share in
        statistic("depth \(share)", of: bySite) { depthQuantile(share, of: $0) / last }
      },
      early: ratio(
        "early", bySite.map { row in options.earlySites.reduce(0) { $0 + row[$1] } }, total),
      near: ratio("near", near, byWindow.map { $0.reduce(0, +) }),
      duration: statistic("duration", of: byWindow) {
        TaskWindows.locked.width * Double(shortestRun(holding: options.share, of: $0))
      },
      joint: unrelated ? nil : ratio("joint", whole, byWindow.map { $0.reduce(0, +) }),
      takesOver: unrelated
        ? nil
        : map(\.map).crossing(
          direction, sites: sites.first!..<sites.endIndex, depths: depths.map { $0 / last },
          threshold: options.threshold, rises: true, groups: groups, draws: options.draws,
          random.split("takes over")
        ) { map, site in
          (direction == .sufficiency ? map.sufficiency : map.necessity)[site][TaskWindows.answer]
        })
  }
}

/// The sum of rows, number by number.
func sum(_ rows: [[Double]]) -> [Double] {
  rows.dropFirst().reduce(rows[0]) { a, b in zip(a, b).map { $0 + $1 } }
}

/// The place, counted in depths, below which a share of the positive weights lies; each weight is spread
/// evenly from half a depth below its own to half a depth above, within the first and the last.
public func depthQuantile(_ share: Double, of weights: [Double]) -> Double {
  let positive = weights.map { max($0, 0) }
  let total = positive.reduce(0, +)
  guard total > 0 else { return 0 }
  var rest = share * total
  for (i, weight) in positive.enumerated() where weight > 0 {
    if rest <= weight {
      return min(max(Double(i) - 0.5 + rest / weight, 0), Double(weights.count - 1))
    }
    rest -= weight
  }
  return Double(weights.count - 1)
}

/// The fewest fixed windows side by side that hold a share of the sum of all windows of sound; all of
/// them where none do.
public func shortestRun(holding share: Double, of windows: [Double]) -> Int {
  let fixed = windows.dropFirst().dropLast()
  let wanted = share * windows.reduce(0, +)
  guard wanted > 0 else { return fixed.count }
  for length in 1..<max(fixed.count, 2) {
    for start in fixed.startIndex...(fixed.endIndex - length) {
      if fixed[start..<(start + length)].reduce(0, +) >= wanted { return length }
    }
  }
  return fixed.count
}
