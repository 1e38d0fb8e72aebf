// What every experiment on speech in noise reads of what a model wrote: errors and costs by intervention, what
// tells beforehand which texts will be wrong, and the claims.

import Foundation
import Interventions
import Notebook
import Speech
import Tensor

/// One model's recordings of the test split with what was written for them.
public struct NoiseStudy<Listener: NoiseListener>: Sendable {
  public let name: String
  public let model: Listener
  /// What the figure calls the place of whole activations and directions.
  public let place: String
  public let tested: [NoisyRecording]
  public let heard: [HeardInNoise]
  /// Recordings of the discovery split, in noise and without, from which signs of a wrong text are learnt.
  public let known: [NoisyRecording]
  public let chosen: ChosenStrengths
  public let tools: NoiseTools

  public init(
    _ name: String, _ model: Listener, at place: String = "connector",
    _ tested: [NoisyRecording], _ heard: [HeardInNoise], known: [NoisyRecording],
    _ chosen: ChosenStrengths, _ tools: NoiseTools
  ) {
    (self.name, self.model, self.place) = (name, model, place)
    (self.tested, self.heard, self.known) = (tested, heard, known)
    (self.chosen, self.tools) = (chosen, tools)
  }
}

extension Notebook {
  /// Whether a model's own activations, put into its run like any donor's, change nothing, and whether all of
  /// the activations of a donor's run carry its text.
  public func noiseControls(
    _ name: String, _ split: String, _ heard: [HeardInNoise], at place: String
  ) {
    control(
      "\(name), \(split): its own activations change nothing", equals: 0,
      of: heard.map { $0.isInert ? 0 : 1 })
    // Soundwave's sound decides which frames are kept, so that another run's are others.
    let all = heard.flatMap(\.carriesAll)
    if !all.isEmpty {
      control(
        "\(name), \(split): all of the \(place) carries the donor's text", equals: 1,
        of: all.map { $0 ? 1 : 0 })
    }
  }

  /// Reads a study: errors and costs, areas of what tells a wrong text beforehand, and which claims hold.
  ///
  /// - Parameter claims: the names of the six, in the order of `paper/preregistration-noise.json`
  public func readings<Listener>(
    of study: NoiseStudy<Listener>, _ fixed: NoiseRules, _ rules: Preregistration, root: String,
    claims: String = "N", _ draw: Random
  ) -> (result: NoiseResult, claims: [(id: String, holds: Bool)]) {
    let (name, model, chosen, tools) = (study.name, study.model, study.chosen, study.tools)
    let (causal, sensitive) = (chosen.best(.causal), chosen.best(.sensitive))
    let test = NoiseTest(study.tested, study.heard, draws: rules.bootstrapDraws)
    let strengths = chosen.strengths
    let readings = cell("\(name): read", over: NoiseArm.all, key: \.name) {
      test.reading($0, strengths[$0], at: fixed.ratios, draw.split("intervals"))
    }

    // A recording's mean lies somewhere between noisy and clean speech of the discovery split. If what goes
    // wrong is there, its place should say which texts will be wrong, better than what the model itself is
    // unsure of. A probe is trained on the same split to tell right from wrong.
    let noise = study.tested.filter { !$0.isClean }
    func signs(_ what: String, _ recordings: [NoisyRecording]) -> [NoiseSigns] {
      cell("\(name): signs, \(what)", over: recordings, key: \.id) {
        try model.signs(of: $0, tools.natural, root: root)
      }
    }
    let (later, before) = (signs("test", noise), signs("discovery", study.known))
    let areas = areas(
      of: study, later, before, noise.prefix(later.count).map { $0 }, fixed, rules, draw)

    /// Whether one intervention leaves fewer errors than another by all of the interval; one without a strength
    /// is nothing done.
    func fewer(_ arm: NoiseArm?, than other: NoiseArm?) -> Bool {
      guard let trial = arm.flatMap(chosen.trial) else { return false }
      return test.excess(
        of: trial, over: other.flatMap(chosen.trial) ?? .nothing, draw.split("claims"),
        where: { $0.noise.map { fixed.ratios.contains($0.ratio) } ?? false }
      ).high < 0
    }
    let cost = causal.flatMap { arm in readings.first { $0.arm == arm }?.cost }
    let holds =
      [
        fewer(causal, than: .nothing) && cost.map { $0.value < fixed.cost } ?? false,
        fewer(causal, than: sensitive), fewer(causal, than: causal?.control),
        fewer(causal, than: .denoiser),
        fewer(.neurons(.causal, .patch(.oracle)), than: .neurons(.sensitive, .patch(.oracle))),
      ] + areas.prefix(1).map { $0.beyondEntropy.low > 0 }
    return (
      NoiseResult(
        model: name, place: study.place, readings: readings, best: (causal, sensitive), areas: areas
      ),
      holds.enumerated().map { ("\(claims)\($0 + 1)", $1) }
    )
  }

  /// How well each score tells right texts of recordings in noise from wrong ones; nothing, and a line that says
  /// so, where all are of one sort.
  private func areas<Listener>(
    of study: NoiseStudy<Listener>, _ later: [NoiseSigns], _ before: [NoiseSigns],
    _ noise: [NoisyRecording], _ fixed: NoiseRules, _ rules: Preregistration, _ draw: Random
  ) -> [FailureArea] {
    for (what, signs) in [("test", later), ("discovery", before)]
    where Set(signs.map(\.isRight)).count == 1 {
      say(
        "\(study.name): every text of \(what) is \(signs[0].isRight ? "right" : "wrong"), so nothing can tell "
          + "right ones from wrong ones")
      return []
    }
    let scores = attempt {
      try later.failureScores(
        before, clean: study.known.prefix(before.count).map(\.isClean),
        ratios: noise.map { $0.noise!.ratio }, draws: fixed.draws, shrinkage: fixed.shrinkage,
        draw.split("signs"))
    }
    let groups = noise.map(\.group)
    let entropy = scores.first { $0.name == "output entropy" }!
    return cell("\(study.name): areas", over: scores, key: \.name) { score in
      let stream = draw.split("area").split(score.name)
      return FailureArea(
        score: score.name,
        area: later.area(of: score, groups: groups, draws: rules.bootstrapDraws, stream),
        beyondEntropy: later.area(
          of: score, less: entropy, groups: groups, draws: rules.bootstrapDraws, stream))
    }
  }
}
