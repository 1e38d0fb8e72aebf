// # What is found in published Whispers by lenses and by stopping loops
//
// Beyond Transcription is a study of Whisper, so it is run on Whisper. Sounds and sentences of the discovery split
// choose, those of validation are quoted; comparing methods opens no test split.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("rivals-whisper")
guard let english = notebook.published("whisper-tiny.en"),
  let base = notebook.published("whisper-base")
else { exit(0) }
let study = notebook.study(needing: [\.searchSplit, \.selectionSplit])
let (rules, root) = (study.rules, study.root)
let random = study.random("rivals: whisper")
var rows: [RivalRow] = []

// ## Beyond Transcription
//
// Glazer et al. (2025, arXiv 2508.15882) read Whisper through lenses and stop its repetition loops. Three of
// their procedures on the models that they are made for, each with a control that it lacks.
//
// The *logit lens* reads the decoder's residual stream behind a layer as if it were the last; the layer from
// which on the most probable token stays what it is settles it. That this is late is what a lens says that
// reads nothing, too, so the control reads the other recording's stream at the same place, of tokens that
// differ, and the claim asks for more than lateness: most tokens are settled in the last third, and fewer
// than by the control. Beside both, the exchange: from which layer on the stream at one position alone makes
// another recording's run say the token. The *encoder lens* hands each layer of the encoder to the decoder.

let published = [("whisper-base", base), ("whisper-tiny.en", english)]
let spoken = study.suite.utterances.filter { $0.split == rules.selectionSplit }
  .recordings(4, joining: 4, root: root)
let lensPairs = [0, 4].flatMap { at in (at..<at + 2).map { (spoken[$0], spoken[$0 + 2]) } }
for (name, recogniser) in published {
  let readings = notebook.cell(
    "\(name): lenses", over: lensPairs, key: { "\($0.0.id), \($0.1.id)" }
  ) { try recogniser.lenses($0.0, $0.1, limit: 64) }.flatMap { $0 }
  notebook.control(
    "\(name): the last layer is the usual transcript", equals: 0,
    of: readings.map { $0.isExact ? 0 : 1 })
  let groups = lensPairs.prefix(readings.count / 2).flatMap { [$0.0.group, $0.1.group] }
  let seen = attempt {
    try WhisperLensSummary(
      readings, groups: groups, draws: rules.bootstrapDraws, random.split("lenses").split(name))
  }
  for (layer, rate) in seen.errors.enumerated() {
    notebook.number("rivals.beyond.\(name).encoderLens.\(layer + 1)", rate)
  }
  notebook.number("rivals.beyond.\(name).encoderLens.stranger", seen.stranger)
  notebook.number("rivals.beyond.\(name).saturation.own", seen.depth.own)
  notebook.number("rivals.beyond.\(name).saturation.blind", seen.depth.blind)
  notebook.number("rivals.beyond.\(name).saturation.carried", seen.depth.carried)
  rows.append(
    RivalRow(
      "Beyond Transcription", "logit lens", on: name,
      claim: "a token is settled in the last third of the decoder",
      measure: "share of tokens whose saturation layer lies there; control: another recording's",
      effect: seen.late.own, control: seen.late.blind, tap: seen.late.carried,
      holds: seen.late.own.low > 0.5 && seen.late.own.high < seen.late.blind.low))
}

// *Loops.* Stretches of four utterances, played backwards, are no speech and make the model repeat itself: a
// loop is a transcript of 64 tokens that ends in one piece three times. Each head of the attention to the
// sound is taken to what it has on white noise as loud, or to zero; so is what each layer's attentions and
// MLP write. Sounds of discovery choose, and sounds of validation are quoted: the best head of all, and the
// best of as many drawn moves. The claim holds where the chosen head ends more than half of the loops, by the
// lower end of its interval, and more than the best drawn move, by the interval of the difference. Beside it,
// the four heads that the map names (Figure S4), as many as Figure 5 prunes; and what the head costs on
// speech.

let (name, recogniser) = ("whisper-tiny.en", english)
let draw = random.split("loops").split(name)
let ranked = notebook.tracked("figures/figureS4.tsv", as: "heads of the map") {
  try rankedHeads(ofTable: $0, model: name)
}
let mapped = [Array(ranked.prefix(4))]

/// Stretches of one split.
@MainActor func stretches(_ split: String, _ count: Int) -> [Recording] {
  Array(
    study.suite.utterances.filter { $0.split == split }
      .recordings(count, joining: 4, root: root).suffix(count))
}
@MainActor func read(
  _ what: String, _ recordings: [Recording], _ trials: [LoopTrial], backwards: Bool
) -> [ChangedTranscripts] {
  notebook.cell("\(name): \(what)", over: recordings, key: \.id) { recording in
    let wave = try recording.wave()
    return try recogniser.transcripts(
      of: backwards ? Waveform(samples: wave.samples.reversed(), rate: wave.rate) : wave,
      named: recording.id, trials, pruned: mapped, loopsAlone: backwards, limit: 64, draw)
  }
}

let kinds = DecoderPart.Kind.allCases
let tried =
  LoopArm.allCases.flatMap { arm in
    DecoderPart.all(.head, of: recogniser.model).map { LoopTrial($0, arm) }
  }
  + kinds.filter { $0 != .head }.flatMap { kind in
    DecoderPart.all(kind, of: recogniser.model).map { LoopTrial($0, .zero) }
  }
let choosing = read("loops, discovery", stretches(rules.searchSplit, 8), tried, backwards: true)
func isReal(_ trial: LoopTrial) -> Bool { trial.arm.control != nil }
let best = attempt {
  try [true, false].map { real in
    try bestTrial(of: tried, on: choosing) { $0.part.kind == .head && isReal($0) == real }
  }
    + kinds.filter { $0 != .head }.map { kind in
      try bestTrial(of: tried, on: choosing) { $0.part.kind == kind }
    }
}
let chosen =
  best.map(\.trial) + [
    LoopTrial(best[0].trial.part, best[0].trial.arm, alpha: 0.5),
    LoopTrial(best[0].trial.part, best[0].trial.arm, alpha: 0),
  ]
let others = stretches(rules.selectionSplit, 14)
let quoted = read("loops, validation", others, chosen, backwards: true)
let talk = stretches(rules.selectionSplit, 8)
let clean = read(
  "loops, speech", talk, Array(chosen.prefix(2)), backwards: false)
notebook.control(
  "\(name): alpha 0 leaves every loop as it is", equals: 0,
  of: quoted.filter(\.plain.endsInLoop).map { $0.changed[chosen.count - 1] == $0.plain ? 0 : 1 })

/// Of the loops of validation, a share, or a difference of two.
@MainActor func share(
  _ name: String, isShare: Bool = true, _ value: (ChangedTranscripts) -> Double
) -> Estimate {
  attempt {
    try meanOverLoops(
      quoted, groups: others.prefix(quoted.count).map(\.group), draws: rules.bootstrapDraws,
      isShare: isShare, draw.split(name), value)
  }
}
func ends(_ transcript: Transcript) -> Double { transcript.endsInLoop ? 0 : 1 }
let ended = chosen.indices.map { trial in share("\(trial)") { ends($0.changed[trial]) } }
let gap = share("gap", isShare: false) { ends($0.changed[0]) - ends($0.changed[1]) }
let labels = ["head", "drawn"] + kinds.filter { $0 != .head }.map(\.rawValue.ledgerName) + ["half"]
for (i, label) in labels.enumerated() {
  notebook.number("rivals.beyond.\(name).loops.\(label)", ended[i])
  if i < best.count {
    notebook.number("rivals.beyond.\(name).loops.\(label).chosenOn", best[i].share)
  }
}
notebook.say("\(name): \(best.map { "\($0.trial.part.name), \($0.trial.arm.rawValue)" })")
notebook.number("rivals.beyond.\(name).loops.gap", gap)
for (label, trial) in [("head", 0), ("drawn", 1)] {
  notebook.number(
    "rivals.beyond.\(name).loops.\(label).cost",
    attempt {
      try costOnSpeech(
        clean, texts: talk.prefix(clean.count).map(\.text),
        groups: talk.prefix(clean.count).map(\.group), draws: rules.bootstrapDraws,
        draw.split("cost \(label)")
      ) { $0.changed[trial] }
    })
}
rows.append(
  RivalRow(
    "Beyond Transcription", "loops", on: name,
    claim: "one head of the attention to the sound is behind most repetition loops",
    measure: "share of loops that the chosen head ends; control: best of as many drawn moves",
    effect: ended[0], control: ended[1], tap: share("map") { ends($0.pruned[0]) },
    holds: ended[0].low > 0.5 && gap.low > 0))

// ## The rivals side by side
//
// ![Other procedures beside their controls](figures/rivals-whisper.svg)

notebook.figure("figures/rivals-whisper", rivalsFigure(rows), title: "Rivals: published Whispers")
notebook.numbers(of: rows)
for row in rows {
  notebook.claim("\(row.key).\(row.model)", "\(row.name): \(row.claim)", holds: row.holds)
}
notebook.finish()
