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

  /// How its subspace is looked for, in the order in which equals are taken; training where there are
  /// sizes to train for.
  public func methods(_ transfer: TransferRules) -> [SubspaceMethod] {
    (self == .lexical ? [.pca, .cca, .mean] : [.difference, .cca, .mean])
      + (transfer.trainedSizes.isEmpty ? [] : [.das])
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
  /// Trained subspaces beside those trained for permuted answers, at K* or the trained K below it; nil
  /// where none is trained.
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
    try exchanges(pair, part, at: [SpeechModel.transferSite], moment: moment, root: root)[0]
  }

  /// The exchanges of a pair at several sites, of the same runs.
  ///
  /// - Returns: for each site, nil where the window holds no position of it
  public func exchanges(
    _ pair: MinimalPair, _ part: TransferredPart, at sites: [Site], moment: Double, root: String
  ) throws -> [ExchangedPair?] {
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
    let corrupt = try model.trace(first.question.keepingFrames(of: first), keeping: sites)
    let clean = try model.trace(question(pair.clean).keepingFrames(of: first), keeping: sites)
    func exchange(_ site: Site, _ direction: Direction) throws -> Exchange? {
      let (base, source) = direction == .sufficiency ? (corrupt, clean) : (clean, corrupt)
      return try Selection(Cell(site, window), base: base, source: source, .identity).map {
        model.exchange(
          id: pair.id, group: pair.group, base: base, source: source, direction, $0)
      }
    }
    return try sites.map { site in
      guard let sufficiency = try exchange(site, .sufficiency),
        let necessity = try exchange(site, .necessity)
      else { return nil }
      return ExchangedPair(
        clean: clean.logitDifference, corrupt: corrupt.logitDifference, sufficiency: sufficiency,
        necessity: necessity)
    }
  }

  /// Asks the pairs of a part and finds, on those of discovery, each method's directions.
  ///
  /// - Parameter pairs: those of discovery, validation and test
  /// - Returns: nil where of a split no pair enters: the model does not do the task
  public func search(
    _ part: TransferredPart, _ pairs: [[MinimalPair]], _ rules: Preregistration,
    _ transfer: TransferRules, root: String, _ random: Random
  ) throws -> PartSearch? {
    let filter = PairFilter(minimumGap: rules.minimumGap)
    let splits = try pairs.map { pairs in
      try mapInParallel(pairs.count) {
        try exchanges(pairs[$0], part, moment: transfer.moment, root: root)
      }.compactMap { $0 }.filter { filter.reason(clean: $0.clean, corrupt: $0.corrupt) == nil }
    }
    guard splits.allSatisfy({ !$0.isEmpty }) else { return nil }
    return try PartSearch(
      part, asked: pairs.map(\.count), splits: splits, rules, transfer, random)
  }

  /// Finds, chooses and judges the subspace of a part.
  ///
  /// - Parameter pairs: those of discovery, validation and test
  /// - Returns: nil where of a split no pair enters: the model does not do the task
  public func study(
    _ part: TransferredPart, _ pairs: [[MinimalPair]], _ rules: Preregistration,
    _ transfer: TransferRules, root: String, _ random: Random
  ) throws -> PartStudy? {
    guard let search = try search(part, pairs, rules, transfer, root: root, random) else {
      return nil
    }
    return try search.study(of: search.methods.map { try search.curve(of: $0) })
  }
}
