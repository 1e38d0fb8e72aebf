// What the tracing of fusion comes to over recordings: recovery by place and depth, the depths of the
// hand-over from the sound to the last position, and the two claims of late fusion (`paper/definitions.md`,
// D167).

import Tensor

/// One reading of the last position, of its matched control, of all text and of the sound, in the same unit.
public struct FusionContrast: Codable, Sendable {
  public let last: Estimate
  /// The last position with the unrelated item's activations.
  public let unrelated: Estimate
  /// All text behind the sound, the last position among it.
  public let text: Estimate
  public let sound: Estimate

  public init(last: Estimate, unrelated: Estimate, text: Estimate, sound: Estimate) {
    (self.last, self.unrelated, self.text, self.sound) = (last, unrelated, text, sound)
  }

  /// More than half, and more than the control, with all of the interval.
  public var holds: Bool { last.low > 0.5 && last.low > unrelated.high }
}

/// Recoveries over recordings by one metric, as ratios of means.
public struct FusionSummary: Codable, Sendable {
  public let metric: Metric
  public let layers: Int
  /// One for each of `FusionPlace.allCases`: depths, and recoveries there of source and control.
  public let depths: [[Double]]
  public let recovery: [[Estimate]]
  public let unrelated: [[Estimate]]
  /// The depth, in layers, from which on the last position recovers half; that from which on the sound
  /// recovers less than half; and that from which on the last position recovers more than the sound.
  public let rises: Estimate?
  public let falls: Estimate?
  public let crosses: Estimate?
  /// The last depth in the first half of the layers at which all places are patched.
  public let half: Double
  /// What the last position gains from there to behind the last layer; of the sound, what it loses.
  public let gain: FusionContrast
  /// The mean over the depths of the second half at which all places are patched. Behind the last layer,
  /// which is left out, the last position recovers all by construction.
  public let carried: FusionContrast

  /// The two claims, late fusion and an answer that stands at the last position, as rows of the table.
  public func rows(of model: String) -> [RivalRow] {
    let name = "fusion tracing"
    let what = metric == .probability ? "p(answer)" : metric.rawValue
    return [
      RivalRow(
        name, "late", on: model,
        claim:
          "fusion is late: the last token comes to the answer in the second half of the layers",
        measure:
          "recovery of \(what) gained at the last token from layer \(Int(half)) of \(layers) "
          + "on; TAP: lost at the sound tokens",
        effect: gain.last, control: gain.unrelated, tap: gain.sound, holds: gain.holds),
      RivalRow(
        name, "last token", on: model,
        claim: "in the second half of the layers the last token alone carries the answer",
        measure: "recovery of \(what), mean over depths of the second half but the last; TAP: at "
          + "the sound tokens",
        effect: carried.last, control: carried.unrelated, tap: carried.sound, holds: carried.holds),
    ]
  }
}

extension Array where Element == FusionReading {
  /// - Parameters:
  ///   - groups: the resampling unit of each recording
  ///   - random: split by the names of what is estimated
  /// - Throws: where there is no recording, or too few depths for the second half.
  public func summary(_ metric: Metric, groups: [String], draws: Int, _ random: Random) throws
    -> FusionSummary
  {
    guard let first = self.first, groups.count == count,
      allSatisfy({ $0.curves.map(\.depths) == first.curves.map(\.depths) })
    else {
      throw CellError(
        "\(count) tracings and \(groups.count) groups; give one group for each, and tracings at the "
          + "same depths")
    }
    let layers = Double(first.layers)
    let coarse = first[.sound].depths
    let late = coarse.filter { 2 * $0 > layers && $0 < layers }
    guard let half = coarse.last(where: { 2 * $0 <= layers }), !late.isEmpty else {
      throw CellError(
        "of \(first.layers) layers none in the second half is patched but the last; patch behind more "
          + "layers")
    }
    func changes(_ reading: FusionReading, _ place: FusionPlace, _ isControl: Bool) -> [Double] {
      let curve = reading[place]
      return (isControl ? curve.unrelated : curve.source).map {
        ($0[metric] ?? .nan) - (reading.silent[metric] ?? .nan)
      }
    }
    /// At a depth where all places are patched.
    func change(_ reading: FusionReading, _ place: FusionPlace, _ isControl: Bool, at depth: Double)
      -> Double
    {
      changes(reading, place, isControl)[reading[place].depths.firstIndex(of: depth)!]
    }
    let gaps = map { ($0.clean[metric] ?? .nan) - ($0.silent[metric] ?? .nan) }
    func ratio(_ name: String, _ changes: [Double]) -> Estimate {
      ratioOfMeans(changes, gaps, groups: groups, draws: draws, random.split(name))
    }
    func curve(_ place: FusionPlace, _ isControl: Bool) -> [Estimate] {
      let all = map { changes($0, place, isControl) }
      return first[place].depths.indices.map { i in
        ratio("\(place.rawValue) \(isControl) \(i)", all.map { $0[i] })
      }
    }
    func contrast(
      _ name: String, losing sign: Double = 1, _ value: (FusionReading, FusionPlace, Bool) -> Double
    ) -> FusionContrast {
      func one(_ place: FusionPlace, _ isControl: Bool = false, _ sign: Double = 1) -> Estimate {
        ratio(
          "\(name) \(place.rawValue) \(isControl)", map { sign * value($0, place, isControl) })
      }
      return FusionContrast(
        last: one(.last), unrelated: one(.last, true), text: one(.text),
        sound: one(.sound, false, sign))
    }
    /// Where a ratio of means stays across a threshold, of values by depth.
    func depth(
      _ name: String, _ depths: [Double], _ threshold: Double, rises: Bool,
      _ values: (FusionReading) -> [Double]
    ) -> Estimate? {
      func sum(_ rows: [[Double]]) -> [Double] {
        rows.dropFirst().reduce(rows[0]) { zip($0, $1).map { $0 + $1 } }
      }
      func crossed(_ total: [Double]) -> Double? {
        Interventions.crossing(
          total.dropFirst().map { $0 / total[0] }, at: depths, threshold, rises: rises)
      }
      let rows = zip(gaps, self).map { [$0] + values($1) }
      guard crossed(sum(rows)) != nil else { return nil }
      // A draw that never crosses counts as crossing behind the end.
      return clusterInterval(
        of: clustered(rows, by: groups).map { sum($0) }, draws: draws, widened: true,
        random.split(name)
      ) { crossed(sum($0)) ?? depths.last! }
    }
    return FusionSummary(
      metric: metric, layers: first.layers, depths: first.curves.map(\.depths),
      recovery: FusionPlace.allCases.map { curve($0, false) },
      unrelated: FusionPlace.allCases.map { curve($0, true) },
      rises: depth("rises", first[.last].depths, 0.5, rises: true) { changes($0, .last, false) },
      falls: depth("falls", coarse, 0.5, rises: false) { changes($0, .sound, false) },
      crosses: depth("crosses", coarse, 0, rises: true) { reading in
        coarse.map {
          change(reading, .last, false, at: $0) - change(reading, .sound, false, at: $0)
        }
      }, half: half,
      gain: contrast("gain", losing: -1) {
        change($0, $1, $2, at: layers) - change($0, $1, $2, at: half)
      },
      carried: contrast("carried") { reading, place, isControl in
        late.reduce(0) { $0 + change(reading, place, isControl, at: $1) } / Double(late.count)
      })
  }
}
