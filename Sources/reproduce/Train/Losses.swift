// The losses of one shard of a batch. A shard is computed by one core in a fixed order; the
// number of shards never depends on the number of cores.

import Speech
import Tensor

/// What a step is told about itself.
struct StepReport {
  var answerLoss = 0.0
  var answers = 0
  var correct = 0
  var phoneCorrect = 0
  var phones = 0
}

/// How much each loss counts, already divided by how many terms it has in the whole batch.
struct LossWeights: Sendable {
  var answer: Float
  var phone: Float
  var word: Float
}

struct ShardResult: @unchecked Sendable {
  let gradients: [Tensor]
  let report: StepReport
}

/// Cross-entropy of the answers, of the phone at each encoder position, and of the word at each
/// audio token (the connector's output times the text embeddings).
func shardLoss(
  _ model: AudioLanguageModel, _ parameters: Parameters, _ examples: [Example],
  _ weights: LossWeights,
  end: Int
) throws -> (loss: Tensor, report: StepReport) {
  let config = model.config
  let batch = try Batch(
    config.sound, clips: examples.compactMap(\.clip), prompts: examples.map(\.prompt))
  var heard: [Site: Tensor] = [:]
  let lastEncoder = Site(.encoder, config.encoder.layers - 1, .residPost)
  let connector = Site(.connector, nil, .out)

  var rows: [Int] = []
  var targets: [Int] = []
  for (example, sequence) in zip(examples, batch.lm.sequences) {
    for (position, token) in example.targets(end: end) {
      rows.append(sequence.start + position)
      targets.append(token)
    }
  }
  let logits = model.logits(after: .encoder(0), model.embedded(batch), in: batch, rows: rows) {
    site, x in
    if site == lastEncoder || site == connector { heard[site] = x }
    return x
  }
  var report = StepReport()
  let answer = crossEntropy(
    logits, targets, weights: [Float](repeating: weights.answer, count: targets.count))
  report.answerLoss = Double(answer.loss[0])
  report.answers = targets.count
  report.correct = answer.correct.count { $0 }
  var loss = answer.loss

  if weights.phone > 0 || weights.word > 0 {
    var phoneTargets = [Int](repeating: -1, count: batch.encoder.rows)
    var wordTargets = [Int](repeating: -1, count: batch.audio.rows)
    for (i, example) in examples.enumerated() {
      guard let phones = example.phones, let words = example.words else { continue }
      for (t, phone) in phones.enumerated() {
        phoneTargets[batch.encoder.sequences[i].start + t] = phone
      }
      for (t, word) in words.enumerated() {
        wordTargets[batch.audio.sequences[i].start + t] = word
      }
    }
    let normed = layerNorm(
      heard[lastEncoder]!, parameters["audio_tower.layer_norm.weight"]!,
      parameters["audio_tower.layer_norm.bias"]!, epsilon: 1e-5)
    let phoneLogits = linear(
      normed, parameters["auxiliary.phone.weight"]!, bias: parameters["auxiliary.phone.bias"]!)
    let phone = crossEntropy(
      phoneLogits, phoneTargets,
      weights: [Float](repeating: weights.phone, count: phoneTargets.count))
    let wordLogits =
      linear(heard[connector]!, parameters["language_model.model.embed_tokens.weight"]!) * 0.25
    let word = crossEntropy(
      wordLogits, wordTargets, weights: [Float](repeating: weights.word, count: wordTargets.count))
    report.phoneCorrect = phone.correct.count { $0 }
    report.phones = phone.correct.count
    loss = loss + phone.loss + word.loss
  }
  return (loss, report)
}

/// The same answers from text alone: every word of the utterance becomes a few audio tokens that
/// hold its text embedding and noise, so that the language model learns its tasks first.
func pseudoAudioLoss(
  _ model: AudioLanguageModel, _ parameters: Parameters,
  _ utterances: [(words: [String], example: Example)], _ weights: LossWeights,
  _ preparation: Preparation, _ random: Random
) throws -> (loss: Tensor, report: StepReport) {
  let end = preparation.endToken
  var ids: [[Int]] = []
  var prompts: [Prompt] = []
  for (i, utterance) in utterances.enumerated() {
    var draws = random.split(i)
    var row = [Int](repeating: end, count: 1 + draws.below(5))
    for word in utterance.words {
      row += [Int](repeating: preparation.id(word), count: 2 + draws.below(9))
      if draws.uniform() < 0.2 { row += [Int](repeating: end, count: 1 + draws.below(3)) }
    }
    row += [Int](repeating: end, count: 1 + draws.below(3))
    ids.append(row)
    let trunk =
      [utterance.example.trunk.first!]
      + [Int](repeating: model.config.sound.placeholder, count: row.count)
      + [utterance.example.trunk.last!]
    prompts.append(
      Prompt(trunk: trunk, branches: utterance.example.branches.map { $0.prompt + $0.answer }))
  }
  let batch = try Batch(model.config.sound, audioTokens: ids.map(\.count), prompts: prompts)
  var rows: [Int] = []
  var targets: [Int] = []
  for (i, sequence) in batch.lm.sequences.enumerated() {
    let shift = ids[i].count + 2 - utterances[i].example.trunk.count
    for (position, token) in utterances[i].example.targets(end: end) {
      rows.append(sequence.start + position + shift)
      targets.append(token)
    }
  }
  var spoken = [Int](repeating: -1, count: batch.audio.rows)
  for (i, sequence) in batch.audio.sequences.enumerated() {
    for (t, id) in ids[i].enumerated() { spoken[sequence.start + t] = id }
  }
  let clean = gatherRows(parameters["language_model.model.embed_tokens.weight"]!, spoken)
  let noise = Tensor(clean.shape, normal: 0.25, random.split("noise"))
  let logits = model.logits(after: .connector, clean + noise, in: batch, rows: rows)
  let answer = crossEntropy(
    logits, targets, weights: [Float](repeating: weights.answer, count: targets.count))
  var report = StepReport()
  report.answerLoss = Double(answer.loss[0])
  report.answers = targets.count
  report.correct = answer.correct.count { $0 }
  return (answer.loss, report)
}
