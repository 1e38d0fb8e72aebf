// # Neurons that noise moves most, in a speech LM of two published halves
//
// SPIRIT (arXiv 2505.13541) was made for Qwen2-Audio. The same architecture stands here at a twelfth of its size,
// both halves published: Whisper base's encoder and Qwen2.5-Coder-0.5B. Procedure, control and rule are those of
// `rivals-features.swift`: neurons whose sum over time noise moves most are patched from the run without noise, the
// percentage is that of the fewest word errors on discovery, and validation is quoted; the claim holds where fewer
// word errors are left than by drawn neurons, as many in every layer, by all of the interval. Beside the encoder's
// stand as many that the causal map names. A transcript takes four seconds of a core, so
// that two percentages of its sweep are tried, on few recordings; no test split is opened.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("rivals-spirit")
guard notebook.published("whisper-base") != nil,
  let model = notebook.joined("qwen2-audio-published", languageModel: "qwen2.5-coder-0.5b")
else { exit(0) }
let name = "qwen2-audio-published"
let study = notebook.study(needing: [\.searchSplit, \.selectionSplit])
let (rules, root) = (study.rules, study.root)
let random = study.random("SPIRIT").split(name)
let noise = notebook.tracked("data-manifests/noise.json", as: "noise") {
  try PairSuite(manifest: $0)
}
_ = notebook.input("artifacts/suite", as: "suite audio")
let noiseRules = notebook.tracked("paper/preregistration-noise.json", as: "noise rules") {
  try NoiseRules($0)
}

@MainActor func inNoise(_ split: String, _ count: Int) -> [NoisyRecording] {
  attempt {
    try noise.pairs.filter { $0.split == split }.map { try NoisyRecording($0) }
      .filter { noiseRules.ratios.contains($0.noise!.ratio) }.inTurn(count)
  }
}

// ## Which neurons
//
// The causal map names neurons of the encoder by what they mend of texts that noise has made wrong, by conductance
// on discovery, in half as many steps as for the small checkpoints.

let known = inNoise(rules.searchSplit, 8)
let mending = notebook.cell("mending") { [model, noiseRules, root] in
  try model.neuronMending(
    known, steps: noiseRules.steps / 2, asked: "Transcribe.", root: root
  ).mending
}
@MainActor func hear(_ what: String, _ recordings: [NoisyRecording], _ arms: [SpiritArm])
  -> SpiritTest
{
  let heard = notebook.cell(what, over: recordings, key: \.id) {
    [model, noiseRules, root, random] recording in
    try model.spirit(
      recording, arms, causal: mending, noiseRules, asked: "Transcribe.", root: root, random)
  }
  notebook.control(
    "\(what): its own activations change nothing", equals: 0, of: heard.map { $0.isInert ? 0 : 1 })
  notebook.control(
    "\(what): drawn neurons are as many in every layer", equals: 0,
    of: heard.map { $0.drawnAreMatched ? 0 : 1 })
  return attempt { try SpiritTest(recordings, heard, draws: rules.bootstrapDraws) }
}

// ## How many of them, and what they mend

let oracles = SpiritSite.allCases.flatMap { site in
  [5.0, 20].map { SpiritArm(site, .patch, .oracle, percent: $0) }
}
let search = hear("discovery", known, oracles)
let best = SpiritSite.allCases.map { site in
  attempt { try search.fewest(of: oracles.filter { $0.site == site }, random) }
}
let tested = inNoise(rules.selectionSplit, 10)
let heard = hear("validation", tested, best.flatMap(\.beside))
let points = best.map { arm in attempt { try heard.point(arm, random) } }
let rows = points.map { $0.row(on: name) }
notebook.output(
  "figures/rivals-spirit-points.tsv",
  text: SpiritPoint.columns + points.map { $0.line(of: name) }.joined())
for point in points {
  let ledger = "rivals.spirit.\(name).\(point.arm.site.rawValue)"
  notebook.number("\(ledger).percent", point.arm.percent)
  notebook.number("\(ledger).beyondDrawn", point.beyond)
}

// ## The rival beside its controls
//
// ![SPIRIT's neurons in a speech LM of published halves](figures/rivals-spirit-published.svg)

notebook.figure(
  "figures/rivals-spirit-published", rivalsFigure(rows),
  title: "Rivals: SPIRIT in a speech LM of published halves")
notebook.numbers(of: rows)
for row in rows {
  notebook.claim("\(row.key).\(row.model)", "\(row.name): \(row.claim)", holds: row.holds)
}
notebook.finish()
