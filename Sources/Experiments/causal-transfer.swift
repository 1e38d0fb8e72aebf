// # Does what is said transfer, and does the speaker stay?
//
// A causal map says where the answer is decided. It does not say that what lies there is *the word*: a
// patch of the whole activation also carries the voice, the room and the loudness. So the activation is
// cut. Two recordings differ in the text and in the speaker,
//
// | | speaker A | speaker B |
// |---|---|---|
// | **text 1** | source | what a transfer of the text should sound like |
// | **text 2** | what a transfer of the voice should sound like | base |
//
// and only a part $P$ of the connector's output goes from the source into the base run,
//
// $$ z' = z_\text{base} + P\,(z_\text{source} - z_\text{base}). $$
//
// If $P$ is the *lexical* subspace, the model should write text 1 and still hear speaker B; if it is that
// of the *voice*, it should hear speaker A and still write text 2. The other two recordings exist, so that
// both have a run of their own to be compared with.

import Corpus
import Figures
import Interventions
import JSON
import Notebook
import Speech
import Tensor

let notebook = experiment(
  "causal-transfer", takes: [.model],
  instead:
    "it crosses text and speaker, in four recordings a pair; e1-causal-map and maps-by-model "
    + "(make figure2 figureS1) take pairs of two")

// ## What is run, and on what
//
// Rules, sizes, draws and the four claims were fixed in `paper/preregistration-transfer.json` before the
// test split was read under them. Subspaces are estimated on pairs of the discovery split, method and
// number of directions are chosen on the validation split, and everything that is quoted is of the test
// split: other sentences, other speakers. That split's two speakers were never seen by an estimate of the
// voice's subspace, which has only the difference of two others to go by.

let rulesFile = "paper/preregistration-transfer.json"
let study = notebook.study(rules: rulesFile)
let (rules, root) = (study.rules, study.root)
let fixed = attempt { try TransferRules("\(root)/\(rulesFile)") }
let random = study.random("causal transfer")
let suites = ["factorial", "speaker", "prosody"].map { (name: String) in
  notebook.tracked("data-manifests/\(name).json", as: name) { try PairSuite(manifest: $0) }
}
_ = notebook.input("artifacts/suite", as: "suite audio")
let (factorial, speakers, prosody) = (suites[0], suites[1], suites[2])
// A quick run does not open the test split; it reads the validation split in its place.

let confirmSplit = notebook.options.quick == nil ? rules.confirmSplit : rules.selectionSplit
if notebook.options.marks.isEmpty {
  notebook.open(
    [
      ("phoneme", study.suite), ("speaker", speakers), ("factorial", factorial),
      ("prosody", prosody),
    ], of: study, for: "transfer")
}

/// The pairs of discovery, validation and test.
@MainActor func splits(_ suite: PairSuite) -> [[MinimalPair]] {
  [rules.searchSplit, rules.selectionSplit, confirmSplit].map { split in
    let own = suite.pairs.filter { $0.split == split }
    return notebook.options.quick.map { own.spread(6 * $0) } ?? own
  }
}

let crossed = factorial.pairs.filter { $0.split == confirmSplit }

struct Item: Sendable {
  let crossing: Crossing
  let stranger: Crossing
}

let items = attempt {
  try crossed.flatMap { pair -> [Item] in
    let others = try Crossing.both(of: factorial.unrelated(to: pair))
    return try zip(Crossing.both(of: pair), others).map { Item(crossing: $0, stranger: $1) }
  }
}

// A pair of the suite whose clean member is there at another pitch too.

let edited = prosody.pairs.filter {
  $0.split == confirmSplit && $0.attribute == nil && $0.alignment == .identity
}.compactMap { edit in
  study.suite.pairs.first { $0.clean.id == edit.clean.id }.map { (pair: $0, edit: edit.corrupt) }
}

// ## Four checkpoints
//
// Each model's lexical subspace is that of the changed moment, the 120 ms from the onset of the changed
// phone on; the voice's is that of every position of the sound. Beside each stand everything but it,
// another item's part in it, the same move at another moment, and random moves of four families, matched
// in dimension, variance, length and Mahalanobis length.

/// What one model's transfers come to.
struct Reading: Sendable {
  let name: String
  let lexical: PartStudy
  let voice: PartStudy
  let asked: Int
  /// All whose moment the connector keeps, and those that enter.
  let all: [(id: String, said: Transferred)]
  let said: [Transferred]
  let probes: ProbeReadings
  let conditions: [ConditionMap]
  let edits: [[ConditionCell]]
}

@MainActor func read(_ name: String) -> Reading? {
  let model = notebook.checkpoint(name)
  let draw = random.split(name)
  func part(_ part: TransferredPart, _ suite: PairSuite) -> PartStudy? {
    let pairs = splits(suite)
    let found = notebook.cell("\(name): \(part.rawValue)") {
      try model.study(part, pairs, rules, fixed, root: root, draw.split(part.rawValue))
    }
    if found == nil {
      notebook.say(
        "\(name): no pair enters by which its \(part.rawValue) subspace could be found; left out")
    }
    return found
  }
  guard let lexical = part(.lexical, study.suite), let voice = part(.voice, speakers) else {
    return nil
  }
  let subspaces = TransferSubspaces(
    lexical: lexical.subspace, voice: voice.subspace, lexicalNatural: lexical.natural,
    voiceNatural: voice.natural)
  let heard = notebook.options.quick.map { Array(items.prefix($0)) } ?? items
  let transferred = notebook.cell("\(name): transfer", over: heard, key: \.crossing.id) { item in
    try model.transfer(
      item.crossing, subspaces, stranger: item.stranger, moment: fixed.moment, root: root,
      draw.split("random moves"))
  }
  let all = zip(heard, transferred).compactMap { item, said in
    said.map { (id: item.crossing.id, said: $0) }
  }
  let said = all.map(\.said)
  let entering = said.entering(minimumGap: rules.minimumGap)
  notebook.say(
    "\(name): \(entering.count) of \(heard.count) crossings enter; lexical \(lexical.method), "
      + "K* = \(lexical.curve.size); voice \(voice.method), K* = \(voice.curve.size)")
  guard !entering.isEmpty else {
    notebook.say("\(name): no crossing enters; left out")
    return nil
  }
  if entering.count < fewestGroups {
    notebook.say("\(name): too few crossings for intervals of what is said, which are left out")
  }

  // Probes read the speaker where the patch is made and two thirds up the language model. They are trained
  // on other sentences of the same speakers, in runs that nobody patches.
  let texts = Set(items.flatMap { [$0.crossing.source.text, $0.crossing.base.text] })
  let voices = Set(items.map(\.crossing.base.voice))
  let others = study.suite.utterances.filter {
    voices.contains($0.voice) && !texts.contains($0.text)
  }
  let probes = notebook.cell("\(name): probes") {
    try model.probeReadings(
      heard.map { ($0.crossing, $0.stranger) }, others, subspaces, moment: fixed.moment,
      root: root, draw.split("random moves"), shuffling: draw.split("labels"),
      draws: rules.bootstrapDraws, draw.split("probes"))
  }

  let conditions = notebook.cell("\(name): conditions", over: crossed, key: \.id) { pair in
    try model.conditions(
      of: pair, lexical: lexical.subspace, moment: fixed.moment, noise: fixed.noise, root: root)
  }
  let edits = notebook.cell("\(name): pitch", over: edited, key: \.edit.id) { item in
    try model.conditions(
      of: item.pair, edited: item.edit, lexical: lexical.subspace, moment: fixed.moment, root: root)
  }
  notebook.control(
    "\(name): a run's own activation changes nothing", equals: 0,
    of: said.flatMap { item -> [Double] in
      let own = item.arms[TransferArm.own.rawValue]!
      return [own.content - item.base.content, own == item.base ? 0 : 1]
    })
  notebook.control(
    "\(name): the whole sound says what the source says", equals: 0,
    of: said.flatMap { item -> [Double] in
      let all = item.arms[TransferArm.sound.rawValue]!
      return [all.content - item.source.content, all == item.source ? 0 : 1]
    })
  return Reading(
    name: name, lexical: lexical, voice: voice, asked: heard.count, all: all, said: entering,
    probes: probes,
    conditions: conditions.compactMap { $0 }, edits: edits)
}

let readings = notebook.checkpoints(
  ["qwen2-audio-small", "qwen2-audio-ctc-small", "salmonn-small", "soundwave-small"]
).compactMap { read($0) }
attempt {
  guard readings.isEmpty else { return }
  throw CellError(
    "no checkpoint is left, so there is nothing to draw; a model is needed that answers the pairs' "
      + "questions about words and speakers")
}

// ## Figure 3
//
// ![Transfer of text and voice, how many directions it takes, and noise](figures/figure3.svg)

@MainActor func shares(_ reading: Reading) -> [(String, TransferShares)] {
  let draw = random.split(reading.name).split("shares")
  let arms = TransferArm.allCases.filter { $0 != .own }.map { arm in
    (arm.rawValue, { (item: Transferred) in item.arms[arm.rawValue] })
  }
  let runs: [(String, (Transferred) -> Said?)] = [
    ("source's text by the base's speaker", { $0.text }),
    ("base's text by the source's speaker", { $0.speaker }), ("source", { $0.source }),
  ]
  return (runs + arms).compactMap { name, said in
    reading.said.shares(name, draws: rules.bootstrapDraws, draw, said).map { (name, $0) }
  }
}

let panels = readings.map { reading in
  TransferPanel(
    name: reading.name, shares: shares(reading), lexical: reading.lexical, voice: reading.voice,
    matrix: reading.conditions.matrix(with: reading.edits.flatMap { $0 }, \.lexical),
    wholeMatrix: reading.conditions.matrix(with: reading.edits.flatMap { $0 }, \.whole),
    simplex: reading.conditions.simplex, path: reading.conditions.path)
}
// What it is good for is measured with Figure 6, by another experiment; of the first model its committed table
// is read here, and of a reader's own model there is none.

let noise =
  notebook.options.model == nil
  ? notebook.tracked("figures/figure6.tsv", as: "figure 6") {
    try noiseCurves($0, of: readings[0].name)
  } : []
notebook.figure(
  "figures/figure3", transferFigure(panels, noise: noise),
  title: "Figure 3: causal transfer of what is said and of who says it")

// What was said in every crossing; and, for another program that repeats it, the subspaces.

notebook.output(
  "figures/figure3-crossings.tsv",
  text: crossingsColumns
    + readings.map { crossingsTable($0.name, $0.all) }.joined())
for reading in readings {
  notebook.output(
    "build/transfer/\(reading.name).json",
    text: (["lexical": reading.lexical.subspace.json, "voice": reading.voice.subspace.json] as JSON)
      .text)
}

// ## What the text says
//
// The four claims are decided for each model by itself: one that holds for all of them is supported, one
// that holds for some is specific to these models, and else it is refuted.

var verdicts: [String: [Bool]] = [:]
for (reading, panel) in zip(readings, panels) {
  let name = "e2.\(reading.name)"
  notebook.numbers(of: reading.lexical, "\(name).lexical")
  notebook.numbers(of: reading.voice, "\(name).voice")
  notebook.numbers(of: reading.probes, "\(name).probe")
  notebook.number("\(name).crossings", Double(reading.asked))
  notebook.number("\(name).crossings.enter", Double(reading.said.count))
  for (arm, shares) in panel.shares {
    notebook.numbers(of: shares, "\(name).transfer.\(arm.ledgerName)", claim: "T3")
  }
  let separations = TransferredPart.allCases.map { part in
    let found = reading.said.separation(
      part, draws: rules.bootstrapDraws,
      random.split(reading.name).split("separation").split(part.rawValue))
    notebook.number("\(name).\(part.rawValue).cause", found.cause, claim: "T4")
    notebook.number("\(name).\(part.rawValue).isolate", found.isolate, claim: "T4")
    notebook.number("\(name).\(part.rawValue).separation", found.mean, claim: "T4")
    return found.mean
  }
  let cosines = reading.lexical.subspace.principalCosines(to: reading.voice.subspace)
  notebook.number("\(name).angles.largestCosine", cosines.first ?? 0, tolerance: 1e-6)
  let bend = reading.conditions.bend
  notebook.number("\(name).simplex.largestBend", bend.simplex, tolerance: 1e-6)
  notebook.number("\(name).path.largestStep", bend.step, tolerance: 1e-6)

  let said = Dictionary(uniqueKeysWithValues: panel.shares)
  let holds = TransferVerdicts(
    lexical: reading.lexical, base: said[TransferArm.base.rawValue]!,
    patched: said[TransferArm.lexical.rawValue]!, wrong: said[TransferArm.wrongItem.rawValue]!,
    separations: separations
  ).claims(rules, fixed)
  for (id, holds) in holds {
    verdicts[id, default: []].append(holds)
    notebook.claim(
      "\(id).\(reading.name)", attempt { try fixed.statement(id) } + " (\(reading.name))",
      holds: holds)
  }
}
for (id, holds) in verdicts.sorted(by: { $0.key < $1.key }) where notebook.options.marks.isEmpty {
  let verdict =
    holds.allSatisfy { $0 } ? "supported" : holds.contains(true) ? "model-specific" : "refuted"
  notebook.say("\(id), \(attempt { try fixed.statement(id) }): \(verdict)")
}
notebook.finish()
