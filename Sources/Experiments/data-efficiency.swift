// # Does alignment pay, and can one see why?
//
// Soundwave reports that a loss which aligns sound with text makes a speech LM learn from less. Its published
// weights cannot be trained here; a small model can, twelve times: on a sixteenth, a quarter and all of the
// training set, with the words in order at the connector's output (CTC, and the phones at the encoder's) or
// with nothing but the answers, from two seeds each, as many steps each (`make models-efficiency`). Then it is
// asked whether what this package measures inside the model, how near sound and text lie at the connector, how
// deep the map lies and how many directions carry the word, tells in which order the checkpoints transcribe.
//
// It is a controlled study of one small architecture, and exploratory: directions are found on the discovery
// split, and everything that is quoted is of the validation split and of voices never heard. The checkpoints
// are not shipped; their figure, table and numbers are.

import Corpus
import Figures
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("data-efficiency")
let rulesFile = "paper/preregistration-transfer.json"
let study = notebook.study(rules: rulesFile, needing: [\.searchSplit, \.selectionSplit])
let rules = study.rules
let random = study.random("data efficiency")
let asked = notebook.trainedQuestions(study, rules: rulesFile)

// ## Twelve checkpoints
//
// The language model has learned its tasks from text alone, of all sentences, before it hears anything; the
// two arms of a seed begin with the same weights and hear the same utterances.

struct Arm: Sendable {
  let checkpoint: TrainedCheckpoint
  let place: String
  let seed: Int
  let isAligned: Bool
  /// One of how many utterances is heard.
  let oneOf: Int
}

var arms: [Arm] = []
for oneOf in [16, 4, 1] {
  for isAligned in [true, false] {
    for seed in [2, 3] {
      let name = "qwen2-audio-small-\(isAligned ? "aligned" : "answers")-1of\(oneOf)-seed\(seed)"
      let model = notebook.trained(name, by: "models-efficiency")
      arms.append(
        Arm(
          checkpoint: notebook.measure(name, model, asked, study, random.split(name)),
          place:
            "\(oneOf == 1 ? "all" : "1 of \(oneOf)"), \(isAligned ? "aligned" : "answers alone")",
          seed: seed, isAligned: isAligned, oneOf: oneOf))
    }
  }
}

// ## What orders them
//
// Spearman's correlation with the word errors of voices never heard, over checkpoints that have the number;
// its interval draws checkpoints. Beside it what 95 of 100 shuffles stay below in size, and what needs no look
// inside: the size of the training set, whether there was such a loss, and the share of pairs that are answered.
// A number that only tells which loss there was orders nothing among checkpoints of one loss, so the nearness of
// sound and text is also taken there, over half as many.

var rows = arms.flatMap { arm in
  arm.checkpoint.rows(asked, place: { _ in arm.place }, series: "seed \(arm.seed)")
}
let errors = arms.map { $0.checkpoint.reading.neverHeard.value }
func cosine(_ arm: Arm) -> Double? { arm.checkpoint.reading.alignment.cosine.value }
func overlap(_ arm: Arm) -> Double? { arm.checkpoint.reading.alignment.overlap }
let predictors: [(String, (Arm) -> Double?)] = [
  ("cosine of sound and text", cosine),
  ("cosine among aligned", { $0.isAligned ? cosine($0) : nil }),
  ("cosine among answers alone", { $0.isAligned ? nil : cosine($0) }),
  ("squared cosine of five directions", overlap),
  ("squared cosine among aligned", { $0.isAligned ? overlap($0) : nil }),
  ("squared cosine among answers alone", { $0.isAligned ? nil : overlap($0) }),
  ("mean depth of the map", { $0.checkpoint.reading.map?.localisation[0].depth.value }),
  ("share near the phone", { $0.checkpoint.reading.map?.localisation[0].near.value }),
  ("directions for nine tenths", { $0.checkpoint.directions(of: asked.sizes) }),
  ("utterances heard", { 1 / Double($0.oneOf) }),
  ("whether aligned", { $0.isAligned ? 1 : 0 }),
  ("pairs that enter", { $0.checkpoint.reading.entering.value }),
]
for (name, value) in predictors {
  let found = RankPrediction(
    arms.map(value), errors, draws: rules.bootstrapDraws, random.split("prediction").split(name))
  notebook.number(
    "efficiency.prediction.\(name.split(separator: " ").joined(separator: "-")).checkpoints",
    Double(found.checkpoints))
  let chance = found.spearman.value < 0 ? -found.shuffled : found.shuffled
  rows.append(AblationRow("prediction", name, "all checkpoints", found.spearman, chance: chance))
}

// ## What alignment pays
//
// ![Twelve checkpoints by training set and loss](figures/efficiency.svg)

notebook.figure("figures/efficiency", efficiencyFigure(rows), title: "Data efficiency of alignment")
notebook.numbers(rows, of: "efficiency")
notebook.finish()
