// A layer of the query transformer: post-norm attention among the queries, to the window, and an MLP.

import Tensor

extension Site.Stage {
  static let qformer = Site.Stage(rawValue: "qformer")
}

extension Site.Activation {
  /// What the two attentions add, and the residual stream behind their norms, which is what the
  /// reference calls their output.
  static let selfDense = Site.Activation(rawValue: "self.dense")
  static let selfOut = Site.Activation(rawValue: "self.out")
  static let crossDense = Site.Activation(rawValue: "cross.dense")
}

struct QFormerBlock: Sendable {
  private let own: AttentionWeights
  private let ownNorm: LayerNorm
  private let cross: AttentionWeights
  private let crossNorm: LayerNorm
  private let up: Linear
  private let down: Linear
  private let norm: LayerNorm
  private let heads: Int

  static let activations: [Site.Activation] = [
    .residPre, .selfDense, .selfOut, .crossQ, .crossK, .crossPattern, .crossV, .crossZ, .crossDense,
    .crossOut, .mlpPre, .mlpPost, .mlpOut, .residPost,
  ]

  init(_ config: QFormerConfig, _ p: Weights, _ layer: String) {
    func attention(_ name: String) -> AttentionWeights {
      AttentionWeights(
        q: p.linear(layer + name + ".self.query"), k: p.linear(layer + name + ".self.key"),
        v: p.linear(layer + name + ".self.value"), out: p.linear(layer + name + ".output.dense"))
    }
    func norm(_ name: String) -> LayerNorm {
      p.layerNorm(layer + name + ".LayerNorm", epsilon: config.epsilon)
    }
    own = attention("attention")
    ownNorm = norm("attention.output")
    cross = attention("crossattention")
    crossNorm = norm("crossattention.output")
    up = p.linear(layer + "intermediate_query.dense")
    down = p.linear(layer + "output_query.dense")
    self.norm = norm("output_query")
    heads = config.heads
  }

  /// - Parameters:
  ///   - h: the queries, in `queries`
  ///   - x: what is read, in `windows`
  func callAsFunction(
    _ h: Tensor, reading x: Tensor, layer: Int, queries: Layout, windows: Layout, tap: Tap?
  ) -> Tensor {
    func at(_ activation: Site.Activation, _ value: Tensor) -> Tensor {
      tap?(Site(.qformer, layer, activation), value) ?? value
    }
    let scale = 1 / Float(h.width / heads).squareRoot()
    let h = at(.residPre, h)
    let alone = PatternLayout(queries.seeingAll, heads: heads)
    let patterns = attentionPatterns(
      own.q(h), own.k(h), keyHeads: heads, scale: scale, places: alone)
    let gathered = own.out(attended(patterns, own.v(h), keyHeads: heads, places: alone))
    let middle = at(.selfOut, ownNorm(at(.selfDense, gathered) + h))
    let places = PatternLayout(queries: queries, keys: windows, heads: heads)
    let crossPatterns = at(
      .crossPattern,
      attentionPatterns(
        at(.crossQ, cross.q(middle)), at(.crossK, cross.k(x)), keyHeads: heads, scale: scale,
        places: places))
    let z = at(
      .crossZ, attended(crossPatterns, at(.crossV, cross.v(x)), keyHeads: heads, places: places))
    let mid = at(.crossOut, crossNorm(at(.crossDense, cross.out(z)) + middle))
    let post = at(.mlpPost, gelu(at(.mlpPre, up(mid))))
    return at(.residPost, norm(at(.mlpOut, down(post)) + mid))
  }
}
