// Training the projector between two halves that stand still: gradients go through the language model
// to the projector alone. Draws are named by step and place, and sums have a fixed order, so that the
// weights depend neither on the number of cores nor on where a run was interrupted.

import Foundation
import Notebook
import Speech
import Tensor

struct JoinedTraining {
  /// Visits that are computed in one piece, whatever the number of cores.
  static let shard = 2
  static let names = [
    "multi_modal_projector.linear.bias", "multi_modal_projector.linear.weight",
  ]

  let halves: JoinedHalves
  let utterances: [JoinedUtterance]
  let heard: HeardSpeech
  let random: Random
  let steps: Int
  let batch: Int
  let peakRate: Float
  var parameters: Parameters

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
        Self.names.map { parameters[$0]! }, gradients: gradients, rate: stage.rate(step), clip: 1)
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
    let answers = examples.reduce(0) { $0 + $1.targets.count }
    let results = try mapInParallel(batch / Self.shard) { shard -> ShardResult in
      let own = Array(examples[(shard * Self.shard)..<((shard + 1) * Self.shard)])
      let (loss, report) = try loss(own, live, halves, weight: 1 / Float(answers))
      return ShardResult(
        gradients: loss.gradients(of: Self.names.map { live[$0]! }), report: report)
    }
    var report = StepReport()
    for result in results { report.add(result.report) }
    return (summingGradients(results.map(\.gradients)), report)
  }
}

/// Cross-entropy of the answers, summed with one weight.
private func loss(
  _ examples: [JoinedExample], _ projector: Parameters, _ halves: JoinedHalves, weight: Float
) throws -> (loss: Tensor, report: StepReport) {
  let model = halves.model
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
  let projected = linear(
    heard, projector[JoinedTraining.names[1]]!, bias: projector[JoinedTraining.names[0]]!)
  let logits = model.logits(
    ofProjected: projected, in: batch, rows: rows, behind: halves.prefix)
  let answer = crossEntropy(
    logits, targets, weights: [Float](repeating: weight, count: targets.count))
  var report = StepReport()
  report.answerLoss = Double(answer.loss[0])
  report.answers = targets.count
  report.correct = answer.correct.count { $0 }
  return (answer.loss, report)
}
