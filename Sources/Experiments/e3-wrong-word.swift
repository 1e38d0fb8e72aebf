// # What the map is good for: noise that somebody made
//
// Noise of the world hides what is said; noise can also be made, by gradient steps through the model, so that a
// model hears something else. SPIRIT was built against that, for texts that do harm. Here it is benign: one word of
// the sentence is to become another one, of a pair that has nothing to do with it. The interventions are
// those of Figure 6, estimated on such noise: neurons and directions where the causal map points, beside those
// that SPIRIT chooses, drawn ones, and the denoised waveform.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment(
  "e3-wrong-word", takes: [.model],
  instead: "it needs pairs of three splits and makes noise for each of them")
let rulesFile = "paper/preregistration-wrong-word.json"
let study = notebook.study(rules: rulesFile)
let (rules, root) = (study.rules, study.root)
let fixed = attempt { try NoiseRules("\(root)/\(rulesFile)") }
let made = attempt { try WrongWordRules("\(root)/\(rulesFile)") }
let random = study.random("e3 wrong word")

// ## Material
//
// Tools are estimated on the discovery split and strengths chosen on validation; the test split, other
// sentences by other speakers, is what is quoted. A quick run reads validation in its place.

let confirm = notebook.options.quick == nil ? rules.confirmSplit : rules.selectionSplit
if notebook.options.marks.isEmpty {
  notebook.open([("phoneme", study.suite)], of: study, for: "wrong word")
}

@MainActor func words(_ split: String) -> [WrongWord] {
  attempt {
    let pairs = study.suite.pairs.filter { $0.split == split }
    let count = try notebook.options.quick ?? made.recordings(split)
    return try pairs.spread(count).map {
      try WrongWord($0, unrelated: study.suite.unrelated(to: $0))
    }
  }
}

@MainActor func clean(_ split: String) -> [NoisyRecording] {
  study.suite.utterances.filter { $0.split == split }.spread(fixed.utterances)
    .map { NoisyRecording(clean: $0) }
}

let pairs = study.suite.pairs.filter { $0.split == rules.searchSplit }

// ## Noise, and what is done about it
//
// The noise stays 25 dB below speech at every sample, and is followed through the log-mel; SALMONN's second
// encoder hears it and is not followed. As loud noise of drawn signs is the control: it should make nothing
// of the kind.

struct Heard {
  let words: [WrongWord]
  let recordings: [NoisyRecording]
  let drawn: [NoisyRecording]
}

@MainActor func noise(_ name: String, _ model: SpeechModel, _ what: String, _ split: String)
  -> Heard
{
  let words = words(split)
  let draw = random.split(name).split("noise")
  let found = notebook.cell("\(name): noise, \(what)", over: words, key: \.utterance.id) { word in
    try model.targetedNoise(
      in: word.utterance.waveform(root: root), saying: word.utterance.text, towards: word.target,
      ratio: made.ratio, steps: made.steps, draw.split(word.utterance.id))
  }
  let noisy = zip(words, found).map { NoisyRecording($0.utterance, heardAs: $1.samples) }
  return Heard(
    words: words,
    recordings: split == rules.searchSplit ? noisy : taking(turns: [noisy, clean(split)]),
    drawn: zip(words, found).map { NoisyRecording($0.utterance, heardAs: $1.drawn) })
}

struct Found {
  let result: WrongWordResult
  let claims: [(id: String, holds: Bool)]
}

@MainActor func defend(_ name: String) -> Found {
  let model = notebook.checkpoint(name)
  let draw = random.split(name)
  let known = noise(name, model, "discovery", rules.searchSplit)
  let discovery = pairs
  let tools = notebook.cell("\(name): tools") {
    try model.noiseTools(known.recordings, discovery, fixed, root: root)
  }
  notebook.say(
    "\(name): noise makes \(tools.mistaken) of \(known.words.count) texts of discovery wrong")
  let tried = noise(name, model, "validation", rules.selectionSplit)
  let trials = ChosenStrengths.trials(fixed)
  let seen = notebook.cell("\(name): validation", over: tried.recordings, key: \.id) {
    try model.hear($0, trials, tools, fixed, root: root, draw)
  }

  // Of each intervention the strength that leaves the fewest word errors at a cost below one point, as for noise
  // of the world.
  let chosen = attempt { try ChosenStrengths(tried.recordings, seen, fixed) }
  let (causal, sensitive) = (chosen.best(.causal), chosen.best(.sensitive))

  // ## The test split
  let tested = noise(name, model, "test", confirm)
  let (tests, strengths) = (chosen.trials, chosen.strengths)
  let heard = notebook.cell("\(name): test", over: tested.recordings, key: \.id) {
    try model.hear($0, tests, tools, fixed, root: root, draw)
  }
  let unmade = notebook.cell("\(name): noise of drawn signs", over: tested.drawn, key: \.id) {
    try model.hear($0, [.nothing], tools, fixed, root: root, draw)
  }
  notebook.control(
    "\(name): its own activations change nothing", equals: 0, of: heard.map { $0.isInert ? 0 : 1 })
  let test = WrongWordTest(
    tested.words, tested.recordings, heard, draws: rules.bootstrapDraws)
  let control = WrongWordTest(
    tested.words, tested.drawn, unmade, draws: rules.bootstrapDraws
  ).reading(.nothing, NoiseTrial.nothing.strength, draw.split("drawn signs"))
  let readings = NoiseArm.all.map { test.reading($0, strengths[$0], draw.split("intervals")) }

  /// Whether one intervention leaves fewer wrong texts than another by all of the interval; one without a
  /// strength is nothing done.
  func fewer(_ arm: NoiseArm?, than other: NoiseArm?) -> Bool {
    guard let trial = arm.flatMap(chosen.trial) else { return false }
    return test.excessHits(
      of: trial, over: other.flatMap(chosen.trial) ?? .nothing, draw.split("claims")
    ).high < 0
  }
  let cost = causal.flatMap { arm in readings.first { $0.arm == arm }?.cost }
  let oracles = [NoiseChoice.causal, .sensitive].map { choice in
    chosen.trial(.neurons(choice, .patch(.oracle))) ?? .nothing
  }
  return Found(
    result: WrongWordResult(
      model: name, readings: readings, drawn: (control.hit!, control.right!)),
    claims: [
      ("X1", fewer(causal, than: .nothing) && cost.map { $0.value < fixed.cost } ?? false),
      ("X2", fewer(causal, than: sensitive)), ("X3", fewer(causal, than: causal?.control)),
      ("X4", fewer(causal, than: .denoiser)),
      (
        "X5",
        test.excessRights(of: oracles[0], over: oracles[1], draw.split("oracles")).low > 0
      ),
    ])
}
let results = notebook.checkpoints(["qwen2-audio-small", "salmonn-small", "soundwave-small"])
  .map { ($0, defend($0)) }

// ## Figure S10
//
// ![Noise that was made for one wrong word](figures/figureS10.svg)

notebook.figure(
  "figures/figureS10", wrongWordFigure(results.map(\.1.result), cost: fixed.cost),
  title: "Figure S10: noise that was made for one wrong word")

// ## What the text says

for (name, found) in results {
  notebook.numbers(of: found.result)
  for (claim, holds) in found.claims {
    notebook.claim(
      "\(claim).\(name)", attempt { try made.statement(claim) } + " (\(name))", holds: holds)
  }
}
notebook.finish()
