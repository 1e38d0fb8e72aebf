// Qwen2-Audio (Chu et al., 2024): a Whisper encoder, average pooling and a linear connector, and
// a Qwen2 language model whose audio placeholders are overwritten by the connector's output.

import Tensor

/// A Qwen2-Audio model.
public struct Qwen2Audio: Sendable {
  public let config: Qwen2AudioConfig
  let convolution1: Linear
  let convolution2: Linear
  let positions: Tensor
  let encoder: [EncoderBlock]
  let encoderNorm: LayerNorm
  let connector: Linear
  let embeddings: Tensor
  let decoder: [DecoderBlock]
  let finalNorm: Tensor
  let head: Tensor
  let rotaryTable: RotaryTable

  /// A model of these parameters, by their published names.
  public init(_ config: Qwen2AudioConfig, _ p: Parameters) {
    self.config = config
    let tower = "audio_tower."
    func convolution(_ name: String) -> Linear {
      Linear(
        weight: convolutionWeight(p.named(tower + name + ".weight")),
        bias: p.named(tower + name + ".bias"))
    }
    convolution1 = convolution("conv1")
    convolution2 = convolution("conv2")
    positions = p.named(tower + "embed_positions.weight")
    encoder = (0..<config.encoderLayers).map { i in
      let layer = tower + "layers.\(i)."
      return EncoderBlock(
        attentionNorm: p.layerNorm(layer + "self_attn_layer_norm"),
        attention: AttentionWeights(
          q: p.linear(layer + "self_attn.q_proj"), k: p.linear(layer + "self_attn.k_proj"),
          v: p.linear(layer + "self_attn.v_proj"), out: p.linear(layer + "self_attn.out_proj")),
        mlpNorm: p.layerNorm(layer + "final_layer_norm"), up: p.linear(layer + "fc1"),
        down: p.linear(layer + "fc2"), heads: config.encoderHeads)
    }
    encoderNorm = p.layerNorm(tower + "layer_norm")
    connector = p.linear("multi_modal_projector.linear")
    let model = "language_model.model."
    embeddings = p.named(model + "embed_tokens.weight")
    decoder = (0..<config.layers).map { i in
      let layer = model + "layers.\(i)."
      return DecoderBlock(
        attentionNorm: p.named(layer + "input_layernorm.weight"),
        attention: AttentionWeights(
          q: p.linear(layer + "self_attn.q_proj"), k: p.linear(layer + "self_attn.k_proj"),
          v: p.linear(layer + "self_attn.v_proj"), out: p.linear(layer + "self_attn.o_proj")),
        mlpNorm: p.named(layer + "post_attention_layernorm.weight"),
        gate: p.linear(layer + "mlp.gate_proj"), up: p.linear(layer + "mlp.up_proj"),
        down: p.linear(layer + "mlp.down_proj"), heads: config.heads, keyHeads: config.keyHeads,
        epsilon: Float(config.epsilon))
    }
    finalNorm = p.named(model + "norm.weight")
    head = config.tiesEmbeddings ? embeddings : p.named("language_model.lm_head.weight")
    rotaryTable = RotaryTable(
      positions: config.maxPositions, headWidth: config.width / config.heads,
      theta: config.theta)
  }

  /// Opens a checkpoint folder in the published layout.
  public init(folder: String) throws {
    let checkpoint = try Checkpoint(folder: folder)
    let config: Qwen2AudioConfig
    do { config = try Qwen2AudioConfig(checkpoint.config) } catch {
      throw CheckpointError("\(folder)/config.json: \(error)")
    }
    self.init(config, try config.parameters(from: checkpoint))
  }

  /// The residual stream that enters the encoder: two convolutions and positions; `encoder.embed`.
  public func embedded(_ batch: Batch) -> Tensor {
    let mel = gatherRows(joiningRows(batch.clips.map(\.mel)), batch.melRows)
    let first = gelu(
      convolution1(unfolded(mel, from: batch.melLayout, to: batch.convolved, step: 1)))
    let second = gelu(
      convolution2(unfolded(first, from: batch.convolved, to: batch.encoder, step: 2)))
    return second + gatherRows(positions, batch.encoderPositions)
  }

  /// Runs on from a boundary to the logits.
  ///
  /// - Parameters:
  ///   - x: the residual stream at the boundary, in its layout
  ///   - rows: the rows of the language model's layout whose logits are wanted
  ///   - prefix: keys and values of the positions before the batch's rows, where those do not begin
  ///     with the sequences
  /// - Returns: [rows, vocabulary]
  public func logits(
    after boundary: Boundary, _ x: Tensor, in batch: Batch, rows: [Int],
    prefix: KeyValueCache? = nil, tap: Tap? = nil
  ) -> Tensor {
    func at(_ site: Site, _ value: Tensor) -> Tensor { tap?(site, value) ?? value }
    var x = x
    var firstLayer = 0
    switch boundary {
    case .encoder(let layer):
      if layer == 0 { x = at(Site(.encoder, .embed), x) }
      for i in layer..<encoder.count {
        x = encoder[i](x, layer: i, layout: batch.encoder, tap: tap)
      }
      let pooled = pooledPairs(x, from: batch.encoder, to: batch.pooled)
      let normed = at(Site(.encoder, .final), encoderNorm(pooled))
      x = at(Site(.connector, .out), connector(gatherRows(normed, batch.audioRows)))
      x = at(Site(.lm, .embed), spliced(x, batch))
    case .connector:
      x = at(Site(.lm, .embed), spliced(x, batch))
    case .lm(let layer):
      firstLayer = layer
    }
    let span = DecoderSpan(rows: batch.lm, positions: batch.positions, prefix: prefix)
    var rows = rows
    for i in firstLayer..<decoder.count {
      var span = span
      if i == decoder.count - 1, tap == nil, let tail = batch.lm.tail(holding: rows) {
        // Behind the last layer only the wanted rows are read.
        span = DecoderSpan(
          rows: batch.lm, wanted: tail, positions: batch.positions, prefix: prefix)
        rows = batch.lm.rows(rows, in: tail)
      }
      x = decoder[i](x, layer: i, span: span, rotaryTable: rotaryTable, tap: tap)
    }
    if let tap {
      // A listener sees the site whole; without one only the wanted rows are computed.
      let final = tap(Site(.lm, .final), rmsNorm(x, finalNorm, epsilon: Float(config.epsilon)))
      return projected(final, rows) { $0 }
    }
    return projected(x, rows) { rmsNorm($0, finalNorm, epsilon: Float(config.epsilon)) }
  }

  /// The logits of some rows, computed in the blocks of `rowBlock` rows that hold them, so that
  /// they do not depend on which other rows are wanted.
  private func projected(_ x: Tensor, _ rows: [Int], _ norm: (Tensor) -> Tensor) -> Tensor {
    let blocks = Set(rows.map { $0 / rowBlock }).sorted()
    let places = Dictionary(uniqueKeysWithValues: blocks.enumerated().map { ($1, $0) })
    let gathered = gatherRows(
      x, blocks.flatMap { block in (0..<rowBlock).map { block * rowBlock + $0 } })
    return gatherRows(
      linear(norm(gathered), head),
      rows.map { places[$0 / rowBlock]! * rowBlock + $0 % rowBlock })
  }

  /// Token embeddings with the audio placeholders overwritten by the connector's output.
  private func spliced(_ audio: Tensor, _ batch: Batch) -> Tensor {
    let text = gatherRows(embeddings, batch.tokens)
    return replacingRows(text, at: batch.placeholderRows, with: gatherRows(audio, batch.realAudio))
  }
}

extension Qwen2Audio {
  /// The residual sites of the model, from sound to text, each with the boundary behind it.
  public var residualSites: [(site: Site, boundary: Boundary)] {
    var sites: [(site: Site, boundary: Boundary)] = [(Site(.encoder, .embed), .encoder(0))]
    sites += encoder.indices.map { (Site(.encoder, $0, .residPost), .encoder($0 + 1)) }
    sites.append((Site(.connector, .out), .connector))
    sites.append((Site(.lm, .embed), .lm(0)))
    sites += decoder.indices.map { (Site(.lm, $0, .residPost), .lm($0 + 1)) }
    return sites
  }
}

/// A cut through the model at which everything that follows depends on one residual stream.
public enum Boundary: Hashable, Sendable {
  /// Before encoder layer i; `encoder(count)` is after the last.
  case encoder(Int)
  /// The connector's output.
  case connector
  /// Before layer i of the language model; `lm(count)` is after the last.
  case lm(Int)
}
