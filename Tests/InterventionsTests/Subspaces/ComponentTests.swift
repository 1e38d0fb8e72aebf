// Curves of components on toys whose recovery is known: each direction of the activation counts so much.

import Interventions
import Speech
import Tensor
import Testing

/// Pairs of a model whose logit difference is a weighted sum of the activation's numbers.
private func toys(_ weights: [Float], count: Int, seed: UInt64) -> [Exchange] {
  (0..<count).map { i in
    let random = Random(seed: seed).split(i)
    let base = Tensor([1, weights.count], normal: 1, random.split("base"))
    let source = base + Tensor([1, weights.count], weights.map { $0 == 0 ? 0 : 1 })
    let reader = Tensor([2, weights.count], weights + weights.map { _ in 0 })
    @Sendable func logits(_ rows: Tensor) -> Tensor { linear(rows, reader) }
    return Exchange(
      id: "\(i)", group: "\(i / 2)", answer: 0, foil: 1, base: base, source: source,
      baseLogits: logits(base).numbers, sourceLogits: logits(source).numbers
    ) { variants in joiningRows(variants.map(logits)) }
  }
}

/// The axes of the activation, in an order.
private func axes(_ order: [Int], width: Int) -> Subspace {
  var basis = DoubleMatrix(rows: width, columns: order.count)
  for (c, r) in order.enumerated() { basis[r, c] = 1 }
  return Subspace(orthonormal: basis)
}

@Suite struct ComponentTests {
  // Shares 0.5, 0.3, 0.15, 0.05 of what a complete patch moves.
  let weights: [Float] = [10, 6, 3, 1, 0, 0]

  @Test func recoveriesAddUpInTheirOrder() throws {
    let pairs = toys(weights, count: 12, seed: 1)
    let subspace = axes([0, 1, 2, 3], width: 6)
    let effects = try pairs.sizeEffects(4) { pair, size in
      try subspace.first(size + 1).projection(of: pair.difference)
    }
    for (found, known) in zip(effects.recoveries, [0.5, 0.8, 0.95, 1]) {
      #expect(abs(found - known) < 1e-5)
    }
    #expect(effects.allSatisfy { abs($0.full - $0.gap) < 1e-4 })
    let curve = try Components("axes", subspace, sizes: [1, 2, 3, 4, 7]).curve(
      validation: pairs, test: HeldPairs(sufficiency: pairs, necessity: pairs), share: 0.9,
      draws: 200, Random(seed: 3))
    #expect(curve.sizes == [1, 2, 3, 4], "a size above the number of components is left out")
    #expect(curve.k90 == 3 && curve.size == 3 && curve.choice.chosen.reached)
    // Trapezes from (0, 0): 0.25 + 0.65 + 0.875 + 0.975 of 4.
    #expect(abs(curve.area.value - 2.75 / 4) < 1e-5)
  }

  @Test func aBetterOrderHasTheLargerArea() throws {
    let pairs = toys(weights, count: 12, seed: 2)
    let sizes = [1, 2, 4]
    func effects(_ order: [Int]) throws -> [SizeEffects] {
      let subspace = axes(order, width: 6)
      return try pairs.sizeEffects(sizes.count) { pair, size in
        try subspace.first(sizes[size]).projection(of: pair.difference)
      }
    }
    let (good, bad) = (try effects([0, 1, 2, 3]), try effects([3, 2, 1, 0]))
    // Good: (0.5 / 2 + 0.65 + 0.9 * 2) / 4; bad: (0.05 / 2 + 0.125 + 0.6 * 2) / 4.
    let known = (0.25 + 0.65 + 1.8 - 0.025 - 0.125 - 1.2) / 4
    let over = good.area(over: bad, sizes: sizes, draws: 200, Random(seed: 4))
    #expect(abs(over.value - known) < 1e-5 && over.low > 0)
    let none = good.area(over: good, sizes: sizes, draws: 200, Random(seed: 4))
    #expect(none.value == 0)
    let mean = [SizeEffects].mean(of: [good, bad]).recoveries
    #expect(abs(mean[0] - 0.275) < 1e-5)
  }

  @Test func theFewestDirectionsThatReachTheShareAreChosen() throws {
    let pairs = toys(weights, count: 12, seed: 5)
    func curve(_ name: String, _ order: [Int], sizes: [Int]) throws -> ComponentCurve {
      try Components(name, axes(order, width: 6), sizes: sizes).curve(
        validation: pairs, test: HeldPairs(sufficiency: pairs, necessity: pairs), share: 0.9,
        draws: 50, Random(seed: 6))
    }
    let slow = try curve("slow", [3, 2, 1, 0], sizes: [1, 2, 3, 4])
    let fast = try curve("fast", [0, 1, 2, 3], sizes: [1, 2, 3, 4])
    let short = try curve("short", [0, 1], sizes: [1, 2])
    let shorter = try curve("shorter", [0], sizes: [1])
    #expect(slow.size == 4 && fast.size == 3 && !short.choice.chosen.reached)
    #expect([slow, fast, short].best?.method == "fast")
    #expect([shorter, short].best?.method == "short", "none reaches it: the largest recovery")
  }

  @Test func trainedSubspacesAreTakenByTheirOwnSize() throws {
    let components = Components(
      "trained", trained: [1: axes([0], width: 6), 2: axes([1, 2], width: 6)])
    #expect(
      components.sizes == [1, 2] && components.all.patterns == axes([1, 2], width: 6).patterns)
    #expect(try components.first(1).patterns == axes([0], width: 6).patterns)
  }
}
