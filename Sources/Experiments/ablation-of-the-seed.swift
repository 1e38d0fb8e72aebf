// # Does it depend on the seed?
//
// Every checkpoint of this package was trained once. The first one is trained here three times more, of the same
// recipe and data: other initial weights, another order, other noise (`make models-seeds`). What is said of
// one checkpoint should hold for its siblings, or the text has to say that it does not.
//
// It is exploratory: directions are found on the discovery split, and everything that is quoted is of the
// validation split, other sentences by another speaker. The test split is not read. The checkpoints are not
// shipped; their figure, table and numbers are.

import Corpus
import Figures
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("ablation-of-the-seed")
let rulesFile = "paper/preregistration-transfer.json"
let study = notebook.study(rules: rulesFile, needing: [\.searchSplit, \.selectionSplit])
let rules = study.rules
let random = study.random("seed")
let asked = notebook.trainedQuestions(study, rules: rulesFile)

// ## Four siblings
//
// Of each: word errors; the causal map of the short answers with an unrelated item's beside it, moved as far;
// and the directions of the connector's output that training through the model finds, with random moves as long.

let shipped = "qwen2-audio-small"
var siblings = [notebook.measure(shipped, notebook.checkpoint(shipped), asked, study, random)]
for seed in 2...4 {
  let name = "\(shipped)-seed\(seed)"
  siblings.append(
    notebook.measure(
      name, notebook.trained(name, by: "models-seeds"), asked, study, random.split(seed)))
}
func series(_ sibling: Int) -> String { sibling == 0 ? "shipped" : "seed \(sibling + 1)" }

// ## How alike are their maps?
//
// Spearman's correlation over the cells of sound, over pairs that enter in both, as for corruptions. The
// control is the unrelated item's map of a checkpoint against its own: where anything at all could matter.

@MainActor func likeness(
  _ place: String, _ series: String, _ one: TrainedCheckpoint, _ other: TrainedCheckpoint,
  over pairs: [Int], unrelated: Bool = false, _ random: Random
) -> [AblationRow] {
  one.material.likeness(
    to: other.material, over: pairs, groups: asked.pairs.held.map(\.group), unrelated: unrelated,
    draws: rules.bootstrapDraws, random.split("likeness")
  ).map { [AblationRow("likeness", place, series, $0)] } ?? []
}

var rows = siblings.enumerated().flatMap { i, one in
  one.rows(asked, place: { $0 }, series: series(i))
}
for (j, other) in siblings.enumerated() {
  for (i, one) in siblings.enumerated() where i != j {
    let both = one.reading.kept.filter(other.reading.kept.contains)
    rows += likeness(
      "map of \(series(j))", series(i), one, other, over: both, random.split(j).split(i))
  }
}
for (i, one) in siblings.enumerated() {
  rows += likeness(
    "own unrelated item", series(i), one, one, over: one.reading.kept, unrelated: true,
    random.split("own").split(i))
}

// ## What the seed changes
//
// ![Four checkpoints that differ in their seed](figures/ablation-seed.svg)

let maps = siblings.enumerated().compactMap { i, one in
  one.reading.map.map { AblationMap(series(i), one.sites, $0.sufficiency) }
}
notebook.figure(
  "figures/ablation-seed", seedFigure(rows, maps), title: "Ablation: another seed")
notebook.numbers(rows, of: "seed")
notebook.finish()
