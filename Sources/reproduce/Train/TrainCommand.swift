// `reproduce train`: the small checkpoint that the package ships, trained again from its corpus.

import ArgumentParser
import Foundation
import JSON
import Notebook
import Speech
import Tensor

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains the small Qwen2-Audio checkpoint and stores it.",
    discussion: """
      Reads the training audio that `reproduce corpus` puts into build/training. An interrupted \
      run goes on from its last hundredth step; --fresh starts over.
      """)

  static let shipped = "artifacts/qwen2-audio-small"

  @Option(help: "The folder to write, below the repository.") var out = Train.shipped
  @Option(help: "Scales the steps of every stage, for a trial.") var scale = 1.0
  @Flag(help: "Ignores the state of an interrupted run.") var fresh = false

  /// The shipped model.
  static var config: Qwen2AudioConfig {
    var config = Qwen2AudioConfig()
    config.melBands = 80
    config.encoderWidth = 96
    config.encoderLayers = 3
    config.encoderHeads = 3
    config.encoderMLP = 384
    config.maxSourcePositions = 150
    config.width = 96
    config.layers = 5
    config.heads = 3
    config.keyHeads = 3
    config.mlp = 256
    config.maxPositions = 256
    config.epsilon = 1e-5
    return config
  }

  func run() throws {
    Runtime.pin()
    let repository = try Repository()
    let tokenizerText = try Tokenizer.wordLevel(
      words: Lexicon.vocabulary,
      special: ["<|endoftext|>", "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"])
    let tokenizer = try Tokenizer(
      JSON(parsing: tokenizerText, name: "tokenizer.json"), name: "tokenizer.json")
    var config = Train.config
    config.vocabulary = tokenizer.vocabularySize
    config.audioToken = tokenizer.id(of: "<|AUDIO|>")!
    let preparation = Preparation(
      config: config, tokenizer: tokenizer,
      features: LogMel(
        bands: config.melBands, samples: 2 * config.maxSourcePositions * LogMel.hop),
      endToken: tokenizer.id(of: "<|endoftext|>")!)
    let utterances = try TrainingSet(repository).utterances()
    var training = Training(preparation, utterances, seed: 20_011)
    let stages = [
      Stage(kind: .languageModel, steps: Int(300 * scale), batch: 32, peakRate: 3e-3),
      Stage(kind: .encoder, steps: Int(400 * scale), batch: 16, peakRate: 3e-3),
      Stage(kind: .joint, steps: Int(4000 * scale), batch: 16, peakRate: 2.5e-3),
    ]
    let state = TrainingState(
      folder: repository.url("build"),
      key: try [
        "\(config) \(scale) \(stages)", "\(Digest(ofFile: "/proc/self/exe"))",
        "\(Digest(ofFile: repository.url("data-manifests/training.json").path))",
      ].joined(separator: " "))
    var done = fresh ? nil : try state.read(into: &training)
    for (index, stage) in stages.enumerated() {
      if let saved = done, saved.stage > index { continue }
      var optimiser = AdamW(parameters: training.trained(stage).map { training.parameters[$0]! })
      var first = 0
      if let saved = done, saved.stage == index {
        first = saved.step + 1
        optimiser.restore(saved.moments, step: first)
      }
      done = nil
      let progress = TrainingProgress(stage)
      let names = training.trained(stage)
      let parameters = training.parameters
      try training.run(stage, from: first, optimiser: &optimiser) { step, optimiser, report in
        progress.show(step, report)
        if (step + 1) % 100 == 0 || step + 1 == stage.steps {
          try state.write(
            stage: index, step: step, names: names, parameters: parameters, optimiser: optimiser)
        }
      }
      progress.end()
    }
    try writeCheckpoint(
      training.parameters, config: config, tokenizer: tokenizerText,
      endToken: preparation.endToken, to: repository.url(out))
    let seconds = utterances.reduce(0) { $0 + $1.samples.count } / LogMel.rate
    try Data(
      modelCard(
        config, parameters: config.parameterShapes.values.reduce(0) { $0 + $1.reduce(1, *) },
        utterances: utterances.count, hours: Double(seconds) / 3600
      ).utf8
    ).write(to: repository.url("\(out)/README.md"), options: .atomic)
    if out == Train.shipped {
      try writeModelManifest(out, repository)
      try repository.writeSums()
    }
    state.remove()
  }
}

/// One line of progress for a stage.
final class TrainingProgress {
  private let stage: Stage
  private let start = Date()
  private var first: Int?
  private var recent = StepReport()
  private let isTerminal = isatty(STDERR_FILENO) != 0

  init(_ stage: Stage) { self.stage = stage }

  func show(_ step: Int, _ report: StepReport) {
    first = first ?? step
    recent.add(report)
    guard (step + 1) % 20 == 0 || step + 1 == stage.steps else { return }
    let seconds = -start.timeIntervalSinceNow
    let each = seconds / Double(step + 1 - first!)
    let left = Int(each * Double(stage.steps - step - 1))
    let steps = Double((step % 20) + 1)
    let line = [
      "\(stage.kind.rawValue) \(step + 1)/\(stage.steps)",
      "loss \(String(format: "%.3f", recent.answerLoss / steps))",
      "answers \(String(format: "%.1f", 100 * Double(recent.correct) / Double(max(1, recent.answers))))%",
      "phones \(String(format: "%.1f", 100 * Double(recent.phoneCorrect) / Double(max(1, recent.phones))))%",
      "\(Int(seconds)) s, \(left) s left",
    ].joined(separator: "  ")
    recent = StepReport()
    FileHandle.standardError.write(Data((isTerminal ? "\r\u{1B}[K\(line)" : "\(line)\n").utf8))
  }

  func end() { if isTerminal { FileHandle.standardError.write(Data("\n".utf8)) } }
}
