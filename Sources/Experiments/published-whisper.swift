// # Does a published recogniser tell the same story?
//
// The checkpoints of Figure 2 and Figure S1 were trained by this package, with labels that ask for a
// map like the one that was found. Whisper base and tiny.en (Radford et al., 2022) were trained by
// others, on other speech, for nothing but transcripts. Nothing of them is changed here.
//
// A recogniser is not asked; it writes. So the words before the one that differs are forced, as it
// would write them itself ("Say the red"), and the two words of the pair (" pat", " bat") are compared
// at the next position, by
//
// $$ \mathrm{LD}(x) = \log p(w_\text{clean} \mid x) - \log p(w_\text{corrupt} \mid x), $$
//
// at their first token that differs. Strings of digits are written as numerals with commas. Recovery is
// that of Figure 2, as a ratio of means over pairs, in both directions.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("published-whisper")

// ## What is run, and on what
//
// Pairs are taken by count and not by result: every tenth of the suite's phoneme pairs, every twelfth of
// those of voices that no small checkpoint has heard, every sixth pair of strings of digits that people
// recorded and that differ in one digit. An encoder cell of base costs up to 87 billion operations, so
// windows are locked to the change: everything before, the changed span, 120 ms behind it, the rest of
// the sound, and the padding up to 30 s, which Whisper hears as silence.
//
// The rules, these numbers and the three claims were fixed in `paper/preregistration-published.json`
// before the maps were computed: a pair enters where both words are right by a gap of one nat; a span is
// a bottleneck where the lower bounds of sufficiency and of necessity reach one half and the unrelated
// item stays below. The opening of the test split under them is logged. What had been seen by then:
// trial runs of this experiment on three pairs of each kind, of which the people's and those of the
// never-heard voices belong to the test split.

let rulesFile = "paper/preregistration-published.json"
let study = notebook.study(rules: rulesFile)
let (rules, root) = (study.rules, study.root)
let fixed = attempt { try TranscriptRules("\(root)/\(rulesFile)") }
let random = study.random("published whisper")
let models = ["whisper-base", "whisper-tiny.en"]
let folders = models.compactMap { notebook.publishedFolder($0) }
guard folders.count == models.count, let recordings = notebook.recordings() else { exit(0) }

let materials = notebook.materials(
  study, where: { $0.transcript != nil }, step: fixed.step(ofPairs:))
notebook.open(materials, of: study, for: "published")

let (synthetic, people) = (0, 2)

struct Item: Sendable {
  /// Which turn of the kinds it belongs to.
  let turn: Int
  let material: Int
  let pair: MinimalPair
  let unrelated: MinimalPair?
  /// Whether the certificate of the search compares its estimates with exact effects.
  let isSearched: Bool
}

/// All pairs, kinds taking turns, so that the first of them are of every kind.
let items = attempt {
  taking(
    turns: try materials.indices.map { m in
      try materials[m].pairs.enumerated().map { i, pair in
        let isAligned = pair.alignment == .identity
        return Item(
          turn: i, material: m, pair: pair,
          unrelated: isAligned ? try materials[m].suite.unrelated(to: pair) : nil,
          isSearched: m == synthetic && pair.split == rules.confirmSplit)
      }
    })
}

// ## The maps
//
// Each pair is traced twice. The clean run's activations go into the corrupt run and the reverse, in
// the residual stream of the encoder, in the keys and values that the decoder attends to, layer by
// layer, and in the decoder's residual stream by text position; then each of its heads by itself, at the
// position that predicts the word. Beside them stand the clean member of another pair, its move
// rescaled to the same length; the same architecture with random weights, on every second synthetic
// pair; and attribution, which proposes from one backward pass. Of tiny.en every second turn is taken.

@MainActor func step(_ name: String) -> Int { attempt { try fixed.step(ofTurns: name) } }

/// What is read of one model.
struct Reading {
  let name: String
  let grid: TranscriptGrid
  let items: [Item]
  /// Of the items, in the order of `null`, the groups.
  let nullGroups: [String]
  let maps: [TranscriptMap]
  let null: [TranscriptMap]
  /// Items that enter, and of the others why not.
  let kept: [Int]
  let reasons: [Exclusion?]

  /// The items of one kind that enter.
  func entered(_ material: Int) -> [Int] {
    kept.filter { items[$0].material == material }
  }
}

@MainActor func read(_ folder: String, _ recogniser: Recogniser, _ items: [Item]) -> Reading {
  let maps = notebook.cell(folder, over: items, key: \.pair.id) { item in
    try recogniser.map(
      item.pair, unrelated: item.unrelated, root: root, recordings: recordings,
      searching: item.isSearched)
  }
  let untrained = recogniser.untrained(random.split(folder).split("untrained"))
  let second = items.filter { $0.material == synthetic }.enumerated()
    .filter { $0.offset % step("random weights") == 0 }.map(\.element)
  let null = notebook.cell(
    "\(folder), random weights", over: second, key: \.pair.id
  ) { item in
    try untrained.map(
      item.pair, unrelated: nil, root: root, recordings: recordings, full: false)
  }
  notebook.control("\(folder): self-patch", equals: 0, of: maps.flatMap(\.map.selfPatched))
  notebook.control("\(folder): everything patched", equals: 1, of: maps.flatMap(\.map.allPatched))

  let filter = PairFilter(minimumGap: rules.minimumGap)
  let reasons = maps.map { filter.reason(clean: $0.map.clean, corrupt: $0.map.corrupt) }
  let kept = maps.indices.filter { reasons[$0] == nil }
  _ = attempt {
    try study.entering(
      maps.indices.filter { items[$0].material == synthetic }
        .map { (maps[$0].map.clean, maps[$0].map.corrupt) }, of: folder)
  }
  for (m, material) in materials.enumerated() {
    let own = maps.indices.filter { items[$0].material == m }
    notebook.say(
      "\(folder): \(own.count { reasons[$0] == nil }) of \(own.count) \(material.name) pairs enter")
  }
  return Reading(
    name: folder, grid: TranscriptGrid(recogniser.model), items: items,
    nullGroups: second.prefix(null.count).map(\.pair.group), maps: maps, null: null, kept: kept,
    reasons: reasons)
}

// One model after the other is opened, read and let go.

let readings = zip(models, folders).map { name, folder in
  read(
    name, attempt { try Recogniser(folder: folder) }, items.filter { $0.turn % step(name) == 0 })
}

// The small checkpoint of Figure 2 on the same pairs, in its own encoder and with its own question.

let small = notebook.checkpoint("qwen2-audio-small")
let smallSites = small.model.mapSites.filter { $0.stage != .lm }
let smallItems = items.filter { $0.pair.alignment == .identity }
let smallMaps = notebook.cell("qwen2-audio-small", over: smallItems, key: \.pair.id) { item in
  let questions = try small.questions(for: item.pair, root: root)
  let clean = try small.model.trace(questions.clean)
  let corrupt = try small.model.trace(questions.corrupt)
  let windows = TranscriptGrid.windows(
    item.pair, end: 10 * Double(questions.clean.clip.validFrames))
  var map = PairMap(clean: clean.logitDifference, corrupt: corrupt.logitDifference)
  map.sufficiency = try smallSites.map { site in
    try windows.prefix(4).map { window in
      try window.flatMap {
        try small.model.patched(corrupt, from: clean, cells: [[Cell(site, $0)]])[0]
      }
    }
  }
  return map
}

// ## Reading the maps

/// Maps of the pairs of one kind that enter, with their groups.
@MainActor func entered(_ reading: Reading, _ material: Int) -> (maps: [PairMap], groups: [String])
{
  let own = reading.entered(material)
  return (own.map { reading.maps[$0].map }, own.map { reading.items[$0].pair.group })
}

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

let changed = TranscriptGrid.changed

/// The changed span along the encoder's depth, with its controls.
@MainActor func curves(_ reading: Reading) -> [Profile] {
  let (maps, groups) = entered(reading, synthetic)
  let (human, speakers) = entered(reading, people)
  let sites = reading.grid.encoder.indices
  let gap = maps.map(\.gap).reduce(0, +) / Double(maps.count)
  return [
    profile("\(reading.name): clean source", .sufficiency, maps, groups, sites: sites) {
      $0.sufficiency[$1][changed]
    },
    profile("\(reading.name): corrupt source (necessity)", .necessity, maps, groups, sites: sites) {
      $0.necessity[$1][changed]
    },
    profile(
      "\(reading.name): unrelated item, same length", .sufficiency, maps, groups, sites: sites
    ) {
      $0.unrelated.isEmpty ? nil : $0.unrelated[$1][0]
    },
    profile(
      "\(reading.name): random weights", .sufficiency, reading.null.map(\.map), reading.nullGroups,
      sites: sites, over: gap
    ) { $0.sufficiency[$1][changed] },
    profile("\(reading.name): people", .sufficiency, human, speakers, sites: sites) {
      $0.sufficiency[$1][changed]
    },
  ]
}

let depth = readings.map { curves($0) }

/// The answer's position along the decoder's depth.
@MainActor func answer(_ reading: Reading) -> Profile {
  let (maps, groups) = entered(reading, synthetic)
  let first = reading.grid.encoder.count + reading.grid.keys.count + reading.grid.values.count
  return profile(
    "\(reading.name): answer's position", .sufficiency, maps, groups,
    sites: reading.grid.decoder.indices
  ) { $0.sufficiency[first + $1][TranscriptGrid.answer] }
}

let atAnswer = readings.map { answer($0) }

let smallKept = smallMaps.indices.filter {
  smallItems[$0].material == synthetic
    && PairFilter(minimumGap: rules.minimumGap).reason(
      clean: smallMaps[$0].clean, corrupt: smallMaps[$0].corrupt) == nil
}
let smallCurve = profile(
  "qwen2-audio-small: clean source", .sufficiency, smallKept.map { smallMaps[$0] },
  smallKept.map { smallItems[$0].pair.group }, sites: smallSites.indices
) { $0.sufficiency[$1][changed] }

// ## Search against exact
//
// Attribution's estimates at the residual sites, against exact effects of the same cells, on the test
// split's pairs.

for reading in readings {
  let test = reading.entered(synthetic).filter { reading.items[$0].isSearched }
  guard !test.isEmpty else {
    notebook.say(
      "\(reading.name): no pair of the test split enters, so the search has no certificate")
    continue
  }
  let certificate = attempt {
    try test.map { reading.maps[$0].map }.certificate(
      .sufficiency, estimates: \.searchSufficiency, effects: \.sufficiency,
      groups: test.map { reading.items[$0].pair.group }, searchCost: 4,
      threshold: rules.bottleneckRecovery, random.split("certificate").split(reading.name))
  }
  notebook.say("\(reading.name): \(certificate)")
  notebook.output("figures/figureS3-\(reading.name)-certificate.txt", text: "\(certificate)\n")
  notebook.number("s3.\(reading.name).searchCost", certificate.meanCostRatio, tolerance: 1e-6)
}

// ## Figure S3
//
// ![The maps of two published recognisers](figures/figureS3.svg)

let panels = readings.map { reading -> TranscriptPanel in
  let (maps, _) = entered(reading, synthetic)
  let (human, _) = entered(reading, people)
  let own = reading.entered(synthetic).map { reading.maps[$0] }
  return TranscriptPanel(
    name: reading.name, grid: reading.grid,
    sufficiency: maps.recovery(.sufficiency, \.sufficiency),
    necessity: maps.recovery(.necessity, \.necessity),
    people: human.recovery(.sufficiency, \.sufficiency),
    crossHeads: own.headRecovery(\.crossHeads), ownHeads: own.headRecovery(\.ownHeads))
}
let figure = transcriptMapFigure(
  panels, depth: depth, answer: atAnswer, small: (smallSites, smallCurve))
notebook.figure(
  "figures/figureS3", figure, title: "Figure S3: causal maps of published recognisers")

// Which pairs are left out, by model, kind, voice and reason.

var left = [
  "model\tkind\tvoice\tpairs\tenter\t\(Exclusion.allCases.map(\.rawValue).joined(separator: "\t"))"
]
for reading in readings {
  for (m, material) in materials.enumerated() {
    for voice in Set(material.pairs.map(\.voice)).sorted() {
      let own = reading.reasons.indices.filter {
        reading.items[$0].material == m && reading.items[$0].pair.voice == voice
      }
      let counts = Exclusion.allCases.map { reason in own.count { reading.reasons[$0] == reason } }
      left.append(
        "\(reading.name)\t\(material.name)\t\(voice)\t\(own.count)\t"
          + "\(own.count { reading.reasons[$0] == nil })\t"
          + counts.map { "\($0)" }.joined(separator: "\t"))
    }
  }
}
notebook.output("figures/figureS3-pairs.tsv", text: left.joined(separator: "\n") + "\n")

// ## What the text says

for (r, reading) in readings.enumerated() {
  let name = "s3.\(reading.name)"
  let (input, last) = (0, reading.grid.encoder.count - 1)
  for (m, material) in materials.enumerated() {
    notebook.number(
      "\(name).\(material.name).pairs", Double(reading.items.count { $0.material == m }))
    notebook.number("\(name).\(material.name).enter", Double(reading.entered(m).count))
  }
  for (part, curve) in zip(["sufficiency", "necessity", "unrelated", "random", "people"], depth[r])
  {
    if let first = curve.values[input] {
      notebook.number("\(name).input.\(part)", first, claim: "P")
    }
    if let end = curve.values[last] { notebook.number("\(name).last.\(part)", end, claim: "P") }
  }
  let before = atAnswer[r].values[reading.grid.decoder.count - 2]!
  notebook.number("\(name).answerBeforeLastLayer", before, claim: "P")
  func isBottleneck(_ site: Int) -> Bool {
    depth[r][0].values[site]!.low >= rules.bottleneckRecovery
      && depth[r][1].values[site]!.low >= rules.bottleneckRecovery
      && depth[r][0].values[site]!.low > depth[r][2].values[site]!.high
  }
  notebook.claim(
    "P1.\(reading.name)", attempt { try fixed.statement("P1") },
    holds: isBottleneck(input))
  notebook.claim(
    "P2.\(reading.name)", attempt { try fixed.statement("P2") },
    holds: isBottleneck(last))
  notebook.claim(
    "P3.\(reading.name)", attempt { try fixed.statement("P3") },
    holds: before.low >= rules.answerPositionThreshold)
}
if let connector = smallCurve.values.last, let connector {
  notebook.number("s3.qwen2-audio-small.connector", connector, claim: "P")
}
notebook.finish()
