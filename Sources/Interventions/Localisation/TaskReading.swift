// What the maps of one model under one task come to, and what noise does to it: everything that a table
// row of experiment E1 says (`paper/definitions.md`, D125, D126 and D130).

import Corpus
import Speech
import Tensor

/// The maps of one model under one task, over the pairs that enter.
public struct TaskReading: Codable, Sendable {
  public let asked: Int
  public let entering: Int
  /// Recoveries by [site][window of `TaskWindows`], as ratios of means.
  public let sufficiency: [[Double?]]
  public let necessity: [[Double?]]
  public let verdict: BlockVerdict
  /// Of both directions, and of the unrelated item's maps in place of the sufficiency's.
  public let localisation: [Localisation]
  public let control: Localisation
  /// At the connector, in the moment: both directions, the unrelated item in place of the source, and the
  /// contrast of both, over the gap.
  public let moment: [Estimate]
  public let unrelated: Estimate
  public let contrast: Estimate
}

extension Array where Element == TaskMap {
  /// - Parameters:
  ///   - pairs: the pair of each map
  ///   - asked: how many pairs were tried
  /// - Returns: nil where too few groups enter for a test over the map
  public func reading(
    of pairs: [MinimalPair], asked: Int, _ options: LocalisationOptions, level: Double,
    _ random: Random
  ) -> TaskReading? {
    let groups = pairs.map(\.group)
    guard Set(groups).count >= fewestGroups else { return nil }
    let connector = options.connector
    func ratio(_ name: String, _ value: (TaskMap) -> Double?) -> Estimate {
      let present = indices.filter { value(self[$0]) != nil }
      return ratioOfMeans(
        present.map { value(self[$0])! }, present.map { self[$0].map.gap },
        groups: present.map { groups[$0] }, draws: options.draws, random.split(name))
    }
    let maps = map(\.map)
    let moment = TaskWindows.moment
    return TaskReading(
      asked: asked, entering: count, sufficiency: maps.recovery(.sufficiency, \.sufficiency),
      necessity: maps.recovery(.necessity, \.necessity),
      verdict: blockVerdict(
        groups: groups, threshold: options.threshold, level: level, draws: options.draws,
        random.split("verdict")),
      localisation: Direction.allCases.map {
        localisation($0, of: pairs, options, random.split($0.rawValue))
      },
      control: localisation(
        .sufficiency, of: pairs, options, unrelated: true, random.split("unrelated")),
      moment: Direction.allCases.map { direction in
        ratio("moment \(direction)") { $0.effect(direction, connector, moment) }
      },
      unrelated: ratio("moment unrelated") {
        $0.effect(.sufficiency, connector, moment, unrelated: true)
      },
      contrast: ratio("moment contrast") { map in
        guard let real = map.effect(.sufficiency, connector, moment),
          let other = map.effect(.sufficiency, connector, moment, unrelated: true)
        else { return nil }
        return real - other
      })
  }
}

/// What noise does to one model, and what the clean run's activations mend.
public struct NoiseReading: Codable, Sendable {
  /// Pairs of a recording and the same in noise; those answered rightly without noise; those of them that
  /// noise makes wrong, and how many of these are mapped.
  public let asked: Int
  public let right: Int
  public let mistaken: Int
  public let mapped: Int
  /// By site: recovery with the clean moment, with all of the clean sound, and with the moment of an
  /// unrelated item.
  public let moment: [Estimate?]
  public let whole: [Estimate?]
  public let unrelated: [Estimate?]
}

extension Array where Element == PairMap {
  /// - Parameters:
  ///   - answers: of all pairs that were asked
  ///   - groups: of the maps
  public func noiseReading(
    _ answers: [NoisyAnswer], sites: Range<Int>, groups: [String], draws: Int, _ random: Random
  ) -> NoiseReading {
    func recovery(_ name: String, _ value: (PairMap, Int) -> Double?) -> [Estimate?] {
      profile(
        .sufficiency, sites: sites, groups: groups, draws: draws, random.split(name), value)
    }
    return NoiseReading(
      asked: answers.count, right: answers.count(where: \.clean),
      mistaken: answers.count(where: \.isMistaken), mapped: count,
      moment: recovery("moment") { $0.sufficiency[$1][TaskWindows.moment] },
      whole: recovery("whole") { $0.sufficiency[$1][TaskWindows.whole] },
      unrelated: recovery("unrelated") { $0.unrelated[$1][TaskWindows.moment] })
  }
}
