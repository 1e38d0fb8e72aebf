// # What the map owes to its choices
//
// A causal map is made with many choices: what the corrupt run hears, what is read from the logits, what
// counts as a component, how wide a window is, how cells are proposed, how many pairs are averaged, and in
// which numbers a machine computes. Each of them is taken apart here, one axis at a time, with its control
// beside it. That maps differ between models, tasks and languages is the subject of Figure S7 (claim L3)
// and is not measured again.
//
// All of it is exploratory: pairs of the discovery and the validation split alone, nothing written down
// beforehand, no claim.

import Corpus
import Figures
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment(
  "ablations-of-the-map", takes: [.model],
  instead:
    "it needs several pairs of each voice and place; search-methods (make figureS2) takes yours")

let study = notebook.study(needing: [\.searchSplit])
let (rules, root) = (study.rules, study.root)
let random = study.random("ablations of the map")
let known = study.suite.pairs.filter { $0.split != rules.confirmSplit }
let folders = notebook.checkpoints(["qwen2-audio-small", "salmonn-small", "soundwave-small"])
let models = folders.map { notebook.checkpoint($0) }
let draws = 2_000

// The first checkpoint is measured on most pairs, the others on fewer; what costs too much in SALMONN,
// which hears through two encoders, is left out there.

/// Every so many-th pair, in a quick run no more than it takes.
@MainActor func sample(_ step: Int) -> [MinimalPair] {
  let own = study.sample(step, without: rules.confirmSplit)
  return Array(own.prefix(notebook.options.quick ?? own.count))
}

/// A pair of the two splits that lends its recording.
@Sendable func unrelated(to pair: MinimalPair) throws -> MinimalPair {
  try study.suite.unrelated(to: pair)
}

// ## Corruption
//
// The other recording of a pair stays within what the model knows. White noise, another speaker's sentence
// at the same time, silence, and a recording that has nothing to do with the pair do not, and what the clean
// run restores in them need not be the phone. Noise and the other speaker are as loud as the clean
// recording. Under each, everything that passes at a depth is taken from the clean run in windows of 120 ms.
// Maps are compared over the cells of sound by Spearman's correlation, over the pairs that enter under both.
//
// The control: under each corruption the same cells take an unrelated item, moved as far. Two maps can be
// alike because both show where anything at all could matter, and that one says by how much.

let partners = CorruptionPartners(pairs: known, ratios: (noise: 0, distractor: 0), root: root)
var corruption: [AblationRow] = []
var corruptionMaps: [AblationMap] = []
for (folder, speech) in zip(folders, models) {
  let pairs = sample(folder == folders[0] ? 5 : 15)
  let draw = random.split("corruption").split(folder)
  let all = CorruptSound.allCases.map { kind -> CorruptedPairs in
    let what = "\(folder), \(kind.title)"
    let maps = notebook.cell(what, over: pairs, key: \.id) {
      try speech.corruptionMap(kind, of: $0, partners)
    }
    notebook.control("\(what): self-patch", equals: 0, of: maps.flatMap(\.map.selfPatched))
    notebook.control("\(what): everything patched", equals: 1, of: maps.flatMap(\.map.allPatched))
    let own = CorruptedPairs(kind, maps, minimumGap: rules.minimumGap)
    notebook.say("\(what): \(own.kept.count) of \(maps.count) pairs enter")
    return own
  }
  let layers = speech.model.mapSites.count { $0.stage == .lm }
  let options = LocalisationOptions(
    sites: speech.model.mapSites, early: (layers + 2) / 3, share: 0.8,
    threshold: rules.bottleneckRecovery, draws: draws)
  for (name, found) in all.agreements(groups: pairs.map(\.group), draws: draws, draw) {
    corruption.append(AblationRow("spearman", name, folder, found.spearman))
    corruption.append(
      AblationRow(
        "strongest ten", name, folder, found.shared[0].overlap, chance: found.shared[0].chance))
  }
  for own in all where !own.kept.isEmpty {
    corruption += own.places(pairs, options, folder, draw.split(own.kind.rawValue))
  }
  if folder == folders[0] {
    corruptionMaps = all.map { AblationMap($0.kind.title, speech.model.mapSites, $0.recovery) }
  }
}

// ![Maps by corruption](figures/ablation-corruption.svg)

notebook.figure(
  "figures/ablation-corruption", corruptionFigure(corruption, corruptionMaps),
  title: "Ablation: what the corrupt run hears")
notebook.numbers(
  corruption.filter { !["strongest ten", "depth"].contains($0.panel) }, of: "corruption")

// ## Metric, and search
//
// Every cell of six kinds of site is patched once, and the same logits are read by three metrics: the logit
// difference of the two answers, the probability of the right one, and the divergence of what is said next
// from the clean run's. Where the corrupt run already gives the right word no probability, a cell that makes
// it still less likely has nothing to lose. So of the cells that hurt by the logit difference (interval below
// zero, at least a hundredth of the gap) the share is counted that do not by another metric, beside that of
// cells that help.
//
// The control: what an unrelated item, moved as far, seems to do by each metric.

let plan = ComponentPlan(
  families: ["residual", "attention", "mlp", "heads", "queries", "keys"],
  metered: ["residual", "mlp", "heads"],
  windows: LockedWindows(width: 120, fixed: -5..<8, phones: 0...0, text: 4), root: root)
let moment = 1 - plan.windows.fixed.lowerBound
var metric: [AblationRow] = []
var search: [AblationRow] = []
var metricMaps: [AblationMap] = []
for (folder, speech) in zip(folders, models) where folder != "salmonn-small" {
  let pairs = sample(folder == folders[0] ? 5 : 10)
  let measured = notebook.cell("\(folder), components", over: pairs, key: \.id) {
    try speech.componentMaps(of: $0, unrelated: unrelated(to: $0), plan)
  }
  let kept = notebook.entering(study, measured.map(\.runs), of: folder)
  let (maps, groups) = (kept.map { measured[$0] }, kept.map { pairs[$0].group })
  let draw = random.split("components").split(folder)
  let connector = maps[0].families[0].rows.firstIndex(of: "connector.out")!
  metric += notebook.cell("\(folder), metrics read") {
    maps.metricRows(
      residual: 0, components: [2, 3],
      moment: connector * plan.windows.names.count + moment, groups: groups, series: folder,
      draws: draws, draw.split("metric"))
  }

  // Search: the estimates of plain attribution for the same cells, against their exact effects; by kind of
  // site, and by depth over four kinds together. The strokes are what as many cells drawn at random share.

  search += notebook.cell("\(folder), search read") {
    maps.searchRows(
      families: plan.families, layered: [0, 1, 2, 3], groups: groups, series: folder,
      draws: draws, draw.split("search"))
  }
  if folder == folders[0] {
    metricMaps = maps.metricMaps(speech.model.mapSites)
  }
}

// ![Maps by metric](figures/ablation-metric.svg)
//
// ![Attribution against exact effects](figures/ablation-search.svg)

notebook.figure(
  "figures/ablation-metric", metricFigure(metric, metricMaps, plan.windows),
  title: "Ablation: what is read from the logits")
notebook.figure(
  "figures/ablation-search", searchAgreementFigure(search),
  title: "Ablation: attribution against exact effects")
notebook.numbers(metric, of: "metric")
notebook.numbers(
  search.filter { $0.panel.contains("by kind") && !$0.panel.hasPrefix("precision") }, of: "search")

// ## Granularity
//
// At the changed phone's 120 ms: the residual stream, what attention and MLP write, heads, neurons. On the
// discovery split components are ranked by what each does alone; on the validation split the first of them
// are patched together.
//
// The controls: as many at random, and the same components with an unrelated item's activations.

let first = models[0]
let split = sample(5)
let ranking = split.filter { $0.split == rules.searchSplit }
let quoting = split.filter { $0.split != rules.searchSplit }
let grains = attempt { try first.grains(of: split[0], root: root) }
@Sendable func grainRuns(_ pair: MinimalPair) throws -> GrainRuns {
  try first.grainRuns(of: pair, unrelated: unrelated(to: pair), grains, root: root)
}
let singles = notebook.cell("components alone", over: split, key: \.id) {
  try first.grainSingles(grainRuns($0), grains)
}
let entering = Set(
  notebook.entering(study, singles.map { ($0.clean, $0.corrupt) }, of: folders[0]).map {
    split[$0].id
  })
func chosen(_ pairs: [MinimalPair]) -> [GrainSingles] {
  zip(split, singles).filter { pair, _ in
    entering.contains(pair.id) && pairs.contains { $0.id == pair.id }
  }.map(\.1)
}
// A quick run, too short for both splits, ranks and quotes the same pairs.
let quoted = (quoting.isEmpty ? ranking : quoting).filter { entering.contains($0.id) }
let orders = grains.indices.map { kind in
  GrainOrder(
    ranking: chosen(ranking), kind: kind, components: grains[kind].rows.count, draws: 5,
    random.split("orders").split(kind))
}
let curves = notebook.cell("components together", over: quoted, key: \.id) {
  try first.grainCurves(grainRuns($0), grains, orders)
}
let granularity = GrainStudy(
  grains, orders, ranked: chosen(ranking), quoted: chosen(quoted), curves,
  groups: quoted.map(\.group)
).rows(draws: draws, random.split("granularity"))

// ![Components of five kinds](figures/ablation-granularity.svg)

notebook.figure(
  "figures/ablation-granularity", granularityFigure(granularity),
  title: "Ablation: what counts as a component")
notebook.numbers(
  granularity.filter { !$0.panel.hasPrefix("first components") }, of: "granularity")

// ## Window
//
// Windows of 1 to 16 positions of what the connector gives, at every place, and read at three strides: one
// position, half a window, a whole one. The grid is locked to the first position of the changed phone.

var window: [AblationRow] = []
for (folder, speech) in zip(folders, models).prefix(2) {
  let pairs = sample(folder == folders[0] ? 3 : 5)
  let measured = notebook.cell("\(folder), windows", over: pairs, key: \.id) {
    try speech.windowSweep(of: $0, unrelated: unrelated(to: $0), root: root)
  }
  let kept = notebook.entering(
    study, measured.map { ($0.clean, $0.corrupt) }, of: folder)
  let spans = measured[0].milliseconds
  window += notebook.cell("\(folder), windows read") {
    kept.map { measured[$0] }.rows(
      groups: kept.map { pairs[$0].group }, milliseconds: spans,
      searched: Set(kept.indices.filter { pairs[kept[$0]].split == rules.searchSplit }),
      series: folder, draws: draws, random.split("window").split(folder))
  }
}

// ![Windows of every size](figures/ablation-window.svg)

notebook.figure(
  "figures/ablation-window", windowFigure(window), title: "Ablation: how wide a window is")
notebook.numbers(
  window.filter { !$0.panel.hasSuffix("one") && !$0.panel.hasSuffix("half") }, of: "window")

// ## Pairs
//
// Every pair of the two splits, and what the headline numbers of Figure 2 are on 6, 12, 24, ... of them,
// drawn two hundred times: how far they spread, and how wide their intervals are. Beside them the unrelated
// item's. With more than half of the pairs subsamples share most of them, so that their spread is too small.

let every = sample(1)
let headline = notebook.cell("headline numbers", over: every, key: \.id) {
  try first.taskMap(of: $0, .answer, unrelated: unrelated(to: $0), root: root)!
}
let counted = notebook.entering(
  study, headline.map { ($0.map.clean, $0.map.corrupt) }, of: folders[0])
let connector = first.model.mapSites.firstIndex { $0.stage == .connector }!
let pairs = notebook.cell("headline numbers on fewer pairs") {
  try counted.map { headline[$0] }.subsampledRows(
    of: counted.map { every[$0] }, connector: connector, samples: 200, draws: 1_000,
    random.split("pairs"))
}

// ![Headline numbers on fewer pairs](figures/ablation-pairs.svg)

notebook.figure(
  "figures/ablation-pairs", pairCountFigure(pairs), title: "Ablation: how many pairs")
notebook.numbers(pairs, of: "pairs")

// ## Numerics
//
// What must change nothing changes nothing, to the last bit: an item in a batch or alone, cells one by one or
// resumed in groups, weights widened to 32 bits. Padding that is computed adds zeros to sums, which moves their
// last bits. If one of these fails, nothing is written. What changes more is shown beside what the pair's other
// recording changes: weights rounded to float16, activations rounded as a graphics processor would, silence
// behind the recording.

let settings = NumericsSetting.allCases
let few = Array(sample(15).prefix(8))
let numericsPlan = NumericsPlan(
  windows: LockedWindows(width: 240, fixed: -2..<3, phones: 0...0, text: 1),
  company: Array(known.suffix(4)), root: root)
var numerics: [AblationRow] = []
for (folder, speech) in zip(folders, models) {
  let recast = settings.map { setting in (setting, attempt { try speech.recast(setting) }) }
  let measured = notebook.cell("\(folder), numerics", over: few, key: \.id) {
    try speech.numerics(of: $0, recast, numericsPlan)
  }
  for (i, setting) in settings.enumerated() {
    guard let bound = setting.bound else { continue }
    notebook.control(
      "\(folder): \(setting.title)", equals: 0, within: bound,
      of: measured.flatMap { [$0[i].logits, $0[i].cells].compactMap { $0 } })
  }
  numerics += numericsRows(
    measured, names: settings.map(\.title) + ["the other recording"],
    groups: few.prefix(measured.count).map(\.group), series: folder, draws: draws,
    random.split("numerics").split(folder))
}

// ![Numbers that a machine computes in](figures/ablation-numerics.svg)

notebook.figure(
  "figures/ablation-numerics", numericsFigure(numerics),
  title: "Ablation: which numbers a machine computes in")
notebook.numbers(numerics, of: "numerics")
notebook.finish()
