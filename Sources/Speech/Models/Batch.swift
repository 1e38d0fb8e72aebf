// What a model is run on: clips with their prompts, stacked, and where each row of each stage
// belongs.

import Tensor

/// What a model takes of one recording.
public struct Clip: Sendable {
  /// Log-mel features, [frames, bands] of the whole padded clip.
  public let mel: Tensor
  /// Frames that hold sound.
  public let validFrames: Int
  /// Kaldi filterbank features, [frames, bands] of the sound alone, where a BEATs branch hears it.
  public let filterbank: Tensor?
  /// The recording at the model's own rate, where a codec hears it.
  public let samples: [Float]

  /// What makes one audio token.
  static let fewestFrames = 3

  public init(
    mel: Tensor, validFrames: Int, filterbank: Tensor? = nil, samples: [Float] = []
  ) {
    self.mel = mel
    self.validFrames = validFrames
    self.filterbank = filterbank
    self.samples = samples
  }

  /// What a codec takes: samples at its own rate.
  public init(samples: [Float]) {
    self.init(mel: Tensor([0, 1]), validFrames: 0, samples: samples)
  }
}

/// The tokens of the language model, with one audio placeholder or as many as the clip has audio
/// tokens.
public struct Prompt: Sendable, Equatable {
  public let tokens: [Int]
  /// Rotary position of each token.
  public let positions: [Int]
  public let visible: Visibility

  /// A plain sequence.
  public init(_ tokens: [Int]) {
    self.tokens = tokens
    positions = Array(tokens.indices)
    visible = .causal
  }

  /// What a model is told to read and say.
  init(_ input: ModelInput) {
    self.init(trunk: input.tokens + input.forced, branches: input.continuations)
  }

  /// Several continuations of one trunk, each of which sees the trunk and itself.
  public init(trunk: [Int], branches: [[Int]]) {
    tokens = trunk + branches.flatMap { $0 }
    positions = Array(trunk.indices) + branches.flatMap { $0.indices.map { trunk.count + $0 } }
    var starts: [Int] = []
    var start = trunk.count
    for branch in branches {
      starts.append(start)
      start += branch.count
    }
    visible = branches.isEmpty ? .causal : .branched(trunk: trunk.count, branches: starts)
  }

  private init(_ tokens: [Int], positions: some Sequence<Int>, visible: Visibility) {
    self.tokens = tokens
    self.positions = Array(positions)
    self.visible = visible
  }

  /// - Throws: where the prompt has neither one placeholder nor `count` of them in a row, or a token
  ///   or position is outside the model's range.
  func checked(_ count: Int, in shape: SoundShape) throws {
    let placeholder = shape.placeholder
    let own = tokens.indices.filter { tokens[$0] == placeholder }
    guard let first = own.first else {
      throw CheckpointError(
        "the prompt has 0 audio placeholders, the clip has \(count) audio tokens; put one placeholder "
          + "(token \(placeholder)) where the sound goes")
    }
    guard own.count == 1 || (own.count == count && own.last == first + count - 1) else {
      throw CheckpointError(
        "the prompt has \(own.count) audio placeholders, the clip has \(count) audio tokens; give "
          + "one placeholder, or \(count) in a row")
    }
    if case .branched(let trunk, _) = visible, first >= trunk {
      throw CheckpointError("the audio placeholder lies in a branch; put it into the trunk")
    }
    if let token = tokens.first(where: { $0 != placeholder && !(0..<shape.vocabulary ~= $0) }) {
      throw CheckpointError(
        "token \(token) of the prompt is outside the model's range, 0 to \(shape.vocabulary - 1); take "
          + "the tokens from the model's own tokenizer")
    }
    let last = (positions.max() ?? 0) + count - own.count
    guard last < shape.maxTokens else {
      throw CheckpointError(
        "position \(last) of the prompt with its audio is outside the model's range, 0 to "
          + "\(shape.maxTokens - 1); shorten the prompt or the audio")
    }
  }

  /// The prompt with `count` placeholders, in place of its only one where it has one.
  func holding(_ count: Int, of placeholder: Int) -> Prompt {
    guard let first = tokens.firstIndex(of: placeholder),
      count != 1, !tokens[(first + 1)...].contains(placeholder)
    else { return self }
    let whole = Array(
      tokens[..<first] + [Int](repeating: placeholder, count: count) + tokens[(first + 1)...])
    guard case .branched(let trunk, let branches) = visible else { return Prompt(whole) }
    let added = count - 1
    return Prompt(
      whole,
      positions: positions[...first] + (0..<added).map { first + 1 + $0 }
        + positions[(first + 1)...].map { $0 + added },
      visible: .branched(trunk: trunk + added, branches: branches.map { $0 + added }))
  }
}

/// How many positions of a clip's stages are computed.
public enum Extent: Sendable {
  /// Only those that can reach the output.
  case valid
  /// All of the padded clip, as the reference computes them.
  case padded
}

/// How sound becomes tokens of the language model.
public struct SoundShape: Sendable, Equatable {
  public var melBands: Int
  /// Encoder positions of a full clip, 20 ms each.
  public var positions: Int
  /// Whether what lies behind the clip's sound is hidden from the encoder and makes no tokens.
  public var masksPadding: Bool
  /// Encoder positions that make one row of the connector, and those from one row's first to the
  /// next row's.
  public var positionsPerRow: Int
  public var positionsBetweenRows: Int
  /// The token of a prompt that the sound overwrites.
  public var placeholder: Int
  /// Entries of the embedding table, and the most positions a prompt may have.
  public var vocabulary: Int
  public var maxTokens: Int

  /// Encoder positions that a clip's audio tokens come from.
  func keys(melFrames: Int) -> Int {
    masksPadding ? SoundShape.encoderPositions(melFrames: melFrames) : positions
  }

  /// The number of encoder positions that hold sound, from the number of valid mel frames.
  public static func encoderPositions(melFrames m: Int) -> Int { (m - 1) / 2 + 1 }

  /// The number of audio tokens of a clip with so many valid frames, where the connector makes one of
  /// each of its rows.
  public func audioTokens(melFrames: Int) -> Int { rows(positions: keys(melFrames: melFrames)) }

  /// The number of whole rows of the connector in so many encoder positions.
  func rows(positions: Int) -> Int {
    positions < positionsPerRow ? 0 : (positions - positionsPerRow) / positionsBetweenRows + 1
  }

  /// The fewest encoder positions that make so many rows.
  func positions(rows: Int) -> Int {
    rows == 0 ? 0 : positionsPerRow + (rows - 1) * positionsBetweenRows
  }
}

/// Clips stacked for the encoder.
public struct SoundBatch: Sendable {
  public let clips: [Clip]
  /// Rows of log-mel features, of the first and of the second convolution.
  let melLayout: Layout
  let convolved: Layout
  public let encoder: Layout
  /// For each stacked row, the row of the stage before that it takes, or -1.
  let melRows: [Int]
  let encoderPositions: [Int]

  /// - Parameters:
  ///   - positions: encoder positions of a full clip
  ///   - counts: how many of them are computed for each clip
  ///   - keys: how many of them can be attended to
  init(clips: [Clip], positions total: Int, counts: [Int], keys: [Int]) {
    self.clips = clips
    let free = keys.map { _ in Visibility.causal }
    melLayout = Layout(counts: counts.map { min(2 * $0 + 1, 2 * total) }, visible: free)
    convolved = Layout(counts: counts.map { 2 * $0 }, visible: free)
    encoder = Layout(counts: counts, visible: keys.map { .all(keys: $0) })
    melRows = melLayout.stacked { s, t in s * 2 * total + t }
    encoderPositions = encoder.stacked { _, t in t }
  }

  private init(clips: [Clip], encoder: Layout) {
    (self.clips, self.encoder) = (clips, encoder)
    (melLayout, convolved, melRows, encoderPositions) = (encoder, encoder, [], [])
  }

  /// One clip so many times, behind the convolutions.
  func repeated(_ copies: Int) -> SoundBatch {
    SoundBatch(
      clips: (0..<copies).flatMap { _ in clips }, encoder: encoder.repeated(copies))
  }

  /// Whole padded clips, all of whose positions see each other.
  public init(_ config: EncoderConfig, clips: [Clip]) throws {
    try SoundBatch.check(clips, bands: config.melBands, positions: config.positions)
    let counts = clips.map { _ in config.positions }
    self.init(clips: clips, positions: config.positions, counts: counts, keys: counts)
  }

  /// Refuses features of other sizes than the encoder's.
  static func check(_ clips: [Clip], bands: Int, positions: Int) throws {
    for clip in clips {
      guard clip.mel.width == bands, clip.mel.rows == 2 * positions else {
        throw CheckpointError(
          "features of \(clip.mel.rows) frames and \(clip.mel.width) bands, "
            + "the model takes \(2 * positions) and \(bands)")
      }
      guard clip.validFrames >= Clip.fewestFrames, clip.validFrames <= 2 * positions else {
        throw CheckpointError(
          "a clip of \(clip.validFrames) frames of 10 ms; the model takes \(Clip.fewestFrames) to "
            + "\(2 * positions)")
      }
    }
  }
}

/// Clips and prompts stacked for one pass.
public struct Batch: Sendable {
  let shape: SoundShape
  public private(set) var sound: SoundBatch
  private var given: [Prompt]
  /// The prompts with as many placeholders as their clips have audio tokens.
  public private(set) var prompts: [Prompt]
  /// The rows of the connector that become tokens, where they are not to be decided by this run's
  /// sound.
  public var frozen: [[Int]]?
  /// Rows of the connector.
  private(set) var frames: Layout
  /// Audio tokens, the rows of `connector.out`.
  public private(set) var audio: Layout
  /// Positions of the language model.
  public private(set) var lm: Layout

  /// For each audio row the row of the connector that it takes, or -1.
  private(set) var audioRows: [Int]
  /// The rows of the connector that became audio tokens, by clip.
  private(set) var kept: [[Int]] = []
  private(set) var tokens: [Int]
  private(set) var positions: [Int]
  private(set) var placeholderRows: [Int]
  private(set) var realAudio: [Int]

  public var clips: [Clip] { sound.clips }
  /// The rows of the connector before any is dropped, clip by clip.
  public var rowsOfConnector: [Range<Int>] { frames.sequences.map(\.range) }
  public var encoder: Layout { sound.encoder }
  /// The position of the first audio token in the language model.
  var firstAudio: Int { prompts[0].tokens.firstIndex(of: shape.placeholder) ?? 0 }

  /// - Throws: where a clip is empty, too long for the model or of other bands, or a prompt has
  ///   neither one placeholder nor one for each audio token of its clip.
  public init(
    _ shape: SoundShape, clips: [Clip], prompts: [Prompt], extent: Extent = .valid
  ) throws {
    try SoundBatch.check(clips, bands: shape.melBands, positions: shape.positions)
    try self.init(
      shape, clips: clips, keys: clips.map { shape.keys(melFrames: $0.validFrames) },
      prompts: prompts, extent: extent)
  }

  /// A batch that starts at the connector, for sequences of so many audio tokens.
  public init(_ shape: SoundShape, audioTokens: [Int], prompts: [Prompt]) throws {
    try self.init(
      shape, clips: [], keys: audioTokens.map(shape.positions(rows:)), prompts: prompts,
      extent: .valid)
  }

  private init(
    _ shape: SoundShape, clips: [Clip], keys: [Int], prompts: [Prompt], extent: Extent
  ) throws {
    precondition(keys.count == prompts.count)
    self.shape = shape
    let counts = keys.map { extent == .padded ? shape.positions : $0 }
    sound = SoundBatch(clips: clips, positions: shape.positions, counts: counts, keys: keys)
    frames = Layout(
      counts: counts.map(shape.rows(positions:)), visible: keys.map { _ in .causal })
    given = prompts
    self.prompts = prompts
    let (rows, free) = (keys.map(shape.rows(positions:)), frames.sequences.map(\.visible))
    audio = Layout(counts: rows, visible: free)
    lm = audio
    (audioRows, tokens, positions, placeholderRows, realAudio) = ([], [], [], [], [])
    for (prompt, count) in zip(prompts, rows) { try prompt.checked(count, in: shape) }
    splice(kept: rows.map { Array(0..<$0) })
  }

  /// Lays out audio tokens and prompts, where the audio tokens of each clip are these rows of the
  /// connector.
  mutating func splice(kept: [[Int]]) {
    self.kept = kept
    audio = Layout(counts: kept.map(\.count), visible: kept.map { _ in .causal })
    let frameStarts = frames.sequences.map(\.start)
    audioRows = audio.stacked { s, t in frameStarts[s] + kept[s][t] }
    realAudio = audio.sequences.flatMap { Array($0.range) }
    prompts = zip(given, kept).map { $0.holding($1.count, of: shape.placeholder) }
    let prompts = prompts
    lm = Layout(counts: prompts.map(\.tokens.count), visible: prompts.map(\.visible))
    tokens = lm.stacked { s, t in
      let token = prompts[s].tokens[t]
      return token == shape.placeholder ? -1 : token
    }
    positions = lm.stacked(padding: 0) { s, t in prompts[s].positions[t] }
    placeholderRows = zip(lm.sequences, prompts).flatMap { sequence, prompt in
      prompt.tokens.indices.filter { prompt.tokens[$0] == shape.placeholder }
        .map { sequence.start + $0 }
    }
  }

  /// One run so many times, laid out behind the features.
  func repeated(_ copies: Int) -> Batch {
    guard copies > 1 else { return self }
    func all<T>(_ one: [T]) -> [T] { (0..<copies).flatMap { _ in one } }
    var batch = self
    batch.sound = sound.repeated(copies)
    (batch.frames, batch.given, batch.frozen) = (
      frames.repeated(copies), all(given), frozen.map(all)
    )
    batch.splice(kept: all(kept))
    return batch
  }

  /// The same prompts with the rows of the language model from `firsts` on, for a run that is
  /// resumed inside it.
  public func beginning(at firsts: [Int]) -> Batch {
    var batch = self
    let prompts = prompts
    batch.lm = lm.beginning(at: firsts)
    batch.positions = batch.lm.stacked(padding: 0) { s, t in prompts[s].positions[t] }
    return batch
  }
}

extension Layout {
  /// One number for each stacked row, from the sequence and the position; `padding` elsewhere.
  func stacked(padding: Int = -1, _ value: (Int, Int) -> Int) -> [Int] {
    var out = [Int](repeating: padding, count: rows)
    for (s, sequence) in sequences.enumerated() {
      for t in sequence.first..<sequence.count { out[sequence.row(of: t)] = value(s, t) }
    }
    return out
  }
}
