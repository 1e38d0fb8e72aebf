// # The sanity checks in a model of two published halves
//
// Figure S6 asks what would fool us of small models that were trained here. The same checks are put here
// to Whisper base's encoder and Qwen2.5-Coder-0.5B, joined by a projector: the one place looked at is what the
// projector gives in the changed phone and 120 ms on either side of it, which Figure 4 names.
//
// Rules and counts were fixed in `paper/preregistration-sanity-published.json`; trial runs read the
// validation split. What Figure 4 had shown of the test split was known: that the moment carries the
// answer, that an unrelated item does less, and that a projector drawn at random passes on next to nothing
// (-0.01 of the gap), so that each of its cells must stay within a tenth. Scrubbing and probes are left to the
// small checkpoints: resampled runs behind the projector cost a second of a core each. A check that fails
// ends this program with status 1, in front of every output.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("published-sanity")
let path = "paper/preregistration-sanity-published.json"
let study = notebook.study(rules: path)
let homophones = notebook.tracked("data-manifests/homophone.json", as: "homophones") {
  try PairSuite(manifest: $0)
}
_ = notebook.input("artifacts/suite", as: "audio of homophones")
let (rules, root) = (study.rules, study.root)
let checks = attempt { try SanityChecks("\(root)/\(path)") }
let name = "qwen2-audio-published"
let random = study.random("published sanity")
guard notebook.publishedFolder("whisper-base") != nil,
  let model = notebook.joined(name, languageModel: "qwen2.5-coder-0.5b")
else { exit(0) }

// Questions are put in natural language, of pairs whose answers begin with different tokens. A quick run
// reads the validation split.

let split = notebook.options.quick == nil ? rules.confirmSplit : rules.selectionSplit
if notebook.options.quick == nil {
  notebook.open(
    [("phoneme", study.suite), ("homophone", homophones)], of: study, for: "published sanity")
}
let (suite, alike) = attempt { (try model.spoken(study.suite), try model.spoken(homophones)) }
let answers = attempt { try model.firstTokens(ofAnswersIn: suite) }
@MainActor func count(_ what: String) -> Int { attempt { try checks.count(what) } }
let pairs = suite.pairs.filter { $0.split == split }.spread(count("pairs"))
let site = Site(.connector, .out)

var rows: [SanityRow] = []
@MainActor func state(_ id: String, _ evidence: SanityEvidence) {
  rows.append(notebook.control(id, of: name, evidence, under: checks))
}

// ## Gates, another item, the wrong transcript, and shams
//
// What is measured of each pair, and why by which number, is told with Figure S6.

let gated = Set(pairs.spread(count("gates")).map(\.id))
let measured = notebook.cell("pairs", over: pairs, key: \.id) { pair in
  try model.checked(
    pair, of: suite, at: site, checks.window, transcribe: "Transcribe.",
    gated: gated.contains(pair.id), answers: answers, root: root, random)
}
let subject = SanitySubject(
  name, model, pairs, measured,
  kept: notebook.entering(
    study, measured.map { ($0.shams.clean.difference, $0.shams.corrupt.difference) }, of: name),
  draws: rules.bootstrapDraws, random)

state("self-patch", SanityEvidence(every: measured.flatMap(\.gates.own)))
state("everything", SanityEvidence(every: measured.flatMap(\.gates.all)))
state(
  "wrong-item.advantage",
  subject.mean("advantage", over: { $0.shams.gap(\.advantage) }) {
    $0.shams.change(by: .wrongItem, \.advantage)
  })
state(
  "wrong-item.erasure",
  subject.mean("erasure", over: \.gap) { $0.shams.change(by: .wrongItem, \.difference) })
state(
  "wrong-item.contrast",
  subject.mean("contrast", over: \.gap) { $0.shams.beyond(.wrongItem) })
state(
  "wrong-item.says",
  subject.excess(
    "says", of: { $0.shams.restores(.source) }, over: { $0.shams.restores(.wrongItem) }))
state("direction.sign", subject.mean("sign", over: \.gap) { -$0.directed.patched })
for (short, sham) in [("item", Director.wrongItem), ("window", .positionSham)] {
  state(
    "direction.answer.\(short)",
    subject.excess(
      "answer, \(short)", of: { $0.directed[.source].answer }, over: { $0.directed[sham].answer }))
  state(
    "direction.transcript.\(short)",
    subject.excess(
      "transcript, \(short)", of: { $0.directed[.source].transcript == true },
      over: { $0.directed[sham].transcript == true }))
}
for (id, sham) in [("silence", Sham.silence), ("noise", .noise), ("backwards", .backwards)] {
  state(id, subject.mean(id, over: \.gap) { $0.shams.beyond(sham) })
}

// ## Where there is nothing to find
//
// Homophones sound alike, so that no patch may change a bit; and the same halves with a projector that was
// drawn and not trained have learnt nothing of each other.

let unheard = notebook.cell(
  "homophones", over: alike.pairs.filter { $0.split == split }.spread(count("homophones")),
  key: \.id
) { try model.changesOfAll($0, root: root) }
state("homophones", SanityEvidence(every: unheard.flatMap { $0 }))

let untrained = attempt {
  try model.withDrawnProjector(Random(seed: UInt64(rules.seed)).split(name).split("projector"))
}
let null = notebook.cell("random projector", over: pairs.spread(count("random")), key: \.id) {
  try untrained.changesByWindow($0, margin: checks.margin, root: root)
}
state(
  "random-weights",
  SanityEvidence(every: null.flatMap { $0.map { $0 / subject.gap } }))

// ## The table
//
// Figure S6 draws it in front of the small checkpoints.

let table = checks.ordered(rows)
if notebook.options.quick == nil { attempt { try checks.demandEvery(in: table) } }
notebook.say(table.summary)
notebook.output("figures/figureS6-published.tsv", text: table.table)
for (what, number) in subject.details { notebook.number("sanity.\(name).\(what)", number) }
notebook.finish()
