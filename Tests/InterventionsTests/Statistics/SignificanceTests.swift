// Tests over groups: what they leave out, what they do with too few or too many groups, and how
// often they err.

import Interventions
import Tensor
import Testing

@Suite struct SignificanceTests {
  @Test func fewGroupsAreEnumerated() {
    // All of one sign: only the two choices without a change of sign reach the sum.
    #expect(signFlipTest([1, 2, 3], Random(seed: 1)) == 0.25)
    #expect(signFlipTest([0.5], Random(seed: 1)) == 1)
    #expect(signFlipTest([0, 0, 0], Random(seed: 1)) == 1)
    #expect(signFlipTest([], Random(seed: 1)).isNaN)
    #expect(signFlipTest([1, .nan], Random(seed: 1)).isNaN)
    // 0.1 + 0.2 and 0.3 are equal but for their last bits: a tie counts as reached.
    #expect(signFlipTest([0.1, 0.2, 0.3], Random(seed: 1)) == 0.25)
    #expect(signFlipTest([0.1, 0.2, -0.3], Random(seed: 1)) == 1)
  }

  @Test func manyGroupsAreSampled() {
    let strong = (0..<13).map { 1 + 0.1 * Double($0) }
    // Of 8192 choices two reach the sum: one in 4096, and the observed one always counts.
    let p = signFlipTest(strong, draws: 999, Random(seed: 2))
    #expect(p >= 0.001 && p < 0.006, "\(p)")
    #expect(signFlipTest(strong, draws: 999, Random(seed: 2)) == p)
    let none = (0..<20).flatMap { [1 + Double($0), -1 - Double($0)] }
    #expect(signFlipTest(none, draws: 999, Random(seed: 2)) > 0.9)
  }

  @Test func meansOfGroups() {
    #expect(clusterMeans([1, 10, 3, 20, 5], groups: ["b", "a", "b", "a", "b"]) == [15, 3])
    #expect(clustered([1, 2, 3], by: ["b", "a", "b"]) == [[2], [1, 3]])
  }

  /// Padding and structural zeros have no result, and leave those of the others as they are.
  @Test func whatIsNoCellStaysOutside() {
    let a: [Double?] = [1, 1.5, 0.7, 1.2, 0.9, 1.1, nil, nil]
    let b: [Double?] = [0.2, -0.1, 0.3, -0.4, 0.1, 0, 0.1, -0.2]
    let padding = [Double?](repeating: nil, count: 8)
    let zero = [Double?](repeating: 0, count: 8)
    let lone: [Double?] = [nil, nil, 3, nil, nil, nil, nil, nil]
    let plain = maxT([a, b], Random(seed: 1))
    let mixed = maxT([padding, a, zero, b, lone, padding], Random(seed: 1))
    #expect(mixed[0] == nil && mixed[2] == nil && mixed[4] == nil && mixed[5] == nil)
    #expect(mixed[1] == plain[0] && mixed[3] == plain[1])
    #expect(plain[0]!.p < 0.05 && plain[1]!.p > 0.5)
    #expect(maxT([], Random(seed: 1)).isEmpty)
    let broken = maxT([a, [1, .nan, 1, 1, 1, 1, 1, 1], b], Random(seed: 1))
    #expect(broken[0] == plain[0] && broken[2] == plain[1] && broken[1]?.p.isNaN == true)
    #expect(maxT([padding], Random(seed: 1)) == [nil])
  }

  /// One cell alone is the plain test; cells that repeat it change nothing, as signs are shared.
  @Test func cellsShareTheirSigns() {
    let values = [0.9, -0.2, 0.4, 0.8, 0.3, -0.1, 0.6]
    let alone = signFlipTest(values, Random(seed: 1))
    let one = maxT([values], Random(seed: 1))
    #expect(one[0]!.p == alone)
    let many = maxT([[Double?]](repeating: values, count: 30), Random(seed: 1))
    #expect(many.allSatisfy { $0?.p == alone })
    // Groups that all agree have an infinite statistic, which is still one in 2^6.
    #expect(maxT([[1, 1, 1, 1, 1, 1, 1]], Random(seed: 1))[0]!.p == 2.0 / 128)
  }

  @Test func stepDownFindsMore() {
    var random = Random(seed: 5)
    let cells = (0..<12).map { c -> [Double?] in
      let effect = c < 3 ? [2.4, 1.3, 1.0][c] : 0
      return (0..<11).map { _ in effect + random.normal() }
    }
    let (single, down) = (
      maxT(cells, Random(seed: 1)), maxT(cells, stepDown: true, Random(seed: 1))
    )
    #expect(zip(single, down).allSatisfy { $0!.p >= $1!.p && $0!.t == $1!.t })
    #expect(zip(single, down).contains { $0!.p > $1!.p })
  }

  @Test func discoveryRates() {
    #expect(falseDiscoveryRates([]) == [])
    let rates = falseDiscoveryRates([0.01, .nan, 0.04, 0.03, 1])
    #expect(rates[1].isNaN)
    // A missing p-value is not in the family: 4 tests.
    #expect(abs(rates[0] - 0.04) < 1e-15 && abs(rates[2] - 0.04 * 4 / 3) < 1e-15)
    #expect(rates[3] == rates[2] && rates[4] == 1)
  }

  /// Under a null with dependent cells any cell is called in about 5 of 100 maps; without the
  /// correction in most of them.
  @Test(.timeLimit(.minutes(1))) func familyWiseErrorIsBounded() throws {
    let found = try familyWiseError(trials: 400, draws: 300, Random(seed: 92))
    #expect(found.maxT.value > 0.02 && found.maxT.value <= 0.08, "\(found.maxT)")
    #expect(found.stepDown.value == found.maxT.value)
    #expect(found.uncorrected.value > 0.5, "\(found.uncorrected)")
  }

  @Test(.timeLimit(.minutes(1))) func intervalsCoverTheTruth() throws {
    let found = try intervalCoverage(trials: 500, draws: 600, Random(seed: 92))
    #expect(found.clusters.value > 0.91 && found.clusters.value < 0.98, "\(found.clusters)")
    #expect(found.pairs.value < 0.88, "\(found.pairs)")
  }
}
