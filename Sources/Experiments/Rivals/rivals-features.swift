// # What other procedures find inside a site
//
// SPIRIT chooses neurons, AR&D and AudioSAE the features of a sparse autoencoder. Each is run here as its authors
// have it, on one small checkpoint, with a control that is matched to it, a rule that was written before the
// numbers, and beside it the neurons or features that exact patching names.
//
// Choices are made on the discovery split and quoted on validation; comparing methods opens no test split.

import Corpus
import Figures
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("rivals-features")
let study = notebook.study(needing: [\.searchSplit, \.selectionSplit])
let (rules, root) = (study.rules, study.root)
let random = study.random("rivals: features")
let speech = notebook.checkpoint("qwen2-audio-small")
var rows: [RivalRow] = []

// ## SPIRIT: neurons that noise moves most
//
// SPIRIT (arXiv 2505.13541) compares a recording in noise with one without, takes the neurons whose sum over
// time differs most, all layers together, and prunes them, adds a constant, or patches them from the run
// without noise: in the encoder's MLPs, or at the gates of the language model's. Its claim is that patching
// restores what is said; here that is asked of word errors at 5 and 0 dB. Beside each set stand drawn neurons,
// as many in every layer, and beside the encoder's as many that the causal map names, patched from the same run.
// The percentage is that of the fewest errors on discovery, and is quoted on validation. The claim holds where
// patching from the run without noise leaves fewer word errors than patching drawn neurons, by all of the
// interval.

let noise = notebook.tracked("data-manifests/noise.json", as: "noise") {
  try PairSuite(manifest: $0)
}
_ = notebook.input("artifacts/suite", as: "suite audio")
let noiseRules = notebook.tracked("paper/preregistration-noise.json", as: "noise rules") {
  try NoiseRules($0)
}

@MainActor func inNoise(_ split: String) -> [NoisyRecording] {
  attempt {
    try noise.pairs.filter { $0.split == split }.map { try NoisyRecording($0) }
      .filter { noiseRules.ratios.contains($0.noise!.ratio) }.inTurn(24)
  }
}

@MainActor func spirit(_ name: String) -> String {
  let (model, rules, random) = (
    speech, noiseRules, study.random("SPIRIT").split(name)
  )
  let known = inNoise(study.rules.searchSplit)
  let pairs = study.suite.pairs.filter { $0.split == study.rules.searchSplit }.spread(12)
  let mending = notebook.cell("SPIRIT, \(name): mending") {
    try model.noiseTools(known, pairs, rules, root: root).mending
  }
  func hear(_ what: String, _ recordings: [NoisyRecording], _ arms: [SpiritArm]) -> SpiritTest {
    let heard = notebook.cell("SPIRIT, \(name): \(what)", over: recordings, key: \.id) {
      recording in
      // Without noise the cost is asked alone, and the run without noise is the run itself.
      let arms =
        recording.isClean
        ? arms.filter { $0.choice == .sensitive && $0.reference == .denoised } : arms
      return try model.spirit(recording, arms, causal: mending, rules, root: root, random)
    }
    notebook.control(
      "SPIRIT, \(name), \(what): its own activations change nothing", equals: 0,
      of: heard.map { $0.isInert ? 0 : 1 })
    notebook.control(
      "SPIRIT, \(name), \(what): drawn neurons are as many in every layer", equals: 0,
      of: heard.map { $0.drawnAreMatched ? 0 : 1 })
    return attempt { try SpiritTest(recordings, heard, draws: study.rules.bootstrapDraws) }
  }
  let oracles = SpiritArm.sweep.filter { $0.reference == .oracle }
  let search = hear("discovery", known, oracles)
  let best = SpiritSite.allCases.map { site in
    attempt { try search.fewest(of: oracles.filter { $0.site == site }, random) }
  }

  // The sweep, and gates at the last positions and at every step; what it costs where there is no noise.
  let modes = SpiritArm.modes(percent: best[1].percent)
  let arms = SpiritArm.sweep + modes.filter { !SpiritArm.sweep.contains($0) }
  let clean = study.suite.utterances.filter { $0.split == study.rules.selectionSplit }.spread(12)
  let tested = taking(turns: [
    inNoise(study.rules.selectionSplit), clean.map { NoisyRecording(clean: $0) },
  ])
  let heard = hear("validation", tested, arms.flatMap(\.beside))
  let points = notebook.cell("SPIRIT, \(name): read", over: arms, key: \.name) {
    try heard.point($0, random)
  }
  rows += best.map { arm in attempt { try heard.point(arm, random).row(on: name) } }
  return points.map { $0.line(of: name) }.joined()
}
notebook.output(
  "figures/rivals-spirit.tsv",
  text: SpiritPoint.columns
    + spirit("qwen2-audio-small"))

// ## Features of an autoencoder: AR&D and AudioSAE
//
// AR&D (arXiv 2602.22253) retrieve, for each feature of a TopK autoencoder, the clips with the largest mean
// activation times coverage, keep the features whose clips are alike, and name these. Whether the model uses
// what is named is not asked there. Here the features that the procedure takes are swapped between the
// members of pairs in the changed phone's moment, and the reconstruction's error stays. The claim holds where
// eight of them recover more than features that are as active, by an interval that leaves out zero, and half
// as much as the eight with the largest exact effect on the discovery split. Clips are embedded by the phones
// of the stretch that activates the feature; beside it, by a layer of the encoder.

let concepts = random.split("AR&D")
let sparseSite = SpeechModel.transferSite
let bothSplits = FitAndHeld(fit: rules.searchSplit, held: rules.selectionSplit)
let swapPairs = bothSplits.map { split in study.suite.pairs.filter { $0.split == split } }
let sounds = bothSplits.map { split in study.suite.utterances.filter { $0.split == split } }
let recorded = FitAndHeld(fit: (sounds.fit, swapPairs.fit), held: (sounds.held, swapPairs.held))
@MainActor func heard(at site: Site) -> FitAndHeld<[ConceptClip]> {
  recorded.map { (sounds, pairs) in
    attempt {
      try speech.conceptClips(
        sounds, of: pairs, at: site, embeddedBy: Site(.encoder, 1, .residPost), root: root)
    }
  }
}
let clips = heard(at: sparseSite)
let sparse = SparseSetting(.topK(8), expansion: 4)
let sparseNumbers = notebook.cell("AR&D: autoencoder") {
  try sparse.trained(
    on: joiningRows(clips.fit.map(\.rows)), steps: 500, batch: 256, seeds: [1], concepts)
}
let dictionary = sparse.autoencoders(sparseNumbers, seeds: 1, width: clips.fit[0].rows.width)[0]
let described = notebook.cell("AR&D: retrieval") {
  try dictionary.concepts(
    in: clips.fit, [.phones(of: clips.fit), .layer(of: clips.fit)], concepts.split("retrieval"))
}
@MainActor func exchanged(at site: Site) -> FitAndHeld<[ExchangedPair]> {
  swapPairs.map { pairs in
    attempt {
      try mapInParallel(pairs.count) { i in
        try speech.exchanges(pairs[i], .lexical, at: [site], moment: 120, root: root)[0]
      }.compactMap { $0 }.filter {
        PairFilter(minimumGap: rules.minimumGap).reason(clean: $0.clean, corrupt: $0.corrupt)
          == nil
      }
    }
  }
}
@MainActor func choosing(on pairs: [ExchangedPair]) -> SubspaceStudy {
  attempt { try SubspaceStudy(fit: pairs.flatMap { [$0.sufficiency, $0.necessity] }) }
}
let swaps = exchanged(at: sparseSite)
let discovered = choosing(on: swaps.fit)
let swapped = notebook.cell("AR&D: swaps") {
  let causal = try discovered.causal(8, of: dictionary, proposed: 32)
  return try swaps.held.map(\.sufficiency).swapping(
    described.choices(causal, concepts.split("drawn")), of: dictionary,
    matchedOn: discovered.fit, families: 10, draws: rules.bootstrapDraws, concepts.split("swap"))
}
for one in swapped {
  notebook.number("rivals.ard.\(one.name).recovery", one.recovery)
  notebook.number("rivals.ard.\(one.name).matched", one.matched)
}
let (named, causal) = (swapped[0], swapped[swapped.count - 1])
rows.append(
  RivalRow(
    "AR&D", "features", on: "qwen2-audio-small",
    claim: "features with a high representative score and monosemanticity are what the model uses",
    measure: "recovery by eight features that are swapped; control: features as active",
    effect: named.recovery, control: named.matched, tap: causal.recovery,
    holds: named.over.low > 0 && named.recovery.value >= causal.recovery.value / 2))

// ### Other layers and sizes
//
// The same behind each layer of the encoder and at the connector's output, with 4, 8 and 16 times as many features
// as numbers and with another form of sparsity, 250 steps each: what is explained, whether a second seed finds the
// same features, how alike the clips of the eight that the procedure takes are beside drawn clips, and what these
// carry beside features as active and beside the eight of the largest exact effect. Nothing is claimed of it.

let settings =
  [4, 8, 16].map { SparseSetting(.topK(8), expansion: $0) }
  + [SparseSetting(.batchTopK(8), expansion: 4)]
let layers = speech.model.mapSites.filter { $0.stage == .encoder && $0.layer != nil }
var lines = [ConceptLayer.columns]
for site in layers + [sparseSite] {
  let (clips, swaps) = (heard(at: site), exchanged(at: site))
  let discovered = choosing(on: swaps.fit)
  let found = notebook.cell("AR&D: \(site)", over: settings, key: \.name) { setting in
    try ConceptLayer(
      setting, clips: clips, study: discovered, held: swaps.held.map(\.sufficiency), count: 8,
      steps: 250, families: 4, draws: rules.bootstrapDraws,
      concepts.split("\(site)").split(setting.name))
  }
  for (setting, layer) in zip(settings, found) {
    for (what, value) in layer.estimates {
      notebook.number("rivals.ard.at.\(site).\(setting.form)\(setting.expansion).\(what)", value)
    }
    lines.append(layer.line(at: site, setting))
  }
}
notebook.output("figures/rivals-layers.tsv", text: lines.map { $0 + "\n" }.joined())

// ### Steering
//
// Steering adds the feature that tells the clean member's phone from the corrupt one's, on the discovery
// split, at every position of the corrupt member's sound, in units of its largest activation. A text is
// turned where it has the clean member's word and is a text of the task. The strength is the smallest of
// those that turn most discovery pairs. The claim holds where more texts turn than with a feature as active,
// added at the same length, by an interval that leaves out zero, and fewer than a tenth are no text of the
// task.

let strengths = [0, 0.5, 1, 2, 4, 8, 20.0]
let taskTexts = attempt { try TaskTexts((sounds.fit + sounds.held).map(\.text)) }

@MainActor func steer(_ name: String, _ pairs: [MinimalPair]) -> SteeringCurve {
  let found = notebook.cell("AR&D: steering, \(name)", over: pairs, key: \.id) { pair in
    try dictionary.directions(for: pair, described, in: clips.fit, concepts.split("steer")).flatMap
    {
      try speech.steered(
        pair, at: sparseSite, along: $0.own, control: $0.control, strengths: strengths,
        moment: 120, root: root)
    }
  }.compactMap { $0 }
  notebook.control(
    "AR&D: strength 0 leaves the text, \(name)", equals: 0,
    of: found.map { $0.steered[0] == $0.plain && $0.control[0] == $0.plain ? 0 : 1 })
  return attempt {
    try found.curve(strengths, of: taskTexts, draws: rules.bootstrapDraws, concepts.split(name))
  }
}

let known = steer("discovery", swapPairs.fit.spread(24)).steered.map(\.turned.value)
let strength = known.firstIndex { $0 == known.max() } ?? 0
let curve = steer("validation", swapPairs.held)
for (point, value) in zip(curve.steered, strengths) {
  notebook.number("rivals.ard.steering.\(value).turned", point.turned)
  notebook.number("rivals.ard.steering.\(value).degenerate", point.degenerate)
  notebook.number("rivals.ard.steering.\(value).surprise", point.surprise)
}
rows.append(
  RivalRow(
    "AR&D", "steering", on: "qwen2-audio-small",
    claim: "adding a feature's direction at every position turns the output to its concept",
    measure: "share of transcripts with the other word, feature at \(strengths[strength]) ranges; "
      + "control: a feature as active; TAP: the source's activations in the changed phone's moment",
    effect: curve.steered[strength].turned, control: curve.control[strength].turned,
    tap: curve.patched.turned,
    holds: curve.over[strength].low > 0 && curve.steered[strength].degenerate.value < 0.1))

// AudioSAE (arXiv 2602.05027) erases 19 to 27% of the features to remove a concept. Here a probe of the phone
// is trained and tried without the features that tell phones apart most. The claim holds where the probe then
// reads no more than chance, by an interval that reaches it, and reads more without as many that are drawn.

let erasures = notebook.cell("AudioSAE: erasure") {
  let fit = try clips.fit.positions(each: 16)
  return try dictionary.erasure(
    of: [0, 0.05, 0.1, 0.19, 0.27, 0.5, 1], fit: fit,
    held: clips.held.positions(each: 16, of: Set(fit.labels)), shuffles: 20,
    draws: rules.bootstrapDraws, concepts.split("erasure"))
}
for one in erasures {
  notebook.number("rivals.audiosae.\(one.share).read", one.erased.read)
  notebook.number("rivals.audiosae.\(one.share).drawn", one.drawn.read)
}
let quarter = erasures[4]
rows.append(
  RivalRow(
    "AudioSAE", on: "qwen2-audio-small",
    claim: "a concept is gone with a quarter of the features",
    measure: "phones that a probe reads without 27% of the features; control: as many, drawn",
    effect: quarter.erased.read, control: quarter.drawn.read,
    holds: quarter.erased.read.low <= quarter.erased.chance
      && quarter.drawn.read.low > quarter.erased.read.high))

// ## The rivals side by side
//
// ![Other procedures beside their controls](figures/rivals-features.svg)

notebook.figure(
  "figures/rivals-features", rivalsFigure(rows), title: "Rivals: neurons and features")
notebook.numbers(of: rows)
for row in rows {
  notebook.claim("\(row.key).\(row.model)", "\(row.name): \(row.claim)", holds: row.holds)
}
notebook.finish()
