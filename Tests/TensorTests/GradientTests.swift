// Every operation's gradient against central differences. The objective is a weighted sum in
// Double, so that only the operation itself is in Float32.

import Tensor
import Testing

/// The largest difference between the reverse pass and central differences over all inputs.
///
/// Differences at h and h / 2 are extrapolated (Richardson), which leaves an error of h^4.
private func gradientError(_ inputs: [Tensor], _ f: ([Tensor]) -> Tensor) -> Double {
  let variables = inputs.map(\.variable)
  let result = f(variables)
  let weights = Tensor(result.shape, normal: 1, Random(seed: 3).split("weights"))
  let gradients = result.gradients(of: variables, weights: weights)
  func objective(_ inputs: [Tensor]) -> Double {
    let y = f(inputs).numbers
    return zip(y, weights.numbers).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }
  func difference(_ i: Int, _ j: Int, _ h: Float) -> Double {
    var (up, down) = (inputs[i].numbers, inputs[i].numbers)
    up[j] += h
    down[j] -= h
    var (above, below) = (inputs, inputs)
    above[i] = Tensor(inputs[i].shape, up)
    below[i] = Tensor(inputs[i].shape, down)
    return (objective(above) - objective(below)) / Double(up[j] - down[j])
  }
  var worst = 0.0
  for i in inputs.indices {
    let scale = gradients[i].numbers.reduce(0.05) { max($0, abs($1)) }
    // A gradient of zeros everywhere would make the comparison empty.
    if gradients[i].numbers.allSatisfy({ $0 == 0 }) { return .infinity }
    for j in 0..<inputs[i].count {
      let numeric = (4 * difference(i, j, 0.02) - difference(i, j, 0.04)) / 3
      worst = max(worst, abs(numeric - Double(gradients[i][j])) / Double(scale))
    }
  }
  return worst
}

private func random(_ shape: [Int], _ name: String, _ deviation: Double = 1) -> Tensor {
  Tensor(shape, normal: deviation, Random(seed: 1).split(name))
}

private let layout = Layout(
  counts: [5, 14, 9],
  visible: [.all(keys: 4), .causal, .branched(trunk: 4, branches: [4, 7])])

private let places = PatternLayout(layout, heads: 4)

struct GradientCase: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let inputs: [Tensor]
  let f: @Sendable ([Tensor]) -> Tensor
}

/// Sequences for convolutions, and what becomes of them at half and at twice the rate.
private let long = Layout(counts: [7, 4], visible: [.window(3), .window(2)])
private let halved = Layout(counts: [4, 2], visible: [.causal, .causal])
private let doubled = Layout(counts: [14, 8], visible: [.causal, .causal])
private let pairs = Layout(counts: [3, 2], visible: [.causal, .causal])
private let windowed = PatternLayout(long, heads: 2)

/// Away from the kink at 0.
private func bent(_ shape: [Int], _ name: String) -> Tensor {
  let x = random(shape, name)
  return Tensor(shape, x.numbers.map { $0 + ($0 < 0 ? -0.2 : 0.2) })
}

private let cases: [GradientCase] = [
  GradientCase(testDescription: "relu", inputs: [bent([3, 11], "relu")]) { relu($0[0]) },
  GradientCase(testDescription: "elu", inputs: [bent([3, 11], "elu")]) { elu($0[0]) },
  GradientCase(
    testDescription: "columns", inputs: [random([4, 3], "left"), random([4, 6], "right")]
  ) { joiningColumns([$0[0], $0[1], $0[0]]) },
  GradientCase(
    testDescription: "scaled columns", inputs: [random([4, 9], "x"), random([9], "scale")]
  ) { scaledColumns($0[0], by: $0[1]) },
  GradientCase(testDescription: "stacked rows", inputs: [random([long.rows, 3], "stack")]) {
    stackedRows($0[0], 2, from: long, to: pairs)
  },
  GradientCase(testDescription: "strided unfolding", inputs: [random([long.rows, 3], "u")]) {
    unfolded($0[0], from: long, to: halved, kernel: 4, step: 2, left: 2, repeatsFirst: true)
  },
  GradientCase(
    testDescription: "dilated unfolding of some channels", inputs: [random([long.rows, 5], "d")]
  ) {
    unfolded(
      $0[0], from: long, to: long, kernel: 3, step: 1, left: 4, dilation: 2, columns: 1..<4)
  },
  GradientCase(testDescription: "overlapping sum", inputs: [random([long.rows, 12], "o")]) {
    overlapped($0[0], from: long, to: doubled, kernel: 4, step: 2)
  },
  GradientCase(
    testDescription: "gate of positions", inputs: [random([6, 8], "units"), random([2], "s")]
  ) { positionGate($0[0], $0[1], heads: 2) },
  GradientCase(
    testDescription: "bias of positions",
    inputs: [random([long.rows, 2], "gates"), random([5, 2], "table")]
  ) {
    positionBias(
      $0[0], $0[1], buckets: (-8...8).map { abs($0) % 5 }, places: windowed)
  },
  GradientCase(
    testDescription: "patterns in a window, with a bias",
    inputs: [
      random([long.rows, 6], "q"), random([long.rows, 6], "k"), random([long.rows, 2], "gates"),
    ]
  ) {
    attentionPatterns(
      $0[0], $0[1], keyHeads: 2, scale: 0.5, places: windowed,
      bias: positionBias(
        $0[2], random([9, 2], "t"), buckets: (-8...8).map { abs($0) }, places: windowed))
  },
  GradientCase(
    testDescription: "sum, difference, scale", inputs: [random([3, 5], "a"), random([3, 5], "b")]
  ) { ($0[0] + $0[1] * 2) - $0[1] * 0.5 },
  GradientCase(testDescription: "gelu", inputs: [random([4, 11], "a", 2)]) { gelu($0[0]) },
  GradientCase(
    testDescription: "gated SiLU", inputs: [random([4, 11], "a", 2), random([4, 11], "b")]
  ) { gatedSilu($0[0], $0[1]) },
  GradientCase(testDescription: "reshape", inputs: [random([4, 6], "a")]) {
    gelu($0[0].reshaped([3, 8]))
  },
  GradientCase(testDescription: "gather rows", inputs: [random([5, 9], "a")]) {
    gatherRows($0[0], [4, 1, -1, 1, 0])
  },
  GradientCase(
    testDescription: "replace rows", inputs: [random([5, 9], "a"), random([2, 9], "b")]
  ) { replacingRows($0[0], at: [3, 1], with: $0[1]) },
  GradientCase(
    testDescription: "join rows", inputs: [random([2, 3], "a"), random([4, 3], "b")]
  ) { joiningRows([$0[1], $0[0], $0[1]]) },
  GradientCase(
    testDescription: "linear",
    inputs: [random([13, 7], "x"), random([5, 7], "w"), random([5], "b")]
  ) { linear($0[0], $0[1], bias: $0[2]) },
  GradientCase(
    testDescription: "layer norm",
    inputs: [random([6, 19], "x"), random([19], "w"), random([19], "b")]
  ) { layerNorm($0[0], $0[1], $0[2], epsilon: 1e-5) },
  GradientCase(testDescription: "RMS norm", inputs: [random([6, 19], "x"), random([19], "w")]) {
    rmsNorm($0[0], $0[1], epsilon: 1e-5)
  },
  GradientCase(
    testDescription: "attention patterns",
    inputs: [random([layout.rows, 12], "q"), random([layout.rows, 6], "k")]
  ) { attentionPatterns($0[0], $0[1], keyHeads: 2, scale: 0.6, places: places) },
  GradientCase(
    testDescription: "attention",
    inputs: [
      random([layout.rows, 12], "q"), random([layout.rows, 6], "k"), random([layout.rows, 6], "v"),
    ]
  ) {
    let p = attentionPatterns($0[0], $0[1], keyHeads: 2, scale: 0.6, places: places)
    return attended(p, $0[2], keyHeads: 2, places: places)
  },
  GradientCase(testDescription: "rotary positions", inputs: [random([4, 12], "x")]) {
    rotary(
      $0[0], positions: [0, 5, 2, 7],
      table: RotaryTable(positions: 8, headWidth: 6, theta: 10_000))
  },
  GradientCase(
    testDescription: "convolution",
    inputs: [
      random([Layout(counts: [9, 6], visible: [.causal, .causal]).rows, 4], "x"),
      random([5, 4, 3], "w"),
    ]
  ) {
    let input = Layout(counts: [9, 6], visible: [.causal, .causal])
    let output = Layout(counts: [5, 3], visible: [.causal, .causal])
    return linear(unfolded($0[0], from: input, to: output, step: 2), convolutionWeight($0[1]))
  },
  GradientCase(
    testDescription: "pooling",
    inputs: [random([Layout(counts: [9], visible: [.causal]).rows, 4], "x")]
  ) {
    pooledPairs(
      $0[0], from: Layout(counts: [9], visible: [.causal]),
      to: Layout(counts: [4], visible: [.causal]))
  },
  GradientCase(testDescription: "cross-entropy", inputs: [random([4, 9], "x")]) {
    crossEntropy($0[0], [3, -1, 8, 0], weights: [1, 1, 0.5, 2]).loss
  },
]

@Test("the reverse pass agrees with central differences", arguments: cases)
func gradientsAgree(_ test: GradientCase) {
  #expect(gradientError(test.inputs, test.f) < 2e-3)
}

@Test("a wrong gradient is noticed")
func wrongGradientIsNoticed() {
  // The gradient of gelu(x) + detached gelu(x) is half of what the values say.
  let x = random([3, 9], "x")
  #expect(gradientError([x]) { gelu($0[0]) + gelu($0[0]).detached } > 0.3)
}

@Test("contributions of several readers are summed, and a reader may be skipped")
func contributionsAreSummed() {
  let x = random([2, 8], "x").variable
  let doubled = (x + x) + x * 3
  #expect(doubled.gradients(of: [x])[0].numbers.allSatisfy { $0 == 5 })
  let other = random([2, 8], "y").variable
  #expect(doubled.gradients(of: [other])[0].numbers.allSatisfy { $0 == 0 })
}

@Test("gradients reach a tensor in the middle of a computation")
func gradientsOfIntermediates() {
  let x = random([2, 8], "x").variable
  let middle = x * 2
  let result = middle * 5
  let gradients = result.gradients(of: [middle, x])
  #expect(gradients[0].numbers.allSatisfy { $0 == 5 })
  #expect(gradients[1].numbers.allSatisfy { $0 == 10 })
}
