// What interventions in noise are made with, estimated on the discovery split (`paper/definitions.md`, D139 and
// D141).

import Corpus
import Speech
import Tensor

/// Of one model: what each neuron mends, means of clean speech, and directions of the connector's output.
public struct NoiseTools: Codable, Sendable {
  /// By layer and neuron, mean over recordings whose text noise makes wrong.
  public let mending: [[Double]]
  /// Of how many recordings noise makes the text wrong.
  public let mistaken: Int
  /// Mean activation of each neuron over clean speech.
  public let means: [[Double]]
  /// The connector's output over clean speech.
  public let natural: Natural
  /// Directions in which the changed phone of a pair moves it.
  public let lexical: Subspace
  /// Directions in which noise moves it, orthogonal to the first lexical ones.
  public let noise: Subspace
}

/// One recording with and without noise: the mean of each neuron without it, by layer, and the connector's output.
private struct CleanAndNoisy: Sendable {
  let neurons: [[Double]]
  let clean: Tensor
  let noisy: Tensor
}

private func columnMeans(_ rows: [[Double]]) -> [Double] {
  DoubleMatrix(rows: rows.count, columns: rows[0].count, rows.flatMap { $0 }).columnMeans
}

extension SpeechModel {
  /// What a recording is run with, asked for its transcript.
  ///
  /// - Parameter words: in which it is asked
  func input(hearing wave: Waveform, asked words: String = "transcribe:") throws -> ModelInput {
    let clip = try clip(wave)
    return ModelInput(clip: clip, tokens: try tokens(for: words, clip: clip))
  }

  /// A run of a recording that keeps the encoder's neurons and the connector's output.
  ///
  /// - Parameter base: a run whose frames are kept, where the sound decides which are
  func heard(_ wave: Waveform, like base: Trace? = nil) throws -> Trace {
    // No answer is compared; two tokens that differ stand for them.
    var question = Question(try input(hearing: wave), Answers(0, 1))
    if let base { question = question.keepingFrames(of: base) }
    return try model.trace(question, keeping: neuronSites + [SpeechModel.transferSite])
  }

  /// Estimates the tools of a model.
  ///
  /// - Parameters:
  ///   - noisy: recordings of the discovery split in noise, some of whose texts are wrong
  ///   - pairs: phoneme pairs of that split
  /// - Throws: where noise makes no text wrong, so that there is nothing to mend.
  public func noiseTools(
    _ noisy: [NoisyRecording], _ pairs: [MinimalPair], _ rules: NoiseRules, root: String
  ) throws -> NoiseTools {
    let (mends, mistaken) = try neuronMending(noisy, steps: rules.steps, root: root)
    let site = SpeechModel.transferSite
    let runs = try mapInParallel(noisy.count) { i -> CleanAndNoisy in
      let clean = try heard(noisy[i].clean(root: root))
      let loud = try heard(noisy[i].noisy(root: root), like: clean)
      return CleanAndNoisy(
        neurons: try neuronSites.map { DoubleMatrix(try clean.activation(of: $0)).columnMeans },
        clean: try clean.activation(of: site),
        noisy: try loud.activation(of: site))
    }
    let moves = try mapInParallel(pairs.count) { i -> Tensor? in
      let asked = try questions(for: pairs[i], root: root)
      let (clean, corrupt) = try model.sharingFrames(asked.clean, asked.corrupt)
      let window = Window.milliseconds(pairs[i].onset, pairs[i].onset + rules.moment)
      return try Selection(
        Cell(site, window), base: corrupt, source: clean, .identity)?.move
    }.compactMap { $0 }
    let lexical = try Subspace.principal(ofMoves: DoubleMatrix(joiningRows(moves)))
    let apart = DoubleMatrix(joiningRows(runs.map { $0.noisy - $0.clean }))
    let said = try lexical.first(min(rules.lexical, lexical.rank)).projection(of: apart)
    return NoiseTools(
      mending: mends, mistaken: mistaken,
      means: neuronSites.indices.map { layer in columnMeans(runs.map { $0.neurons[layer] }) },
      natural: try Natural(DoubleMatrix(joiningRows(runs.map(\.clean)))), lexical: lexical,
      noise: try .principal(ofMoves: apart - said))
  }

  /// What each neuron of the encoder mends of recordings in noise that are written wrong, by layer and neuron,
  /// in nats of the right transcript over the written one; and how many recordings those are.
  ///
  /// - Parameters:
  ///   - steps: of the path on which the estimate is integrated
  ///   - words: in which the transcript is asked for
  /// - Throws: where noise makes no text wrong, so that there is nothing to mend.
  public func neuronMending(
    _ noisy: [NoisyRecording], steps: Int, asked words: String = "transcribe:", root: String
  ) throws -> (mending: [[Double]], mistaken: Int) {
    let mended = try mapInParallel(noisy.count) { i -> [[Double]]? in
      let recording = noisy[i]
      let written = try transcript(input(hearing: recording.noisy(root: root), asked: words))
      let isRight = try written == textTokens(recording.text)
      return isRight
        ? nil : try mending(recording, written: written, steps: steps, asked: words, root: root)
    }.compactMap { $0 }
    guard let first = mended.first else {
      throw CellError("\(folder): writes every recording in noise rightly; take louder noise")
    }
    return (first.indices.map { layer in columnMeans(mended.map { $0[layer] }) }, mended.count)
  }

  /// What is written, where something may be changed on the way.
  func transcript(_ input: ModelInput, changing tap: SpeakingTap? = nil) throws -> [Int] {
    var config = GenerationConfig()
    config.endTokens = endTokens
    config.limit = 16
    return try model.generate(input, config, changing: tap) { _ in }.tokens
  }
}
