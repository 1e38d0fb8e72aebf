// One step of training of a whole small model, as the last stage of `reproduce train` makes it, but with the
// loss of the answers alone: forward and back through encoder, connector and language model, and AdamW.

import Interventions
import JSON
import Notebook
import Speech
import Tensor

/// Utterances with their questions, and the parameters that learn from them.
struct BenchStep {
  private let config: any AudioLanguageConfig
  private let parameters: Parameters
  private let examples: [Example]
  private let endToken: Int
  private let rate: Float

  init(_ job: BenchJob) throws {
    guard let config = try openConfig(folder: job.folder) as? any AudioLanguageConfig else {
      throw CheckpointError("\(job.folder): is not a model that splices sound into a prompt")
    }
    let weights = try config.weights(from: Checkpoint(folder: job.folder))
    let model = AudioLanguageModel(config, weights)
    self.config = config
    // In place of the file's: a step moves them.
    parameters = weights.parameters.mapValues { Tensor($0.shape, $0.numbers) }
    endToken = try job.json.int("end")
    rate = Float(try job.json.double("rate"))
    func tokens(_ json: JSON) -> [Int] { (json.elements ?? []).compactMap(\.int) }
    examples = try job.json.array("examples").map { example in
      Example(
        clip: try model.clip(Waveform(contentsOf: example.string("recording"))),
        trunk: tokens(.array(try example.array("trunk"))),
        branches: try example.array("branches").map {
          (
            prompt: tokens(.array(try $0.array("prompt"))),
            answer: tokens(.array(try $0.array("answer")))
          )
        }, said: [], saidPhones: [], phones: nil, words: nil)
    }
    guard !examples.isEmpty, examples.count % Training.shards == 0 else {
      throw JSONError("\(job.name): \"examples\" should be a multiple of \(Training.shards)")
    }
  }

  /// A step each time, from where the one before it has led; the loss before it comes out.
  func repeated() -> () throws -> BenchValues {
    let (parameters, examples, config, endToken, rate) =
      (parameters, examples, config, endToken, rate)
    let names = parameters.keys.filter { $0 != config.encoderPrefix + "embed_positions.weight" }
      .sorted()
    let moved = Set(names)
    var optimiser = AdamW(parameters: names.map { parameters[$0]! })
    let answers = examples.reduce(0) { $0 + $1.targets(end: endToken).count }
    let weights = LossWeights(answer: 1 / Float(answers), phone: 0, word: 0)
    let size = examples.count / Training.shards
    return {
      let live = Parameters(
        uniqueKeysWithValues: parameters.map { ($0, moved.contains($0) ? $1.variable : $1) })
      let model = AudioLanguageModel(config, live)
      let results = try mapInParallel(Training.shards) { shard -> ShardResult in
        let own = Array(examples[(shard * size)..<((shard + 1) * size)])
        let (loss, report) = try HeardLoss(
          model: model, parameters: live, auxiliary: .nothing, weights: weights, endToken: endToken
        )(own)
        return ShardResult(gradients: loss.gradients(of: names.map { live[$0]! }), report: report)
      }
      optimiser.update(
        names.map { parameters[$0]! }, gradients: summingGradients(results.map(\.gradients)),
        rate: rate, clip: 1)
      return BenchValues("loss", results.reduce(0) { $0 + $1.report.answerLoss })
    }
  }
}
