// # How many directions of the projector's output carry the answer?
//
// A first look behind Figure 4, exploratory: no rule was written down beforehand, and the test split is
// not touched. In the speech language model of two published halves, what the projector gives in the
// changed moment (the changed phone and the 120 ms behind it) is exchanged between the members of a pair
// along some directions alone. These are found on pairs of the discovery split, by principal components,
// by canonical correlation with the answers, from the means of the answers, and by training through the
// model (DAS), and patched on pairs of the validation split, which share no sentence with them.

import Corpus
import Figures
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("published-subspace")
let study = notebook.study(rules: "paper/preregistration-speech-lm.json")
let (rules, root) = (study.rules, study.root)
let random = study.random("published subspace")
guard notebook.publishedFolder("whisper-base") != nil,
  let model = notebook.joined("qwen2-audio-published", languageModel: "qwen2.5-coder-0.5b")
else { exit(0) }

// ## Pairs
//
// Every second pair of the discovery split and every second of validation is asked; of those that enter,
// 24 and 12 at most are taken, spread evenly over the voices.
//
// A patch is a run of the language model from the projector's output on, half a second of a core. At each K
// the subspace, its complement, another item and three draws of four random families make 15 patches of 12
// pairs; DAS is trained twice, 6 epochs of 48 exchanges forward and back. That is half an hour on two cores.

let site = Site(.connector, .out)
let (most, draws, epochs) = ((fit: 24, test: 12), 3, 6)

struct Answered: Codable, Sendable {
  var differences: [Double]?
}

@MainActor func entering(_ split: String, _ most: Int) -> [MinimalPair] {
  let pairs = study.suite.pairs.filter { $0.split == split && $0.spokenPrompt != nil }.every(2)
  let answered = notebook.cell("answers, \(split)", over: pairs, key: \.id) { pair in
    Answered(
      differences: try model.asked(pair, root: root, recordings: nil).map {
        try [$0.clean, $0.corrupt].map { try model.model.trace($0).logitDifference }
      })
  }
  let filter = PairFilter(minimumGap: rules.minimumGap)
  let kept = answered.indices.filter { i in
    answered[i].differences.map { filter.reason(clean: $0[0], corrupt: $0[1]) == nil } ?? false
  }
  notebook.say("\(kept.count) of \(answered.count) \(split) pairs enter")
  return kept.map { pairs[$0] }.spread(most)
}

let fitted = entering(rules.searchSplit, most.fit)
let held = entering(rules.selectionSplit, most.test)

/// What the members of pairs exchange in the changed moment.
@Sendable func exchanges(_ pairs: [MinimalPair], _ directions: [Direction]) throws -> [Exchange] {
  try mapInParallel(pairs.count) { i -> [Exchange] in
    let pair = pairs[i]
    guard let asked = try model.asked(pair, root: root, recordings: nil) else { return [] }
    let clean = try model.model.trace(asked.clean)
    let corrupt = try model.model.trace(asked.corrupt)
    let end = 10 * Double(asked.clean.clip.validFrames)
    guard let window = AskedGrid.times(pair, end: end)[AskedGrid.moment] else { return [] }
    return try directions.compactMap { direction in
      let (base, source) = direction == .sufficiency ? (corrupt, clean) : (clean, corrupt)
      return try Selection(Cell(site, window), base: base, source: source, .identity).map {
        model.model.exchange(
          id: pair.id, group: pair.group, base: base, source: source, direction, $0)
      }
    }
  }.flatMap { $0 }
}

let test = attempt { try exchanges(held, [.sufficiency]) }
let subspaces = attempt {
  var study = try SubspaceStudy(fit: exchanges(fitted, Direction.allCases))
  study.search.epochs = epochs
  return study
}
attempt {
  guard !test.isEmpty else {
    throw CellError(
      "no pair of \(rules.selectionSplit) enters; train the projector again (make models-published)"
    )
  }
}

// ## The whole, and its parts
//
// Beside each subspace stand everything but it, the same subspace with another item's source, and random
// directions of four families, matched in dimension, in the variance of the activations along them, in
// the length of the move, and in its Mahalanobis length. Another item's source can push the base's answer
// out without bringing the source's in, which recovers some of the difference of their logits as well; so it
// is also counted how often the source's word becomes the most probable one.

let full = notebook.cell("whole") {
  try test.effects(of: { $0.difference }).estimate(
    draws: rules.bootstrapDraws, random.split("whole"))
}

/// Another item's source in the place of the pair's own.
struct AnotherItem: Codable, Sendable {
  let recovery: Estimate
  let says: Double
  let pairs: Int

  init(_ effects: Effects, draws: Int, _ random: Random) {
    recovery = effects.estimate(draws: draws, random)
    says = effects.accuracy
    pairs = effects.changes.count
  }
}

/// Of the whole activation: how often the source's word is said, and what another item's does, as long a
/// move and as it is.
struct Whole: Codable, Sendable {
  let says: Double
  let wrongItem: Double?
  let anotherItem: AnotherItem?
}

let whole = notebook.cell("whole, another item") {
  Whole(
    says: try test.effects(of: { $0.difference }).accuracy,
    wrongItem: try test.wrongItem(nil)?.recovery,
    anotherItem: try test.wrongItem(nil, asLong: false).map {
      AnotherItem($0, draws: rules.bootstrapDraws, random.split("whole").split("another item"))
    })
}
let methods: [(method: SubspaceMethod, counts: [Int])] = [
  (.pca, [1, 2, 5, 10, 20]), (.cca, [1, 2, 5, 10, 20]), (.mean, [1, 2, 5, 10, 20]),
  (.das, [1, 5]),
]

struct Part: Sendable {
  let method: SubspaceMethod
  let k: Int
  var name: String { "\(method.rawValue) \(k)" }
}

// Fewer classes than K have fewer directions between their means.
let parts = attempt {
  try methods.flatMap { method, counts -> [Part] in
    let found =
      method == .das
      ? Int.max : try subspaces.subspace(method, rank: 1, random.split(method.rawValue)).rank
    return counts.filter { $0 <= found }.map { Part(method: method, k: $0) }
  }
}
let results = notebook.cell("subspaces", over: parts, key: \.name) { part in
  let stream = random.split(part.method.rawValue)
  let found = try subspaces.subspace(part.method, rank: part.k, stream)
  return try test.result(
    of: part.method == .das ? found : found.first(part.k), natural: subspaces.natural,
    reference: subspaces.samples, draws: draws, bootstrap: rules.bootstrapDraws,
    stream.split("K \(part.k)"))
}

// Along five directions a move as long as the real one has few other ways to go. Of the directions that were
// trained, another item's source is therefore also given as it is.

let mostTrained = methods.last!.counts.last!
let anotherItem = notebook.cell("another item along \(mostTrained) trained directions") {
  let stream = random.split(SubspaceMethod.das.rawValue)
  let found = try subspaces.subspace(.das, rank: mostTrained, stream)
  return try test.wrongItem(found, asLong: false).map {
    AnotherItem($0, draws: rules.bootstrapDraws, stream.split("another item"))
  }
}
let curves = methods.map { method, _ in
  let own = zip(parts, results).filter { $0.0.method == method }.map(\.1)
  let saturation = SaturationCurve(
    counts: own.map(\.k), recoveries: own.map(\.recovery.value))
  return SubspaceCurve(
    method: method.rawValue, results: own,
    k90: own.isEmpty || full.low <= 0 ? nil : saturation.smallestCount(of: full.value))
}.filter { !$0.results.isEmpty }

// ## Figure S5
//
// ![Directions of the projector's output](figures/figureS5.svg)

notebook.figure(
  "figures/figureS5",
  subspaceFigure(
    curves, full: full, whole: (says: whole.says, wrongItem: whole.wrongItem),
    asItIs: anotherItem?.recovery),
  title: "Figure S5: directions of a projector's output that carry the answer")
notebook.number("s5.pairs.fit", Double(fitted.count))
notebook.number("s5.pairs.test", Double(held.count))
notebook.number("s5.whole", full)
notebook.number("s5.whole.says", whole.says, tolerance: 0)
if let wrong = whole.wrongItem { notebook.number("s5.whole.wrongItem", wrong, tolerance: 1e-6) }
for (name, other) in [("whole", whole.anotherItem), ("das", anotherItem)] {
  guard let other else { continue }
  notebook.number("s5.\(name).anotherItem", other.recovery)
  notebook.number("s5.\(name).anotherItem.says", other.says, tolerance: 0)
  notebook.number("s5.\(name).anotherItem.pairs", Double(other.pairs))
}
for curve in curves {
  for result in curve.results {
    let name = "s5.\(curve.method).K\(result.k)"
    notebook.number(name, result.recovery)
    notebook.number("\(name).complement", result.complement, tolerance: 1e-6)
    notebook.number("\(name).says", result.accuracy, tolerance: 0)
    if let wrong = result.wrongItem {
      notebook.number("\(name).wrongItem", wrong, tolerance: 1e-6)
    }
    for family in RandomFamily.allCases {
      if let drawn = result.families[family.rawValue] {
        notebook.number("\(name).\(family.rawValue)", drawn.mean, tolerance: 1e-6)
      }
    }
  }
  if let k90 = curve.k90 { notebook.number("s5.\(curve.method).K90", Double(k90)) }
}
notebook.finish()
