// The parts of Mimi: causal convolutions with residual units, transformer layers with scaled writes,
// and the split residual quantizer.

import Tensor

/// One step of the convolutional stacks.
struct MimiStep: Sendable {
  private let step: MimiConfig.Step
  private let weights: [Linear]
  private let residualKernel: Int

  init(_ step: MimiConfig.Step, _ config: MimiConfig, _ p: Weights) {
    self.step = step
    residualKernel = config.residualKernel
    func weight(_ name: String) -> Tensor { p.named(config.prefix + name + ".conv.weight") }
    func bias(_ name: String) -> Tensor { p.named(config.prefix + name + ".conv.bias") }
    switch step {
    case .convolution(let name, _, _, _, _):
      weights = [Linear(weight: convolutionWeight(weight(name)), bias: bias(name))]
    case .transposed(let name, let inputs, let outputs, let kernel, _):
      // [in, out, kernel] as the linear map [kernel * out, in] before the overlapping sum.
      let stored = weight(name).numbers
      var turned = [Float](repeating: 0, count: stored.count)
      for i in 0..<inputs {
        for o in 0..<outputs {
          for tap in 0..<kernel {
            turned[(tap * outputs + o) * inputs + i] = stored[(i * outputs + o) * kernel + tap]
          }
        }
      }
      weights = [Linear(weight: Tensor([kernel * outputs, inputs], turned), bias: bias(name))]
    case .residual(let name, _, _):
      let parts = ["block.1", "block.3"] + (config.hasShortcut ? ["shortcut"] : [])
      weights = parts.map { part in
        let own = "\(name).\(part)"
        return Linear(weight: convolutionWeight(weight(own)), bias: bias(own))
      }
    case .unit: weights = []
    }
  }

  func callAsFunction(_ x: Tensor, _ layout: Layout) -> (Layout, Tensor) {
    let count = layout.sequences[0].count
    switch step {
    case .unit: return (layout, elu(x))
    case .convolution(_, _, _, let kernel, let stride):
      let output = Layout(counts: [(count + stride - 1) / stride], visible: [.causal])
      let rows = unfolded(
        x, from: layout, to: output, kernel: kernel, step: stride, left: kernel - stride)
      return (output, weights[0](rows))
    case .transposed(_, _, let outputs, let kernel, let stride):
      let output = Layout(counts: [count * stride], visible: [.causal])
      let spread = linear(x, weights[0].weight)
      let sum = overlapped(spread, from: layout, to: output, kernel: kernel, step: stride)
      return (output, addingBias(sum, weights[0].bias, outputs))
    case .residual(_, _, let dilation):
      let rows = unfolded(
        elu(x), from: layout, to: layout, kernel: residualKernel, step: 1,
        left: (residualKernel - 1) * dilation, dilation: dilation)
      let carried = weights.count > 2 ? weights[2](x) : x
      return (layout, carried + weights[1](elu(weights[0](rows))))
    }
  }

  private func addingBias(_ x: Tensor, _ bias: Tensor?, _ width: Int) -> Tensor {
    guard let bias else { return x }
    return x
      + gatherRows(bias.reshaped([1, width]), [Int](repeating: 0, count: x.rows))
  }
}

/// A layer of Mimi's transformers: pre-norm, rotary positions, windowed attention, and a scale of
/// each channel on what is written.
struct MimiBlock: Sendable {
  private let attentionNorm: LayerNorm
  private let attention: AttentionWeights
  private let attentionScale: Tensor
  private let mlpNorm: LayerNorm
  private let up: Linear
  private let down: Linear
  private let mlpScale: Tensor
  private let config: MimiConfig

  static let activations: [Site.Activation] = [
    .residPre, .q, .rotQ, .k, .rotK, .pattern, .v, .z, .attnOut, .residMid, .mlpPre, .mlpPost,
    .mlpOut, .residPost,
  ]

  init(_ config: MimiConfig, _ p: Weights, _ layer: String) {
    attentionNorm = p.layerNorm(layer + "input_layernorm", epsilon: config.epsilon)
    attention = AttentionWeights(
      q: p.linear(layer + "self_attn.q_proj"), k: p.linear(layer + "self_attn.k_proj"),
      v: p.linear(layer + "self_attn.v_proj"), out: p.linear(layer + "self_attn.o_proj"))
    attentionScale = p.named(layer + "self_attn_layer_scale.scale")
    mlpNorm = p.layerNorm(layer + "post_attention_layernorm", epsilon: config.epsilon)
    up = p.linear(layer + "mlp.fc1")
    down = p.linear(layer + "mlp.fc2")
    mlpScale = p.named(layer + "mlp_layer_scale.scale")
    self.config = config
  }

  func callAsFunction(
    _ x: Tensor, at stage: Site.Stage, layer: Int, layout: Layout, positions: [Int],
    table: RotaryTable, tap: Tap?
  ) -> Tensor {
    func at(_ activation: Site.Activation, _ value: Tensor) -> Tensor {
      tap?(Site(stage, layer, activation), value) ?? value
    }
    let x = at(.residPre, x)
    let y = attentionNorm(x)
    let q = at(.rotQ, rotary(at(.q, attention.q(y)), positions: positions, table: table))
    let k = at(.rotK, rotary(at(.k, attention.k(y)), positions: positions, table: table))
    let places = PatternLayout(layout, heads: config.heads)
    let z = at(
      .z,
      attending(
        q, k, at(.v, attention.v(y)), keyHeads: config.keyHeads,
        scale: 1 / Float(config.headWidth).squareRoot(), places: places,
        seen: tap?.seeing(stage, layer)))
    let written = at(.attnOut, attention.out(z))
    let mid = at(.residMid, x + scaledColumns(written, by: attentionScale))
    let post = at(.mlpPost, gelu(at(.mlpPre, up(mlpNorm(mid)))))
    return at(.residPost, mid + scaledColumns(at(.mlpOut, down(post)), by: mlpScale))
  }
}

/// The way from frames of codes back to the positions of the transformer: a transposed convolution
/// in groups of channels, the published one of one channel each.
struct Upsampling: Sendable {
  private let stored: Tensor
  private let config: MimiConfig

  init(_ config: MimiConfig, _ p: Weights) {
    self.config = config
    stored = p.named(config.prefix + "upsample.conv.weight")
  }

  func callAsFunction(_ x: Tensor, from frames: Layout, to layout: Layout) -> Tensor {
    let (width, kernel) = (config.width, 2 * config.downsampling)
    // [in, out of its group, kernel]
    let size = width / config.upsampleGroups
    let taps = (0..<kernel).map { tap in
      if size == 1 {
        return scaledColumns(x, by: column(tap, of: stored.reshaped([width, kernel])))
      }
      var weight = [Float](repeating: 0, count: width * width)
      for i in 0..<width {
        for j in 0..<size {
          weight[(i / size * size + j) * width + i] = stored[(i * size + j) * kernel + tap]
        }
      }
      return linear(x, Tensor([width, width], weight))
    }
    return overlapped(
      joiningColumns(taps), from: frames, to: layout, kernel: kernel, step: config.downsampling)
  }
}

/// One column of a matrix.
private func column(_ index: Int, of x: Tensor) -> Tensor {
  Tensor([x.rows], (0..<x.rows).map { x[$0, index] })
}

/// The split residual quantizer: one codebook of its own for meaning, and a chain of codebooks, each
/// of what the one before left, for sound.
struct SplitQuantizer: Sendable {
  /// Without maps in and out where an entry is as wide as the latent.
  private let groups: [(input: Tensor?, output: Tensor?, books: [Tensor])]

  init(_ config: MimiConfig, _ p: Weights) {
    groups = config.quantizerGroups.map { name, count in
      let quantizer = config.prefix + "quantizer.\(name)_residual_vector_quantizer."
      let books = (0..<count).map { i -> Tensor in
        let sums = p.named(quantizer + "layers.\(i).codebook.embed_sum")
        let usage = p.named(quantizer + "layers.\(i).codebook.cluster_usage")
        var numbers = sums.numbers
        for j in numbers.indices { numbers[j] /= max(usage[j / sums.width], 1e-5) }
        return Tensor(sums.shape, numbers)
      }
      if config.codebookWidth == config.width { return (nil, nil, books) }
      return (
        p.named(quantizer + "input_proj.weight").reshaped([config.codebookWidth, config.width]),
        p.named(quantizer + "output_proj.weight").reshaped([config.width, config.codebookWidth]),
        books
      )
    }
  }

  /// The nearest entry of each codebook; the first of equals.
  ///
  /// - Parameter latent: [frames, width]
  /// - Returns: by codebook and frame
  func codes(_ latent: Tensor) -> [[Int]] {
    groups.flatMap { group -> [[Int]] in
      let entered = group.input.map { linear(latent.detached, $0) } ?? latent
      var rest = entered.numbers
      let width = entered.width
      return group.books.map { book in
        let entries = book.numbers
        return (0..<latent.rows).map { frame in
          var best = (code: 0, distance: Float.infinity)
          for code in 0..<book.rows {
            var sum: Float = 0
            for j in 0..<width {
              let d = rest[frame * width + j] - entries[code * width + j]
              sum += d * d
            }
            if sum < best.distance { best = (code, sum) }
          }
          for j in 0..<width { rest[frame * width + j] -= entries[best.code * width + j] }
          return best.code
        }
      }
    }
  }

  /// What the codes stand for, [frames, width].
  func vectors(_ codes: [[Int]]) -> Tensor {
    var first = 0
    var sum: Tensor?
    for group in groups {
      let own = codes[min(first, codes.count)..<min(first + group.books.count, codes.count)]
      first += group.books.count
      guard !own.isEmpty else { continue }
      var total: Tensor?
      for (book, row) in zip(group.books, own) {
        let entries = gatherRows(book, row)
        total = total.map { $0 + entries } ?? entries
      }
      let part = group.output.map { linear(total!, $0) } ?? total!
      sum = sum.map { $0 + part } ?? part
    }
    return sum!
  }
}
