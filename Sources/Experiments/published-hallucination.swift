// # What a published Whisper writes where nobody speaks, and where "there is speech" is carried
//
// Whisper is known to write down sentences where there is only noise. Two published models, base and
// tiny.en, are given sounds that are not speech, and what they write is counted. Then activations are
// exchanged between such a sound and speech of the same length, which asks where in depth, time and
// heads the model holds that there is something to write.
//
// The sounds are this package's own: 21 kinds of noise, hum, clicks, tones, music, sounds in
// reverberation and near silence, of 1 to 30 s. A kind belongs to one split. This experiment reads the
// kinds of discovery and validation alone; those of the test split stay unopened, for interventions that
// are chosen here and tested there.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("published-hallucination")
guard let base = notebook.published("whisper-base"),
  let english = notebook.published("whisper-tiny.en")
else { exit(0) }

let study = notebook.study()
let (rules, root) = (study.rules, study.root)
let random = study.random("published hallucination")
let listed = notebook.tracked("data-manifests/nonspeech.json", as: "sounds") {
  try NonSpeechSet(manifest: $0)
}
let models: [(name: String, recogniser: Recogniser)] = [
  ("whisper-base", base), ("whisper-tiny.en", english),
]

// ## What is written
//
// One transcript a sound, greedy, under the published suppression, of at most 64 tokens. That
// suppression forbids to end at once, so every transcript has a token; it *has words* where it has a
// letter or a digit. Whisper's own code then leaves a text out where p(no speech) > 0.6 and the mean
// log-probability of its tokens is below -1; what is left is counted too. A *loop* is one to sixteen
// tokens that stand three times one after another.
//
// Beside the sounds stand 24 utterances of the suite's discovery and validation voices, as they are and
// played backwards, which has the spectrum of speech and no words. The same models with random weights
// would be no control: what they write is noise, whatever they hear.

/// Every second length of each kind, those of four seconds first, so that the first are of all kinds.
let lengths = NonSpeech.lengths.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
let sounds = zip(listed.sounds, listed.digests)
  .filter { $0.0.kind.split != "test" && lengths.contains($0.0.seconds) }
  .sorted { (abs($0.0.seconds - 4), $0.0.id) < (abs($1.0.seconds - 4), $1.0.id) }
let open = study.suite.utterances.filter { $0.split != rules.confirmSplit }
let spoken = stride(from: 0, to: open.count, by: max(open.count / 24, 1)).prefix(24).map {
  open[$0]
}

@Sendable func listen(_ recogniser: Recogniser, _ wave: Waveform) throws -> Hearing {
  try recogniser.hearing(of: recogniser.model.clip(wave), limit: 64)
}

/// What one model wrote.
struct Written {
  let name: String
  let sounds: [Hearing]
  let speech: [Hearing]
  let backwards: [Hearing]
}

let written = models.map { name, recogniser in
  Written(
    name: name,
    sounds: notebook.cell("\(name), sounds", over: sounds, key: \.0.id) {
      try listen(recogniser, $0.0.verified($0.1))
    },
    speech: notebook.cell("\(name), speech", over: spoken, key: \.id) {
      try listen(recogniser, $0.waveform(root: root))
    },
    backwards: notebook.cell("\(name), speech backwards", over: spoken, key: \.id) {
      let wave = try $0.waveform(root: root)
      return try listen(recogniser, Waveform(samples: wave.samples.reversed(), rate: wave.rate))
    })
}

// Intervals of a kind are exact (Clopper and Pearson); those over all sounds draw kinds, which are what
// a model would meet anew.

let kinds = NonSpeech.Kind.allCases.filter { $0.split != "test" }
  .sorted { ($0.split, $0.family.rawValue) < ($1.split, $1.family.rawValue) }
var rates: [WrittenRate] = []
for one in written {
  let bySound = zip(sounds.map(\.0), one.sounds)
  @MainActor func add(_ group: String, _ heard: [Hearing]) {
    guard !heard.isEmpty else { return }
    let words = heard.filter { $0.transcript.hasWords }
    let kept = words.filter { !$0.isTakenForSilence }
    rates.append(
      WrittenRate(
        model: one.name, group: group, words: clopperPearson(words.count, of: heard.count),
        kept: clopperPearson(kept.count, of: heard.count),
        loops: clopperPearson(
          heard.count { $0.transcript.isLoop || !$0.transcript.ended },
          of: heard.count)))
  }
  for kind in kinds { add(kind.rawValue, bySound.filter { $0.0.kind == kind }.map(\.1)) }
  add("speech", one.speech)
  add("backwards", one.backwards)

  let groups = bySound.map(\.0.kind.rawValue)
  @MainActor func overKinds(_ name: String, _ test: (Hearing) -> Bool) {
    let share = ratioOfMeans(
      one.sounds.map { test($0) ? 1 : 0 }, one.sounds.map { _ in 1 }, groups: groups,
      draws: rules.bootstrapDraws, random.split(one.name).split(name))
    notebook.number("hallucination.\(one.name).\(name)", share)
  }
  overKinds("words") { $0.transcript.hasWords }
  overKinds("wordsKept") { $0.transcript.hasWords && !$0.isTakenForSilence }
  overKinds("loops") { $0.transcript.isLoop }
  overKinds("unended") { !$0.transcript.ended }
  for group in ["speech", "backwards"] {
    guard let rate = rates.last(where: { $0.model == one.name && $0.group == group }) else {
      continue
    }
    notebook.number("hallucination.\(one.name).\(group).words", rate.words)
    notebook.number("hallucination.\(one.name).\(group).wordsKept", rate.kept)
  }
}

let phrases = written.flatMap { one -> [PhraseCount] in
  let texts = one.sounds.map { normalisedWords($0.transcript.text).joined(separator: " ") }
  let counts = Dictionary(grouping: texts.filter { !$0.isEmpty }) { $0 }.mapValues(\.count)
  return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    .map { PhraseCount(model: one.name, phrase: $0.key, count: $0.value, of: texts.count) }
}
for phrase in phrases where phrase.count > 2 {
  notebook.say(
    "\(phrase.model): \(phrase.count) of \(phrase.of) times \"\(phrase.phrase.prefix(60))\"")
}

// ## Where "there is speech" is carried
//
// Sounds that are given words, 8 for base and 16 for tiny.en, of 4 and of 10 s and of all families in
// turn, each beside speech of the suite cut to the same length. What is read is the log-odds of speech
// as Whisper's own code asks for it,
//
// $$ E = \log \frac{1 - p}{p}, \qquad p = p(\text{no speech}) \text{ where the transcript starts.} $$
//
// A patch in the sound's run takes speech's activation (sufficiency), one in speech's run the sound's
// (necessity), and each is given as a share of the gap $E_\text{speech} - E_\text{sound}$. The same with
// the probability of ending at once, `<|endoftext|>` as the first token before anything is suppressed,
// stands in the table: three sounds looked at beforehand showed that it hardly tells them from speech.
//
// Donors beside the real one: another sound of another kind and as long (in speech's run, other speech),
// moved as far as the real one moves, which is the matched control; and the mean over the seven
// discovery sounds of that length.

let exchangedLengths = [4.0, 10]
let itemCounts = ["whisper-base": 8, "whisper-tiny.en": 16]

@MainActor func chosen(_ one: Written) -> [NonSpeech] {
  let wordy = zip(sounds.map(\.0), one.sounds)
    .filter { $1.transcript.hasWords && exchangedLengths.contains($0.seconds) }.map(\.0)
  // The first kind of each family, then the second, and so on; kinds begin at either length in turn.
  let turns = kinds.map { kind in
    (kinds.filter { $0.family == kind.family }.firstIndex(of: kind)!, kind)
  }.sorted { ($0.0, $0.1.rawValue) < ($1.0, $1.1.rawValue) }.map(\.1)
  var queues = turns.enumerated().map { i, kind -> [NonSpeech] in
    let own = wordy.filter { $0.kind == kind }
    return i % 2 == 0 ? own : own.reversed()
  }
  var list: [NonSpeech] = []
  while list.count < itemCounts[one.name]!, queues.contains(where: { !$0.isEmpty }) {
    for i in queues.indices where !queues[i].isEmpty && list.count < itemCounts[one.name]! {
      list.append(queues[i].removeFirst())
    }
  }
  return list
}

let directions = Direction.allCases
let everyDonor = SpeechDonor.allCases

/// What is read from one model.
struct Reading {
  let name: String
  let map: SpeechMap
  let kept: Int
}

@MainActor func read(_ one: Written, _ recogniser: Recogniser) -> Reading {
  let items = chosen(one).enumerated().map { (place: $0, sound: $1) }
  let partners = ExchangePartners(sounds: sounds.map(\.0), utterances: open, root: root)
  let discovery = partners.sounds.filter { $0.kind.split == "discovery" }
  let needed = exchangedLengths.filter { length in items.contains { $0.sound.seconds == length } }
  let averages = attempt {
    try mapInParallel(needed.count) { i in
      try MeanActivations(
        of: discovery.filter { $0.seconds == needed[i] }
          .map { try recogniser.speechQuestion(recogniser.model.clip($0.waveform)) },
        at: SpeechCells(of: recogniser.model, seconds: needed[i]).sites, in: recogniser.model)
    }
  }
  let means = Dictionary(uniqueKeysWithValues: zip(needed, averages))
  let found = notebook.cell("\(one.name), exchange", over: items, key: \.sound.id) {
    try recogniser.exchange($0.sound, $0.place, partners, mean: means[$0.sound.seconds]!)
  }
  notebook.control("\(one.name): self-patch", equals: 0, of: found.flatMap(\.selfPatched))
  notebook.control("\(one.name): everything patched", equals: 1, of: found.flatMap(\.allPatched))
  let sets = SpeechCells(of: recogniser.model, seconds: 1)
  let draw = random.split(one.name).split("exchange")
  /// The share of the gap with its interval over kinds, of the sounds whose gap is large enough.
  func share(_ reading: SpeechEvidence.Reading, _ d: Int, _ donor: Int, _ set: Int) -> Estimate? {
    let entering = found.indices.filter {
      found[$0].speech[reading] - found[$0].sound[reading] >= rules.minimumGap
        && found[$0].patched[d][donor][set] != nil
    }
    guard !entering.isEmpty else { return nil }
    return ratioOfMeans(
      entering.map { i in
        let value = found[i].patched[d][donor][set]![reading]
        return d == 0 ? value - found[i].sound[reading] : found[i].speech[reading] - value
      },
      entering.map { found[$0].speech[reading] - found[$0].sound[reading] },
      groups: entering.map { items[$0].sound.kind.rawValue }, draws: rules.bootstrapDraws,
      draw.split("\(reading) \(d) \(donor) \(sets.names[set])"))
  }
  let shares = SpeechEvidence.Reading.allCases.map { reading in
    directions.indices.map { d in
      everyDonor.indices.map { donor in
        sets.names.indices.map { share(reading, d, donor, $0) }
      }
    }
  }
  func mean(_ value: (SpeechExchange) -> Double) -> Double {
    found.reduce(0) { $0 + value($1) } / Double(max(found.count, 1))
  }
  for reading in SpeechEvidence.Reading.allCases {
    notebook.number("hallucination.\(one.name).sound.\(reading)", mean { $0.sound[reading] })
    notebook.number("hallucination.\(one.name).talk.\(reading)", mean { $0.speech[reading] })
  }
  let kept = found.count { $0.speech.speech - $0.sound.speech >= rules.minimumGap }
  notebook.number("hallucination.\(one.name).pairsKept", Double(kept))
  notebook.say("\(one.name): \(kept) of \(found.count) sounds enter")
  return Reading(
    name: one.name, map: SpeechMap(model: one.name, cells: sets, shares: shares), kept: kept)
}

let readings = zip(written, models).map { read($0, $1.recogniser) }

// ## Figure S4
//
// ![What is written where nobody speaks, and where that is carried](figures/figureS4.svg)

let axis: [(name: String, members: [String])] = [
  ("discovery", kinds.filter { $0.split == "discovery" }.map(\.rawValue)),
  ("validation", kinds.filter { $0.split == "validation" }.map(\.rawValue)),
  ("speech", ["speech", "backwards"]),
]
notebook.figure(
  "figures/figureS4",
  hallucinationFigure(rates: rates, phrases: phrases, maps: readings.map(\.map), groups: axis),
  title: "Figure S4: what a published Whisper writes where nobody speaks")

// ## What the text says
//
// At each depth, how far the real donor goes beyond its matched control; and whether, at the encoder's
// last layer, the positions of the sound alone hold it: both directions at least at the preregistered
// threshold of a bottleneck, by the lower ends of their intervals.

for reading in readings {
  let (name, map) = ("hallucination.\(reading.name)", reading.map)
  for (d, direction) in directions.enumerated() {
    for set in map.cells.summary {
      for (donor, kind) in everyDonor.enumerated() {
        guard let share = map.shares[0][d][donor][set] else { continue }
        notebook.number("\(name).\(direction).\(map.cells.names[set]).\(kind)", share)
      }
    }
  }
  let last = map.cells.lastOfSound
  let both = directions.indices.map { map.shares[0][$0][0][last]?.low ?? 0 }
  notebook.claim(
    "H1.\(reading.name)",
    "the sound's own positions of the encoder's last layer carry that there is speech, both directions",
    holds: both.allSatisfy { $0 >= rules.bottleneckRecovery })
}
notebook.finish()
