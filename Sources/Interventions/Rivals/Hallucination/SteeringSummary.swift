// What steering leaves of the texts, what it costs, and what tells the texts apart, over many recordings
// (`paper/definitions.md`, D172).

import Speech
import Tensor

/// One way to get a text of a recording that was steered.
public enum SteeredWay: Hashable, Sendable {
  /// Whatever is written as it is, and what Whisper's own rule leaves of it.
  case all, own
  /// What is written under an arm, by its place; and that, left out above the p(no speech) with which changed
  /// models are read.
  case arm(Int)
  case read(Int)
  /// TAP's: left out below a position on its axis; and moved along it by a strength, by its place, and read.
  case gate(Double)
  case move(Int)

  /// - Parameter threshold: of p(no speech), above which a changed model's text is left out where it is read
  public func leaves(_ heard: SteeredRecording, of recording: Recording, reading threshold: Double)
    -> TextLeft
  {
    let plain = heard.encoded.plain
    let (hearing, isKept) =
      switch self {
      case .all: (plain, true)
      case .own: (plain, !plain.isTakenForSilence)
      case .arm(let i): (heard.changed[i], true)
      case .read(let i): (heard.changed[i], heard.changed[i].noSpeech <= threshold)
      case .gate(let least): (plain, heard.position >= least)
      case .move(let i): (heard.moved[i], heard.moved[i].noSpeech <= threshold)
      }
    return TextLeft(of: hearing, kept: isKept, reference: recording.text)
  }
}

/// Rates and costs over recordings in which somebody speaks and nobody does.
public struct SteeringTest: Sendable {
  private let known: [(recording: Recording, heard: SteeredRecording)]
  private let threshold: Double
  private let draws: Int

  /// - Parameters:
  ///   - threshold: of p(no speech), with which changed models are read
  ///   - draws: bootstrap samples
  /// - Throws: where nobody speaks in no recording, no word was said, or an arm was not heard throughout.
  public init(
    _ recordings: [Recording], _ heard: [SteeredRecording], reading threshold: Double, draws: Int
  ) throws {
    known = zip(recordings, heard).map { ($0, $1) }
    (self.threshold, self.draws) = (threshold, draws)
    let sounds = known.count { !$0.recording.isSpeech }
    let words = known.reduce(0) { $0 + normalisedWords($1.recording.text).count }
    guard sounds > 0, words > 0, Set(heard.map(\.changed.count)).count == 1,
      Set(heard.map(\.moved.count)).count == 1
    else {
      throw CellError(
        "\(sounds) sounds and \(words) words of speech in \(known.count) recordings; give some of both, all "
          + "heard with the same arms")
    }
  }

  /// What was heard, as recordings that scores are tried on.
  public var encoded: [(recording: Recording, encoded: EncodedRecording)] {
    known.map { ($0.recording, $0.heard.encoded) }
  }

  /// Rate and cost of one way, without intervals.
  public func point(_ way: SteeredWay, strength: Double = 0) -> RateAndCost {
    func sum(_ isSpeech: Bool, _ value: (TextLeft, TextLeft, Recording) -> Double) -> Double {
      known.reduce(0.0) { sum, one in
        guard one.recording.isSpeech == isSpeech else { return sum }
        return sum + value(left(way, one), left(.all, one), one.recording)
      }
    }
    return RateAndCost(
      strength: strength,
      rate: sum(false) { left, _, _ in left.words } / sum(false) { _, _, _ in 1 },
      cost: sum(true) { left, plain, _ in left.errors - plain.errors }
        / sum(true) { _, _, recording in Double(normalisedWords(recording.text).count) })
  }

  /// Rates and costs of some ways, each in the place of a strength; of these the one that leaves the fewest texts
  /// at a cost below a bound, the first of equals, nil where none leaves out a text at that price; and the one
  /// that leaves the fewest at any price.
  public func curve(_ ways: [SteeredWay], below cost: Double) -> (
    points: [RateAndCost], chosen: SteeredWay?, fewest: SteeredWay?
  ) {
    let points = ways.enumerated().map { point($1, strength: Double($0)) }
    let all = point(.all).rate
    func way(_ point: RateAndCost?) -> SteeredWay? { point.map { ways[Int($0.strength)] } }
    return (
      points, way(points.chosen(below: cost, doing: all)),
      way(points.chosen(below: .infinity, doing: all))
    )
  }

  /// The share of sounds that words are left of, the mean over ways, less so many times that of others.
  public func rate(
    _ ways: [SteeredWay], less others: [SteeredWay] = [], times share: Double = 1, _ random: Random
  ) -> Estimate {
    let own = known.filter { !$0.recording.isSpeech }
    let values = own.map { one in
      let words = TextLeft.mean(of: ways.map { left($0, one) }).words
      return others.isEmpty
        ? words : words - share * TextLeft.mean(of: others.map { left($0, one) }).words
    }
    return ratioOfMeans(
      values, own.map { _ in 1 }, groups: own.map(\.recording.group), draws: draws, random)
  }

  /// Word error rate on speech, less that of whatever is written; the mean over ways.
  public func cost(_ ways: [SteeredWay], _ random: Random) -> Estimate {
    let own = known.filter(\.recording.isSpeech)
    let errors = own.map { one in
      TextLeft.mean(of: ways.map { left($0, one) }).errors - left(.all, one).errors
    }
    return ratioOfMeans(
      errors, own.map { Double(normalisedWords($0.recording.text).count) },
      groups: own.map(\.recording.group), draws: draws, random)
  }

  private func left(_ way: SteeredWay, _ one: (recording: Recording, heard: SteeredRecording))
    -> TextLeft
  {
    way.leaves(one.heard, of: one.recording, reading: threshold)
  }
}

/// How well scores tell the two sorts of a contrast apart: areas under the receiver operating characteristic, with
/// intervals over groups of recordings.
public struct SteeringDetection: Sendable {
  private let items: [(isMeant: Bool, group: String, scores: [[Double]])]
  private let names: [String]
  private let draws: Int

  /// - Parameters:
  ///   - known: recordings that scores are learned from
  ///   - quoted: others, on which they are tried
  ///   - autoencoders: one a layer of the encoder
  ///   - few: how many latents are few
  ///   - axis: TAP's, along which speech lies further
  ///   - controls: draws of latents as active
  ///   - draws: bootstrap samples
  /// - Throws: where `known` or `quoted` lacks a sort.
  public init(
    _ contrast: SteeringContrast, known: [(recording: Recording, encoded: EncodedRecording)],
    quoted: [(recording: Recording, encoded: EncodedRecording)],
    _ autoencoders: [SparseAutoencoder], few: Int, axis: SpeechAxis, controls: Int, draws: Int,
    _ random: Random
  ) throws {
    let sorted = [known, quoted].map { recordings in
      recordings.compactMap { one in
        contrast.isTarget(one.recording, one.encoded.plain).map { (one: one, isTarget: $0) }
      }
    }
    let (learned, meant) = (sorted[0], sorted[1])
    guard sorted.allSatisfy({ Set($0.map(\.isTarget)).count == 2 }) else {
      throw CellError(
        "\(contrast.rawValue): recordings of one sort alone; give some of both, to learn from and to try on"
      )
    }
    var columns: [(name: String, scores: [[Double]])] = []
    /// Adds scores by some numbers each, one list a draw.
    func add(
      _ numbers: (EncodedRecording) -> [Double],
      _ scores: [(name: String, chosen: (Discriminant) -> [[Int]?])]
    ) throws {
      let found = try Discriminant(
        learned.map { numbers($0.one.encoded) }, isTarget: learned.map(\.isTarget))
      let tried = meant.map { numbers($0.one.encoded) }
      for (name, chosen) in scores {
        let lists = chosen(found)
        columns.append((name, tried.map { one in lists.map { found.score(one, by: $0) } }))
      }
    }
    let all = { (_: Discriminant) -> [[Int]?] in [nil] }
    for (layer, autoencoder) in autoencoders.enumerated() {
      let drawn = { (found: Discriminant) -> [[Int]?] in
        (0..<controls).map { found.drawn(few, random.split("drawn").split(layer).split($0)) }
      }
      try add({ $0.samples.mean(layer) }, [("activations.\(layer)", all)])
      try add(
        { $0.samples.mean(layer, autoencoder) },
        [
          ("latents.\(layer)", all), ("few.\(layer)", { [Array($0.order.prefix(few))] }),
          ("drawn.\(layer)", drawn),
        ])
    }
    try add({ $0.means.mel }, [("log-mel", all)])
    try add({ [Double($0.positions)] }, [("length", all)])
    columns.append(
      ("axis", meant.map { [-axis.position(of: $0.one.encoded.means.stream)] }))
    names = columns.map(\.name)
    items = meant.indices.map { i in
      (meant[i].isTarget, meant[i].one.recording.group, columns.map { $0.scores[i] })
    }
    self.draws = draws
  }

  /// The area of a score, less that of another; of drawn latents the mean over draws. Scores are `activations.0`
  /// by the layer, `latents.0`, `few.0`, `drawn.0`, `log-mel`, the sound's `length`, and `axis`, which is TAP's.
  ///
  /// - Throws: where there is no such score.
  public func area(of name: String, less other: String? = nil, _ random: Random) throws -> Estimate
  {
    let places = try ([name] + (other.map { [$0] } ?? [])).map { wanted in
      guard let place = names.firstIndex(of: wanted) else {
        throw CellError("no score \(wanted); there are \(names.joined(separator: ", "))")
      }
      return place
    }
    let clusters = clustered(items, by: items.map(\.group))
    return clusterInterval(of: clusters, draws: draws, widened: true, random) { drawn in
      let all = drawn.flatMap { $0 }
      let areas = places.map { place in
        meanRankedArea(all.map { (isMeant: $0.isMeant, scores: $0.scores[place]) })
      }
      return areas[0] - (areas.count > 1 ? areas[1] : 0)
    }
  }
}
