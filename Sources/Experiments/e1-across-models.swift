// # Where and when, across models, tasks and factors
//
// Figure 2 is the map of one model under one task. If it shows how these models hear words, and not how one
// of them answers one kind of question, then the place must be there when the same recordings are to be
// written down or translated, in models with other connectors, and for people's voices; it must be the place
// of the *sound*, whoever says it and in noise; and what leaves the words alone must not move it.
//
// Each of these is one line of a table here. A pair of recordings that differ in one phone (or, said by
// people, in one digit) is put to a model under three tasks. What the two right texts begin with is forced,
// and the logit difference is read where they part. Everything that passes at a depth is then taken from the
// other member in windows of 120 ms, in both directions.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment(
  "e1-across-models", takes: [.model],
  instead:
    "it compares suites of six factors; e1-causal-map and maps-by-model (make figure2 figureS1) take "
    + "pairs of your own")

// ## What is run, and on what
//
// The rules are those of `paper/preregistration-e1.json`, written before the test split was opened under
// them. There is nothing to be searched for: every cell is measured, all of it on the test split, whose
// sentences and speakers no choice was made on. A quick run reads the validation split in its place.

let rulesFile = "paper/preregistration-e1.json"
let study = notebook.study(rules: rulesFile)
let (rules, root) = (study.rules, study.root)
let fixed = attempt { try LocalisationRules("\(root)/\(rulesFile)") }
let random = study.random("across models")
let suites = ["factorial", "speaker", "prosody", "noise", "human"].map { (name: String) in
  notebook.tracked("data-manifests/\(name).json", as: name) { try PairSuite(manifest: $0) }
}
_ = notebook.input("artifacts/suite", as: "suite audio")
let (factorial, speakers, prosody, noise, people) = (
  suites[0], suites[1], suites[2], suites[3], suites[4]
)
guard let recordings = notebook.recordings() else { exit(0) }
let split = notebook.options.quick == nil ? rules.confirmSplit : rules.selectionSplit
if notebook.options.marks.isEmpty {
  notebook.open(
    [
      ("phoneme", study.suite), ("factorial", factorial), ("speaker", speakers),
      ("prosody", prosody), ("noise", noise), ("human", people),
    ], of: study, for: "across models")
}

/// The pairs of the split, every so many-th; of a quick run a few from all over it.
@MainActor func ofSplit(_ suite: PairSuite, every step: Int = 1) -> [MinimalPair] {
  let own = suite.pairs.filter { $0.split == split }.every(step)
  return notebook.options.quick.map { own.spread($0) } ?? own
}

/// A set of pairs, and the suite in which each finds its unrelated item.
struct Voices: Sendable {
  let name: String
  let suite: PairSuite
  let pairs: [MinimalPair]
}

let voices = [
  Voices(
    name: "synthetic", suite: study.suite, pairs: ofSplit(study.suite, every: fixed.everyPair)),
  // People are all of the test split.
  Voices(
    name: "people", suite: people,
    pairs: ofSplit(people, every: fixed.everyHuman).filter { $0.factor.changesText }),
].filter { !$0.pairs.isEmpty }

// ## One model
//
// The unrelated item is another pair's recording, moved as far as the real source and aligned at its own
// change. Erasing the base's word takes LD half of the way, so that it is the contrast that counts. Of the
// contrasts of all cells in both directions a max-T test is made; a *block* is a rectangle of neighbouring
// depths and windows in each of whose cells both directions recover at least half of the gap and exceed the
// unrelated item. A map has a bottleneck where there is such a block and all such cells together are at most
// a fifth of the map. Where an effect lies says less: what erases a word does so at the word, so that the
// unrelated item's map has the same place, and its numbers stand beside the real ones.

@MainActor func tasks(_ model: SpeechModel, _ name: String, _ draw: Random) -> [TaskResult] {
  let sites = model.model.mapSites
  let layers = sites.count { $0.stage == .lm }
  let options = LocalisationOptions(
    sites: sites, early: fixed.earlyLayers(of: layers), share: fixed.mostOfEffect,
    threshold: rules.bottleneckRecovery, draws: rules.bootstrapDraws)
  return voices.flatMap { voices in
    SpokenTask.allCases.compactMap { task -> TaskResult? in
      let what = "\(name), \(voices.name): \(task.title)"
      let measured = notebook.cell(what, over: voices.pairs, key: \.id) { pair in
        try model.taskMap(
          of: pair, task, unrelated: voices.suite.unrelated(to: pair), root: root,
          recordings: recordings)
      }
      let present = measured.compactMap { $0 }
      notebook.control("\(what): self-patch", equals: 0, of: present.flatMap(\.map.selfPatched))
      notebook.control(
        "\(what): everything patched", equals: 1, of: present.flatMap(\.map.allPatched))
      let filter = PairFilter(minimumGap: rules.minimumGap)
      let kept = zip(voices.pairs, measured).compactMap { pair, map in
        map.flatMap {
          filter.reason(clean: $0.map.clean, corrupt: $0.map.corrupt) == nil
            ? (pair: pair, map: $0) : nil
        }
      }
      notebook.say("\(what): \(kept.count) of \(measured.count) pairs enter")
      let reading = notebook.cell("\(what), read") {
        kept.map(\.map).reading(
          of: kept.map(\.pair), asked: measured.count, options, level: fixed.level,
          draw.split(voices.name).split(task.rawValue))
      }
      guard let reading else {
        notebook.say("\(what): too few groups enter for a map, which is left out")
        return nil
      }
      return TaskResult(
        model: name, voices: voices.name, task: task, sites: sites, reading: reading)
    }
  }
}

// An encoder that sees all of a recording spreads every sound over it, so that behind it "when" is a
// position and no longer a moment. How far is measured in the waveform: the changed span alone is exchanged,
// and what that moves is read at every distance from it. Then the same words are taken by another speaker
// and in noise; speaker and prosody are changed and the words kept; and where noise makes the model say a
// wrong word, the clean run's activations are put into the noisy one.

let leaking = ofSplit(study.suite, every: 2)
let mistakable = ofSplit(noise, every: 2)

@MainActor func factors(_ model: SpeechModel, _ name: String, _ draw: Random) -> FactorResult {
  let sites = model.model.mapSites
  let connector = sites.firstIndex { $0.stage == .connector }!
  let draws = rules.bootstrapDraws
  let leakage = notebook.cell("\(name): leakage", over: leaking, key: \.id) {
    try model.leakage(of: $0, root: root)
  }
  let crossed = ofSplit(factorial)
  let stability = notebook.cell("\(name): stability", over: crossed, key: \.id) {
    try model.stability(of: $0, noise: fixed.noise, root: root)
  }
  let likeness = notebook.cell("\(name): stability, read") {
    stability.likeness(of: crossed, connector: connector, draws: draws, draw.split("stability"))
  }
  var preserving: [(factor: String, reading: PreservingReading)] = []
  for (factor, suite) in [("speaker", speakers), ("prosody", prosody)] {
    let pairs = ofSplit(suite).filter { $0.alignment == .identity }
    let found = notebook.cell("\(name): \(factor)", over: pairs, key: \.id) {
      try model.preserving($0, root: root)
    }
    let kept = zip(pairs, found).compactMap { pair, map in map.map { (pair, $0) } }
    guard !kept.isEmpty else { continue }
    preserving.append(
      (
        factor,
        notebook.cell("\(name): \(factor), read") {
          kept.map(\.1).reading(
            site: connector, groups: kept.map(\.0.group), draws: draws, draw.split(factor))
        }
      ))
  }
  let answers = notebook.cell("\(name): in noise", over: mistakable, key: \.id) {
    try model.noisyAnswer(of: $0, root: root)
  }
  let mistaken = zip(mistakable, answers).filter { $1.isMistaken }
    .map { Mistake(pair: $0, said: $1.token) }.spread(fixed.mistakes)
  let mended = notebook.cell("\(name): mistakes in noise", over: mistaken, key: \.pair.id) { item in
    try model.noiseMap(
      of: item.pair, said: item.said, unrelated: noise.unrelated(to: item.pair), root: root)
  }
  return FactorResult(
    model: name, sites: sites,
    leakage: sites.indices.prefix { sites[$0].stage == .encoder }.map { leakage.curve(site: $0) },
    width: notebook.cell("\(name): leakage, read") {
      model.encoderSites.indices.map { site in
        leakage.width(
          site: site, holding: fixed.mostOfEffect, groups: leaking.map(\.group), draws: draws,
          draw.split("leakage").split(site))
      }
    },
    stability: likeness, preserving: preserving,
    noise: notebook.cell("\(name): mistakes in noise, read") {
      mended.noiseReading(
        answers, sites: sites.indices, groups: mistaken.prefix(mended.count).map(\.pair.group),
        draws: draws, draw.split("noise"))
    })
}

struct Mistake: Sendable {
  let pair: MinimalPair
  let said: Int
}

var results: [TaskResult] = []
var changed: [FactorResult] = []
let names = ["qwen2-audio-small", "qwen2-audio-ctc-small", "salmonn-small", "soundwave-small"]
for name in notebook.checkpoints(names) {
  let model = notebook.checkpoint(name)
  results += tasks(model, name, random.split(name))
  changed.append(factors(model, name, random.split(name)))
}

// ## Figure S7
//
// ![Maps by model and task, and what other factors do](figures/figureS7.svg)
//
// Published models head the summary (`figures/figureS7-summary.tsv`). Theirs are the maps of Figures 4 and
// S3, whose experiments take an hour and need what `make published` fetches; here their committed tables
// are read, one task and other windows each.

let published = ["figure4", "figureS3"].flatMap { figure in
  notebook.tracked("figures/\(figure).tsv", as: figure) { try publishedRows($0, figure: figure) }
}
notebook.figure(
  "figures/figureS7", acrossModelsFigure(results, changed),
  title: "Figure S7: causal maps across models, tasks and factors")
notebook.output(
  "figures/figureS7-summary.tsv", text: acrossModelsTable(published, results, fixed.blockShare))

// ## What the text says
//
// Each claim is decided for every model and task it is asked of. One that always holds is supported, one that
// holds for some is specific to these models or tasks, and else it is refuted.

for result in results { notebook.numbers(of: result) }
for result in changed { notebook.numbers(of: result) }
for (claim, holds) in claims(results, changed, rules, fixed) {
  let statement = attempt { try fixed.statement(claim) }
  for one in holds {
    notebook.claim("\(claim).\(one.of)", "\(statement) (\(one.of))", holds: one.holds)
  }
  if notebook.options.marks.isEmpty {
    notebook.say("\(claim), \(statement): \(Verdict(holds.map(\.holds)).rawValue)")
  }
}
notebook.finish()
