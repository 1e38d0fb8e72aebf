// Circuits of growing size: both ends are exact, areas are those worked out by hand, and planted heads rank
// first.

import Interventions
import Speech
import Tensor
import Testing

@Suite struct CircuitFaithfulnessTests {
  private func pair(_ small: Small) throws -> CircuitPair {
    let parts = try small.model.circuitRows(of: small.question).map {
      Cell($0.site, index: $0.index)
    }
    return try CircuitPair(small.model, clean: small.question, corrupt: small.source, parts: parts)
  }

  /// Two layers of three heads and three of four, each with an MLP.
  @Test func partsAreAllHeadsAndMLPs() throws {
    let rows = try Small(seed: 61).model.circuitRows(of: Small(seed: 61).question)
    #expect(rows.count == 2 * (3 + 1) + 3 * (4 + 1))
    #expect(rows.first == GridRow(Site(.encoder, 0, .z), 0))
    #expect(rows.last == GridRow(Site(.lm, 2, .mlpOut)))
  }

  @Test func noPartIsTheCorruptRunAndAllPartsAreTheCleanOne() throws {
    let small = Small(seed: 62)
    let pair = try pair(small)
    let orders = CircuitOrder.drawn(2, parts: pair.parts.count, Random(seed: 1))
    let reading = try small.model.circuits(of: pair, orders)
    #expect(reading.empty == reading.corrupt && reading.full == reading.clean)
    #expect(reading.clean != reading.corrupt)
    for order in orders.indices {
      let f = [reading].faithfulness(of: order)
      #expect(f.first == 0 && f.last == 1)
    }
  }

  /// A run from the sound on, with the corrupt run's values written by hand at every part outside.
  @Test func aCircuitIsTheRunWithAllElseReplaced() throws {
    let small = Small(seed: 63)
    let pair = try pair(small)
    let there = try small.run(small.source).states
    let kept = [0, 3, 7, 9, 14, 20]
    let outside = pair.parts.indices.filter { !kept.contains($0) }
    let batch = try Batch(
      small.model.config.sound, clips: [small.question.clip],
      prompts: [Prompt(small.question.tokens)])
    func replaced(_ site: Site, _ x: Tensor) -> Tensor {
      var numbers = x.numbers
      for part in outside where pair.parts[part].site == site {
        let heads = site.stage == .lm ? small.config.heads : small.config.encoderHeads
        let size = pair.parts[part].index == nil ? x.width : x.width / heads
        let first = (pair.parts[part].index ?? 0) * size
        for row in 0..<x.rows {
          for j in first..<(first + size) { numbers[row * x.width + j] = there[site]![row, j] }
        }
      }
      return Tensor(x.shape, numbers)
    }
    let tap = Tap { site, x in x.shape.count == 2 ? replaced(site, x) : x }
    let logits = small.model.logits(
      after: .encoder(0), small.model.embedded(batch), in: batch,
      rows: [small.question.tokens.count - 1], tap: tap)
    let expected =
      Double(logits[0, small.question.answer]) - Double(logits[0, small.question.foil])
    let found = try small.model.logitDifferences(of: pair, keeping: [kept, kept.reversed()])
    #expect(abs(found[0] - expected) < 1e-4 && found[0] == found[1])
    #expect(abs(found[0] - pair.clean.logitDifference) > 1e-3)
  }

  @Test func sizesRoundDown() {
    #expect(circuitSizes(of: 37) == [0, 0, 0, 0, 0, 1, 3, 7, 18, 37])
    #expect(circuitSizes(of: 1000) == circuitThousandths)
    #expect(circuitSizes(of: 1) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  }

  @Test func areasAreThoseOfTrapezes() {
    let one = [Double](repeating: 1, count: 10)
    #expect(abs(CircuitArea.performance.area(under: one) - 0.999) < 1e-12)
    #expect(CircuitArea.distance.area(under: one) == 0)
    // Nothing before half of the parts, then all: (0.3 + 0.5 * 2) / 2.
    let late: [Double] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    #expect(abs(CircuitArea.performance.area(under: late) - 0.65) < 1e-12)
    #expect(abs(CircuitArea.distance.area(under: late) - (0.199 + 0.15)) < 1e-12)
    // Too much of the answer counts for CPR and against CMD.
    let over = one.map { $0 + 1 }
    #expect(CircuitArea.performance.area(under: over) > 1)
    #expect(abs(CircuitArea.distance.area(under: over) - 0.999) < 1e-12)
  }

  /// f is a ratio of means: a pair of three times the gap counts three times.
  @Test func pairsAreAveragedBeforeTheyAreDivided() {
    func reading(_ gap: Double, _ kept: Double) -> CircuitReading {
      let row = circuitThousandths.map { $0 == 1000 ? gap - 1 : $0 == 500 ? kept - 1 : -1 }
      let nothing = circuitThousandths.map { $0 == 1000 ? gap - 1 : -1.0 }
      return CircuitReading(
        clean: gap - 1, corrupt: -1, empty: -1, full: gap - 1, circuits: [row, nothing])
    }
    let readings = [reading(2, 2), reading(6, 0)]
    #expect(readings.faithfulness(of: 0)[8] == 0.25)
    func area(_ kind: CircuitArea, _ orders: [Int], _ others: [Int] = []) -> Estimate {
      readings.area(
        kind, of: orders, over: others, groups: ["a", "b"], draws: 200, Random(seed: 3))
    }
    let (one, other) = (0.15 * 0.25 + 0.25 * 1.25, 0.25)
    #expect(abs(area(.performance, [0]).value - one) < 1e-12)
    #expect(abs(area(.performance, [0, 1]).value - (one + other) / 2) < 1e-12)
    #expect(abs(area(.performance, [0], [1]).value - (one - other)) < 1e-12)
    // Two groups are too few for an interval.
    #expect(area(.performance, [0], [0]) == Estimate(value: 0, low: -.infinity, high: .infinity))
    #expect(abs(area(.distance, [1]).value - (0.499 + 0.25)) < 1e-12)
  }

  /// The control orders the same parts, and nothing else is drawn.
  @Test func drawnOrdersAreOfTheSameParts() {
    let orders = CircuitOrder.drawn(5, parts: 23, Random(seed: 4))
    #expect(orders.allSatisfy { $0.ranked.sorted() == Array(0..<23) })
    #expect(Set(orders.map(\.ranked)).count == 5)
    #expect(CircuitOrder.drawn(2, parts: 23, Random(seed: 4)) == Array(orders.prefix(2)))
  }

  @Test func ordersAreSignedOrBySize() {
    let scores = [0.5, -3, 0.5, .nan, 2]
    #expect(CircuitOrder("a", by: scores, bySize: false).ranked == [4, 0, 2, 1, 3])
    #expect(CircuitOrder("a", by: scores, bySize: true).ranked == [1, 4, 0, 2, 3])
  }

  /// Estimates have the sign of what is lost; QK-fix moves queries and keys alone.
  @Test func scoresAreWhatIsLost() throws {
    let small = Small(seed: 64)
    let pair = try pair(small)
    let searches: [CircuitSearch] = [
      .exact, .estimate(.attribution), .estimate(.attributionQK), .movement,
    ]
    let found = try small.model.circuitScores(of: pair, by: searches)
    let all = Array(pair.parts.indices)
    let alone = try small.model.logitDifferences(
      of: pair, keeping: all.map { part in all.filter { $0 != part } })
    #expect(found.scores[0] == alone.map { found.clean - $0 })
    #expect(pearson(found.scores[0], found.scores[1]) > 0.5)
    #expect(found.scores[1] == found.scores[2])
    #expect(found.scores[3].allSatisfy { $0 > 0 })
    #expect(found.costs == [Double(2 + all.count), 4, 4, 2])
  }

  /// Open gates are the clean run, closed ones the corrupt run, and slopes those of small steps.
  @Test func theMaskMixesBothRuns() throws {
    let small = Small(seed: 65)
    let pair = try pair(small)
    let count = pair.parts.count
    let (open, _) = try small.model.masked(pair, [Double](repeating: 1, count: count))
    let (shut, _) = try small.model.masked(pair, [Double](repeating: 0, count: count))
    #expect(abs(open - pair.clean.logitDifference) < 1e-4)
    #expect(abs(shut - pair.corrupt.logitDifference) < 1e-4)
    var random = Random(seed: 5)
    let gates = (0..<count).map { _ in random.uniform(0.2...0.8) }
    let (_, slopes) = try small.model.masked(pair, gates)
    for part in [1, 7, 10, 18, 22] {
      func moved(_ step: Double) throws -> Double {
        var gates = gates
        gates[part] += step
        return try small.model.masked(pair, gates).0
      }
      let slope = try (moved(0.02) - moved(-0.02)) / 0.04
      #expect(abs(slope - slopes[part]) < 2e-3 + 0.02 * abs(slope), "part \(part)")
    }
  }

  /// Heads that were planted rank before all others by exact effect, and alone keep the answer.
  @Test(.timeLimit(.minutes(2))) func plantedHeadsAreFound() throws {
    let searches: [CircuitSearch] = [.exact, .estimate(.integratedGradients(steps: 4))]
    var learning = MaskLearning()
    learning.steps = 8
    for (kind, seed) in [(Plant.Kind.bottleneck, UInt64(5)), (.diffuse, 5)] {
      let plant = Plant(kind, seed: seed)
      let found = try plantedCircuit(
        plant, voices: 2, by: searches, learning, Random(seed: 6))
      #expect(found.areas.count == 3 && found.found.count == 3)
      #expect(found.areas[0] == 1 && found.found[0] == 1, "\(kind): \(found.areas)")
      #expect(found.areas[1] > 0.9)
      #expect(abs(found.faithfulness - 1) < 0.3, "\(kind): \(found.faithfulness)")
      #expect(found.drawnArea < 1)
    }
    #expect(throws: CellError.self) {
      try plantedCircuit(
        Plant(.removed, seed: 5), voices: 1, by: searches, learning, Random(seed: 6))
    }
  }

  /// Six pairs whose circuits of half of the parts keep so much of the answer, by arm.
  private func row(attribution: Double, integrated: Double, movement: Double, drawn: Double) throws
    -> RivalRow
  {
    let parts = 10
    let scores = CircuitStudy.searches.map { _ in (0..<parts).map(Double.init) }
    let one = CircuitScores(
      clean: 1, corrupt: -1, scores: scores, costs: CircuitStudy.searches.map { _ in 4 })
    let study = try CircuitStudy([one], mask: scores[0], Random(seed: 7))
    #expect(study.orders.count == 2 * CircuitStudy.arms.count + 5)
    let own = [attribution, integrated, 0.5, 0.5, 0.5, 0.5, movement, 0.5]
    let halves = own + own + [Double](repeating: drawn, count: 5)
    let readings = (0..<6).map { pair -> CircuitReading in
      let gap = 4 + Double(pair)
      return CircuitReading(
        clean: gap, corrupt: 0, empty: 0, full: gap,
        circuits: halves.map { half in
          circuitThousandths.map { $0 == 1000 ? gap : $0 == 500 ? half * gap : 0 }
        })
    }
    let groups = readings.indices.map { "\($0)" }
    let areas = study.areas(readings, groups: groups, draws: 200, Random(seed: 8))
    #expect(areas.map(\.arm) == CircuitStudy.arms + ["random"])
    #expect(abs(areas[0].performance.value - (0.4 * attribution + 0.25)) < 1e-12)
    #expect(abs(areas[0].distance.value - (0.749 - 0.4 * attribution)) < 1e-12)
    return study.row(on: "m", readings, groups: groups, draws: 200, Random(seed: 8))
  }

  @Test func theClaimNeedsEveryDifference() throws {
    let row = try row(attribution: 0.5, integrated: 0.8, movement: 0.3, drawn: 0.1)
    #expect(row.holds)
    #expect(abs(row.effect.value - 0.57) < 1e-12 && abs(row.control.value - 0.29) < 1e-12)
    #expect(abs(row.tap!.value - 0.45) < 1e-12)
    for (a, i, m, d) in [
      (0.8, 0.8, 0.3, 0.1), (0.5, 0.8, 0.6, 0.1), (0.5, 0.8, 0.3, 0.6), (0.5, 0.8, 0.9, 0.1),
    ] { #expect(!(try self.row(attribution: a, integrated: i, movement: m, drawn: d).holds)) }
    #expect(throws: CellError.self) { try CircuitStudy([], mask: [1], Random(seed: 7)) }
  }

  @Test func badInputIsAnError() throws {
    let small = Small(seed: 66)
    let pair = try pair(small)
    let parts = pair.parts
    #expect(throws: CellError.self) {
      try CircuitPair(small.model, clean: small.question, corrupt: small.source, parts: [])
    }
    #expect(throws: CellError.self) {
      try CircuitPair(
        small.model, clean: small.question, corrupt: small.source, parts: parts + [parts[0]])
    }
    #expect(throws: CellError.self) {
      try CircuitPair(
        small.model, clean: small.question, corrupt: small.source,
        parts: [Cell(Site(.lm, 9, .mlpOut))])
    }
    #expect(throws: CellError.self) {
      try CircuitPair(small.model, clean: small.question, corrupt: small.other, parts: parts)
    }
    #expect(throws: CellError.self) {
      try small.model.circuits(of: pair, [CircuitOrder("short", by: [1, 2], bySize: false)])
    }
    #expect(throws: CellError.self) {
      try small.model.logitDifferences(of: pair, keeping: [[parts.count]])
    }
    #expect(throws: CellError.self) { try small.model.learnedMask([], MaskLearning()) }
    let swapped = try CircuitPair(
      small.model, clean: pair.corrupt.question, corrupt: pair.clean.question, parts: parts)
    let noGap = pair.clean.logitDifference < pair.corrupt.logitDifference ? pair : swapped
    #expect(throws: CellError.self) { try small.model.learnedMask([noGap], MaskLearning()) }
  }
}
