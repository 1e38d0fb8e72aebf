// The rules of relevance propagation, number by number, and closed paths of the reverse pass.

import Foundation
import Tensor
import Testing

@Suite struct ReverseRulesTests {
  private let rules = ReverseRules.relevance(freezingPatterns: true)
  private let x = Tensor([3, 10], normal: 1, Random(seed: 1))
  private let weight = Tensor([10], normal: 1, Random(seed: 2))
  private let bias = Tensor([10], normal: 1, Random(seed: 3))
  private let g = Tensor([3, 10], normal: 1, Random(seed: 4))

  private func expect(_ found: Tensor, _ expected: (Int, Int) -> Double) {
    var plain = 0.0
    for r in 0..<3 {
      for j in 0..<10 {
        #expect(abs(Double(found[r, j]) - expected(r, j)) < 1e-5, "\(r) \(j)")
        plain = max(plain, abs(expected(r, j)))
      }
    }
    #expect(plain > 0.1)
  }

  @Test func scalesOfNormsAreConstants() {
    func row(_ r: Int) -> [Double] { (0..<10).map { Double(x[r, $0]) } }
    let v = x.variable
    expect(rmsNorm(v, weight, epsilon: 1e-5).gradients(of: [v], weights: g, by: rules)[0]) { r, j in
      let scale = 1 / sqrt(row(r).reduce(0) { $0 + $1 * $1 } / 10 + 1e-5)
      return Double(g[r, j]) * Double(weight[j]) * scale
    }
    let normed = layerNorm(v, weight, bias, epsilon: 1e-5)
    expect(normed.gradients(of: [v], weights: g, by: rules)[0]) { r, j in
      let mean = row(r).reduce(0, +) / 10
      let scale = 1 / sqrt(row(r).reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 10 + 1e-5)
      let h = (0..<10).map { Double(g[r, $0]) * Double(weight[$0]) }
      return scale * (h[j] - h.reduce(0, +) / 10)
    }
    // Without the rules it is the gradient, which is another.
    let plain = normed.gradients(of: [v], weights: g)[0]
    let frozen = normed.gradients(of: [v], weights: g, by: rules)[0]
    #expect(plain.largestDifference(to: frozen) > 0.1)
  }

  @Test func activationsPassTheirSecant() {
    let v = x.variable
    let y = gelu(v)
    expect(y.gradients(of: [v], weights: g, by: rules)[0]) { r, j in
      Double(g[r, j]) * Double(y[r, j]) / Double(x[r, j])
    }
    let up = Tensor([3, 10], normal: 1, Random(seed: 5)).variable
    let product = gatedSilu(v, up)
    let found = product.gradients(of: [v, up], weights: g, by: rules)
    // Each factor gets half: both relevances together are the product's.
    expect(found[0]) { r, j in
      Double(g[r, j]) * Double(product[r, j]) / Double(x[r, j]) / 2
    }
    expect(found[1]) { r, j in
      Double(g[r, j]) * Double(product[r, j]) / Double(up[r, j]) / 2
    }
  }

  @Test func frozenPatternsPassNothingOn() {
    let places = PatternLayout(Layout(counts: [7], visible: [.causal]), heads: 2)
    let q = Tensor([12, 8], normal: 1, Random(seed: 6)).variable
    let k = Tensor([12, 8], normal: 1, Random(seed: 7)).variable
    let v = Tensor([12, 8], normal: 1, Random(seed: 8)).variable
    let patterns = attentionPatterns(q, k, keyHeads: 2, scale: 0.5, places: places)
    let z = attended(patterns, v, keyHeads: 2, places: places)
    func sizes(_ rules: ReverseRules) -> [Float] {
      z.gradients(of: [q, k, v], by: rules).map { $0.numbers.reduce(0) { max($0, abs($1)) } }
    }
    let (frozen, open) = (sizes(rules), sizes(.relevance(freezingPatterns: false)))
    #expect(frozen[0] == 0 && frozen[1] == 0 && frozen[2] > 0.1)
    #expect(open[0] > 0.01 && open[1] > 0.01 && open[2] == frozen[2])
  }

  @Test func blockedTensorsPassNothingOn() {
    let v = x.variable
    let first = v * 2
    let sum = first + v * 3
    #expect(sum.gradients(of: [v])[0][0] == 5)
    let found = sum.gradients(of: [v, first], blocking: [first])
    #expect(found[0][0] == 3 && found[1][0] == 1)
  }
}
