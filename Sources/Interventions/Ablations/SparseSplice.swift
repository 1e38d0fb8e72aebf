// What is lost where an autoencoder's account of an activation takes its place: the answer's
// log-probability, and what is written (`paper/definitions.md`, D146).

import Corpus
import Speech
import Tensor

/// What one recording says with an activation replaced, by what replaces it.
public struct SplicedRecording: Codable, Sendable {
  public let group: String
  /// -log p(answer), in nats; and the transcript.
  public let losses: [String: Double]
  public let texts: [String: String]

  /// Names of the unpatched run, and of the run with the mean activation in place.
  public static let clean = "clean"
  public static let mean = "mean"

  public init(group: String, losses: [String: Double], texts: [String: String]) {
    (self.group, self.losses, self.texts) = (group, losses, texts)
  }
}

extension SpeechModel {
  /// Puts each of some reconstructions, and the mean, in the place of an activation at every position of
  /// the sound, in the clean member of a pair.
  ///
  /// - Parameters:
  ///   - site: before the text is read
  ///   - mean: the mean activation, [width]
  ///   - transcribe: what asks for the whole text
  /// - Returns: nil where the model does not answer the pair's question, so that there is nothing to lose
  public func spliced(
    _ pair: MinimalPair, at site: Site, by autoencoders: [(name: String, SparseAutoencoder)],
    mean: [Double], transcribe: String = "transcribe:", root: String
  ) throws -> SplicedRecording? {
    let wave = try pair.clean.waveform(root: root)
    func trace(_ prompt: String) throws -> Trace {
      try model.trace(
        question(
          wave, prompt, answers: (pair.answers.clean, pair.answers.corrupt), of: pair.id),
        keeping: [site])
    }
    let (asked, written) = (try trace(pair.prompt), try trace(transcribe))
    guard asked.logitDifference > 0 else { return nil }
    func patches(_ run: Trace) throws -> [(String, [Patch])] {
      let positions = Window.sound.positions(in: try run.place(of: site).spans)
      let own = try run.rows(of: Cell(site), at: positions)
      let flat = Tensor(own.shape, (0..<own.rows).flatMap { _ in mean.map { Float($0) } })
      let rows =
        [(SplicedRecording.mean, flat)] + autoencoders.map { ($0.name, $0.1.reconstructed(own)) }
      return [(SplicedRecording.clean, [])]
        + rows.map { ($0.0, [Patch(site, positions: positions, taking: $0.1)]) }
    }
    let arms = try patches(asked)
    let outcomes = try model.patched(asked, arms.map(\.1))
    var config = GenerationConfig()
    (config.endTokens, config.limit) = (endTokens, 32)
    let texts = try patches(written).map { name, patches in
      let said = try model.generate(written, patches, config).tokens
      return (name, tokenizer.decode(said).trimmingCharacters(in: .whitespaces))
    }
    let losses = zip(arms, outcomes).map { arm, outcome in
      (arm.0, -Elementary.log(max(outcome.probability, .leastNormalMagnitude)))
    }
    return SplicedRecording(
      group: pair.group, losses: Dictionary(uniqueKeysWithValues: losses),
      texts: Dictionary(uniqueKeysWithValues: texts))
  }
}

/// What is lost with one thing in an activation's place, over recordings.
public struct SpliceReport: Codable, Sendable {
  /// The change of -log p(answer), in nats.
  public let change: Estimate
  /// The share of what the mean in its place loses that is not lost (`SpliceLoss`).
  public let recovered: Estimate
  /// The share of transcripts that stay word for word, and word errors against the unpatched ones.
  public let textStays: Estimate
  public let wordErrors: Estimate
}

extension [SplicedRecording] {
  /// - Parameters:
  ///   - name: of what is in the activation's place
  ///   - draws: bootstrap samples
  public func report(_ name: String, draws: Int, _ random: Random) -> SpliceReport {
    func ratio(
      _ what: String, _ above: (SplicedRecording) -> Double, _ below: (SplicedRecording) -> Double
    ) -> Estimate {
      ratioOfMeans(
        map(above), map(below), groups: map(\.group), draws: draws, random.split(what))
    }
    func loss(_ one: SplicedRecording, _ arm: String) -> Double { one.losses[arm]! }
    let (clean, mean) = (SplicedRecording.clean, SplicedRecording.mean)
    func errors(_ one: SplicedRecording) -> WordErrors {
      WordErrors(of: one.texts[name]!, against: one.texts[clean]!)
    }
    return SpliceReport(
      change: ratio("change", { loss($0, name) - loss($0, clean) }, { _ in 1 }),
      recovered: ratio(
        "recovered", { loss($0, mean) - loss($0, name) }, { loss($0, mean) - loss($0, clean) }),
      textStays: ratio("text", { errors($0).errors == 0 ? 1 : 0 }, { _ in 1 }),
      wordErrors: ratio("errors", { Double(errors($0).errors) }, { Double(errors($0).words) }))
  }
}
