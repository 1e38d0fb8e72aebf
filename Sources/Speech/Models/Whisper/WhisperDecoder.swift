// Whisper's decoder: causal attention over the text, attention to the encoder's output, GELU.

import Tensor

extension Site.Stage {
  public static let decoder = Site.Stage(rawValue: "decoder")
}

extension Site.Activation {
  static let crossQ = Site.Activation(rawValue: "cross.q")
  public static let crossK = Site.Activation(rawValue: "cross.k")
  public static let crossV = Site.Activation(rawValue: "cross.v")
  static let crossPattern = Site.Activation(rawValue: "cross.pattern")
  public static let crossZ = Site.Activation(rawValue: "cross.z")
  static let crossOut = Site.Activation(rawValue: "cross.out")
  /// The residual stream behind the attention to the text, and behind that to the sound.
  static let residMid1 = Site.Activation(rawValue: "resid_mid1")
  static let residMid2 = Site.Activation(rawValue: "resid_mid2")
}

/// Keys and values of the sound at each layer, the same for every step of a generation.
struct HeardSound: Sendable {
  let keys: [Tensor]
  let values: [Tensor]
}

/// Keys and values of the sound at one layer, and where those of each run lie.
struct CrossedSound {
  let key: Tensor
  let value: Tensor
  let keys: Layout
  let values: Layout
}

/// One layer of the decoder.
struct CrossDecoderBlock: Sendable {
  let attentionNorm: LayerNorm
  let attention: AttentionWeights
  let crossNorm: LayerNorm
  let cross: AttentionWeights
  let mlpNorm: LayerNorm
  let up: Linear
  let down: Linear
  let heads: Int

  static let activations: [Site.Activation] = [
    .residPre, .q, .k, .pattern, .v, .z, .attnOut, .residMid1, .crossQ, .crossK, .crossPattern,
    .crossV, .crossZ, .crossOut, .residMid2, .mlpPre, .mlpPost, .mlpOut, .residPost,
  ]

  /// - Parameters:
  ///   - x: the residual stream, in `rows`
  ///   - sound: keys and values of the sound
  ///   - prefix: keys and values of the text before `rows`
  ///   - wanted: the rows that are computed behind the keys and values of the text; all where nil
  /// - Returns: the residual stream in `rows`, or what is wanted of it
  func callAsFunction(
    _ x: Tensor, layer: Int, rows: Layout, sound: CrossedSound,
    prefix: (key: Tensor, value: Tensor)?, wanted: PackedRows? = nil, tap: Tap?
  ) -> Tensor {
    func at(_ activation: Site.Activation, _ value: Tensor) -> Tensor {
      tap?(Site(.decoder, layer, activation), value) ?? value
    }
    let scale = 1 / Float(x.width / heads).squareRoot()
    /// What the wanted queries gather; while they attend they stand in their sequences.
    func gathered(
      _ q: Tensor, _ k: Tensor, _ v: Tensor, _ places: PatternLayout, values: Layout? = nil,
      _ pattern: Site.Activation
    ) -> Tensor {
      let z = attending(
        wanted?.spreading(q, over: rows.rows) ?? q, k, v, keyHeads: heads, scale: scale,
        places: places, values: values, seen: tap?.seeing(.decoder, layer, pattern))
      return wanted?.taking(z) ?? z
    }
    let x = at(.residPre, x)
    let y = attentionNorm(x)
    let text = PatternLayout(
      queries: rows, keys: rows.beginning(at: rows.sequences.map { _ in 0 }), heads: heads)
    let (q, k) = (at(.q, attention.q(wanted?.taking(y) ?? y)), at(.k, attention.k(y)))
    let v = completing(at(.v, attention.v(y)), rows, with: prefix?.value)
    let z = at(.z, gathered(q, completing(k, rows, with: prefix?.key), v, text, .pattern))
    let middle = at(.residMid1, (wanted?.taking(x) ?? x) + at(.attnOut, attention.out(z)))

    let asking = at(.crossQ, cross.q(crossNorm(middle)))
    let (key, value) = (at(.crossK, sound.key), at(.crossV, sound.value))
    let heard: Tensor
    if wanted != nil, let clip = sound.keys.only, sound.values.only == clip {
      // All of them ask the same clip, as one sequence.
      let queries = Layout(counts: [asking.rows], visible: [.all(keys: clip.count)])
      heard = attending(
        asking, key, value, keyHeads: heads, scale: scale,
        places: PatternLayout(queries: queries, keys: sound.keys.shared(by: 1), heads: heads))
    } else {
      heard = gathered(
        asking, key, value, crossPlaces(rows, sound.keys), values: sound.values, .crossPattern)
    }
    let mid = at(.residMid2, middle + at(.crossOut, cross.out(at(.crossZ, heard))))
    let post = at(.mlpPost, gelu(at(.mlpPre, up(mlpNorm(mid)))))
    return at(.residPost, mid + at(.mlpOut, down(post)))
  }

  /// Every position of the text sees all of its own clip.
  func crossPlaces(_ rows: Layout, _ keys: Layout) -> PatternLayout {
    let queries = Layout(
      counts: rows.sequences.map(\.count),
      visible: keys.sequences.map { .all(keys: $0.count) }, firsts: rows.sequences.map(\.first))
    return PatternLayout(queries: queries, keys: keys, heads: heads)
  }
}

/// Whisper's decoder.
struct WhisperDecoder: Sendable {
  let config: WhisperConfig
  private let embeddings: Matrix
  private let positions: Matrix
  private let blocks: [CrossDecoderBlock]
  private let norm: LayerNorm
  private let head: Matrix

  init(_ config: WhisperConfig, _ p: Weights) {
    self.config = config
    let prefix = WhisperConfig.decoderPrefix
    embeddings = p.matrix(prefix + "embed_tokens.weight")
    positions = p.matrix(prefix + "embed_positions.weight")
    blocks = (0..<config.layers).map { i in
      let layer = prefix + "layers.\(i)."
      func attention(_ name: String) -> AttentionWeights {
        AttentionWeights(
          q: p.linear(layer + name + ".q_proj"), k: p.linear(layer + name + ".k_proj"),
          v: p.linear(layer + name + ".v_proj"), out: p.linear(layer + name + ".out_proj"))
      }
      return CrossDecoderBlock(
        attentionNorm: p.layerNorm(layer + "self_attn_layer_norm"),
        attention: attention("self_attn"),
        crossNorm: p.layerNorm(layer + "encoder_attn_layer_norm"),
        cross: attention("encoder_attn"), mlpNorm: p.layerNorm(layer + "final_layer_norm"),
        up: p.linear(layer + "fc1"), down: p.linear(layer + "fc2"), heads: config.heads)
    }
    norm = p.layerNorm(prefix + "layer_norm")
    head = config.tiesEmbeddings ? embeddings : p.matrix(WhisperConfig.headName)
  }

  /// The decoder's text.
  ///
  /// - Throws: where there is no token, too many in a row, or one outside the vocabulary.
  func checked(_ input: ModelInput) throws -> Prompt {
    let text = Prompt(input)
    let count = (text.positions.max() ?? -1) + 1
    guard !input.tokens.isEmpty, count <= config.maxPositions else {
      throw CheckpointError(
        "\(input.tokens.count) decoder tokens, \(count) with what is forced behind them; the model "
          + "takes 1 to \(config.maxPositions); give another prompt or shorter answers")
    }
    if let token = text.tokens.first(where: { !(0..<config.vocabulary).contains($0) }) {
      throw CheckpointError(
        "token \(token) is outside the vocabulary of \(config.vocabulary); Whisper's prompt has no "
          + "audio placeholder")
    }
    return text
  }

  /// Embeddings of tokens at positions from `first` on, [tokens, width].
  func embedded(_ tokens: [Int], from first: Int = 0) -> Tensor {
    gatherRows(embeddings, tokens) + gatherRows(positions, tokens.indices.map { first + $0 })
  }

  /// The same of a text in the rows of its layout.
  func embedded(_ text: Prompt, _ layout: Layout) -> Tensor {
    let rows = gatherRows(embeddings, text.tokens) + gatherRows(positions, text.positions)
    return gatherRows(rows, layout.stacked { _, t in t })
  }

  /// Keys and values of the sound.
  func heard(_ memory: Tensor) -> HeardSound {
    HeardSound(keys: blocks.map { $0.cross.k(memory) }, values: blocks.map { $0.cross.v(memory) })
  }

  var layers: Int { blocks.count }

  /// Keys and values of the sound at one layer.
  func crossing(_ memory: Tensor, layer: Int) -> (key: Tensor, value: Tensor) {
    let cross = blocks[layer].cross
    return (cross.k(memory), cross.v(memory))
  }

  /// One layer.
  ///
  /// - Parameters:
  ///   - sound: keys and values of the sound
  ///   - prefix: keys and values of the text before `rows`, at every layer
  ///   - wanted: the rows that are computed behind the keys and values of the text; all where nil
  func layer(
    _ index: Int, _ x: Tensor, rows: Layout, sound: CrossedSound, prefix: KeyValueCache?,
    wanted: PackedRows? = nil, tap: Tap?
  ) -> Tensor {
    blocks[index](
      x, layer: index, rows: rows, sound: sound,
      prefix: prefix.map { ($0.keys[index], $0.values[index]) }, wanted: wanted, tap: tap)
  }

  /// From behind the last layer to the logits of the wanted rows, [wanted, vocabulary].
  func read(_ x: Tensor, _ wanted: [Int], tap: Tap?) -> Tensor {
    let normed = norm(x)
    let final = tap?(Site(.decoder, .final), normed) ?? normed
    let logits = projectedRows(final, wanted) { linear($0, head) }
    return tap?(Site(.decoder, .logits), logits) ?? logits
  }

  /// - Returns: the logits of the wanted rows, [wanted, vocabulary]
  func logits(
    _ x: Tensor, rows: Layout, crossing heard: HeardSound, in sound: Layout, wanted: [Int],
    prefix: KeyValueCache? = nil, tap: Tap?
  ) -> Tensor {
    var x = x
    for i in blocks.indices {
      let crossed = CrossedSound(
        key: heard.keys[i], value: heard.values[i], keys: sound, values: sound)
      x = layer(i, x, rows: rows, sound: crossed, prefix: prefix, tap: tap)
    }
    return read(x, wanted, tap: tap)
  }

  var sites: [Site] {
    [Site(.decoder, .embed)]
      + blocks.indices.flatMap { i in
        CrossDecoderBlock.activations.map { Site(.decoder, i, $0) }
      } + [Site(.decoder, .final), Site(.decoder, .logits)]
  }

  func place(of site: Site, text: Layout, sound: Layout, _ copy: Copy) -> Place {
    let heads = config.heads
    switch site.activation {
    case .crossK, .crossV: return Place(sound, heads: heads, copy) { .centred($0, step: 20) }
    case .crossQ, .crossZ: return Place(text, heads: heads, copy)
    case .crossPattern:
      return Place(text, heads: heads, pattern: blocks[0].crossPlaces(text, sound), copy)
    default: return site.place(in: text, heads: heads, keyHeads: heads, copy) { _ in nil }
    }
  }
}
