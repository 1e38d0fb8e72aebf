// The paired sign-flip test: under the null hypothesis the effect of a group is as likely to be
// minus what it is, so every choice of signs is as likely as the one that was seen
// (`paper/definitions.md`, D51).

import Tensor

/// The choices of signs that a test goes through: all where there are few, random ones otherwise.
public struct SignFlips: Sendable {
  /// -1 or 1 for each group, of every choice.
  let signs: [[Double]]
  /// Whether these are all choices; the observed one is then among them.
  public let isExact: Bool

  /// The most groups for which all 2^n choices are gone through.
  static let exactGroups = 12

  /// - Parameters:
  ///   - groups: how many there are
  ///   - draws: random choices where there are too many
  public init(groups: Int, draws: Int = 10_000, _ random: Random) {
    precondition(groups > 0 && draws > 0)
    isExact = groups <= SignFlips.exactGroups
    if isExact {
      signs = (0..<(1 << groups)).map { choice in
        (0..<groups).map { choice >> $0 & 1 == 0 ? 1 : -1 }
      }
    } else {
      var random = random
      signs = (0..<draws).map { _ in
        var bits: UInt64 = 0
        return (0..<groups).map { i in
          if i % 64 == 0 { bits = random.next() }
          defer { bits >>= 1 }
          return bits & 1 == 0 ? 1 : -1
        }
      }
    }
  }

  /// The share of choices that reach the observed value, which counts as one of them:
  /// hits / 2^n where all were gone through, else (1 + hits) / (1 + draws).
  func probability(hits: Int) -> Double {
    isExact
      ? Double(hits) / Double(signs.count) : Double(1 + hits) / Double(1 + signs.count)
  }
}

/// How far below the observed value another may lie and count as equal: sums of the same numbers in
/// another order differ in their last bits.
let tieTolerance = 100 * Double.ulpOfOne

/// The two-sided p-value of the mean of independent groups, against a mean of 0.
///
/// - Parameter means: one for each group, such as `clusterMeans` gives them
/// - Returns: NaN where there is no group or a mean is NaN
public func signFlipTest(_ means: [Double], draws: Int = 10_000, _ random: Random) -> Double {
  guard !means.isEmpty, !means.contains(where: \.isNaN) else { return .nan }
  let observed = abs(means.reduce(0, +))
  let bound = observed * (1 - tieTolerance)
  let flips = SignFlips(groups: means.count, draws: draws, random)
  let hits = flips.signs.count { signs in
    var sum = 0.0
    for (mean, sign) in zip(means, signs) { sum += sign * mean }
    return abs(sum) >= bound
  }
  return flips.probability(hits: hits)
}
