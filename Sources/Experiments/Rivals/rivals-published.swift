// # What other procedures find in a speech LM of two published halves
//
// Two rivals ask what only a model can answer that reads natural language: AIR-Bench, in which it chooses a letter,
// and causal tracing of audio-text fusion, whose claim is of large layers that nobody here has trained. Both run
// on Whisper base's encoder and Qwen2.5-Coder-0.5B, joined by a projector (Figure 4), with controls and rules as in
// the other experiments on rivals. Only the validation split is read.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("rivals-published")
let study = notebook.study(needing: [\.selectionSplit])
let (rules, root) = (study.rules, study.root)
let random = study.random("rivals: published")
guard notebook.published("whisper-base") != nil,
  let model = notebook.joined("qwen2-audio-published", languageModel: "qwen2.5-coder-0.5b")
else { exit(0) }
var rows: [RivalRow] = []

// ## AIR-Bench: single choice by letters
//
// AIR-Bench (Yang et al., 2024) asks after a sound with four options and takes the letter that the model writes
// for what it hears. The suite's words are asked in its form: the word, its foil in one phone, and two more
// words of the slot, none of which the recording says elsewhere. What counts is not the text but the mean
// log-probability of an option's letter over all cyclic permutations, which takes out that a model may
// prefer a letter. Control: the same prompts behind another recording of the same voice, which says none of
// the options. Attribution patching has nothing of the kind. Said beforehand: the claim holds where the share
// right lies, with all of its interval, above all of the control's. A second row, by the same rule, takes the
// one order in which AIR-Bench asks.

let airPairs = study.suite.pairs
  .filter { $0.split == rules.selectionSplit && $0.factor.changesText && $0.spokenPrompt != nil }
  .spread(24)
let airItems = attempt {
  try study.suite.airBenchItems(of: airPairs, random.split("AIR-Bench").split("items"))
}
let airReadings = notebook.cell("AIR-Bench: choices", over: airItems, key: \.pair.id) { made in
  try model.choose(
    made.item, hearing: made.pair.clean.waveform(root: root),
    unrelated: made.unrelated.waveform(root: root), words: made.pair.spokenPrompt)
}
let airAsked = Array(airItems.prefix(airReadings.count))
let airAlone = notebook.cell("AIR-Bench: prompts one by one") {
  try model.letterChoice(
    airAsked[0].item, model.clip(airAsked[0].pair.clean.waveform(root: root)), together: false)
}
notebook.control(
  "AIR-Bench: prompts one by one", equals: 0, within: 1e-3,
  of: zip(
    airAlone.logProbabilities.joined(), airReadings[0].heard.logProbabilities.joined()
  ).map { $0 - $1 })
let air = attempt {
  try ChoiceSummary(
    airAsked.map(\.item), airReadings, groups: airAsked.map(\.pair.group),
    draws: rules.bootstrapDraws, random.split("AIR-Bench"))
}
notebook.output(
  "figures/rivals-airbench.json", text: AirBench.metadata(airAsked.map(\.item)))

// The text that it writes is scored twice: strictly, what cannot be read being wrong, and as the published
// scorer does, which drops what it cannot read and reads a letter where none is meant.

for (name, value) in [
  ("letters", air.letters), ("unrelated", air.unrelated), ("excess", air.excess),
  ("inOrder", air.inOrder), ("inOrder.unrelated", air.unrelatedInOrder), ("single", air.single),
  ("stays", air.agreement),
] { notebook.number("rivals.airbench.\(name)", value) }
for (name, value) in [("words", air.words), ("words.unrelated", air.unrelatedWords)] {
  if let value { notebook.number("rivals.airbench.\(name)", value) }
}
if let strict = air.text.strict { notebook.number("rivals.airbench.strict", strict) }
if let published = air.text.published { notebook.number("rivals.airbench.published", published) }
if let difference = air.textExcess {
  notebook.number("rivals.airbench.publishedLessStrict", difference)
}
notebook.number(
  "rivals.airbench.dropped", Double(air.text.items - air.text.publishedCounted))
rows += [
  RivalRow(
    "AIR-Bench", "letters", on: "qwen2-audio-published",
    claim: "option letters measure what a model hears",
    measure: "share right by the letters' mean log-probability over cyclic permutations",
    effect: air.letters, control: air.unrelated, holds: air.holds),
  RivalRow(
    "AIR-Bench", "one order", on: "qwen2-audio-published",
    claim: "option letters measure what a model hears",
    measure: "share right by the most probable letter in the file's order",
    effect: air.inOrder, control: air.unrelatedInOrder,
    holds: air.inOrder.low > air.unrelatedInOrder.high),
]

// ## Where the answer is decided, in a model of two published halves
//
// Procedures, controls and rules are those of `rivals-tracing.swift`: the sound is replaced by silence, clean
// activations of the last token are put back behind each of the 24 layers, those of all text behind the
// sound and of the sound itself behind every fourth. Nobody trained this language model on sound, and the
// question is put in natural language. A run of all positions takes a second of a core, so that 20 pairs of
// the validation split are read, spread evenly over it.

struct Fused: Codable, Sendable {
  let traced: FusionReading
  let lens: LensReading
}

let spoken = attempt { try model.spoken(study.suite) }
let asked = spoken.pairs.filter { $0.split == rules.selectionSplit }
  .spread(notebook.options.quick.map { 2 * $0 } ?? 20)
let answers = attempt { try model.firstTokens(ofAnswersIn: spoken) }
let fused = notebook.cell("fusion", over: asked, key: \.id) { [model, root] pair in
  let other = try spoken.unrelated(to: pair)
  return Fused(
    traced: try model.fusionTracing(of: pair, unrelated: other, every: 4, root: root),
    lens: try model.lens(
      on: pair, unrelated: other, among: answers[pair.prompt] ?? [], root: root))
}
notebook.control("silence, self-patch", equals: 0, of: fused.flatMap(\.traced.selfPatched))
notebook.control("silence, everything patched", equals: 1, of: fused.flatMap(\.traced.allPatched))
let heard = fused.indices.filter { fused[$0].traced.enters(minimumGap: rules.minimumGap) }
notebook.say("silence takes the answer away from \(heard.count) of \(fused.count) recordings")
let (traced, groups) = (heard.map { fused[$0].traced }, heard.map { asked[$0].group })
for metric in [Metric.probability, .logitDifference] {
  let found = attempt {
    try traced.summary(
      metric, groups: groups, draws: rules.bootstrapDraws, random.split("fusion \(metric.rawValue)")
    )
  }
  if metric == .probability { rows += found.rows(of: "qwen2-audio-published") }
  for (what, value) in [
    ("last.rises", found.rises), ("sound.falls", found.falls), ("crosses", found.crosses),
    ("last.gain", found.gain.last), ("last.secondHalf", found.carried.last),
    ("text.secondHalf", found.carried.text), ("sound.secondHalf", found.carried.sound),
  ] {
    if let value {
      notebook.number("rivals.fusion.qwen2-audio-published.\(metric.rawValue).\(what)", value)
    }
  }
}
let lensed = attempt {
  try heard.map { fused[$0].lens }
    .summary(traced, groups: groups, draws: rules.bootstrapDraws, random.split("lens"))
}
rows.append(lensed.row(of: "qwen2-audio-published"))
for (what, value) in [
  ("lens", lensed.lens), ("causal", lensed.causal), ("sound", lensed.sound),
  ("later", lensed.later), ("unrelatedAnswer", lensed.unrelated),
] { notebook.number("rivals.audioLens.qwen2-audio-published.\(what)", value) }

// ## The rivals side by side
//
// ![Other procedures beside their controls](figures/rivals-published.svg)

notebook.figure(
  "figures/rivals-published", rivalsFigure(rows), title: "Rivals: a speech LM of published halves")
notebook.numbers(of: rows)
for row in rows {
  notebook.claim("\(row.key).\(row.model)", "\(row.name): \(row.claim)", holds: row.holds)
}
notebook.finish()
