// # Does it matter how the part is found?
//
// Figure 3 exchanges a part of the connector's output in the changed phone's moment, and a rule chose by
// which method that part was found and in how many directions. Here each of these choices is changed by
// itself: the method at equal numbers of directions, the width of a sparse autoencoder, and the depth.
// All of it is exploratory. Parts are estimated on the discovery split, and everything that is quoted is
// of the validation split, other sentences by another speaker; the test split is not read.

import Corpus
import Figures
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("ablations-of-the-part")
let rulesFile = "paper/preregistration-transfer.json"
let study = notebook.study(rules: rulesFile)
let (rules, root) = (study.rules, study.root)
let moment = attempt { try TransferRules("\(root)/\(rulesFile)") }.moment
let random = study.random("ablations of the part")
let suites = ["factorial", "homophone", "prosody"].map { (name: String) in
  notebook.tracked("data-manifests/\(name).json", as: name) { try PairSuite(manifest: $0) }
}
_ = notebook.input("artifacts/suite", as: "suite audio")

// ## What is exchanged, and what is heard
//
// The exchanges are those of Figure 3: the 120 ms from the onset of the changed phone on. Autoencoders
// need more than these moments: they are trained on every position of the sound, of all recordings of the
// discovery split.
//
// A patch is a run of the language model from the connector on, about a millisecond of a core. Five
// methods at five K, with their complement and six draws of four random families, in either direction, make
// 1,300 patches of each of 60 pairs, a minute of a core a model, training as much; 12 autoencoders take four
// minutes, what they are asked two, ten depths five: nine minutes on two cores.

/// A quick run takes a part of each list.
@MainActor func some<T>(_ list: [T]) -> [T] {
  notebook.options.quick.map { list.spread(6 * $0) } ?? list
}

@MainActor func utterances(_ split: String, of suites: [PairSuite]) -> [Utterance] {
  var seen: Set<String> = []
  return some(
    suites.flatMap(\.utterances).filter { $0.split == split && seen.insert($0.file).inserted })
}

let recordings = FitAndHeld(
  fit: utterances(rules.searchSplit, of: [study.suite] + suites),
  held: utterances(rules.selectionSplit, of: [study.suite]))
let pairs = FitAndHeld(fit: rules.searchSplit, held: rules.selectionSplit).map { split in
  some(study.suite.pairs.filter { $0.split == split })
}
let sizes = [1, 2, 5, 10, 20]
let (epochs, families, shuffles) = (6, 6, 20)

/// A checkpoint with the material of some sites.
struct Subject: Sendable {
  let name: String
  let model: SpeechModel
  let materials: [PartMaterial]

  var connector: PartMaterial { materials.first { $0.site == SpeechModel.transferSite }! }
}

let models = ["qwen2-audio-small", "salmonn-small", "soundwave-small"].map { name in
  (name: name, model: notebook.checkpoint(name))
}

@MainActor func subject(_ name: String, _ model: SpeechModel, at sites: [Site]) -> Subject {
  let materials = attempt {
    try model.materials(
      at: sites, pairs: pairs, recordings: recordings, minimumGap: rules.minimumGap,
      moment: moment, epochs: epochs, root: root)
  }
  let one = materials[0]
  notebook.say(
    "\(name): \(one.pairs.fit.sufficiency.count) pairs to find parts on, "
      + "\(one.pairs.held.sufficiency.count) to try them on")
  return Subject(name: name, model: model, materials: materials)
}

// ## Autoencoders
//
// Eight features of a row are kept (TopK), or eight on average (BatchTopK). Beside four, eight and sixteen
// times as many features as the activation has numbers in the first checkpoint, the narrowest is
// trained for the other two.

let (steps, batch) = (notebook.options.quick == nil ? 1000 : 60, 256)
let seeds = [1, 2]
let settings = [4, 8, 16].flatMap { expansion in
  [SparseTraining.Objective.topK(8), .batchTopK(8)].map {
    SparseSetting($0, expansion: expansion)
  }
}

@MainActor func autoencoders(_ subject: Subject, _ settings: [SparseSetting], seeds: [Int])
  -> [[SparseAutoencoder]]
{
  let samples = subject.connector.heard.fit.samples
  let numbers = notebook.cell("\(subject.name): autoencoders", over: settings, key: \.name) {
    try $0.trained(
      on: samples, steps: steps, batch: batch, seeds: seeds, random.split(subject.name))
  }
  return zip(settings, numbers).map {
    $0.autoencoders($1, seeds: seeds.count, width: samples.width)
  }
}

// ## By which method
//
// Directions of largest variance (PCA), of canonical correlation with the answers (CCA), between the
// means of the answers, and trained through the model (DAS), beside features of an autoencoder, which are
// swapped and leave its error as it is. Beside each stand everything but it, and random moves of four
// families, matched in dimension, in variance, in length and in Mahalanobis length.

let methods: [SubspaceMethod] = [.pca, .cca, .mean, .das, .sae]

@MainActor func comparison(_ subject: Subject, _ autoencoder: SparseAutoencoder)
  -> MethodComparison
{
  let (material, stream) = (subject.connector, random.split(subject.name).split("methods"))
  let whole = notebook.cell("\(subject.name): whole") {
    let whole = try material.whole(draws: rules.bootstrapDraws, stream.split("whole"))
    return [whole.sufficiency, whole.necessity]
  }
  let curves = notebook.cell("\(subject.name): methods", over: methods, key: \.rawValue) { method in
    let own = stream.split(method.rawValue)
    let moves =
      method == .sae
      ? try PartMoves(
        autoencoder, order: material.study.order(ofFeaturesOf: autoencoder), sizes: sizes)
      : try material.study.moves(method, sizes: sizes, own)
    return try moves.curve(
      on: material.pairs.held, natural: material.study.natural, families: families,
      draws: rules.bootstrapDraws, own)
  }
  let unmoved = attempt {
    try material.pairs.held.sufficiency.effects(of: { $0.difference - $0.difference }) as Effects
  }
  notebook.control(
    "\(subject.name): a move of no length changes nothing", equals: 0, of: unmoved.changes)
  return MethodComparison(
    model: subject.name, sufficiency: whole[0], necessity: whole[1], curves: curves)
}

let found = models.map { one -> (MethodComparison, [[SparseAutoencoder]]) in
  let own = subject(one.name, one.model, at: [SpeechModel.transferSite])
  let isFirst = one.name == models[0].name
  let trained = autoencoders(
    own, isFirst ? settings : [settings[0]], seeds: isFirst ? seeds : [1])
  return (comparison(own, trained[0][0]), trained)
}
let (compared, dictionaries) = (found.map(\.0), found[0].1)

// ![Five methods at equal numbers of directions](figures/ablation-subspace.svg)

notebook.figure(
  "figures/ablation-subspace", subspaceAblationFigure(compared),
  title: "Ablation: how the part is found")
notebook.numbers(of: compared, "ablation.subspace")

// ## How wide the autoencoder
//
// What each autoencoder of the first checkpoint explains of recordings that it has not seen; how many of
// its features are never present there; what is lost of the answer and of the transcript where its account
// takes the activation's place at every position of the sound, beside the mean in that place; how alike
// the features of two seeds are, beside directions drawn with the activations' covariance; and what
// swapping its first features recovers, beside features that are as active, moved as far. Where more than
// half of the features are absent from other recordings it is wider than its data, and called degenerate.

let first = subject(models[0].name, models[0].model, at: models[0].model.model.mapSites)
let trained = Array(zip(settings, dictionaries))
let named = trained.flatMap { setting, own in
  own.enumerated().map { (name: "\(setting.name), \(seeds[$0])", $1) }
}
let reports = notebook.cell("widths", over: trained, key: \.0.name) { setting, own in
  let material = first.connector
  return try SparseReport(
    setting, own, fit: material.heard.fit.samples, held: material.heard.held.samples,
    study: material.study, test: material.pairs.held.sufficiency, sizes: sizes,
    families: families, draws: rules.bootstrapDraws, random.split("widths").split(setting.name))
}
let mean = first.connector.heard.fit.mean
let spliced = notebook.cell("splices", over: pairs.held, key: \.id) { pair in
  try first.model.spliced(
    pair, at: SpeechModel.transferSite, by: named, mean: mean, root: root)
}.compactMap { $0 }

@MainActor func splice(_ name: String) -> SpliceReport {
  spliced.report(name, draws: rules.bootstrapDraws, random.split("splice").split(name))
}

let points = zip(reports, trained).map { report, pair in
  ExpansionPoint(
    report: report, splices: seeds.map { splice("\(pair.0.name), \($0)") })
}
let meanStays = splice(SplicedRecording.mean).textStays

// ![Autoencoders of three widths](figures/ablation-expansion.svg)

notebook.figure(
  "figures/ablation-expansion", expansionAblationFigure(points, meanStays: meanStays),
  title: "Ablation: how wide the autoencoder is")
notebook.number("ablation.expansion.positions", Double(first.connector.heard.fit.samples.rows))
notebook.number("ablation.expansion.recordings", Double(recordings.fit.count))
notebook.number("ablation.expansion.spliced", Double(spliced.count))
notebook.number("ablation.expansion.mean.textStays", meanStays)
notebook.numbers(of: points, "ablation.expansion")

// ## At which depth
//
// The same moment at every depth of the first checkpoint, from the encoder's input to the language model's
// last layer: the whole activation, and the five directions that recover most on the discovery split, of
// all methods that find directions. A linear probe reads the phone, sixteen occurrences of each, of other
// sentences by another speaker; another one the speaker, of two that say the same sentences, trained on
// half of them. An autoencoder with four times as many features is trained at each depth; a feature
// is explained by one phone where this has half or more of its activity in other recordings. AR&D report
// that deeper layers of a large model are more semantic and easier to interpret; what stands here is
// about phones in a small one.

let speakers = notebook.tracked("data-manifests/speaker.json", as: "speaker") {
  try PairSuite(manifest: $0)
}
let spoken = speakers.utterances.filter { $0.split == rules.selectionSplit }
let texts = some(Set(spoken.map(\.text)).sorted())
let voices = spoken.filter { texts.contains($0.text) }
let heardVoices = attempt {
  try first.model.samples(
    of: voices, prompt: "transcribe:", at: first.materials.map(\.site), root: root)
}
let members = study.suite.pairs.flatMap { [($0.clean.id, $0.group), ($0.corrupt.id, $0.group)] }
let groups = Dictionary(members, uniquingKeysWith: { first, _ in first })
let probes = DepthProbes(
  recordings, groups: recordings.held.map(\.id).map { groups[$0] ?? $0 },
  each: notebook.options.quick == nil ? 16 : 2, voices: voices)

struct Depth: Sendable {
  let material: PartMaterial
  let voices: SiteSamples
  var name: String { "\(material.site)" }
}

let depths = zip(first.materials, heardVoices).map { Depth(material: $0, voices: $1) }
let readings = notebook.cell("depths", over: depths, key: \.name) { depth in
  try depth.material.reading(
    by: [.pca, .difference, .cca, .mean, .das], size: 5, probes: probes, voices: depth.voices,
    setting: settings[0], steps: steps / 2, batch: batch, shuffles: shuffles, families: families,
    draws: rules.bootstrapDraws, random.split("depths").split(depth.name))
}

// ![What each depth carries, and what can be read there](figures/ablation-layer.svg)

notebook.figure(
  "figures/ablation-layer", layerAblationFigure(readings), title: "Ablation: at which depth")
notebook.numbers(of: readings, "ablation.layer")
notebook.finish()
