// # What does a map from coarse to fine leave out?
//
// A map of ten seconds has a hundred and twenty-five windows of 80 ms at every layer, and where one phone
// differs, nearly all of them do nothing. From coarse to fine, blocks of four layers by a second are patched
// first, each with all its cells together, and only a block that moves the answer is split, down to cells.
// Whether that finds what the whole map has is not a matter of argument: here both are made, in the published
// Whisper base and tiny.en, and compared cell by cell.
//
// Exploratory, on the validation split: the test split stays closed. Of M1 the numbers had been set as a goal for
// another pair, on which the threshold of a fiftieth had been chosen.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("coarse-to-fine")
let study = notebook.study(rules: "paper/preregistration-published.json")
let (rules, root) = (study.rules, study.root)
let random = study.random("coarse to fine")
let (seconds, width) = (10.0, 80.0)

/// The models with how many recordings are mapped in each. A cell of base's encoder takes 0.4 s of a core.
let models = [("whisper-base", 4), ("whisper-tiny.en", 8)]
let folders = models.compactMap { notebook.publishedFolder($0.0) }
guard folders.count == models.count else { exit(0) }

// ## Recordings
//
// A member of a minimal pair comes first, and other sentences of the same voice follow it up to ten seconds;
// both members are followed by the same. A pair enters by the rules of Figure S3.

let pairs = study.suite.pairs.filter {
  $0.split == rules.selectionSplit && $0.transcript != nil && $0.alignment == .identity
}

@Sendable func long(_ member: Utterance, of pair: MinimalPair) throws -> Waveform {
  var samples = try member.waveform(root: root).samples
  let length = Int(seconds) * Waveform.modelRate
  let said = [pair.clean.text, pair.corrupt.text]
  for other in study.suite.utterances
  where other.voice == pair.voice && other.split == pair.clean.split && !said.contains(other.text) {
    if samples.count >= length { break }
    samples += try other.waveform(root: root).samples
  }
  guard samples.count >= length else {
    throw CellError(
      "\(pair.id): voice \(pair.voice) has \(samples.count) samples in the split, fewer than \(length)"
    )
  }
  return Waveform(samples: Array(samples.prefix(length)))
}

// ## Whole maps
//
// Of each recording every cell of the residual stream is patched from the clean run into the corrupt one, and
// every block that a threshold could ask for. What a threshold would have patched is then read off; the first
// recording is also mapped from coarse to fine as such, which has to give the same.

let plan = WindowPlan.time(width)
let columns = attempt { try plan.windows(length: 1000 * seconds, segments: nil, text: 4) }
let thresholds = [0.01, 0.02, 0.05, 0.1]
let shown = 0.02
let (hit, sample) = (0.1, 59)

struct Mapped {
  let name: String
  /// The first recording once more, from coarse to fine.
  let again: CoarseCells
  let pairs: [MinimalPair]
  let known: [KnownMap]
  let rows: [GridRow]
  let blocks: BlockPlan

  @MainActor func trial(_ i: Int, _ splitAt: Double) -> CoarseTrial {
    CoarseTrial(
      known[i], blocks, splitAt: splitAt, hit: hit, sample: sample,
      random.split(name).split(pairs[i].id))
  }
}

@MainActor func mapped(_ folder: String, _ name: String, _ most: Int) -> Mapped {
  let recogniser = attempt { try Recogniser(folder: folder) }
  let model = recogniser.model
  @Sendable func runs(_ pair: MinimalPair) throws -> (clean: Trace, corrupt: Trace) {
    let asked = try recogniser.questions(for: pair, root: root) { try long($0, of: pair) }
    return (try model.trace(asked.clean), try model.trace(asked.corrupt))
  }
  let asked = notebook.cell("\(name): answers", over: pairs.spread(4 * most), key: \.id) { pair in
    let (clean, corrupt) = try runs(pair)
    return [clean.logitDifference, corrupt.logitDifference]
  }
  let kept = notebook.entering(study, asked.map { ($0[0], $0[1]) }, of: name)
  let own = kept.map { pairs.spread(4 * most)[$0] }.spread(most)
  let (rows, blocks) = attempt {
    let rows = try model.rows("residual", in: runs(own[0]).clean)
    guard
      let blocks = BlockPlan(rows: rows, columns: columns, wide: BlockPlan.width(of: plan))
    else { throw CellError("\(name): \(seconds) s have no two blocks") }
    return (rows, blocks)
  }
  let known = notebook.cell("\(name): maps", over: own, key: \.id) { pair in
    let (clean, corrupt) = try runs(pair)
    return try model.knownMap(
      corrupt, from: clean, rows: rows, windows: columns.map(\.window), plan: blocks)
  }
  let stream = random.split(name).split(own[0].id)
  let again = notebook.cell("\(name): from coarse to fine") { [first = own[0]] in
    let (clean, corrupt) = try runs(first)
    return try model.coarseMap(
      corrupt, from: clean, rows: rows, windows: columns.map(\.window), plan: blocks,
      splitAt: shown, sample: sample, stream)
  }
  return Mapped(name: name, again: again, pairs: own, known: known, rows: rows, blocks: blocks)
}

let maps = zip(folders, models).map { folder, model in mapped(folder, model.0, model.1) }

for map in maps {
  let trial = map.trial(0, shown)
  let (own, isPatched) = (map.again.recoveries, trial.map.isPatched)
  notebook.control(
    "\(map.name): as read off", equals: 0,
    of: own.indices.flatMap { row in
      own[row].indices.map { column -> Double in
        let value = isPatched[row][column] ? map.known[0].recoveries[row][column] : nil
        return value == own[row][column] ? 0 : 1
      }
    })
}

// ## What is found
//
// For each threshold: patches, blocks among them, as a share of all cells; cells that move a tenth of the gap
// and how many of them are found; of the twenty strongest cells, how many. Beside it stands the search with as
// many cells as that has patches. Of the cells that were skipped, 59 are drawn and patched all the same, which
// bounds how many of them move a tenth of the gap; here it is known how many do.

let trials = maps.map { map in
  CoarseTrials(
    model: map.name, thresholds: thresholds,
    trials: thresholds.map { splitAt in map.known.indices.map { map.trial($0, splitAt) } },
    splits: map.known.indices.flatMap {
      map.trial($0, shown).map.splits(map.known[$0].recoveries)
    })
}
for model in trials {
  for (splitAt, own) in zip(thresholds, model.trials) {
    let name = "fine.\(model.model == models[0].0 ? "base" : "tiny").\(Int(1000 * splitAt))"
    notebook.number("\(name).fewer", 1 / own.cost, tolerance: 0)
    notebook.number("\(name).found", own.found { $0.coarse }, tolerance: 0)
    notebook.number("\(name).search", own.found { $0.search }, tolerance: 0)
    notebook.number("\(name).strongest", own.strongest { $0.coarse }, tolerance: 0)
    notebook.number("\(name).searchStrongest", own.strongest { $0.search }, tolerance: 0)
    notebook.say(
      "\(model.model), split at \(splitAt): \(1 / own.cost) times fewer; \(own.found { $0.coarse }) of "
        + "the cells of the hit size (search \(own.found { $0.search })); of the strongest "
        + "\(own.strongest { $0.coarse }) (search \(own.strongest { $0.search }))")
  }
}

// Does the certificate hold? Its bound may fail in one map of twenty. A recording counts once at each threshold, so
// that these maps are not independent.

let all = trials.flatMap(\.trials).joined()
let certified = all.filter { $0.missed != nil }
let held = certified.count { $0.missedHits <= $0.missed!.bound }
notebook.number("fine.certified", Double(certified.count), tolerance: 0)
notebook.number("fine.held", Double(held), tolerance: 0)

let base = trials[0].trials[thresholds.firstIndex(of: shown)!]
notebook.claim(
  "M1",
  "In Whisper base, on ten seconds in which one phone differs, a map from coarse to fine with blocks split "
    + "at a fiftieth of the gap patches at most a fifth as much as the whole map and has 19 of its 20 strongest "
    + "cells, on average",
  holds: base.cost <= 0.2 && base.strongest { $0.coarse } >= 19)
notebook.claim(
  "M2",
  "The skipped cells of the hit size are no more than a map from coarse to fine says there may be, in 95 % of "
    + "maps",
  holds: Double(held) >= 0.95 * Double(certified.count))

notebook.claim(
  "M3",
  "With as many patches, a map from coarse to fine finds more of the 20 strongest cells than the search's "
    + "estimates do, in both models",
  holds: trials.allSatisfy { model in
    let own = model.trials[thresholds.firstIndex(of: shown)!]
    return own.strongest { $0.coarse } > own.strongest { $0.search }
  })

// A split is worth its patches only if parts do what their whole does. They need not: a sound that is patched
// in half is no sound that anyone has said.

let parts = trials.flatMap(\.splits)
notebook.number("fine.splits", Double(parts.count), tolerance: 0)
notebook.number(
  "fine.apart", parts.reduce(0) { $0 + abs($1.sum - $1.whole) } / Double(max(1, parts.count)),
  tolerance: 1e-6)

// ## Figure S8
//
// ![Maps from coarse to fine](figures/figureS8.svg)

let encoder = maps[0].rows.filter { $0.site.stage == .encoder }
let windows = columns.count { if case .text = $0.window { false } else { true } }
let pair = maps[0].pairs[0]
let phone = pair.clean.phones[pair.changedPhone]
notebook.figure(
  "figures/figureS8",
  coarseFigure(
    CoarseExample(
      known: maps[0].known[0], trial: maps[0].trial(0, shown),
      layers: encoder.map { $0.site.layer.map { "\($0)" } ?? "input" }, windows: windows,
      width: width, changed: phone.start...phone.end), trials),
  title: "Figure S8: what a map from coarse to fine finds of the whole map")
notebook.output("figures/figureS8-blocks.tsv", text: coarseBlocksTable(trials))
for (map, model) in zip(maps, trials) {
  let name = model.model == models[0].0 ? "base" : "tiny"
  notebook.number("fine.\(name).recordings", Double(map.known.count), tolerance: 0)
}
notebook.number("fine.cells", Double(base[0].cells), tolerance: 0)
notebook.finish()
