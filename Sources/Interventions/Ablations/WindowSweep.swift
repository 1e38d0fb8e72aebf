// Windows of every size at every place of what the connector gives (`paper/definitions.md`, D155).

import Corpus
import Speech
import Tensor

/// Logit differences of one pair with windows of the connector's positions patched.
public struct WindowSweep: Codable, Sendable {
  public let clean: Double
  public let corrupt: Double
  /// The positions that stand for the changed phone.
  public let changed: [Int]
  /// How long a position is, where all are as long.
  public let milliseconds: Double?
  /// By [size][place], the corrupt run with the clean one's, the clean one with the corrupt one's, and the
  /// corrupt one with an unrelated item's, moved as far. Places follow each other position by position, from
  /// the window that only reaches the first position to that which begins with the last: windows are cut
  /// where the sound begins and ends.
  public var sufficiency: [[Double]] = []
  public var necessity: [[Double]] = []
  public var unrelated: [[Double]] = []
  /// The same with all of the sound, in the first two directions.
  public var whole: [Double] = []

  /// How many positions a window has.
  public static let sizes = [1, 2, 4, 8, 16]

  public var gap: Double { clean - corrupt }

  public init(clean: Double, corrupt: Double, changed: [Int], milliseconds: Double?) {
    (self.clean, self.corrupt) = (clean, corrupt)
    (self.changed, self.milliseconds) = (changed, milliseconds)
  }
}

/// Which of the sweep's patches are read.
public enum SweepArm: String, Codable, Sendable, CaseIterable {
  case sufficiency
  case necessity
  case unrelated = "unrelated item"
}

extension WindowSweep {
  /// The change in nats, towards the source, of a window of the `size`-th size by its first position.
  public func effects(_ arm: SweepArm, size: Int) -> [Double] {
    switch arm {
    case .sufficiency: sufficiency[size].map { $0 - corrupt }
    case .necessity: necessity[size].map { clean - $0 }
    case .unrelated: unrelated[size].map { $0 - corrupt }
    }
  }

  /// What all of the sound moves; of the unrelated item nothing is known.
  func wholeEffect(_ arm: SweepArm) -> Double? {
    switch arm {
    case .sufficiency: whole[0] - corrupt
    case .necessity: clean - whole[1]
    case .unrelated: nil
    }
  }

  /// The place of the window that begins so many positions behind the changed phone's first; nil where it
  /// has none.
  func place(size: Int, offset: Int = 0) -> Int? {
    let place = changed[0] + offset + Self.sizes[size] - 1
    return sufficiency[size].indices.contains(place) ? place : nil
  }

  /// The places of windows that lie so far apart, one of which begins with the changed phone.
  func places(size: Int, stride: Int) -> [Int] {
    let own = changed[0] + Self.sizes[size] - 1
    return sufficiency[size].indices.filter { ($0 - own) % stride == 0 }
  }

  /// Whether a window reaches the changed phone.
  func reachesPhone(size: Int, place: Int) -> Bool {
    let first = place - Self.sizes[size] + 1
    return changed.contains { (first..<(first + Self.sizes[size])).contains($0) }
  }
}

/// From one position's start to the next one's, where all are as far apart.
private func step(of spans: [TimeSpan?]) -> Double? {
  let starts = spans.compactMap { $0?.start }
  let steps = zip(starts, starts.dropFirst()).map { $1 - $0 }
  guard let first = steps.first, steps.allSatisfy({ abs($0 - first) < 1e-6 }) else { return nil }
  return first
}

extension SpeechModel {
  /// Patches every window of a pair at the connector. Where the sound decides which frames become tokens,
  /// both runs keep those of the corrupt member.
  ///
  /// - Parameter other: the pair that lends the unrelated item
  public func windowSweep(of pair: MinimalPair, unrelated other: MinimalPair, root: String) throws
    -> WindowSweep
  {
    let runs = try sharingFrames(pair, root: root)
    let (clean, corrupt) = (runs.clean, runs.corrupt)
    let stranger = try model.trace(questions(for: other, root: root).clean)
    let site = model.mapSites.first { $0.stage == .connector }!
    let spans = try corrupt.place(of: site).spans
    let changed = try PairWindow.changed(margin: 0).positions(
      in: spans, changed: pair.changed, of: "\(site)")
    var sweep = WindowSweep(
      clean: clean.logitDifference, corrupt: corrupt.logitDifference, changed: changed,
      milliseconds: step(of: spans))
    let lent = Donor.unrelated(stranger, shift: other.onset - pair.onset, matching: clean)
    for size in WindowSweep.sizes {
      let cells = ((1 - size)..<spans.count).map {
        Cell(site, .positions(max($0, 0), min($0 + size, spans.count)))
      }
      func values(_ base: Trace, _ donor: Donor) throws -> [Double] {
        try model.patched(base, with: donor, cells: cells).map { $0! }
      }
      sweep.sufficiency.append(try values(corrupt, .source(clean)))
      sweep.necessity.append(try values(clean, .source(corrupt)))
      sweep.unrelated.append(try values(corrupt, lent))
    }
    let all = [Cell(site, .all)]
    sweep.whole = [
      try model.patched(corrupt, with: .source(clean), cells: all)[0]!,
      try model.patched(clean, with: .source(corrupt), cells: all)[0]!,
    ]
    return sweep
  }
}

extension Array where Element == WindowSweep {
  /// What the size and the stride of windows make of a map.
  ///
  /// - Parameters:
  ///   - milliseconds: how long a position is, where all are as long
  ///   - searched: places of the pairs on which the best place of a window is chosen; it is quoted on the
  ///     others
  public func rows(
    groups: [String], milliseconds: Double?, searched: Set<Int>, series: String, draws: Int,
    _ random: Random
  ) -> [AblationRow] {
    var rows: [AblationRow] = []
    let (sizes, all) = (WindowSweep.sizes.indices, indices.map { $0 })
    func name(_ arm: SweepArm) -> String { "\(series), \(arm.rawValue)" }
    for (i, size) in WindowSweep.sizes.enumerated() {
      let place = "\(size)"
      for arm in SweepArm.allCases {
        let draw = random.split(arm.rawValue).split(size)
        func ratio(_ what: String, _ of: [Int], _ above: (Int) -> Double, _ below: (Int) -> Double)
          -> Estimate
        {
          ratioOfMeans(
            of.map(above), of.map(below), groups: of.map { groups[$0] }, draws: draws,
            draw.split(what))
        }
        rows.append(
          AblationRow(
            "begins with the phone", place, name(arm),
            ratio(
              "first", all, { self[$0].effects(arm, size: i)[self[$0].place(size: i)!] }
            ) { self[$0].gap }))
        if let best = bestOffset(arm, size: i, among: all.filter(searched.contains)) {
          let others = all.filter {
            !searched.contains($0) && self[$0].place(size: i, offset: best) != nil
          }
          rows.append(
            AblationRow(
              "best placed", place, name(arm),
              ratio(
                "best", others,
                { self[$0].effects(arm, size: i)[self[$0].place(size: i, offset: best)!] }
              ) { self[$0].gap }))
        }
        for (word, stride) in [("one", 1), ("half", Swift.max(size / 2, 1)), ("size", size)] {
          let sums = indices.map { pair -> (inside: Double, all: Double, share: Double) in
            let sweep = self[pair]
            let effects = sweep.effects(arm, size: i)
            let places = sweep.places(size: i, stride: stride)
            let inside = places.filter { sweep.reachesPhone(size: i, place: $0) }
            return (
              inside.reduce(0) { $0 + effects[$1] }, places.reduce(0) { $0 + effects[$1] },
              Double(inside.count) / Double(places.count)
            )
          }
          let chance = sums.reduce(0) { $0 + $1.share } / Double(count)
          rows.append(
            AblationRow(
              "inside, stride \(word)", place, name(arm),
              ratio("inside \(word)", all, { sums[$0].inside }) { sums[$0].all },
              chance: chance))
          guard self[0].wholeEffect(arm) != nil else { continue }
          rows.append(
            AblationRow(
              "joint over sum, stride \(word)", place, name(arm),
              ratio("joint \(word)", all, { self[$0].wholeEffect(arm)! }) {
                sums[$0].all * Double(stride) / Double(size)
              }))
        }
      }
    }
    // Where the recovery of a window that begins with the phone reaches half.
    for arm in [SweepArm.sufficiency, .necessity] {
      guard let milliseconds else { continue }
      let curves = map { sweep -> [Double] in
        [sweep.gap]
          + sizes.map { size in
            sweep.effects(arm, size: size)[sweep.place(size: size)!]
          }
      }
      let widths = WindowSweep.sizes.map { milliseconds * Double($0) }
      let found = clusterIntervals(
        of: clustered(curves, by: groups).map(sum), draws: draws, random.split("half \(arm)")
      ) { clusters in
        let total = sum(clusters)
        return [
          Interventions.crossing(
            total.dropFirst().map { $0 / total[0] }, at: widths, 0.5, rises: true)
            ?? .nan
        ]
      }
      rows.append(AblationRow("half width", series, name(arm), found[0]))
    }
    return rows
  }

  /// The offset from the changed phone, in positions, at which a window of a size moves most on average.
  private func bestOffset(_ arm: SweepArm, size: Int, among pairs: [Int]) -> Int? {
    let reach = WindowSweep.sizes[size]
    let offsets = (-reach...2)
    let scored = offsets.compactMap { offset -> (offset: Int, value: Double)? in
      let own = pairs.filter { self[$0].place(size: size, offset: offset) != nil }
      guard own.count * 2 > pairs.count else { return nil }
      let effect = own.reduce(0) {
        $0 + self[$1].effects(arm, size: size)[self[$1].place(size: size, offset: offset)!]
      }
      return (offset, effect / own.reduce(0) { $0 + self[$1].gap })
    }
    return scored.max { ($0.value, -$0.offset) < ($1.value, -$1.offset) }?.offset
  }
}
