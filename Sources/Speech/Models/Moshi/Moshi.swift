// Moshi (Défossez et al., 2024): a temporal transformer hears the codes of two voices and a stream of
// text, frame by frame, and a depth transformer says the codes of its own voice.

import Tensor

/// A Moshi model.
public struct Moshi: SpeechLanguageModel {
  public let config: MoshiConfig
  public let mimi: Mimi
  let lm: Decoder
  let depth: DepthTransformer
  /// Embeddings of each codebook, the model's own before the user's.
  private let embeddings: [Matrix]

  /// A model of these parameters, by the names of the Hugging Face files.
  public init(_ config: MoshiConfig, _ p: Weights) {
    self.config = config
    mimi = Mimi(config.codec, p)
    lm = Decoder(config.lm, config.temporal(p), "model.", head: "lm_head.weight")
    depth = DepthTransformer(config, p)
    embeddings = (0..<2 * config.codebooks).map { p.matrix("embed_tokens.\($0).weight") }
  }

  public var vocabulary: Int { config.lm.vocabulary }
  public var placeholder: Int? { nil }
  public var longestClip: Double {
    Double(config.lm.maxPositions) * config.codec.frameDuration / 1000
  }

  public func clip(_ wave: Waveform) throws -> Clip {
    try wave.checkUsable("the recording")
    let most = config.lm.maxPositions * config.codec.frame
    let samples = resampled(wave.samples, from: LogMel.rate, to: config.codec.rate)
    return Clip(samples: Array(samples.prefix(most)))
  }

  static let textPart = Site(.lm, Site.Activation(rawValue: "embed_text"))
  static let voicePart = Site(.lm, Site.Activation(rawValue: "embed_moshi"))

  public var sites: [Site] {
    mimi.sites + [Self.textPart, Self.voicePart, Site(.connector, .out)] + lm.sites + depth.sites
  }

  /// The streams of one run, by stream (text, the model's codebooks, the user's) and frame.
  public struct Streams: Sendable, Equatable {
    /// What the model hears at each step: every stream late by its delay.
    public let inputs: [[Int]]
    /// What it is to say next.
    public let targets: [[Int]]
  }

  /// The delayed streams of a text, the model's own codes and the user's.
  public func streams(text: [Int], voice: [[Int]], user: [[Int]]) -> Streams {
    let delayed = ([text] + voice + user).enumerated().map { k, stream -> [Int] in
      let start = k == 0 ? config.textStart : config.audioStart
      let late = [Int](repeating: start, count: 1 + config.delays[k])
      return Array((late + stream).prefix(stream.count + 1))
    }
    return Streams(
      inputs: delayed.map { Array($0.dropLast()) }, targets: delayed.map { Array($0.dropFirst()) })
  }

  /// The sums of the embeddings of some streams at each step, in `layout`.
  func embedded(_ tokens: [[[Int]]], _ tables: Range<Int>, _ layout: Layout) -> Tensor {
    let parts = tables.enumerated().map { i, table in
      gatherRows(embeddings[table], layout.stacked { s, t in tokens[s][i][t] })
    }
    return parts.dropFirst().reduce(parts[0], +)
  }

  /// The sum of the embeddings of all streams at one step, in `layout`.
  private func embedded(_ inputs: [[Int]], _ layout: Layout) -> Tensor {
    let n = config.codebooks
    let text = gatherRows(lm.embeddings, layout.stacked { _, t in inputs[0][t] })
    return text + embedded([Array(inputs[1...n])], 0..<n, layout)
      + embedded([Array(inputs[(n + 1)...])], n..<2 * n, layout)
  }

  /// The codes of silence.
  func silence(_ frames: Int) -> [[Int]] {
    let codes = mimi.encode([Float](repeating: 0, count: frames * config.codec.frame)).codes
    return Array(codes.prefix(config.codebooks))
  }

  /// - Parameter longest: frames of the clip and of what is forced behind it
  func check(_ text: [Int], _ voice: [[Int]], _ frames: Int, of longest: Int) throws {
    guard frames > 0, longest <= config.lm.maxPositions else {
      let behind = longest > frames ? ", \(longest) with the answers behind it" : ""
      throw CheckpointError(
        "the clip has \(frames) frames\(behind); the model takes 1 to \(config.lm.maxPositions)")
    }
    guard text.allSatisfy((0...config.lm.vocabulary).contains) else {
      throw CheckpointError("a token of the text stream is outside the vocabulary")
    }
    guard voice.count == config.codebooks, voice.allSatisfy({ $0.count >= frames }),
      voice.joined().allSatisfy((0...config.codebookSize).contains)
    else {
      throw CheckpointError(
        "the model's own voice should be codes of \(config.codebooks) codebooks and \(frames) "
          + "frames")
    }
  }

  /// The text stream, a token for each frame of the clip, with the model's own voice said greedily
  /// beside it.
  public func generate(
    _ input: ModelInput, _ generation: GenerationConfig, changing: SpeakingTap?,
    progress: (Int) -> Void
  ) throws -> Generated {
    guard changing == nil else {
      throw CheckpointError(
        "Moshi speaks while it hears, so that what it says has no prompt to be changed; patch one run "
          + "of a text that is given (tap patch)")
    }
    let user = Array(mimi.encode(input.clip.samples).codes.prefix(config.codebooks))
    let count = user[0].count
    try check(input.tokens, user, count, of: count)
    let heard = streams(text: [Int](repeating: 0, count: count), voice: user, user: user).inputs
    var own = [config.textStart] + [Int](repeating: config.audioStart, count: config.codebooks)
    var text: [Int] = []
    var continuation: Continuation?
    let one = Layout(counts: [1], visible: [.causal])
    for step in 0..<min(count, generation.limit) {
      let inputs = own.map { [$0] } + heard.suffix(config.codebooks).map { [$0[step]] }
      let x = gatherRows(embedded(inputs, one), [0])
      if continuation == nil {
        continuation = Continuation(x, at: .lm, layers: lm.blocks.count)
      } else {
        continuation!.append(x)
      }
      var final: Tensor?
      let logits = continuation!.step { x, layout, row, prefix, tap in
        lm.logits(
          x, from: 0, layout: layout, positions: layout.stacked(padding: 0) { _, t in t },
          rows: [row], prefix: prefix,
          tap: .keeping([Site(.lm, .final)], behind: tap) { final = gatherRows($1, [row]) })
      }
      let given = step < input.tokens.count ? input.tokens[step] : nil
      let token = try given ?? generation.next(logits, after: [], isFirst: step == 0)
      text.append(token)
      progress(token)
      own = [token] + voice(after: final!, token, step)
    }
    return Generated(tokens: text, ended: text.count == count)
  }

  /// The codes of one step, each from those before it.
  private func voice(after state: Tensor, _ text: Int, _ step: Int) -> [Int] {
    var heard = [text] + [Int](repeating: 0, count: config.codebooks - 1)
    var codes: [Int] = []
    for k in 0..<config.codebooks {
      let logits = depth(state, heard.map { [$0] })
      // A codebook that is late says nothing before its first frame.
      let code = step < config.delays[1 + k] ? config.audioStart : logits.largest(inRow: k)
      codes.append(code)
      if k + 1 < config.codebooks { heard[k + 1] = code }
    }
    return codes
  }
}
