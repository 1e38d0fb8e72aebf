// SALMONN's connector: the outputs of both encoders side by side, cut into windows, each read by one
// query of a small transformer (Li et al., 2023) and taken to the language model's width.

import JSON
import Tensor

/// Sizes of the query transformer, a BERT with cross-attention in every layer.
struct QFormerConfig: Sendable, Equatable {
  let width: Int
  let heads: Int
  let mlp: Int
  let layers: Int
  let epsilon: Float
  /// The width of what is read.
  let inputs: Int

  init(_ json: JSON, inputs: Int) throws {
    try json.requires("hidden_act", "gelu")
    try json.requires("cross_attention_freq", 1)
    try json.requires("add_cross_attention", true)
    try json.requires("query_length", 1)
    width = try json.size("hidden_size", usual: 768, upTo: 1 << 20)
    heads = try json.size("num_attention_heads", usual: 12, upTo: 1 << 20)
    mlp = try json.size("intermediate_size", usual: 3072, upTo: 1 << 24)
    layers = try json.size("num_hidden_layers", usual: 2, upTo: 1024)
    epsilon = Float(try json.positive("layer_norm_eps", usual: 1e-12))
    self.inputs = inputs
    guard width % heads == 0, json["encoder_width"]?.int ?? inputs == inputs else {
      throw JSONError(
        "the sizes of \"qformer\" do not fit: hidden_size should be a multiple of "
          + "num_attention_heads, and encoder_width \(inputs)")
    }
  }

  func parameterShapes(_ prefix: String) -> [String: [Int]] {
    var shapes: [String: [Int]] = [:]
    func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
      shapes[prefix + name + ".weight"] = [outputs, inputs]
      shapes[prefix + name + ".bias"] = [outputs]
    }
    func norm(_ name: String) {
      shapes[prefix + name + ".weight"] = [width]
      shapes[prefix + name + ".bias"] = [width]
    }
    norm("embeddings.LayerNorm")
    for i in 0..<layers {
      let layer = "encoder.layer.\(i)."
      for (name, read) in [("attention", width), ("crossattention", inputs)] {
        linear(layer + "\(name).self.query", width, width)
        linear(layer + "\(name).self.key", width, read)
        linear(layer + "\(name).self.value", width, read)
        linear(layer + "\(name).output.dense", width, width)
        norm(layer + "\(name).output.LayerNorm")
      }
      linear(layer + "intermediate_query.dense", mlp, width)
      linear(layer + "output_query.dense", width, mlp)
      norm(layer + "output_query.LayerNorm")
    }
    return shapes
  }
}

/// The connector of SALMONN.
struct QFormerConnector: Connector {
  private let window: Int
  private let step: Int
  let secondEncoder: SecondEncoder?
  private let speechNorm: LayerNorm
  private let query: Tensor
  private let queryNorm: LayerNorm
  private let blocks: [QFormerBlock]
  private let projection: Linear
  private let config: QFormerConfig

  init(_ model: SALMONNConfig, _ p: Weights) {
    (window, step) = (model.window, model.step)
    config = model.reader
    secondEncoder = model.beats.map {
      SecondEncoder(beats: BEATs($0, p, "beats."), norm: p.layerNorm("ln_audio"))
    }
    speechNorm = p.layerNorm("ln_speech")
    query = p.named("speech_query_tokens").reshaped([1, config.width])
    let bert = "speech_Qformer.bert."
    queryNorm = p.layerNorm(bert + "embeddings.LayerNorm", epsilon: config.epsilon)
    let reader = config
    blocks = (0..<reader.layers).map { QFormerBlock(reader, p, bert + "encoder.layer.\($0).") }
    projection = p.linear("speech_llama_proj")
  }

  private static let fuse = Site.Stage(rawValue: "fuse")
  private static let speech = Site(fuse, Site.Activation(rawValue: "speech"))
  private static let both = Site(fuse, Site.Activation(rawValue: "x"))

  var sites: [Site] {
    [Site(.encoder, .final), Self.speech, Self.both, Site(.qformer, .embed)]
      + blocks.indices.flatMap { i in QFormerBlock.activations.map { Site(.qformer, i, $0) } }
      + [Site(.connector, .out)]
  }

  var waist: Site { Self.both }

  func entering(
    _ x: Tensor, norm: LayerNorm, heard: Tensor?, in batch: inout Batch, tap: Tap?
  ) -> Tensor {
    func at(_ site: Site, _ value: Tensor) -> Tensor { tap?(site, value) ?? value }
    let final = at(Site(.encoder, .final), norm(x))
    var fused = at(Self.speech, speechNorm(final))
    if let secondEncoder, let heard {
      let tokens = secondEncoder.beats.layout(of: batch.clips)
      // The shorter side is continued with zeros, behind its norm.
      let rows = batch.encoder.stacked { s, t in
        t < tokens.sequences[s].count ? tokens.sequences[s].start + t : -1
      }
      fused = joiningColumns([fused, gatherRows(heard, rows)])
    }
    return at(Self.both, fused)
  }

  func leaving(_ fused: Tensor, in batch: Batch, tap: Tap?) -> Tensor {
    func at(_ site: Site, _ value: Tensor) -> Tensor { tap?(site, value) ?? value }
    let (queries, windows) = layouts(batch)
    let read = gatherRows(fused, windowRows(batch, windows))
    let start = queryNorm(query)
    var h = at(Site(.qformer, .embed), gatherRows(start, queries.stacked { _, _ in 0 }))
    for (i, block) in blocks.enumerated() {
      h = block(h, reading: read, layer: i, queries: queries, windows: windows, tap: tap)
    }
    return at(Site(.connector, .out), projection(gatherRows(h, queryRows(batch, queries))))
  }

  /// One sequence a window: its query, and its positions.
  private func layouts(_ batch: Batch) -> (queries: Layout, windows: Layout) {
    let count = batch.frames.sequences.reduce(0) { $0 + $1.count }
    let all = [Visibility](repeating: .all(keys: window), count: count)
    return (
      Layout(counts: [Int](repeating: 1, count: count), visible: all),
      Layout(counts: [Int](repeating: window, count: count), visible: all)
    )
  }

  /// The clip and the index in it of each window.
  private func owners(_ batch: Batch) -> [(clip: Int, index: Int)] {
    batch.frames.sequences.enumerated().flatMap { s, sequence in
      (0..<sequence.count).map { (s, $0) }
    }
  }

  private func windowRows(_ batch: Batch, _ windows: Layout) -> [Int] {
    let owners = owners(batch)
    return windows.stacked { w, t in
      batch.encoder.sequences[owners[w].clip].start + owners[w].index * step + t
    }
  }

  /// The query's row of each audio token.
  private func queryRows(_ batch: Batch, _ queries: Layout) -> [Int] {
    var first = 0
    let firsts = batch.frames.sequences.map { sequence in
      defer { first += sequence.count }
      return first
    }
    return batch.audio.stacked { s, t in queries.sequences[firsts[s] + t].start }
  }

  func place(of site: Site, in batch: Batch, _ copy: Copy) -> Place? {
    let (queries, windows) = layouts(batch)
    switch site.stage {
    case .encoder, Self.fuse: return Place(batch.encoder, copy) { .centred($0, step: 20) }
    case .qformer:
      let name = site.activation
      if name == .crossK || name == .crossV {
        return Place(windows, heads: config.heads, copy) { .centred($0, step: 20) }
      }
      let heads = [.crossQ, .crossZ, .crossPattern].contains(name) ? config.heads : 1
      let pattern =
        name == .crossPattern
        ? PatternLayout(queries: queries, keys: windows, heads: heads) : nil
      return Place(queries, heads: heads, pattern: pattern, copy) { span(ofToken: $0, in: batch) }
    default: return Place(batch.audio, copy) { span(ofToken: $0, in: batch) }
    }
  }

  func span(ofToken index: Int, in batch: Batch) -> TimeSpan {
    .centred(step * index, step: 20, count: window)
  }
}
