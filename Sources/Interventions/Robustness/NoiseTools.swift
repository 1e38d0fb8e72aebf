// What interventions in noise are made with, estimated on the discovery split (`paper/definitions.md`, D139 and
// D141).

import Corpus
import Speech
import Tensor

/// Of one model: what each neuron mends, means of clean speech, and directions of the sound's site.
public struct NoiseTools: Codable, Sendable {
  /// By layer and neuron, mean over recordings whose text noise makes wrong.
  public let mending: [[Double]]
  /// Of how many recordings noise makes the text wrong.
  public let mistaken: Int
  /// Mean activation of each neuron over clean speech.
  public let means: [[Double]]
  /// The sound's site (the connector's output, or the encoder's last layer) over clean speech.
  public let natural: Natural
  /// Directions in which the changed phone of a pair moves it.
  public let lexical: Subspace
  /// Directions in which noise moves it, orthogonal to the first lexical ones.
  public let noise: Subspace
}

/// One recording with and without noise: the mean of each neuron without it, by layer, and the
/// sound's site.
private struct CleanAndNoisy: Sendable {
  let neurons: [[Double]]
  let clean: Tensor
  let noisy: Tensor
}

private func columnMeans(_ rows: [[Double]]) -> [Double] {
  DoubleMatrix(rows: rows.count, columns: rows[0].count, rows.flatMap { $0 }).columnMeans
}

extension NoiseListener {
  /// Estimates the tools of a model.
  ///
  /// - Parameters:
  ///   - noisy: recordings of the discovery split in noise, some of whose texts are wrong
  ///   - pairs: phoneme pairs of that split
  /// - Throws: where noise makes no text wrong, so that there is nothing to mend.
  public func noiseTools(
    _ noisy: [NoisyRecording], _ pairs: [MinimalPair], _ rules: NoiseRules, root: String
  ) throws -> NoiseTools {
    let mended = try mapInParallel(noisy.count) { i in
      try neuronMending(noisy[i], steps: rules.steps, root: root)
    }
    return try noiseTools(noisy, mended: mended, pairs, rules, root: root)
  }

  /// The same, where it is known what each neuron mends of each recording.
  public func noiseTools(
    _ noisy: [NoisyRecording], mended: [NeuronMending], _ pairs: [MinimalPair], _ rules: NoiseRules,
    root: String
  ) throws -> NoiseTools {
    let (mends, mistaken) = try mended.mean(of: folder)
    let site = soundSite
    let runs = try mapInParallel(noisy.count) { i -> CleanAndNoisy in
      let clean = try heard(noisy[i].clean(root: root))
      let loud = try heard(noisy[i].noisy(root: root), like: clean)
      return CleanAndNoisy(
        neurons: try neuronSites.map { DoubleMatrix(try sound(of: clean, at: $0)).columnMeans },
        clean: try sound(of: clean, at: site), noisy: try sound(of: loud, at: site))
    }
    let moves = try mapInParallel(pairs.count) { i -> Tensor? in
      let (clean, corrupt) = try sharingFrames(pairs[i], root: root)
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

  /// What each neuron of the encoder mends of a recording, in nats a token of the text that noise takes away over
  /// the written one.
  ///
  /// - Parameter steps: of the path on which the estimate is integrated
  public func neuronMending(_ noisy: NoisyRecording, steps: Int, root: String) throws
    -> NeuronMending
  {
    try mendingQuestions(noisy, root: root).map { try mending($0, steps: steps) } ?? .nothing
  }
}

extension SpeechModel {
  /// The mean over recordings of a model that is asked for the transcript in other words, and of how many of them
  /// noise makes the text wrong.
  ///
  /// - Throws: where noise makes no text wrong, so that there is nothing to mend.
  public func neuronMending(
    _ noisy: [NoisyRecording], steps: Int, asked words: String, root: String
  ) throws -> (mending: [[Double]], mistaken: Int) {
    try mapInParallel(noisy.count) { i in
      try mendingQuestions(noisy[i], asked: words, root: root)
        .map { try mending($0, steps: steps) } ?? .nothing
    }.mean(of: folder)
  }
}

extension [NeuronMending] {
  /// The mean over those recordings that noise makes wrong, and how many those are.
  fileprivate func mean(of folder: String) throws -> (mending: [[Double]], mistaken: Int) {
    let wrong = compactMap(\.byLayer)
    guard let first = wrong.first else {
      throw CellError("\(folder): writes every recording in noise rightly; take louder noise")
    }
    return (first.indices.map { layer in columnMeans(wrong.map { $0[layer] }) }, wrong.count)
  }
}
