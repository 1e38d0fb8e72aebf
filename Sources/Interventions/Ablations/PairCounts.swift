// The headline numbers of the map on fewer pairs: how far they spread, and how wide their intervals are
// (`paper/definitions.md`, D157).

import Corpus
import Tensor

/// A number that is a ratio of sums over pairs, with what each pair gives it.
public struct PairRatio: Sendable {
  public let name: String
  public let above: [Double]
  public let below: [Double]

  public init(_ name: String, above: [Double], below: [Double]) {
    precondition(above.count == below.count)
    (self.name, self.above, self.below) = (name, above, below)
  }

  func value(of pairs: [Int]) -> Double {
    pairs.reduce(0) { $0 + above[$1] } / pairs.reduce(0) { $0 + below[$1] }
  }
}

extension Array where Element == TaskMap {
  /// At the connector the sufficiency and necessity of the changed phone's moment; the mean depth of
  /// what the sound carries; and the share of it near the change. An unrelated item has no necessity here.
  ///
  /// - Parameters:
  ///   - connector: its place among the sites
  ///   - unrelated: of the unrelated item in the place of the source
  public func headlines(of pairs: [MinimalPair], connector: Int, unrelated: Bool = false)
    -> [PairRatio]
  {
    let last = Double((first?.map.sufficiency.count ?? 2) - 1)
    let gaps = map(\.map.gap)
    let moments = Direction.allCases.map { direction in
      PairRatio(
        direction.rawValue,
        above: map {
          $0.effect(direction, connector, TaskWindows.moment, unrelated: unrelated) ?? 0
        }, below: gaps)
    }
    let bySite = map { $0.effectsBySite(.sufficiency, unrelated: unrelated) }
    let byWindow = map {
      $0.effectsByWindow(.sufficiency, at: connector, unrelated: unrelated)
    }
    return moments + [
      PairRatio(
        "depth",
        above: bySite.map { row in
          row.enumerated().reduce(0) { $0 + $1.element * Double($1.offset) / last }
        }, below: bySite.map { $0.reduce(0, +) }),
      PairRatio(
        "near",
        above: zip(pairs, byWindow).map { pair, row in
          TaskWindows.near(pair).reduce(0) { $0 + row[$1] }
        }, below: byWindow.map { $0.reduce(0, +) }),
    ]
  }
}

/// How a number depends on how many pairs it is measured on.
public struct SubsampledNumber: Codable, Sendable {
  public let pairs: Int
  /// The mean over subsamples, with the range that nineteen of twenty of them lie in; of all pairs the value
  /// alone.
  public let value: Estimate
  /// How wide the 95% interval over groups is, alike; nil where a subsample has too few groups for one.
  public let width: Estimate?
}

extension PairRatio {
  /// The number on subsamples of each size, drawn from all pairs without putting back.
  ///
  /// - Parameters:
  ///   - sizes: up to the number of pairs
  ///   - samples: how many are drawn of a size
  ///   - draws: of groups, for each interval
  ///   - random: the subsamples' own, the same for every number
  public func subsampled(
    _ sizes: [Int], groups: [String], samples: Int, draws: Int, _ random: Random
  ) throws -> [SubsampledNumber] {
    try sizes.map { size in
      let isWhole = size == above.count
      let found = try mapInParallel(isWhole ? 1 : samples) { sample -> (Double, Double?) in
        var stream = random.split(size).split(sample)
        let pairs = Array(stream.permutation(above.count).prefix(size)).sorted()
        let own = pairs.map { groups[$0] }
        guard Set(own).count >= fewestGroups else { return (value(of: pairs), nil) }
        let interval = ratioOfMeans(
          pairs.map { above[$0] }, pairs.map { below[$0] }, groups: own, draws: draws,
          stream.split(name))
        return (interval.value, interval.high - interval.low)
      }
      func spread(_ values: [Double]) -> Estimate {
        let sorted = values.sorted()
        return Estimate(
          value: values.reduce(0, +) / Double(values.count), low: quantile(sorted, 0.025),
          high: quantile(sorted, 0.975))
      }
      let widths = found.compactMap(\.1)
      return SubsampledNumber(
        pairs: size, value: spread(found.map(\.0)), width: widths.isEmpty ? nil : spread(widths))
    }
  }
}

/// 6, 12, 24, ... pairs, and all of them.
public func subsampleSizes(of pairs: Int) -> [Int] {
  var sizes: [Int] = []
  var size = 6
  while size < pairs {
    sizes.append(size)
    size *= 2
  }
  return sizes + [pairs]
}

extension Array where Element == TaskMap {
  /// Rows of every headline number on subsamples of every size, and of the width of its interval; beside them
  /// the unrelated item's.
  public func subsampledRows(
    of pairs: [MinimalPair], connector: Int, samples: Int, draws: Int, _ random: Random
  ) throws -> [AblationRow] {
    let groups = pairs.map(\.group)
    return try [false, true].flatMap { isControl -> [AblationRow] in
      let series = isControl ? "unrelated item" : "source"
      let ratios = headlines(of: pairs, connector: connector, unrelated: isControl)
      return try ratios.flatMap { ratio -> [AblationRow] in
        let found = try ratio.subsampled(
          subsampleSizes(of: count), groups: groups, samples: samples, draws: draws, random)
        return found.flatMap { one -> [AblationRow] in
          let value = AblationRow(ratio.name, "\(one.pairs)", series, one.value)
          return [value]
            + (one.width.map {
              [AblationRow("width, \(ratio.name)", "\(one.pairs)", series, $0)]
            } ?? [])
        }
      }
    }
  }
}
