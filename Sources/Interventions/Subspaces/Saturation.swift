// How many components it takes: recovery against K for components in an order, in the reverse order
// and in random ones; the smallest K that reaches 90 % of the whole site, and the area
// (`paper/definitions.md`, D75).

import Tensor

/// Recovery against the number of components.
public struct SaturationCurve: Sendable {
  /// Increasing.
  public let counts: [Int]
  /// The recovery with the first K components.
  public let recoveries: [Double]

  /// - Precondition: counts increase and there is a recovery for each
  public init(counts: [Int], recoveries: [Double]) {
    precondition(counts.count == recoveries.count && zip(counts, counts.dropFirst()).allSatisfy(<))
    (self.counts, self.recoveries) = (counts, recoveries)
  }

  /// The smallest K at which the recovery reaches `share` of the whole site's; nil where none does.
  /// A later K that falls below again does not count against it.
  public func smallestCount(reaching share: Double = 0.9, of full: Double) -> Int? {
    zip(counts, recoveries).first { $0.1 >= share * full }?.0
  }

  /// The area under recovery / full against K / largest K, by trapezes from (0, 0): 1 where one
  /// component is enough at once, 1/2 where every component adds alike.
  public func normalisedArea(of full: Double) -> Double {
    var (area, lastCount, lastValue) = (0.0, 0.0, 0.0)
    for (count, recovery) in zip(counts, recoveries) {
      area += (Double(count) - lastCount) * (recovery / full + lastValue) / 2
      (lastCount, lastValue) = (Double(count), recovery / full)
    }
    return area / lastCount
  }
}

/// Curves of ranked, reverse-ranked and randomly ordered components.
public struct Saturation: Sendable {
  public let ranked: SaturationCurve
  public let reversed: SaturationCurve
  public let random: [SaturationCurve]

  /// - Parameters:
  ///   - components: how many there are
  ///   - counts: the K, increasing, none above `components`
  ///   - draws: random orders
  ///   - recovery: of a patch of a set of components, by their ranks
  /// - Throws: where a K is larger than the number of components.
  public init(
    components: Int, counts: [Int], draws: Int, _ random: Random,
    recovery: ([Int]) throws -> Double
  ) throws {
    try checkCounts(counts, dimension: components, of: "components")
    func curve(_ order: [Int]) throws -> SaturationCurve {
      SaturationCurve(
        counts: counts, recoveries: try counts.map { try recovery(Array(order[..<$0])) })
    }
    let order = Array(0..<components)
    ranked = try curve(order)
    reversed = try curve(order.reversed())
    self.random = try (0..<draws).map { draw in
      var stream = random.split(draw)
      return try curve(stream.permutation(components))
    }
  }
}

/// - Throws: where the K do not increase from 1 to the dimension.
public func checkCounts(_ counts: [Int], dimension: Int, of what: String) throws {
  guard let first = counts.first, first >= 1, zip(counts, counts.dropFirst()).allSatisfy(<) else {
    throw SubspaceError("K should be increasing numbers from 1, such as 1,2,5,10; not \(counts)")
  }
  if let large = counts.first(where: { $0 > dimension }) {
    throw SubspaceError(
      "K = \(large) is larger than \(dimension), the number of \(what); choose K up to \(dimension)"
    )
  }
}
