// How parts are ranked before circuits are cut out: estimates of a search, exact effects of one part at a
// time, how far a part moves, and a mask that is learned (`paper/definitions.md`, D170).

import Speech
import Tensor

/// What ranks parts on one pair at a time.
public enum CircuitSearch: Hashable, Sendable {
  case estimate(SearchMethod)
  /// The exact effect of each part alone. Not guaranteed to be the best order: effects do not add up.
  case exact
  /// The length of the move between both runs, which asks nothing of the answer.
  case movement

  public var name: String {
    switch self {
    case .estimate(let method): method.name
    case .exact: "exact"
    case .movement: "movement"
    }
  }
}

/// Scores of the parts on one pair: what the clean run's logit difference loses where a part takes the
/// corrupt run's output, in nats (a length for `movement`).
public struct CircuitScores: Codable, Sendable {
  public let clean: Double
  public let corrupt: Double
  /// By [search][part]; 0 where a part has no position in the pair.
  public let scores: [[Double]]
  /// Forward passes that each search took; a backward pass counts as two.
  public let costs: [Double]

  public init(clean: Double, corrupt: Double, scores: [[Double]], costs: [Double]) {
    (self.clean, self.corrupt, self.scores, self.costs) = (clean, corrupt, scores, costs)
  }
}

extension Array where Element == CircuitScores {
  /// The mean over pairs of each part's score.
  public func mean(_ search: Int) -> [Double] {
    (first?.scores[search] ?? []).indices.map { part in
      reduce(0) { $0 + $1.scores[search][part] } / Double(count)
    }
  }
}

extension SpeechLanguageModel {
  /// Scores every part by every search, on one pair.
  public func circuitScores(of pair: CircuitPair, by searches: [CircuitSearch]) throws
    -> CircuitScores
  {
    var (scores, costs): ([[Double]], [Double]) = ([], [])
    let sites = Set(pair.parts.map(\.site)).sorted { "\($0)" < "\($1)" }
    for search in searches {
      switch search {
      case .estimate(let method):
        let found = try self.search(
          base: pair.clean.question, source: pair.corrupt.question,
          SearchOptions(method, sites: sites))
        // An estimate without a sign stays as it is.
        let sign: Double = method == .gradDrop ? 1 : -1
        scores.append(
          pair.parts.map { part in
            sign * (found.scores[part.site]?.score(part.window, index: part.index) ?? 0)
          })
        costs.append(found.cost.forwards + 2 * found.cost.backwards)
      case .exact:
        let single = try patched(
          pair.clean, pair.selections.map { $0.map { [$0.patch()] } ?? [] })
        scores.append(single.map { pair.clean.logitDifference - $0.logitDifference })
        costs.append(Double(2 + pair.parts.count))
      case .movement:
        scores.append(pair.selections.map { $0?.move.norm ?? 0 })
        costs.append(2)
      }
    }
    return CircuitScores(
      clean: pair.clean.logitDifference, corrupt: pair.corrupt.logitDifference, scores: scores,
      costs: costs)
  }
}

/// How a mask over parts is learned.
public struct MaskLearning: Sendable {
  /// Steps of Adam, each over all pairs.
  public var steps = 40
  /// Of the mask's logits.
  public var rate: Float = 0.1
  /// What a mask that lets everything through costs beside a squared faithfulness error of 1.
  public var penalty = 0.5

  public init() {}
}

extension SpeechLanguageModel {
  /// A mask over parts, trained so that few of them keep the answer: each part's output is
  /// source + s (own - source) with s a sigmoid, and the mean over pairs of (1 - f)^2 plus the penalty times
  /// the mean of s falls. One mask for all pairs; no noise is drawn.
  ///
  /// The relaxation of edge pruning (arXiv 2406.16778) without its hard gates; the benchmark's own entry
  /// samples gates (uniform gradient sampling, arXiv 2409.09951).
  ///
  /// - Returns: the logit of each part's gate, higher where it stays in
  /// - Throws: where there is no pair, or one without a gap.
  public func learnedMask(_ pairs: [CircuitPair], _ learning: MaskLearning) throws -> [Double] {
    guard let parts = pairs.first?.parts, pairs.allSatisfy({ $0.parts.count == parts.count }) else {
      throw CellError("a mask is learned on pairs that have the same parts; give at least one pair")
    }
    let gap =
      pairs.reduce(0) { $0 + $1.clean.logitDifference - $1.corrupt.logitDifference }
      / Double(pairs.count)
    guard gap > 0 else {
      throw CellError("the pairs have a mean gap of \(gap) nats; leave out those that do not enter")
    }
    let logits = Tensor([1, parts.count], repeating: 1)
    var optimiser = AdamW(parameters: [logits])
    optimiser.decay = 0
    for _ in 0..<learning.steps {
      let gates = logits.numbers.map { 1 / (1 + Elementary.exp(-Double($0))) }
      let slopes = try mapInParallel(pairs.count) { i -> [Double] in
        let pair = pairs[i]
        let (difference, slopes) = try masked(pair, gates)
        let error = (difference - pair.clean.logitDifference) / gap
        return slopes.map { 2 * error * $0 / gap / Double(pairs.count) }
      }
      let gradient = gates.indices.map { part -> Float in
        let slope = slopes.reduce(learning.penalty / Double(gates.count)) { $0 + $1[part] }
        return Float(slope * gates[part] * (1 - gates[part]))
      }
      optimiser.update(
        [logits], gradients: [Tensor(logits.shape, gradient)], rate: learning.rate, clip: 1)
    }
    return logits.numbers.map(Double.init)
  }

  /// The logit difference of the clean run behind gates, and its slope by each gate.
  public func masked(_ pair: CircuitPair, _ gates: [Double]) throws -> (Double, [Double]) {
    let question = pair.clean.question
    let bySite = Dictionary(grouping: pair.parts.indices) { pair.parts[$0].site }
    var gated: [(site: Site, x: Tensor, move: Tensor)] = []
    var places: [Site: Place] = [:]
    var sources: [Site: Tensor] = [:]
    for site in bySite.keys {
      let place = try pair.clean.place(of: site)
      places[site] = place
      sources[site] = try pair.corrupt.rows(of: Cell(site), at: Array(place.rows.indices))
    }
    /// Calls `body` with each part of a site and the numbers of it that the part is.
    func each(_ site: Site, width: Int, _ body: (Int, Int) -> Void) {
      for part in bySite[site]! {
        let columns = places[site]!.columns(of: pair.parts[part].index, width: width)
        for position in pair.selections[part]?.positions ?? [] {
          for column in columns { body(part, position * width + column) }
        }
      }
    }
    let tap = Tap(Set(bySite.keys)) { site, x in
      let (place, source) = (places[site]!, sources[site]!)
      let x = x.isDifferentiated ? x : x.variable
      let move = gatherRows(x, place.rows) - source
      var factors = [Float](repeating: 1, count: move.count)
      each(site, width: move.width) { factors[$1] = Float(gates[$0]) }
      let mixed = source + move.scaled(by: Tensor(move.shape, factors))
      gated.append((site, mixed, move.detached))
      return replacingRows(x, at: place.rows, with: mixed)
    }
    let run = try self.run(question.input, tap: tap)
    let logits = gatherRows(run.logits, question.reads(of: run.logits.rows))
    let found = logits.gradients(
      of: gated.map(\.x), weights: try question.slope(of: .logitDifference, logits.detached))
    var slopes = [Double](repeating: 0, count: gates.count)
    for ((site, _, move), slope) in zip(gated, found) {
      let (a, b) = (move.numbers, slope.numbers)
      each(site, width: move.width) { slopes[$0] += Double(a[$1]) * Double(b[$1]) }
    }
    return (question.logitDifference(logits), slopes)
  }
}
