// `reproduce train`: the small checkpoints that the package ships, trained again from its corpus.

import ArgumentParser
import Corpus
import Foundation
import JSON
import Notebook
import Speech
import Tensor

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains the small checkpoints and stores them.",
    discussion: """
      Reads the training audio that `reproduce corpus` puts into build/training and the recordings \
      of digits that `reproduce data` finds. An interrupted run goes on from its last hundredth \
      step; --fresh starts over.
      """)

  @Argument(
    help:
      "Which checkpoints: \(Recipe.names.joined(separator: ", ")); all of them where none is named."
  )
  var names: [String] = []
  @Option(
    help: "Trains those of a study instead, into build/trained: seeds, or sizes of training set.")
  var study: TrainingStudy?
  @Option(help: "The folder to write one checkpoint to, below the repository.") var out: String?
  @Option(help: "Scales the steps of every stage, for a trial.") var scale = 1.0
  @Option(help: "The checkpoint to begin with, where the recipe has one.") var from: String?
  @Flag(help: "Ignores the state of an interrupted run.") var fresh = false

  func validate() throws {
    try Recipe.check(names)
    if out != nil && names.count != 1 { throw ValidationError("--out takes one checkpoint's name") }
    if study != nil && !names.isEmpty {
      throw ValidationError("--study trains all of its checkpoints; name none")
    }
  }

  func run() throws {
    let repository = try Repository()
    let evaluation = Set(EvaluationPlan.pairs().flatMap { [$0.clean.text, $0.corrupt.text] })
    let utterances =
      try TrainingSet(repository).utterances()
      + HumanTraining.utterances(repository, excluding: evaluation)
    for recipe in study?.recipes ?? Recipe.all
    where names.isEmpty || names.contains(recipe.name) {
      try train(recipe, utterances, repository)
    }
    // What a trial has trained is listed nowhere.
    guard out == nil, study == nil || scale == 1 else { return }
    if let study {
      try writeTrainedManifest(study, repository)
    } else {
      try writeModelManifest(repository)
    }
    try repository.writeSums()
  }

  private func train(
    _ recipe: Recipe, _ utterances: [TrainingUtterance], _ repository: Repository
  ) throws {
    let start = Date()
    let folder = repository.url(out ?? recipe.folder)
    // The folder holds what a reader opens; the weights come last.
    try writeDescription(of: recipe, to: folder)
    guard let config = try openConfig(folder: folder.path) as? any AudioLanguageConfig else {
      throw CheckpointError("\(folder.path): is not a model that splices sound into a prompt")
    }
    let preparation = try Preparation(
      config, Tokenizer(contentsOf: "\(folder.path)/tokenizer.json"), endToken: Recipe.endToken)
    var training = Training(
      preparation, recipe.auxiliary, utterances, oneOf: recipe.oneOf,
      seed: recipe.seed)
    var key = [
      "\(recipe.key) \(scale)", "\(try Digest(ofFile: "/proc/self/exe"))",
      "\(try Digest(ofFile: repository.url("data-manifests/training.json").path))",
    ]
    if let warm = from ?? recipe.warmStart.map({ repository.url("artifacts/\($0)").path }) {
      guard let other = try openConfig(folder: warm) as? any AudioLanguageConfig else {
        throw CheckpointError("\(warm): is not a model that splices sound into a prompt")
      }
      try training.begin(
        with: other, other.weights(from: Checkpoint(folder: warm)).parameters)
      key.append("\(try Digest(ofFile: "\(warm)/model.safetensors"))")
    }
    let stages = recipe.stages.map { stage in
      var stage = stage
      stage.steps = Int(Double(stage.steps) * scale)
      return stage
    }
    let state = TrainingState(
      folder: repository.url("build"), name: recipe.name, key: key.joined(separator: " "))
    // What text alone teaches is the same for all recipes that begin with it.
    let text = TrainingState(
      folder: repository.url("build"), name: "language-model-\(recipe.seed)",
      key: ([recipe.config.compactText, "\(stages.filter(\.isText))"] + key[1...])
        .joined(separator: " "))
    let finished = folder.appendingPathComponent(".trained").path
    let run = "\(Digest(of: key.joined(separator: " ")))"
    if !fresh, recipe.study != nil, (try? String(contentsOfFile: finished, encoding: .utf8)) == run
    {
      return writeToStandardError("\(recipe.name): is trained\n")
    }
    var done = fresh ? nil : try state.read(into: &training.parameters)
    if done == nil, !fresh, stages[0].isText { done = try text.read(into: &training.parameters) }
    for (index, stage) in stages.enumerated() {
      if let saved = done, saved.stage > index { continue }
      let names = training.trained(stage)
      var optimiser = AdamW(parameters: names.map { training.parameters[$0]! })
      var first = 0
      if let saved = done, saved.stage == index {
        first = saved.step + 1
        optimiser.restore(saved.moments, step: first)
      }
      done = nil
      let progress = TrainingProgress(recipe.name, stage)
      let parameters = training.parameters
      try training.run(stage, from: first, optimiser: &optimiser) { step, optimiser, report in
        progress.show(step, report)
        if (step + 1) % 100 == 0 || step + 1 == stage.steps {
          try state.write(
            stage: index, step: step, names: names, parameters: parameters, optimiser: optimiser)
        }
      }
      progress.end()
      if stage.isText, index + 1 < stages.count, !stages[index + 1].isText {
        // Those alone, since what else a recipe trains may be its own.
        try text.write(
          stage: index, step: stage.steps - 1, names: names,
          parameters: training.parameters.filter { names.contains($0.key) }, optimiser: optimiser)
      }
    }
    let stored = training.parameters.filter { config.parameterShapes[$0.key] != nil }
    try writeAtomically(
      safetensorsBytes(stored), to: folder.appendingPathComponent("model.safetensors").path)
    if recipe.study == nil {
      try writeAtomically(
        modelCard(recipe, config, utterances), to: folder.appendingPathComponent("README.md").path)
    } else {
      try writeAtomically(run, to: finished)
    }
    state.remove()
    writeToStandardError("\(recipe.name): \(Int(-start.timeIntervalSinceNow)) s\n")
  }
}

/// One line of progress for a stage.
final class TrainingProgress {
  private let name: String
  private let stage: Stage
  private let start = Date()
  private var first: Int?
  private var recent = StepReport()
  private var steps = 0
  private let isTerminal = isatty(STDERR_FILENO) != 0

  private let every: Int

  init(_ name: String, _ stage: Stage, every: Int = 20) {
    self.name = name
    self.stage = stage
    self.every = every
  }

  func show(_ step: Int, _ report: StepReport) {
    first = first ?? step
    recent.add(report)
    steps += 1
    guard (step + 1) % every == 0 || step + 1 == stage.steps else { return }
    let seconds = -start.timeIntervalSinceNow
    let each = seconds / Double(step + 1 - first!)
    let left = Int(each * Double(stage.steps - step - 1))
    func share(_ a: Int, _ b: Int) -> String {
      b == 0 ? "-" : String(format: "%.1f%%", 100 * Double(a) / Double(b))
    }
    let line = [
      "\(name) \(stage.kind.rawValue) \(step + 1)/\(stage.steps)",
      "loss \(String(format: "%.3f", recent.answerLoss / Double(steps)))",
      "answers \(share(recent.correct, recent.answers))",
      "auxiliary \(String(format: "%.3f", recent.auxiliaryLoss / Double(steps)))",
      "phones \(share(recent.phoneCorrect, recent.phones))",
      "\(Int(seconds)) s, \(left) s left",
    ].joined(separator: "  ")
    (recent, steps) = (StepReport(), 0)
    writeToStandardError(isTerminal ? "\r\u{1B}[K\(line)" : "\(line)\n")
  }

  func end() { if isTerminal { writeToStandardError("\n") } }
}
