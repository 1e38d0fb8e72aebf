// # What a probe of a published Whisper reads, and what the sound shows without it
//
// Beyond Transcription (Glazer et al., 2025, arXiv 2508.15882) reads from the mean of an encoder layer over time,
// by a linear probe, who speaks and whether speech is noisy: the latter at 90%, best in the deepest third. What a
// probe reads the sound itself may show, and a probe that knows a speaker may read the speaker. So here speakers
// and sentences are held out, the noise is the mildest of the noise set (20 dB), and beside each layer of the
// encoder stands the same probe of the log-mel's mean, which needs no model, and probes of shuffled labels.
// Attribution patching has nothing of the kind: what can be read need not be used. No test split is opened.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("rivals-probes")
guard let english = notebook.published("whisper-tiny.en"),
  let base = notebook.published("whisper-base")
else { exit(0) }
let study = notebook.study(needing: [\.searchSplit, \.selectionSplit])
let (rules, root) = (study.rules, study.root)
let random = study.random("rivals: probes")
let noise = notebook.tracked("data-manifests/noise.json", as: "noise") {
  try PairSuite(manifest: $0)
}
_ = notebook.input("artifacts/suite", as: "suite audio")
var rows: [RivalRow] = []

// ## Recordings
//
// Sentences of both voices of discovery in noise of 20 dB, and those of the voice of validation, each also without
// noise.

@MainActor func mild(_ split: String, _ count: Int) -> [MinimalPair] {
  attempt {
    try noise.pairs.filter { pair in
      try pair.split == split && NoisyRecording(pair).noise?.ratio == 20
    }
  }.spread(count)
}
let (known, held) = (mild(rules.searchSplit, 48), mild(rules.selectionSplit, 32))

/// Means over the sound without and with noise: of each layer of the encoder, and of the log-mel last.
struct Means: Codable, Sendable {
  let clean: [[Double]]
  let noisy: [[Double]]
}

@MainActor func means(_ what: String, _ recogniser: Recogniser, _ pairs: [MinimalPair]) -> [Means] {
  let layers = (0..<recogniser.model.config.encoder.layers).map { Site(.encoder, $0, .residPost) }
  return notebook.cell(what, over: pairs, key: \.id) { [root] pair in
    func means(_ wave: Waveform) throws -> [[Double]] {
      let clip = try recogniser.model.clip(wave)
      let run = try recogniser.model.trace(
        Question(ModelInput(clip: clip, tokens: recogniser.start), Answers(0, 1)), keeping: layers)
      // Two frames of the log-mel are a position; behind the recording comes padding.
      let sound = Array(0..<(clip.validFrames + 1) / 2)
      return try layers.map { DoubleMatrix(try run.activation(of: $0)).rows(sound).columnMeans }
        + [DoubleMatrix(clip.mel).rows(Array(0..<clip.validFrames)).columnMeans]
    }
    let recording = try NoisyRecording(pair)
    return Means(
      clean: try means(recording.clean(root: root)), noisy: try means(recording.noisy(root: root)))
  }
}

// ## The probe
//
// Fisher's linear discriminant with the covariance within both classes shrunk by a tenth. The layer is that which
// reads most on discovery where each of its two voices is read by the probe of the other; of equals the first.
// Quoted is what the probe of both voices reads of the third. The claim holds where that layer lies in the deepest
// third of the encoder and reads more than the log-mel, by all of the interval of the difference, which draws
// sentences.

func samples(_ means: [Means], _ place: Int) -> LabelledSamples {
  LabelledSamples(
    means.map { $0.clean[place] } + means.map { $0.noisy[place] },
    labels: means.map { _ in "clean" } + means.map { _ in "noisy" })
}
func probe(_ fit: [Means], _ test: [Means], _ place: Int, shuffles: Int, _ random: Random) throws
  -> ProbeControl
{
  try ProbeControl(
    fit: samples(fit, place), test: samples(test, place), shrinkage: 0.1, shuffles: shuffles, random
  )
}

for (name, recogniser) in [("whisper-base", base), ("whisper-tiny.en", english)] {
  let (fit, test) = (
    means("\(name): discovery", recogniser, known), means("\(name): validation", recogniser, held)
  )
  let (layers, draw) = (recogniser.model.config.encoder.layers, random.split(name))
  let voices = Set(known.map(\.voice)).sorted()
  // A quick run may have sentences of one voice alone.
  let folds = voices.map { voice in
    (
      own: fit.indices.filter { known[$0].voice == voice }.map { fit[$0] },
      others: fit.indices.filter { known[$0].voice != voice }.map { fit[$0] }
    )
  }.filter { !$0.others.isEmpty }
  let across = (0..<layers).map { layer in
    folds.reduce(0) { sum, fold in
      sum
        + attempt { try probe(fold.others, fold.own, layer, shuffles: 0, draw) }.read.count { $0 }
    }
  }
  let best = (0..<layers).reduce(0) { across[$1] > across[$0] ? $1 : $0 }
  let read = (0...layers).map { place in
    attempt { try probe(fit, test, place, shuffles: 20, draw.split("shuffles").split(place)) }
  }
  let pairs = Array(held.prefix(test.count))
  let groups = pairs.map(\.group) + pairs.map(\.group)
  func share(_ name: String, _ value: (Int) -> Double) -> Estimate {
    ratioOfMeans(
      groups.indices.map(value), groups.map { _ in 1 }, groups: groups, draws: rules.bootstrapDraws,
      draw.split(name))
  }
  func right(_ place: Int) -> (Int) -> Double { { read[place].read[$0] ? 1 : 0 } }
  let ledger = "rivals.beyond.\(name).probe"
  for layer in 0..<layers {
    notebook.number("\(ledger).\(layer + 1)", share("layer \(layer)", right(layer)))
  }
  notebook.number("\(ledger).best", Double(best + 1))
  notebook.number(
    "\(ledger).shuffled", read[best].shuffled.reduce(0, +) / Double(read[best].shuffled.count))
  // In every layer, and in the log-mel, some shuffles read less than chance and some read more.
  notebook.control(
    "\(name): probes of shuffled labels", low: read.map { $0.shuffled.min()! }.max()!,
    high: read.map { $0.shuffled.max()! }.min()!, contains: read[best].chance)
  let beyond = share("beyond") { right(best)($0) - right(layers)($0) }
  notebook.number("\(ledger).beyondLogMel", beyond)
  rows.append(
    RivalRow(
      "Beyond Transcription", "probes", on: name,
      claim: "the deepest third of the encoder holds best whether speech is noisy",
      measure: "share of a third voice's recordings read rightly; control: the log-mel",
      effect: share("best", right(best)), control: share("log-mel", right(layers)),
      holds: isLate(best + 1, of: layers) && beyond.low > 0))
}

// ## The rival beside its control
//
// ![What a probe reads](figures/rivals-probes.svg)

notebook.figure("figures/rivals-probes", rivalsFigure(rows), title: "Rivals: probes of Whispers")
notebook.numbers(of: rows)
for row in rows {
  notebook.claim("\(row.key).\(row.model)", "\(row.name): \(row.claim)", holds: row.holds)
}
notebook.finish()
