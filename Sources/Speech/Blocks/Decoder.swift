// The language model that the architectures share: token embeddings, decoder layers of the Qwen2
// and Llama family, a final norm and a head (`paper/definitions.md`, D94).

import Tensor

/// Sizes of a decoder language model.
public struct DecoderConfig: Sendable, Equatable {
  public var vocabulary: Int
  public var width: Int
  public var layers: Int
  public var heads: Int
  /// Heads of keys and values, each of which serves heads / keyHeads query heads.
  public var keyHeads: Int
  public var mlp: Int
  public var maxPositions: Int
  public var epsilon: Double
  public var theta: Double
  /// The rescaling of rotary frequencies, if any.
  public var ropeScaling: RopeScaling?
  /// The width of a head, where it is not width / heads.
  public var givenHeadWidth: Int?
  /// The linear maps of a layer that have a bias.
  public var biases: Biases = []
  public var tiesEmbeddings = false
  /// Adapters beside the projections to queries and values.
  public var lowRank: LowRankConfig?

  /// The width of a head.
  public var headWidth: Int { givenHeadWidth ?? width / heads }

  /// Linear maps of a layer; Qwen2 has a bias on the first, Llama on none unless its file says so.
  public struct Biases: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    public static let queriesKeysValues = Biases(rawValue: 1)
    public static let output = Biases(rawValue: 2)
    public static let mlp = Biases(rawValue: 4)
  }

  /// Name and shape of every parameter behind `prefix`, as `model.layers.0.mlp.up_proj.weight`.
  func parameterShapes(_ prefix: String, head: String) -> [String: [Int]] {
    var shapes: [String: [Int]] = [:]
    let (queryWidth, keyWidth) = (headWidth * heads, headWidth * keyHeads)
    shapes[prefix + "embed_tokens.weight"] = [vocabulary, width]
    for i in 0..<layers {
      let layer = prefix + "layers.\(i)."
      func linear(_ name: String, _ outputs: Int, _ inputs: Int, _ kind: Biases) {
        shapes[layer + name + ".weight"] = [outputs, inputs]
        if biases.contains(kind) { shapes[layer + name + ".bias"] = [outputs] }
      }
      for (name, size) in [("q", queryWidth), ("k", keyWidth), ("v", keyWidth)] {
        linear("self_attn.\(name)_proj", size, width, .queriesKeysValues)
      }
      if let lowRank {
        for (name, size) in [("q", queryWidth), ("v", keyWidth)] {
          let adapter = layer + "self_attn.\(name)_proj.lora_"
          shapes[adapter + "A.default.weight"] = [lowRank.rank, width]
          shapes[adapter + "B.default.weight"] = [size, lowRank.rank]
        }
      }
      linear("self_attn.o_proj", width, queryWidth, .output)
      linear("mlp.gate_proj", mlp, width, .mlp)
      linear("mlp.up_proj", mlp, width, .mlp)
      linear("mlp.down_proj", width, mlp, .mlp)
      shapes[layer + "input_layernorm.weight"] = [width]
      shapes[layer + "post_attention_layernorm.weight"] = [width]
    }
    shapes[prefix + "norm.weight"] = [width]
    if !tiesEmbeddings { shapes[head] = [vocabulary, width] }
    return shapes
  }
}

/// Rank and scale of low-rank adapters.
public struct LowRankConfig: Sendable, Equatable {
  public let rank: Int
  public let scale: Float

  public init(rank: Int, scale: Float) {
    self.rank = rank
    self.scale = scale
  }
}

/// A decoder language model.
public struct Decoder: Sendable {
  public let config: DecoderConfig
  let embeddings: Matrix
  let blocks: [DecoderBlock]
  let norm: Tensor
  let head: Matrix
  public let rotaryTable: RotaryTable
  let stage: Site.Stage

  /// - Parameters:
  ///   - prefix: what the names of its parameters begin with
  ///   - head: the name of the head's weight
  init(
    _ config: DecoderConfig, _ p: Weights, _ prefix: String, head: String,
    stage: Site.Stage = .lm
  ) {
    self.config = config
    self.stage = stage
    embeddings = p.matrix(prefix + "embed_tokens.weight")
    blocks = (0..<config.layers).map { i in
      DecoderBlock(config, p, prefix + "layers.\(i).")
    }
    norm = p.named(prefix + "norm.weight")
    self.head = config.tiesEmbeddings ? p[head] ?? embeddings : p.matrix(head)
    rotaryTable = RotaryTable(config)
  }

  /// Runs on from before layer `layer` to the logits of some rows.
  ///
  /// - Parameters:
  ///   - x: the residual stream, in the rows of `layout`
  ///   - positions: the rotary position of each row
  ///   - rows: the rows whose logits are wanted
  ///   - prefix: keys and values of the positions before `layout`'s rows
  /// - Returns: [rows, vocabulary]
  func logits(
    _ x: Tensor, from layer: Int, layout: Layout, positions: [Int], rows: [Int],
    prefix: KeyValueCache? = nil, tap: Tap? = nil
  ) -> Tensor {
    let span = DecoderSpan(rows: layout, positions: positions, prefix: prefix)
    let table = rotaryTable.covering(positions)
    let isHeard = tap?.listens(to: Site(stage, .final)) == true
    var (x, rows) = (x, rows)
    for i in layer..<blocks.count {
      var span = span
      if i == blocks.count - 1, tap?.listens(to: stage, behindKeysOf: i) != true,
        let tail = layout.tail(holding: rows)
      {
        // Behind the last layer's keys and values only the wanted rows are read.
        span = DecoderSpan(rows: layout, wanted: tail, positions: positions, prefix: prefix)
        rows = layout.rows(rows, in: tail)
      }
      x = blocks[i](x, at: stage, layer: i, span: span, rotaryTable: table, tap: tap)
    }
    let logits: Tensor
    if let tap, isHeard {
      // A listener sees the site whole; without one only the wanted rows are computed.
      let final = tap(Site(stage, .final), rmsNorm(x, norm, epsilon: Float(config.epsilon)))
      logits = projectedRows(final, rows) { linear($0, head) }
    } else {
      logits = projectedRows(x, rows) {
        linear(rmsNorm($0, norm, epsilon: Float(config.epsilon)), head)
      }
    }
    return tap?(Site(stage, .logits), logits) ?? logits
  }

  /// One layer over whole sequences.
  func layer(
    _ index: Int, _ x: Tensor, layout: Layout, positions: [Int], prefix: KeyValueCache?, tap: Tap?
  ) -> Tensor {
    blocks[index](
      x, at: stage, layer: index,
      span: DecoderSpan(rows: layout, positions: positions, prefix: prefix),
      rotaryTable: rotaryTable.covering(positions), tap: tap)
  }

  /// The sites of the stage, from its input on.
  var sites: [Site] {
    [Site(stage, .embed)]
      + blocks.indices.flatMap { i in blocks[i].activations.map { Site(stage, i, $0) } }
      + [Site(stage, .final), Site(stage, .logits)]
  }
}

/// Some rows of what `projection` makes of `x`, row by row, to the bit.
///
/// Wanted rows move together into blocks, each within its half of a block. Where there is a gradient, whole
/// blocks are computed as they stand: a weight's slope is a sum over rows in their order.
func projectedRows(_ x: Tensor, _ rows: [Int], _ projection: (Tensor) -> Tensor) -> Tensor {
  if x.isDifferentiated {
    let blocks = Set(rows.map { $0 / rowBlock }).sorted()
    let places = Dictionary(uniqueKeysWithValues: blocks.enumerated().map { ($1, $0) })
    let gathered = gatherRows(
      x, blocks.flatMap { block in (0..<rowBlock).map { block * rowBlock + $0 } })
    return gatherRows(
      projection(gathered), rows.map { places[$0 / rowBlock]! * rowBlock + $0 % rowBlock })
  }
  let packed = PackedRows(rows)
  return gatherRows(projection(packed.taking(x)), packed.places)
}

extension DecoderBlock {
  /// The layer whose parameters begin with `layer`, by the names of the Llama and Qwen2 files.
  init(_ config: DecoderConfig, _ p: Weights, _ layer: String) {
    self.init(
      attentionNorm: p.named(layer + "input_layernorm.weight"),
      attention: AttentionWeights(
        q: p.linear(layer + "self_attn.q_proj"), k: p.linear(layer + "self_attn.k_proj"),
        v: p.linear(layer + "self_attn.v_proj"), out: p.linear(layer + "self_attn.o_proj"),
        adapters: config.lowRank.flatMap { p.adapters($0, layer + "self_attn.") }),
      mlpNorm: p.named(layer + "post_attention_layernorm.weight"),
      gate: p.linear(layer + "mlp.gate_proj"), up: p.linear(layer + "mlp.up_proj"),
      down: p.linear(layer + "mlp.down_proj"), heads: config.heads, keyHeads: config.keyHeads,
      epsilon: Float(config.epsilon))
  }
}

extension Weights {
  /// The adapters of an attention; nil where they are merged into its projections.
  fileprivate func adapters(_ config: LowRankConfig, _ attention: String) -> (
    q: LowRank, v: LowRank
  )? {
    func adapter(_ name: String) -> LowRank? {
      let prefix = attention + "\(name)_proj.lora_"
      guard self[prefix + "A.default.weight"] != nil else { return nil }
      return LowRank(
        down: linear(prefix + "A.default"), up: linear(prefix + "B.default"), scale: config.scale)
    }
    guard let q = adapter("q"), let v = adapter("v") else { return nil }
    return (q, v)
  }
}

extension RotaryTable {
  init(_ config: DecoderConfig) {
    self.init(
      positions: config.maxPositions, headWidth: config.headWidth, theta: config.theta,
      scaling: config.ropeScaling)
  }
}
