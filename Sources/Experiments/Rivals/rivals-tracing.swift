// # What other procedures of tracing find here
//
// How does temporal attribution patching compare with what there is? The answer is only fair where each
// procedure runs as its authors have it, on the same models, recordings and measures. Here are four that trace
// what a model does through its layers: path patching, the tracing of a decoder of speech from the brain, causal
// tracing of audio-text fusion, and AudioLens. Each has a control that is matched to it, and a rule, written before
// its numbers, by which its claim holds here; beside it stands what patching of the sound itself comes to on the
// same items.
//
// Choices are made on the discovery split and quoted on validation; comparing methods opens no test split.

import Corpus
import Figures
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("rivals-tracing")
let study = notebook.study(needing: [\.searchSplit, \.selectionSplit])
let (rules, root) = (study.rules, study.root)
let random = study.random("rivals: tracing")
let models = ["qwen2-audio-small", "salmonn-small", "soundwave-small"].map {
  (name: $0, model: notebook.checkpoint($0))
}
let speech = models[0].model
var rows: [RivalRow] = []

// ## Path patching: through which reader an effect goes
//
// A patch says what a component does, not through whom. Path patching (Wang et al., 2211.00593;
// Goldowsky-Dill et al., 2304.05969) gives a component the other run's value, holds every later attention and
// MLP at what it wrote, lets one reader see the change along the residual stream, and lets what that reader
// makes of it act on the base run. Senders are the connector's output at the changed phone and the four heads
// that do most on the discovery split; readers are the queries, keys and values of each layer, each MLP, and
// the logits themselves. Where effects are linear they divide over the readers and add up again.
//
// The unrelated item is moved as far and read against the real effect: what it reaches is what any change of
// that size would. *The claim holds where the interval of the sum over the whole contains 1, or the sum is 1
// within a tenth.* The corrupt run's own values must do nothing along any path.

let pathDraw = random.split("path patching")
let readers = speech.model.pathReceivers
let ranking = study.suite.pairs.filter { $0.split == rules.searchSplit }.spread(6)
let allHeads = attempt {
  try speech.model.headSenders(
    in: speech.model.trace(speech.questions(for: ranking[0], root: root).corrupt))
}
let headEffects = notebook.cell("path patching, heads", over: ranking, key: \.id) { pair in
  try speech.pathReading(pair, of: study.suite, senders: allHeads, through: [], root: root)
}
let sound = PathSender(Site(.connector, .out), .changed(margin: 40))
let senders = [sound] + attempt { try headEffects.strongestSenders(4) }.map { allHeads[$0] }
let pathPairs = study.suite.pairs.filter { $0.split == rules.selectionSplit }.spread(12)
let pathsRead = notebook.cell("path patching", over: pathPairs, key: \.id) { pair in
  try speech.pathReading(pair, of: study.suite, senders: senders, through: readers, root: root)
}
notebook.control(
  "along no path does a run's own value do anything", equals: 0,
  of: (headEffects + pathsRead).map(\.own))
let entered = notebook.entering(
  study, pathsRead.map { ($0.clean, $0.corrupt) }, of: "path patching")
for (rank, sender) in senders.enumerated() {
  let summary = attempt {
    try entered.map { pathsRead[$0] }.pathSummary(
      sender.name, groups: entered.map { pathPairs[$0].group }, draws: rules.bootstrapDraws,
      pathDraw)
  }
  let name = "rivals.paths.\(rank == 0 ? "connector" : "\(sender.site).\(sender.index ?? 0)")"
  notebook.number("\(name).whole", summary.whole)
  notebook.number("\(name).interaction", summary.interaction)
  notebook.number("\(name).top", summary.topShare)
  notebook.number("\(name).logits", summary.direct)
  for (reader, effect) in zip(readers, summary.through) {
    if let effect { notebook.number("\(name).\(reader.name)", effect) }
  }
  notebook.say("\(sender.name): most through \(summary.top)")
  if rank > 1 {
    notebook.number("\(name).sum", summary.sum)
    continue
  }
  rows.append(
    RivalRow(
      "path patching", rank == 0 ? "connector" : "strongest head", on: models[0].name,
      claim: "effects of a component divide over its receivers",
      measure: "sum of path effects over the whole effect, \(sender.name)", effect: summary.sum,
      control: summary.unrelatedSum, holds: summary.addsUp))
}

// ## From the brain: conditions of one sentence, and from coarse to fine
//
// Decoders of speech from the brain are traced by taking a hidden state from one mode, spoken, mimed or
// imagined, into the run of another (Maghsoudi and Mishra, 2602.01247). It is reported that the mode that
// is decoded well mends the one that is not, that the reverse is another matter, and that compact sets do
// it, found layer by layer, then in time, then neuron by neuron. A model that hears has modes too: a
// sentence clean, in white noise of 5 dB, by another speaker, and at four fifths of the speed. All of a
// layer is a whole cut, through which either condition becomes the other in any model; so the changed
// phone's moment is patched, and slower speech is aligned by its phones. Which of two conditions is heard
// better is decided on the discovery split, and so are site and neurons; validation is quoted.
//
// The asymmetry index is sufficiency less necessity. *The claim holds where its interval lies above zero
// and above that of unrelated sentences that move the run as far.* Coarse to fine keeps two layers, two
// windows and as many neurons as the preregistered largest K. *Its claim holds where they recover more
// than drawn ones do, interval from interval, no less than those of TAP's conductance, and the search
// takes fewer runs than TAP's.*

let designs = notebook.tracked("data-manifests/factorial.json", as: "factorial") {
  try PairSuite(manifest: $0)
}
_ = notebook.input("artifacts/suite", as: "suite audio")
let sentences = [rules.searchSplit, rules.selectionSplit].map { split in
  let own = designs.pairs.filter { $0.split == split }
  return notebook.options.quick.map { own.spread(6 * $0) } ?? own
}
let depths = speech.model.mapSites
let brain = random.split("brain to speech")
let heard = ["discovery", "validation"].enumerated().map { i, name in
  notebook.cell("conditions, \(name)", over: sentences[i], key: \.id) { pair in
    try speech.conditionReading(
      of: pair, unrelated: designs.unrelated(to: pair), sites: depths, ConditionSettings(),
      root: root)
  }
}
notebook.control(
  "all of a site says what the other condition says", equals: 0,
  of: heard.joined().flatMap(\.wholeError))
let graphs = heard.map { readings in
  attempt {
    try ConditionGraph(
      readings, ranking: heard[0], minimumGap: rules.minimumGap, draws: rules.bootstrapDraws,
      brain.split("graph"))
  }
}
for edge in graphs[1].edges {
  for (site, index) in zip(depths, edge.asymmetry) {
    guard let index else { continue }
    notebook.number("rivals.brain.\(edge.high.rawValue).\(edge.low.rawValue).\(site)", index)
  }
}
let bend = heard[1].compactMap(\.mixed).bend
notebook.number("rivals.brain.simplex.largestBend", bend.simplex, tolerance: 1e-6)
notebook.number("rivals.brain.path.largestStep", bend.step, tolerance: 1e-6)
if let site = graphs[0].strongestSite {
  let index = graphs[1].asymmetry(at: site)
  if let own = index.own, let unrelated = index.unrelated {
    rows.append(
      RivalRow(
        "brain-to-speech tracing", "asymmetry", on: models[0].name,
        claim: "a condition that is heard better mends a worse one, and not the reverse",
        measure: "sufficiency - necessity at \(depths[site]); TAP: of the exchange of texts",
        effect: own, control: unrelated, tap: index.texts,
        holds: ConditionGraph.isAsymmetric(own, unrelated: unrelated)))
  }
}

var tracing = CoarseToFineSettings()
tracing.neurons = rules.selection.sizes.last ?? tracing.neurons
let fine = notebook.cell("coarse to fine") { [tracing] in
  try speech.coarseToFine(
    choosingOn: sentences[0], quotedOn: sentences[1], tracing, minimumGap: rules.minimumGap,
    root: root, brain.split("coarse to fine"))
}
let recovered = CoarseToFineResult.Sets.allCases.map { sets in
  let share = attempt { try fine.recovery(sets, draws: rules.bootstrapDraws, brain) }
  notebook.number("rivals.brain.recovery.\(sets)", share)
  return share
}
for (name, order) in [
  ("ranked", \TracedSaturation.ranked), ("reversed", \.reversed), ("drawn", \.random),
] {
  let curve = fine.saturation.summary(order, draws: rules.bootstrapDraws, brain.split(name))
  guard let curve else { continue }
  notebook.number("rivals.brain.saturation.\(name).area", curve.area)
  if let smallest = curve.smallest {
    notebook.number("rivals.brain.saturation.\(name).k90", Double(smallest))
  }
}
rows.append(
  RivalRow(
    "brain-to-speech tracing", "coarse to fine", on: models[0].name,
    claim: "from layer to window to neuron, a compact set is found in fewer runs",
    measure:
      "recovery by \(tracing.neurons) neurons, clean into noise, found in \(fine.runs) runs; "
      + "TAP: conductance, \(fine.conductanceRuns) runs",
    effect: recovered[0], control: recovered[3], tap: recovered[1],
    holds: fine.isFoundForLess(
      recovered[0], drawn: recovered[3], conductance: recovered[1])))

// ## Where the answer is decided: tracing of fusion, and AudioLens
//
// Causal tracing of audio-text fusion (arXiv 2603.13768) replaces the sound by silence and puts the clean
// run's activations of text tokens back, layer by layer; recovery is the share of the right answer's
// probability that returns. It reports late fusion in Qwen-Audio and Qwen2-Audio, in the second half of the
// layers, and the last token as the bottleneck, and never patches the sound's tokens. AudioLens (arXiv
// 2506.05140) reads the last token's residual stream through the final norm and the unembedding, and calls
// the layer from which on the right answer is the strongest of the task's the critical one; its own claim is
// that an earlier one goes with better accuracy. Whether it is also where the answer comes to be is asked here.
//
// Here both read the same recordings, and the sound's tokens are patched at the same layers. Controls: an
// unrelated recording that is asked the same, moved as far, in the silent run; for the lens, the layers
// that it gives for other recordings. Rules, before the numbers: fusion is *late* if the last token gains
// more than half between half depth and the end; it *carries* the answer if it recovers more than half, on
// average over the second half (without the last layer, where it recovers all by construction); both with
// all of the interval, and above the control's. AudioLens finds *where* the answer is handed over if its
// layer is nearer to the causal one than other recordings' lens layers are, the intervals apart.

struct Fused: Codable, Sendable {
  let traced: FusionReading
  let lens: LensReading
}

@MainActor func fusion(_ name: String, _ model: SpeechModel) {
  let (suite, draw) = (study.suite, random.split("fusion").split(name))
  let answers = attempt { try model.firstTokens(ofAnswersIn: suite) }
  let pairs = suite.pairs.filter { $0.split == rules.selectionSplit }
    .spread(notebook.options.quick.map { 4 * $0 } ?? .max)
  let read = notebook.cell("\(name): fusion", over: pairs, key: \.id) { [root] pair in
    let other = try suite.unrelated(to: pair)
    return Fused(
      traced: try model.fusionTracing(of: pair, unrelated: other, root: root),
      lens: try model.lens(
        on: pair, unrelated: other, among: answers[pair.prompt] ?? [], root: root))
  }
  notebook.control(
    "\(name): silence, self-patch", equals: 0, of: read.flatMap(\.traced.selfPatched))
  notebook.control(
    "\(name): silence, everything patched", equals: 1, of: read.flatMap(\.traced.allPatched))
  let kept = read.indices.filter { read[$0].traced.enters(minimumGap: rules.minimumGap) }
  notebook.say(
    "\(name): silence takes the answer away from \(kept.count) of \(read.count) recordings")
  let (own, groups) = (kept.map { read[$0].traced }, kept.map { pairs[$0].group })
  for metric in [Metric.probability, .logitDifference] {
    let found = attempt {
      try own.summary(
        metric, groups: groups, draws: rules.bootstrapDraws, draw.split(metric.rawValue))
    }
    if metric == .probability { rows += found.rows(of: name) }
    let ledger = "rivals.fusion.\(name).\(metric.rawValue)"
    for (what, value) in [
      ("last.rises", found.rises), ("sound.falls", found.falls), ("crosses", found.crosses),
      ("last.gain", found.gain.last), ("last.secondHalf", found.carried.last),
      ("text.secondHalf", found.carried.text), ("sound.secondHalf", found.carried.sound),
    ] {
      if let value { notebook.number("\(ledger).\(what)", value) }
    }
  }
  let lens = attempt {
    try kept.map { read[$0].lens }
      .summary(own, groups: groups, draws: rules.bootstrapDraws, draw.split("lens"))
  }
  rows.append(lens.row(of: name))
  for (what, value) in [
    ("lens", lens.lens), ("causal", lens.causal), ("sound", lens.sound), ("later", lens.later),
    ("unrelatedAnswer", lens.unrelated),
  ] { notebook.number("rivals.audioLens.\(name).\(what)", value) }
}
for one in models { fusion(one.name, one.model) }

// ## The rivals side by side
//
// ![Other procedures beside their controls](figures/rivals-tracing.svg)

notebook.figure("figures/rivals-tracing", rivalsFigure(rows), title: "Rivals: tracing")
notebook.numbers(of: rows)
for row in rows {
  notebook.claim("\(row.key).\(row.model)", "\(row.name): \(row.claim)", holds: row.holds)
}
notebook.finish()
