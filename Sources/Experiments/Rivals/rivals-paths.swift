// # Through whom an effect goes in published models
//
// Path patching is asked for most where nobody here has trained anything: which heads of an encoder reach the
// words of a decoder, and through whose attention; which layers of a published language model take up what a
// projector hands it. Procedure, control and rule are those of `rivals-tracing.swift`: the sender takes the clean
// run's value, one receiver alone sees it along the residual stream, and what it makes of it acts on the corrupt run.
// Senders are chosen on discovery, and validation is quoted; no test split is opened.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("rivals-paths")
guard let english = notebook.published("whisper-tiny.en"),
  let model = notebook.joined("qwen2-audio-published", languageModel: "qwen2.5-coder-0.5b")
else { exit(0) }
let study = notebook.study(needing: [\.searchSplit, \.selectionSplit])
let (rules, root) = (study.rules, study.root)
let random = study.random("rivals: paths")
var rows: [RivalRow] = []

/// Means over the pairs that enter: the row of the table, and the effect through each receiver.
@MainActor func quote(
  _ sender: PathSender, as name: String, on model: String, of readings: [PathReading],
  _ pairs: [MinimalPair], through receivers: [PathReceiver]
) {
  let entered = notebook.entering(
    study, readings.map { ($0.clean, $0.corrupt) }, of: "path patching, \(model), \(name)")
  let summary = attempt {
    try entered.map { readings[$0] }.pathSummary(
      sender.name, groups: entered.map { pairs[$0].group }, draws: rules.bootstrapDraws,
      random.split(model))
  }
  let ledger = "rivals.paths.\(model).\(name == "connector" ? name : "head")"
  notebook.number("\(ledger).whole", summary.whole)
  notebook.number("\(ledger).interaction", summary.interaction)
  notebook.number("\(ledger).top", summary.topShare)
  notebook.number("\(ledger).logits", summary.direct)
  for (receiver, effect) in zip(receivers, summary.through) {
    if let effect { notebook.number("\(ledger).\(receiver.name)", effect) }
  }
  notebook.say("\(model), \(sender.name): most through \(summary.top)")
  rows.append(
    RivalRow(
      "path patching", name, on: model, claim: "effects of a component divide over its receivers",
      measure: "sum of path effects over the whole effect, \(sender.name)", effect: summary.sum,
      control: summary.unrelatedSum, holds: summary.addsUp))
}

// ## Whisper: from a head of the encoder to the decoder's attention
//
// Words are asked as in Figure S3: what is said before them is forced, and the two words are compared. Each
// head of tiny.en's encoder is tried on pairs of discovery, at all positions. Of the one that does most the
// receivers are what later layers of the encoder read, and the keys and values that each layer of the decoder
// attends to; nothing of an encoder reaches the logits otherwise. The encoder's last norm at the changed phone
// stands for the connector: there all paths are the decoder's keys and values.

let recogniser = english
let spoken = [rules.searchSplit, rules.selectionSplit].map { split in
  study.suite.pairs.filter { $0.split == split && $0.transcript != nil }
}
let ranking = spoken[0].spread(6)
let heads = attempt {
  let corrupt = try recogniser.questions(for: ranking[0], root: root).corrupt
  return try recogniser.model.headSenders(in: recogniser.model.trace(corrupt))
    .filter { $0.site.stage == .encoder }
}
let effects = notebook.cell("whisper-tiny.en: heads", over: ranking, key: \.id) {
  pair -> [Double] in
  let asked = try recogniser.questions(for: pair, root: root)
  let sites = recogniser.model.sites.filter { site in heads.contains { $0.site == site } }
  let base = try recogniser.model.trace(asked.corrupt, keeping: sites)
  let source = try recogniser.model.trace(asked.clean, keeping: sites)
  let patches = try heads.map { head in
    let cell = Interventions.Cell(head.site, index: head.index)
    return try Selection(cell, base: base, source: source, .identity, strict: true)!.patch()
  }
  return try recogniser.model.patched(base, patches.map { [$0] })
    .map { $0.logitDifference - base.logitDifference }
}
let sizes = heads.indices.map { head in abs(effects.reduce(0) { $0 + $1[head] }) }
let strongest = heads[sizes.indices.reduce(0) { sizes[$1] > sizes[$0] ? $1 : $0 }]
let readers = recogniser.model.pathReceivers
let heardPairs = spoken[1].spread(8)
let through = [
  (strongest, "strongest head"),
  (PathSender(Site(.encoder, .final), .changed(margin: 40)), "connector"),
]
for (sender, name) in through {
  let behind = recogniser.model.receivers(readers, behind: sender.site)
  let read = notebook.cell("whisper-tiny.en: \(name)", over: heardPairs, key: \.id) { pair in
    try recogniser.pathReading(
      pair, of: study.suite, senders: [sender], through: behind, root: root)
  }
  notebook.control(
    "whisper-tiny.en, \(name): no path carries a run's own value", equals: 0, of: read.map(\.own))
  quote(sender, as: name, on: "whisper-tiny.en", of: read, heardPairs, through: behind)
}

// ## A published language model: who takes up the sound
//
// The sender is the projector's output at the changed phone. Of each of the 24 layers, queries, keys and values
// together are one receiver and the MLP is another; with the logits, which no position of the sound writes to,
// they are all paths.

let layers = model.model.lensSites.count - 1
let blocks = (0..<layers).flatMap { layer -> [PathReceiver] in
  [
    PathReceiver(
      "lm.\(layer).attention",
      [Site.Activation.q, .k, .v].map { Interventions.Cell(Site(.lm, layer, $0)) }),
    PathReceiver(Interventions.Cell(Site(.lm, layer, .mlpPost))),
  ]
}
let suite = attempt { try model.spoken(study.suite) }
let asked = suite.pairs.filter { $0.split == rules.selectionSplit }.spread(8)
let sound = PathSender(Site(.connector, .out), .changed(margin: 40))
let taken = notebook.cell("qwen2-audio-published: connector", over: asked, key: \.id) {
  [model, root] pair in
  try model.pathReading(pair, of: suite, senders: [sound], through: blocks, root: root)
}
notebook.control(
  "qwen2-audio-published: no path carries a run's own value", equals: 0, of: taken.map(\.own))
quote(sound, as: "connector", on: "qwen2-audio-published", of: taken, asked, through: blocks)

// ## The rivals side by side
//
// ![Path patching in published models](figures/rivals-paths.svg)

notebook.figure(
  "figures/rivals-paths", rivalsFigure(rows), title: "Rivals: paths in published models")
notebook.numbers(of: rows)
for row in rows {
  notebook.claim("\(row.key).\(row.model)", "\(row.name): \(row.claim)", holds: row.holds)
}
notebook.finish()
