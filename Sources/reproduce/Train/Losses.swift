// The losses of one shard of a batch. A shard is computed by one core in a fixed order; the
// number of shards never depends on the number of cores.

import Corpus
import Speech
import Tensor

/// What a step is told about itself.
struct StepReport {
  var answerLoss = 0.0
  var answers = 0
  var correct = 0
  /// The auxiliary loss, and how many of its guesses were right, where it guesses at each position.
  var auxiliaryLoss = 0.0
  var phoneCorrect = 0
  var phones = 0

  mutating func add(_ other: StepReport) {
    answerLoss += other.answerLoss
    answers += other.answers
    correct += other.correct
    auxiliaryLoss += other.auxiliaryLoss
    phoneCorrect += other.phoneCorrect
    phones += other.phones
  }
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

/// The losses of examples that are heard.
struct HeardLoss {
  let model: AudioLanguageModel
  let parameters: Parameters
  let auxiliary: Auxiliary
  let weights: LossWeights
  let endToken: Int

  private var config: any AudioLanguageConfig { model.config }

  /// Cross-entropy of the answers, and the auxiliary losses.
  func callAsFunction(_ examples: [Example]) throws -> (loss: Tensor, report: StepReport) {
    var heard: [Site: Tensor] = [:]
    let wanted: Set<Site> = [lastEncoder, connector, alignmentLogits]
    var batch = try Batch(
      config.sound, clips: examples.compactMap(\.clip), prompts: examples.map(\.prompt))
    let tap = Tap(wanted) { site, x in
      heard[site] = x
      return x
    }
    let x = model.entered(model.embedded(batch), from: 0, in: &batch, tap: tap)
    var report = StepReport()
    var loss: Tensor?
    if weights.answer > 0 {
      let (rows, targets) = answerRows(examples, batch, end: endToken)
      let logits = model.logits(after: .lm(0), x, in: batch, rows: rows)
      loss = answerLoss(logits, targets, weights.answer, &report)
    }
    if weights.phone > 0 || weights.word > 0 {
      let guess =
        switch auxiliary {
        case .frames: frames(heard, examples, batch, &report)
        case .connectionist: connectionist(heard, examples, batch)
        case .alignment: alignment(heard, examples, batch)
        case .nothing: preconditionFailure("has no weight")
        }
      report.auxiliaryLoss = Double(guess[0])
      loss = loss.map { $0 + guess } ?? guess
    }
    return (loss!, report)
  }

  private var lastEncoder: Site { Site(.encoder, config.encoder.layers - 1, .residPost) }
  private var connector: Site { Site(.connector, .out) }
  private var alignmentLogits: Site { Site(Site.Stage(rawValue: "ctc"), .logits) }

  /// Logits of the phone at each encoder position.
  private func phoneLogits(_ heard: [Site: Tensor]) -> Tensor {
    let norm = config.encoderPrefix + "layer_norm."
    let normed = layerNorm(
      heard[lastEncoder]!, parameters[norm + "weight"]!, parameters[norm + "bias"]!,
      epsilon: 1e-5)
    return linear(
      normed, parameters["auxiliary.phone.weight"]!, bias: parameters["auxiliary.phone.bias"]!)
  }

  /// Logits of the word at each row of the connector: its output times the text embeddings.
  private func wordLogits(_ heard: [Site: Tensor]) -> Tensor {
    linear(heard[connector]!, parameters[config.lmPrefix + "embed_tokens.weight"]!) * 0.25
  }

  private func frames(
    _ heard: [Site: Tensor], _ examples: [Example], _ batch: Batch, _ report: inout StepReport
  ) -> Tensor {
    var phoneTargets = [Int](repeating: -1, count: batch.encoder.rows)
    var wordTargets = [Int](repeating: -1, count: batch.audio.rows)
    for (i, example) in examples.enumerated() {
      for (t, phone) in (example.phones ?? []).enumerated() {
        phoneTargets[batch.encoder.sequences[i].start + t] = phone
      }
      for (t, word) in (example.words ?? []).enumerated() {
        wordTargets[batch.audio.sequences[i].start + t] = word
      }
    }
    let phone = crossEntropy(
      phoneLogits(heard), phoneTargets,
      weights: [Float](repeating: weights.phone, count: phoneTargets.count))
    let word = crossEntropy(
      wordLogits(heard), wordTargets,
      weights: [Float](repeating: weights.word, count: wordTargets.count))
    report.phoneCorrect = phone.correct.count { $0 }
    report.phones = phone.correct.count
    return phone.loss + word.loss
  }

  private func connectionist(
    _ heard: [Site: Tensor], _ examples: [Example], _ batch: Batch
  ) -> Tensor {
    connectionistLoss(
      phoneLogits(heard), sequences: batch.encoder.sequences.map(\.range),
      labels: examples.map(\.saidPhones), blank: 0,
      weights: [Float](repeating: weights.phone, count: examples.count))
      + connectionistLoss(
        wordLogits(heard), sequences: batch.audio.sequences.map(\.range),
        labels: examples.map(\.said), blank: endToken,
        weights: [Float](repeating: weights.word, count: examples.count))
  }

  private func alignment(
    _ heard: [Site: Tensor], _ examples: [Example], _ batch: Batch
  ) -> Tensor {
    connectionistLoss(
      heard[alignmentLogits]!, sequences: batch.rowsOfConnector, labels: examples.map(\.said),
      blank: config.sound.placeholder,
      weights: [Float](repeating: weights.word, count: examples.count))
  }
}

/// The rows of a batch whose next token is an answer's, and those tokens.
func answerRows(_ examples: [Example], _ batch: Batch, end: Int) -> (rows: [Int], targets: [Int]) {
  var (rows, targets): ([Int], [Int]) = ([], [])
  for (i, example) in examples.enumerated() {
    // The audio tokens stand where the example has one placeholder.
    let added = batch.prompts[i].tokens.count - example.prompt.tokens.count
    for (position, token) in example.targets(end: end) {
      rows.append(batch.lm.sequences[i].start + position + added)
      targets.append(token)
    }
  }
  return (rows, targets)
}

private func answerLoss(
  _ logits: Tensor, _ targets: [Int], _ weight: Float, _ report: inout StepReport
) -> Tensor {
  let answer = crossEntropy(
    logits, targets, weights: [Float](repeating: weight, count: targets.count))
  report.answerLoss = Double(answer.loss[0])
  report.answers = targets.count
  report.correct = answer.correct.count { $0 }
  return answer.loss
}

/// The same answers from text alone: every word becomes `spread` audio tokens that hold its text
/// embedding and noise, so that the language model learns its tasks first.
func pseudoAudioLoss(
  _ model: AudioLanguageModel, _ parameters: Parameters, _ examples: [Example],
  spread: ClosedRange<Int>, _ weights: LossWeights, end: Int, _ random: Random
) throws -> (loss: Tensor, report: StepReport) {
  var spoken: [[Int]] = []
  for (i, example) in examples.enumerated() {
    var draws = random.split(i)
    func silence(_ most: Int) -> [Int] { [Int](repeating: end, count: 1 + draws.below(most)) }
    var row = silence(spread.upperBound == 1 ? 2 : 5)
    for word in example.said {
      let count = spread.lowerBound + draws.below(spread.count)
      row += [Int](repeating: word, count: count)
      if spread.upperBound > 1, draws.uniform() < 0.2 { row += silence(3) }
    }
    spoken.append(row + silence(3))
  }
  let batch = try Batch(
    model.config.sound, audioTokens: spoken.map(\.count), prompts: examples.map(\.prompt))
  let (rows, targets) = answerRows(examples, batch, end: end)
  var words = [Int](repeating: -1, count: batch.audio.rows)
  for (i, sequence) in batch.audio.sequences.enumerated() {
    for (t, word) in spoken[i].enumerated() { words[sequence.start + t] = word }
  }
  let clean = gatherRows(parameters[model.config.lmPrefix + "embed_tokens.weight"]!, words)
  let noise = Tensor(clean.shape, normal: 0.25, random.split("noise"))
  let logits = model.logits(after: .connector, clean + noise, in: batch, rows: rows)
  var report = StepReport()
  return (answerLoss(logits, targets, weights.answer, &report), report)
}
