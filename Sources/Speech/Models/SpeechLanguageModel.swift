// What every architecture offers: sound and tokens go in, logits come out, and every activation on
// the way has a name, a place and a span of time.

import Tensor

/// A model that turns sound and tokens into text.
public protocol SpeechLanguageModel: Sendable {
  /// Every site of the model, from sound to text.
  var sites: [Site] { get }
  /// Entries of the logits.
  var vocabulary: Int { get }
  /// The token of a prompt that the sound overwrites, where there is one.
  var placeholder: Int? { get }

  /// Seconds of sound that the model takes at most; it hears the beginning of a longer recording.
  var longestClip: Double { get }

  /// What the model takes of a recording.
  ///
  /// - Throws: where the recording is shorter than the model takes, or unusable.
  func clip(_ wave: Waveform) throws -> Clip

  /// The cuts of the chain, in the order of `sites`, of which each has its own.
  var cuts: [Cut] { get }

  /// A run at the first cut.
  ///
  /// - Parameters:
  ///   - input: a clip and tokens; what `tokens` are depends on the architecture
  ///   - remembering: whether the run keeps what runs like it need not compute again
  func begin(_ input: ModelInput, remembering: Bool, tap: Tap?) throws -> any RunState

  /// The most probable continuation, token by token; `progress` is called with each.
  ///
  /// - Parameter changing: what changes activations on the way
  /// - Throws: what the input's errors are, and where a model that speaks while it hears is to be changed
  func generate(
    _ input: ModelInput, _ config: GenerationConfig, changing: SpeakingTap?,
    progress: (Int) -> Void
  ) throws -> Generated
}

extension SpeechLanguageModel {
  /// The most probable continuation of what the model computes by itself.
  public func generate(
    _ input: ModelInput, _ config: GenerationConfig, progress: (Int) -> Void
  ) throws -> Generated {
    try generate(input, config, changing: nil, progress: progress)
  }
}

/// What a model is run on once.
public struct ModelInput: Sendable {
  public var clip: Clip
  /// The text side. Architectures that splice sound into a prompt take one placeholder token, or as
  /// many as the clip has audio tokens; an encoder-decoder takes the decoder's tokens.
  public var tokens: [Int]
  /// What is forced to be said behind `tokens`, such as what two answers share; of Moshi from the last
  /// frame of the clip on, a token a frame.
  public var forced: [Int] = []
  /// Texts that continue what is forced side by side, each seeing what was before and itself, so that
  /// one pass reads the probabilities of several answers. Their logits come last, in order.
  public var continuations: [[Int]] = []
  /// Soundwave: the connector's rows that become tokens, such as those of another run; nil where this
  /// run's sound decides.
  public var kept: [Int]?
  /// Which positions are computed, where the padding of a clip cannot reach the output.
  public var extent = Extent.valid
  /// LLaMA-Omni: how many of the last tokens are a response, which is then spoken in units.
  public var response: Int?
  /// Moshi: the codes of the model's own voice, by codebook and frame; those of silence where nil.
  public var voice: [[Int]]?

  public init(clip: Clip, tokens: [Int], kept: [Int]? = nil) {
    self.clip = clip
    self.tokens = tokens
    self.kept = kept
  }
}

/// One forward pass.
public struct ModelRun: Sendable {
  /// The logits of every text position, [positions, vocabulary].
  public let logits: Tensor
  /// The speech units of the response, where it was spoken.
  public let units: [Int]?
  private let places: @Sendable (Site) -> Place?

  public init(
    logits: Tensor, units: [Int]? = nil, places: @escaping @Sendable (Site) -> Place?
  ) {
    self.logits = logits
    self.units = units
    self.places = places
  }

  /// Where the positions of a site lie; nil where the model has no such site.
  public func place(of site: Site) -> Place? { places(site) }

  /// The same run with the logits of some rows alone, cut off from how they were made.
  public func reading(_ rows: [Int]) -> ModelRun {
    ModelRun(logits: gatherRows(logits.detached, rows), units: units, places: places)
  }

  /// The positions of a site without padding: [positions, width], or [heads, queries, keys] of a
  /// pattern.
  public func positions(of x: Tensor, at site: Site) -> Tensor? {
    guard let place = place(of: site) else { return nil }
    if let pattern = place.pattern { return pattern.pattern(of: 0, in: x) }
    return gatherRows(x.detached, place.rows)
  }
}

/// Where the positions of a site lie in the tensor that a tap sees.
public struct Place: Sendable {
  /// The row of each position.
  public let rows: [Int]
  /// The stretch of sound that each position stands for, where it stands for one.
  public let spans: [TimeSpan?]
  /// How many heads lie side by side, 1 where the vector is one.
  public let heads: Int
  /// How patterns are laid out, at the site of an attention pattern.
  public let pattern: PatternLayout?
  /// Neighbouring rows that are one step in time (the sub-steps of Moshi's depth transformer).
  public let rowsPerStep: Int

  public init(
    rows: [Int], spans: [TimeSpan?], heads: Int = 1, pattern: PatternLayout? = nil,
    rowsPerStep: Int = 1
  ) {
    self.rowsPerStep = rowsPerStep
    self.rows = rows
    self.spans = spans
    self.heads = heads
    self.pattern = pattern
  }

  /// The positions of all sequences of one of the runs that a layout stacks, in order.
  init(
    _ layout: Layout, heads: Int = 1, pattern: PatternLayout? = nil, _ copy: Copy,
    span: (Int) -> TimeSpan? = { _ in nil }
  ) {
    let rows = layout.sequences(of: copy).flatMap { sequence in
      (0..<sequence.count).map(sequence.row(of:))
    }
    self.init(rows: rows, spans: rows.indices.map(span), heads: heads, pattern: pattern)
  }
}

/// A stretch of time in milliseconds from the start of the clip, end excluded.
public struct TimeSpan: Hashable, Sendable {
  public let start: Double
  public let end: Double

  public init(_ start: Double, _ end: Double) {
    self.start = start
    self.end = end
  }

  public var centre: Double { (start + end) / 2 }

  /// What `count` positions from `first` on stand for, where position i is centred on i * step.
  static func centred(_ first: Int, step: Double, count: Int = 1) -> TimeSpan {
    TimeSpan(step * (Double(first) - 0.5), step * (Double(first + count) - 0.5))
  }
}
