// Statistics against SciPy 1.17.1, and what they do with too little data.

import Foundation
import Interventions
import Tensor
import Testing

@Suite struct StatisticsTests {
  // import numpy as np, scipy.stats as st
  // x=[1.5,-2.0,0.25,3.0,1.5,7.0,-2.0,1.5,0.0,-0.5]; y=[2.0,-1.0,0.5,0.5,4.0,5.0,-3.0,0.5,0.0,9.0]
  // st.rankdata(x), st.pearsonr(x,y)[0], st.spearmanr(x,y)[0], st.linregress(x,y).slope
  // [(p, st.norm.ppf(p)) for p in ...], [(z, st.norm.cdf(z)) for z in ...]
  let x = [1.5, -2.0, 0.25, 3.0, 1.5, 7.0, -2.0, 1.5, 0.0, -0.5]
  let y = [2.0, -1.0, 0.5, 0.5, 4.0, 5.0, -3.0, 0.5, 0.0, 9.0]

  @Test func ranksAndCorrelations() {
    #expect(ranks(x) == [7, 1.5, 5, 9, 7, 10, 1.5, 7, 4, 3])
    #expect(abs(pearson(x, y) - 0.39197350516353885) < 1e-14)
    #expect(abs(spearman(x, y) - 0.5482892649071495) < 1e-14)
    #expect(abs(slope(x, y) - 0.510540513537816) < 1e-14)
    #expect(ranks([]) == [] && ranks([5]) == [1] && ranks([2, 2, 2]) == [2, 2, 2])
    #expect(ranks([-.infinity, .infinity, 0, -0.0]) == [1, 4, 2.5, 2.5])
    #expect(pearson(x, x.map { -2 * $0 + 1 }) == -1)
    #expect(pearson([1, 1, 1], [1, 2, 3]).isNaN)
    // Ranks do not see what keeps the order.
    #expect(abs(spearman(x.map { exp($0) }, y.map { $0 * $0 * $0 }) - spearman(x, y)) < 1e-14)
  }

  /// A NaN has no rank; it must neither hang nor pass for a number.
  @Test(.timeLimit(.minutes(1))) func ranksWithNaN() {
    for rank in ranks([1, .nan, 2]) { #expect(rank.isNaN) }
    #expect(spearman([1, .nan, 2], [1, 2, 3]).isNaN)
    #expect(pearson([1, .nan, 2], [1, 2, 3]).isNaN)
  }

  @Test func normalDistribution() {
    for (p, z) in [
      (0.0001, -3.7190164854556804), (0.001, -3.090232306167813), (0.01, -2.3263478740408408),
      (0.025, -1.9599639845400545), (0.2, -0.8416212335729142), (0.5, 0.0),
      (0.7, 0.5244005127080407), (0.975, 1.959963984540054), (0.999, 3.090232306167813),
      (0.9999, 3.719016485455709),
    ] {
      #expect(abs(normalQuantile(p) - z) < 1e-12, "\(p): \(normalQuantile(p))")
    }
    for (z, p) in [
      (-6, 9.865876450376946e-10), (-3, 0.0013498980316300933), (-1, 0.15865525393145707),
      (0, 0.5), (0.5, 0.6914624612740131), (2, 0.9772498680518208), (4, 0.9999683287581669),
    ] as [(Double, Double)] {
      #expect(abs(normalProbability(z) - p) < 1e-15)
    }
  }

  // i=np.arange(24); a=((7*i*i+3*i+5)%23-4)/8.0+(i%5==0)*2.5; b=((5*i*i+i+2)%19+6)/8.0
  // st.bootstrap((a,b),lambda a,b,axis=-1:a.sum(axis)/b.sum(axis),paired=True,vectorized=True,
  //   n_resamples=400000,method='BCa',rng=np.random.default_rng(0))   # and seeds 1, 2
  // low 0.47814 0.47839 0.47872, high 1.08152 1.08199 1.08050; percentile 0.46221, 1.05775
  static let a: [Double] = (0..<24).map { (i: Int) -> Double in
    let whole = (7 * i * i + 3 * i + 5) % 23 - 4
    return Double(whole) / 8 + (i % 5 == 0 ? 2.5 : 0)
  }
  static let b: [Double] = (0..<24).map { (i: Int) -> Double in
    let whole = (5 * i * i + i + 2) % 19 + 6
    return Double(whole) / 8
  }

  @Test func intervalsEqualSciPys() {
    let found = clusterInterval(
      of: Array(zip(Self.a, Self.b)), draws: 200_000, Random(seed: 3)
    ) { pairs in pairs.reduce(0) { $0 + $1.0 } / pairs.reduce(0) { $0 + $1.1 } }
    #expect(abs(found.value - 0.7443181818181818) < 1e-15)
    // Without bias and acceleration the bounds would be 0.016 and 0.024 lower.
    #expect(abs(found.low - 0.4784) < 0.004, "\(found.low)")
    #expect(abs(found.high - 1.0813) < 0.006, "\(found.high)")
  }

  /// Pairs of one group are drawn together: splitting a group's sums over pairs changes nothing,
  /// and nor does the order of the pairs.
  @Test func groupsAreDrawnWhole() {
    let groups = (0..<24).map { "g\($0)" }
    let whole = ratioOfMeans(Self.a, Self.b, groups: groups, draws: 500, Random(seed: 3))
    var order: [(Int, Double)] = []
    for i in 0..<72 { order.insert((i / 3, i % 3 == 0 ? 0.5 : 0.25), at: 0) }
    let split = ratioOfMeans(
      order.map { Self.a[$0.0] * $0.1 }, order.map { Self.b[$0.0] * $0.1 },
      groups: order.map { groups[$0.0] }, draws: 500, Random(seed: 3))
    #expect(split.low == whole.low && split.high == whole.high && split.value == whole.value)
    let again = ratioOfMeans(Self.a, Self.b, groups: groups, draws: 500, Random(seed: 3))
    #expect(again.low == whole.low && again.high == whole.high)
  }

  @Test func degenerateIntervals() {
    let one = ratioOfMeans([1, 2], [2, 2], groups: ["g", "g"], Random(seed: 1))
    #expect(one.value == 0.75 && one.low == -.infinity && one.high == .infinity)
    let same = ratioOfMeans([1, 2, 3], [2, 4, 6], groups: ["a", "b", "c"], Random(seed: 1))
    #expect(same.value == 0.5 && same.low == 0.5 && same.high == 0.5)
    let none = ratioOfMeans([0, 0, 0], [1, 2, 3], groups: ["a", "b", "c"], Random(seed: 1))
    #expect(none.value == 0 && none.low == 0 && none.high == 0)
    #expect(!ratioOfMeans([1, 1], [1, -1], groups: ["a", "b"], Random(seed: 1)).value.isFinite)
    #expect(!ratioOfMeans([], [], groups: [], Random(seed: 1)).value.isFinite)
    // A group without a denominator, so that some draws have none at all: no trap.
    _ = ratioOfMeans([1, 2, 3], [0, 0, 4], groups: ["a", "b", "c"], draws: 200, Random(seed: 1))
    _ = ratioOfMeans([0, 0, 3], [0, 0, 4], groups: ["a", "b", "c"], draws: 200, Random(seed: 1))
    _ = ratioOfMeans([.nan, 1], [1, 1], groups: ["a", "b"], draws: 200, Random(seed: 1))
  }
}
