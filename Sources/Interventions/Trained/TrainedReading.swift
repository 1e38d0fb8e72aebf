// What checkpoints of one architecture are compared by that were trained in other ways: what they write, where
// their maps lie, in how many directions the word is carried, and how near sound and text are
// (`paper/definitions.md`, D160).

import Corpus
import Speech
import Tensor

/// What a model writes of one recording.
public struct WrittenText: Codable, Sendable {
  public let errors: Int
  public let words: Int

  public init(errors: Int, words: Int) { (self.errors, self.words) = (errors, words) }
}

/// Everything that is measured of one checkpoint, item by item.
public struct TrainedMaterial: Codable, Sendable {
  public let written: [WrittenText]
  public let neverHeard: [WrittenText]
  /// Nil where the two are no pair for the model.
  public let maps: [TaskMap?]
  public let moves: [WordMoves?]

  public init(
    written: [WrittenText], neverHeard: [WrittenText], maps: [TaskMap?], moves: [WordMoves?]
  ) {
    (self.written, self.neverHeard) = (written, neverHeard)
    (self.maps, self.moves) = (maps, moves)
  }
}

/// What is read of it.
public struct TrainedReading: Codable, Sendable {
  /// Word errors over words: of the held-out speaker's sentences, and of voices that nobody trained on.
  public let errors: Estimate
  public let neverHeard: Estimate
  /// The share of pairs that enter (D17), and the places of those that do.
  public let entering: Estimate
  public let kept: [Int]
  /// Nil where too few groups enter.
  public let map: TaskReading?
  public let alignment: TextAlignment
}

extension SpeechModel {
  /// What is written of a recording, beside what was said.
  public func written(_ utterance: Utterance, root: String) throws -> WrittenText {
    let clip = try clip(utterance.waveform(root: root))
    let said = try transcript(
      ModelInput(clip: clip, tokens: tokens(for: "transcribe:", clip: clip)))
    let errors = WordErrors(of: tokenizer.decode(said), against: utterance.text)
    return WrittenText(errors: errors.errors, words: errors.words)
  }

  /// The directions that training through the model finds on the fitting pairs, on the held-out ones.
  ///
  /// - Parameters:
  ///   - sizes: the K, for each of which directions are trained by themselves
  ///   - epochs: passes over the fitting pairs
  ///   - families: draws of each random family
  /// - Returns: nil where of either split too few groups enter
  public func carriedPart(
    _ pairs: FitAndHeld<[MinimalPair]>, sizes: [Int], epochs: Int, families: Int,
    minimumGap: Double, moment: Double, draws: Int, root: String, _ random: Random
  ) throws -> PartCurve? {
    let filter = PairFilter(minimumGap: minimumGap)
    let entering = try pairs.map { pairs in
      try mapInParallel(pairs.count) {
        try exchanges(pairs[$0], .lexical, moment: moment, root: root)
      }.compactMap { $0 }.filter { filter.reason(clean: $0.clean, corrupt: $0.corrupt) == nil }
    }
    guard
      [entering.fit, entering.held].allSatisfy({
        Set($0.map(\.sufficiency.group)).count >= fewestGroups
      })
    else { return nil }
    var study = try SubspaceStudy(fit: entering.fit.flatMap { [$0.sufficiency, $0.necessity] })
    study.search.epochs = epochs
    return try study.moves(.das, sizes: sizes, random.split("directions")).curve(
      on: HeldPairs(
        sufficiency: entering.held.map(\.sufficiency), necessity: entering.held.map(\.necessity)),
      natural: study.natural, families: families, draws: draws, random.split("curve"))
  }
}

extension TrainedMaterial {
  /// - Parameters:
  ///   - recordings: that were written, and those of voices never heard
  ///   - size: K of the principal angles
  ///   - level: of the max-T test over the map
  /// - Throws: where sound or text never moves.
  public func reading(
    of pairs: [MinimalPair], _ recordings: [Utterance], neverHeard others: [Utterance],
    size: Int, minimumGap: Double, _ options: LocalisationOptions, level: Double, _ random: Random
  ) throws -> TrainedReading {
    let filter = PairFilter(minimumGap: minimumGap)
    let kept = pairs.indices.filter { i in
      maps[i].map { filter.reason(clean: $0.map.clean, corrupt: $0.map.corrupt) == nil } ?? false
    }
    let moved = pairs.indices.filter { moves[$0] != nil }
    func share(_ name: String, _ above: [Int], _ below: [Int], _ groups: [String]) -> Estimate {
      ratioOfMeans(
        above.map(Double.init), below.map(Double.init), groups: groups, draws: options.draws,
        random.split(name))
    }
    return TrainedReading(
      errors: share(
        "errors", written.map(\.errors), written.map(\.words), recordings.map(\.text)),
      neverHeard: share(
        "never heard", neverHeard.map(\.errors), neverHeard.map(\.words), others.map(\.text)),
      entering: share(
        "entering", pairs.indices.map { kept.contains($0) ? 1 : 0 }, pairs.map { _ in 1 },
        pairs.map(\.group)),
      kept: kept,
      map: kept.map { maps[$0]! }.reading(
        of: kept.map { pairs[$0] }, asked: pairs.count, options, level: level,
        random.split("map")),
      alignment: try moved.map { moves[$0]! }.alignment(
        groups: moved.map { pairs[$0].group }, size: size, draws: options.draws,
        random.split("alignment")))
  }

  /// By pair and cell of sound what the source moves, or an unrelated item in its place, in nats.
  func cells(of pairs: [Int], unrelated: Bool = false) -> [[Double?]] {
    pairs.map { pair in
      maps[pair]!.map.sufficiency.indices.flatMap { site in
        TaskWindows.sound.map {
          maps[pair]!.effect(.sufficiency, site, $0, unrelated: unrelated)
        }
      }
    }
  }

  /// How alike the maps of two checkpoints are, over pairs that enter in both; nil where none does.
  ///
  /// - Parameter groups: of all pairs
  public func likeness(
    to other: TrainedMaterial, over pairs: [Int], groups: [String], unrelated: Bool = false,
    draws: Int, _ random: Random
  ) -> Estimate? {
    guard !pairs.isEmpty else { return nil }
    return ComparedCells(
      estimates: cells(of: pairs, unrelated: unrelated), effects: other.cells(of: pairs)
    ).agreement(groups: pairs.map { groups[$0] }, sizes: [10], draws: draws, random)?.spearman
  }
}
