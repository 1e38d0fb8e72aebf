// Do the intervals cover, and does the test err as seldom as it says? Both are asked of simulated
// data whose truth is known.

import Tensor

/// How often 95% intervals held the truth.
public struct Coverage: Sendable, Codable {
  /// With groups drawn whole.
  public let clusters: Estimate
  /// With pairs drawn one by one, which is wrong where pairs of a group are alike.
  public let pairs: Estimate
}

/// Coverage of the cluster bootstrap of a ratio of means: groups of one to five pairs that share an
/// effect and a gap; the true ratio is 0.4.
public func intervalCoverage(groups count: Int = 30, trials: Int, draws: Int, _ random: Random)
  throws -> Coverage
{
  let truth = 0.4
  let held = try mapInParallel(trials) { trial -> (clusters: Bool, pairs: Bool) in
    var random = random.split(trial)
    var (effects, gaps, groups): ([Double], [Double], [String]) = ([], [], [])
    for group in 0..<count {
      let (shared, gap) = (random.normal(), 4 + random.normal())
      for _ in 0...random.below(5) {
        gaps.append(gap + 0.3 * random.normal())
        effects.append(truth * gaps.last! + shared + 0.3 * random.normal())
        groups.append("\(group)")
      }
    }
    func holds(_ groups: [String]) -> Bool {
      let found = ratioOfMeans(
        effects, gaps, groups: groups, draws: draws, random.split("bootstrap"))
      return found.low <= truth && truth <= found.high
    }
    return (holds(groups), holds(groups.indices.map { "pair \($0)" }))
  }
  return Coverage(
    clusters: clopperPearson(held.count(where: \.clusters), of: trials),
    pairs: clopperPearson(held.count(where: \.pairs), of: trials))
}

/// How often a map without any effect had a cell that was called significant at 5%.
public struct FamilyWiseError: Sendable, Codable {
  public let maxT: Estimate
  public let stepDown: Estimate
  /// Each cell tested by itself.
  public let uncorrected: Estimate
}

/// Maps of 6 layers by 10 windows over 16 groups whose neighbouring cells go together, and whose
/// every effect is 0 in the mean. Effects of groups are of heavy tails and of unequal size.
public func familyWiseError(trials: Int, draws: Int, _ random: Random) throws -> FamilyWiseError {
  let (layers, windows, groups) = (6, 10, 16)
  let called = try mapInParallel(trials) { trial -> (single: Bool, down: Bool, each: Bool) in
    var random = random.split(trial)
    var cells = [[Double]](repeating: [], count: layers * windows)
    for _ in 0..<groups {
      let size = Elementary.exp(0.7 * random.normal())
      var map = [Double](repeating: 0, count: cells.count)
      for cell in map.indices {
        // A step of a random walk that forgets, along layers and along windows.
        let above = cell >= windows ? map[cell - windows] : 0
        let before = cell % windows > 0 ? map[cell - 1] : 0
        map[cell] = 0.5 * above + 0.3 * before + random.normal()
        cells[cell].append(size * map[cell])
      }
    }
    let signs = random.split("signs")
    func calls(_ stepDown: Bool) -> Bool {
      maxT(cells, stepDown: stepDown, draws: draws, signs).contains { $0!.p <= 0.05 }
    }
    let each = cells.contains { signFlipTest($0, draws: draws, signs) <= 0.05 }
    return (calls(false), calls(true), each)
  }
  return FamilyWiseError(
    maxT: clopperPearson(called.count(where: \.single), of: trials),
    stepDown: clopperPearson(called.count(where: \.down), of: trials),
    uncorrected: clopperPearson(called.count(where: \.each), of: trials))
}
