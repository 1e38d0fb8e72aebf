// What a model is run on: clips with their prompts, stacked, and where each row of each stage
// belongs.

import Tensor

/// The log-mel features of one clip.
public struct Clip: Sendable {
  /// [frames, bands] of the whole padded clip.
  public let mel: Tensor
  /// Frames that hold sound.
  public let validFrames: Int

  /// What makes one audio token.
  static let fewestFrames = 3

  public init(mel: Tensor, validFrames: Int) {
    self.mel = mel
    self.validFrames = validFrames
  }
}

/// The tokens of the language model, with as many audio placeholders as the clip has audio tokens.
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
    visible = .branched(trunk: trunk.count, branches: starts)
  }
}

/// How many positions of a clip's stages are computed.
public enum Extent: Sendable {
  /// Only those that can reach the output.
  case valid
  /// All of the padded clip, as the reference computes them.
  case padded
}

/// Clips and prompts stacked for one pass.
public struct Batch: Sendable {
  let config: Qwen2AudioConfig
  public let clips: [Clip]
  public let prompts: [Prompt]
  /// Rows of log-mel features, of the first and of the second convolution.
  let melLayout: Layout
  let convolved: Layout
  public let encoder: Layout
  /// Pairs of encoder positions.
  let pooled: Layout
  /// Audio tokens, the rows of `connector.out`.
  public let audio: Layout
  /// Positions of the language model.
  public private(set) var lm: Layout

  /// For each stacked row, the row of the stage before that it takes, or -1.
  let melRows: [Int]
  let encoderPositions: [Int]
  let audioRows: [Int]
  let tokens: [Int]
  private(set) var positions: [Int]
  let placeholderRows: [Int]
  let realAudio: [Int]

  /// - Throws: where a clip is empty, too long for the model or of other bands, or a prompt has
  ///   another number of placeholders than the clip has audio tokens.
  public init(
    _ config: Qwen2AudioConfig, clips: [Clip], prompts: [Prompt], extent: Extent = .valid
  ) throws {
    let total = config.maxSourcePositions
    for clip in clips {
      guard clip.mel.width == config.melBands, clip.mel.rows == 2 * total else {
        throw CheckpointError(
          "features of \(clip.mel.rows) frames and \(clip.mel.width) bands, "
            + "the model takes \(2 * total) and \(config.melBands)")
      }
      guard clip.validFrames >= Clip.fewestFrames, clip.validFrames <= 2 * total else {
        throw CheckpointError(
          "a clip of \(clip.validFrames) frames of 10 ms; the model takes \(Clip.fewestFrames) to "
            + "\(2 * total)")
      }
    }
    try self.init(
      config, clips: clips,
      keys: clips.map { config.encoderPositions(melFrames: $0.validFrames) }, prompts: prompts,
      extent: extent)
  }

  /// A batch that starts at the connector, for sequences of so many audio tokens.
  public init(_ config: Qwen2AudioConfig, audioTokens: [Int], prompts: [Prompt]) throws {
    try self.init(
      config, clips: [], keys: audioTokens.map { 2 * $0 }, prompts: prompts, extent: .valid)
  }

  private init(
    _ config: Qwen2AudioConfig, clips: [Clip], keys: [Int], prompts: [Prompt], extent: Extent
  ) throws {
    precondition(keys.count == prompts.count)
    self.config = config
    self.clips = clips
    self.prompts = prompts
    let total = config.maxSourcePositions
    let counts = keys.map { extent == .padded ? total : $0 }
    let free = keys.map { _ in Visibility.causal }
    melLayout = Layout(counts: counts.map { min(2 * $0 + 1, 2 * total) }, visible: free)
    convolved = Layout(counts: counts.map { 2 * $0 }, visible: free)
    encoder = Layout(counts: counts, visible: keys.map { .all(keys: $0) })
    pooled = Layout(counts: counts.map { $0 / 2 }, visible: free)
    audio = Layout(counts: keys.map { $0 / 2 }, visible: free)
    lm = Layout(counts: prompts.map(\.tokens.count), visible: prompts.map(\.visible))

    melRows = melLayout.stacked { s, t in s * 2 * total + t }
    encoderPositions = encoder.stacked { _, t in t }
    let pooledStarts = pooled.sequences.map(\.start)
    audioRows = audio.stacked { s, t in pooledStarts[s] + t }
    tokens = lm.stacked { s, t in
      let token = prompts[s].tokens[t]
      return token == config.audioToken ? -1 : token
    }
    positions = lm.stacked(padding: 0) { s, t in prompts[s].positions[t] }
    realAudio = audio.sequences.flatMap { Array($0.range) }
    let (audioLayout, lmLayout) = (audio, lm)
    placeholderRows = try prompts.enumerated().flatMap { s, prompt -> [Int] in
      let own = prompt.tokens.indices.filter { prompt.tokens[$0] == config.audioToken }
      guard own.count == audioLayout.sequences[s].count else {
        throw CheckpointError(
          "the prompt has \(own.count) audio placeholders, "
            + "the clip has \(audioLayout.sequences[s].count) audio tokens")
      }
      guard prompt.tokens.allSatisfy({ $0 >= 0 && $0 < config.vocabulary }),
        prompt.positions.allSatisfy({ $0 < config.maxPositions })
      else { throw CheckpointError("a token or position is outside the model's range") }
      return own.map { lmLayout.sequences[s].start + $0 }
    }
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

  /// The layout of the rows that a site has.
  public func layout(of site: Site) -> Layout {
    switch (site.stage, site.activation) {
    case (.encoder, .final): pooled
    case (.encoder, _): encoder
    case (.connector, _): audio
    case (.lm, _): lm
    }
  }

  /// The positions of sequence `index` alone, without padding: [positions, width], or
  /// [heads, queries, keys] of a pattern.
  public func positions(of index: Int, in x: Tensor, at site: Site) -> Tensor {
    if site.activation == .pattern {
      let heads = site.stage == .encoder ? config.encoderHeads : config.heads
      return PatternLayout(layout(of: site), heads: heads).pattern(of: index, in: x)
    }
    return gatherRows(x.detached, Array(layout(of: site).sequences[index].range))
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
