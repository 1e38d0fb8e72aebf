// The two transformer blocks that the architectures share: Whisper's encoder block and the
// decoder block of the Qwen2 and Llama family.

import Tensor

/// weight [out, in] and an optional bias [out].
public struct Linear: Sendable {
  public var weight: Matrix
  public var bias: Tensor?

  init(weight: Matrix, bias: Tensor?) {
    self.weight = weight
    self.bias = bias
  }

  init(weight: Tensor, bias: Tensor?) { self.init(weight: .float(weight), bias: bias) }

  func callAsFunction(_ x: Tensor) -> Tensor { linear(x, weight, bias: bias) }
}

/// Weight and bias of a LayerNorm.
public struct LayerNorm: Sendable {
  public var weight: Tensor
  public var bias: Tensor
  var epsilon: Float = 1e-5

  func callAsFunction(_ x: Tensor) -> Tensor { layerNorm(x, weight, bias, epsilon: epsilon) }
}

/// Projections of an attention.
public struct AttentionWeights: Sendable {
  public var q: Linear
  public var k: Linear
  public var v: Linear
  public var out: Linear
  /// Low-rank adapters beside the projections to queries and values.
  var adapters: (q: LowRank, v: LowRank)?
}

/// A low-rank adapter (Hu et al., 2022), scale * up(down(x)).
struct LowRank: Sendable {
  let down: Linear
  let up: Linear
  let scale: Float

  func callAsFunction(_ x: Tensor) -> Tensor { up(down(x)) * scale }
}

/// A layer of Whisper's encoder: pre-norm, bidirectional over the valid frames, GELU.
public struct EncoderBlock: Sendable {
  public var attentionNorm: LayerNorm
  public var attention: AttentionWeights
  public var mlpNorm: LayerNorm
  public var up: Linear
  public var down: Linear
  let heads: Int

  /// What a tap sees of a layer, in order.
  static let activations: [Site.Activation] = [
    .residPre, .q, .k, .pattern, .v, .z, .attnOut, .residMid, .mlpPre, .mlpPost, .mlpOut,
    .residPost,
  ]

  /// Queries, keys and values of a run, row by row.
  struct Projections {
    let x: Tensor
    let (q, k, v): (Tensor, Tensor, Tensor)

    init(x: Tensor, q: Tensor, k: Tensor, v: Tensor) {
      (self.x, self.q, self.k, self.v) = (x, q, k, v)
    }

    /// Those that a memory holds of a layer.
    init?(_ memory: RunMemory, layer: Int) {
      func output(_ activation: Site.Activation) -> Tensor? {
        memory.outputs[Site(.encoder, layer, activation)]
      }
      guard let x = output(.residPre), let q = output(.q), let k = output(.k), let v = output(.v)
      else { return nil }
      self.init(x: x, q: q, k: k, v: v)
    }

    func memory(layer: Int) -> RunMemory {
      var memory = RunMemory()
      for (activation, value) in [(Site.Activation.residPre, x), (.q, q), (.k, k), (.v, v)] {
        memory.outputs[Site(.encoder, layer, activation)] = value
      }
      return memory
    }
  }

  func projections(_ x: Tensor) -> Projections {
    let y = attentionNorm(x)
    return Projections(x: x, q: attention.q(y), k: attention.k(y), v: attention.v(y))
  }

  /// The same of runs that differ from a known one in some rows: the blocks of rows in which they do are
  /// computed.
  private func projections(_ x: Tensor, knowing known: Projections?) -> Projections {
    guard let known, !x.isDifferentiated else { return projections(x) }
    let blocks = x.differingBlocks(from: known.x)
    let rows = blocks.flatMap { $0 * rowBlock..<($0 + 1) * rowBlock }
    if 4 * rows.count > 3 * x.rows { return projections(x) }
    let copies = x.rows / known.x.rows
    let new = rows.isEmpty ? nil : projections(gatherRows(x, rows))
    func joined(_ own: Tensor, _ changed: Tensor?) -> Tensor {
      let all = own.repeated(copies)
      return changed.map { replacingRows(all, at: rows, with: $0) } ?? all
    }
    return Projections(
      x: x, q: joined(known.q, new?.q), k: joined(known.k, new?.k), v: joined(known.v, new?.v))
  }

  /// - Parameter known: queries, keys and values of a run that differs in some rows alone
  func callAsFunction(
    _ x: Tensor, layer: Int, layout: Layout, knowing known: Projections? = nil, tap: Tap?
  ) -> Tensor {
    func at(_ activation: Site.Activation, _ value: Tensor) -> Tensor {
      tap?(Site(.encoder, layer, activation), value) ?? value
    }
    let x = at(.residPre, x)
    let own = projections(x, knowing: known)
    let scale = 1 / Float(x.width / heads).squareRoot()
    let (q, k) = (at(.q, own.q), at(.k, own.k))
    let z = attending(
      q, k, at(.v, own.v), keyHeads: heads, scale: scale,
      places: PatternLayout(layout, heads: heads), seen: tap?.seeing(.encoder, layer))
    let mid = at(.residMid, x + at(.attnOut, attention.out(at(.z, z))))
    let post = at(.mlpPost, gelu(at(.mlpPre, up(mlpNorm(mid)))))
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

  /// What a tap sees of a layer, in order.
  static let activations: [Site.Activation] = [
    .residPre, .k, .rotK, .v, .q, .rotQ, .pattern, .z, .attnOut, .residMid, .mlpGate, .mlpPre,
    .mlpPost, .mlpOut, .residPost,
  ]

  /// What a tap sees of this layer.
  var activations: [Site.Activation] {
    guard attention.adapters != nil else { return Self.activations }
    return Self.activations.flatMap { $0 == .v ? [.loraV, .v] : $0 == .q ? [.loraQ, .q] : [$0] }
  }

  /// - Parameters:
  ///   - x: the residual stream, in the rows that `span` says
  ///   - stage: the stage whose layer it is
  ///   - span: which rows are there, and which of them are wanted
  /// - Returns: the residual stream in the wanted rows
  func callAsFunction(
    _ x: Tensor, at stage: Site.Stage = .lm, layer: Int, span: DecoderSpan,
    rotaryTable: RotaryTable, tap: Tap?
  ) -> Tensor {
    func at(_ activation: Site.Activation, _ value: Tensor) -> Tensor {
      tap?(Site(stage, layer, activation), value) ?? value
    }
    func with(_ adapter: LowRank?, _ name: Site.Activation, _ plain: Tensor, _ x: Tensor)
      -> Tensor
    {
      adapter.map { plain + at(name, $0(x)) } ?? plain
    }
    func turned(_ x: Tensor, _ positions: [Int]) -> Tensor {
      rotary(x, positions: positions, table: rotaryTable)
    }
    let x = at(.residPre, x)
    let y = rmsNorm(x, attentionNorm, epsilon: epsilon)
    let k = at(.rotK, turned(at(.k, attention.k(y)), span.positions))
    let v = at(.v, with(attention.adapters?.v, .loraV, attention.v(y), y))
    let asking = span.wanted(of: y)
    let q = at(
      .rotQ,
      turned(
        at(.q, with(attention.adapters?.q, .loraQ, attention.q(asking), asking)),
        span.wantedPositions))
    let places = PatternLayout(queries: span.wanted, keys: span.keys, heads: heads)
    let z = attending(
      q, completing(k, span.rows, with: span.prefix?.keys[layer]),
      completing(v, span.rows, with: span.prefix?.values[layer]), keyHeads: keyHeads,
      scale: 1 / Float(rotaryTable.headWidth).squareRoot(), places: places,
      seen: tap?.seeing(stage, layer))
    let mid = at(.residMid, span.wanted(of: x) + at(.attnOut, attention.out(at(.z, z))))
    let normed = rmsNorm(mid, mlpNorm, epsilon: epsilon)
    let post = at(
      .mlpPost, gatedSilu(at(.mlpGate, gate(normed)), at(.mlpPre, up(normed))))
    return at(.residPost, mid + at(.mlpOut, down(post)))
  }
}

/// Keys (after rotation) and values of one run at each layer, [rows, keyHeads * headWidth], for runs
/// that are resumed behind their first positions.
public struct KeyValueCache: Sendable {
  public var keys: [Tensor] = []
  public var values: [Tensor] = []

  public init() {}
}

/// The rows that a decoder layer reads and those that it is asked for.
struct DecoderSpan {
  /// The rows whose residual stream is there.
  let rows: Layout
  let positions: [Int]
  /// The rows that are wanted: all of `rows`, or the last of them.
  let wanted: Layout
  let wantedPositions: [Int]
  /// All rows of the sequences.
  let keys: Layout
  /// Keys and values of the positions before `rows`, which all sequences share.
  let prefix: KeyValueCache?
  private let selection: [Int]?

  init(rows: Layout, wanted: Layout? = nil, positions: [Int], prefix: KeyValueCache?) {
    self.rows = rows
    self.positions = positions
    self.prefix = prefix
    keys = rows.beginning(at: rows.sequences.map { _ in 0 })
    self.wanted = wanted ?? rows
    selection = wanted.map { rows.rows(of: $0) }
    wantedPositions = selection?.map { positions[$0] } ?? positions
  }

  func wanted(of x: Tensor) -> Tensor { selection.map { gatherRows(x, $0) } ?? x }
}
