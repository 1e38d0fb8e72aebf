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

/// What lies between the encoder's last layer and the language model. It has a waist, a site through
/// which everything passes.
public protocol Connector: Sendable {
  /// The sites between the encoder's last layer and the language model's input.
  var sites: [Site] { get }
  /// The one of them that everything passes.
  var waist: Site { get }

  /// From the encoder's last layer to the waist.
  ///
  /// - Parameters:
  ///   - x: the encoder's residual stream behind its last layer, before the norm
  ///   - norm: the encoder's final norm
  ///   - heard: what a second encoder has made of the clips
  ///   - batch: a connector that decides by the sound how many tokens a clip has says so here
  func entering(
    _ x: Tensor, norm: LayerNorm, heard: Tensor?, in batch: inout Batch, tap: Tap?
  ) -> Tensor
  /// From the waist to the audio tokens of a batch, in the rows of `batch.audio`.
  func leaving(_ x: Tensor, in batch: Batch, tap: Tap?) -> Tensor

  /// Where the positions of one of `sites` lie.
  func place(of site: Site, in batch: Batch, _ copy: Copy) -> Place?

  /// The stretch of sound that an audio token stands for.
  func span(ofToken index: Int, in batch: Batch) -> TimeSpan

  /// An encoder that hears the clips beside Whisper's, if there is one.
  var secondEncoder: SecondEncoder? { get }
  /// Whether the sound decides how many rows of the waist there are.
  var dropsRows: Bool { get }
}

extension Connector {
  public var secondEncoder: SecondEncoder? { nil }
  public var dropsRows: Bool { false }
}

/// A model of one of these architectures.
public struct AudioLanguageModel: SpeechLanguageModel {
  public let config: any AudioLanguageConfig
  public let encoder: WhisperEncoder
  let connector: any Connector
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

  public var sites: [Site] {
    (connector.secondEncoder?.sites ?? []) + encoder.sites + connector.sites + lm.sites
      + (generator?.sites ?? [])
  }

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

  /// The logits of every position of a text, with no sound at all: what the language model makes of the
  /// words alone.
  ///
  /// - Throws: where a token is outside the vocabulary, as the placeholder of sound may be
  public func logits(ofText tokens: [Int], tap: Tap? = nil) throws -> Tensor {
    try check(text: tokens)
    return lm.logits(
      ofEmbedded: gatherRows(lm.embeddings, tokens), rows: Array(tokens.indices), tap: tap)
  }

  /// What the language model says behind a text, with no sound at all, without the end token.
  ///
  /// - Throws: what `logits(ofText:)` throws
  public func generate(afterText tokens: [Int], _ config: GenerationConfig) throws -> [Int] {
    try check(text: tokens)
    return try lm.generate(
      after: gatherRows(lm.embeddings, tokens), prompt: tokens, config, progress: { _ in }
    ).tokens
  }

  private func check(text tokens: [Int]) throws {
    guard !tokens.isEmpty, tokens.allSatisfy((0..<vocabulary).contains) else {
      throw CheckpointError("a text without sound takes tokens of the vocabulary, one or more")
    }
  }

  /// Keys and values of a text with which prompts begin, before any sound.
  ///
  /// - Throws: where a token is outside the vocabulary
  public func keysValues(ofText tokens: [Int]) throws -> KeyValueCache {
    var found = KeyValueCache()
    let sites = (0..<lm.config.layers).map { (Site(.lm, $0, .rotK), Site(.lm, $0, .v)) }
    let tap = Tap(Set(sites.flatMap { [$0.0, $0.1] })) { site, x in
      if site.activation == .v { found.values.append(x) } else { found.keys.append(x) }
      return x
    }
    _ = try logits(ofText: tokens, tap: tap)
    return found
  }

  /// The logits of some rows of a batch from the connector's output on, where all prompts begin with the
  /// same text and its keys and values are known. Gradients go to the connector's output.
  ///
  /// - Parameters:
  ///   - rows: rows of `batch.lm`, of positions behind the text
  ///   - behind: how many positions the text has, a multiple of `rowBlock`, and what they hold; nil where
  ///     they are computed too, as those of adapters that are being trained
  /// - Returns: [rows, vocabulary], the same bits as `logits(after: .connector)` gives
  public func logits(
    ofProjected audio: Tensor, in batch: Batch, rows: [Int],
    behind text: (positions: Int, keysValues: KeyValueCache)?
  ) -> Tensor {
    let later = batch.beginning(at: batch.lm.sequences.map { _ in text?.positions ?? 0 })
    let x = gatherRows(spliced(audio, batch, nil), batch.lm.rows(of: later.lm))
    return logits(
      after: .lm(0), x, in: later, rows: batch.lm.rows(rows, in: later.lm),
      prefix: text?.keysValues)
  }

  /// The language model's input and its layout.
  func entered(_ input: ModelInput, tap: Tap? = nil) throws -> (x: Tensor, batch: Batch) {
    var batch = try batch(input)
    let x = entered(embedded(batch), from: 0, in: &batch, tap: tap)
    return (x, batch)
  }

  /// One input, laid out.
  func batch(_ input: ModelInput) throws -> Batch {
    var batch = try Batch(
      config.sound, clips: [input.clip], prompts: [Prompt(input)], extent: input.extent)
    batch.frozen = input.kept.map { [$0] }
    return batch
  }

  /// The language model's input from the encoder's residual stream before layer `layer`.
  ///
  /// - Parameter batch: laid out anew where the sound decides how many audio tokens there are
  public func entered(
    _ x: Tensor, from layer: Int, in batch: inout Batch, tap: Tap?
  ) -> Tensor {
    let heard = connector.secondEncoder?(batch.clips, tap: tap)
    let encoded = encoder(x, from: layer, layout: batch.encoder, tap: tap)
    let waist = connector.entering(
      encoded, norm: encoder.norm, heard: heard, in: &batch, tap: tap)
    return spliced(connector.leaving(waist, in: batch, tap: tap), batch, tap)
  }

  /// Token embeddings with the audio placeholders overwritten by the connector's output.
  func spliced(_ audio: Tensor, _ batch: Batch, _ tap: Tap?) -> Tensor {
    let text = gatherRows(lm.embeddings, batch.tokens)
    let x = replacingRows(
      text, at: batch.placeholderRows, with: gatherRows(audio, batch.realAudio))
    return tap?(Site(.lm, .embed), x) ?? x
  }

  /// Where the positions of a site lie in a batch, of one of its stacked runs.
  func place(of site: Site, in batch: Batch, _ copy: Copy) -> Place? {
    if let second = connector.secondEncoder, second.sites.contains(site) {
      return second.place(of: site, clips: batch.clips, copy)
    }
    switch site.stage {
    case .encoder where site.activation != .final:
      return site.place(
        in: batch.encoder, heads: config.encoder.heads, keyHeads: config.encoder.heads, copy
      ) { .centred($0, step: 20) }
    case .lm:
      let first = batch.firstAudio
      let count = batch.audio.sequences[0].count
      return site.place(
        in: batch.lm, heads: config.lm.heads, keyHeads: config.lm.keyHeads, copy
      ) { position in
        let token = position - first
        return (0..<count).contains(token) ? connector.span(ofToken: token, in: batch) : nil
      }
    default:
      return connector.place(of: site, in: batch, copy)
    }
  }
}

extension Site {
  /// The place of a site of a transformer layer whose rows are those of `layout`.
  ///
  /// - Parameter layout: rows that may begin behind the first positions
  func place(
    in layout: Layout, heads: Int, keyHeads: Int, _ copy: Copy, span: (Int) -> TimeSpan?
  ) -> Place {
    switch activation {
    case .pattern:
      let keys = layout.beginning(at: layout.sequences.map { _ in 0 })
      return Place(
        layout, heads: heads,
        pattern: PatternLayout(queries: layout, keys: keys, heads: heads), copy, span: span)
    case .q, .rotQ, .z: return Place(layout, heads: heads, copy, span: span)
    case .k, .rotK, .v: return Place(layout, heads: keyHeads, copy, span: span)
    default: return Place(layout, copy, span: span)
    }
  }
}

/// A cut at which everything that follows depends on one residual stream, for passes over a whole batch.
public enum Boundary: Hashable, Sendable {
  /// Before encoder layer i; `encoder(count)` is after the last.
  case encoder(Int)
  /// The connector's output.
  case connector
  /// Before layer i of the language model; `lm(count)` is after the last.
  case lm(Int)
}
