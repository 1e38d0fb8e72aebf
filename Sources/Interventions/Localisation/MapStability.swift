// Is the place of a map that of the sentence, whoever says it and in noise? Maps of the same two words by
// two speakers and in noise, compared cell by cell, beside maps of other sentences
// (`paper/definitions.md`, D128).

import Corpus
import Speech
import Tensor

/// Patched logit differences of the same words under three conditions, by [site][window of sound].
public struct StabilityMaps: Codable, Sendable {
  /// By one speaker, by the other, and by the first in noise; `sufficiency` alone.
  public let own: PairMap
  public let speaker: PairMap
  public let noise: PairMap
}

extension SpeechModel {
  /// Maps of both texts of a factorial pair, by one speaker, by the other, and by the first in noise.
  ///
  /// - Parameter noise: the ratio of signal to noise in dB
  public func stability(of pair: MinimalPair, noise: Double, root: String) throws -> StabilityMaps {
    guard let crossed = pair.crossed else {
      throw CheckpointError("pair \(pair.id): has no crossed members, so no second speaker")
    }
    let windows = TaskWindows.locked.ofTime(pair).prefix(TaskWindows.sound.count).map {
      Optional($0)
    }
    func map(_ clean: Utterance, _ corrupt: Utterance, in noise: Double? = nil) throws -> PairMap {
      func question(_ utterance: Utterance) throws -> Question {
        var wave = try utterance.waveform(root: root)
        if let noise {
          // Both members hear the same noise.
          wave = try Corruption.noise(ratio: noise, seed: 0).sound(of: wave, pair: pair.id)!
        }
        return try self.question(
          wave, pair.prompt, answers: (pair.answers.clean, pair.answers.corrupt), of: pair.id)
      }
      let runs = try model.sharingFrames(question(clean), question(corrupt))
      var map = PairMap(
        clean: runs.clean.logitDifference, corrupt: runs.corrupt.logitDifference)
      map.sufficiency = try model.cutMap(runs.corrupt, with: .source(runs.clean), windows)
      return map
    }
    return StabilityMaps(
      own: try map(pair.clean, crossed.speaker), speaker: try map(crossed.text, pair.corrupt),
      noise: try map(pair.clean, crossed.speaker, in: noise))
  }
}

/// How alike two maps are.
public struct MapLikeness: Codable, Sendable {
  /// Spearman's correlation of the cells that both have.
  public let spearman: Double
  /// How far apart the centres of what the connector carries lie, in milliseconds.
  public let shift: Double

  /// - Parameters:
  ///   - windows: how many windows later the second map's change comes on the clock; 0 compares windows
  ///     that are locked to each map's own change
  ///   - onsets: of the changes, in milliseconds
  ///   - connector: the site whose centre is read
  public init?(
    _ a: PairMap, _ b: PairMap, windows: Int, onsets: (Double, Double), connector: Int
  ) {
    // Neither what lies before the first fixed window nor what lies behind the last has a place on the
    // clock.
    let fixed = TaskWindows.sound.dropFirst().dropLast()
    var (x, y): ([Double], [Double]) = ([], [])
    for site in a.sufficiency.indices {
      for window in fixed where fixed.contains(window - windows) {
        guard let own = a.sufficiency[site][window],
          let other = b.sufficiency[site][window - windows]
        else { continue }
        x.append(a.effect(.sufficiency, own) / a.gap)
        y.append(b.effect(.sufficiency, other) / b.gap)
      }
    }
    func centre(_ map: PairMap, _ onset: Double) -> Double? {
      let weights = fixed.map { window in
        max(map.sufficiency[connector][window].map { map.effect(.sufficiency, $0) } ?? 0, 0)
      }
      let total = weights.reduce(0, +)
      guard total > 0 else { return nil }
      let width = TaskWindows.locked.width
      let moments = fixed.map {
        width * (Double($0 - 1 + TaskWindows.locked.fixed.lowerBound) + 0.5)
      }
      return onset + zip(weights, moments).reduce(0) { $0 + $1.0 * $1.1 } / total
    }
    guard x.count > 2, let first = centre(a, onsets.0), let second = centre(b, onsets.1) else {
      return nil
    }
    spearman = Interventions.spearman(x, y)
    shift = abs(first - second)
    guard spearman.isFinite else { return nil }
  }
}

/// Likeness of maps under one change, as means over pairs with intervals over groups.
public struct StabilityReading: Codable, Sendable {
  public let name: String
  public let pairs: Int
  public let spearman: Estimate
  public let shift: Estimate
}

/// The comparisons of `stability`, in this order.
public let stabilityNames = [
  "in noise", "another speaker", "another sentence, at its own moment",
  "another sentence, by the clock",
]

extension Array where Element == StabilityMaps {
  /// Maps of the same words by another speaker and in noise against the first one; and beside them maps of
  /// the next other sentence by the same speaker, once locked to its own change, once by the clock.
  ///
  /// - Parameters:
  ///   - pairs: the pair of each
  ///   - connector: place of the connector among the sites
  public func likeness(
    of pairs: [MinimalPair], connector: Int, draws: Int, _ random: Random
  ) -> [StabilityReading] {
    let width = TaskWindows.locked.width
    var rows: [[(likeness: MapLikeness, group: String)]] = stabilityNames.map { _ in [] }
    for (i, maps) in enumerated() {
      func add(_ row: Int, _ other: PairMap, windows: Int = 0, onset: Double? = nil) {
        let onsets = (pairs[i].onset, onset ?? pairs[i].onset)
        if let likeness = MapLikeness(
          maps.own, other, windows: windows, onsets: onsets, connector: connector)
        {
          rows[row].append((likeness, pairs[i].group))
        }
      }
      add(0, maps.noise)
      add(1, maps.speaker)
      let others = (1..<Swift.max(count, 1)).map { (i + $0) % count }
      guard
        let j = others.first(where: {
          pairs[$0].clean.text != pairs[i].clean.text && pairs[$0].voice == pairs[i].voice
            && abs(pairs[$0].onset - pairs[i].onset) >= width
        })
      else { continue }
      add(2, self[j].own)
      let later = ((pairs[j].onset - pairs[i].onset) / width).rounded()
      add(3, self[j].own, windows: Int(later), onset: pairs[j].onset)
    }
    return zip(stabilityNames, rows).compactMap { name, found in
      guard !found.isEmpty else { return nil }
      func mean(_ what: String, _ value: (MapLikeness) -> Double) -> Estimate {
        ratioOfMeans(
          found.map { value($0.likeness) }, found.map { _ in 1 }, groups: found.map(\.group),
          draws: draws, random.split(name).split(what))
      }
      return StabilityReading(
        name: name, pairs: found.count, spearman: mean("spearman", \.spearman),
        shift: mean("shift", \.shift))
    }
  }
}
