// # What steering of the encoder leaves of texts where nobody speaks
//
// A published Whisper writes sentences for hum, clicks and music; Figure 5 leaves them out with a direction that
// a causal map pointed to. Aparin et al. (2026, arXiv 2606.07473) steer the encoder itself: along a difference of
// mean activations, or by few latents of a sparse autoencoder, so that a text is not written in the first place;
// they report a rate that falls from 72.63% to 14.11% in Whisper small at little cost on speech, and information
// that is linearly separable, held by few features and grows with depth. Here both are run on tiny.en, on the
// recordings of Figure 5, beside matched controls and beside that figure's arms.
//
// Sounds of the discovery split, and speech beside them, train the autoencoders and give all means; sounds of
// other lengths and other sentences of that split choose arms and strengths; kinds of sound, and sentences, of
// validation are quoted. No test split is opened.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("rivals-hallucination")
let model = "whisper-tiny.en"
guard let english = notebook.published(model) else { exit(0) }
let rulesFile = "paper/preregistration-hallucination.json"
let study = notebook.study(rules: rulesFile, needing: [\.searchSplit, \.selectionSplit])
let (rules, root) = (study.rules, study.root)
let fixed = attempt { try HallucinationRules("\(root)/\(rulesFile)") }
let random = study.random("rivals: hallucination")
let listed = notebook.tracked("data-manifests/nonspeech.json", as: "sounds") {
  try NonSpeechSet(manifest: $0)
}

// ## Recordings
//
// As in Figure 5 every second length of each kind of sound, with 16 utterances and 16 stretches of four; those
// that choose have three of the other lengths, and half as much speech.

@MainActor func recordings(_ split: String) -> [Recording] {
  taking(turns: [
    listed.recordings(of: split),
    study.suite.utterances.filter { $0.split == split }
      .recordings(fixed.utterances, joining: fixed.joined, root: root),
  ])
}
let known = recordings(rules.searchSplit)
let used = Set(known.flatMap { $0.id.split(separator: " ") }.map(String.init))
let choosing = taking(turns: [
  zip(listed.sounds, listed.digests).filter { sound, _ in
    sound.kind.split == rules.searchSplit && [3, 12, 24].contains(sound.seconds)
  }.map { Recording($0, digest: $1) },
  study.suite.utterances.filter { $0.split == rules.searchSplit && !used.contains($0.id) }
    .recordings(fixed.utterances / 2, joining: fixed.joined, root: root),
])
let quoted = recordings(rules.selectionSplit)

// ## Activations and latents
//
// 48 positions of each recording's sound behind each layer train an autoencoder of 3072 latents there (BatchTopK,
// eight times the width as in the paper; 32 for its 50, the width being half of the smaller model's or less).
// A recording is the mean over its positions. Sounds that words are written for are told from those that none are
// written for, by the model's own text, and from speech.

let (positions, few) = (48, 8)
let encoded = notebook.cell("known recordings", over: known, key: \.id) {
  try english.encoded($0, positions: positions, limit: fixed.limit)
}
let pairs = zip(known, encoded).map { (recording: $0, encoded: $1) }
let (setting, layers) = (
  SparseSetting(.batchTopK(32), expansion: 8), english.model.config.encoder.layers
)
let numbers = notebook.cell("autoencoders") {
  try mapInParallel(layers) { layer in
    try setting.trained(
      on: joiningRows(pairs.map { $0.encoded.samples.layers[layer] }), steps: 250, batch: 256,
      seeds: [layer], random.split("autoencoders"))
  }.flatMap { $0 }
}
let autoencoders = setting.autoencoders(
  numbers, seeds: layers, width: english.model.config.encoder.width)
let axis = attempt {
  try SpeechAxis(
    sounds: pairs.filter { !$0.recording.isSpeech }.map(\.encoded.means.stream),
    speech: pairs.filter(\.recording.isSpeech).map(\.encoded.means.stream))
}
let steering = attempt {
  try EncoderSteering(
    autoencoders[autoencoders.count - 1], pairs, axis: axis, random.split("steering"))
}

// ## Arms and strengths
//
// Behind the last layer, where Figure 5 moves activations, every recording is steered alike, at every position.
// Sounds with a text are moved to those without one, or to all else, speech among it; or speech is moved to sounds.
// In activation space the contrast's difference of means is added, times a strength. In latent space the 8 or 64
// latents whose means lie most deviations apart are moved by their own differences, or those of them that
// steering leads away from are set to zero; what the autoencoder does not explain stays. What an arm costs on
// speech is asked where it leaves out a text. Of each space the arm is taken that leaves the fewest sounds with
// words at a cost below one point of word error rate, by the rule of Figure 5, whose gate and move are chosen on
// the same recordings. What is counted is what is written; the move alone is read with p(no speech), as there.

let every = steering.contrasts.flatMap { contrast in
  [0.25, 0.5, 1].map { SteeringArm(.activations, contrast, strength: $0) }
    + [8, 64].flatMap { count in
      [2, 8].map { SteeringArm(.latents, contrast, latents: count, strength: $0) }
        + [SteeringArm(.erased, contrast, latents: count)]
    }
}
@MainActor func hear(
  _ what: String, _ recordings: [Recording], _ arms: [SteeringArm], moves: [Double],
  limit: Int = fixed.limit
) -> [SteeredRecording] {
  let heard = notebook.cell(what, over: recordings, key: \.id) {
    try english.steered($0, steering, arms, moves: moves, positions: positions, limit: limit)
  }
  notebook.control(
    "\(what): strength 0 changes nothing", equals: 0, of: heard.map { $0.isInert ? 0 : 1 })
  return heard
}
let (sounds, speech) = (choosing.filter { !$0.isSpeech }, choosing.filter(\.isSpeech))
let soundsHeard = hear("choosing, sounds", sounds, every, moves: fixed.moves, limit: 16)
let written = soundsHeard.count { $0.encoded.plain.transcript.hasWords }
let fewer = every.indices.filter { arm in
  soundsHeard.count { $0.changed[arm].transcript.hasWords } < written
}
let arms = fewer.map { every[$0] }
let speechHeard = hear("choosing, speech", speech, arms, moves: fixed.moves)
let sweep = attempt {
  try SteeringTest(
    Array(sounds.prefix(soundsHeard.count) + speech.prefix(speechHeard.count)),
    soundsHeard.map { $0.keeping(fewer) } + speechHeard, reading: fixed.read,
    draws: rules.bootstrapDraws)
}

let places = Array(arms.indices)
let curves: [(name: String, ways: [SteeredWay])] = [
  ("activations", places.filter { arms[$0].space == .activations }.map { .arm($0) }),
  ("latents", places.filter { arms[$0].space != .activations }.map { .arm($0) }),
  ("TAP's gate", fixed.gates.map { .gate($0) }),
  ("TAP's move", fixed.moves.indices.map { .move($0) }),
]
let found = curves.map { sweep.curve($0.ways, below: fixed.cost) }

// ## Validation
//
// The chosen arms beside matched controls, two draws each: a direction of the same length, and latents as active
// that are moved by as much. Where no arm of a space is to be had at the price, the one that leaves the fewest
// texts at any price is quoted, and the claim fails.

let quotedWays = found.map { $0.chosen ?? $0.fewest }
let tried = zip([SteeringArm.Space.activations, .latents], quotedWays).flatMap { space, way in
  var own = SteeringArm(space, steering.contrasts[0], latents: few, strength: 0)
  if case .arm(let place)? = way { own = arms[place] }
  return [own] + (0..<fixed.draws).map { own.drawn($0) }
}
var moves: [Double] = []
if case .move(let place)? = quotedWays[3] { moves = [fixed.moves[place]] }
let quotedHeard = hear("validation", quoted, tried, moves: moves)
let test = attempt {
  try SteeringTest(quoted, quotedHeard, reading: fixed.read, draws: rules.bootstrapDraws)
}
let each = 1 + fixed.draws
let (byActivations, byLatents) = (SteeredWay.arm(0), SteeredWay.arm(each))
func drawn(_ first: Int) -> [SteeredWay] { (1..<each).map { .arm(first + $0) } }
let moved: SteeredWay = moves.isEmpty ? .all : .move(0)
let settings = tried.map(\.name) + ["\(quotedWays[2] ?? .all)", "\(moves)"]
let draw = random.split("validation")
let asked: [(name: String, setting: String, ways: [SteeredWay])] = [
  ("whatever is written", "", [.all]), ("Whisper's own rule", "", [.own]),
  ("activations", settings[0], [byActivations]), ("activations, drawn", settings[0], drawn(0)),
  ("latents", settings[each], [byLatents]), ("latents, drawn", settings[each], drawn(each)),
  ("latents, read", settings[each], [.read(each)]),
  ("TAP's gate", settings[2 * each], [quotedWays[2] ?? .all]),
  ("TAP's move", settings[2 * each + 1], [moved]),
]
let results = asked.map { name, setting, ways in
  WrittenResult(
    name, setting: setting, rate: test.rate(ways, draw.split("rate").split(name)),
    cost: test.cost(ways, draw.split("cost").split(name)))
}
let ledger = "rivals.steering.\(model)"
for result in results {
  notebook.number("\(ledger).\(result.name.ledgerName).rate", result.rate)
  notebook.number("\(ledger).\(result.name.ledgerName).cost", result.cost)
}
for (i, name) in ["activations", "latents"].enumerated() {
  notebook.say("\(name): \(settings[i * each])" + (found[i].chosen == nil ? ", at any price" : ""))
  notebook.number("\(ledger).\(name).isToBeHad", found[i].chosen == nil ? 0 : 1)
  notebook.number("\(ledger).\(name).strength", tried[i * each].strength)
  notebook.number("\(ledger).\(name).count", Double(tried[i * each].latents))
}

// The claim holds where an arm of the latents is to be had at the price and, on validation, leaves at most half of
// the texts, by all of the interval of the difference, at a cost below one point, and fewer than latents as active
// that are moved by as much, by all of that interval.

let (half, less) = (
  test.rate([byLatents], less: [.all], times: 0.5, draw.split("half")),
  test.rate([byLatents], less: drawn(each), draw.split("less"))
)
notebook.number("\(ledger).latents.lessHalf", half)
notebook.number("\(ledger).latents.lessDrawn", less)
var rows = [
  RivalRow(
    "SAE steering", "texts", on: model,
    claim: "steering latents halves the texts where nobody speaks, at below a point of word errors",
    measure:
      "share of sounds with words; control: latents as active; TAP: the move of Figure 5, read",
    effect: results[4].rate, control: results[5].rate, tap: results[8].rate,
    holds: found[1].chosen != nil && half.high < 0 && results[4].cost.value < fixed.cost
      && less.high < 0)
]

// ## What tells them apart
//
// Scores are learned on the known recordings and tried on validation, each number weighed by its difference of
// means over its variance within a sort: all activations of a layer, all latents, eight latents, eight as active;
// the log-mel; the sound's length alone; and TAP's axis. The claim holds, for sounds with a text and without one, where eight latents of the
// last layer tell more than eight as active, by all of the interval, no less than all latents by more than 0.05,
// and more than eight of the first layer, by all of the interval.

let scores =
  (0..<layers).flatMap { ["activations.\($0)", "latents.\($0)", "few.\($0)", "drawn.\($0)"] }
  + ["log-mel", "length", "axis"]
let labels = [SteeringContrast.text, .sound].filter { contrast in
  let sorts = test.encoded.compactMap { contrast.isTarget($0.recording, $0.encoded.plain) }
  return Set(sorts).count == 2 && steering.contrasts.contains(contrast)
}
let told = labels.map { contrast in
  attempt {
    try SteeringDetection(
      contrast, known: pairs, quoted: test.encoded, autoencoders, few: few, axis: axis, controls: 5,
      draws: rules.bootstrapDraws, random.split("detection").split(contrast.rawValue))
  }
}
var areas: [WrittenArea] = []
for (contrast, detection) in zip(labels, told) {
  let draw = random.split("areas").split(contrast.rawValue)
  let found = notebook.cell("areas, \(contrast.rawValue)", over: scores, key: \.self) {
    try detection.area(of: $0, draw.split($0))
  }
  for (score, area) in zip(scores, found) {
    notebook.number("\(ledger).area.\(contrast.rawValue.ledgerName).\(score)", area)
    areas.append(WrittenArea(contrast.rawValue, score, area))
  }
}

/// An area of the first contrast, less that of another score.
@MainActor func area(_ score: String, less other: String? = nil) -> Estimate {
  attempt {
    try told[0].area(of: score, less: other, random.split("claim").split(score + (other ?? "")))
  }
}
let deepest = layers - 1
let (more, deeper) = (
  area("few.\(deepest)", less: "drawn.\(deepest)"), area("few.\(deepest)", less: "few.0")
)
notebook.number("\(ledger).few.more", more)
notebook.number("\(ledger).few.deeper", deeper)
rows.append(
  RivalRow(
    "SAE steering", "few latents", on: model,
    claim: "what tells texts from none is held by few latents and grows with depth",
    measure:
      "area under the ROC by eight latents of the last layer; control: eight as active; TAP: the axis",
    effect: area("few.\(deepest)"), control: area("drawn.\(deepest)"), tap: area("axis"),
    holds: more.low > 0 && deeper.low > 0
      && area("few.\(deepest)", less: "latents.\(deepest)").value > -0.05))

// ## The autoencoders
//
// Measured on validation, which they were not trained on.

for (layer, autoencoder) in autoencoders.enumerated() {
  let metrics = SparseMetrics(
    autoencoder, on: joiningRows(test.encoded.map { $0.encoded.samples.layers[layer] }))
  notebook.number("\(ledger).autoencoder.\(layer).explained", metrics.explainedVariance)
  notebook.number("\(ledger).autoencoder.\(layer).dead", metrics.dead)
  notebook.number("\(ledger).autoencoder.\(layer).present", metrics.l0)
}

// ## The rivals side by side
//
// ![What steering of the encoder leaves of texts where nobody speaks](figures/rivals-hallucination.svg)

notebook.figure(
  "figures/rivals-hallucination",
  steeringFigure(
    curves: zip(curves, found).map { curve, found in
      WrittenCurve(
        curve.name, found.points,
        chosen: found.points.chosen(below: fixed.cost, doing: sweep.point(.all).rate))
    }, results: results, areas: areas, cost: fixed.cost),
  title: "Rivals: steering of a published Whisper's encoder")
notebook.numbers(of: rows)
for row in rows {
  notebook.claim("\(row.key).\(row.model)", "\(row.name): \(row.claim)", holds: row.holds)
}
notebook.finish()
