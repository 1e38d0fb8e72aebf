// Exact statements about counts: how large a proportion may be, and how many cells may have been
// missed.

import Tensor

/// The share of successes with its exact interval (Clopper and Pearson, 1934): the proportions at
/// which so many successes, or so few, would not be rarer than (1 - level) / 2.
public func clopperPearson(_ successes: Int, of trials: Int, level: Double = 0.95) -> Estimate {
  precondition(trials > 0 && (0...trials).contains(successes) && level > 0 && level < 1)
  let (k, n, tail) = (Double(successes), Double(trials), (1 - level) / 2)
  return Estimate(
    value: k / n,
    low: successes == 0 ? 0 : inverseIncompleteBeta(tail, k, n - k + 1),
    high: successes == trials ? 1 : inverseIncompleteBeta(1 - tail, k + 1, n - k))
}

/// The probability of at most `hits` marked cells among `sample` that are drawn without replacement
/// from `population` cells, `marked` of which are marked.
public func hypergeometricProbability(
  atMost hits: Int, sample: Int, marked: Int, population: Int
) -> Double {
  precondition((0...population).contains(sample) && (0...population).contains(marked))
  func logChoices(_ k: Int, of n: Int) -> Double {
    logGamma(Double(n + 1)) - logGamma(Double(k + 1)) - logGamma(Double(n - k + 1))
  }
  let fewest = max(0, sample + marked - population)
  let most = min(sample, marked)
  guard hits >= fewest else { return 0 }
  guard hits < most else { return 1 }
  let all = logChoices(sample, of: population)
  let sum = (fewest...hits).reduce(0.0) { sum, k in
    sum
      + Elementary.exp(
        logChoices(k, of: marked) + logChoices(sample - k, of: population - marked) - all)
  }
  return min(sum, 1)
}

/// What a random sample of the cells that a search did not propose says of all of them
/// (`paper/definitions.md`, D45).
public struct MissedCells: Sendable, Codable, Equatable {
  /// Cells that the search did not propose.
  public let unverified: Int
  /// How many of them were drawn at random and patched exactly, with which seed.
  public let sampled: Int
  public let seed: UInt64
  /// The size from which an effect counts, in the metric's units, and how many of the sample had it.
  public let threshold: Double
  public let exceeding: Int
  /// With confidence 1 - alpha at most `bound` of the unverified cells have such an effect.
  public let alpha: Double
  public let bound: Int

  /// - Parameters:
  ///   - effects: exact effects of the sampled cells, in the metric's units
  ///   - unverified: how many cells they were drawn from
  ///   - seed: the seed that they were drawn with
  public init(
    sampledEffects effects: [Double], unverified: Int, threshold: Double, seed: UInt64,
    alpha: Double = 0.05
  ) {
    precondition(effects.count <= unverified && alpha > 0 && alpha < 1)
    self.unverified = unverified
    sampled = effects.count
    self.seed = seed
    self.threshold = threshold
    exceeding = effects.count { abs($0) >= threshold }
    self.alpha = alpha
    bound = mostMarked(
      hits: exceeding, sample: effects.count, population: unverified, alpha: alpha)
  }
}

/// The most marked cells a population can have for so few hits in a sample not to be rarer than
/// alpha: max{m : P(X <= hits | m) >= alpha}.
public func mostMarked(hits: Int, sample: Int, population: Int, alpha: Double) -> Int {
  precondition(hits <= sample && sample <= population)
  // The probability falls as m grows, so the largest m is found by bisection. Cells of the sample
  // that were no hit are not marked.
  var (possible, impossible) = (hits, population - (sample - hits) + 1)
  while impossible - possible > 1 {
    let m = (possible + impossible) / 2
    let p = hypergeometricProbability(
      atMost: hits, sample: sample, marked: m, population: population)
    if p >= alpha { possible = m } else { impossible = m }
  }
  return possible
}
