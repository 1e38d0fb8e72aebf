// The graph of conditions and coarse-to-fine tracing: indices that can be worked out by hand, conditions
// of other lengths, patches against the plain way, and controls of the same size.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

/// A sentence that is heard with these LDs, clean, in noise, by the other speaker and slower, and what
/// the clean and the noisy run say with the other's moment.
private func reading(
  _ id: String, said: [Double], rise: Double, fall: Double, unrelated: (Double, Double) = (0, 0)
) -> ConditionReading {
  var reading = ConditionReading(id: id, group: id, said: said)
  let all = Condition.allCases
  for (s, source) in all.enumerated() {
    for (b, base) in all.enumerated() where s != b {
      var (patched, other) = (said[b], said[b])
      if (source, base) == (.clean, .noise) { (patched, other) = (rise, unrelated.0) }
      if (source, base) == (.noise, .clean) { (patched, other) = (fall, unrelated.1) }
      reading.edges.append(
        ConditionTransfer(
          source: source, base: base, patched: [patched, nil], unrelated: [other, nil]))
    }
  }
  reading.wholeError = [0, 0]
  return reading
}

private let two = [
  // Gaps of 4 and 2 nats; mends 3 and 2, spoils 1 and 0.
  reading("a", said: [6, 2, 5.5, 5.6], rise: 5, fall: 5, unrelated: (1, 4)),
  reading("b", said: [4, 2, 3.5, 3.6], rise: 4, fall: 4, unrelated: (2, 3)),
]

private func graph(_ readings: [ConditionReading], ranking: [ConditionReading] = two) throws
  -> ConditionGraph
{
  try ConditionGraph(readings, ranking: ranking, minimumGap: 1, draws: 200, Random(seed: 1))
}

@Suite struct ConditionGraphTests {
  @Test func theIndexIsWorkedOutByHand() throws {
    let graph = try graph(two)
    #expect(graph.order == [.clean, .prosody, .speaker, .noise])
    let edge = try #require(graph.edges.first { $0.high == .clean && $0.low == .noise })
    #expect(edge.sentences == 2 && edge.gap == 3)
    #expect(edge.sufficiency[0]?.value == 5.0 / 6)
    #expect(edge.necessity[0]?.value == 1.0 / 6)
    #expect(edge.asymmetry[0]?.value == 4.0 / 6)
    // Unrelated: falls by 1 and 0 instead of rising, and spoils 2 and 1.
    #expect(edge.unrelated[0]?.value == -4.0 / 6)
    #expect(edge.asymmetry[1] == nil && edge.sufficiency[1] == nil)
    // No sentence has a gap of a nat between clean and the other speaker.
    let small = try #require(graph.edges.first { $0.high == .clean && $0.low == .speaker })
    #expect(small.sentences == 0 && small.asymmetry[0] == nil)
    #expect(graph.strongestSite == 0)
    // Three edges into noise enter, two of which change nothing: 6 + 5.1 + 5.2 nats of gaps.
    let all = graph.asymmetry(at: 0)
    let gaps = (4.0 + 2) + (3.5 + 1.5) + (3.6 + 1.6)
    #expect(abs(try #require(all.own).value - 4 / gaps) < 1e-12)
    #expect(abs(try #require(all.unrelated).value + 4 / gaps) < 1e-12)
    #expect(all.texts == nil && graph.asymmetry(at: 1).own == nil)
  }

  @Test func otherSentencesOrderTheConditions() throws {
    let reversed = [reading("c", said: [1, 9, 1, 1], rise: 0, fall: 0)]
    let graph = try graph(two, ranking: reversed)
    #expect(graph.order.first == .noise)
    // Noise is now the better heard one; both sentences say otherwise and do not enter.
    let edge = try #require(graph.edges.first { $0.high == .noise && $0.low == .clean })
    #expect(edge.sentences == 0 && graph.strongestSite == nil)
  }

  @Test func readingsThatDoNotFitAreRefused() throws {
    #expect(throws: CellError.self) { _ = try graph([]) }
    #expect(throws: CellError.self) { _ = try graph(two, ranking: []) }
    var cut = two[0]
    cut.edges.removeLast()
    #expect(throws: CellError.self) { _ = try graph([cut]) }
    var fewer = two[1]
    fewer.wholeError = [0]
    #expect(throws: CellError.self) { _ = try graph([fewer, two[0]]) }
  }
}

@Suite struct ConditionRunTests {
  let model: SpeechModel
  let suite: PairSuite
  let pair: MinimalPair
  let other: MinimalPair
  let settings = ConditionSettings()

  init() throws {
    model = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    suite = try PairSuite(manifest: "\(root)/data-manifests/factorial.json")
    pair = suite.pairs.first { $0.split == "validation" }!
    other = try suite.unrelated(to: pair)
  }

  private func run(_ condition: Condition, of pair: MinimalPair? = nil) throws -> ConditionRun {
    try model.run(pair ?? self.pair, in: condition, asked: self.pair, settings, root: root)
  }

  @Test func slowerRunsAreAlignedByTheirPhones() throws {
    let (clean, slow, noise) = (try run(.clean), try run(.prosody), try run(.noise))
    #expect(try clean.alignment(to: noise).name == "identity")
    let alignment = try clean.alignment(to: slow)
    #expect(alignment.name == "phones")
    for time in clean.boundaries {
      #expect(abs(alignment.source(of: time) - 1.25 * time) < 1e-9)
    }
    let site = Site(.encoder, .embed)
    let counts = try [clean, slow].map { run in
      try run.trace.place(of: site).spans.compactMap { $0 }
        .count { $0.end <= run.boundaries.last! }
    }
    #expect(abs(Double(counts[1]) / Double(counts[0]) - 1.25) < 0.03)
    #expect(slow.moment.start == 1.25 * pair.onset)
    // A run is its own source, whatever its length.
    let cell = Cell(site, .milliseconds(slow.moment.start, slow.moment.end))
    let own = try #require(
      try Selection(cell, base: slow.trace, source: slow.trace, slow.alignment(to: slow)))
    #expect(own.move.norm == 0)
  }

  @Test func theControlMovesAsFarFromTheSameMoment() throws {
    for (from, into) in [
      (Condition.clean, Condition.noise), (.prosody, .clean), (.clean, .prosody),
    ] {
      let (source, base, stranger) = (try run(from), try run(into), try run(from, of: other))
      let lent = try base.alignment(toUnrelated: stranger, like: source)
      #expect(abs(lent.source(of: base.moment.start) - stranger.moment.start) < 1e-9)
      for site in model.model.mapSites.dropLast() {
        let cell = Cell(site, .milliseconds(base.moment.start, base.moment.end))
        let selection = try #require(
          try Selection(
            cell, base: base.trace, source: source.trace, base.alignment(to: source)))
        let control = try #require(
          try model.model.control(
            .wrongItem, of: selection, base: base.trace, source: source.trace,
            stranger: (stranger.trace, lent), Random(seed: 0)))
        #expect(control.positions == selection.positions)
        let move = control.changed(selection.base) - selection.base
        #expect(abs(move.norm / selection.move.norm - 1) < 1e-3)
      }
    }
  }

  @Test func aSentenceIsReadInEveryCondition() throws {
    let sites = model.model.mapSites
    let reading = try model.conditionReading(
      of: pair, unrelated: other, sites: sites, settings, root: root)
    #expect(reading.edges.count == 12)
    #expect(reading.wholeError == sites.map { _ in 0 })
    #expect(reading[.noise] == (try run(.noise).trace.logitDifference))
    // Corners of the simplex are the edges at the connector, and the run itself.
    let mixed = try #require(reading.mixed)
    let joint = try #require(sites.firstIndex(of: SpeechModel.transferSite))
    func corner(_ i: Int) -> Double? { mixed.simplex.first { $0.weights[i] == 1 }?.patched }
    func edge(_ source: Condition, _ base: Condition) -> ConditionTransfer? {
      reading.edges.first { $0.source == source && $0.base == base }
    }
    #expect(corner(0) == edge(.clean, .noise)?.patched[joint])
    #expect(corner(1) == reading[.noise])
    #expect(corner(2) == edge(.speaker, .noise)?.patched[joint])
    // The plain way, one site, a slower source: from the sound on, rows taken by time.
    let (base, source) = (try run(.clean), try run(.prosody))
    let site = Site(.encoder, 1, .residPost)
    let cell = Cell(site, .milliseconds(base.moment.start, base.moment.end))
    let selection = try #require(
      try Selection(cell, base: base.trace, source: source.trace, base.alignment(to: source)))
    let plain = try model.model.patched(base.trace, [[selection.patch()]], resuming: false)
    let place = try #require(sites.firstIndex(of: site))
    #expect(edge(.prosody, .clean)?.patched[place] == plain[0].logitDifference)
    // The better map knows the texts: what is taken from the right text says more of it.
    let texts = try #require(reading.texts)
    #expect(texts.restored[0]! > texts.corrupt && texts.broken[0]! < reading[.clean])
  }

  @Test func badConditionsAreRefused() throws {
    let plain = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json").pairs[0]
    #expect(throws: CellError.self) { _ = try run(.clean, of: plain) }
    var settings = ConditionSettings()
    settings.slowing = (over: 0, under: 4)
    #expect(throws: CellError.self) { _ = try model.run(pair, in: .clean, settings, root: root) }
    settings.slowing = (over: 7, under: 5)
    #expect(throws: CellError.self) { _ = try model.run(pair, in: .prosody, settings, root: root) }
    settings = ConditionSettings()
    settings.noise = .nan
    #expect(throws: CellError.self) { _ = try model.run(pair, in: .noise, settings, root: root) }
    let pruned = try SpeechModel(folder: "\(root)/artifacts/soundwave-small")
    #expect(throws: CellError.self) {
      _ = try pruned.run(pair, in: .clean, ConditionSettings(), root: root)
    }
  }

  @Test func setsOfNeuronsArePatchedTogether() throws {
    let runs = try model.tracedRuns(of: pair, from: .clean, into: .noise, settings, root: root)
    let procedure = try model.coarseToFine(
      runs, windows: CoarseToFine.sliding(size: 120, stride: 120, in: -120...240))
    let site = procedure.sites[1]
    let window = Cell(site, .milliseconds(0, 120))
    let neurons = procedure.neurons(of: [window])
    let gone = Cell(site, .milliseconds(60_000, 60_120))
    let found = try model.traced(
      [[window], neurons, neurons.reversed(), [gone], [neurons[3], neurons[7]]], runs)
    #expect(found.patched[0] != found.base)
    #expect(found.patched[1] == found.patched[0] && found.patched[2] == found.patched[0])
    #expect(found.patched[3] == found.base)
    // Two neurons, as the package patches cells.
    let (base, source) = (try traceOf(.noise, site), try traceOf(.clean, site))
    let pairCells = [3, 7].map { index in
      Cell(site, index: index, .milliseconds(pair.onset, pair.onset + 120))
    }
    #expect(try model.model.patched(base, from: source, cells: [pairCells])[0] == found.patched[4])
    #expect(throws: CellError.self) {
      _ = try model.traced([[Cell(site, index: 100_000, .milliseconds(0, 120))]], runs)
    }

    let scores = try model.conductance(of: [window] + neurons, runs, steps: 2)
    #expect(abs(scores.dropFirst().reduce(0, +) - scores[0]) < 1e-6)
    let slow = try model.tracedRuns(of: pair, from: .clean, into: .prosody, settings, root: root)
    #expect(throws: CellError.self) { _ = try model.conductance(of: [window], slow, steps: 2) }

    // All cells in whatever order are all cells; the first of the reverse order is the last.
    let four = Array(neurons.prefix(4))
    let saturation = try model.saturation(of: four, runs, draws: 2, Random(seed: 3))
    #expect(saturation.counts == [1, 2, 4])
    #expect(saturation.ranked.last == saturation.reversed.last)
    #expect(abs(saturation.random.last! - saturation.ranked.last!) < 1e-12)
    let single = try model.traced([[four[0]], [four[3]]], runs)
    #expect(saturation.ranked[0] == single.patched[0] - single.base)
    #expect(saturation.reversed[0] == single.patched[1] - single.base)
  }

  @Test func theProcedureIsQuotedOnOtherSentences() throws {
    let own = suite.pairs.filter { $0.split == "discovery" }.spread(2)
    let others = suite.pairs.filter { $0.split == "validation" }.spread(2)
    var settings = CoarseToFineSettings()
    (settings.layers, settings.windows, settings.neurons) = (1, 1, 5)
    (settings.grid, settings.steps) = ([.milliseconds(0, 120), .text(0, nil)], 2)
    (settings.draws, settings.orders) = (3, 1)
    func study(_ quoted: [MinimalPair]) throws -> CoarseToFineResult {
      try model.coarseToFine(
        choosingOn: own, quotedOn: quoted, settings, minimumGap: 0.5, root: root,
        Random(seed: 4))
    }
    let found = try study(others)
    #expect(found.known == 2 && found.windows.count == 1 && found.neurons.count == 5)
    #expect(Set(found.neurons).count == 5)
    #expect(found.stages[0] == 8 && found.stages[1] == 2)
    #expect(found.runs == 2 * (2 + 8 + 2 + found.stages[2]))
    #expect(found.conductanceRuns == 2 * (2 + 3 * 3))
    #expect(found.quoted.allSatisfy { $0.patched.count == 3 + 2 * 3 && $0.gap >= 0.5 })
    // All neurons of the kept window are the window.
    for (sets, saturation) in zip(found.quoted, found.saturation) {
      #expect(saturation.ranked.last == sets.patched[2] - sets.base)
    }
    let values = try CoarseToFineResult.Sets.allCases.map {
      try found.recovery($0, draws: 20, Random(seed: 1)).value
    }
    let gap = found.quoted.reduce(0) { $0 + $1.gap }
    let drawn = found.quoted.reduce(0) { sum, one in
      sum + (3..<6).reduce(0) { $0 + one.patched[$1] - one.base } / 3
    }
    #expect(abs(values[3] - drawn / gap) < 1e-12)
    #expect(throws: CellError.self) { _ = try study(own) }
    #expect(throws: CellError.self) { _ = try study([]) }
    settings.neurons = 10_000
    #expect(throws: CellError.self) { _ = try study(others) }
  }

  private func traceOf(_ condition: Condition, _ site: Site) throws -> Trace {
    try model.run(pair, in: condition, settings, keeping: [site], root: root).trace
  }
}

@Suite struct CoarseToFineTests {
  @Test func claimsCanFail() {
    func estimate(_ low: Double, _ value: Double, _ high: Double) -> Estimate {
      Estimate(value: value, low: low, high: high)
    }
    let (above, below) = (estimate(0.2, 0.3, 0.4), estimate(-0.2, 0, 0.1))
    #expect(ConditionGraph.isAsymmetric(above, unrelated: below))
    #expect(!ConditionGraph.isAsymmetric(below, unrelated: estimate(-2, -1, -0.5)))
    #expect(!ConditionGraph.isAsymmetric(above, unrelated: above))
    func result(_ stages: [Int]) -> CoarseToFineResult {
      CoarseToFineResult(
        windows: [], neurons: [], known: 2, entered: 2, stages: stages, steps: 8, quoted: [],
        saturation: [], draws: 1)
    }
    let (few, many) = (result([8, 2, 5]), result([8, 24, 700]))
    #expect(few.isFoundForLess(above, drawn: below, conductance: below))
    #expect(!many.isFoundForLess(above, drawn: below, conductance: below))
    #expect(!few.isFoundForLess(above, drawn: above, conductance: below))
    #expect(!few.isFoundForLess(above, drawn: below, conductance: estimate(0.3, 0.35, 0.4)))
  }

  private let first = Site(.encoder, 0, .mlpPost)
  private let second = Site(.lm, 1, .mlpPost)

  private func procedure() throws -> CoarseToFine {
    try CoarseToFine(
      sites: [first, second], widths: [3, 2],
      windows: CoarseToFine.sliding(size: 100, stride: 50, in: 0...200) + [.text(0, nil)])
  }

  @Test func everyStageHasTheCellsOfTheOneBefore() throws {
    let procedure = try procedure()
    #expect(procedure.windows.count == 4)
    #expect(procedure.windows[2] == .milliseconds(100, 200))
    #expect(procedure.layers == [Cell(first), Cell(second)])
    let windows = procedure.windows(of: [Cell(second)])
    #expect(windows.count == 4 && windows.allSatisfy { $0.site == second })
    let neurons = procedure.neurons(of: [windows[1]])
    #expect(neurons == (0..<2).map { Cell(second, index: $0, .milliseconds(50, 150)) })
    #expect(procedure.all.count == 4 * 3 + 4 * 2)
    for (sites, widths, window) in [
      ([Site](), [Int](), Window.text(0, nil)), ([first], [0], .text(0, nil)),
      ([first], [1], .all), ([first], [1], .milliseconds(5, 5)),
      ([first, first], [1, 1], .text(0, nil)),
    ] {
      #expect(throws: CellError.self) {
        _ = try CoarseToFine(sites: sites, widths: widths, windows: [window])
      }
    }
  }

  @Test func aNeuronIsTakenOnceAtATime() throws {
    let windows = try procedure().windows(of: [Cell(first)])
    // 0..100 is best, 50..150 shares half of it, 100..200 and text do not.
    #expect(try windows.best(3, by: [5, 4, 3, 1]) == [windows[0], windows[2], windows[3]])
    #expect(try windows.best(2, by: [1, 1, 1, 1]) == [windows[0], windows[2]])
    #expect(throws: CellError.self) { _ = try windows.best(4, by: [5, 4, 3, 1]) }
    #expect(throws: CellError.self) { _ = try windows.best(1, by: [5, .nan, 3, 1]) }
    #expect(throws: CellError.self) { _ = try windows.best(1, by: [5]) }
    #expect(throws: CellError.self) { _ = try windows.best(0, by: [5, 4, 3, 1]) }
    let neurons = try procedure().neurons(of: windows)
    #expect(try neurons.best(3, by: neurons.indices.map { -Double($0) }).map(\.index) == [0, 1, 2])
  }

  @Test func drawnSetsAreOfTheSameSizeAndKind() throws {
    let all = try procedure().all
    for seed in 0..<20 {
      let drawn = try all.drawn(6, Random(seed: UInt64(seed)))
      #expect(drawn.count == 6 && drawn.allSatisfy { all.contains($0) && $0.index != nil })
      for (i, cell) in drawn.enumerated() {
        for other in drawn[..<i] where other.name == cell.name {
          guard case .milliseconds(let a, let b) = cell.window,
            case .milliseconds(let c, let d) = other.window
          else { continue }
          #expect(b <= c || d <= a)
        }
      }
      #expect(try all.drawn(6, Random(seed: UInt64(seed))) == drawn)
    }
    #expect(try all.drawn(6, Random(seed: 1)) != all.drawn(6, Random(seed: 2)))
  }

  @Test func recoveriesCostsAndAreasAreWorkedOutByHand() throws {
    let sets = [
      TracedSets(group: "a", base: 1, source: 5, patched: [3, 1, 2]),
      TracedSets(group: "b", base: 2, source: 4, patched: [3, 3, 2]),
      TracedSets(group: "c", base: 2, source: 2.5, patched: [9, 9, 9]),
      TracedSets(group: "d", base: -9, source: -1, patched: [9, 9, 9]),
    ]
    let kept = sets.entering(minimumGap: 1)
    #expect(kept.map(\.group) == ["a", "b"])
    #expect(kept.changes == [1.5, 0.5, 0.5])
    let random = Random(seed: 1)
    #expect(try kept.recovery(of: 0..<1, draws: 50, random).value == 3.0 / 6)
    // The mean of 1 / 6 and 1 / 6.
    #expect(abs(try kept.recovery(of: 1..<3, draws: 50, random).value - 1.0 / 6) < 1e-12)
    #expect(throws: CellError.self) { _ = try kept.recovery(of: 0..<4, draws: 50, random) }
    #expect(throws: CellError.self) { _ = try kept.recovery(of: 1..<1, draws: 50, random) }
    #expect(throws: CellError.self) {
      _ = try [TracedSets]().recovery(of: 0..<1, draws: 50, random)
    }

    #expect(TraceCost.staged([8, 24, 700], asked: 10, entered: 5) == 20 + 5 * 732)
    #expect(TraceCost.conductance(steps: 8, asked: 10, entered: 5) == 20 + 5 * 27)

    // Half of all at one of two neurons: (0.25 + 0.75) / 2. In reverse a fifth: (0.1 + 0.6) / 2.
    let one = TracedSaturation(
      group: "a", gap: 4, counts: [1, 2], ranked: [1, 2], reversed: [0.4, 2], random: [0.8, 2])
    let (ranked, reversed) = (
      try #require([one].summary(\.ranked, draws: 5, random)),
      try #require([one].summary(\.reversed, draws: 5, random))
    )
    #expect(abs(ranked.area.value - 0.5) < 1e-12 && ranked.smallest == 2)
    #expect(abs(reversed.area.value - 0.35) < 1e-12)
    #expect([TracedSaturation]().summary(\.ranked, draws: 5, random) == nil)
  }
}
