// # What is a search worth?
//
// A search is worth what the circuit does that it finds. The Mechanistic Interpretability Benchmark measures that
// on models of text; here its measure is taken of every search of this package, on three small checkpoints and on
// models whose circuit is known because it was planted, beside the certificate that compares estimates with
// exact effects part by part.
//
// Parts are ranked on the discovery split and circuits cut out on validation; comparing methods opens no test
// split.

import Corpus
import Figures
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("rivals-circuits")
let study = notebook.study(needing: [\.searchSplit, \.selectionSplit])
let root = study.root
var rows: [RivalRow] = []

// ## MIB: which search finds the smallest circuit?
//
// The Mechanistic Interpretability Benchmark (arXiv 2504.13151) ranks the heads and MLPs of a model by a
// search, keeps the first few, gives all others the activations of a counterfactual run, and integrates what
// is left of the answer over the share that is kept: CPR, higher is better, and CMD, the distance from the
// whole model, lower is better. On text models it finds attribution and mask optimisation ahead, integrated
// gradients before plain attribution. Here the counterfactual is the pair's other member; parts are ranked
// on discovery pairs, circuits cut out on validation pairs, and both ends of every curve must be exact.
// Controls: the same parts in five drawn orders, and in the order of how far each moves. The claim holds
// where attribution and integrated gradients have a higher CPR than both, and integrated gradients than
// attribution, each by all of the interval of the paired difference. TAP's number is that of conductance, its
// own search.

let circuitRandom = study.random("MIB")
for name in ["qwen2-audio-small", "salmonn-small", "soundwave-small"] {
  let (speech, draw) = (notebook.checkpoint(name), circuitRandom.split(name))
  func chosen(_ split: String, _ count: Int) -> [MinimalPair] {
    study.suite.pairs.filter { $0.split == split }.spread(count)
  }
  let (ranked, held) = (chosen(study.rules.searchSplit, 5), chosen(study.rules.selectionSplit, 12))
  let parts = attempt { try speech.circuitParts(of: ranked[0], root: root) }
  let scores = notebook.cell("MIB, \(name): scores", over: ranked, key: \.id) {
    let pair = try speech.circuitPair($0, parts, root: root)
    return try speech.model.circuitScores(of: pair, by: CircuitStudy.searches)
  }
  let entered = notebook.entering(study, scores.map { ($0.clean, $0.corrupt) }, of: name)
  let mask = notebook.cell("MIB, \(name): mask") {
    let pairs = try entered.map { try speech.circuitPair(ranked[$0], parts, root: root) }
    return try speech.model.learnedMask(pairs, MaskLearning())
  }
  let compared = attempt { try CircuitStudy(entered.map { scores[$0] }, mask: mask, draw) }
  let read = notebook.cell("MIB, \(name): circuits", over: held, key: \.id) {
    try speech.model.circuits(
      of: speech.circuitPair($0, parts, root: root), compared.orders)
  }
  notebook.control(
    "MIB, \(name): all parts are the clean run", equals: 0, of: read.map { $0.full - $0.clean })
  notebook.control(
    "MIB, \(name): no part is the corrupt run", equals: 0, of: read.map { $0.empty - $0.corrupt })
  let kept = notebook.entering(study, read.map { ($0.clean, $0.corrupt) }, of: name)
  let (readings, groups) = (kept.map { read[$0] }, kept.map { held[$0].group })
  let draws = study.rules.bootstrapDraws
  for (arm, performance, distance) in compared.areas(readings, groups: groups, draws: draws, draw) {
    notebook.number("rivals.mib.\(name).\(arm).CPR", performance)
    notebook.number("rivals.mib.\(name).\(arm).CMD", distance)
  }
  for (i, arm) in CircuitStudy.searches.map(\.name).enumerated() {
    guard let own = attempt({ try compared.certificate(of: i) }) else { continue }
    let overlap = own.agreements.first?.overlap
    for (what, value) in [
      ("pearson", own.pearson), ("spearman", own.spearman), ("overlap10", overlap),
      ("costOverK", own.meanCostRatio),
    ] {
      if let value { notebook.number("rivals.mib.\(name).\(arm).\(what)", value, tolerance: 1e-6) }
    }
  }
  rows.append(compared.row(on: name, readings, groups: groups, draws: draws, draw))
}

// Where the circuit is known: heads that were planted into random models, three with a bottleneck and three
// without, as InterpBench has it (arXiv 2407.14494). The claim holds where integrated gradients rank them
// above the drawn orders by all of the interval over models.

let planted = notebook.cell("MIB: planted", over: 0..<6, key: \.description) { seed in
  try plantedCircuit(
    Plant(seed < 3 ? .bottleneck : .diffuse, seed: UInt64(seed)), voices: 2,
    by: CircuitStudy.searches, MaskLearning(), circuitRandom.split(seed))
}
for (what, value) in planted.numbers(draws: study.rules.bootstrapDraws, circuitRandom) {
  notebook.number("rivals.mib.planted.\(what)", value)
}
rows.append(planted.row(draws: study.rules.bootstrapDraws, circuitRandom))

// ## The rivals side by side
//
// ![Other procedures beside their controls](figures/rivals-circuits.svg)

notebook.figure(
  "figures/rivals-circuits", rivalsFigure(rows), title: "Rivals: what a search is worth")
notebook.numbers(of: rows)
for row in rows {
  notebook.claim("\(row.key).\(row.model)", "\(row.name): \(row.claim)", holds: row.holds)
}
notebook.finish()
