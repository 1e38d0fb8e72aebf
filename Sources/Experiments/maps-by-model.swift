// # Is the stripe of the map put there by training?
//
// In the map of experiment E1 the changed phone is carried at its own moment, up to the first layers
// of the language model. That checkpoint was trained with a frame-wise auxiliary loss: the phone at
// every position of the encoder, from known boundaries. Such a loss asks for a stripe. So a second
// checkpoint of the same architecture was trained with the phones in order and without boundaries
// (CTC), and two more have other connectors: a query transformer over windows of 120 ms (SALMONN), and
// one that keeps a frame only where its CTC class changes (Soundwave).
//
// The question is the same for all four. One phone of a recording differs; the base run is the
// corrupt one, the source the clean one, and a window of one residual site is taken from the source.
// Recovery is the ratio of means over pairs
//
// $$ R = \frac{\sum (\mathrm{LD}_\text{patched} - \mathrm{LD}_\text{corrupt})}
//             {\sum (\mathrm{LD}_\text{clean} - \mathrm{LD}_\text{corrupt})}. $$

import Corpus
import Figures
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("maps-by-model", takes: [.model, .pairs])

// ## What is run, and on what
//
// Every third pair of the suite, the same for all models (all pairs, where they are the reader's own).
// Windows are 120 ms wide, as wide as what the coarsest connector reads at a time, and begin with the
// changed phone.

let study = notebook.study()
let (rules, root) = (study.rules, study.root)
let random = study.random("maps by model")
let third = study.sample(3)
let windows = LockedWindows(width: 120, fixed: -5..<8, phones: -2...2, text: 4)

struct Checkpoint {
  let folder: String
  let name: String
}

let shipped = [
  Checkpoint(folder: "qwen2-audio-small", name: "Qwen2-Audio connector, frame labels"),
  Checkpoint(folder: "qwen2-audio-ctc-small", name: "Qwen2-Audio connector, no frame labels (CTC)"),
  Checkpoint(folder: "salmonn-small", name: "SALMONN connector, frame labels"),
  Checkpoint(folder: "soundwave-small", name: "Soundwave connector, CTC"),
]
let checkpoints = notebook.checkpoints(shipped.map(\.folder)).map { folder in
  shipped.first { $0.folder == folder } ?? Checkpoint(folder: folder, name: folder)
}

/// One pair in one model: logit differences in nats.
struct Measured: Codable, Sendable {
  /// Recoveries of the fixed windows, as E1 has them.
  var map: PairMap
  /// By site: everything before the changed phone, 120 ms from its onset on, everything behind.
  var parts: [[Double?]] = []
}

/// The rows of a model's map: its residual sites, and before the connector the branch beside the
/// encoder where there is one.
@Sendable func sites(_ model: AudioLanguageModel) -> [Site] {
  let residual = model.mapSites
  let encoder = residual.prefix { $0.stage == .encoder }
  return encoder + model.branchSites + residual.dropFirst(encoder.count)
}

/// The corrupt run with each cell from the clean one. Where the connector decides by the sound which
/// frames it keeps, all runs are given the corrupt run's decision, so that they have the same
/// tokens; what the decision itself carries is not part of this map.
@Sendable func measure(_ speech: SpeechModel, _ pair: MinimalPair) throws -> Measured {
  let model = speech.model
  let questions = try speech.questions(for: pair, root: root)
  let first = try model.trace(questions.corrupt)
  let corrupt = try model.trace(
    questions.corrupt.keepingFrames(of: first), keeping: model.branchSites)
  let clean = try model.trace(
    questions.clean.keepingFrames(of: first), keeping: model.branchSites)
  func table(_ windows: [Window]) throws -> [[Double?]] {
    try sites(model).map { site in
      try model.patched(corrupt, from: clean, cells: windows.map { [Cell(site, $0)] })
    }
  }
  var map = PairMap(clean: clean.logitDifference, corrupt: corrupt.logitDifference)
  map.sufficiency = try table(windows.ofTime(pair))
  for site in sites(model) where site.stage != model.branchSites.first?.stage {
    let cut = model.cut(at: site).map { Cell($0) }
    for (source, isOwn) in [(corrupt, true), (clean, false)] {
      let patched = try model.patched(corrupt, from: source, cells: [cut])[0]!
      let recovery = (patched - map.corrupt) / map.gap
      if isOwn { map.selfPatched.append(recovery) } else { map.allPatched.append(recovery) }
    }
  }
  let end = pair.onset + windows.width
  let parts = try table([
    .milliseconds(-1000, pair.onset), .milliseconds(pair.onset, end), .milliseconds(end, 1e6),
  ])
  return Measured(map: map, parts: parts)
}

// ## The maps
//
// Beside each model stands the same architecture with random weights. A run's own activations must
// change nothing, and all of the source's must give the source's answer: to the last bit, at every
// depth of every pair in every model. If not, nothing is written. SALMONN hears through two encoders,
// so a depth of its first one is cut through both: what the first alone carries is in its rows, what
// the second carries in the row "BEATs".

/// What is read from one checkpoint.
struct Reading {
  let checkpoint: Checkpoint
  let map: ModelMap
  /// Recovery at the connector: before, at and behind the changed phone.
  let connector: [Estimate?]
  let kept: Int
}

@MainActor func read(_ checkpoint: Checkpoint) -> Reading {
  let speech = notebook.checkpoint(checkpoint.folder)
  notebook.askFirst(speech, third, of: study, as: checkpoint.folder)
  let measured = notebook.cell(checkpoint.folder, over: third, key: \.id) {
    try measure(speech, $0)
  }
  let draw = random.split(checkpoint.folder)
  let untrained = speech.untrained(draw.split("untrained"))
  let null = notebook.cell("\(checkpoint.folder), random weights", over: third, key: \.id) {
    try measure(untrained, $0)
  }

  let name = checkpoint.folder
  notebook.control("\(name): self-patch", equals: 0, of: measured.flatMap(\.map.selfPatched))
  notebook.control("\(name): everything patched", equals: 1, of: measured.flatMap(\.map.allPatched))

  let pairs = third.prefix(measured.count)
  let kept = notebook.entering(
    study, measured.map { ($0.map.clean, $0.map.corrupt) }, of: name)
  let groups = kept.map { pairs[$0].group }
  let maps = kept.map { measured[$0].map }
  let gap = maps.map(\.gap).reduce(0, +) / Double(max(maps.count, 1))
  let sites = sites(speech.model)
  func profile(_ name: String, part: Int) -> Profile {
    var read = maps
    for (i, pair) in kept.enumerated() { read[i].sufficiency = measured[pair].parts }
    return Profile(
      name,
      read.profile(
        .sufficiency, sites: sites.indices, groups: groups, draws: rules.bootstrapDraws,
        draw.split(name)
      ) { $0.sufficiency[$1][part] })
  }
  var nullMaps = null.map(\.map)
  for i in null.indices { nullMaps[i].sufficiency = null[i].parts }
  let curves = [
    profile("at the changed phone", part: 1), profile("before it", part: 0),
    profile("behind it", part: 2),
    Profile(
      "at it, random weights",
      nullMaps.profile(
        .sufficiency, sites: sites.indices, groups: third.prefix(null.count).map(\.group),
        over: gap, draws: rules.bootstrapDraws, draw.split("null")
      ) { $0.sufficiency[$1][1] }),
  ]
  let connector = sites.firstIndex(of: Site(.connector, nil, .out))!
  return Reading(
    checkpoint: checkpoint,
    map: ModelMap(
      name: checkpoint.name, sites: sites, values: maps.recovery(.sufficiency, \.sufficiency),
      curves: curves),
    connector: curves.prefix(3).map { $0.values[connector] }, kept: kept.count)
}

let readings = checkpoints.map { read($0) }

// ## Figure S1
//
// ![The maps of four checkpoints](figures/figureS1.svg)

let figure = modelMapsFigure(
  readings.map(\.map), windows: windows, phones: typicalPhones(third, windows))
notebook.figure(
  "figures/figureS1", figure, title: "Figure S1: causal maps by training and connector")

// ## What the text says

for reading in readings {
  let name = "s1.\(reading.checkpoint.folder)"
  notebook.number("\(name).pairsKept", Double(reading.kept))
  for (part, estimate) in zip(["at", "before", "behind"], reading.connector) {
    guard let estimate else { continue }
    notebook.number("\(name).connector.\(part)", estimate, claim: "S1")
  }
}

// The claim is about the checkpoint without frame labels; of a reader's own model, however it was trained,
// the same is asked.

let unlabelled = readings.first { $0.checkpoint.folder == "qwen2-audio-ctc-small" }
let asked = unlabelled ?? readings[0]
notebook.claim(
  "S1",
  unlabelled == nil
    ? "the changed phone's 120 ms of the connector are sufficient"
    : "without frame labels the changed phone's 120 ms of the connector are sufficient too",
  holds: (asked.connector[0]?.low ?? 0) >= rules.bottleneckRecovery)
notebook.finish()
