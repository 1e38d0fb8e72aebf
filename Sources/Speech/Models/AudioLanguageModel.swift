// A speech language model that splices sound into a text model's input: Whisper's encoder, a
// connector, and a decoder whose placeholder embeddings are overwritten by the connector's output.
// Qwen2-Audio, SALMONN, Soundwave and LLaMA-Omni differ in their connector, and in their names.

import Tensor

/// The sizes and names of one such architecture, as its config.json gives them.
public protocol AudioLanguageConfig: ModelConfig {
  var encoder: EncoderConfig { get }
  var lm: DecoderConfig { get }
  /// How sound becomes tokens.
  var sound: SoundShape { get }
  /// What the encoder's and the decoder's parameters begin with, and the name of the head's weight.
  var encoderPrefix: String { get }
  var lmPrefix: String { get }
  var headName: String { get }

  func connector(_ parameters: Weights) -> any Connector
  /// What the model takes of a recording.
  func clip(_ wave: Waveform) throws -> Clip
  /// What turns the language model's text into speech units, where the model speaks.
  func generator(_ parameters: Weights) -> SpeechGenerator?
}

extension AudioLanguageConfig {
  public func clip(_ wave: Waveform) throws -> Clip { try encoder.clip(wave) }
  public func generator(_ parameters: Weights) -> SpeechGenerator? { nil }

  /// A head that a file holds counts, whatever config.json says of tied embeddings: the reference
  /// ties what is missing.
  public func weights(from checkpoint: Checkpoint) throws -> Weights {
    var weights = try weights(from: checkpoint, except: [])
    let names = aliases(of: headName)
    if lm.tiesEmbeddings, checkpoint.contains(names) {
      weights[headName] = try checkpoint.matrix(names, shape: [lm.vocabulary, lm.width])
    }
    return weights
  }

  public func substitute(for name: String) -> Tensor? {
    name == encoderPrefix + "embed_positions.weight" ? encoder.sinusoids : nil
  }
}

/// What lies between the encoder's last layer and the language model.
public protocol Connector: Sendable {
  /// The sites between the encoder's last layer and the language model's input.
  var sites: [Site] { get }

  /// The audio tokens of a batch, in the rows of `batch.audio`.
  ///
  /// - Parameters:
  ///   - x: the encoder's residual stream behind its last layer, before the norm
  ///   - norm: the encoder's final norm
  ///   - batch: a connector that decides by the sound how many tokens a clip has says so here
  func callAsFunction(_ x: Tensor, norm: LayerNorm, in batch: inout Batch, tap: Tap?) -> Tensor

  /// Where the positions of one of `sites` lie.
  func place(of site: Site, in batch: Batch) -> Place?

  /// The stretch of sound that an audio token stands for.
  func span(ofToken index: Int, in batch: Batch) -> TimeSpan

  /// The stage of an encoder that hears the clip beside Whisper's, if there is one, and the site where
  /// its output enters; runs on the same sound can take that output from `Batch.heard`.
  var secondEncoder: (stage: Site.Stage, output: Site)? { get }
}

extension Connector {
  public var secondEncoder: (stage: Site.Stage, output: Site)? { nil }
}

/// A model of one of these architectures.
public struct AudioLanguageModel: SpeechLanguageModel {
  public let config: any AudioLanguageConfig
  public let encoder: WhisperEncoder
  public let connector: any Connector
  public let lm: Decoder
  public let generator: SpeechGenerator?

  /// A model of these parameters, by their published names.
  public init(_ config: any AudioLanguageConfig, _ p: Weights) {
    self.config = config
    encoder = WhisperEncoder(config.encoder, p, config.encoderPrefix)
    connector = config.connector(p)
    lm = Decoder(config.lm, p, config.lmPrefix, head: config.headName)
    generator = config.generator(p)
  }

  /// A model of these parameters, all in Float32, as training holds them.
  public init(_ config: any AudioLanguageConfig, _ parameters: Parameters) {
    self.init(config, Weights(parameters))
  }

  public var vocabulary: Int { lm.config.vocabulary }

  public var placeholder: Int? { config.sound.placeholder }

  public var sites: [Site] { encoder.sites + connector.sites + lm.sites + (generator?.sites ?? []) }

  public var longestClip: Double { encoder.config.seconds }

  public func clip(_ wave: Waveform) throws -> Clip { try config.clip(wave) }

  /// The residual stream that enters the encoder; `encoder.embed`.
  public func embedded(_ batch: Batch) -> Tensor { encoder.embedded(batch.sound) }

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
    let layer: Int
    var (x, batch) = (x, batch)
    switch boundary {
    case .encoder(let first): (x, layer) = (entered(x, from: first, in: &batch, tap: tap), 0)
    case .connector: (x, layer) = (spliced(x, batch, tap), 0)
    case .lm(let first): layer = first
    }
    return lm.logits(
      x, from: layer, layout: batch.lm, positions: batch.positions, rows: rows, prefix: prefix,
      tap: tap)
  }

  public func run(_ input: ModelInput, tap: Tap?) throws -> ModelRun {
    let batch = try batch(input)
    return run(batch, from: embedded(batch), response: input.response, tap: tap)
  }

  /// The logits of every position of a text, with no sound at all: what the language model makes of the
  /// words alone.
  ///
  /// - Throws: where a token is outside the vocabulary, as the placeholder of sound may be
  public func logits(ofText tokens: [Int]) throws -> Tensor {
    guard !tokens.isEmpty, tokens.allSatisfy((0..<vocabulary).contains) else {
      throw CheckpointError("a text without sound takes tokens of the vocabulary, one or more")
    }
    let layout = Layout(counts: [tokens.count], visible: [.causal])
    let x = gatherRows(lm.embeddings, layout.stacked { _, t in tokens[t] })
    return lm.logits(
      x, from: 0, layout: layout, positions: layout.stacked(padding: 0) { _, t in t },
      rows: Array(tokens.indices))
  }

  /// The language model's input and its layout.
  func entered(_ input: ModelInput, tap: Tap? = nil) throws -> (x: Tensor, batch: Batch) {
    var batch = try batch(input)
    let x = entered(embedded(batch), from: 0, in: &batch, tap: tap)
    return (x, batch)
  }

  /// An input, as often as wanted.
  ///
  /// - Parameter spliced: the connector's rows that become tokens, for a run that is resumed behind
  ///   a connector that decides it by the sound
  public func batch(_ input: ModelInput, copies: Int = 1, spliced: [Int]? = nil) throws -> Batch {
    var batch = try Batch(
      config.sound, clips: [Clip](repeating: input.clip, count: copies),
      prompts: [Prompt](repeating: Prompt(input), count: copies), extent: input.extent)
    batch.frozen = input.kept.map { [[Int]](repeating: $0, count: copies) }
    if let spliced { batch.splice(kept: [[Int]](repeating: spliced, count: copies)) }
    return batch
  }

  /// One forward pass over a batch from `encoder.embed` on, with the logits of every position of the
  /// first sequence and, where the last tokens are a response, the units in which it is spoken.
  private func run(_ batch: Batch, from embedded: Tensor, response: Int?, tap: Tap?) -> ModelRun {
    var batch = batch
    let x = entered(embedded, from: 0, in: &batch, tap: tap)
    let positions = Array(batch.lm.sequences[0].range)
    var final: Tensor?
    let listening: Tap? =
      response == nil
      ? tap
      : { site, x in
        let x = tap?(site, x) ?? x
        if site == Site(.lm, .final) { final = x }
        return x
      }
    let logits = lm.logits(
      x, from: 0, layout: batch.lm, positions: batch.positions, rows: positions, tap: listening)
    var spoken: SpeechGenerator.Output?
    if let response, let generator, let final {
      spoken = generator(gatherRows(final, positions.suffix(response + 1)), tap: tap)
    }
    let (model, laid, speech) = (self, batch, spoken)
    return ModelRun(logits: logits, units: spoken?.units) { site in
      site.stage == .generator
        ? speech.map { model.generator!.place(of: site, in: $0.layout) }
        : model.place(of: site, in: laid)
    }
  }

  /// The language model's input from the encoder's residual stream before layer `layer`.
  ///
  /// - Parameter batch: laid out anew where the sound decides how many audio tokens there are
  public func entered(
    _ x: Tensor, from layer: Int, in batch: inout Batch, tap: Tap?
  ) -> Tensor {
    let encoded = encoder(x, from: layer, layout: batch.encoder, tap: tap)
    return spliced(connector(encoded, norm: encoder.norm, in: &batch, tap: tap), batch, tap)
  }

  /// Token embeddings with the audio placeholders overwritten by the connector's output.
  private func spliced(_ audio: Tensor, _ batch: Batch, _ tap: Tap?) -> Tensor {
    let text = gatherRows(lm.embeddings, batch.tokens)
    let x = replacingRows(
      text, at: batch.placeholderRows, with: gatherRows(audio, batch.realAudio))
    return tap?(Site(.lm, .embed), x) ?? x
  }

  /// Where the positions of a site lie in a batch.
  func place(of site: Site, in batch: Batch) -> Place? {
    switch site.stage {
    case .encoder where site.activation != .final:
      return site.place(
        in: batch.encoder, heads: config.encoder.heads, keyHeads: config.encoder.heads
      ) { .centred($0, step: 20) }
    case .lm:
      let first = batch.placeholderRows.first ?? 0
      return site.place(in: batch.lm, heads: config.lm.heads, keyHeads: config.lm.keyHeads) { row in
        let token = row - first
        return (0..<batch.realAudio.count).contains(token)
          ? connector.span(ofToken: token, in: batch) : nil
      }
    default:
      return connector.place(of: site, in: batch)
    }
  }
}

extension Site {
  /// The place of a site of a transformer layer whose rows are those of `layout`.
  func place(
    in layout: Layout, heads: Int, keyHeads: Int, span: (Int) -> TimeSpan?
  ) -> Place {
    switch activation {
    case .pattern:
      Place(layout, heads: heads, pattern: PatternLayout(layout, heads: heads), span: span)
    case .q, .rotQ, .z: Place(layout, heads: heads, span: span)
    case .k, .rotK, .v: Place(layout, heads: keyHeads, span: span)
    default: Place(layout, span: span)
    }
  }
}

extension AudioLanguageModel {
  /// The residual sites of the model, from sound to text, each with the boundary behind it.
  public var residualSites: [(site: Site, boundary: Boundary)] {
    var sites: [(site: Site, boundary: Boundary)] = [(Site(.encoder, .embed), .encoder(0))]
    sites += encoder.blocks.indices.map { (Site(.encoder, $0, .residPost), .encoder($0 + 1)) }
    sites.append((Site(.connector, .out), .connector))
    sites.append((Site(.lm, .embed), .lm(0)))
    sites += lm.blocks.indices.map { (Site(.lm, $0, .residPost), .lm($0 + 1)) }
    return sites
  }
}

extension AudioLanguageModel {
  /// The residual stream at the next boundary; nil behind the last layer of the language model.
  ///
  /// - Parameters:
  ///   - x: the residual stream at `boundary`, in its layout
  ///   - batch: a connector that decides by the sound how many tokens a clip has says so here
  ///   - prefix: keys and values of the positions before the batch's rows
  public func advanced(
    _ x: Tensor, from boundary: Boundary, in batch: inout Batch, prefix: KeyValueCache? = nil,
    tap: Tap? = nil
  ) -> (x: Tensor, boundary: Boundary)? {
    switch boundary {
    case .encoder(let layer) where layer < encoder.blocks.count:
      let block = encoder.blocks[layer]
      return (block(x, layer: layer, layout: batch.encoder, tap: tap), .encoder(layer + 1))
    case .encoder:
      return (connector(x, norm: encoder.norm, in: &batch, tap: tap), .connector)
    case .connector:
      return (spliced(x, batch, tap), .lm(0))
    case .lm(let layer) where layer < lm.blocks.count:
      let x = lm.layer(
        layer, x, layout: batch.lm, positions: batch.positions, prefix: prefix, tap: tap)
      return (x, .lm(layer + 1))
    case .lm:
      return nil
    }
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
