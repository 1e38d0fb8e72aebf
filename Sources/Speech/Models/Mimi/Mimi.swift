// Mimi (Défossez et al., 2024): strided convolutions and a windowed transformer turn samples into
// latents, which residual codebooks quantise; the way back is for listening.

import Tensor

extension Site.Stage {
  static let mimi = Site.Stage(rawValue: "mimi")
  static let mimiTransformer = Site.Stage(rawValue: "mimi.tr")
  static let mimiDecoder = Site.Stage(rawValue: "mimi.dec.tr")
}

extension Site.Activation {
  static let seanet = Site.Activation(rawValue: "seanet.out")
  static let latent = Site.Activation(rawValue: "latent")
  static let dequantised = Site.Activation(rawValue: "dequantised")
  static let upsample = Site.Activation(rawValue: "dec.upsample")
}

/// A Mimi codec.
public struct Mimi: Sendable {
  public let config: MimiConfig
  private let encoder: [MimiStep]
  private let encoderBlocks: [MimiBlock]
  private let downsample: Tensor
  private let quantizer: SplitQuantizer
  private let upsample: Upsampling
  private let decoderBlocks: [MimiBlock]
  private let decoder: [MimiStep]
  private let rotaryTable: RotaryTable

  /// A codec of these parameters, by the names of the Hugging Face files.
  public init(_ config: MimiConfig, _ p: Weights) {
    self.config = config
    encoder = config.encoderSteps.map { MimiStep($0, config, p) }
    decoder = config.decoderSteps.map { MimiStep($0, config, p) }
    func blocks(_ stack: String) -> [MimiBlock] {
      (0..<config.layers).map { MimiBlock(config, p, config.prefix + "\(stack).layers.\($0).") }
    }
    encoderBlocks = blocks("encoder_transformer")
    decoderBlocks = blocks("decoder_transformer")
    downsample = convolutionWeight(p.named(config.prefix + "downsample.conv.weight"))
    upsample = Upsampling(config, p)
    quantizer = SplitQuantizer(config, p)
    rotaryTable = RotaryTable(
      positions: 1 << 16, headWidth: config.headWidth, theta: config.theta,
      scaling: config.ropeScaling)
  }

  /// What a recording becomes.
  public struct Encoded: Sendable {
    /// Before quantisation, [frames, width].
    public let latent: Tensor
    /// By codebook and frame; the first is the semantic one.
    public let codes: [[Int]]
  }

  /// - Parameter samples: at the codec's rate; continued with zeros to whole frames
  public func encode(_ samples: [Float]) -> Encoded {
    let (start, layout) = convolved(samples, tap: nil)
    var x = start
    for i in encoderBlocks.indices { x = layer(i, x, layout, tap: nil) }
    let frames = self.frames(of: layout)
    let own = gatherRows(latent(x, layout, tap: nil), Array(frames.sequences[0].range))
    return Encoded(latent: own, codes: quantizer.codes(own))
  }

  /// Whole frames of samples through the convolutions, and the rows of the result.
  func convolved(_ samples: [Float], tap: Tap?) -> (Tensor, Layout) {
    let padding = (config.frame - samples.count % config.frame) % config.frame
    var (layout, x) = rows(samples + [Float](repeating: 0, count: padding))
    for step in encoder { (layout, x) = step(x, layout) }
    return (tap?(Site(.mimi, .seanet), x) ?? x, layout)
  }

  var layers: Int { encoderBlocks.count }

  /// One layer of the encoder's transformer over whole recordings.
  func layer(_ index: Int, _ x: Tensor, _ rows: Layout, tap: Tap?) -> Tensor {
    let windowed = windowed(rows)
    let positions = windowed.stacked(padding: 0) { _, t in t }
    return encoderBlocks[index](
      x, at: .mimiTransformer, layer: index, layout: windowed, positions: positions,
      table: rotaryTable.covering(positions), tap: tap)
  }

  private func windowed(_ rows: Layout) -> Layout {
    Layout(
      counts: rows.sequences.map(\.count),
      visible: rows.sequences.map { _ in .window(config.window) })
  }

  /// The frames of recordings of so many rows.
  func frames(of rows: Layout) -> Layout {
    Layout(
      counts: rows.sequences.map { $0.count / config.downsampling },
      visible: rows.sequences.map { _ in .causal })
  }

  /// What the codebooks quantise, in the rows of the frames.
  func latent(_ x: Tensor, _ rows: Layout, tap: Tap?) -> Tensor {
    let kernel = 2 * config.downsampling
    let latent = linear(
      unfolded(
        x, from: rows, to: frames(of: rows), kernel: kernel, step: config.downsampling,
        left: kernel - config.downsampling, repeatsFirst: true), downsample)
    return tap?(Site(.mimi, .latent), latent) ?? latent
  }

  /// By codebook and frame of latents without padding; the first is the semantic one.
  func codes(_ latents: Tensor) -> [[Int]] { quantizer.codes(latents) }

  /// - Parameter codes: by codebook and frame, all of them or the first few
  /// - Returns: samples at the codec's rate
  /// - Throws: where there are too many codebooks, their lengths differ, or a code does not exist
  public func decode(_ codes: [[Int]], tap: Tap? = nil) throws -> [Float] {
    let count = codes.first?.count ?? 0
    guard (1...config.quantizers).contains(codes.count), codes.allSatisfy({ $0.count == count }),
      codes.joined().allSatisfy((0..<config.codebookSize).contains)
    else {
      throw CheckpointError(
        "codes should come from 1 to \(config.quantizers) codebooks of \(config.codebookSize), as "
          + "many of each")
    }
    if count == 0 { return [] }
    let frames = Layout(counts: [count], visible: [.causal])
    let dequantised = gatherRows(quantizer.vectors(codes), frames.stacked { _, t in t })
    var x = tap?(Site(.mimi, .dequantised), dequantised) ?? dequantised
    var layout = Layout(
      counts: [count * config.downsampling], visible: [.window(config.window)])
    x = upsample(x, from: frames, to: layout)
    x = tap?(Site(.mimi, .upsample), x) ?? x
    x = transformed(x, layout, decoderBlocks, .mimiDecoder, tap)
    for step in decoder { (layout, x) = step(x, layout) }
    return gatherRows(x, Array(layout.sequences[0].range)).numbers
  }

  private func rows(_ samples: [Float]) -> (Layout, Tensor) {
    let layout = Layout(counts: [samples.count], visible: [.causal])
    return (layout, gatherRows(Tensor([samples.count, 1], samples), layout.stacked { _, t in t }))
  }

  private func transformed(
    _ x: Tensor, _ layout: Layout, _ blocks: [MimiBlock], _ stage: Site.Stage, _ tap: Tap?
  ) -> Tensor {
    let count = layout.sequences[0].count
    let windowed = Layout(counts: [count], visible: [.window(config.window)])
    let positions = windowed.stacked(padding: 0) { _, t in t }
    let table = rotaryTable.covering(positions)
    var x = x
    for (i, block) in blocks.enumerated() {
      x = block(
        x, at: stage, layer: i, layout: windowed, positions: positions, table: table, tap: tap)
    }
    return x
  }

  var encoderSites: [Site] {
    [Site(.mimi, .seanet)]
      + encoderBlocks.indices.flatMap { i in
        MimiBlock.activations.map { Site(.mimiTransformer, i, $0) }
      } + [Site(.mimi, .latent)]
  }

  /// The sites of the way back to samples.
  var decoderSites: [Site] {
    [Site(.mimi, .dequantised), Site(.mimi, .upsample)]
      + decoderBlocks.indices.flatMap { i in
        MimiBlock.activations.map { Site(.mimiDecoder, i, $0) }
      }
  }

  /// Where the positions of a site lie. Convolutions are causal: a position ends with its own sound.
  func place(of site: Site, rows: Layout, _ copy: Copy) -> Place {
    let perRow = config.frameDuration / Double(config.downsampling)
    let isFrame = site.activation == .latent || site.activation == .dequantised
    let step = isFrame ? config.frameDuration : perRow
    func span(_ i: Int) -> TimeSpan { TimeSpan(step * Double(i), step * Double(i + 1)) }
    return site.place(
      in: isFrame ? frames(of: rows) : windowed(rows), heads: config.heads,
      keyHeads: config.keyHeads, copy, span: span)
  }
}

/// The encoder alone, run like a model: in place of logits stand the latents of each frame.
extension Mimi: SpeechLanguageModel {
  public var sites: [Site] { encoderSites }
  public var vocabulary: Int { config.width }
  public var placeholder: Int? { nil }
  public var longestClip: Double { .infinity }

  public func clip(_ wave: Waveform) throws -> Clip {
    try wave.checkUsable("the recording")
    return Clip(samples: resampled(wave.samples, from: LogMel.rate, to: config.rate))
  }

  public var cuts: [Cut] {
    [Cut(Site(.mimi, .seanet), .other)]
      + (0..<layers).map { Cut(Site(.mimiTransformer, $0, .residPost)) }
      + [Cut(Site(.mimi, .latent), .other)]
  }

  public func begin(_ input: ModelInput, remembering: Bool, tap: Tap?) throws -> any RunState {
    guard input.forced.isEmpty, input.continuations.isEmpty else {
      throw CheckpointError(
        "Mimi is a codec and has no text in which an answer could be forced; compare two of its "
          + "numbers as answers of one token, or give a folder of Moshi")
    }
    return MimiRun(self, input.clip.samples, tap)
  }

  public func generate(
    _ input: ModelInput, _ config: GenerationConfig, changing: SpeakingTap?,
    progress: (Int) -> Void
  ) throws -> Generated {
    throw CheckpointError("Mimi is a codec and says nothing; give a folder of Moshi")
  }
}
