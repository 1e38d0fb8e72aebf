// Moshi's depth transformer: at every step in time it says one code after the other, with weights of
// its own for each of these sub-steps and no positions.

import Tensor

extension Site.Stage {
  static let depth = Site.Stage(rawValue: "depth")
}

/// The depth transformer.
struct DepthTransformer: Sendable {
  private let config: DepthConfig
  private let inputs: [Linear]
  private let textEmbeddings: Matrix
  private let embeddings: [Matrix]
  private let blocks: [DepthBlock]
  private let heads: [Linear]

  init(_ config: MoshiConfig, _ p: Weights) {
    self.config = config.depth
    inputs = p.steps("depth_decoder.input_projections.weight")
    textEmbeddings = p.matrix("depth_decoder.text_embed_tokens.weight")
    embeddings = (0..<config.codebooks - 1).map {
      p.matrix("depth_decoder.embed_tokens.\($0).weight")
    }
    blocks = (0..<config.depth.decoder.layers).map {
      DepthBlock(config.depth.decoder, p, "depth_decoder.layers.\($0).")
    }
    heads = p.steps("depth_decoder.lm_heads.weight")
  }

  /// Rows of the sub-steps: one sequence a step.
  func layout(steps: Int) -> Layout {
    Layout(
      counts: [Int](repeating: config.steps, count: steps),
      visible: [Visibility](repeating: .causal, count: steps))
  }

  /// All of it.
  ///
  /// - Returns: the logits of every sub-step in the layout of so many steps, [rows, codes]
  func callAsFunction(_ states: Tensor, _ tokens: [[Int]]) -> Tensor {
    var x = embedded(states, tokens, tap: nil)
    for i in blocks.indices { x = layer(i, x, steps: states.rows, tap: nil) }
    return logits(x, steps: states.rows, tap: nil)
  }

  /// What enters the first layer.
  ///
  /// - Parameters:
  ///   - states: the temporal transformer's final states, [steps, width]
  ///   - tokens: what each sub-step hears beside the state: the text token, then the codes of the
  ///     codebooks but the last; by sub-step and step
  func embedded(_ states: Tensor, _ tokens: [[Int]], tap: Tap?) -> Tensor {
    let entered = (0..<config.steps).map { k in
      inputs[k](states) + gatherRows(k == 0 ? textEmbeddings : embeddings[k - 1], tokens[k])
    }
    let x = SubSteps(layout(steps: states.rows), count: config.steps).joined(entered)
    return tap?(Site(.depth, .embed), x) ?? x
  }

  var layers: Int { blocks.count }

  /// One layer.
  func layer(_ index: Int, _ x: Tensor, steps: Int, tap: Tap?) -> Tensor {
    let layout = layout(steps: steps)
    return blocks[index](
      x, layer: index, layout: layout, parts: SubSteps(layout, count: config.steps), tap: tap)
  }

  /// The logits of every sub-step, [rows, codes].
  @discardableResult
  func logits(_ x: Tensor, steps: Int, tap: Tap?) -> Tensor {
    let logits = SubSteps(layout(steps: steps), count: config.steps).mapped(x, heads)
    return tap?(Site(.depth, .logits), logits) ?? logits
  }

  var sites: [Site] {
    [Site(.depth, .embed)]
      + blocks.indices.flatMap { i in DepthBlock.activations.map { Site(.depth, i, $0) } }
      + [Site(.depth, .logits)]
  }

  /// - Parameter steps: those of all stacked runs
  func place(of site: Site, steps: Int, _ copy: Copy, span: (Int) -> TimeSpan?) -> Place {
    let layout = layout(steps: steps)
    let own = site.place(
      in: layout, heads: config.decoder.heads, keyHeads: config.decoder.keyHeads, copy
    ) { span($0 / config.steps) }
    return Place(
      rows: own.rows, spans: own.spans, heads: own.heads, pattern: own.pattern,
      rowsPerStep: config.steps)
  }
}

/// The rows of each sub-step, and the way back to the rows of each step.
struct SubSteps {
  private let rows: [[Int]]
  private let back: [Int]

  init(_ layout: Layout, count: Int) {
    let steps = layout.sequences.count
    rows = (0..<count).map { k in layout.sequences.map { $0.start + k } }
    back = layout.stacked { step, k in k * steps + step }
  }

  /// The rows of all sub-steps, [steps, width] each, in the layout.
  func joined(_ parts: [Tensor]) -> Tensor { gatherRows(joiningRows(parts), back) }

  /// Each sub-step's rows through a map of its own.
  func mapped(_ x: Tensor, _ maps: [Linear]) -> Tensor {
    joined(zip(rows, maps).map { rows, map in map(gatherRows(x, rows)) })
  }
}

/// A layer of the depth transformer.
struct DepthBlock: Sendable {
  private let attentionNorm: Tensor
  private let (q, k, v, out): ([Linear], [Linear], [Linear], [Linear])
  private let mlpNorm: Tensor
  private let (gate, up, down): ([Linear], [Linear], [Linear])
  private let config: DecoderConfig

  static let activations: [Site.Activation] = [
    .residPre, .q, .k, .pattern, .v, .z, .attnOut, .residMid, .mlpGate, .mlpPre, .mlpPost, .mlpOut,
    .residPost,
  ]

  init(_ config: DecoderConfig, _ p: Weights, _ layer: String) {
    self.config = config
    attentionNorm = p.named(layer + "input_layernorm.weight")
    mlpNorm = p.named(layer + "post_attention_layernorm.weight")
    func attention(_ name: String) -> [Linear] {
      p.steps(layer + "self_attn.\(name)_proj.linear.weight")
    }
    (q, k, v, out) = (attention("q"), attention("k"), attention("v"), attention("o"))
    let wide = p.steps(layer + "mlp.fc1.weight")
    func half(_ first: Int) -> [Linear] {
      wide.map {
        Linear(weight: $0.weight.rows(first..<first + config.mlp), bias: nil)
      }
    }
    (gate, up) = (half(0), half(config.mlp))
    down = p.steps(layer + "mlp.fc2.weight")
  }

  func callAsFunction(_ x: Tensor, layer: Int, layout: Layout, parts: SubSteps, tap: Tap?) -> Tensor
  {
    func at(_ activation: Site.Activation, _ value: Tensor) -> Tensor {
      tap?(Site(.depth, layer, activation), value) ?? value
    }
    let (keyHeads, epsilon) = (config.keyHeads, Float(config.epsilon))
    let x = at(.residPre, x)
    let y = rmsNorm(x, attentionNorm, epsilon: epsilon)
    let places = PatternLayout(layout, heads: config.heads)
    let patterns = at(
      .pattern,
      attentionPatterns(
        at(.q, parts.mapped(y, q)), at(.k, parts.mapped(y, k)), keyHeads: keyHeads,
        scale: 1 / Float(config.headWidth).squareRoot(), places: places))
    let z = at(
      .z, attended(patterns, at(.v, parts.mapped(y, v)), keyHeads: keyHeads, places: places))
    let mid = at(.residMid, x + at(.attnOut, parts.mapped(z, out)))
    let normed = rmsNorm(mid, mlpNorm, epsilon: epsilon)
    let post = at(
      .mlpPost,
      gatedSilu(at(.mlpGate, parts.mapped(normed, gate)), at(.mlpPre, parts.mapped(normed, up))))
    return at(.residPost, mid + at(.mlpOut, parts.mapped(post, down)))
  }
}

extension Weights {
  /// The linear maps [steps, out, in] of the sub-steps.
  fileprivate func steps(_ name: String) -> [Linear] {
    let all = named(name)
    let (count, rows) = (all.shape[0], all.shape[1])
    return (0..<count).map {
      Linear(weight: gatherRows(all, Array($0 * rows..<($0 + 1) * rows)), bias: nil)
    }
  }
}
