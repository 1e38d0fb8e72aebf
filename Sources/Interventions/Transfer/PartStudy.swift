// The subspace of the connector's output that carries one thing, what is said or who says it: found by
// several methods on the discovery split, chosen among on the validation split, judged on the test split
// (`paper/definitions.md`, D113).

import Corpus
import Speech
import Tensor

/// What a subspace is to carry.
public enum TransferredPart: String, Codable, Sendable, CaseIterable {
  /// The word: asked by the pair's question, in the changed moment.
  case lexical
  /// The speaker: asked by the question about the voice, at every position of the sound.
  case voice

  /// How its subspace is looked for, in the order in which equals are taken.
  var methods: [SubspaceMethod] {
    self == .lexical ? [.pca, .cca, .mean, .das] : [.difference, .cca, .mean, .das]
  }
}

/// A pair's exchanges in both directions.
public struct ExchangedPair: Sendable {
  /// Logit differences of both runs, in nats.
  public let clean: Double
  public let corrupt: Double
  public let sufficiency: Exchange
  public let necessity: Exchange
}

/// The subspace of one part with all that is known of it.
public struct PartStudy: Codable, Sendable {
  /// By split: how many pairs were asked, and how many enter.
  public let asked: [Int]
  public let entering: [Int]
  public let curves: [ComponentCurve]
  /// The method that was chosen on the validation split, its first K* components, and their controls.
  public let method: String
  public let subspace: Subspace
  public let controls: ComponentControls
  /// Trained subspaces beside those trained for permuted answers, at K* or the trained K below it.
  public let arbitrary: AlignmentControls?
  /// Of the discovery split.
  public let natural: Natural
  /// Dimensions of massive activations.
  public let outliers: Int

  public var curve: ComponentCurve { curves.first { $0.method == method }! }
}

extension SpeechModel {
  /// The exchanges of a pair at the connector's output.
  ///
  /// - Returns: nil where the window holds no position
  public func exchanges(
    _ pair: MinimalPair, _ part: TransferredPart, moment: Double, root: String
  ) throws -> ExchangedPair? {
    let (prompt, answers): (String, (String, String))
    switch part {
    case .lexical: (prompt, answers) = (pair.prompt, (pair.answers.clean, pair.answers.corrupt))
    case .voice:
      guard let attribute = pair.attribute else {
        throw CheckpointError("pair \(pair.id): asks nothing about the voice; leave it out")
      }
      (prompt, answers) = (attribute.prompt, (attribute.clean, attribute.corrupt))
    }
    let window: Window =
      part == .voice ? .sound : .milliseconds(pair.onset, pair.onset + moment)
    func question(_ utterance: Utterance) throws -> Question {
      try self.question(utterance.waveform(root: root), prompt, answers: answers, of: pair.id)
    }
    let first = try model.trace(question(pair.corrupt))
    let corrupt = try model.trace(first.question.keepingFrames(of: first))
    let clean = try model.trace(question(pair.clean).keepingFrames(of: first))
    func exchange(_ direction: Direction) throws -> Exchange? {
      let (base, source) = direction == .sufficiency ? (corrupt, clean) : (clean, corrupt)
      return try Selection(
        Cell(SpeechModel.transferSite, window), base: base, source: source, .identity
      ).map {
        model.exchange(
          id: pair.id, group: pair.group, base: base, source: source, direction, $0)
      }
    }
    guard let sufficiency = try exchange(.sufficiency), let necessity = try exchange(.necessity)
    else { return nil }
    return ExchangedPair(
      clean: clean.logitDifference, corrupt: corrupt.logitDifference, sufficiency: sufficiency,
      necessity: necessity)
  }

  /// Finds, chooses and judges the subspace of a part.
  ///
  /// - Parameter pairs: those of discovery, validation and test
  /// - Returns: nil where of a split no pair enters: the model does not do the task
  public func study(
    _ part: TransferredPart, _ pairs: [[MinimalPair]], _ rules: Preregistration,
    _ transfer: TransferRules, root: String, _ random: Random
  ) throws -> PartStudy? {
    let filter = PairFilter(minimumGap: rules.minimumGap)
    let splits = try pairs.map { pairs in
      try mapInParallel(pairs.count) {
        try exchanges(pairs[$0], part, moment: transfer.moment, root: root)
      }.compactMap { $0 }.filter { filter.reason(clean: $0.clean, corrupt: $0.corrupt) == nil }
    }
    guard splits.allSatisfy({ !$0.isEmpty }) else { return nil }
    var subspaces = try SubspaceStudy(fit: splits[0].flatMap { [$0.sufficiency, $0.necessity] })
    subspaces.search.epochs = transfer.epochs
    let test = HeldPairs(
      sufficiency: splits[2].map(\.sufficiency), necessity: splits[2].map(\.necessity))
    let components = try part.methods.map { method -> Components in
      let stream = random.split(method.rawValue)
      guard method == .das else {
        return Components(
          method.rawValue, try subspaces.subspace(method, rank: 1, stream),
          sizes: rules.selection.sizes)
      }
      let trained = try transfer.trainedSizes.map {
        ($0, try subspaces.subspace(.das, rank: $0, stream))
      }
      return Components(method.rawValue, trained: Dictionary(uniqueKeysWithValues: trained))
    }
    let curves = try components.map {
      try $0.curve(
        validation: splits[1].map(\.sufficiency), test: test, share: rules.selection.share,
        draws: rules.bootstrapDraws, random.split($0.method).split("curve"))
    }
    let best = curves.best!
    let chosen = components.first { $0.method == best.method }!
    let trained = components.first { $0.method == SubspaceMethod.das.rawValue }!
    let size = trained.sizes.last { $0 <= max(best.size, trained.sizes[0]) }!
    return PartStudy(
      asked: pairs.map(\.count), entering: splits.map(\.count), curves: curves,
      method: best.method, subspace: try chosen.first(best.size),
      controls: try subspaces.controls(
        of: chosen, size: best.size, readers: subspaces.readers(random), test: test,
        orders: transfer.orders, families: transfer.families, draws: rules.bootstrapDraws,
        random.split("controls")),
      arbitrary: try subspaces.alignmentControls(
        of: trained.first(size), on: test.sufficiency, untrained: nil, random.split("das")),
      natural: subspaces.natural, outliers: subspaces.outliers.count)
  }
}
