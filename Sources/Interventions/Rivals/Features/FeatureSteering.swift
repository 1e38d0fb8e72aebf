// Steering: a feature's direction is added at every position of the sound, and what is then written is kept,
// with how probable the model as it is finds it. AR&D (arXiv 2602.22253) steer so (`paper/definitions.md`,
// D165).

import Corpus
import Speech
import Tensor

/// A feature's direction in the activation's units.
public struct SteeringDirection: Codable, Sendable {
  public let feature: Int
  /// What the feature adds at strength 1: its natural range, the largest activation that it has anywhere.
  public let step: [Float]

  /// - Parameter range: in the autoencoder's units
  public init(_ feature: Int, of autoencoder: SparseAutoencoder, range: Double) {
    precondition((0..<autoencoder.features).contains(feature), "feature \(feature)")
    self.feature = feature
    var one = [Float](repeating: 0, count: autoencoder.features)
    one[feature] = Float(range)
    step = autoencoder.decoded(Tensor([1, one.count], one)).numbers
  }
}

/// A text of a steered run.
public struct SteeredText: Codable, Sendable, Equatable {
  public let text: String
  /// Whether it came to its end within the limit.
  public let ended: Bool
  /// -log p of its tokens and its end in the run that is not steered, in nats a token.
  public let surprise: Double

  public init(_ text: String, ended: Bool, surprise: Double) {
    (self.text, self.ended, self.surprise) = (text, ended, surprise)
  }
}

/// What one recording is turned to by steering.
public struct SteeredPair: Codable, Sendable {
  public let id: String
  public let group: String
  /// The word that is steered to, and the one that is said.
  public let target: String
  public let base: String
  public let plain: SteeredText
  /// By strength: the feature that tells the two phones apart, and the matched control.
  public let steered: [SteeredText]
  public let control: [SteeredText]
  /// With the target's own activations put into the changed phone's moment.
  public let patched: SteeredText

  public init(
    id: String, group: String, target: String, base: String, plain: SteeredText,
    steered: [SteeredText], control: [SteeredText], patched: SteeredText
  ) {
    (self.id, self.group, self.target, self.base) = (id, group, target, base)
    (self.plain, self.steered, self.control, self.patched) = (plain, steered, control, patched)
  }
}

extension SparseAutoencoder {
  /// The direction of the feature that tells the phone of the clean member from that of the corrupt one, and
  /// of a feature that is as active.
  ///
  /// - Parameters:
  ///   - described: the features that are present, with their natural range
  ///   - clips: where phones are told apart; of other sentences than the pair's
  ///   - random: draws the control among the ten that are nearest in mean activation
  /// - Returns: nil where a phone is in no clip
  public func directions(
    for pair: MinimalPair, _ described: [ConceptFeature], in clips: [ConceptClip], _ random: Random
  ) -> (own: SteeringDirection, control: SteeringDirection)? {
    let phones = [pair.clean, pair.corrupt].map { $0.phones[pair.changedPhone].label }
    guard let feature = separating(phones[0], from: phones[1], in: clips),
      let place = described.firstIndex(where: { $0.feature == feature })
    else { return nil }
    let near = matchedFeatures(
      to: [place], activities: described.map(\.meanActivation), random.split(pair.id))
    guard let other = near.first.map({ described[$0] }) else { return nil }
    return (
      SteeringDirection(feature, of: self, range: described[place].range),
      SteeringDirection(other.feature, of: self, range: other.range)
    )
  }

  /// The feature whose mean activation at positions of one phone is most above that at positions of another;
  /// nil where either phone is in no clip, or no feature is more active there.
  public func separating(_ target: String, from other: String, in clips: [ConceptClip]) -> Int? {
    func mean(_ phone: String) -> [Double]? {
      let rows = clips.compactMap { clip -> Tensor? in
        let places = clip.phones.indices.filter { clip.phones[$0] == phone }
        return places.isEmpty ? nil : gatherRows(clip.rows, places)
      }
      return rows.isEmpty ? nil : DoubleMatrix(encoded(joiningRows(rows))).columnMeans
    }
    guard let there = mean(target), let here = mean(other) else { return nil }
    let more = zip(there, here).map { $0 - $1 }
    guard let most = more.max(), most > 0 else { return nil }
    return more.firstIndex(of: most)
  }
}

extension SpeechModel {
  /// Transcribes the corrupt member of a pair while a direction is added at every position of its sound.
  ///
  /// - Parameters:
  ///   - direction: of the feature that stands for the clean member's phone
  ///   - control: of another one, which is added at the same length
  ///   - strengths: in units of the feature's natural range
  ///   - moment: milliseconds from the onset of the changed phone on, for the patch
  ///   - limit: the most tokens of a transcript
  /// - Returns: nil where the transcript as it is lacks the word that is said, so that nothing can turn
  public func steered(
    _ pair: MinimalPair, at site: Site, along direction: SteeringDirection,
    control: SteeringDirection, strengths: [Double], moment: Double, limit: Int = 32, root: String
  ) throws -> SteeredPair? {
    func trace(_ utterance: Utterance) throws -> Trace {
      let clip = try clip(utterance.waveform(root: root))
      return try model.trace(
        Question(clip: clip, tokens: tokens(for: "transcribe:", clip: clip), answer: 0, foil: 1),
        keeping: [site])
    }
    let base = try trace(pair.corrupt)
    let positions = Window.sound.positions(in: try base.place(of: site).spans)
    let own = try base.rows(of: Cell(site), at: positions)
    guard direction.step.count == own.width, control.step.count == own.width else {
      throw CellError(
        "pair \(pair.id): directions of \(direction.step.count) and \(control.step.count) numbers, "
          + "and \(site) has \(own.width); take an autoencoder of this site")
    }
    var config = GenerationConfig()
    (config.endTokens, config.limit) = (endTokens, limit)
    func text(_ patches: [Patch]) throws -> SteeredText {
      let said = try model.generate(base, patches, config)
      return SteeredText(
        tokenizer.decode(said.tokens).trimmingCharacters(in: .whitespaces), ended: said.ended,
        surprise: try surprise(at: said, in: base))
    }
    let plain = try text([])
    let words = normalisedWords(plain.text)
    let (target, said) = (pair.answers.clean, pair.answers.corrupt)
    guard words.contains(said), !words.contains(target) else { return nil }
    func texts(_ step: [Float]) throws -> [SteeredText] {
      try strengths.map { strength in
        let added = Tensor(own.shape, (0..<own.rows).flatMap { _ in step }) * Float(strength)
        return try text([Patch(site, positions: positions) { $0 + added }])
      }
    }
    let length = { (step: [Float]) in
      step.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
    let (wanted, other) = (length(direction.step), length(control.step))
    let scaled = control.step.map { other > 0 ? $0 * Float(wanted / other) : $0 }
    let window = Window.milliseconds(pair.onset, pair.onset + moment)
    let source = try Selection(
      Cell(site, window), base: base, source: trace(pair.clean), .identity)
    return SteeredPair(
      id: pair.id, group: pair.group, target: target, base: said, plain: plain,
      steered: try texts(direction.step), control: try texts(scaled),
      patched: try text(source.map { [$0.patch(taking: $0.source)] } ?? []))
  }

  /// -log p of what was said, and of its end, in a run that is not changed, in nats a token.
  private func surprise(at said: Generated, in base: Trace) throws -> Double {
    let end = endTokens.sorted().prefix(said.ended ? 1 : 0)
    let answer = said.tokens + end
    guard let first = answer.first else { return 0 }
    let other = first == 0 ? 1 : 0
    let input = ModelInput(clip: base.question.clip, tokens: base.question.tokens)
    let run = try model.trace(Question(input, Answers(answer: answer, foil: [other])))
    let terms = answer.enumerated().map { LogProbabilities(run.logits, row: $0)[$1] }
    return -terms.reduce(0, +) / Double(terms.count)
  }
}
