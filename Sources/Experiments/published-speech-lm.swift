// # A speech language model of two published halves
//
// Whisper base's encoder (Radford et al., 2022) and Qwen2.5-Coder-0.5B (Hui et al., 2024) were trained by
// others and stand as they are. What joins them, as in Qwen2-Audio, is a linear projector, and it alone
// was trained here, on the answers that the language model gives. So the encoder was made for another
// decoder, and the language model had never heard anything: nothing asked either of them for a map.
//
// The model is asked in natural language, the sound in the user's turn and the question behind it
// ("What is the first thing? One word."), and answers freely. Nothing of the answer is forced; compared
// are the first tokens of the two members' answers,
//
// $$ \mathrm{LD}(x) = \log p(w_\text{clean} \mid x) - \log p(w_\text{corrupt} \mid x). $$
//
// Recovery is that of Figure 2, as a ratio of means over pairs, in both directions.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("published-speech-lm")

// ## What is run, and on what
//
// Rules, pairs, windows and the three claims were fixed in `paper/preregistration-speech-lm.json`
// before the maps were computed, with what Figure S3 had shown of Whisper known: that much of what a
// phone changes lies in the 120 ms behind it. So the *moment* of a change is the changed span (a phone, or
// a digit) with those 120 ms. Trial runs followed, which mapped one pair that synthesisers said, one of a
// voice never heard and three of people, with projectors of 6 and of 70 steps of training. The first told
// how long a map takes, and fewer pairs were asked for behind it; nothing else of the rules has been
// changed. A whole run opens the test split under them, and that is logged; a quick one does not.
//
// Pairs are taken by count: every third of the suite's phoneme pairs, every sixth of those of voices that
// no training has heard, every fifth of the strings of digits that people recorded. Each is asked, and
// enters where the model gives both answers and the gap is one nat; of those that enter, maps are
// computed of 40, 4 and 12 at most, spread evenly over the voices.
//
// A position costs the language model 0.72 billion operations, a run of 75 positions 54 billion, 1.2 s on
// a core that does 45 billion a second. The three sites of the encoder change every position of the
// sound, so that each of their 15 cells costs a run a direction; the projector's five start from the
// changed position, and those behind every third layer compute only what lies above and behind: some 4
// and 10 runs. Both directions, the control on every second pair, integrity (10) and heads on every
// fourth (30) make 90 runs, 110 s of a core; 52 pairs with boundaries take 50 minutes on two cores, and
// with 142 questions, four pairs without boundaries and Whisper's cells it is an hour.

let rulesFile = "paper/preregistration-speech-lm.json"
let study = notebook.study(rules: rulesFile)
let (rules, root) = (study.rules, study.root)
let fixed = attempt { try AskedRules("\(root)/\(rulesFile)") }
let random = study.random("published speech LM")
guard let whisper = notebook.published("whisper-base"),
  let model = notebook.joined("qwen2-audio-published", languageModel: "qwen2.5-coder-0.5b"),
  let recordings = notebook.recordings()
else { exit(0) }
let grid = AskedGrid(model.model)

let materials = notebook.materials(
  study, where: { $0.spokenPrompt != nil && $0.transcript != nil },
  step: fixed.step(ofPairs:))
let (synthetic, people) = (0, 2)
if notebook.options.quick == nil { notebook.open(materials, of: study, for: "speech LM") }

struct Item: Sendable {
  let material: Int
  let pair: MinimalPair
}

let items = taking(
  turns: materials.indices.map { m in
    materials[m].pairs.map { Item(material: m, pair: $0) }
  })

// ## What it answers
//
// A pair whose answers begin with the same token cannot be told apart by it and is left out; the others
// are held to the rule of all experiments.

struct Answered: Codable, Sendable {
  /// Both logit differences; nil where the answers share their first token.
  var differences: [Double]?
}

let shared = "first token shared"
let answered = notebook.cell("answers", over: items, key: \.pair.id) { item in
  guard let asked = try model.asked(item.pair, root: root, recordings: recordings) else {
    return Answered()
  }
  return Answered(
    differences: try [asked.clean, asked.corrupt].map {
      try model.model.trace($0).logitDifference
    })
}
let filter = PairFilter(minimumGap: rules.minimumGap)
let reasons = answered.map { answer -> String? in
  guard let values = answer.differences else { return shared }
  return filter.reason(clean: values[0], corrupt: values[1])?.rawValue
}
for (m, material) in materials.enumerated() {
  let own = answered.indices.filter { items[$0].material == m }
  notebook.say(
    "\(own.count { reasons[$0] == nil }) of \(own.count) \(material.name) pairs enter; "
      + "\(own.count { reasons[$0] == shared }) share their first token")
}

/// The items whose maps are computed, kinds taking turns.
let mapped = taking(
  turns: materials.indices.map { m in
    let entering = answered.indices.filter { items[$0].material == m && reasons[$0] == nil }
    return entering.map { items[$0] }
      .spread(attempt { try fixed.most(ofPairs: materials[m].name) })
  })
attempt {
  guard mapped.contains(where: { $0.material == synthetic }) else {
    throw CellError(
      "no synthetic pair enters, so there is no map; train the projector again (make models-published)"
    )
  }
}

// ## The maps
//
// Each pair is traced twice. The clean run's activations go into the corrupt run and the reverse, at the
// encoder's input, middle and end, in what the projector gives, and behind every third layer of the
// language model; by windows of time locked to the change, and by what the text is for: the system's
// turn before the sound, the question behind it, and the last position, which says the answer. The
// projector acts on each position by itself, so that what enters it is the same cell as what leaves it.
// Before the sound both runs are the same, and those cells must be 0.
//
// Beside each cell stands, on every second pair, the clean member of another one, its move rescaled to
// the same length. On every fourth synthetic pair each head of the language model is patched by itself
// at the last position, and it is repeated with the projector that training began from: the same halves,
// nothing learnt between them.

@MainActor func step(_ name: String) -> Int { attempt { try fixed.step(ofTurns: name) } }

struct Mapped: Sendable {
  let item: Item
  let parts: AskedParts
}

let ordinal = mapped.indices.map { i in
  mapped[..<i].count { $0.material == mapped[i].material }
}
let (headStep, controlStep) = (step("heads"), step("unrelated"))
let wanted = attempt {
  try mapped.indices.map { i -> Mapped in
    let item = mapped[i]
    let isControlled = item.pair.alignment == .identity && ordinal[i] % controlStep == 0
    let suite = materials[item.material].suite
    return Mapped(
      item: item,
      parts: AskedParts(
        unrelated: isControlled ? try suite.unrelated(to: item.pair) : nil,
        searches: item.material == synthetic && item.pair.split == rules.confirmSplit,
        heads: item.material == synthetic && ordinal[i] % headStep == 0))
  }
}
let maps = notebook.cell("maps", over: wanted, key: \.item.pair.id) { wanted in
  try model.map(wanted.item.pair, wanted.parts, root: root, recordings: recordings)
}
notebook.control("self-patch", equals: 0, of: maps.flatMap(\.map.selfPatched))
notebook.control("everything patched", equals: 1, of: maps.flatMap(\.map.allPatched))
let system = AskedGrid.names.firstIndex(of: "system")!
notebook.control(
  "before the sound", equals: 0,
  of: maps.flatMap { map in
    map.map.sufficiency.compactMap { $0[system] }.map { $0 - map.map.corrupt }
  })

/// Places among the maps of one kind.
@MainActor func places(_ material: Int) -> [Int] {
  maps.indices.filter { mapped[$0].material == material }
}

let own = places(synthetic)
let human = places(people)
let ownMaps = own.map { maps[$0].map }
let ownGroups = own.map { mapped[$0].pair.group }
let humanMaps = human.map { maps[$0].map }
let humanGroups = human.map { mapped[$0].pair.group }

let untrained = attempt {
  try model.withDrawnProjector(
    Random(seed: UInt64(rules.seed)).split("qwen2-audio-published").split("projector"))
}
let fourth = own.map { mapped[$0] }.every(step("random projector"))
let null = notebook.cell("drawn projector", over: fourth, key: \.pair.id) { item in
  try untrained.map(
    item.pair, AskedParts(isWhole: false), root: root, recordings: recordings)
}

// ## The same encoder, read by its own decoder
//
// Whisper's decoder reads this encoder too. It is given the same pairs, as in Figure S3 with the words
// before forced, and the encoder's cells are patched at the same depths and windows. Whisper hears 30 s,
// the sound padded with silence; Qwen2-Audio's encoder runs under a mask that hides the padding.

let heard = own.map { mapped[$0] }.every(step("whisper-base"))
let whisperMaps = notebook.cell("whisper-base", over: heard, key: \.pair.id) { item in
  try whisper.encoderMap(item.pair, root: root, recordings: recordings)
}
let both = whisperMaps.indices.filter {
  filter.reason(clean: whisperMaps[$0].clean, corrupt: whisperMaps[$0].corrupt) == nil
}
let read = both.map { i in ownMaps[own.firstIndex { mapped[$0].pair.id == heard[i].pair.id }!] }
let readWhisper = both.map { whisperMaps[$0] }
let readGroups = both.map { heard[$0].pair.group }
notebook.say("whisper-base: \(both.count) of \(whisperMaps.count) of the pairs enter there too")

// ## Reading the maps

let (moment, changed, last) = (AskedGrid.moment, AskedGrid.changed, AskedGrid.last)

@MainActor func profile(
  _ name: String, _ direction: Direction, _ maps: [PairMap], _ groups: [String],
  sites: Range<Int>, over gap: Double? = nil, _ value: (PairMap, Int) -> Double?
) -> Profile {
  Profile(
    name,
    maps.profile(
      direction, sites: sites, groups: groups, over: gap, draws: rules.bootstrapDraws,
      random.split(name), value))
}

/// A window along the language model's depth, by whose activations are put there.
@MainActor func passages(_ window: Int) -> [AskedSource: Profile] {
  let sites = grid.passage
  let place = AskedGrid.names[window]
  let gap = ownMaps.map(\.gap).reduce(0, +) / Double(ownMaps.count)
  func curve(
    _ source: AskedSource, _ direction: Direction, _ maps: [PairMap], _ groups: [String],
    over gap: Double? = nil, _ table: @escaping (PairMap) -> [[Double?]]
  ) -> Profile {
    profile("\(place): \(source.rawValue)", direction, maps, groups, sites: sites, over: gap) {
      let values = table($0)
      return values.isEmpty ? nil : values[$1][window]
    }
  }
  return [
    .clean: curve(.clean, .sufficiency, ownMaps, ownGroups, \.sufficiency),
    .corrupt: curve(.corrupt, .necessity, ownMaps, ownGroups, \.necessity),
    .unrelated: curve(.unrelated, .sufficiency, ownMaps, ownGroups, \.unrelated),
    .people: curve(.people, .sufficiency, humanMaps, humanGroups, \.sufficiency),
    .strangers: curve(.strangers, .sufficiency, humanMaps, humanGroups, \.unrelated),
    .untrained: curve(
      .untrained, .sufficiency, null.map(\.map), fourth.prefix(null.count).map(\.pair.group),
      over: gap, \.sufficiency),
  ]
}

let carried = passages(moment)
let answering = passages(last)

// The hand-over is where, from some depth on, the moment's positions carry less than half of the gap,
// and the last position at least half; between two depths that were measured it is interpolated.

@MainActor func handOver(
  _ name: String, _ direction: Direction, _ maps: [PairMap], _ groups: [String],
  _ table: (PairMap) -> [[Double?]]
) -> HandOverRow {
  func depth(_ window: Int, rises: Bool) -> Estimate? {
    maps.crossing(
      direction, sites: grid.passage, depths: grid.depths, threshold: rules.bottleneckRecovery,
      rises: rises, groups: groups, draws: rules.bootstrapDraws,
      random.split(name).split(AskedGrid.names[window])
    ) { table($0)[$1][window] }
  }
  return HandOverRow(name, falls: depth(moment, rises: false), rises: depth(last, rises: true))
}

let searched = own.filter { wanted[$0].parts.searches }
let searchedMaps = searched.map { maps[$0].map }
let searchedGroups = searched.map { mapped[$0].pair.group }
var handOvers = [
  handOver("sufficiency", .sufficiency, ownMaps, ownGroups, \.sufficiency),
  handOver("necessity", .necessity, ownMaps, ownGroups, \.necessity),
]
if !human.isEmpty {
  handOvers.append(handOver("people", .sufficiency, humanMaps, humanGroups, \.sufficiency))
}

// What the two readers recover from the encoder, on the pairs that enter in both.

let encoder = grid.encoder.indices
let readers = [
  ("language model: moment", read, moment), ("Whisper: moment", readWhisper, moment),
  ("language model: span", read, changed), ("Whisper: span", readWhisper, changed),
].map { name, maps, window in
  profile(name, .sufficiency, maps, readGroups, sites: encoder) { $0.sufficiency[$1][window] }
}
let joint = grid.encoder.count
let difference = read.difference(
  .sufficiency, to: readWhisper, groups: readGroups, draws: rules.bootstrapDraws,
  random.split("readers"), { $0.sufficiency[joint][moment] },
  { $0.sufficiency[encoder.last!][moment] })

// ## Search against exact
//
// Attribution's estimates at the same cells, against exact effects, on the test split's pairs: the
// certificate, whether the strongest window of a depth is found, and where the search puts the hand-over.

var data = AskedFigureData(grid: grid)
if searchedMaps.isEmpty {
  notebook.say("no pair of the test split enters, so the search has no certificate")
} else {
  let certificate = attempt {
    try searchedMaps.certificate(
      .sufficiency, estimates: \.searchSufficiency, effects: \.sufficiency,
      groups: searchedGroups, searchCost: 4, threshold: rules.bottleneckRecovery,
      random.split("certificate"))
  }
  notebook.say("\(certificate)")
  notebook.output("figures/figure4-certificate.txt", text: "\(certificate)\n")
  notebook.number("speechlm.searchCost", certificate.meanCostRatio, tolerance: 1e-6)
  notebook.number(
    "speechlm.searchWindow",
    searchedMaps.sameStrongest(
      sites: grid.sites.indices, windows: AskedGrid.apart, groups: searchedGroups,
      draws: rules.bootstrapDraws, random.split("strongest")))
  handOvers.append(
    handOver("search", .sufficiency, searchedMaps, searchedGroups) { map in
      map.searchSufficiency.map { $0.map { $0.map { map.corrupt + $0 } } }
    })
  let exact = searchedMaps.recovery(.sufficiency, \.sufficiency)
  let estimated = searchedMaps.searchRecovery(.sufficiency, \.searchSufficiency)
  for (effects, estimates) in zip(exact, estimated) {
    for window in AskedGrid.apart {
      guard let effect = effects[window], let estimate = estimates[window] else { continue }
      data.effects.append(effect)
      data.estimates.append(estimate)
    }
  }
}

// ## Figure 4
//
// ![The map of a speech language model of two published halves](figures/figure4.svg)

data.sufficiency = ownMaps.recovery(.sufficiency, \.sufficiency)
data.necessity = ownMaps.recovery(.necessity, \.necessity)
data.unrelated = ownMaps.filter { !$0.unrelated.isEmpty }.recovery(.sufficiency, \.unrelated)
data.people = humanMaps.recovery(.sufficiency, \.sufficiency)
(data.moment, data.last, data.readers) = (carried, answering, readers)
data.handOver = handOvers
data.heads = own.map { maps[$0] }.headRecovery
notebook.figure(
  "figures/figure4", askedFigure(data),
  title: "Figure 4: causal map of a speech language model of two published halves")

// Which pairs are left out, by kind, voice and reason.

let columns = [shared] + Exclusion.allCases.map(\.rawValue)
var left = ["kind\tvoice\tpairs\tenter\tmapped\t\(columns.joined(separator: "\t"))"]
for (m, material) in materials.enumerated() {
  for voice in Set(material.pairs.map(\.voice)).sorted() {
    let asked = reasons.indices.filter { items[$0].material == m && items[$0].pair.voice == voice }
    let drawn = mapped.count { $0.material == m && $0.pair.voice == voice }
    let counts = columns.map { reason in asked.count { reasons[$0] == reason } }
    left.append(
      "\(material.name)\t\(voice)\t\(asked.count)\t\(asked.count { reasons[$0] == nil })\t\(drawn)\t"
        + counts.map { "\($0)" }.joined(separator: "\t"))
  }
}
notebook.output("figures/figure4-pairs.tsv", text: left.joined(separator: "\n") + "\n")

// ## What the text says

for (m, material) in materials.enumerated() {
  let asked = reasons.indices.filter { items[$0].material == m }
  for (what, count) in [
    ("asked", asked.count), ("enter", asked.count { reasons[$0] == nil }),
    ("sharedToken", asked.count { reasons[$0] == shared }), ("mapped", places(m).count),
  ] {
    notebook.number("speechlm.\(material.name).\(what)", Double(count))
  }
}
for (place, window) in [("moment", moment), ("changed", changed)] {
  for (site, s) in [("input", 0), ("encoder", joint - 1), ("projector", joint)] {
    for direction in Direction.allCases {
      let curve = profile(
        "\(place) \(site) \(direction.rawValue)", direction, ownMaps, ownGroups, sites: s..<s + 1
      ) { direction == .sufficiency ? $0.sufficiency[$1][window] : $0.necessity[$1][window] }
      if let value = curve.values[0] {
        notebook.number("speechlm.\(site).\(place).\(direction.rawValue)", value, claim: "Q1")
      }
    }
  }
}
for (source, name) in [
  (AskedSource.unrelated, "unrelated"), (.people, "people"), (.strangers, "people.unrelated"),
  (.untrained, "drawn"),
] {
  if let value = carried[source]?.values.first, let value {
    notebook.number("speechlm.projector.moment.\(name)", value, claim: "Q1")
  }
}
for row in handOvers {
  if let depth = row.falls {
    notebook.number("speechlm.handOver.\(row.name).moment", depth, claim: "Q2")
  }
  if let depth = row.rises {
    notebook.number("speechlm.handOver.\(row.name).last", depth, claim: "Q2")
  }
}
notebook.number("speechlm.whisper.pairs", Double(both.count), claim: "Q3")
for (name, curve) in zip(["lm.moment", "whisper.moment", "lm.changed", "whisper.changed"], readers)
{
  if let value = curve.values.last, let value {
    notebook.number("speechlm.encoder.\(name)", value, claim: "Q3")
  }
}
if !both.isEmpty { notebook.number("speechlm.difference", difference, claim: "Q3") }
notebook.note(
  "seconds of a map, mean", "\(maps.map(\.cost.seconds).reduce(0, +) / Double(maps.count))")

if let sufficiency = carried[.clean]?.values[0], let necessity = carried[.corrupt]?.values[0],
  let unrelated = carried[.unrelated]?.values[0]
{
  let verdicts = AskedVerdicts(
    sufficiency: sufficiency, necessity: necessity, unrelated: unrelated,
    takesOver: handOvers.prefix(2).map(\.rises), difference: difference)
  for (claim, holds) in [
    ("Q1", verdicts.isBottleneck(rules.bottleneckRecovery)),
    ("Q2", verdicts.takesOver(in: fixed.handOver)),
    ("Q3", verdicts.readsAsMuch(within: fixed.margin)),
  ] {
    notebook.claim(claim, attempt { try fixed.statement(claim) }, holds: holds)
  }
}
notebook.finish()
