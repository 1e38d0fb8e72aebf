// Training a small Qwen2-Audio model from nothing, in three stages:
//
// 1. the language model alone, on pseudo-audio made of text embeddings;
// 2. the encoder and connector alone, on the phone and the word at each moment;
// 3. everything together, while those two auxiliary losses fade.
//
// Every draw is named by stage, step and utterance, and every sum has a fixed order, so the weights
// do not depend on the number of cores, nor on where a run was interrupted.

import Foundation
import Speech
import Tensor

/// One stage of training.
struct Stage: Sendable {
  enum Kind: String, Sendable { case languageModel, encoder, joint }

  let kind: Kind
  let steps: Int
  let batch: Int
  let peakRate: Float

  /// Linear warm-up over a twentieth, then a cosine down to 2%.
  func rate(_ step: Int) -> Float {
    let warm = max(1, min(100, steps / 20))
    if step < warm { return peakRate * Float(step + 1) / Float(warm) }
    let progress = Double(step - warm) / Double(max(1, steps - warm))
    return peakRate * Float(0.02 + 0.98 * (0.5 + 0.5 * Elementary.cos(.pi * progress)))
  }

  /// Whether the stage moves a parameter.
  func trains(_ name: String) -> Bool {
    // The table of positions is a constant of the architecture.
    if name == "audio_tower.embed_positions.weight" { return false }
    switch kind {
    case .languageModel: return name.hasPrefix("language_model")
    case .encoder: return !name.hasPrefix("language_model")
    case .joint: return true
    }
  }
}

/// A run of training: its data, its parameters and where it stands.
struct Training {
  /// A batch is computed in this many pieces, whatever the number of cores.
  static let shards = 4

  let preparation: Preparation
  let utterances: [TrainingUtterance]
  let random: Random
  var parameters: Parameters

  init(_ preparation: Preparation, _ utterances: [TrainingUtterance], seed: UInt64) {
    self.preparation = preparation
    self.utterances = utterances
    random = Random(seed: seed)
    let config = preparation.config
    parameters = config.randomParameters(random.split("weights"))
    parameters["auxiliary.phone.weight"] = Tensor(
      [Phones.all.count, config.encoderWidth], normal: 0.05, random.split("auxiliary"))
    parameters["auxiliary.phone.bias"] = Tensor([Phones.all.count])
  }

  /// Runs one stage from `first`, calling `after` behind each step.
  mutating func run(
    _ stage: Stage, from first: Int = 0, optimiser: inout AdamW,
    after: (_ step: Int, _ optimiser: AdamW, _ report: StepReport) throws -> Void
  ) throws {
    let names = trained(stage)
    for step in first..<stage.steps {
      let (gradients, report) = try gradients(stage, step, names)
      optimiser.update(
        names.map { parameters[$0]! }, gradients: gradients, rate: stage.rate(step), clip: 1)
      try after(step, optimiser, report)
    }
  }

  func trained(_ stage: Stage) -> [String] { parameters.keys.filter(stage.trains).sorted() }

  /// The utterances of a step: a new random order of all of them each time they are used up.
  private func visited(_ stage: Stage, _ step: Int) -> [Int] {
    let order = random.split("order").split(stage.kind.rawValue)
    var cached: (epoch: Int, order: [Int])?
    return (0..<stage.batch).map { i in
      let place = step * stage.batch + i
      let epoch = place / utterances.count
      if cached?.epoch != epoch {
        var draws = order.split(epoch)
        cached = (epoch, draws.permutation(utterances.count))
      }
      return cached!.order[place % utterances.count]
    }
  }

  private func gradients(_ stage: Stage, _ step: Int, _ names: [String]) throws -> (
    [Tensor], StepReport
  ) {
    let visited = visited(stage, step)
    let stream = random.split(stage.kind.rawValue).split(step)
    let (preparation, utterances) = (preparation, utterances)
    let examples = try mapInParallel(visited.count) { i in
      let (utterance, draws) = (utterances[visited[i]], stream.split(i))
      return stage.kind == .languageModel
        ? try Example(textOf: utterance, preparation, draws)
        : try Example(utterance, preparation, draws)
    }
    let live = Parameters(
      uniqueKeysWithValues: parameters.map { ($0, stage.trains($0) ? $1.variable : $1) })
    let model = AudioLanguageModel(preparation.config, live)
    let weights = weights(stage, step, examples)
    let size = stage.batch / Training.shards
    let results = try mapInParallel(Training.shards) { shard -> ShardResult in
      let range = (shard * size)..<((shard + 1) * size)
      let (loss, report) =
        switch stage.kind {
        case .languageModel:
          try pseudoAudioLoss(
            model, live, range.map { (utterances[visited[$0]].text, examples[$0]) }, weights,
            preparation, stream.split("pseudo").split(shard))
        case .encoder, .joint:
          try shardLoss(
            model, live, Array(examples[range]), weights, end: preparation.endToken)
        }
      return ShardResult(gradients: loss.gradients(of: names.map { live[$0]! }), report: report)
    }
    var report = StepReport()
    for result in results { report.add(result.report) }
    return (summingGradients(results.map(\.gradients)), report)
  }

  /// Each loss is a mean over its terms in the whole batch; the auxiliary ones fade in the end.
  private func weights(_ stage: Stage, _ step: Int, _ examples: [Example]) -> LossWeights {
    let answers = examples.reduce(0) { $0 + $1.targets(end: preparation.endToken).count }
    let phones = examples.reduce(0) { $0 + ($1.phones?.count ?? 0) }
    let words = examples.reduce(0) { $0 + ($1.words?.count ?? 0) }
    let fade = stage.kind == .joint ? 1 - Float(step) / Float(stage.steps) : 1
    return LossWeights(
      answer: stage.kind == .encoder ? 0 : 1 / Float(answers),
      phone: stage.kind == .languageModel ? 0 : 0.5 * fade / Float(max(phones, 1)),
      word: stage.kind == .languageModel ? 0 : fade / Float(max(words, 1)))
  }
}

extension StepReport {
  mutating func add(_ other: StepReport) {
    answerLoss += other.answerLoss
    answers += other.answers
    correct += other.correct
    phoneCorrect += other.phoneCorrect
    phones += other.phones
  }
}
