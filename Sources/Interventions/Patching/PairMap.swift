// The map of one minimal pair: every residual site by every window, patched exactly in both
// directions, with its controls.

import Corpus
import Speech
import Tensor

/// Windows that are locked to the changed phone, so that pairs can be averaged.
public struct LockedWindows: Sendable {
  /// Width of a fixed window, in milliseconds.
  public let width: Double
  /// Index of the first and behind the last fixed window; window 0 begins with the changed phone.
  public let fixed: Range<Int>
  /// Phones before and behind the changed one that get a window of their own.
  public let phones: ClosedRange<Int>
  /// Text positions, counted from the answer's position backwards: `text - 1` is the farthest.
  public let text: Int

  public init(width: Double, fixed: Range<Int>, phones: ClosedRange<Int>, text: Int) {
    self.width = width
    self.fixed = fixed
    self.phones = phones
    self.text = text
  }

  /// Everything before, the fixed windows, everything behind, and the text positions one by one:
  /// together they hold every position of the language model behind the first.
  public func ofTime(_ pair: MinimalPair) -> [Window] {
    let start = pair.onset + width * Double(fixed.lowerBound)
    let end = pair.onset + width * Double(fixed.upperBound)
    let middle = fixed.map { i -> Window in
      let from = pair.onset + width * Double(i)
      return .milliseconds(from, from + width)
    }
    return [.milliseconds(-1000, start)] + middle + [.milliseconds(end, 1e6)]
      + (0..<text).map { .text($0 - text, $0 + 1 < text ? $0 - text + 1 : nil) }
  }

  /// What a table calls the windows of `ofTime`.
  public var names: [String] {
    let middle = fixed.map { "\(Int(width) * $0)ms..\(Int(width) * ($0 + 1))ms" }
    return ["before"] + middle + ["after"] + (0..<text).map { "text[\($0 - text)]" }
  }

  /// One window a phone, nil beyond the utterance.
  public func ofPhones(_ pair: MinimalPair) -> [Window?] {
    phones.map { offset in
      let index = pair.changedPhone + offset
      guard pair.clean.phones.indices.contains(index) else { return nil }
      return .milliseconds(pair.clean.phones[index].start, pair.clean.phones[index].end)
    }
  }
}

/// Logit differences of one pair, from which every recovery is computed.
public struct PairMap: Codable, Sendable {
  public var clean: Double
  public var corrupt: Double
  /// Patched logit differences by [site][window]; nil where the site has no position there.
  public var sufficiency: [[Double?]] = []
  public var necessity: [[Double?]] = []
  /// Attribution's estimate of the change, same cells as `sufficiency` and `necessity`.
  public var searchSufficiency: [[Double?]] = []
  public var searchNecessity: [[Double?]] = []
  /// By [site][phone window].
  public var phoneSufficiency: [[Double?]] = []
  public var phoneNecessity: [[Double?]] = []
  /// As `sufficiency` with an unrelated item's activations, moved by the same length.
  public var unrelated: [[Double?]] = []
  /// Recoveries in both directions, site by site: all positions patched from the run itself, which
  /// must give 0, and from the other run, which must give 1.
  public var selfPatched: [Double] = []
  public var allPatched: [Double] = []

  public init(clean: Double, corrupt: Double) {
    self.clean = clean
    self.corrupt = corrupt
  }

  /// LD_clean - LD_corrupt.
  public var gap: Double { clean - corrupt }
}

extension SpeechLanguageModel {
  /// The residual stream at every cut from sound to text.
  public var residualSites: [Site] { cuts.filter { $0.kind == .residual }.map(\.site) }

  /// The residual sites of a map: all but `lm.embed`, whose audio rows are `connector.out`'s.
  public var mapSites: [Site] { residualSites.filter { $0 != Site(.lm, nil, .embed) } }

  /// Patches the corrupt run with the clean one (sufficiency), or the reverse (necessity), at every
  /// site of the map and every window.
  ///
  /// - Returns: logit differences by [site][window]
  public func map(
    _ base: Trace, with donor: Donor, windows: [Window?]
  ) throws -> [[Double?]] {
    try onGrid(windows) { try patched(base, with: donor, cells: $0) }
  }

  /// Attribution's estimates on the same grid.
  public func searchMap(
    of source: Trace, into base: Trace, windows: [Window?]
  ) throws -> [[Double?]] {
    try onGrid(windows) { try attribution(of: source, into: base, cells: $0) }
  }

  /// Calls `body` with the cells of all sites and windows, and lays what it returns on the grid.
  private func onGrid(_ windows: [Window?], _ body: ([Cell]) throws -> [Double?]) rethrows
    -> [[Double?]]
  {
    let cells = mapSites.flatMap { site in
      windows.compactMap { $0 }.map { Cell(site, $0) }
    }
    var values = try body(cells)[...]
    return mapSites.map { _ in windows.map { $0 == nil ? nil : values.removeFirst() } }
  }

  /// The two integrity controls of a pair, computed like any other cell and in both directions.
  ///
  /// - Returns: the recovery at every site when all positions are patched from the run itself, and
  ///   when they are patched from the other run
  public func integrity(_ pair: PairMap, clean: Trace, corrupt: Trace) throws -> (
    own: [Double], all: [Double]
  ) {
    let cells = mapSites.map { Cell($0) }
    func recoveries(_ direction: Direction, from own: Bool) throws -> [Double] {
      let (base, other) = direction == .sufficiency ? (corrupt, clean) : (clean, corrupt)
      let values = try patched(
        base, with: .source(own ? base : other), cells: cells, skipping: false)
      return values.map { pair.effect(direction, $0!) / pair.gap }
    }
    return (
      try Direction.allCases.flatMap { try recoveries($0, from: true) },
      try Direction.allCases.flatMap { try recoveries($0, from: false) }
    )
  }
}

/// One of the two directions of patching.
public enum Direction: String, Sendable, CaseIterable {
  /// Base corrupt, source clean: is the cell enough?
  case sufficiency
  /// Base clean, source corrupt: is the cell needed?
  case necessity
}

extension Array where Element == PairMap {
  /// The mean effect of each cell over the mean gap, by [site][window]; never clipped.
  ///
  /// - Parameters:
  ///   - values: patched logit differences of a pair by [site][window]
  ///   - gap: what a full recovery is, where not the pairs' own mean gap
  public func recovery(
    _ direction: Direction, _ values: (PairMap) -> [[Double?]], over gap: Double? = nil
  ) -> [[Double?]] {
    cells(values) { pair, value in pair.effect(direction, value) }
      .map { $0.map { $0.ratio(gap) } }
  }

  /// The same of attribution's estimates of the change.
  public func searchRecovery(_ direction: Direction, _ values: (PairMap) -> [[Double?]])
    -> [[Double?]]
  {
    cells(values) { _, change in direction == .sufficiency ? change : -change }
      .map { $0.map { $0.ratio(nil) } }
  }

  /// Numerators and denominators of one cell, pair by pair, and which pairs have it.
  public func effects(
    _ direction: Direction, _ value: (PairMap) -> Double?
  ) -> (effects: [Double], gaps: [Double], pairs: [Int]) {
    let present = indices.filter { value(self[$0]) != nil }
    return (
      present.map { self[$0].effect(direction, value(self[$0])!) },
      present.map { self[$0].gap }, present
    )
  }

  private func cells(
    _ values: (PairMap) -> [[Double?]], _ effect: (PairMap, Double) -> Double
  ) -> [[CellSum]] {
    guard let first = self.first.map(values) else { return [] }
    var sums = first.map { $0.map { _ in CellSum() } }
    for pair in self {
      for (s, row) in values(pair).enumerated() {
        for (w, value) in row.enumerated() {
          guard let value else { continue }
          sums[s][w].effect += effect(pair, value)
          sums[s][w].gap += pair.gap
          sums[s][w].count += 1
        }
      }
    }
    return sums
  }
}

extension PairMap {
  /// The change that patching made, in the direction that counts as recovery, in nats.
  public func effect(_ direction: Direction, _ patched: Double) -> Double {
    direction == .sufficiency ? patched - corrupt : clean - patched
  }
}

private struct CellSum {
  var effect = 0.0
  var gap = 0.0
  var count = 0

  func ratio(_ fullGap: Double?) -> Double? {
    count == 0 ? nil : effect / (fullGap.map { $0 * Double(count) } ?? gap)
  }
}
