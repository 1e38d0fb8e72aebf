// How many components a subspace needs, decided on one split and paid for on another
// (`paper/definitions.md`, D76): K* is the smallest K whose recovery reaches a share of what
// patching the full site recovers.

import Tensor

/// The rule by which the number of components is chosen, fixed beforehand.
public struct SelectionRule: Sendable, Equatable {
  /// The numbers that are tried, rising.
  public let sizes: [Int]
  /// The share of the full site's recovery that has to be reached.
  public let share: Double

  public init(sizes: [Int], share: Double = 0.9) throws {
    guard !sizes.isEmpty, sizes[0] > 0, zip(sizes, sizes.dropFirst()).allSatisfy(<),
      share > 0, share <= 1
    else {
      throw EvidenceError(
        "sizes \(sizes) and share \(share): give rising sizes from 1 on, and a share in 0...1")
    }
    self.sizes = sizes
    self.share = share
  }
}

/// What patching the first K components does to one pair, for every K of the rule.
public struct SizeEffects: Sendable, Codable {
  public let group: String
  /// In nats, one for each size.
  public let effects: [Double]
  /// Of the whole site.
  public let full: Double
  /// LD_clean - LD_corrupt.
  public let gap: Double

  public init(group: String, effects: [Double], full: Double, gap: Double) {
    self.group = group
    self.effects = effects
    self.full = full
    self.gap = gap
  }
}

/// A chosen number of components.
public struct SizeChoice: Sendable, Codable, Equatable {
  public let size: Int
  /// Its place among the rule's sizes.
  public let index: Int
  /// Whether it reaches the share; otherwise it is the largest size, and compactness has failed.
  public let reached: Bool
  /// Recoveries, ratios of means over pairs: of each size, and of the full site.
  public let recoveries: [Double]
  public let full: Double
}

extension SelectionRule {
  /// min{K : R(K) >= share * R(full)}; the largest K where none reaches it, or where the full site
  /// recovers nothing.
  public func choice(from pairs: [SizeEffects]) -> SizeChoice {
    precondition(pairs.allSatisfy { $0.effects.count == sizes.count })
    let gap = pairs.reduce(0) { $0 + $1.gap }
    let full = pairs.reduce(0) { $0 + $1.full } / gap
    let recoveries = sizes.indices.map { i in pairs.reduce(0) { $0 + $1.effects[i] } / gap }
    let found = full > 0 ? recoveries.firstIndex { $0 >= share * full } : nil
    let index = found ?? sizes.count - 1
    return SizeChoice(
      size: sizes[index], index: index, reached: found != nil, recoveries: recoveries, full: full)
  }

  /// How often each size is chosen when groups are drawn again.
  ///
  /// - Returns: a share for each size; the shares of draws in which none was reached are counted
  ///   with the largest
  public func stability(of pairs: [SizeEffects], draws: Int = 1_000, _ random: Random) -> [Double] {
    let groups = clustered(pairs, by: pairs.map(\.group))
    var random = random
    var counts = [Int](repeating: 0, count: sizes.count)
    for _ in 0..<draws {
      let drawn = groups.indices.flatMap { _ in groups[random.below(groups.count)] }
      counts[choice(from: drawn).index] += 1
    }
    return counts.map { Double($0) / Double(draws) }
  }

  /// What the choice is worth on pairs that had no part in it.
  ///
  /// - Parameters:
  ///   - chosen: on the validation split
  ///   - pairs: of the test split
  public func report(
    _ chosen: SizeChoice, on pairs: [SizeEffects], draws: Int = 10_000, _ random: Random
  )
    -> SizeReport
  {
    let estimate = ratioOfMeans(
      pairs.map { $0.effects[chosen.index] }, pairs.map(\.gap), groups: pairs.map(\.group),
      draws: draws, random)
    return SizeReport(chosen: chosen, recovery: estimate, hindsight: choice(from: pairs))
  }
}

/// A choice with its recovery on the test split.
public struct SizeReport: Sendable, Codable, Equatable {
  public let chosen: SizeChoice
  /// Of the chosen size on the test split.
  public let recovery: Estimate
  /// What the same rule would have chosen had it seen the test split.
  public let hindsight: SizeChoice

  /// How many components more the choice took than hindsight would have; negative where fewer.
  public var optimism: Int { chosen.size - hindsight.size }
}
