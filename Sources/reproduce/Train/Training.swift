// Training a small model, in stages:
//
// 1. the language model alone, on pseudo-audio made of text embeddings: first one position a word and
//    only short answers, then all tasks at the pace of speech;
// 2. the encoder and connector alone, on the auxiliary losses, then also on the answers of the
//    language model, which stands still;
// 3. everything together, while the auxiliary losses fade.
//
// Every draw is named by stage, step and utterance, and every sum has a fixed order, so the weights
// do not depend on the number of cores, nor on where a run was interrupted.

import Corpus
import Foundation
import Speech
import Tensor

/// A run of training: its data, its parameters and where it stands.
struct Training {
  /// A batch is computed in this many pieces, whatever the number of cores.
  static let shards = 4

  let preparation: Preparation
  let auxiliary: Auxiliary
  let utterances: [TrainingUtterance]
  /// Those of them that are heard.
  let heard: [Int]
  let random: Random
  var parameters: Parameters

  /// - Parameter oneOf: one of how many utterances is heard, drawn by the seed; a smaller set is part of
  ///   every larger one
  init(
    _ preparation: Preparation, _ auxiliary: Auxiliary, _ utterances: [TrainingUtterance],
    oneOf: Int = 1, seed: UInt64
  ) {
    self.preparation = preparation
    self.auxiliary = auxiliary
    self.utterances = utterances
    random = Random(seed: seed)
    var draws = random.split("heard")
    heard =
      oneOf == 1
      ? Array(utterances.indices)
      : draws.permutation(utterances.count).prefix(max(utterances.count / oneOf, 1)).sorted()
    let config = preparation.config
    parameters = config.randomParameters(random.split("weights"))
    // An adapter begins by adding nothing (Hu et al., 2022).
    for (name, tensor) in parameters where name.contains("lora_B") {
      parameters[name] = Tensor(tensor.shape)
    }
    guard auxiliary.namesPhones else { return }
    parameters["auxiliary.phone.weight"] = Tensor(
      [Phones.all.count, config.encoder.width], normal: 0.05, random.split("auxiliary"))
    parameters["auxiliary.phone.bias"] = Tensor([Phones.all.count])
  }

  /// Takes the encoder and the language model of another checkpoint of the same sizes.
  ///
  /// - Throws: where the other one lacks a parameter, or has it in another shape
  mutating func begin(with other: any AudioLanguageConfig, _ given: Parameters) throws {
    let own = preparation.config
    let language = own.languageModelParameters
    for name in parameters.keys.sorted() {
      let source: String
      if name == own.headName {
        source = other.headName
      } else if language.contains(name) {
        // Low-rank adapters are this checkpoint's own.
        if name.contains("lora_") { continue }
        source = other.lmPrefix + name.dropFirst(own.lmPrefix.count)
      } else if name.hasPrefix(own.encoderPrefix) {
        source = other.encoderPrefix + name.dropFirst(own.encoderPrefix.count)
      } else {
        continue
      }
      guard let tensor = given[source], tensor.shape == parameters[name]!.shape else {
        throw CheckpointError(
          "\(source) of the checkpoint to begin with is "
            + (given[source].map { "\($0.shape)" } ?? "missing")
            + "; \(name) needs \(parameters[name]!.shape)")
      }
      parameters[name] = tensor
    }
  }

  /// Runs one stage from `first`, calling `after` behind each step.
  mutating func run(
    _ stage: Stage, from first: Int = 0, optimiser: inout AdamW,
    after: (_ step: Int, _ optimiser: AdamW, _ report: StepReport) throws -> Void
  ) throws {
    let names = trained(stage)
    // Short answers about bound things come from two frames only.
    let pool = (stage.isText ? Array(utterances.indices) : heard).filter {
      stage.kind != .binding || [.b, .d].contains(utterances[$0].sentence.frame)
    }
    for step in first..<stage.steps {
      let (gradients, report) = try gradients(stage, step, names, pool)
      optimiser.update(
        names.map { parameters[$0]! }, gradients: gradients, rate: stage.rate(step), clip: 1)
      try after(step, optimiser, report)
    }
  }

  /// The parameters that a stage moves, in order of name.
  func trained(_ stage: Stage) -> [String] {
    let config = preparation.config
    let language = config.languageModelParameters
    return parameters.keys.filter { name in
      // The table of positions is a constant of the architecture.
      if name == config.encoderPrefix + "embed_positions.weight" { return false }
      switch stage.kind {
      case .binding, .languageModel: return language.contains(name)
      case .encoder, .sound: return !language.contains(name)
      case .joint: return true
      }
    }.sorted()
  }

  private func gradients(_ stage: Stage, _ step: Int, _ names: [String], _ pool: [Int]) throws -> (
    [Tensor], StepReport
  ) {
    let visited = visits(
      of: pool, step, batch: stage.batch, random.split("order").split(stage.kind.rawValue))
    let stream = random.split(stage.kind.rawValue).split(step)
    let (preparation, utterances, auxiliary) = (preparation, utterances, auxiliary)
    let examples = try mapInParallel(visited.count) { i in
      let (utterance, draws) = (utterances[visited[i]], stream.split(i))
      return stage.isText
        ? try Example(textOf: utterance, stage.kind, preparation, draws)
        : try Example(utterance, preparation, draws)
    }
    let moved = Set(names)
    let live = Parameters(
      uniqueKeysWithValues: parameters.map { ($0, moved.contains($0) ? $1.variable : $1) })
    let model = AudioLanguageModel(preparation.config, live)
    let weights = weights(stage, step, examples)
    let size = stage.batch / Training.shards
    let results = try mapInParallel(Training.shards) { shard -> ShardResult in
      let own = Array(examples[(shard * size)..<((shard + 1) * size)])
      let (loss, report) =
        stage.isText
        ? try pseudoAudioLoss(
          model, live, own, spread: stage.kind == .binding ? 1...1 : 2...10, weights,
          end: preparation.endToken, stream.split("pseudo").split(shard))
        : try HeardLoss(
          model: model, parameters: live, auxiliary: auxiliary, weights: weights,
          endToken: preparation.endToken)(own)
      return ShardResult(gradients: loss.gradients(of: names.map { live[$0]! }), report: report)
    }
    var report = StepReport()
    for result in results { report.add(result.report) }
    return (summingGradients(results.map(\.gradients)), report)
  }

  /// Each loss is a mean over its terms in the whole batch; the auxiliary ones fade in the end, but
  /// for the alignment that the connector needs.
  private func weights(_ stage: Stage, _ step: Int, _ examples: [Example]) -> LossWeights {
    let answers = examples.reduce(0) { $0 + $1.targets(end: preparation.endToken).count }
    let (phones, words) =
      auxiliary == .frames
      ? (
        examples.reduce(0) { $0 + ($1.phones?.count ?? 0) },
        examples.reduce(0) { $0 + ($1.words?.count ?? 0) }
      )
      : (
        examples.reduce(0) { $0 + $1.saidPhones.count }, examples.reduce(0) { $0 + $1.said.count }
      )
    let isFading = stage.kind == .joint && auxiliary != .alignment
    let fade = isFading ? 1 - Float(step) / Float(stage.steps) : 1
    return LossWeights(
      answer: stage.kind == .encoder ? 0 : 1 / Float(answers),
      phone: stage.isText || !auxiliary.namesPhones ? 0 : 0.5 * fade / Float(max(phones, 1)),
      word: stage.isText || auxiliary == .nothing ? 0 : fade / Float(max(words, 1)))
  }
}

/// The utterances of a step: a new random order of all of the pool each time they are used up.
func visits(of pool: [Int], _ step: Int, batch: Int, _ order: Random) -> [Int] {
  var cached: (epoch: Int, order: [Int])?
  return (0..<batch).map { i in
    let place = step * batch + i
    let epoch = place / pool.count
    if cached?.epoch != epoch {
      var draws = order.split(epoch)
      cached = (epoch, draws.permutation(pool.count))
    }
    return pool[cached!.order[place % pool.count]]
  }
}
