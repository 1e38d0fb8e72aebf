// # Speech in noise, and published Whispers
//
// Figure 6 asks the small checkpoints what interventions leave of the errors that noise makes. Here published
// recognisers are asked, which nobody here trained: is there anything left that the same interventions
// mend, where a causal map points, and do SPIRIT's neurons, drawn ones or the denoised waveform mend as much?
//
// Whisper tiny.en chooses every strength on validation, at a cost below one point of word error rate on speech
// without noise. On Whisper base, a pass of which costs four times as much, the interventions that came out best
// are repeated at those strengths, with their controls and upper bounds; only neurons, means and directions are
// estimated anew, on discovery. Rules and claims were fixed in `paper/preregistration-noise-published.json`
// before any recording of the test split was heard by either; that figures are spelled out before words are
// compared was added when texts of validation had been read, and before any of the test split was.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("e3-noise-published")
guard let english = notebook.published("whisper-tiny.en"),
  let base = notebook.published("whisper-base")
else { exit(0) }
let rulesFile = "paper/preregistration-noise-published.json"
let study = notebook.study(rules: rulesFile)
let (rules, root) = (study.rules, study.root)
let fixed = attempt { try NoiseRules("\(root)/\(rulesFile)") }
let random = study.random("e3 noise, published")
let suite = notebook.tracked("data-manifests/noise.json", as: "noise") {
  try PairSuite(manifest: $0)
}
// The talkers of babble and of competing speech are partly the suite's.
_ = notebook.input("artifacts/suite", as: "suite audio")

// ## Material
//
// Sentences in five noises at 5 and 0 dB, every noise as often, and sentences without noise, which tell the cost.
// Tools are estimated on discovery, strengths chosen on validation, on half as many recordings in noise as the test
// split is heard in, whose sentences, speakers and talkers are others. A quick run reads validation in the place
// of the test split.

let confirm = notebook.options.quick == nil ? rules.confirmSplit : rules.selectionSplit
if notebook.options.quick == nil {
  notebook.open(
    [("speech", study.suite), ("noise", suite)], of: study, for: "robustness of published models")
}

let most = fixed.recordings ?? .max

@MainActor func noisy(_ split: String) -> [NoisyRecording] {
  attempt {
    try suite.pairs.filter { $0.split == split }.map { try NoisyRecording($0) }
      .filter { fixed.ratios.contains($0.noise!.ratio) }.inTurn(split == confirm ? most : most / 2)
  }
}

@MainActor func recordings(_ split: String) -> [NoisyRecording] {
  let clean = study.suite.utterances.filter { $0.split == split }.spread(fixed.utterances)
  return taking(turns: [noisy(split), clean.map { NoisyRecording(clean: $0) }])
}

let known = noisy(rules.searchSplit)
let pairs = study.suite.pairs.filter { $0.split == rules.searchSplit }
  .spread(most)
let tried = recordings(rules.selectionSplit)
let tested = recordings(confirm)

// ## What is done
//
// As in Figure 6, with what a recogniser has in the place of a connector. *Neurons* are those of the encoder's
// MLPs: SPIRIT's differ most between the recording and its denoised version, summed over time; TAP's are those
// through which the run without noise mends what noise made wrong. Since Whisper writes some of these sentences
// wrongly without any noise, what it writes then stands for the right text, where noise adds wrong words. *The
// part* is the encoder's last layer's, which all of the sound passes: directions in which a changed phone moves
// it. Positions behind the end of the sound, which Whisper fills with silence, are left alone.

let place = "last encoder layer"

@MainActor func tools(_ name: String, _ model: Recogniser) -> NoiseTools {
  let mended = notebook.cell("\(name): what neurons mend", over: known, key: \.id) {
    [fixed, root] in
    try model.neuronMending($0, steps: fixed.steps, root: root)
  }
  let found = notebook.cell("\(name): tools") { [known, pairs, fixed, root] in
    try model.noiseTools(
      Array(known.prefix(mended.count)), mended: mended, pairs, fixed, root: root)
  }
  notebook.say(
    "\(name): noise adds wrong words to \(found.mistaken) of \(mended.count) texts of discovery")
  return found
}

@MainActor func hear(
  _ name: String, _ what: String, _ model: Recogniser, _ recordings: [NoisyRecording],
  _ trials: [NoiseTrial], _ tools: NoiseTools
) -> [HeardInNoise] {
  let draw = random.split(name)
  let heard = notebook.cell("\(name): \(what)", over: recordings, key: \.id) { [fixed, root] in
    try model.hear($0, trials, tools, fixed, root: root, draw)
  }
  notebook.noiseControls(name, what, heard, at: place)
  return heard
}

// ## Strengths, chosen on validation

let englishTools = tools("whisper-tiny.en", english)
let seen = hear(
  "whisper-tiny.en", "validation", english, tried, ChosenStrengths.trials(fixed), englishTools)
let chosen = attempt { try ChosenStrengths(tried, seen, fixed) }

// ## The test split

struct Found {
  let result: NoiseResult
  let claims: [(id: String, holds: Bool)]
  let texts: String
  let mending: String
}

@MainActor func test(
  _ name: String, _ model: Recogniser, _ tools: NoiseTools, _ chosen: ChosenStrengths
) -> Found {
  let heard = hear(name, "test", model, tested, chosen.trials, tools)
  let inNoise = zip(tested, heard).filter { !$0.0.isClean }
  notebook.number(
    "e3.noise.\(name).nothing.right",
    clopperPearson(inNoise.count { $1.score(.nothing, of: $0.text).exact == 1 }, of: inNoise.count))
  let read = notebook.readings(
    of: NoiseStudy(
      name, model, at: place, tested, heard, known: recordings(rules.searchSplit), chosen, tools),
    fixed, rules, root: root, claims: "B", random.split(name))
  return Found(
    result: read.result, claims: read.claims,
    texts: noisyTextsTable(name, tested, heard, chosen.strengths),
    mending: mendingTable(name, tools))
}
let best = [chosen.best(.causal), chosen.best(.sensitive)].compactMap { $0 }
let repeated: [NoiseArm] =
  [.nothing, .denoiser, .whole(.oracle)] + best + best.map(\.control)
  + NoiseChoice.allCases.map { .neurons($0, .patch(.oracle)) }
let results = [
  test("whisper-tiny.en", english, englishTools, chosen),
  test("whisper-base", base, tools("whisper-base", base), chosen.keeping(Set(repeated))),
]

// ## Figure S11
//
// ![Speech in noise and published Whispers: errors, costs, and what tells them beforehand](figures/figureS11.svg)

notebook.figure(
  "figures/figureS11", noiseFigure(results.map(\.result), cost: fixed.cost),
  title: "Figure S11: speech in noise and published Whispers")

// What was written for each recording, and what each neuron mends.

notebook.output(
  "figures/figureS11-recordings.tsv", text: noisyTextsColumns + results.map(\.texts).joined())
notebook.output(
  "figures/figureS11-neurons.tsv", text: mendingColumns + results.map(\.mending).joined())

// ## What the text says

for found in results {
  notebook.numbers(of: found.result)
  for (claim, holds) in found.claims {
    let name = found.result.model
    notebook.claim(
      "\(claim).\(name)", attempt { try fixed.statement(claim) } + " (\(name))", holds: holds)
  }
}
notebook.finish()
