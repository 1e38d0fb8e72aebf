// # What the map is good for: speech in noise
//
// E1 says through what a sound becomes text, and which activations mend a text that noise has made wrong. Can
// that be had without training, when a recording is heard in noise and nobody has it without? Interventions are
// made where the causal map points, beside what is usually done instead: the waveform is denoised, or the
// neurons are changed that differ most between the noisy recording and its denoised version (SPIRIT). Beside
// each stand neurons and directions that are drawn, as many and as far, and what it costs where there is no
// noise.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment(
  "e3-noise", takes: [.model],
  instead:
    "it needs recordings with and without noise, of three splits")
let rulesFile = "paper/preregistration-noise.json"
let study = notebook.study(rules: rulesFile)
let (rules, root) = (study.rules, study.root)
let fixed = attempt { try NoiseRules("\(root)/\(rulesFile)") }
let random = study.random("e3 noise")
let suite = notebook.tracked("data-manifests/noise.json", as: "noise") {
  try PairSuite(manifest: $0)
}
// The talkers of babble and of competing speech are partly the suite's.
_ = notebook.input("artifacts/suite", as: "suite audio")

// ## Material
//
// Sentences in five noises: white, pink, shaped like speech, babble and one competing talker. Tools are
// estimated on the discovery split and strengths chosen on validation, at 5 and 0 dB; the test split, whose
// sentences and speakers and talkers are others, is heard at five ratios. Clean utterances of the same split
// tell the cost. A quick run reads validation in the place of the test split.

let confirm = notebook.options.quick == nil ? rules.confirmSplit : rules.selectionSplit
if notebook.options.marks.isEmpty {
  notebook.open([("speech", study.suite), ("noise", suite)], of: study, for: "robustness")
}

@MainActor func noisy(_ split: String, at ratios: [Double]? = nil) -> [NoisyRecording] {
  attempt {
    try suite.pairs.filter { $0.split == split }.map { try NoisyRecording($0) }
      .filter { ratios?.contains($0.noise!.ratio) ?? true }
  }
}

@MainActor func recordings(_ split: String, at ratios: [Double]? = nil) -> [NoisyRecording] {
  let clean = study.suite.utterances.filter { $0.split == split }.spread(fixed.utterances)
  return taking(turns: [
    noisy(split, at: ratios), clean.map { NoisyRecording(clean: $0) },
  ])
}

let known = noisy(rules.searchSplit, at: fixed.ratios).spread(
  notebook.options.quick.map { 4 * $0 } ?? .max)
let pairs = study.suite.pairs.filter { $0.split == rules.searchSplit }
let tried = recordings(rules.selectionSplit, at: fixed.ratios)
let tested = recordings(confirm)

// ## What is done
//
// *Neurons* are those of the encoder's MLPs, behind the activation function, as SPIRIT takes them: it chooses,
// recording by recording, those whose sum over time differs most from the reference's. *TAP* chooses once, on
// discovery, those through which the clean run mends a text that noise made wrong (conductance of the right
// text against what is written). Both are set to zero, get a constant added, or the value of a donor: the run
// of the denoised waveform, the mean of clean speech, or (an upper bound) the recording without noise.
//
// *The part* is the connector's: the directions in which a changed phone moves it, taken from the donor;
// *shrinking* moves what noise adds, in directions that those leave alone, towards the mean of clean speech.

struct Found {
  let result: NoiseResult
  let claims: [(id: String, holds: Bool)]
  let texts: String
  let mending: String
}

@MainActor func hear(_ name: String) -> Found {
  let model = notebook.checkpoint(name)
  let draw = random.split(name)
  let (known, pairs) = (known, pairs)
  let tools = notebook.cell("\(name): tools") {
    try model.noiseTools(known, pairs, fixed, root: root)
  }
  notebook.say("\(name): noise makes \(tools.mistaken) of \(known.count) texts of discovery wrong")
  let trials = ChosenStrengths.trials(fixed)
  let seen = notebook.cell("\(name): validation", over: tried, key: \.id) {
    try model.hear($0, trials, tools, fixed, root: root, draw)
  }

  // Of each intervention the strength that leaves the fewest errors at a cost below one point; one that leaves
  // no fewer than nothing done has no strength, and is not tried further. Drawn neurons and directions have the
  // strength of those they are matched to.
  let chosen = attempt { try ChosenStrengths(tried, seen, fixed) }

  // ## The test split
  let (tests, strengths) = (chosen.trials, chosen.strengths)
  let heard = notebook.cell("\(name): test", over: tested, key: \.id) {
    try model.hear($0, tests, tools, fixed, root: root, draw)
  }
  for (split, heard) in [("validation", seen), ("test", heard)] {
    notebook.noiseControls(name, split, heard, at: "connector")
  }

  // ## Which texts will be wrong
  //
  // A recording's connector output lies somewhere between noisy and clean speech of the discovery split. If what
  // goes wrong is there, its place should say which texts will be wrong, better than what the model itself is
  // unsure of. A probe is trained on the same split to tell right from wrong.
  let read = notebook.readings(
    of: NoiseStudy(
      name, model, tested, heard, known: recordings(rules.searchSplit), chosen, tools),
    fixed, rules, root: root, draw)
  return Found(
    result: read.result, claims: read.claims,
    texts: noisyTextsTable(name, tested, heard, strengths), mending: mendingTable(name, tools))
}
let results = notebook.checkpoints(["qwen2-audio-small", "salmonn-small", "soundwave-small"])
  .map { ($0, hear($0)) }

// ## Figure 6
//
// ![Speech in noise: errors, costs, and what tells them beforehand](figures/figure6.svg)

notebook.figure(
  "figures/figure6", noiseFigure(results.map(\.1.result), cost: fixed.cost),
  title: "Figure 6: speech in noise, with interventions where the causal map points")

// What was written for each recording, and what each neuron mends.

notebook.output(
  "figures/figure6-recordings.tsv", text: noisyTextsColumns + results.map(\.1.texts).joined())
notebook.output(
  "figures/figure6-neurons.tsv", text: mendingColumns + results.map(\.1.mending).joined())

// ## What the text says

for (name, found) in results {
  notebook.numbers(of: found.result)
  for (claim, holds) in found.claims {
    notebook.claim(
      "\(claim).\(name)", attempt { try fixed.statement(claim) } + " (\(name))", holds: holds)
  }
}
notebook.finish()
