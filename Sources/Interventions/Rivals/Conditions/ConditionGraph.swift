// A graph of conditions: what each condition of a sentence does in each other, at every layer, and how
// much more the better heard condition mends than the worse one spoils (`paper/definitions.md`, D166;
// brain-to-speech decoding, arXiv 2602.01247).

import Tensor

/// One condition's activations at the changed phone's moment in another condition's run of the sentence.
public struct ConditionTransfer: Codable, Sendable {
  public let source: Condition
  public let base: Condition
  /// LD of the patched base run by site, in nats; nil where the site has no position there.
  public let patched: [Double?]
  /// The same with an unrelated sentence's activations in the source's condition, moved as far.
  public let unrelated: [Double?]

  public init(source: Condition, base: Condition, patched: [Double?], unrelated: [Double?]) {
    (self.source, self.base) = (source, base)
    (self.patched, self.unrelated) = (patched, unrelated)
  }
}

/// The exchange of the sentence's text with that of its pair, both clean, by site.
public struct ConditionTexts: Codable, Sendable {
  /// LD of the other text's run; of it with the moment of this text, and of this text's run with the
  /// other's.
  public let corrupt: Double
  public let restored: [Double?]
  public let broken: [Double?]

  public init(corrupt: Double, restored: [Double?], broken: [Double?]) {
    (self.corrupt, self.restored, self.broken) = (corrupt, restored, broken)
  }
}

/// What all conditions of one sentence do in each other.
public struct ConditionReading: Codable, Sendable {
  public let id: String
  public let group: String
  /// LD of the right word against its foil by condition, in nats, in the order of `Condition.allCases`.
  public let said: [Double]
  public var edges: [ConditionTransfer] = []
  public var texts: ConditionTexts?
  /// The run in noise with mixtures of the clean, the noisy and the other speaker's content; weights are in
  /// that order.
  public var mixed: ConditionMap?
  /// |LD - LD of the source| with every position of a site patched, by site; zero to the bit.
  public var wholeError: [Double] = []

  public init(id: String, group: String, said: [Double]) {
    (self.id, self.group, self.said) = (id, group, said)
  }

  /// LD in a condition.
  public subscript(condition: Condition) -> Double {
    said[Condition.allCases.firstIndex(of: condition)!]
  }
}

/// What two conditions do in each other at one site, one sentence's or a sum over sentences, in nats.
struct ConditionEffect {
  var group = ""
  /// LD_high - LD_low.
  var gap = 0.0
  /// How far the worse heard run rises, and how far the better one falls; and the same with an unrelated
  /// sentence.
  var rise = 0.0
  var fall = 0.0
  var unrelatedRise = 0.0
  var unrelatedFall = 0.0
}

/// Two conditions, the one that is heard better over all first, and their effects as shares of the gap.
public struct ConditionEdge: Sendable {
  public let high: Condition
  public let low: Condition
  /// Sentences that enter, and their mean gap in nats.
  public let sentences: Int
  public let gap: Double
  /// By site; nil where no sentence that enters has a position.
  public let sufficiency: [Estimate?]
  public let necessity: [Estimate?]
  /// Sufficiency - necessity, and the same of unrelated sentences.
  public let asymmetry: [Estimate?]
  public let unrelated: [Estimate?]
}

/// The graph over conditions as sentences read it.
public struct ConditionGraph: Sendable {
  /// From the best heard to the worst.
  public let order: [Condition]
  public let edges: [ConditionEdge]
  private let effects: [[[ConditionEffect]]]
  private let texts: [[ConditionEffect]]
  private let draws: Int
  private let random: Random

  /// - Parameters:
  ///   - readings: all of the same sites
  ///   - ranking: other sentences, by whose mean LD conditions are ordered, so that chance in the sentences
  ///     that are quoted cannot order them
  ///   - minimumGap: of a sentence that enters an edge, in nats: the better heard run is right, and by so
  ///     much more (D17)
  /// - Throws: where there are no readings, or they are not of the same sites.
  public init(
    _ readings: [ConditionReading], ranking: [ConditionReading], minimumGap: Double, draws: Int,
    _ random: Random
  ) throws {
    guard let first = readings.first, !ranking.isEmpty else {
      throw CellError("graph of conditions: there are no sentences; take more of the suite")
    }
    let all = Condition.allCases
    let sites = first.wholeError.count
    for reading in readings + ranking {
      let counts = reading.edges.flatMap { [$0.patched.count, $0.unrelated.count] }
      guard reading.said.count == all.count, reading.edges.count == all.count * (all.count - 1),
        counts.allSatisfy({ $0 == sites })
      else {
        throw CellError(
          "graph of conditions: sentence \(reading.id) has \(reading.edges.count) edges at "
            + "\(Set(counts).sorted()) sites; read all sentences at the same \(sites) sites")
      }
    }
    let means = all.map { condition in ranking.reduce(0) { $0 + $1[condition] } }
    order = all.indices.sorted { (-means[$0], $0) < (-means[$1], $1) }.map { all[$0] }
    let filter = PairFilter(minimumGap: minimumGap, needsFoil: false)
    var edges: [ConditionEdge] = []
    var effects: [[[ConditionEffect]]] = []
    for (i, high) in order.enumerated() {
      for low in order.dropFirst(i + 1) {
        let kept = readings.filter { filter.reason(clean: $0[high], corrupt: $0[low]) == nil }
        let own = (0..<sites).map { site in kept.compactMap { $0.effect(of: high, in: low, site) } }
        let draw = random.split(high.rawValue).split(low.rawValue)
        func shares(_ name: String, _ value: (ConditionEffect) -> Double) -> [Estimate?] {
          own.enumerated().map { site, found in
            found.ratio(draws: draws, draw.split(name).split(site), value)
          }
        }
        edges.append(
          ConditionEdge(
            high: high, low: low, sentences: kept.count,
            gap: kept.reduce(0) { $0 + $1[high] - $1[low] } / Double(max(kept.count, 1)),
            sufficiency: shares("sufficiency", \.rise), necessity: shares("necessity", \.fall),
            asymmetry: shares("asymmetry") { $0.rise - $0.fall },
            unrelated: shares("unrelated") { $0.unrelatedRise - $0.unrelatedFall }))
        effects.append(own)
      }
    }
    texts = (0..<sites).map { site in readings.compactMap { $0.exchange(site, minimumGap) } }
    (self.edges, self.effects) = (edges, effects)
    (self.draws, self.random) = (draws, random)
  }

  /// Places of the sites.
  private var sites: Range<Int> { texts.indices }

  /// Effects of all edges together at one site.
  private func joined(_ site: Int) -> [ConditionEffect] { effects.flatMap { $0[site] } }

  /// The site at which the better heard conditions mend most of the gap, all edges together; nil where no
  /// sentence enters.
  public var strongestSite: Int? {
    let found = sites.map { site in joined(site).share(\.rise) }
    let known = sites.filter { found[$0] != nil }
    return known.max { (found[$0]!, -$0) < (found[$1]!, -$1) }
  }

  /// Whether the better heard condition mends more than the worse one spoils, and more than unrelated
  /// sentences do.
  public static func isAsymmetric(_ own: Estimate, unrelated: Estimate) -> Bool {
    own.low > 0 && own.low > unrelated.high
  }

  /// The asymmetry index of all edges together at one site, that of unrelated sentences, and that of the
  /// exchange of texts; nil where no sentence enters.
  public func asymmetry(at site: Int) -> (
    own: Estimate?, unrelated: Estimate?, texts: Estimate?
  ) {
    let (draw, found) = (random.split("all edges").split(site), joined(site))
    return (
      found.ratio(draws: draws, draw.split("own")) { $0.rise - $0.fall },
      found.ratio(draws: draws, draw.split("unrelated")) { $0.unrelatedRise - $0.unrelatedFall },
      texts[site].ratio(draws: draws, draw.split("texts")) { $0.rise - $0.fall }
    )
  }
}

extension ConditionReading {
  /// What two conditions do in each other; nil where the site has no position.
  func effect(of high: Condition, in low: Condition, _ site: Int) -> ConditionEffect? {
    let up = edges.first { $0.source == high && $0.base == low }
    let down = edges.first { $0.source == low && $0.base == high }
    guard let rise = up?.patched[site], let fall = down?.patched[site],
      let otherRise = up?.unrelated[site], let otherFall = down?.unrelated[site]
    else { return nil }
    return ConditionEffect(
      group: group, gap: self[high] - self[low], rise: rise - self[low], fall: self[high] - fall,
      unrelatedRise: otherRise - self[low], unrelatedFall: self[high] - otherFall)
  }

  /// The same of the exchange of texts; nil where the pair does not enter (D17).
  func exchange(_ site: Int, _ minimumGap: Double) -> ConditionEffect? {
    guard let texts, let up = texts.restored[site], let down = texts.broken[site],
      PairFilter(minimumGap: minimumGap).reason(clean: self[.clean], corrupt: texts.corrupt) == nil
    else { return nil }
    return ConditionEffect(
      group: group, gap: self[.clean] - texts.corrupt, rise: up - texts.corrupt,
      fall: self[.clean] - down)
  }
}

extension [ConditionEffect] {
  /// The ratio of sums; nil where there are none.
  func share(_ value: (ConditionEffect) -> Double) -> Double? {
    isEmpty ? nil : reduce(0) { $0 + value($1) } / reduce(0) { $0 + $1.gap }
  }

  func ratio(draws: Int, _ random: Random, _ value: (ConditionEffect) -> Double) -> Estimate? {
    isEmpty
      ? nil
      : ratioOfMeans(map(value), map(\.gap), groups: map(\.group), draws: draws, random)
  }
}
