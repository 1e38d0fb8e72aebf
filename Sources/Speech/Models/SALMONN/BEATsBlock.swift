// A layer of BEATs: post-norm with DeepNorm's scaled residual (Wang et al., 2022), and attention
// whose scores get a bias of relative position, gated by the query (Chi et al., 2022).

import Tensor

struct BEATsBlock: Sendable {
  private let attention: AttentionWeights
  private let gate: (linear: Linear, scale: Tensor)?
  private let attentionNorm: LayerNorm
  private let up: Linear
  private let down: Linear
  private let finalNorm: LayerNorm
  private let heads: Int
  /// What the residual stream is multiplied with before each sum.
  private let alpha: Float

  static let activations: [Site.Activation] = [
    .residPre, .q, .k, .gate, .pattern, .v, .z, .attnOut, .residMid, .mid, .mlpPre, .mlpPost,
    .mlpOut, .residPost,
  ]

  init(_ config: BEATsConfig, _ p: Weights, _ layer: String) {
    attention = AttentionWeights(
      q: p.linear(layer + "self_attn.q_proj"), k: p.linear(layer + "self_attn.k_proj"),
      v: p.linear(layer + "self_attn.v_proj"), out: p.linear(layer + "self_attn.out_proj"))
    gate =
      config.hasPositionBias && config.isGated
      ? (p.linear(layer + "self_attn.grep_linear"), p.named(layer + "self_attn.grep_a")) : nil
    attentionNorm = p.layerNorm(layer + "self_attn_layer_norm")
    up = p.linear(layer + "fc1")
    down = p.linear(layer + "fc2")
    finalNorm = p.layerNorm(layer + "final_layer_norm")
    heads = config.heads
    alpha = config.hasDeepNorm ? Float(2 * config.layers).squareRoot().squareRoot() : 1
  }

  /// - Parameters:
  ///   - table: the bias of each bucket of distances and each head
  ///   - buckets: the bucket of each distance from the most negative on
  func callAsFunction(
    _ x: Tensor, layer: Int, places: PatternLayout, table: Tensor?, buckets: [Int], tap: Tap?
  ) -> Tensor {
    func at(_ activation: Site.Activation, _ value: Tensor) -> Tensor {
      tap?(Site(.beats, layer, activation), value) ?? value
    }
    let x = at(.residPre, x)
    let (q, k) = (at(.q, attention.q(x)), at(.k, attention.k(x)))
    var bias: Tensor?
    if let table {
      var gates = Tensor([x.rows, heads], repeating: 1)
      if let gate {
        let units = gate.linear(q.reshaped([q.rows * heads, q.width / heads]))
        gates = at(.gate, positionGate(units, gate.scale, heads: heads))
      }
      bias = positionBias(gates, table, buckets: buckets, places: places)
    }
    let patterns = at(
      .pattern,
      attentionPatterns(
        q, k, keyHeads: heads, scale: 1 / Float(q.width / heads).squareRoot(), places: places,
        bias: bias))
    let z = at(.z, attended(patterns, at(.v, attention.v(x)), keyHeads: heads, places: places))
    let mid = at(
      .mid, attentionNorm(at(.residMid, x * alpha + at(.attnOut, attention.out(z)))))
    let post = at(.mlpPost, gelu(at(.mlpPre, up(mid))))
    return at(.residPost, finalNorm(mid * alpha + at(.mlpOut, down(post))))
  }
}
