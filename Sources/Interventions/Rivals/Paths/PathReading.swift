// Path patching on minimal pairs: the effects of some senders along all their paths, beside those of an
// unrelated item moved as far, and how much of the whole effect the paths add up to
// (`paper/definitions.md`, D171).

import Corpus
import Speech
import Tensor

/// A component whose output takes the source's value, and where.
public struct PathSender: Hashable, Sendable {
  public let site: Site
  /// The head or neuron, all where nil.
  public let index: Int?
  public let window: PairWindow

  public init(_ site: Site, index: Int? = nil, _ window: PairWindow = .fixed(.all)) {
    (self.site, self.index, self.window) = (site, index, window)
  }

  /// What tables and errors call it.
  public var name: String { "\(site)" + (index.map { "[\($0)]" } ?? "") + "@\(window)" }
}

/// The paths of some senders in one pair: the corrupt run takes the clean run's value.
public struct PathReading: Codable, Sendable, Equatable {
  public let senders: [String]
  public let receivers: [String]
  /// LD of the clean and the corrupt run, in nats.
  public let clean: Double
  public let corrupt: Double
  /// Effects by sender.
  public let effects: [PathEffects]
  /// The same where the sender takes an unrelated item's value, moved as far.
  public let unrelated: [PathEffects]
  /// The largest effect of the corrupt run's own values, which must be 0.
  public let own: Double

  public init(
    senders: [String], receivers: [String], clean: Double, corrupt: Double,
    effects: [PathEffects], unrelated: [PathEffects], own: Double
  ) {
    (self.senders, self.receivers) = (senders, receivers)
    (self.clean, self.corrupt) = (clean, corrupt)
    (self.effects, self.unrelated, self.own) = (effects, unrelated, own)
  }
}

extension SpeechLanguageModel {
  /// The paths of some senders.
  ///
  /// - Parameters:
  ///   - base: the corrupt run, which has kept `pathSites` and the senders' sites
  ///   - source: the clean run, which has kept the senders' sites, and `stranger` likewise
  ///   - stranger: a run of an unrelated item
  ///   - shift: milliseconds from a moment here to the one there that stands for it
  ///   - changed: where the two members differ
  /// - Throws: where a window is not there, and what `pathLogits` throws.
  public func pathReading(
    _ base: Trace, from source: Trace, unrelated stranger: Trace, shift: Double,
    changed: TimeSpan?, senders: [PathSender], through receivers: [PathReceiver]
  ) throws -> PathReading {
    let donors: [Donor] = [
      .source(source), .unrelated(stranger, shift: shift, matching: source), .source(base),
    ]
    let found = try senders.map { sender in
      let positions = try sender.window.positions(
        in: base.place(of: sender.site).spans, changed: changed, of: sender.name)
      return try donors.map { donor -> PathEffects in
        let cell = Cell(sender.site, index: sender.index)
        guard let rows = try donor.rows(for: cell, positions, base) else {
          throw CellError(
            "\(sender.name): the source run is shorter and lacks some of its positions; give "
              + "recordings of one length")
        }
        let patch = Patch(
          sender.site, positions: positions, index: sender.index, taking: rows)
        return try pathEffects(base, from: patch, through: receivers)
      }
    }
    return PathReading(
      senders: senders.map(\.name), receivers: receivers.map(\.name),
      clean: source.logitDifference, corrupt: base.logitDifference, effects: found.map { $0[0] },
      unrelated: found.map { $0[1] }, own: found.map { $0[2].largest }.max() ?? 0)
  }

  /// The paths of some senders in one pair of the suite. Where the sound decides which frames become tokens,
  /// both members keep those of the corrupt one.
  ///
  /// - Parameter asked: the members of a pair as questions
  fileprivate func pathReading(
    _ pair: MinimalPair, of suite: PairSuite, senders: [PathSender],
    through receivers: [PathReceiver],
    asked: (MinimalPair) throws -> (clean: Question, corrupt: Question)
  ) throws -> PathReading {
    let other = try suite.unrelated(to: pair)
    let sending = Set(senders.map(\.site)).sorted { "\($0)" < "\($1)" }
    for site in sending { try check(site) }
    let (clean, corrupt) = try asked(pair)
    let first = try trace(corrupt)
    let base = try trace(
      corrupt.keepingFrames(of: first), keeping: pathSites(receivers) + sending)
    let source = try trace(clean.keepingFrames(of: first), keeping: sending)
    return try pathReading(
      base, from: source, unrelated: trace(asked(other).clean, keeping: sending),
      shift: other.onset - pair.onset, changed: pair.changed, senders: senders, through: receivers)
  }

  /// Every head of the layers up to the logits, at all positions.
  ///
  /// - Parameter trace: a run, which says how many heads a site has
  public func headSenders(in trace: Trace) throws -> [PathSender] {
    let receivers = Set(pathReceivers.flatMap(\.cells).map(\.site.stage))
    let heard = Site.Activation.crossZ
    return try sites.filter {
      receivers.contains($0.stage) && ($0.activation == .z || $0.activation == heard)
    }.flatMap { site in
      try (0..<trace.place(of: site).heads).map { PathSender(site, index: $0) }
    }
  }
}

extension PathEffects {
  /// The largest of all effects, without its sign.
  fileprivate var largest: Double {
    ([whole, direct] + through.compactMap { $0 }).map(abs).max() ?? 0
  }
}

extension SpeechModel {
  /// The paths of some senders in one pair of the suite. Where the sound decides which frames become tokens,
  /// both members keep those of the corrupt one.
  ///
  /// - Parameter root: the folder below which the recordings lie
  public func pathReading(
    _ pair: MinimalPair, of suite: PairSuite, senders: [PathSender],
    through receivers: [PathReceiver], root: String
  ) throws -> PathReading {
    try model.pathReading(pair, of: suite, senders: senders, through: receivers) {
      try questions(for: $0, root: root)
    }
  }
}

extension Recogniser {
  /// The same of a recogniser, for which the words before the one that differs are forced.
  public func pathReading(
    _ pair: MinimalPair, of suite: PairSuite, senders: [PathSender],
    through receivers: [PathReceiver], root: String
  ) throws -> PathReading {
    try model.pathReading(pair, of: suite, senders: senders, through: receivers) {
      try questions(for: $0, root: root)
    }
  }
}

/// The paths of one sender over pairs; intervals are over groups.
public struct PathSummary: Codable, Sendable {
  public let sender: String
  /// Mean effects in nats: whole, by receiver (nil where no path leads there), and on the logits directly.
  public let whole: Estimate
  public let through: [Estimate?]
  public let direct: Estimate
  /// The sum over all paths over the whole effect, a ratio of means.
  public let sum: Estimate
  /// What does not add up, its size pair by pair so that signs do not cancel, over the whole effect's size.
  public let interaction: Estimate
  /// Of an unrelated item, over the real whole effect: its whole effect and the sum of its paths.
  public let unrelated: Estimate
  public let unrelatedSum: Estimate
  /// The receiver that carries most, or `logits`, and its share of the whole effect; in each group that of
  /// the receiver that carries most in all others.
  public let top: String
  public let topShare: Estimate

  /// Whether the paths add up to the whole effect: the interval of `sum` holds 1, or it is 1 within a tenth.
  public var addsUp: Bool { sum.low <= 1 && 1 <= sum.high || abs(sum.value - 1) <= 0.1 }
}

extension Array where Element == PathReading {
  /// The places of the senders whose mean effect is largest in size, the first of equals first.
  ///
  /// - Throws: where readings are not of the same senders.
  public func strongestSenders(_ count: Int) throws -> [Int] {
    let senders = first?.senders ?? []
    guard allSatisfy({ $0.senders == senders }), senders.count >= count else {
      throw CellError(
        "\(self.count) readings of \(senders.count) senders: give readings of the same senders, "
          + "\(count) at least")
    }
    let sizes = senders.indices.map { i in abs(reduce(0) { $0 + $1.effects[i].whole }) }
    return [Int](
      senders.indices.sorted { (-sizes[$0], $0) < (-sizes[$1], $1) }.prefix(count))
  }

  /// The means of one sender's effects.
  ///
  /// - Parameters:
  ///   - groups: the group of each reading
  ///   - draws: bootstrap samples
  /// - Throws: where readings are not of the same paths, or there is no such sender.
  public func pathSummary(
    _ sender: String, groups: [String], draws: Int = 10_000, _ random: Random
  ) throws -> PathSummary {
    guard let first, groups.count == count,
      allSatisfy({ $0.receivers == first.receivers && $0.senders == first.senders })
    else {
      throw CellError(
        "\(count) readings with \(groups.count) groups: give one group a reading, and readings of the same "
          + "senders and receivers, one at least")
    }
    guard let index = first.senders.firstIndex(of: sender) else {
      throw CellError(
        "\(sender): no such sender was read; there are \(first.senders.joined(separator: ", "))")
    }
    let real = map { $0.effects[index] }
    let other = map { $0.unrelated[index] }
    let ones = [Double](repeating: 1, count: count)
    func ratio(_ name: String, _ above: [Double], over below: [Double]) -> Estimate {
      ratioOfMeans(
        above, below, groups: groups, draws: draws, random.split(sender).split(name))
    }
    let whole = real.map(\.whole)
    let paths = real.map { $0.through + [$0.direct] }
    let names = first.receivers + ["logits"]
    let means = names.indices.map { path in
      paths.allSatisfy { $0[path] != nil }
        ? ratio("mean " + names[path], paths.map { $0[path] ?? 0 }, over: ones) : nil
    }
    /// The path with the largest sum over some readings, the first of equals.
    func largest(_ members: [Int]) -> Int {
      let sums = names.indices.map { path in
        abs(members.reduce(0) { $0 + (paths[$1][path] ?? 0) })
      }
      return sums.indices.dropFirst().reduce(0) { sums[$1] > sums[$0] ? $1 : $0 }
    }
    let held = indices.map { i -> Double in
      let others = indices.filter { groups[$0] != groups[i] }
      return paths[i][largest(others.isEmpty ? [Int](indices) : others)] ?? 0
    }
    return PathSummary(
      sender: sender, whole: ratio("whole", whole, over: ones),
      through: [Estimate?](means.dropLast()), direct: means[means.count - 1]!,
      sum: ratio("sum", real.map(\.sum), over: whole),
      interaction: ratio(
        "interaction", real.map { abs($0.sum - $0.whole) }, over: whole.map(abs)),
      unrelated: ratio("unrelated", other.map(\.whole), over: whole),
      unrelatedSum: ratio("unrelated sum", other.map(\.sum), over: whole),
      top: names[largest([Int](indices))],
      topShare: ratio("top", held, over: whole))
  }
}
