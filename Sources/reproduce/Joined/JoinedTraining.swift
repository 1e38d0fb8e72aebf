// Training the projector between two halves that stand still: gradients go through the language model
// to the projector alone, and where they are asked for to adapters beside its queries and values. Draws are named by step and place, and sums have a fixed order, so that the
// weights depend neither on the number of cores nor on where a run was interrupted.

import Foundation
import Notebook
import Speech
import Tensor

struct JoinedTraining {
  /// Visits that are computed in one piece, whatever the number of cores.
  static let shard = 2

  let halves: JoinedHalves
  let utterances: [JoinedUtterance]
  let heard: HeardSpeech
  let random: Random
  let steps: Int
  let batch: Int
  let peakRate: Float
  /// The language model with adapters that are trained too; nil where it stands still.
  var adapted: (@Sendable (Parameters) -> AudioLanguageModel)?
  var parameters: Parameters

  /// What is trained, in the order in which the optimiser has it.
  var names: [String] { parameters.keys.sorted() }

  /// Linear warm-up over a twentieth, then a cosine down to 2 %.
  private var stage: Stage { Stage(kind: .sound, steps: steps, batch: batch, peakRate: peakRate) }

  /// Runs from `first` on, calling `after` behind each step.
  mutating func run(
    from first: Int, optimiser: inout AdamW,
    after: (_ step: Int, _ parameters: Parameters, _ optimiser: AdamW, _ report: StepReport) throws
      -> Void
  ) throws {
    for step in first..<steps {
      let (gradients, report) = try gradients(step)
      optimiser.update(
        names.map { parameters[$0]! }, gradients: gradients, rate: stage.rate(step), clip: 1)
      try after(step, parameters, optimiser, report)
    }
  }

  private func gradients(_ step: Int) throws -> ([Tensor], StepReport) {
    let visited = visits(
      of: Array(utterances.indices), step, batch: batch, random.split("order"))
    let stream = random.split("step").split(step)
    let (halves, utterances, heard) = (halves, utterances, heard)
    let examples = try visited.enumerated().map { i, index in
      try JoinedExample(
        utterances[index], heard: heard(utterances[index].id), halves, stream.split(i))
    }
    let live = parameters.mapValues { $0.variable }
    let (names, model) = (names, adapted?(live))
    let answers = examples.reduce(0) { $0 + $1.targets.count }
    let results = try mapInParallel(batch / Self.shard) { shard -> ShardResult in
      let own = Array(examples[(shard * Self.shard)..<((shard + 1) * Self.shard)])
      let (loss, report) = try loss(own, live, halves, adapted: model, weight: 1 / Float(answers))
      return ShardResult(gradients: loss.gradients(of: names.map { live[$0]! }), report: report)
    }
    var report = StepReport()
    for result in results { report.add(result.report) }
    return (summingGradients(results.map(\.gradients)), report)
  }
}

/// Cross-entropy of the answers, summed with one weight.
///
/// - Parameter adapted: the language model, where it does not stand still
private func loss(
  _ examples: [JoinedExample], _ projector: Parameters, _ halves: JoinedHalves,
  adapted: AudioLanguageModel?, weight: Float
) throws -> (loss: Tensor, report: StepReport) {
  let (logits, targets) = try halves.answerLogits(examples, Projector(projector), adapted: adapted)
  let answer = crossEntropy(
    logits, targets, weights: [Float](repeating: weight, count: targets.count))
  var report = StepReport()
  report.answerLoss = Double(answer.loss[0])
  report.answers = targets.count
  report.correct = answer.correct.count { $0 }
  return (answer.loss, report)
}

extension JoinedHalves {
  /// The logits before every token of the answers, [tokens, vocabulary], and those tokens.
  fileprivate func answerLogits(
    _ examples: [JoinedExample], _ projector: Projector, adapted: AudioLanguageModel?
  ) throws -> (logits: Tensor, targets: [Int]) {
    let batch = try Batch(
      model.config.sound, audioTokens: examples.map(\.heard.rows), prompts: examples.map(\.prompt))
    let width = examples[0].heard.width
    var numbers = [Float](repeating: 0, count: batch.audio.rows * width)
    for (example, sequence) in zip(examples, batch.audio.sequences) {
      numbers.replaceSubrange(
        sequence.start * width..<(sequence.start + example.heard.rows) * width,
        with: example.heard.numbers)
    }
    let heard = Tensor([batch.audio.rows, width], numbers)
    var (rows, targets): ([Int], [Int]) = ([], [])
    for (i, example) in examples.enumerated() {
      for (position, token) in example.targets {
        rows.append(batch.lm.sequences[i].start + position + example.heard.rows - 1)
        targets.append(token)
      }
    }
    // Adapters change the keys and values of the turns before the sound as well.
    let logits = (adapted ?? model).logits(
      ofProjected: projector(heard), in: batch, rows: rows, behind: adapted == nil ? prefix : nil)
    return (logits, targets)
  }
}
