// # What the map is good for: texts where nobody speaks
//
// A published Whisper writes sentences for hum, clicks and music. Figure S4 says where it holds that there
// is speech: in the sound's own positions, up to the encoder's last layer, and from there in some heads of
// the decoder's cross-attention. Here these places are used, at inference and without training anything:
// to leave out a text, or to change activations so that the model itself leaves it out.
//
// Sounds belong to a split by their kind, speech by its speaker and sentence. Directions are estimated on
// discovery, strengths are chosen on validation, and what is quoted is of the test split: kinds of sound,
// speakers and sentences that nothing was chosen on. Whisper tiny.en chooses every strength; on Whisper
// base it is taken as it is, and only the direction is estimated anew. Rules and claims were fixed in
// `paper/preregistration-hallucination.json` before any sound of the test split was heard.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("e3-hallucination")
guard let english = notebook.published("whisper-tiny.en"),
  let base = notebook.published("whisper-base")
else { exit(0) }
let rulesFile = "paper/preregistration-hallucination.json"
let study = notebook.study(rules: rulesFile)
let (rules, root) = (study.rules, study.root)
let fixed = attempt { try HallucinationRules("\(root)/\(rulesFile)") }
let random = study.random("e3 hallucination")
let listed = notebook.tracked("data-manifests/nonspeech.json", as: "sounds") {
  try NonSpeechSet(manifest: $0)
}
let heads = ["whisper-base", "whisper-tiny.en"].map { (name: String) in
  notebook.tracked("figures/figureS4.tsv", as: "heads of \(name)") {
    try rankedHeads(ofTable: $0, model: name)
  }
}

// A quick run does not open the test split.

let confirm = notebook.options.quick == nil ? rules.confirmSplit : rules.selectionSplit
if notebook.options.quick == nil {
  notebook.open([("speech", study.suite)], of: study, for: "hallucination")
  attempt {
    try OpeningLog("\(root)/paper/openings.tsv").open(
      "hallucination: sounds \(confirm)",
      items: Splits(listed.sounds.map { SplitItem($0) }).digest(confirm), under: rules.digest,
      by: notebook.name)
  }
}

// ## Material
//
// Every second length of each kind of sound, 1 to 30 s. Beside them 16 utterances of each split and 16
// stretches of four utterances of one speaker, one after another, so that speech is not short.

@MainActor func recordings(_ split: String) -> [Recording] {
  let utterances = study.suite.utterances.filter { $0.split == split }
  return taking(turns: [
    listed.recordings(of: split),
    utterances.recordings(fixed.utterances, joining: fixed.joined, root: root),
  ])
}

// ## What is done to a text
//
// *Whisper's own rule* leaves a text out where p(no speech) > 0.6 and the mean log-probability of its
// tokens is below -1; *p(no speech)* alone is tried at ten thresholds. The *gate* reads the mean of the
// sound's positions behind the encoder's last layer along the direction from sounds to speech, and leaves
// out what lies below a threshold. The *move* carries all of those positions further to the side on which
// the recording lies, and *pruning* sets to zero the heads that Figure S4 names; both read p(no speech) >
// 0.6 of the changed model, beside which stands the same reading of the unchanged one. Beside gate, move and pruning stand directions as long and heads as many that
// are drawn at random, and a gate of the same make on the log-mel, which needs no model.
//
// *Mean donors* were added when the test split had been read, and are exploratory: every position of the sound is
// given, along the same direction, what sounds or speech have on average, by the side on which the recording lies; and
// the heads of Figure S4 gather what they gather from sounds on average, at every step.

@MainActor func changes(_ name: String, _ recogniser: Recogniser, _ heads: [CrossHead])
  -> TextChanges
{
  let known = recordings(rules.searchSplit)
  let means = notebook.cell("\(name), discovery", over: known, key: \.id) { recording in
    let clip = try recogniser.model.clip(recording.wave())
    return HeardMeans(of: clip, try recogniser.listened(to: clip))
  }
  let gathered = notebook.cell("\(name), heads", over: known.filter { !$0.isSpeech }, key: \.id) {
    try recogniser.gathered(from: $0, limit: fixed.limit)
  }
  return attempt {
    try TextChanges(
      zip(means, known).map { ($0, $1.isSpeech) }, heads: heads, gathered: gathered,
      draws: fixed.draws, crowd: 20, random.split(name))
  }
}

// ## Strengths, chosen on validation
//
// Of each intervention the strength that leaves the fewest texts at a cost below one point of word error
// rate on speech. One that leaves none out at that price has no strength, and is said to have none.

let tried = recordings(rules.selectionSplit)
let englishChanges = changes("whisper-tiny.en", english, heads[1])
let arms = TextArm.allCases
let tries = Dictionary(uniqueKeysWithValues: arms.map { ($0, $0.strengths(fixed)) })
let seen = notebook.cell("whisper-tiny.en, validation", over: tried, key: \.id) {
  try english.hear(
    $0, englishChanges, strengths: tries, limit: fixed.limit, random.split("whisper-tiny.en"))
}
let curves = attempt { try arms.map { try $0.curve(tried, seen, fixed) } }
var chosen: [TextArm: Double] = [.all: 0, .own: 0, .read: fixed.read]
for (arm, curve) in zip(arms, curves) where chosen[arm] == nil {
  chosen[arm] = curve.chosen(below: fixed.cost, doing: curves[0][0].rate)?.strength
  notebook.say("\(arm.rawValue): " + (chosen[arm].map { "\($0)" } ?? "no strength below the cost"))
}

// ## The test split

let tested = recordings(confirm)
let quoted = chosen.mapValues { [$0] }
let models = [("whisper-base", base), ("whisper-tiny.en", english)]
let results = models.map { name, recogniser -> (name: String, heard: [HeardText]) in
  let own = name == "whisper-tiny.en" ? englishChanges : changes(name, recogniser, heads[0])
  return (
    name,
    notebook.cell("\(name), test", over: tested, key: \.id) {
      try recogniser.hear($0, own, strengths: quoted, limit: fixed.limit, random.split(name))
    }
  )
}

for (name, heard) in results {
  notebook.control(
    "\(name): a move by nothing changes nothing", equals: 0, of: heard.map { $0.isInert ? 0 : 1 })
}

// Intervals draw kinds of sound, and sentences by speaker.

/// A quantity of an arm's texts over another, in one model.
@MainActor func mean(
  _ name: String, of heard: [HeardText], speech: Bool, over: (Recording) -> Double = { _ in 1 },
  _ random: Random, _ value: (HeardText, Recording) -> Double
) -> Estimate {
  let known = zip(heard, tested).filter { $1.isSpeech == speech }
  return ratioOfMeans(
    known.map { value($0.0, $0.1) }, known.map { over($0.1) }, groups: known.map(\.1.group),
    draws: rules.bootstrapDraws, random.split(name))
}

var rows: [PayoffRow] = []
for (name, heard) in results {
  let draw = random.split(name).split("intervals")
  for arm in arms {
    let strength = chosen[arm]
    rows.append(
      PayoffRow(
        model: name, arm: arm, strength: strength,
        rate: strength.map { strength in
          mean(arm.rawValue, of: heard, speech: false, draw) {
            arm.leaves($0, of: $1, at: strength, fixed).words
          }
        },
        cost: strength.map { strength in
          mean(
            "cost \(arm.rawValue)", of: heard, speech: true,
            over: { Double(normalisedWords($0.text).count) }, draw
          ) {
            arm.leaves($0, of: $1, at: strength, fixed).errors
              - TextArm.all.leaves($0, of: $1, at: 0, fixed).errors
          }
        }))
  }
}

// ## What tells sound from speech
//
// The area under the receiver operating characteristic of each score, over the test split; of drawn directions
// the mean.

let scores: [(name: String, scores: (HeardText) -> [Double])] = [
  ("axis at the encoder's last layer", { [$0.axis] }), ("drawn directions there", { $0.drawn }),
  ("axis of the log-mel", { [$0.mel] }), ("p(no speech)", { [-$0.plain.noSpeech] }),
  ("mean log-probability", { [$0.plain.meanLogProbability] }),
  ("p(end at once)", { [-$0.plain.endAtOnce] }),
]
var areas: [PayoffArea] = []
for (name, heard) in results {
  for (what, scores) in scores {
    let known = Array(zip(tested, heard))
    let grouped = clustered(
      known.map { (isMeant: $0.0.isSpeech, scores: scores($0.1)) }, by: known.map(\.0.group))
    let area = clusterInterval(
      of: grouped, draws: rules.bootstrapDraws, widened: true,
      random.split(name).split("area").split(what)
    ) { meanRankedArea($0.flatMap { $0 }) }
    areas.append(PayoffArea(model: name, score: what, area: area))
  }
}

// ## Figure 5
//
// ![Texts where nobody speaks, and what leaves them out](figures/figure5.svg)

notebook.figure(
  "figures/figure5",
  payoffFigure(
    curves: zip(arms, curves).map {
      PayoffCurve(arm: $0, points: $1, chosen: chosen[$0])
    }, rows: rows, areas: areas, cost: fixed.cost),
  title: "Figure 5: texts where nobody speaks, and what leaves them out")

// What was written for every recording of the test split.

notebook.output(
  "figures/figure5-recordings.tsv",
  text: recordingsColumns
    + results.map { recordingsTable($0.name, tested, $0.heard) }.joined())

// ## What the text says

for row in rows {
  let name = "e3.hallucination.\(row.model).\(row.arm.rawValue.ledgerName)"
  if let strength = row.strength { notebook.number("\(name).strength", strength) }
  if let rate = row.rate { notebook.number("\(name).rate", rate) }
  if let cost = row.cost { notebook.number("\(name).cost", cost) }
}

// Looked at afterwards, and exploratory: what a drawn direction leaves where the gate's own threshold is put on it;
// the mean area of twenty such directions, and how many of them have a smaller one than the axis; and of how many
// recordings of speech the gate leaves the text out, exactly (Clopper and Pearson), since an interval of draws has no
// width where none is lost.

for (name, heard) in results {
  guard let strength = chosen[.gate] else { continue }
  let ledger = "e3.hallucination.\(name)"
  let draw = random.split(name).split("afterwards")
  notebook.number(
    "\(ledger).gateDrawnDirection.atTheGates.rate",
    mean("drawn", of: heard, speech: false, draw) {
      TextArm.drawnGate.leaves($0, of: $1, at: strength, fixed).words
    })
  let sounds = zip(heard, tested).filter { !$1.isSpeech }.map(\.0)
  let speech = zip(heard, tested).filter { $1.isSpeech }.map(\.0)
  func area(_ score: (HeardText) -> Double) -> Double {
    rankedArea(speech.map(score), over: sounds.map(score))!
  }
  let crowd = heard[0].crowd.indices.map { direction in area { $0.crowd[direction] } }
  notebook.number("\(ledger).area.twentyDirections", crowd.reduce(0, +) / Double(crowd.count))
  notebook.number(
    "\(ledger).area.directionsBelowTheAxis", Double(crowd.count { $0 < area(\.axis) }))
  let spoken = zip(heard, tested).filter(\.1.isSpeech)
  let lost = spoken.count {
    TextArm.all.leaves($0, of: $1, at: 0, fixed).words == 1
      && TextArm.gate.leaves($0, of: $1, at: strength, fixed).words == 0
  }
  notebook.number("\(ledger).gate.lost", clopperPearson(lost, of: spoken.count))
}
for area in areas {
  notebook.number("e3.hallucination.\(area.model).area.\(area.score.ledgerName)", area.area)
}
for (name, heard) in results {
  /// Whether an arm leaves fewer texts than so many times another, by all of the interval; an arm that
  /// was given no strength leaves whatever is written.
  @MainActor func fewer(_ arm: TextArm, than other: TextArm, times share: Double = 1) -> Bool {
    guard let a = chosen[arm] else { return false }
    let (other, b) = chosen[other].map { (other, $0) } ?? (.all, 0)
    let excess = mean(
      "\(arm) \(other) \(share)", of: heard, speech: false, random.split(name).split("claims")
    ) {
      arm.leaves($0, of: $1, at: a, fixed).words
        - share * other.leaves($0, of: $1, at: b, fixed).words
    }
    return excess.high < 0
  }
  func isCheap(_ arm: TextArm) -> Bool {
    let cost = rows.first { $0.model == name && $0.arm == arm }?.cost
    return cost.map { $0.value < fixed.cost } ?? false
  }
  for (id, holds) in [
    ("W1", fewer(.gate, than: .own, times: 0.5) && isCheap(.gate)),
    ("W2", fewer(.gate, than: .noSpeech)),
    ("W3", fewer(.move, than: .own, times: 0.5) && isCheap(.move)),
    ("W4", fewer(.gate, than: .drawnGate) && fewer(.move, than: .drawnMove)),
  ] {
    notebook.claim(
      "\(id).\(name)", attempt { try fixed.statement(id) } + " (\(name))", holds: holds)
  }
}
notebook.finish()
