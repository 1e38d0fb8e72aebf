// Soundwave's connector: pairs of encoder positions pass an adapter whose output is classified frame
// by frame as in connectionist temporal classification; the first frame of every run of one class is
// kept, and looks back at the kept frames.

import Tensor

/// The connector of Soundwave.
struct AlignmentConnector: Connector {
  private let projection: Linear
  private let attentionNorm: LayerNorm
  private let attention: AttentionWeights
  private let mlpNorm: LayerNorm
  private let up: Linear
  private let down: Linear
  private let outNorm: LayerNorm
  private let head: Matrix
  private let lookBack: AttentionWeights
  private let lookBackNorm: LayerNorm
  private let heads: Int
  private let timeAttention: Bool

  init(_ p: Weights, heads: Int, timeAttention: Bool) {
    let layer = "model.asr_transformer_encoder.layers.0."
    projection = p.linear("model.mm_projector1")
    attentionNorm = p.layerNorm(layer + "norm1")
    attention = p.packedAttention(layer + "self_attn")
    mlpNorm = p.layerNorm(layer + "norm2")
    up = p.linear(layer + "linear1")
    down = p.linear(layer + "linear2")
    outNorm = p.layerNorm("model.out_norm")
    head = p.matrix("model.audio_feature_head.weight")
    lookBack = p.packedAttention("model.lbm.encoder_attn")
    lookBackNorm = p.layerNorm("model.lbm.atten_layer_norm")
    self.heads = heads
    self.timeAttention = timeAttention
  }

  private static let adapter = Site.Stage(rawValue: "adapter")
  private static let ctc = Site.Stage(rawValue: "ctc")
  private static let lookBack = Site.Stage(rawValue: "lookback")
  private static let shrunk = Site(Site.Stage(rawValue: "shrink"), .out)
  private static func named(_ name: String) -> Site.Activation { Site.Activation(rawValue: name) }
  private static let (stack, proj, argmax) = (named("stack"), named("proj"), named("argmax"))
  private static let (q, k, v) = (named("q"), named("k"), named("v"))
  private static let (pattern, z) = (named("pattern"), named("z"))

  var sites: [Site] {
    let attended: [Site.Activation] = timeAttention ? [.q, .k, .pattern, .v, .z] : [.v]
    let adapter =
      [Self.stack, Self.proj] + attended
      + [.attnOut, .residMid, .mlpPre, .mlpPost, .mlpOut, .residPost, .out]
    return [Site(.encoder, .final)] + adapter.map { Site(Self.adapter, $0) }
      + [Site.Activation.logits, Self.argmax, .keep].map { Site(Self.ctc, $0) } + [Self.shrunk]
      + [Self.q, Self.k, Self.pattern, Self.v, Self.z, .attnOut].map { Site(Self.lookBack, $0) }
      + [Site(.connector, .out)]
  }

  var waist: Site { Self.shrunk }
  let dropsRows = true

  func entering(
    _ x: Tensor, norm: LayerNorm, heard: Tensor?, in batch: inout Batch, tap: Tap?
  ) -> Tensor {
    let final = norm(x)
    let frames = adapted(tap?(Site(.encoder, .final), final) ?? final, batch, tap)
    batch.splice(kept: kept(frames, batch, tap))
    let shrunk = gatherRows(frames, batch.audioRows)
    return tap?(Self.shrunk, shrunk) ?? shrunk
  }

  /// One pre-norm transformer layer and a norm, [frames, width].
  private func adapted(_ x: Tensor, _ batch: Batch, _ tap: Tap?) -> Tensor {
    func at(_ activation: Site.Activation, _ value: Tensor) -> Tensor {
      tap?(Site(Self.adapter, activation), value) ?? value
    }
    let stacked = at(Self.stack, stackedRows(x, 2, from: batch.encoder, to: batch.frames))
    let x = at(Self.proj, projection(stacked))
    let y = attentionNorm(x)
    let z: Tensor
    if timeAttention {
      let places = PatternLayout(batch.frames.seeingAll, heads: heads)
      let patterns = at(
        .pattern,
        attentionPatterns(
          at(.q, attention.q(y)), at(.k, attention.k(y)), keyHeads: heads,
          scale: 1 / Float(x.width / heads).squareRoot(), places: places))
      z = at(.z, attended(patterns, at(.v, attention.v(y)), keyHeads: heads, places: places))
    } else {
      z = at(.v, attention.v(y))
    }
    let mid = at(.residMid, x + at(.attnOut, attention.out(z)))
    let post = at(.mlpPost, relu(at(.mlpPre, up(mlpNorm(mid)))))
    return at(.out, outNorm(at(.residPost, mid + at(.mlpOut, down(post)))))
  }

  /// The frames that become tokens: the first, and each whose class is not its predecessor's.
  private func kept(_ frames: Tensor, _ batch: Batch, _ tap: Tap?) -> [[Int]] {
    if let frozen = batch.frozen, tap?.listens(to: Self.ctc) != true { return frozen }
    var best = Tensor([frames.rows, 1], classes(frames, tap).map(Float.init))
    if let tap { best = tap(Site(Self.ctc, Self.argmax), best) }
    var keep = [Float](repeating: 0, count: frames.rows)
    for (s, sequence) in batch.frames.sequences.enumerated() {
      for t in 0..<sequence.count {
        let row = sequence.start + t
        let changes = t == 0 || best[row] != best[row - 1]
        keep[row] = (batch.frozen?[s].contains(t) ?? changes) ? 1 : 0
      }
    }
    let mask = Tensor([frames.rows, 1], keep)
    let wanted = tap?(Site(Self.ctc, .keep), mask) ?? mask
    return batch.frames.sequences.map { sequence in
      (0..<sequence.count).filter { $0 == 0 || wanted[sequence.start + $0] != 0 }
    }
  }

  /// The class of every frame. Without a listener the logits, wide as the vocabulary, are never all
  /// there.
  private func classes(_ frames: Tensor, _ tap: Tap?) -> [Int] {
    if let tap, tap.listens(to: Site(Self.ctc, .logits)) {
      let logits = tap(Site(Self.ctc, .logits), linear(frames, head))
      return (0..<logits.rows).map(logits.largest(inRow:))
    }
    let block = 5 * rowBlock
    return stride(from: 0, to: frames.rows, by: block).flatMap { first in
      let rows = Array(first..<min(first + block, frames.rows))
      let logits = linear(gatherRows(frames.detached, rows), head)
      return (0..<logits.rows).map(logits.largest(inRow:))
    }
  }

  /// Attention from the kept frames to the kept frames, and a norm behind it.
  func leaving(_ x: Tensor, in batch: Batch, tap: Tap?) -> Tensor {
    func at(_ activation: Site.Activation, _ value: Tensor) -> Tensor {
      tap?(Site(Self.lookBack, activation), value) ?? value
    }
    let places = PatternLayout(batch.audio.seeingAll, heads: heads)
    let patterns = at(
      Self.pattern,
      attentionPatterns(
        at(Self.q, lookBack.q(x)), at(Self.k, lookBack.k(x)), keyHeads: heads,
        scale: 1 / Float(x.width / heads).squareRoot(), places: places))
    let z = at(
      Self.z, attended(patterns, at(Self.v, lookBack.v(x)), keyHeads: heads, places: places))
    let out = lookBackNorm(at(.attnOut, lookBack.out(z)) + x)
    return tap?(Site(.connector, .out), out) ?? out
  }

  func place(of site: Site, in batch: Batch, _ copy: Copy) -> Place? {
    let name = site.activation
    switch site.stage {
    case .encoder: return Place(batch.encoder, copy) { .centred($0, step: 20) }
    case Self.adapter, Self.ctc:
      return Site(site.stage, name).place(
        in: batch.frames.seeingAll, heads: heads, keyHeads: heads, copy
      ) { .centred(2 * $0, step: 20, count: 2) }
    case Self.lookBack where name == Self.pattern:
      return Place(
        batch.audio, heads: heads, pattern: PatternLayout(batch.audio.seeingAll, heads: heads),
        copy
      ) { span(ofToken: $0, in: batch) }
    default:
      let whole = name == .out || name == .attnOut
      return Place(batch.audio, heads: whole ? 1 : heads, copy) { span(ofToken: $0, in: batch) }
    }
  }

  /// From the kept frame to the next one.
  func span(ofToken index: Int, in batch: Batch) -> TimeSpan {
    let kept = batch.kept[0]
    let next = index + 1 < kept.count ? kept[index + 1] : batch.frames.sequences[0].count
    return .centred(2 * kept[index], step: 20, count: 2 * (next - kept[index]))
  }
}

extension Layout {
  /// The same sequences with every position visible to every other.
  var seeingAll: Layout {
    Layout(
      counts: sequences.map(\.count), visible: sequences.map { .all(keys: $0.count) },
      firsts: sequences.map(\.first))
  }
}

extension Weights {
  /// An attention whose projections to queries, keys and values lie below each other in one matrix.
  func packedAttention(_ prefix: String) -> AttentionWeights {
    let weight = matrix(prefix + ".in_proj_weight")
    let bias = named(prefix + ".in_proj_bias").reshaped([weight.rows, 1])
    let width = weight.width
    func part(_ index: Int) -> Linear {
      let rows = index * width..<(index + 1) * width
      return Linear(
        weight: weight.rows(rows), bias: gatherRows(bias, Array(rows)).reshaped([width]))
    }
    return AttentionWeights(q: part(0), k: part(1), v: part(2), out: linear(prefix + ".out_proj"))
  }
}
