// # When, and at which layer, does a sound become the answer?
//
// Two recordings differ in one phone: "red *bat* and blue map" and "red *pat* and blue map". Both
// are put to a small speech language model with the question "first thing:". We run the model on
// one member, the **base**, and put into it the activation that the other member, the **source**,
// has at one residual site and in one window of time. If the answer follows the source, that cell
// carries the phone's identity.
//
// The outcome is the logit difference of the two answers at the position where the answer is read,
//
// $$ \mathrm{LD}(x) = \log p(y_\text{clean} \mid x) - \log p(y_\text{corrupt} \mid x), $$
//
// and a patch is scored by the share of the gap between the two runs that it moves:
//
// $$ R = \frac{\mathrm{LD}_\text{patched} - \mathrm{LD}_\text{corrupt}}
//             {\mathrm{LD}_\text{clean} - \mathrm{LD}_\text{corrupt}}, \qquad
//    N = \frac{\mathrm{LD}_\text{clean} - \mathrm{LD}_\text{patched}}
//             {\mathrm{LD}_\text{clean} - \mathrm{LD}_\text{corrupt}}. $$
//
// $R$ (base corrupt, source clean) is **sufficiency**, $N$ (base clean, source corrupt) is
// **necessity**. Over pairs we take the ratio of means, never the mean of ratios, and nothing is
// clipped.

import Corpus
import Figures
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("e1-causal-map", takes: [.model, .pairs])

// ## What is run, and on what
//
// The model is the checkpoint that this package trained, read back from its file. The pairs are
// synthesised with the same phone durations for both members, so both have the same number of
// samples and the same boundaries, and a position of one run is the same moment in the other. What
// counts as a finding was written down beforehand.

let speech = notebook.checkpoint("qwen2-audio-small", as: "model", isSinglePath: true)
let study = notebook.study(needing: [\.searchSplit, \.confirmSplit])
let (suite, rules, root) = (study.suite, study.rules, study.root)
let (model, name) = (speech.model, notebook.checkpoints(["qwen2-audio-small"])[0])
let random = study.random("e1")

// Windows are locked to the changed phone: 80 ms wide and beginning with it, or one for each phone
// around it. Behind the sound come the last four tokens of the prompt; the answer is read at the
// last of them.

let windows = LockedWindows(width: 80, fixed: -8..<10, phones: -4...4, text: 4)
let sites = model.mapSites

// Cells are searched on the discovery split and confirmed on the test split, which have no sentence
// and no speaker in common. Opening the test split is logged with the digest of the rules, and refused
// under other rules than those it was opened under first. What a reader runs on a model or on pairs of
// their own opens nothing.

let splits = attempt { try Splits(suite.pairs.map { SplitItem($0) }) }
if notebook.options.own.isEmpty {
  attempt {
    try OpeningLog("\(root)/paper/openings.tsv").open(
      rules.confirmSplit, items: splits.digest(rules.confirmSplit), under: rules.digest,
      by: notebook.name)
  }
}

// ## Does the model do what we explain?
//
// Every utterance of the suite is transcribed, and every pair must be answered correctly on both
// sides, by a gap of at least one nat, to enter the map. How many are left out is part of the
// result.

notebook.askFirst(speech, suite.pairs, of: study, as: name)
let transcribed = notebook.cell("transcription", over: suite.utterances, key: \.id) { utterance in
  let clip = try speech.clip(Waveform(contentsOf: "\(root)/\(utterance.file)"))
  return try speech.answers(clip, prompt: "transcribe:", with: utterance.text)
}

// ## The map
//
// Each pair is traced twice, and every cell is patched in both directions. Beside it stands the
// *search*: plain attribution patching, gradient times difference, from the same two forward
// passes and one backward. It proposes; only exact patching decides.
//
// The unrelated donor is the clean member of another pair of the same voice and frame, aligned at
// its own changed phone, and its move is rescaled to the length of the real one: the same push in a
// direction that says another word. It cannot be expected to do nothing: it erases the corrupt word,
// which alone takes LD from far below zero towards zero, half of the gap. What it must not do is
// bring the clean word back. So the text quotes the contrast with it, and how often the answer flips.

let measured = notebook.cell("exact map", over: suite.pairs, key: \.id) { pair in
  let questions = try speech.questions(for: pair, root: root)
  let clean = try model.trace(questions.clean)
  let corrupt = try model.trace(questions.corrupt)
  let time = windows.ofTime(pair)
  let phones = windows.ofPhones(pair)

  var map = PairMap(clean: clean.logitDifference, corrupt: corrupt.logitDifference)
  map.sufficiency = try model.map(corrupt, with: .source(clean), windows: time)
  map.necessity = try model.map(clean, with: .source(corrupt), windows: time)
  map.phoneSufficiency = try model.map(corrupt, with: .source(clean), windows: phones)
  map.phoneNecessity = try model.map(clean, with: .source(corrupt), windows: phones)
  map.searchSufficiency = try model.searchMap(of: clean, into: corrupt, windows: time)
  map.searchNecessity = try model.searchMap(of: corrupt, into: clean, windows: time)

  let other = try suite.unrelated(to: pair)
  let stranger = try model.trace(try speech.questions(for: other, root: root).clean)
  map.unrelated = try model.map(
    corrupt,
    with: .unrelated(stranger, shift: other.onset - pair.onset, matching: clean),
    windows: phones + time.suffix(windows.text))
  (map.selfPatched, map.allPatched) = try model.integrity(map, clean: clean, corrupt: corrupt)
  return map
}

// ## Would we be fooled?
//
// Putting a run's own activations back must change nothing, and putting all of the source's in must
// give the source's answer: not nearly, but to the last bit, at every site of every pair, in both
// directions. If either fails, nothing is written.

notebook.control("self-patch", equals: 0, of: measured.flatMap(\.selfPatched))
notebook.control("everything patched", equals: 1, of: measured.flatMap(\.allPatched))

// The same model with random weights hears the same sounds. What its map shows is what the
// architecture alone would show. Every third pair is enough for a null.

let untrained = speech.untrained(random.split("untrained"))
let third = study.sample(3)
let null = notebook.cell("random weights", over: third, key: \.id) { pair in
  let questions = try untrained.questions(for: pair, root: root)
  let clean = try untrained.model.trace(questions.clean)
  let corrupt = try untrained.model.trace(questions.corrupt)
  var map = PairMap(clean: clean.logitDifference, corrupt: corrupt.logitDifference)
  map.sufficiency = try untrained.model.map(
    corrupt, with: .source(clean), windows: windows.ofTime(pair))
  map.phoneSufficiency = try untrained.model.map(
    corrupt, with: .source(clean), windows: windows.ofPhones(pair))
  return map
}

// ## The pairs that enter

let pairs = Array(suite.pairs.prefix(measured.count))
let kept = notebook.entering(
  study, measured.map { ($0.clean, $0.corrupt) }, of: name)
let maps = kept.map { measured[$0] }
let groups = kept.map { pairs[$0].group }
let gap = maps.map(\.gap).reduce(0, +) / Double(maps.count)

/// The pairs that enter, of a split, by their place among all that enter.
@MainActor func entering(_ split: String) -> [Int] {
  attempt {
    let own = kept.indices.filter { pairs[kept[$0]].split == split }
    guard own.isEmpty else { return own }
    throw CellError(
      "\(name): none of the \(kept.count) pairs that enter is of the split \(split), so that the search "
        + "cannot be confirmed; give more pairs of it, or a larger --quick")
  }
}

let search = entering(rules.searchSplit).map { maps[$0] }
let confirmed = entering(rules.confirmSplit)
let confirm = confirmed.map { maps[$0] }

// ## Reading the map
//
// The profile along depth is taken at two places: the window of the changed phone, and the position
// where the answer is read. Intervals are BCa over groups (sentence by speaker), 10,000 draws.

let changed = -windows.phones.lowerBound
let answer = windows.fixed.count + 2 + windows.text - 1

@MainActor func profile(
  _ name: String, _ direction: Direction, _ value: (PairMap, Int) -> Double?
) -> [Estimate?] {
  maps.profile(
    direction, sites: sites.indices, groups: groups, draws: rules.bootstrapDraws,
    random.split(name), value)
}

let sufficient = profile("sufficiency", .sufficiency) {
  $0.phoneSufficiency[$1][changed]
}
let necessary = profile("necessity", .necessity) {
  $0.phoneNecessity[$1][changed]
}
let stranger = profile("unrelated", .sufficiency) { $0.unrelated[$1][changed] }
let atAnswer = profile("answer", .sufficiency) { $0.sufficiency[$1][answer] }
let strangerAtAnswer = profile("unrelated answer", .sufficiency) {
  $0.unrelated[$1][windows.phones.count + windows.text - 1]
}
let untrainedProfile = null.profile(
  .sufficiency, sites: sites.indices, groups: third.prefix(null.count).map(\.group), over: gap,
  draws: rules.bootstrapDraws, random.split("untrained")
) { $0.phoneSufficiency[$1][changed] }
let contrast = profile("contrast", .sufficiency) { map, site in
  guard let real = map.phoneSufficiency[site][changed], let sham = map.unrelated[site][changed]
  else { return nil }
  return map.corrupt + real - sham
}

let connector = sites.firstIndex(of: Site(.connector, nil, .out))!
attempt {
  guard contrast[connector] != nil, untrainedProfile[connector] != nil else {
    throw CellError(
      "\(name): no position of \(sites[connector]) lies in the changed phone of any pair; longer ones are "
        + "needed, or windows of fixed width (maps-by-model)")
  }
}
let lastButOne = sites.count - 2
notebook.contrast(
  "clean source against unrelated item, connector, changed phone",
  low: contrast[connector]!.low, high: contrast[connector]!.high, excludes: 0)

let nullMap = null.recovery(.sufficiency, \.sufficiency, over: gap)
notebook.contrast(
  "random weights: every cell of the map", above: -0.01, below: 0.01,
  of: nullMap.flatMap { $0.compactMap { $0 } })

// ## Search against exact
//
// The ten cells that attribution ranks highest on the discovery speakers are compared with the ten
// largest exact effects on the test speakers, who say other sentences.

let exactMap = confirm.recovery(.sufficiency, \.sufficiency)
let searchMap = search.searchRecovery(.sufficiency, \.searchSufficiency)
let searchNecessity = search.searchRecovery(.necessity, \.searchNecessity)
let proposed = strongestCells(rules.searchK, of: searchMap)
let found = strongestCells(rules.searchK, of: exactMap)
let overlap = Double(proposed.filter(found.contains).count) / Double(rules.searchK)
let (estimates, effects) = matched(
  confirm.searchRecovery(.sufficiency, \.searchSufficiency), exactMap)

// A search is worth what its certificate says: how its scores agree with the exact effects of the
// same cells on the test split, how many of the strongest it proposes, and how many exact patches it
// takes to have found them all. An effect counts from the recovery on that a bottleneck must reach.

@MainActor func certificate(
  _ direction: Direction, _ estimates: (PairMap) -> [[Double?]],
  _ effects: (PairMap) -> [[Double?]]
) -> Certificate {
  attempt {
    try confirm.certificate(
      direction, estimates: estimates, effects: effects, groups: confirmed.map { groups[$0] },
      searchCost: 4, threshold: rules.bottleneckRecovery,
      random.split("certificate").split(direction.rawValue))
  }
}
let certificates = [
  certificate(.sufficiency, \.searchSufficiency, \.sufficiency),
  certificate(.necessity, \.searchNecessity, \.necessity),
]
let certified = zip(Direction.allCases, certificates).map { "\($0): \($1)\n" }.joined()
notebook.say(certified)
notebook.output("figures/figure2-certificate.txt", text: certified)

// ## Figure 2
//
// ![The causal map, its search, an example, and its controls](figures/figure2.svg)

let data = CausalMapData(
  sites: sites, windows: windows,
  sufficiency: maps.recovery(.sufficiency, \.sufficiency),
  necessity: maps.recovery(.necessity, \.necessity),
  untrained: nullMap, proposed: proposed,
  proposedNecessity: strongestCells(rules.searchK, of: searchNecessity),
  phones: typicalPhones(kept.map { pairs[$0] }, windows),
  phoneSufficiency: maps.recovery(.sufficiency, \.phoneSufficiency),
  example: example(pairs, measured, windows), estimates: estimates, effects: effects,
  profiles: [
    Profile("clean source", sufficient), Profile("corrupt source (necessity)", necessary),
    Profile("unrelated item, same length", stranger), Profile("random weights", untrainedProfile),
  ],
  answer: [Profile("clean source", atAnswer), Profile("unrelated item", strangerAtAnswer)])
let figure =
  notebook.options.own.isEmpty
  ? causalMapFigure(data) : causalMapFigure(data, text: windows.textPlaces)
notebook.figure(
  "figures/figure2", figure, title: "Figure 2: causal map from sound to answer")

// ## What the text says

notebook.number("e1.utterances", Double(transcribed.count))
notebook.number("e1.transcribed", Double(transcribed.count { $0 }) / Double(transcribed.count))
notebook.number("e1.pairs", Double(pairs.count))
notebook.number("e1.pairsKept", Double(kept.count))
let choices = measured.flatMap { [$0.clean > 0, $0.corrupt < 0] }
notebook.number("e1.choice", Double(choices.count { $0 }) / Double(choices.count))
notebook.number("e1.meanGap", gap, tolerance: 1e-6)
notebook.number("e1.connectorSufficiency", sufficient[connector]!, claim: "C1")
notebook.number("e1.connectorNecessity", necessary[connector]!, claim: "C1")
notebook.number("e1.connectorUnrelated", stranger[connector]!, claim: "C1")
notebook.number("e1.connectorContrast", contrast[connector]!, claim: "C1")
let flips = [
  "e1.connectorFlips": maps.flipRate(groups, random) { $0.phoneSufficiency[connector][changed] },
  "e1.connectorFlipsUnrelated": maps.flipRate(groups, random) { $0.unrelated[connector][changed] },
]
for (name, rate) in flips { notebook.number(name, rate, claim: "C1") }
notebook.number("e1.connectorUntrained", untrainedProfile[connector]!, claim: "C1")
notebook.number("e1.answerBeforeLastLayer", atAnswer[lastButOne]!, claim: "C2")
notebook.number("e1.searchPearson", pearson(estimates, effects), tolerance: 1e-6, claim: "C3")
notebook.number("e1.searchSpearman", spearman(estimates, effects), tolerance: 1e-6, claim: "C3")
notebook.number("e1.searchSlope", slope(effects, estimates), tolerance: 1e-6, claim: "C3")
notebook.number("e1.searchOverlap", overlap, claim: "C3")
for (direction, certificate) in zip(Direction.allCases, certificates) {
  if let intervals = certificate.intervals {
    notebook.number("e1.certificate.\(direction).pearson", intervals.pearson)
    notebook.number("e1.certificate.\(direction).kendall", intervals.kendall)
  }
  notebook.number(
    "e1.certificate.\(direction).cost", certificate.meanCostRatio, tolerance: 1e-6)
}

notebook.claim(
  "C1", "the changed phone's window of the connector is sufficient and necessary",
  holds: sufficient[connector]!.low >= rules.bottleneckRecovery
    && necessary[connector]!.low >= rules.bottleneckRecovery && contrast[connector]!.low > 0)
notebook.claim(
  "C2", "the answer's position has taken over before the last layer",
  holds: atAnswer[lastButOne]!.low >= rules.answerPositionThreshold)
notebook.claim(
  "C3", "attribution proposes at least half of the strongest cells",
  holds: overlap >= rules.searchOverlap)
notebook.finish()
