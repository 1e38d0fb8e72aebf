// Circuits of growing size: everything outside takes the counterfactual run's activations, and what is left
// of the answer is integrated over sizes, as in the circuit track of the Mechanistic Interpretability
// Benchmark (arXiv 2504.13151; `paper/definitions.md`, D170).

import Corpus
import Speech
import Tensor

/// The sizes at which circuits are cut out, in thousandths of all parts.
public let circuitThousandths = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]

/// How many of so many parts a circuit of each size has; the benchmark rounds down too.
public func circuitSizes(of parts: Int) -> [Int] { circuitThousandths.map { parts * $0 / 1000 } }

/// The parts of a model from the one that enters a circuit first.
public struct CircuitOrder: Codable, Sendable, Equatable {
  public let name: String
  public let ranked: [Int]

  /// Parts by score; equal ones by index, and scores that are no number last.
  ///
  /// - Parameter bySize: takes the absolute value, as the benchmark does where distance is measured
  public init(_ name: String, by scores: [Double], bySize: Bool) {
    let keys = scores.map { $0.isNaN ? -.infinity : bySize ? abs($0) : $0 }
    self.name = name
    ranked = keys.indices.sorted { (-keys[$0], $0) < (-keys[$1], $1) }
  }

  private init(_ name: String, _ ranked: [Int]) { (self.name, self.ranked) = (name, ranked) }

  /// The matched control: the same parts in orders that are drawn.
  public static func drawn(_ draws: Int, parts: Int, _ random: Random) -> [CircuitOrder] {
    (0..<draws).map { draw in
      var stream = random.split("order").split(draw)
      return CircuitOrder("random \(draw)", stream.permutation(parts))
    }
  }
}

/// Logit differences of one pair's circuits, in nats.
public struct CircuitReading: Codable, Sendable {
  public let clean: Double
  public let corrupt: Double
  /// With no part and with every part in the circuit, computed like any other circuit.
  public let empty: Double
  public let full: Double
  /// By [order][size].
  public let circuits: [[Double]]

  public init(
    clean: Double, corrupt: Double, empty: Double, full: Double, circuits: [[Double]]
  ) {
    (self.clean, self.corrupt, self.empty, self.full) = (clean, corrupt, empty, full)
    self.circuits = circuits
  }
}

extension AudioLanguageModel {
  /// All heads and MLPs of encoder and language model, in the order of the model; those of a second encoder
  /// and of a query transformer are none of them.
  ///
  /// - Parameter question: any question to the model; one run says how many heads a layer has
  public func circuitRows(of question: Question) throws -> [GridRow] {
    let sized = sites.filter { [.encoder, .lm].contains($0.stage) }
    let trace = try trace(question, keeping: sized)
    let order = Dictionary(uniqueKeysWithValues: sites.enumerated().map { ($1, $0) })
    return try ["heads", "mlp"].flatMap { try componentRows($0, in: trace) }
      .filter { [.encoder, .lm].contains($0.site.stage) }
      .sorted { (order[$0.site]!, $0.index ?? -1) < (order[$1.site]!, $1.index ?? -1) }
  }
}

extension SpeechModel {
  /// The parts of the model at all positions.
  public func circuitParts(of pair: MinimalPair, root: String) throws -> [Cell] {
    try model.circuitRows(of: questions(for: pair, root: root).clean)
      .map { Cell($0.site, index: $0.index) }
  }

  /// A minimal pair, ready to have circuits cut out.
  ///
  /// - Parameter root: the folder below which the recordings lie
  public func circuitPair(_ pair: MinimalPair, _ parts: [Cell], root: String) throws -> CircuitPair
  {
    let asked = try questions(for: pair, root: root)
    return try CircuitPair(model, clean: asked.clean, corrupt: asked.corrupt, parts: parts)
  }
}

/// One pair's clean and corrupt runs, and what each part has in both.
public struct CircuitPair: Sendable {
  public let clean: Trace
  public let corrupt: Trace
  public let parts: [Cell]
  /// Nil where a part has no position in the pair.
  let selections: [Selection?]

  /// - Parameters:
  ///   - parts: that no position belongs to two of, such as heads and MLPs at all positions
  /// - Throws: where there is no part, one is named twice or is not in the model, or the members differ in
  ///   length.
  public init(
    _ model: some SpeechLanguageModel, clean: Question, corrupt: Question, parts: [Cell]
  ) throws {
    guard !parts.isEmpty else {
      throw CellError("a circuit of no parts; name heads and MLPs, as circuitRows gives them")
    }
    guard Set(parts).count == parts.count else {
      throw CellError("a part of the circuit is named twice; give every head and MLP once")
    }
    let sites = Set(parts.map(\.site)).sorted { "\($0)" < "\($1)" }
    // Where the sound decides which frames become tokens, both keep those of the corrupt member.
    let mask = try model.trace(corrupt)
    let base = try model.trace(clean.keepingFrames(of: mask), keeping: sites)
    let source = try model.trace(corrupt.keepingFrames(of: mask), keeping: sites)
    (self.clean, self.corrupt, self.parts) = (base, source, parts)
    selections = try parts.map { part in
      let (here, there) = (try base.place(of: part.site), try source.place(of: part.site))
      guard here.rows.count == there.rows.count else {
        throw CellError(
          "\(part.site): \(here.rows.count) positions in the clean run, \(there.rows.count) in the corrupt "
            + "one; circuits need members of one length")
      }
      return try Selection(part, base: base, source: source, .identity)
    }
  }
}

extension SpeechLanguageModel {
  /// What the clean run says where every part outside a circuit takes the corrupt run's output, in nats of
  /// logit difference.
  ///
  /// Parts of a circuit are computed from what comes before them, inside it or not. The sound itself stays
  /// clean, but reaches the answer through parts alone, so that the empty circuit says what the corrupt run
  /// says.
  ///
  /// - Parameter circuits: places in the pair's parts; equal ones are run once
  /// - Throws: where a place is not one of the parts.
  public func logitDifferences(of pair: CircuitPair, keeping circuits: [[Int]]) throws -> [Double] {
    let all = Array(pair.parts.indices)
    var place: [[Int]: Int] = [:]
    var outside: [[Int]] = []
    let asked = try circuits.map { circuit -> Int in
      let inside = Set(circuit)
      guard inside.isSubset(of: all) else {
        throw CellError(
          "a circuit names part \(inside.subtracting(all).min()!) of \(all.count); count from 0")
      }
      let left = all.filter { !inside.contains($0) }
      if let known = place[left] { return known }
      place[left] = outside.count
      outside.append(left)
      return outside.count - 1
    }
    let found = try patched(
      pair.clean, outside.map { $0.compactMap { pair.selections[$0]?.patch() } })
    return asked.map { found[$0].logitDifference }
  }

  /// The same of circuits of every size and order, and of none and all of the parts.
  ///
  /// - Throws: where an order is not one of all parts.
  public func circuits(of pair: CircuitPair, _ orders: [CircuitOrder]) throws -> CircuitReading {
    let all = Array(pair.parts.indices)
    if let order = orders.first(where: { $0.ranked.sorted() != all }) {
      throw CellError(
        "order \(order.name) does not name each of the \(all.count) parts once; rank the same parts that "
          + "circuits are cut from")
    }
    let sizes = circuitSizes(of: all.count)
    let sets = orders.flatMap { order in sizes.map { Array(order.ranked.prefix($0)) } }
    var values = try logitDifferences(of: pair, keeping: [[], all] + sets)[...]
    let (empty, full) = (values.removeFirst(), values.removeFirst())
    return CircuitReading(
      clean: pair.clean.logitDifference, corrupt: pair.corrupt.logitDifference, empty: empty,
      full: full, circuits: orders.map { _ in sizes.map { _ in values.removeFirst() } })
  }
}

/// What is integrated over the sizes of circuits.
public enum CircuitArea: String, Codable, Sendable, CaseIterable {
  /// CPR, of f: how much of the answer small circuits keep. Higher is better; may exceed 1.
  case performance = "CPR"
  /// CMD, of |1 - f|: how far circuits are from the model. 0 is best.
  case distance = "CMD"

  /// By trapezes over the share of parts, from the smallest size to all; what lies below the smallest is
  /// left out, as in the benchmark, so that f = 1 throughout has a CPR of 0.999.
  public func area(under faithfulness: [Double]) -> Double {
    precondition(faithfulness.count == circuitThousandths.count)
    let heights = self == .performance ? faithfulness : faithfulness.map { abs(1 - $0) }
    return (1..<heights.count).reduce(0) { sum, i in
      let width = Double(circuitThousandths[i] - circuitThousandths[i - 1]) / 1000
      return sum + width * (heights[i - 1] + heights[i]) / 2
    }
  }
}

extension Array where Element == CircuitReading {
  /// f at each size of one order: a ratio of means over pairs, as the benchmark averages.
  public func faithfulness(of order: Int) -> [Double] {
    CircuitSums(self).faithfulness(of: order)
  }

  /// CPR or CMD with its interval over groups, unbounded where they are fewer than `fewestGroups`.
  ///
  /// - Parameters:
  ///   - orders: whose mean area it is, such as one, or several that were drawn
  ///   - others: orders whose mean area is taken off, on the same pairs
  ///   - groups: the resampling unit of each pair
  public func area(
    _ kind: CircuitArea, of orders: [Int], over others: [Int] = [], groups: [String], draws: Int,
    _ random: Random
  ) -> Estimate {
    let clusters = clustered(self, by: groups).map { CircuitSums($0) }
    func statistic(_ drawn: [CircuitSums]) -> Double {
      let sums = CircuitSums(adding: drawn)
      func mean(_ list: [Int]) -> Double {
        list.isEmpty
          ? 0
          : list.reduce(0) { $0 + kind.area(under: sums.faithfulness(of: $1)) }
            / Double(list.count)
      }
      return mean(orders) - mean(others)
    }
    guard clusters.count >= fewestGroups else {
      return Estimate(value: statistic(clusters), low: -.infinity, high: .infinity)
    }
    return clusterInterval(of: clusters, draws: draws, widened: true, random, statistic)
  }
}

/// Sums over pairs, of which f is a ratio.
private struct CircuitSums {
  var gap = 0.0
  /// By [order][size], what a circuit says less what the empty one says.
  var kept: [[Double]] = []

  init(_ readings: [CircuitReading]) {
    gap = readings.reduce(0) { $0 + $1.full - $1.empty }
    kept = (readings.first?.circuits ?? []).indices.map { order in
      circuitThousandths.indices.map { size in
        readings.reduce(0) { $0 + $1.circuits[order][size] - $1.empty }
      }
    }
  }

  init(adding sums: [CircuitSums]) {
    gap = sums.reduce(0) { $0 + $1.gap }
    kept = (sums.first?.kept ?? []).indices.map { order in
      circuitThousandths.indices.map { size in sums.reduce(0) { $0 + $1.kept[order][size] } }
    }
  }

  func faithfulness(of order: Int) -> [Double] { kept[order].map { $0 / gap } }
}
