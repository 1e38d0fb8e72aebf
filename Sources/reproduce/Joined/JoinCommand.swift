// `reproduce join`: the projector of qwen2-audio-published, trained between its two published halves.

import ArgumentParser
import Foundation
import Notebook
import Speech
import Tensor

struct Join: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains the projector between the published encoder and language model.",
    discussion: """
      Reads the halves from build/models (make published), training speech from build/training and the \
      recorded digits that `reproduce data` finds. An interrupted run goes on from its last tenth step; \
      --fresh starts over.
      """)

  @Option(help: "Steps of training.") var steps = 960
  @Option(help: "Utterances of a step, a multiple of \(JoinedTraining.shard).") var batch = 4
  @Option(help: "The highest rate of the optimiser.") var rate: Float = 2e-3
  @Option(help: "People whose recorded digits are left out, as lucas,theo.") var leaveOut = ""
  @Option(help: "Where to write the projector and the table of losses.") var out: String?
  @Flag(help: "Ignores the state of an interrupted run.") var fresh = false

  func validate() throws {
    guard batch > 0, batch % JoinedTraining.shard == 0, steps > 0, rate > 0 else {
      throw ValidationError(
        "--batch takes a multiple of \(JoinedTraining.shard), --steps and --rate numbers above 0")
    }
    for name in absent where !DigitManifest.speakers.contains(name) {
      throw ValidationError(
        "--leave-out: nobody is called \(name); there are \(DigitManifest.speakers.joined(separator: ", "))"
      )
    }
  }

  private var absent: [String] { leaveOut.split(separator: ",").map(String.init) }

  func run() throws {
    let repository = try Repository()
    let joined = JoinedFolder(repository: repository)
    try joined.writeDescription()
    let (config, _) = try joined.config()
    let random = Random(seed: 20_011).split(JoinedFolder.name)
    let languageModel = try joined.languageModelFolder()
    let drawn = try drawnProjector(
      config, languageModel: languageModel, random.split("projector"))
    let halves = try JoinedHalves(
      config, joined.model(config, drawn), Tokenizer(folder: languageModel))
    var utterances = try JoinedCorpus.utterances(repository)
    let heard = try HeardSpeech(repository, utterances, halves, random)
    utterances = utterances.filter { !absent.contains($0.speaker) }.map(\.silent)
    var training = JoinedTraining(
      halves: halves, utterances: utterances, heard: heard, random: random, steps: steps,
      batch: batch,
      peakRate: rate, parameters: drawn)
    // Runs of other settings go on beside each other; that of another executable is not taken up.
    let settings = ["\(steps)", "\(batch)", "\(rate)"] + absent
    let state = TrainingState(
      folder: repository.url("build/joined"), name: settings.joined(separator: "-"),
      key: "\(settings) \(try Digest(ofFile: "/proc/self/exe"))")
    var optimiser = AdamW(parameters: JoinedTraining.names.map { drawn[$0]! })
    var (first, log) = (0, ["step\tloss\tanswers\tcorrect"])
    if !fresh, let saved = try state.read(into: &training.parameters) {
      first = saved.step + 1
      log = saved.log
      optimiser.restore(saved.moments, step: first)
    }
    let progress = TrainingProgress(
      JoinedFolder.name, Stage(kind: .sound, steps: steps, batch: batch, peakRate: rate), every: 5)
    try training.run(from: first, optimiser: &optimiser) { step, parameters, optimiser, report in
      progress.show(step, report)
      log.append(
        "\(step + 1)\t\(String(format: "%.5f", report.answerLoss))\t\(report.answers)\t\(report.correct)"
      )
      if (step + 1) % 10 == 0 || step + 1 == steps {
        try state.write(
          stage: 0, step: step, names: JoinedTraining.names, parameters: parameters,
          optimiser: optimiser, log: log)
      }
    }
    progress.end()
    let folder = out ?? joined.folder.path
    try publish([
      Output("\(folder)/projector.safetensors", bytes: safetensorsBytes(training.parameters)),
      Output("\(folder)/training.tsv", text: log.joined(separator: "\n") + "\n"),
    ])
    state.remove()
  }
}
