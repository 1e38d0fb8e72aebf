// One way of joining the two halves: what is trained, on what and for how long. The defaults are those of
// the shipped projector.

import Foundation
import Interventions
import Notebook
import Speech
import Tensor

struct Joining {
  var steps = 960
  /// Utterances of a step.
  var batch = 4
  /// The highest rate of the optimiser.
  var rate: Float = 2e-3
  /// People whose recorded digits are left out.
  var absent: [String] = []
  /// Begins with the shipped projector, and draws other utterances.
  var goesOn = false
  /// Whether two layers are trained beside the projector's linear one.
  var layersBeside = false
  /// Rank of adapters beside the language model's queries and values; 0 for none.
  var rank = 0
  /// Seconds of silence behind every recording, in training and afterwards.
  var silence = 0.0

  /// What tells it from others, in the name of its state.
  private var settings: [String] {
    ["\(steps)", "\(batch)", "\(rate)"] + absent + (goesOn ? ["goes on"] : [])
      + (layersBeside ? ["layers"] : []) + (rank > 0 ? ["rank \(rank)"] : [])
      + (silence > 0 ? ["silence \(silence)"] : [])
  }

  /// Trains, going on from the last tenth step of an interrupted run, and writes the folder of a model:
  /// what is trained, with adapters merged into the weights that they stand beside, and the table of
  /// losses.
  ///
  /// - Parameter fresh: ignores the state of an interrupted run
  func train(into folder: URL, _ repository: Repository, fresh: Bool) throws {
    var joined = JoinedFolder(repository: repository)
    joined.folder = folder
    joined.hasLayersBeside = layersBeside
    try joined.writeDescription()
    var (config, _) = try joined.config()
    let root = Random(seed: 20_011).split(JoinedFolder.name)
    let random = goesOn ? root.split("goes on") : root
    let languageModel = try joined.languageModelFolder()
    var projector =
      goesOn
      ? try shipped(repository)
      : try drawnProjector(config, languageModel: languageModel, random.split("projector"))
    if layersBeside {
      projector.merge(Projector.drawnBeside(config, random.split("layers beside"))) { $1 }
    }
    let weights = try joined.weights(config, projector)
    let halves = try JoinedHalves(
      config, AudioLanguageModel(config, weights), Tokenizer(folder: languageModel))
    var utterances = try JoinedCorpus.utterances(repository)
    let heard = try HeardSpeech(
      repository, utterances, halves, silence: Int(silence * Double(LogMel.rate)), root)
    utterances = utterances.filter { !absent.contains($0.speaker) }.map(\.silent)
    var training = JoinedTraining(
      halves: halves, utterances: utterances, heard: heard, random: random, steps: steps,
      batch: batch, peakRate: rate, parameters: projector)
    if rank > 0 {
      config.lowRank = LowRankConfig(rank: rank, scale: 1)
      training.parameters.merge(config.drawnAdapters(random.split("adapters"))) { $1 }
      training.adapted = { [config] live in
        var own = weights
        own.merge(Weights(live))
        return AudioLanguageModel(config, own)
      }
    }
    let names = training.names
    let beginning = Digest(of: safetensorsBytes(projector))
    // Runs of other settings go on beside each other; that of another executable is not taken up.
    let state = TrainingState(
      folder: repository.url("build/joined"), name: settings.joined(separator: "-"),
      key: "\(settings) \(beginning) \(try Digest(ofFile: "/proc/self/exe"))")
    var optimiser = AdamW(parameters: names.map { training.parameters[$0]! })
    var (first, log) = (0, ["step\tloss\tanswers\tcorrect"])
    if !fresh, let saved = try state.read(into: &training.parameters) {
      first = saved.step + 1
      log = saved.log
      optimiser.restore(saved.moments, step: first)
    }
    let progress = TrainingProgress(
      folder.lastPathComponent,
      Stage(kind: .sound, steps: steps, batch: batch, peakRate: rate), every: 5)
    try training.run(from: first, optimiser: &optimiser) { step, parameters, optimiser, report in
      progress.show(step, report)
      log.append(
        "\(step + 1)\t\(String(format: "%.5f", report.answerLoss))\t\(report.answers)\t\(report.correct)"
      )
      if (step + 1) % 10 == 0 || step + 1 == steps {
        try state.write(
          stage: 0, step: step, names: names, parameters: parameters, optimiser: optimiser, log: log
        )
      }
    }
    progress.end()
    let trained = training.parameters.filter { !$0.key.contains(".lora_") }
    let adapters = training.parameters.filter { $0.key.contains(".lora_") }
    let merged = config.merged(adapters, into: weights)
    try publish([
      Output(
        folder.appendingPathComponent("projector.safetensors").path,
        bytes: safetensorsBytes(trained.merging(merged) { $1 })),
      Output(
        folder.appendingPathComponent("training.tsv").path,
        text: log.joined(separator: "\n") + "\n"),
    ])
    state.remove()
  }
}

/// The projector in the shipped folder.
private func shipped(_ repository: Repository) throws -> Parameters {
  let path = JoinedFolder(repository: repository).folder
    .appendingPathComponent("projector.safetensors").path
  let file = try Safetensors(path: path)
  return Parameters(
    uniqueKeysWithValues: try file.entries.keys.map { name in
      let tensor = try file.tensor(name)
      // The optimiser moves numbers where they lie, and these lie in the file.
      return (name, Tensor(tensor.shape, tensor.numbers))
    })
}
