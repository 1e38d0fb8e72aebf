// SPIRIT's interventions: by hand, against the same thing done another way, and on a shipped checkpoint.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

@Suite struct SpiritArmTests {
  let gate = Site(.lm, 0, .mlpGate)
  let arm = SpiritArm(.gate, .patch, .oracle, percent: 5)

  @Test func smallPercentsOfSmallModelsAreNoNeuron() {
    let counts = SpiritArm.percents.map {
      SpiritArm(.encoder, .prune, .oracle, percent: $0).count(of: 1152)
    }
    #expect(counts == [0, 0, 1, 5, 11, 23, 34, 57, 115, 230])
  }

  @Test func noTwoInterventionsHaveOneName() {
    var arms: [SpiritArm] = []
    for site in SpiritSite.allCases {
      for change in SpiritChange.allCases {
        for reference in SpiritReference.allCases {
          for choice in NoiseChoice.allCases {
            for last in [nil, 1, 10] {
              for every in [false, true] {
                arms += SpiritArm.percents.map {
                  SpiritArm(
                    site, change, reference, choice, percent: $0, last: last, everyStep: every)
                }
              }
            }
          }
        }
      }
    }
    #expect(Set(arms.map(\.name)).count == arms.count && Set(arms).count == arms.count)
  }

  /// A control that is not heard is no number.
  @Test func everyInterventionStandsBesideDrawnNeurons() {
    for arm in SpiritArm.sweep + SpiritArm.modes(percent: 5) {
      #expect(arm.beside.prefix(2) == [arm, arm.by(.drawn)])
      for arm in arm.beside { #expect(throws: Never.self) { try arm.check() } }
    }
    #expect(SpiritArm.sweep.count == 80 && Set(SpiritArm.modes(percent: 5)).count == 12)
  }

  @Test(arguments: [
    (SpiritArm(.encoder, .prune, .oracle, percent: 0), "above 0 and up to 100"),
    (SpiritArm(.encoder, .prune, .oracle, percent: 100.5), "above 0 and up to 100"),
    (SpiritArm(.encoder, .prune, .oracle, percent: .nan), "above 0 and up to 100"),
    (SpiritArm(.gate, .prune, .oracle, percent: 1, last: 0), "positions above 0"),
    (SpiritArm(.encoder, .prune, .oracle, percent: 1, everyStep: true), "hears once"),
    (SpiritArm(.gate, .patch, .oracle, .causal, percent: 1), "neurons of the encoder"),
  ])
  func whatCannotBeDoneIsRefused(_ arm: SpiritArm, _ complaint: String) throws {
    let error = #expect(throws: CellError.self) { try arm.check() }
    #expect(error?.description.contains(complaint) == true)
  }

  /// The product of one layer of two neurons at five positions, of which the first three are the prompt.
  private func product(_ arm: SpiritArm, reference rows: Int = 5) -> [[Float]] {
    let tap = spiritTap(
      arm, NeuronSet(byLayer: [[1]]), at: [gate], prompt: 3, bias: 0.5,
      reference: [Tensor([rows, 2], [Float](repeating: 7, count: 2 * rows))])
    let before = Tensor([5, 2], (0..<10).map { Float($0) - 4 })
    let up = Tensor([5, 2], (0..<10).map { Float($0) + 1 })
    _ = tap.changed(gate, before)
    _ = tap.changed(Site(.lm, 0, .mlpPre), up)
    let after = tap.changed(Site(.lm, 0, .mlpPost), gatedSilu(before, up))
    return (0..<5).map { [after[$0, 0], after[$0, 1]] }
  }

  @Test func theProductFollowsFromTheChangedGate() {
    let before = Tensor([5, 2], (0..<10).map { Float($0) - 4 })
    let acted = activated(before)
    // Of neuron 1 the gate is -3, -1, 1, 3, 5 and what it gates 2, 4, 6, 8, 10.
    #expect(abs(acted[2, 1] - 0.731_058_6) < 1e-6)
    let untouched = (0..<5).map {
      [acted[$0, 0] * Float(2 * $0 + 1), acted[$0, 1] * Float(2 * $0 + 2)]
    }
    func changed(_ positions: [Int], _ value: (Float) -> Float) -> [[Float]] {
      (0..<5).map { t in
        [
          untouched[t][0],
          positions.contains(t) ? value(acted[t, 1]) * Float(2 * t + 2) : untouched[t][1],
        ]
      }
    }
    func arm(_ change: SpiritChange, last: Int? = nil, everyStep: Bool = false) -> SpiritArm {
      SpiritArm(.gate, change, .oracle, percent: 50, last: last, everyStep: everyStep)
    }
    #expect(product(arm(.prune)) == changed([0, 1, 2]) { _ in 0 })
    #expect(product(arm(.bias)) == changed([0, 1, 2]) { $0 + 0.5 })
    #expect(product(arm(.patch)) == changed([0, 1, 2]) { _ in 7 })
    #expect(product(arm(.patch, last: 1)) == changed([2]) { _ in 7 })
    #expect(product(arm(.patch, last: 2, everyStep: true)) == changed([1, 2, 3, 4]) { _ in 7 })
    #expect(product(arm(.prune, last: 10, everyStep: true)) == changed([0, 1, 2, 3, 4]) { _ in 0 })
    // A reference that has ended leaves the rest as it is, where it is patched and not else.
    #expect(
      product(arm(.patch, everyStep: true), reference: 4) == changed([0, 1, 2, 3]) { _ in 7 })
    #expect(
      product(arm(.prune, everyStep: true), reference: 4) == changed([0, 1, 2, 3, 4]) { _ in 0 })
  }

  /// The nonlinearity acts on each neuron by itself: patching what it makes is patching what it is given, and
  /// it makes nothing of 0. To the bit, in all layers, where later ones see what earlier ones have done.
  @Test func aPatchBehindTheNonlinearityIsOneBeforeIt() throws {
    let small = Small()
    let sites = small.model.sites.filter { $0.stage == .lm && $0.activation == .mlpGate }
    let (base, source) = (
      try small.model.trace(small.question, keeping: sites),
      try small.model.trace(small.source, keeping: sites)
    )
    let theirs = try sites.map { try source.activation(of: $0) }
    let set = NeuronSet(byLayer: [[0, 5, 36], [], [7, 8]])
    let prompt = theirs[0].rows
    let plain = try small.model.run(small.question.input, tap: nil).logits
    for change in [SpiritChange.prune, .patch] {
      let arm = SpiritArm(.gate, change, .oracle, percent: 5, last: 6)
      let tap = spiritTap(
        arm, set, at: sites, prompt: prompt, bias: 0.5, reference: theirs.map(activated))
      let found = try small.model.run(
        small.question.input, tap: Tap(tap.sites) { tap.changed($0, $1) }
      ).logits
      let other = try small.model.run(
        small.question.input,
        tap: Tap(Set(sites)) { site, x in
          let layer = sites.firstIndex(of: site)!
          return small.replaced(x, Array((prompt - 6)..<prompt)) { row, neuron in
            guard set.byLayer[layer].contains(neuron) else { return x[row, neuron] }
            return change == .prune ? 0 : theirs[layer][row, neuron]
          }
        }
      ).logits
      #expect(found.isIdentical(to: other) && !found.isIdentical(to: plain))
    }
    // Its own activations are no change, even of every neuron.
    let own = try sites.map { activated(try base.activation(of: $0)) }
    let all = NeuronSet(byLayer: own.map { Array(0..<$0.width) })
    let tap = spiritTap(arm, all, at: sites, prompt: prompt, bias: 0.5, reference: own)
    let same = try small.model.run(
      small.question.input, tap: Tap(tap.sites) { tap.changed($0, $1) }
    ).logits
    #expect(same.isIdentical(to: plain))
  }
}

@Suite struct SpiritSweepTests {
  let rules: NoiseRules
  let noise: PairSuite
  let model: SpeechModel

  init() throws {
    rules = try NoiseRules("\(root)/paper/preregistration-noise.json")
    noise = try PairSuite(manifest: "\(root)/data-manifests/noise.json")
    model = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
  }

  private func noisy(_ split: String, _ count: Int) throws -> [NoisyRecording] {
    try noise.pairs.filter { $0.split == split }.map { try NoisyRecording($0) }
      .filter { $0.noise?.kind == .white && $0.noise?.ratio == 0 }.spread(count)
  }

  private func hear(_ recording: NoisyRecording, _ arms: [SpiritArm], causal: [[Double]]? = nil)
    throws
    -> SpiritHeard
  {
    try model.spirit(recording, arms, causal: causal, rules, root: root, Random(seed: 1))
  }

  @Test func drawnNeuronsAreAsManyInEveryLayer() throws {
    let recording = try noisy("validation", 1)[0]
    let arms = SpiritSite.allCases.flatMap { site in
      [0.01, 1, 20, 100].flatMap { percent in
        [NoiseChoice.sensitive, .drawn].map {
          SpiritArm(site, .patch, .oracle, $0, percent: percent)
        }
      }
    }
    let heard = try hear(recording, arms)
    #expect(heard.isInert && heard.drawnAreMatched && heard.written.map(\.arm) == arms)
    let unmatched = SpiritHeard(
      plain: "",
      written: [
        SpiritWritten(arms[0], texts: [""], counts: [1, 2, 0], share: 0),
        SpiritWritten(arms[1], texts: [""], counts: [2, 1, 0], share: 0),
      ], isInert: true)
    #expect(!unmatched.drawnAreMatched)
    for arm in arms where arm.choice == .sensitive {
      let (real, drawn) = (try #require(heard[arm]), try #require(heard[arm.by(.drawn)]))
      #expect(real.counts == drawn.counts)
      #expect(real.counts.reduce(0, +) <= arm.count(of: real.counts.count == 3 ? 1152 : 1760))
      #expect(real.texts.count == 1 && drawn.texts.count == rules.draws)
      // SPIRIT takes what noise moves most, and drawn neurons are others.
      if arm.percent == 1 || arm.percent == 20 { #expect(real.share > 2 * drawn.share) }
      if arm.percent == 100 { #expect(abs(real.share - 1) < 1e-6) }
      if arm.percent == 0.01 { #expect(real.texts == [heard.plain] && real.share == 0) }
    }
    #expect(heard.written.contains { $0.texts[0] != heard.plain })
    let again = try hear(recording, arms)
    #expect(again.written.map(\.texts) == heard.written.map(\.texts))
  }

  /// The encoder's neurons, against the interventions of Figure 6, which share only the choice.
  @Test func theEncodersNeuronsAreThoseOfFigure6() throws {
    let pairs = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json").pairs
      .filter { $0.split == "discovery" }.spread(6)
    let tools = try model.noiseTools(noisy("discovery", 6), pairs, rules, root: root)
    for recording in try noisy("validation", 3) {
      for percent in [2.0, 10] {
        let strength = NoiseStrength(percent)
        let known = try model.hear(
          recording,
          [
            NoiseTrial(.neurons(.sensitive, .patch(.oracle)), strength),
            NoiseTrial(.neurons(.causal, .patch(.oracle)), strength),
            NoiseTrial(.neurons(.sensitive, .patch(.denoised)), strength),
            NoiseTrial(.neurons(.sensitive, .prune), strength),
            NoiseTrial(.neurons(.sensitive, .bias), strength),
          ], tools, rules, root: root, Random(seed: 1))
        let arm = SpiritArm(.encoder, .patch, .oracle, percent: percent)
        let arms = [
          arm, arm.by(.causal), SpiritArm(.encoder, .patch, .denoised, percent: percent),
          SpiritArm(.encoder, .prune, .denoised, percent: percent),
          SpiritArm(.encoder, .bias, .denoised, percent: percent),
        ]
        let heard = try hear(recording, arms, causal: tools.mending)
        #expect(heard.written[0].texts == known[.neurons(.sensitive, .patch(.oracle)), strength])
        #expect(heard.written[1].texts == known[.neurons(.causal, .patch(.oracle)), strength])
        #expect(heard.written[2].texts == known[.neurons(.sensitive, .patch(.denoised)), strength])
        #expect(heard.written[3].texts == known[.neurons(.sensitive, .prune), strength])
        #expect(heard.written[4].texts == known[.neurons(.sensitive, .bias), strength])
      }
    }
  }

  /// All gates, at the prompt's last positions and at every step, against patches that are made otherwise.
  @Test func positionsAndStepsAreThoseOfPatchedGeneration() throws {
    let sites = model.gateSites
    var texts: Set<String> = []
    for recording in try noisy("validation", 3) {
      func question(_ wave: Waveform) throws -> Question {
        let clip = try model.clip(wave)
        return Question(
          clip: clip, tokens: try model.tokens(for: "transcribe:", clip: clip), answer: 0, foil: 1)
      }
      let (base, clean) = (
        try model.model.trace(question(recording.noisy(root: root)), keeping: sites),
        try model.model.trace(question(recording.clean(root: root)), keeping: sites)
      )
      let prompt = base.tokens
      var config = GenerationConfig()
      (config.endTokens, config.limit) = (model.endTokens, 16)
      func written(_ patches: [Patch], _ steps: [StepChange] = []) throws -> String {
        model.tokenizer.decode(
          try model.model.generate(base, patches, steps: steps, config).tokens)
      }
      let arms = [nil, 10, 1].map {
        SpiritArm(.gate, .patch, .oracle, percent: 100, last: $0)
      }
      let pruned = SpiritArm(.gate, .prune, .oracle, percent: 100, last: 1)
      var every = pruned
      every.everyStep = true
      let heard = try hear(recording, arms + [pruned, every])
      for arm in arms {
        let positions = Array((prompt - (arm.last ?? prompt))..<prompt)
        let text = try written(
          sites.map {
            Patch($0, positions: positions, taking: try clean.rows(of: Cell($0), at: positions))
          })
        #expect(heard[arm]?.texts == [text], "\(arm.name)")
      }
      let nothing = sites.map { Patch($0, positions: [prompt - 1]) { $0 * 0 } }
      #expect(heard[pruned]?.texts == [try written(nothing)])
      #expect(heard[every]?.texts == [try written([], sites.map { StepChange($0) { $0 * 0 } })])
      texts.formUnion(heard.written.flatMap(\.texts) + [heard.plain])
    }
    // Not one text for all of them.
    #expect(texts.count > 6)
  }

  /// The run without noise is its own oracle: no neuron is sensitive, whatever would be done to it.
  @Test func aRecordingWithoutNoiseIsLeftAlone() throws {
    let clean = NoisyRecording(clean: noise.pairs.first { $0.split == "validation" }!.clean)
    let arms = SpiritSite.allCases.flatMap { site in
      SpiritChange.allCases.map {
        SpiritArm(site, $0, .oracle, percent: 20, everyStep: site == .gate)
      }
    }
    let heard = try hear(clean, arms)
    for written in heard.written {
      #expect(written.texts == [heard.plain] && written.share == 0)
      #expect(written.counts.allSatisfy { $0 == 0 })
    }
  }

  @Test func badInputIsRefused() throws {
    let recording = try noisy("validation", 1)[0]
    let causal = SpiritArm(.encoder, .patch, .oracle, .causal, percent: 5)
    for mending in [nil, [[1.0, 2]]] {
      let error = #expect(throws: CellError.self) { try hear(recording, [causal], causal: mending) }
      #expect(error?.description.contains("give the mending") == true)
    }
    let utterance = try #require(noise.pairs.first { $0.split == "validation" }?.clean)
    let wave = try utterance.waveform(root: root)
    let short = NoisyRecording(
      utterance, heardAs: Array(wave.samples.prefix(wave.samples.count / 2)))
    let error = #expect(throws: CellError.self) {
      try hear(short, [SpiritArm(.gate, .patch, .oracle, percent: 5)])
    }
    #expect(error?.description.contains("that is as long") == true)
    #expect(throws: (any Error).self) {
      try hear(
        NoisyRecording(utterance, heardAs: []), [SpiritArm(.gate, .patch, .oracle, percent: 5)])
    }
    #expect(throws: CellError.self) {
      try hear(recording, [SpiritArm(.encoder, .patch, .oracle, percent: -1)])
    }
  }

  // ## Over recordings

  private func recordings() throws -> [NoisyRecording] {
    let pairs = noise.pairs.filter { $0.split == "validation" }
    return try ["one", "two"].map { _ in try NoisyRecording(pairs[0]) }
      + [
        NoisyRecording(pairs.first { $0.group != pairs[0].group }!),
        NoisyRecording(clean: pairs[0].clean),
      ]
  }

  /// What is written: by intervention and draw, how many of the recordings in noise are right.
  private func heard(
    _ recordings: [NoisyRecording], _ right: [(arm: SpiritArm, right: [Int])]
  ) -> [SpiritHeard] {
    recordings.enumerated().map { i, recording in
      let wrong = recording.text.split(separator: " ").dropLast().joined(separator: " ")
      return SpiritHeard(
        plain: recording.isClean ? recording.text : wrong,
        written: right.map { arm, right in
          SpiritWritten(
            arm, texts: right.map { recording.isClean || i < $0 ? recording.text : wrong },
            counts: [2, i], share: 0.5)
        }, isInert: true)
    }
  }

  @Test func ratesAreErrorsOverWordsLessThoseOfNothing() throws {
    let recordings = try recordings()
    let arm = SpiritArm(.encoder, .patch, .oracle, percent: 5)
    let words = recordings.prefix(3).reduce(0) { $0 + normalisedWords($1.text).count }
    let random = Random(seed: 5)
    let test = try SpiritTest(
      recordings,
      heard(recordings, [(arm, [3]), (arm.by(.drawn), [1, 0, 2]), (arm.by(.causal), [2])]),
      draws: 200)
    let point = try test.point(arm, random)
    // Nothing done misses a word in each.
    #expect(abs(point.gain.value + 3 / Double(words)) < 1e-12)
    #expect(abs(point.control.value + 1 / Double(words)) < 1e-12)
    #expect(abs(point.beyond.value + 2 / Double(words)) < 1e-12)
    #expect(abs((point.causal?.value ?? 0) + 2 / Double(words)) < 1e-12)
    #expect(point.cost?.value == 0 && point.neurons == 3 && point.share == 0.5)
    #expect(
      point.beyond.high < 0 && point.row(on: "m").holds && point.row(on: "m").tap == point.causal)
    // As few errors as by drawn neurons are no claim; the causal map names no gates.
    let gate = SpiritArm(.gate, .patch, .oracle, percent: 5)
    let even = try SpiritTest(
      recordings, heard(recordings, [(gate, [1]), (gate.by(.drawn), [0, 1, 2])]), draws: 200
    )
    .point(gate, random)
    #expect(!even.row(on: "m").holds && even.causal == nil && abs(even.beyond.value) < 1e-12)
    #expect(
      SpiritPoint.columns.split(separator: "\t").count
        == even.line(of: "m").split(separator: "\t").count)
  }

  @Test func theFewestErrorsAreChosenAndOfEqualsTheFirst() throws {
    let recordings = try recordings()
    let arm = SpiritArm(.encoder, .patch, .oracle, percent: 1)
    let test = try SpiritTest(
      recordings,
      heard(
        recordings, [(arm.at(20), [2]), (arm.at(5), [2]), (arm.at(1), [1]), (arm.at(10), [0])]),
      draws: 50)
    let random = Random(seed: 5)
    #expect(try test.fewest(of: [1, 5, 10, 20].map(arm.at), random) == arm.at(5))
    #expect(throws: CellError.self) { try test.fewest(of: [], random) }
    let error = #expect(throws: CellError.self) { try test.excess(of: arm.at(2), random) }
    #expect(error?.description.contains("add it to the interventions") == true)
    let clean = recordings.filter(\.isClean)
    #expect(throws: CellError.self) { try SpiritTest(clean, heard(clean, []), draws: 50) }
  }
}
