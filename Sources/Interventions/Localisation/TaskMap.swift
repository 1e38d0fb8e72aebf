// The map of one minimal pair under one task: everything that passes at each depth, window by window, in
// both directions, with an unrelated item in each window of sound (`paper/definitions.md`, D124).

import Corpus
import Speech
import Tensor

/// The windows of such a map, locked to the changed phone.
public enum TaskWindows {
  public static let locked = LockedWindows(width: 120, fixed: -5..<8, phones: 0...0, text: 1)
  /// Windows that together hold the sound, and that share no position: everything before the first
  /// one of fixed width, those, and everything behind.
  public static let sound = 0..<(locked.fixed.count + 2)
  /// The position at which the texts are compared.
  public static let answer = sound.upperBound
  /// From the onset of the changed phone or digit on for 120 ms or, if it is longer, to its end.
  public static let moment = answer + 1
  /// All of the sound.
  public static let whole = answer + 2
  /// What a table calls them.
  public static let names = locked.names + ["moment", "sound"]

  public static func all(of pair: MinimalPair) -> [Window] {
    locked.ofTime(pair) + [momentWindow(of: pair), .sound]
  }

  static func momentWindow(of pair: MinimalPair) -> Window {
    .milliseconds(pair.onset, max(pair.onset + locked.width, pair.changed.end))
  }

  /// The windows of sound that the changed span reaches, and one on either side.
  public static func near(_ pair: MinimalPair) -> Range<Int> {
    let zero = 1 - locked.fixed.lowerBound
    let length = pair.changed.end - pair.changed.start
    let last = Int((length / locked.width).rounded(.up))
    return max(zero - 1, 0)..<min(zero + last + 1, sound.upperBound)
  }
}

/// Logit differences of one pair under one task, by [site][window of `TaskWindows`].
public struct TaskMap: Codable, Sendable {
  /// `unrelated` holds the control of sufficiency, in the windows of sound and in the moment.
  public var map: PairMap
  /// That of necessity: the clean run with the corrupt member of another pair.
  public var unrelatedNecessity: [[Double?]] = []

  public init(map: PairMap, unrelatedNecessity: [[Double?]]) {
    (self.map, self.unrelatedNecessity) = (map, unrelatedNecessity)
  }

  /// The patched values of a direction, and those of its control.
  public func values(_ direction: Direction, unrelated: Bool = false) -> [[Double?]] {
    switch direction {
    case .sufficiency: unrelated ? map.unrelated : map.sufficiency
    case .necessity: unrelated ? unrelatedNecessity : map.necessity
    }
  }

  /// The change in a cell in nats, towards the source; nil where the site has no position there.
  public func effect(_ direction: Direction, _ site: Int, _ window: Int, unrelated: Bool = false)
    -> Double?
  {
    values(direction, unrelated: unrelated)[site][window].map { map.effect(direction, $0) }
  }
}

extension SpeechModel {
  /// The map of a pair under a task. Where the sound decides which frames become tokens, all runs keep
  /// those of the corrupt member.
  ///
  /// - Parameter other: the pair that lends the unrelated item
  /// - Returns: nil where either is no pair under that task
  public func taskMap(
    of pair: MinimalPair, _ task: SpokenTask, unrelated other: MinimalPair, root: String,
    recordings: HumanRecordings? = nil
  ) throws -> TaskMap? {
    guard let asked = try questions(for: pair, task, root: root, recordings: recordings),
      let theirs = try questions(for: other, task, root: root, recordings: recordings)
    else { return nil }
    let (clean, corrupt) = try model.sharingFrames(asked.clean, asked.corrupt)
    let strangers = try [theirs.clean, theirs.corrupt].map {
      try model.trace($0, keeping: model.branchSites)
    }
    let windows = TaskWindows.all(of: pair)
    var lending = windows.map { Optional($0) }
    lending[TaskWindows.answer] = nil
    lending[TaskWindows.whole] = nil
    let shift = other.onset - pair.onset
    func lent(_ stranger: Trace, _ matching: Trace) -> Donor {
      .unrelated(stranger, shift: shift, matching: matching)
    }

    var map = PairMap(clean: clean.logitDifference, corrupt: corrupt.logitDifference)
    map.sufficiency = try model.cutMap(corrupt, with: .source(clean), windows)
    map.necessity = try model.cutMap(clean, with: .source(corrupt), windows)
    map.unrelated = try model.cutMap(corrupt, with: lent(strangers[0], clean), lending)
    let necessity = try model.cutMap(clean, with: lent(strangers[1], corrupt), lending)
    (map.selfPatched, map.allPatched) = try model.cutIntegrity(map, clean, corrupt)
    return TaskMap(map: map, unrelatedNecessity: necessity)
  }
}

extension SpeechLanguageModel {
  /// Both members' runs, with what passes beside the encoder; where the sound decides which frames become
  /// tokens, both keep those of the corrupt member.
  public func sharingFrames(_ clean: Question, _ corrupt: Question) throws -> (
    clean: Trace, corrupt: Trace
  ) {
    let first = try trace(corrupt)
    func run(_ question: Question) throws -> Trace {
      try trace(question.keepingFrames(of: first), keeping: branchSites)
    }
    return (try run(clean), try run(corrupt))
  }

  /// The base run with a donor's activations in a window of everything that passes at a depth.
  ///
  /// - Parameter windows: nil for those that are not wanted
  /// - Returns: logit differences by [site of the map][window]; nil where the site has no position
  func cutMap(_ base: Trace, with donor: Donor, _ windows: [Window?]) throws -> [[Double?]] {
    let cuts = mapSites.map { cut(at: $0) }
    let sets = try cuts.map { parts in
      try windows.map { window -> [Patch] in
        guard let window else { return [] }
        return try parts.compactMap { part -> Patch? in
          let positions = base.timeline.positions(in: window, at: part)
          guard !positions.isEmpty,
            let rows = try donor.rows(for: Cell(part, window), positions, base)
          else { return nil }
          return Patch(part, positions: positions, taking: rows)
        }
      }
    }
    var found = try patched(base, sets.joined().filter { !$0.isEmpty })[...]
    return sets.map { row in row.map { $0.isEmpty ? nil : found.removeFirst().logitDifference } }
  }

  /// Recoveries with everything at a depth taken from the run itself, and from the other one, depth by
  /// depth and in both directions.
  func cutIntegrity(_ map: PairMap, _ clean: Trace, _ corrupt: Trace) throws -> (
    own: [Double], all: [Double]
  ) {
    func recoveries(own: Bool) throws -> [Double] {
      try Direction.allCases.flatMap { direction in
        let (base, other) = direction == .sufficiency ? (corrupt, clean) : (clean, corrupt)
        let source = own ? base : other
        let patches = try mapSites.map { site in
          try cut(at: site).compactMap {
            try Selection(Cell($0), base: base, source: source, .identity)?.patch()
          }
        }
        return try patched(base, patches, skipping: false)
          .map { map.effect(direction, $0.logitDifference) / map.gap }
      }
    }
    return (try recoveries(own: true), try recoveries(own: false))
  }
}
