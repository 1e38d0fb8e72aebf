// The two transformer blocks that the architectures share: Whisper's encoder block and the
// decoder block of the Qwen2 and Llama family.

import Tensor

/// weight [out, in] and an optional bias [out].
public struct Linear: Sendable {
  public var weight: Tensor
  public var bias: Tensor?

  func callAsFunction(_ x: Tensor) -> Tensor { linear(x, weight, bias: bias) }
}

/// Weight and bias of a LayerNorm with epsilon 1e-5.
public struct LayerNorm: Sendable {
  public var weight: Tensor
  public var bias: Tensor

  func callAsFunction(_ x: Tensor) -> Tensor { layerNorm(x, weight, bias, epsilon: 1e-5) }
}

/// Projections of an attention.
public struct AttentionWeights: Sendable {
  public var q: Linear
  public var k: Linear
  public var v: Linear
  public var out: Linear

  /// The heads' outputs before the output projection, [rows, heads * headWidth].
  ///
  /// - Parameters:
  ///   - turned: applied to queries and keys, for rotary positions
  ///   - tapped: sees the patterns, laid out as `PatternLayout` says, and may replace them
  func z(
    _ y: Tensor, heads: Int, keyHeads: Int, scale: Float, layout: Layout,
    turned: (Tensor) -> Tensor, tapped: (Tensor) -> Tensor
  ) -> Tensor {
    let patterns = attentionPatterns(
      turned(q(y)), turned(k(y)), heads: heads, keyHeads: keyHeads, scale: scale, layout: layout)
    return attended(tapped(patterns), v(y), heads: heads, keyHeads: keyHeads, layout: layout)
  }
}

/// A layer of Whisper's encoder: pre-norm, bidirectional over the valid frames, GELU.
public struct EncoderBlock: Sendable {
  public var attentionNorm: LayerNorm
  public var attention: AttentionWeights
  public var mlpNorm: LayerNorm
  public var up: Linear
  public var down: Linear
  let heads: Int

  func callAsFunction(_ x: Tensor, layer: Int, layout: Layout, tap: Tap?) -> Tensor {
    func at(_ activation: Site.Activation, _ value: Tensor) -> Tensor {
      tap?(Site(.encoder, layer, activation), value) ?? value
    }
    let x = at(.residPre, x)
    let y = attentionNorm(x)
    let scale = 1 / Float(x.width / heads).squareRoot()
    let z = attention.z(
      y, heads: heads, keyHeads: heads, scale: scale, layout: layout, turned: { $0 },
      tapped: { at(.pattern, $0) })
    let mid = at(.residMid, x + at(.attnOut, attention.out(at(.z, z))))
    let post = at(.mlpPost, gelu(up(mlpNorm(mid))))
    return at(.residPost, mid + at(.mlpOut, down(post)))
  }
}

/// A layer of a Qwen2 or Llama decoder: RMSNorm, rotary positions, grouped keys, gated SiLU.
public struct DecoderBlock: Sendable {
  public var attentionNorm: Tensor
  public var attention: AttentionWeights
  public var mlpNorm: Tensor
  public var gate: Linear
  public var up: Linear
  public var down: Linear
  let heads: Int
  let keyHeads: Int
  let epsilon: Float

  func callAsFunction(
    _ x: Tensor, layer: Int, layout: Layout, positions: [Int], rotaryTable: RotaryTable, tap: Tap?
  ) -> Tensor {
    func at(_ activation: Site.Activation, _ value: Tensor) -> Tensor {
      tap?(Site(.lm, layer, activation), value) ?? value
    }
    let x = at(.residPre, x)
    let y = rmsNorm(x, attentionNorm, epsilon: epsilon)
    let scale = 1 / Float(rotaryTable.headWidth).squareRoot()
    let z = attention.z(
      y, heads: heads, keyHeads: keyHeads, scale: scale, layout: layout,
      turned: { rotary($0, positions: positions, table: rotaryTable) },
      tapped: { at(.pattern, $0) })
    let mid = at(.residMid, x + at(.attnOut, attention.out(at(.z, z))))
    let normed = rmsNorm(mid, mlpNorm, epsilon: epsilon)
    let post = at(.mlpPost, gatedSilu(gate(normed), up(normed)))
    return at(.residPost, mid + at(.mlpOut, down(post)))
  }
}
