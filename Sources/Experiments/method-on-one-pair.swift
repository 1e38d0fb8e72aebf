// # The method, on one pair
//
// Temporal attribution patching asks when, at which layer, and in which part of an activation a sound
// becomes a word. This section introduces it on a single pair of recordings, with real numbers: the
// model, the pair, the three stages, and what each of them says. One pair is an example and no
// evidence; that is Figure 2, over all pairs.

import Corpus
import Figures
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("method-on-one-pair", takes: [.model, .pairs])
let speech = notebook.checkpoint("qwen2-audio-small", as: "model", isSinglePath: true)
let study = notebook.study(needing: [\.searchSplit])
let (rules, root) = (study.rules, study.root)
let (model, name) = (speech.model, notebook.checkpoints(["qwen2-audio-small"])[0])
let random = study.random("figure 1")

// ## Which pair
//
// All pairs of the discovery split are asked, and of those that enter we take the one with the median
// gap, so that no one picks it by its looks. The test split stays closed.

let discovery = study.suite.pairs.filter { $0.split == rules.searchSplit }
let asked = notebook.cell("answers", over: discovery, key: \.id) { pair in
  let questions = try speech.questions(for: pair, root: root)
  return [
    try model.trace(questions.clean).logitDifference,
    try model.trace(questions.corrupt).logitDifference,
  ]
}
let kept = notebook.entering(study, asked.map { ($0[0], $0[1]) }, of: name)
let ranked = kept.sorted { (asked[$0][0] - asked[$0][1], $0) < (asked[$1][0] - asked[$1][1], $1) }
let pair = discovery[ranked[ranked.count / 2]]
notebook.say("the pair: \(pair.id), \"\(pair.clean.text)\" against \"\(pair.corrupt.text)\"")

// The control is an unrelated item: another pair of the same voice and frame without either answer,
// aligned at its own changed phone. It is of the same split, since a split has voices of its own.

let other = attempt { try study.suite.unrelated(to: pair) }

// ## Stages A and B
//
// The *search* estimates the effect of every cell from two forward passes and one backward: the move
// from base to source times the slope of the logit difference at the base,
//
// $$ \mathrm{score} = \sum (z_\text{source} - z_\text{base}) \cdot
//    \frac{\partial\,\mathrm{LD}}{\partial z}\Big|_\text{base}. $$
//
// It only proposes. What counts is to *confirm*: the base run is patched exactly, cell by cell, in
// both directions, beside a move of the same length towards the unrelated item. Windows are those of
// Figure 2, 80 ms wide and locked to the changed phone; ten of them, up to the end of the sound.

let behind = min(7, Int(((pair.clean.phones.last!.end - pair.onset) / 80).rounded(.up)))
let windows = LockedWindows(width: 80, fixed: behind - 10..<behind, phones: 0...0, text: 4)
let sites = model.mapSites

struct Patched: Codable, Sendable {
  var map: PairMap
  /// As `map.unrelated`, in the other direction.
  var unrelatedNecessity: [[Double?]]
}

let measured = notebook.cell("exact map", over: [pair], key: \.id) { pair in
  let questions = try speech.questions(for: pair, root: root)
  let (clean, corrupt) = (try model.trace(questions.clean), try model.trace(questions.corrupt))
  let stranger = try model.trace(try speech.questions(for: other, root: root).clean)
  let (time, shift) = (windows.ofTime(pair), other.onset - pair.onset)

  var map = PairMap(clean: clean.logitDifference, corrupt: corrupt.logitDifference)
  map.searchSufficiency = try model.searchMap(of: clean, into: corrupt, windows: time)
  map.sufficiency = try model.map(corrupt, with: .source(clean), windows: time)
  map.necessity = try model.map(clean, with: .source(corrupt), windows: time)
  map.unrelated = try model.map(
    corrupt, with: .unrelated(stranger, shift: shift, matching: clean), windows: time)
  let back = try model.map(
    clean, with: .unrelated(stranger, shift: shift, matching: corrupt), windows: time)
  (map.selfPatched, map.allPatched) = try model.integrity(map, clean: clean, corrupt: corrupt)
  return Patched(map: map, unrelatedNecessity: back)
}
let map = measured[0].map

// ## Would we be fooled?
//
// A run patched with itself must stay what it is, and a run of which everything is patched must become
// the other, to the last bit, at every site and in both directions.

notebook.control("self-patch", equals: 0, of: map.selfPatched)
notebook.control("everything patched", equals: 1, of: map.allPatched)

// ## Stage C
//
// To *verify* that it is the word that is carried, only a part of an activation is patched,
//
// $$ z' = z_\text{base} + P_S\,(z_\text{source} - z_\text{base}). $$
//
// The cell is the one that claim C1 is about: the connector's output in the 80 ms from the onset of the
// changed phone. $S$ is spanned by the ten directions in which the mean activations of the answers
// lie furthest apart, found in other sentences; beside it stand ten random directions, the move as
// long, on average over twenty draws. Where $S$ alone moves more than the whole cell, what lies beside
// it pulls back. Scrubbing, the other half of this stage, resamples what a hypothesis calls
// unimportant; it takes many pairs and is not shown here.

let chosen = MapCell(
  site: sites.firstIndex(of: Site(.connector, .out))!, window: 1 - windows.fixed.lowerBound)
let directions = 10
let draws = 20

@Sendable func exchange(_ pair: MinimalPair, _ direction: Direction) throws -> Exchange {
  let questions = try speech.questions(for: pair, root: root)
  let (clean, corrupt) = (try model.trace(questions.clean), try model.trace(questions.corrupt))
  let (base, source) = direction == .sufficiency ? (corrupt, clean) : (clean, corrupt)
  let cell = Interventions.Cell(sites[chosen.site], windows.ofTime(pair)[chosen.window])
  guard let selection = try Selection(cell, base: base, source: source, .identity) else {
    throw CellError("\(pair.id): no position at \(cell)")
  }
  return model.exchange(
    id: pair.id, group: pair.group, base: base, source: source, direction, selection)
}

// A quick run, too, needs some other sentences to find directions in.

let own = [pair.clean.text, pair.corrupt.text]
let others = discovery.prefix(max(asked.count, 12)).filter {
  !own.contains($0.clean.text) && !own.contains($0.corrupt.text)
}
let inSubspace = notebook.cell("subspace", over: [pair], key: \.id) { pair in
  let found = try SubspaceStudy(
    fit: mapInParallel(2 * others.count) {
      try exchange(others[$0 / 2], Direction.allCases[$0 % 2])
    })
  let means = try found.subspace(.mean, rank: directions, random)
  let subspace = try means.first(min(directions, means.rank))
  let matched = RandomMoves(matching: subspace, natural: found.natural)
  let drawn = try (0..<draws).map { try matched.directions(.norm, random.split("S").split($0)) }
  let effects = try [exchange(pair, .sufficiency)].effects { one in
    let (base, source) = (DoubleMatrix(one.base), DoubleMatrix(one.source))
    return [subspace.move(.subspace, from: base, to: source)]
      + drawn.map { matched.move(.norm, along: $0, from: base, to: source) }
  }
  let changes = effects.map { $0.changes[0] }
  return [changes[0], changes.dropFirst().reduce(0, +) / Double(draws), Double(subspace.rank)]
}[0]

// ## Figure 1
//
// ![The method on one pair](figures/figure1.svg)
//
// Everything in it comes from the model and from the pair: the boxes from the model's own list of
// stages and sites, the sound from the recordings, the phones from the manifest.

func heard(_ utterance: Utterance) throws -> HeardMember {
  let wave = try utterance.waveform(root: root)
  return HeardMember(utterance, wave, try speech.clip(wave))
}
let activations: [(name: String, Site.Activation)] = [
  ("heads", .z), ("MLPs", .mlpOut), ("neurons", .mlpPost), ("queries", .q), ("keys", .k),
  ("values", .v), ("cross-attention", .crossK),
]
let inside = activations.filter { kind in model.sites.contains { $0.activation == kind.1 } }
let patched = map.sufficiency[chosen.site][chosen.window]!
let removed = map.necessity[chosen.site][chosen.window]!
let outcomes = [
  MethodOutcome(
    "B  clean into corrupt", base: map.corrupt, source: map.clean, patched: patched,
    control: map.unrelated[chosen.site][chosen.window]!),
  MethodOutcome(
    "B  corrupt into clean", base: map.clean, source: map.corrupt, patched: removed,
    control: measured[0].unrelatedNecessity[chosen.site][chosen.window]!),
  MethodOutcome(
    "C  clean, in S alone", base: map.corrupt, source: map.clean,
    patched: map.corrupt + inSubspace[0], control: map.corrupt + inSubspace[1]),
]
let exactMap = [map].recovery(.sufficiency, \.sufficiency)
let searchMap = [map].searchRecovery(.sufficiency, \.searchSufficiency)
let proposed = strongestCells(rules.searchK, of: searchMap)
let found = strongestCells(rules.searchK, of: exactMap)
var data = attempt {
  MethodData(
    scheme: try model.scheme(
      speech.config.stages, of: model.trace(speech.questions(for: pair, root: root).clean)),
    siteCount: model.sites.count, inside: inside.map(\.name), pair: pair,
    clean: try heard(pair.clean), corrupt: try heard(pair.corrupt), sites: sites,
    windows: windows, exact: exactMap, search: searchMap, proposed: proposed, chosen: chosen,
    outcomes: outcomes)
}
data.textIsWords = notebook.options.own.isEmpty
notebook.figure(
  "figures/figure1", methodFigure(data), title: "Figure 1: temporal attribution patching")

// ## What the text says

notebook.number("f1.pairsKept", Double(kept.count))
notebook.number("f1.clean", map.clean, tolerance: 1e-6)
notebook.number("f1.corrupt", map.corrupt, tolerance: 1e-6)
for (name, outcome) in zip(["sufficiency", "necessity", "subspace"], outcomes) {
  notebook.number("f1.\(name)", outcome.recovery, tolerance: 1e-6)
  notebook.number("f1.\(name)Control", outcome.controlRecovery, tolerance: 1e-6)
}
notebook.number("f1.subspaceDirections", inSubspace[2])
notebook.number(
  "f1.searchOverlap", Double(proposed.filter(found.contains).count) / Double(rules.searchK))
notebook.finish()
