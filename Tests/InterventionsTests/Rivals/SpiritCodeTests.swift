// SPIRIT's own code repeated on the shipped checkpoint, and where it differs by design, the defect that makes
// the difference.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

/// SPIRIT's selection and interventions (mbzuai-nlp/spirit-breaking at e3044bd).
@Suite struct SpiritCodeTests {
  private let golden: RivalGolden.Spirit
  private let attack: RivalGolden.Attack
  private let model: SpeechModel
  private let clean: Waveform
  private let noisy: Waveform

  init() throws {
    (golden, attack) = (try RivalCode.golden.get().spirit, try RivalCode.golden.get().attack)
    model = try RivalCode.speech.get()
    let pair = try #require(RivalCode.suite.get().pairs.first { $0.id == "awb-a-bat-pat" })
    clean = try pair.clean.waveform(root: RivalCode.root)
    noisy = Waveform(
      samples: clean.samples.enumerated().map { i, sample in
        sample + Float((i * i * 7919 + i * 104_729) % 2003 - 1001) / 32768
      })
  }

  private func input(
    _ wave: Waveform, _ extent: Extent = .valid, asking prompt: String = "transcribe:"
  ) throws -> ModelInput {
    let clip = try model.clip(wave)
    var input = ModelInput(clip: clip, tokens: try model.tokens(for: prompt, clip: clip))
    input.extent = extent
    return input
  }

  /// A site's neurons in a run, [positions, neurons] of each layer, and the rows of its positions.
  private func neurons(_ site: SpiritSite, _ wave: Waveform, _ extent: Extent = .valid) throws -> (
    values: [Tensor], rows: [[Int]]
  ) {
    let sites = site == .gate ? model.gateSites : model.neuronSites
    let run = try model.model.trace(Question(input(wave, extent), Answers(0, 1)), keeping: sites)
    let values = try sites.map { try run.activation(of: $0) }
    return (
      site == .gate ? values.map(activated) : values, try sites.map { try run.place(of: $0).rows }
    )
  }

  /// The logits behind the prompt.
  private func logits(_ wave: Waveform, _ extent: Extent = .valid, _ tap: SpeakingTap? = nil) throws
    -> [Double]
  {
    let run = try model.model.run(
      input(wave, extent), tap: tap.map { tap in Tap(tap.sites) { tap.changed($0, $1) } })
    let width = run.logits.width
    return run.logits.numbers.suffix(width).map(Double.init)
  }

  /// The logits with an intervention on the neurons that SPIRIT chose.
  private func changed(
    _ arm: SpiritArm, _ set: NeuronSet, _ extent: Extent = .valid, by reference: Waveform? = nil
  ) throws -> [Double] {
    let own = try neurons(arm.site, noisy, extent)
    let tap = spiritTap(
      arm, set, at: arm.site == .gate ? model.gateSites : model.neuronSites,
      prompt: own.values[0].rows, rows: own.rows, bias: Float(golden.bias),
      reference: try neurons(arm.site, reference ?? clean, extent).values)
    return try logits(noisy, extent, tap)
  }

  private func found(_ site: SpiritSite) throws -> (
    numbers: RivalGolden.Spirit.Found, set: NeuronSet, layers: Int
  ) {
    let numbers = try #require(golden.sites[site.rawValue])
    let layers = site == .gate ? model.gateSites.count : model.neuronSites.count
    let set = NeuronSet(
      byLayer: (0..<layers).map { layer in
        numbers.neurons.filter { $0[0] == layer }.map { $0[1] }
      })
    return (numbers, set, layers)
  }

  private func arm(_ site: SpiritSite, _ change: SpiritChange, last: Int? = nil) -> SpiritArm {
    SpiritArm(site, change, .oracle, percent: golden.percent, last: last)
  }

  @Test func plainRunsAndCountsAreTheirs() throws {
    #expect(try RivalCode.apart(logits(noisy), golden.plain) < RivalCode.tolerance)
    #expect(try RivalCode.apart(logits(clean), golden.clean) < RivalCode.tolerance)
    #expect(RivalCode.apart(golden.clean, golden.plain) > 0.5)
    for (all, counts) in golden.counts {
      let all = try #require(Int(all))
      #expect(
        SpiritArm.percents.map { SpiritArm(.gate, .prune, .oracle, percent: $0).count(of: all) }
          == counts)
    }
  }

  /// The same neurons by the same numbers. Theirs sums over the encoder's positions behind the end of the
  /// recording, too: so does ours here, and over those of the recording alone it chooses others.
  @Test(arguments: SpiritSite.allCases)
  func theMostSensitiveNeuronsAreTheirs(_ site: SpiritSite) throws {
    let (theirs, set, layers) = try found(site)
    func scores(_ extent: Extent) throws -> [[Double]] {
      sensitivity(
        of: try neurons(site, noisy, extent).values,
        against: try neurons(site, clean, extent).values)
    }
    let padded = try scores(.padded)
    let count = arm(site, .prune).count(of: layers * padded[0].count)
    #expect(count == theirs.neurons.count && count > 50)
    #expect(NeuronSet(highest: count, of: padded) == set)
    for (neuron, value) in zip(theirs.neurons, theirs.sensitivities) {
      #expect(value > 1 && abs(padded[neuron[0]][neuron[1]] - value) < 1e-5 * value)
    }
    let valid = NeuronSet(highest: count, of: try scores(.valid))
    let positions = try neurons(site, noisy).values[0].rows
    if site == .gate {
      #expect(valid == set && positions == theirs.positions)
    } else {
      // 61 positions of the recording, and 150 of the window of three seconds.
      #expect(positions == golden.valid && positions < theirs.positions)
      let shared = zip(valid.byLayer, set.byLayer).reduce(0) {
        $0 + Set($1.0).intersection($1.1).count
      }
      #expect(shared < count * 3 / 4)
    }
  }

  @Test(arguments: SpiritSite.allCases, SpiritChange.allCases)
  func changesAtAllPositionsAreTheirs(_ site: SpiritSite, _ change: SpiritChange) throws {
    let (theirs, set, _) = try found(site)
    let wanted = try #require(theirs.logits["\(change) all"])
    #expect(RivalCode.apart(wanted, golden.plain) > 0.3)
    #expect(try RivalCode.apart(changed(arm(site, change), set), wanted) < RivalCode.tolerance)
  }

  @Test(arguments: SpiritChange.allCases)
  func changesOfTheLastGatesAreTheirs(_ change: SpiritChange) throws {
    let (theirs, set, _) = try found(.gate)
    for (mode, last) in [("last", 1), ("lastN", golden.last)] {
      let wanted = try #require(theirs.logits["\(change) \(mode)"])
      #expect(RivalCode.apart(wanted, golden.plain) > 0.3)
      #expect(
        try RivalCode.apart(changed(arm(.gate, change, last: last), set), wanted)
          < RivalCode.tolerance)
    }
  }

  /// The last positions of their encoder lie behind the end of a short recording, and what is done there
  /// reaches nothing; ours are those of the sound.
  @Test(arguments: SpiritChange.allCases)
  func theLastPositionsOfTheirEncoderArePadding(_ change: SpiritChange) throws {
    let (theirs, set, _) = try found(.encoder)
    for (mode, last) in [("last", 1), ("lastN", golden.last)] {
      let wanted = try #require(theirs.logits["\(change) \(mode)"])
      #expect(wanted == golden.plain)
      let arm = arm(.encoder, change, last: last)
      #expect(try RivalCode.apart(changed(arm, set, .padded), wanted) < RivalCode.tolerance)
      // Of 61 positions the last makes no audio token; attention alone carries its change on.
      #expect(try RivalCode.apart(changed(arm, set), wanted) > (last == 1 ? 0.005 : 0.1))
    }
  }

  /// The program at the end of their file names the noisy recording as the clean one, so that a patch from
  /// what it takes for clean activations is none.
  @Test(arguments: SpiritSite.allCases)
  func recordingsInTheOtherOrderPatchNothing(_ site: SpiritSite) throws {
    let (theirs, set, _) = try found(site)
    #expect(theirs.swapped == golden.plain)
    #expect(
      try RivalCode.apart(changed(arm(site, .patch), set, by: noisy), theirs.swapped)
        < RivalCode.tolerance)
    #expect(try RivalCode.apart(changed(arm(site, .patch), set), theirs.swapped) > 0.3)
  }
}

extension SpiritCodeTests {
  /// Nats by which the target's token is improbable.
  private func cost(_ samples: [Float]) throws -> Double {
    let run = try model.model.run(
      input(Waveform(samples: samples), asking: "which thing:"), tap: nil)
    let logits = run.logits.numbers.suffix(run.logits.width).map(Double.init)
    let largest = logits.max() ?? 0
    return largest + log(logits.reduce(0) { $0 + exp($1 - largest) }) - logits[attack.target]
  }

  /// Samples lie between -1 and 1. Their attack cuts what it hears at 0, so that all that is negative goes,
  /// by far more than the bound: this moves the model further than the attack's own step.
  @Test func theirAttackCutsTheWaveAtZero() throws {
    let (own, theirs) = (clean.samples, attack.resampled)
    let stepped = zip(own, attack.signs).map { $0 + ($1 ? attack.alpha : -attack.alpha) }
    #expect(stepped.count == own.count && attack.signs.count - own.count < 8)
    #expect(try abs(cost(own) - theirs.costs[0]) < RivalCode.tolerance)
    #expect(
      try abs(cost(stepped.map { max(0, min(1, $0)) }) - theirs.costs[1]) < RivalCode.tolerance)
    #expect(theirs.beyond == own.count { -$0 > attack.eps } && theirs.beyond > 1000)
    // Of 7.7 nats the step alone leaves 4.2, the cut alone 1.5.
    #expect(try cost(own.map { max(0, $0) }) + 2 < cost(stepped))
  }

  /// Only of what it resamples does it ask where the sound lies; of a recording at the model's own rate all
  /// noise is masked away, and each step hears the recording as it is.
  @Test func theirAttackIsNotHeardAtTheModelsRate() throws {
    #expect(attack.atRate.costs[1] == attack.atRate.costs[0])
    #expect(try abs(cost(clean.samples) - attack.atRate.costs[1]) < RivalCode.tolerance)
    #expect(attack.atRate.beyond == attack.resampled.beyond)
  }
}
