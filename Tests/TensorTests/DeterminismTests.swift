// The determinism contract: bits do not depend on what else is computed in the same batch, and the
// functions are this package's own.

import Foundation
import Tensor
import Testing

@Test("OpenBLAS runs the pinned kernel on one thread; run the tests through make")
func kernelIsPinned() { #expect(Runtime.isPinned, "\(Runtime.description)") }

@Test(
  "rows of a product keep their bits in any batch of blocks",
  arguments: [(96, 96), (384, 96), (96, 384), (256, 96), (67, 18), (33, 400), (1, 96)])
func productsKeepTheirBits(_ outer: Int, _ inner: Int) {
  let x = Tensor([84, inner], normal: 1, Random(seed: 1))
  let w = Tensor([outer, inner], normal: 1, Random(seed: 2))
  let alone = linear(x, w)
  for copies in [2, 13, 60] {
    let other = Tensor([36, inner], normal: 1, Random(seed: 9))
    let stacked = linear(joiningRows([other] + Array(repeating: x, count: copies)), w)
    for copy in [0, copies / 2, copies - 1] {
      let rows = (0..<84).map { 36 + copy * 84 + $0 }
      #expect(gatherRows(stacked, rows).isIdentical(to: alone))
    }
  }
  // From a multiple of twelve on, as a resumed run computes them.
  let tail = linear(gatherRows(x, Array(24..<84)), w)
  #expect(tail.isIdentical(to: gatherRows(alone, Array(24..<84))))
}

@Test(
  "rows keep their bits where they move within their half of a block, and lose them beyond it",
  arguments: [(96, 96), (256, 96), (67, 18), (33, 400), (300, 512)])
func rowsMoveWithinHalves(_ outer: Int, _ inner: Int) {
  let x = Tensor([84, inner], normal: 1, Random(seed: 1))
  let w = Tensor([outer, inner], normal: 1, Random(seed: 2))
  let bias = Tensor([outer], normal: 1, Random(seed: 3))
  let alone = linear(x, w, bias: bias)
  let fifths = Array(stride(from: 4, to: 84, by: 12))
  // The fifth row of every block, as the last positions of stacked runs are; all; some, one of them twice.
  for rows in [fifths, Array((0..<84).reversed()), [7, 6, 83, 7, 0]] {
    let packed = PackedRows(rows)
    #expect(packed.sources.count % rowBlock == 0 && packed.sources.count <= 84)
    #expect(packed.places.map { packed.sources[$0] } == rows)
    let moved = linear(gatherRows(x, packed.sources), w, bias: bias)
    #expect(gatherRows(moved, packed.places).isIdentical(to: gatherRows(alone, rows)))
  }
  #expect(PackedRows(fifths).sources.count == 24)
  let crossing = linear(gatherRows(x, (0..<84).map { ($0 + 6) % 84 }), w, bias: bias)
  #expect(!gatherRows(crossing, (0..<84).map { ($0 + 78) % 84 }).isIdentical(to: alone))
}

@Test("a large weight is multiplied by block, each with its own rows")
func largeWeights() {
  let x = Tensor([12, 64], normal: 1, Random(seed: 1))
  let w = Tensor([70_000, 64], normal: 1, Random(seed: 2))
  let bias = Tensor([70_000], normal: 1, Random(seed: 3))
  let (blocks, whole) = (linear(x, Matrix.float(w), bias: bias), linear(x, w, bias: bias))
  let close = zip(blocks.numbers, whole.numbers).count { abs($0 - $1) <= 1e-4 }
  #expect(close == 12 * 70_000)
}

@Test("attention keeps its bits whatever is stacked with it")
func attentionKeepsItsBits() {
  let layout = Layout(counts: [47], visible: [.causal])
  let triple = Layout(counts: [30, 47, 47], visible: [.all(keys: 29), .causal, .causal])
  func inputs(_ seed: UInt64, _ rows: Int) -> [Tensor] {
    (0..<3).map { Tensor([rows, 96], normal: 1, Random(seed: seed + UInt64($0))) }
  }
  func run(_ x: [Tensor], _ layout: Layout) -> Tensor {
    let places = PatternLayout(layout, heads: 3)
    let p = attentionPatterns(x[0], x[1], keyHeads: 3, scale: 0.2, places: places)
    return attended(p, x[2], keyHeads: 3, places: places)
  }
  let own = inputs(1, layout.rows)
  let other = inputs(7, 36)
  let stacked = zip(own, other).map { joiningRows([$1, $0, $0]) }
  let alone = run(own, layout)
  let together = run(stacked, triple)
  for start in [36, 36 + 48] {
    #expect(
      gatherRows(together, (0..<47).map { start + $0 })
        .isIdentical(to: gatherRows(alone, Array(0..<47))))
  }
}

@Test("own elementary functions agree with the C library")
func elementaryFunctions() {
  var random = Random(seed: 5)
  var worst: [String: Double] = [:]
  func note(_ name: String, _ difference: Double) {
    worst[name] = max(worst[name] ?? 0, difference.isNaN ? .infinity : difference)
  }
  for _ in 0..<20_000 {
    let x = random.uniform(-40...40)
    note("exp", abs(Elementary.exp(x) / exp(x) - 1))
    note("sin", abs(Elementary.sin(x * 20) - sin(x * 20)))
    note("cos", abs(Elementary.cos(x * 20) - cos(x * 20)))
    let positive = exp(x)
    note("log", abs(Elementary.log(positive) - log(positive)) / max(1, abs(log(positive))))
    note("erf", abs(Elementary.erf(x / 8) - erf(x / 8)))
  }
  for (name, difference) in worst { #expect(difference < 4e-15, "\(name)") }
  for base in [-40.0, -700, -800, 0, 699, 720] {
    var x = SIMD8<Double>(repeating: 0)
    for lane in 0..<8 { x[lane] = base + random.uniform(-2...2) }
    #expect(Elementary.exp(x) == SIMD8(x.indices.map { Elementary.exp(x[$0]) }), "\(x)")
  }
  for scale in [1, 1e-10, 1e-300, 1e-310, 1e300, .infinity, 0, -1] {
    var x = SIMD8<Double>(repeating: 0)
    for _ in 0..<1000 {
      for lane in 0..<8 { x[lane] = scale * exp(random.uniform(-3...3)) }
      x[0] = abs(scale)
      let own = Elementary.log10(x)
      for lane in 0..<8 {
        #expect(own[lane].bitPattern == Elementary.log10(x[lane]).bitPattern, "\(x)")
      }
    }
  }
  #expect(Elementary.exp(-800) == 0 && Elementary.exp(800) == .infinity)
  #expect(Elementary.log(0) == -.infinity && Elementary.log(-1).isNaN)
}

@Test("vector functions stay within a few units in the last place of Double's")
func vectorFunctions() {
  let x = Tensor([4096], (0..<4096).map { Float($0 - 2048) / 300 })
  for (value, result) in zip(x.numbers, gelu(x).numbers) {
    let v = Double(value)
    let reference = 0.5 * v * (1 + erf(v / 2.0.squareRoot()))
    #expect(abs(Double(result) - reference) < 1e-6 * max(1, abs(v)))
  }
}

@Test("streams are split by name and do not disturb each other")
func randomStreams() {
  let root = Random(seed: 7)
  var a = root.split("a")
  var again = Random(seed: 7).split("a")
  var b = root.split("b")
  let first = (0..<4).map { _ in a.next() }
  _ = b.next()
  #expect(first == (0..<4).map { _ in again.next() })
  #expect(first[0] != root.split("b").split("a").key(0))
  var sum = 0.0
  var squares = 0.0
  var normal = root.split("normal")
  for _ in 0..<100_000 {
    let x = normal.normal()
    sum += x
    squares += x * x
  }
  #expect(abs(sum / 100_000) < 0.015 && abs(squares / 100_000 - 1) < 0.02)
  var order = root.split("order")
  #expect(order.permutation(50).sorted() == Array(0..<50))
}

extension Random {
  fileprivate func key(_ skip: Int) -> UInt64 {
    var copy = self
    for _ in 0..<skip { _ = copy.next() }
    return copy.next()
  }
}

@Test("results come in order, whatever the cores do, and errors are passed on")
func parallelMap() throws {
  let squares = try mapInParallel(100) { $0 * $0 }
  #expect(squares == (0..<100).map { $0 * $0 })
  struct Stop: Error {}
  #expect(throws: Stop.self) { try mapInParallel(10) { if $0 == 7 { throw Stop() } } }
}

@Test("AdamW follows its definition, and a step continues from stored moments")
func adamW() {
  let start: [Float] = [1, -2, 0.5, 3]
  let gradient: [Float] = [0.1, -0.2, 0.3, 0.05]
  func trained(_ steps: Int, interruptedAt stop: Int? = nil) -> [Float] {
    let p = Tensor([2, 2], start)
    var optimiser = AdamW(parameters: [p])
    for step in 0..<steps {
      if step == stop {
        let moments = optimiser.moments
        optimiser = AdamW(parameters: [p])
        optimiser.restore(moments, step: step)
      }
      optimiser.update([p], gradients: [Tensor([2, 2], gradient)], rate: 0.01, clip: 10)
    }
    return p.numbers
  }
  // With a constant gradient, each corrected step is the rate times the gradient's sign.
  for (result, (x, g)) in zip(trained(1), zip(start, gradient)) {
    #expect(abs(result - (x * (1 - 0.01 * 0.01) - 0.01 * (g > 0 ? 1 : -1))) < 1e-5)
  }
  #expect(trained(7) == trained(7, interruptedAt: 4))
  #expect(trained(7) != trained(6))
}
