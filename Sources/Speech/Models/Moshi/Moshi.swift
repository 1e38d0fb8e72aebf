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

  /// The text stream is the input's tokens, continued with the padding token to the frames of the clip.
  /// What is forced is said instead from the last frame of the clip on, where a single token would be
  /// read, and continuations behind it, a token a frame; meanwhile both voices are silent, whatever
  /// was heard, so that runs on different sound differ in nothing else.
  public func run(_ input: ModelInput, tap: Tap?) throws -> ModelRun {
    let heard = mimi.encode(input.clip.samples, tap: tap)
    let user = Array(heard.codes.prefix(config.codebooks))
    let count = user[0].count
    let trunk = count + input.forced.count
    let longest = trunk + (input.continuations.map(\.count).max() ?? 0)
    let silence = silence(longest)
    let voice = input.voice ?? silence
    try check(
      input.tokens + input.forced + input.continuations.joined(), voice, count, of: longest)
    func falling(_ codes: [[Int]]) -> [[Int]] {
      zip(codes, silence).map { Array($0.prefix(count) + $1[count...]) }
    }
    let rest = [Int](repeating: config.padding, count: max(0, longest - input.tokens.count))
    let streams = streams(
      text: input.tokens.prefix(count) + rest, voice: falling(voice), user: falling(user))
    let text = Prompt(
      trunk: streams.inputs[0].prefix(count) + input.forced, branches: input.continuations)
    let layout = Layout(counts: [text.tokens.count], visible: [text.visible])
    let voices = streams.inputs.dropFirst().map { stream in text.positions.map { stream[$0] } }
    let x = embedded([text.tokens] + voices, layout, tap)
    var final: Tensor?
    let steps = Array(layout.sequences[0].range)
    let logits = lm.logits(
      x, from: 0, layout: layout,
      positions: layout.stacked(padding: 0) { _, t in text.positions[t] }, rows: steps
    ) { site, x in
      let x = tap?(site, x) ?? x
      if site.activation == .final { final = x }
      return x
    }
    if let tap, let final {
      // Up to where answers part, each step says its codes behind the text that is said in it.
      let said = text.tokens[1..<trunk] + [streams.targets[0][trunk - 1]]
      let codes = streams.targets[1..<config.codebooks].map { Array($0.prefix(trunk)) }
      _ = depth(gatherRows(final, Array(steps.prefix(trunk))), [Array(said)] + codes, tap: tap)
    }
    let model = self
    return ModelRun(logits: logits) { site in
      model.place(
        of: site, layout: layout, heard: count, said: trunk, rows: heard.rows, frames: heard.frames)
    }
  }

  /// - Parameters:
  ///   - heard: steps of the clip
  ///   - said: steps before answers part
  private func place(
    of site: Site, layout: Layout, heard: Int, said: Int, rows: Layout, frames: Layout
  ) -> Place {
    /// A step has heard the user up to its own beginning. Steps in which an answer is forced stand for
    /// text, though the first two still hear codes of the last frame.
    func span(_ step: Int) -> TimeSpan? {
      let duration = config.codec.frameDuration
      return (1..<heard).contains(step)
        ? TimeSpan(duration * Double(step - 1), duration * Double(step)) : nil
    }
    switch site.stage {
    case .mimi, .mimiTransformer: return mimi.place(of: site, rows: rows, frames: frames)
    case .depth: return depth.place(of: site, steps: said, span: span)
    default:
      return site.place(
        in: layout, heads: config.lm.heads, keyHeads: config.lm.keyHeads, span: span)
    }
  }

  /// The sum of the embeddings of all streams at each step, in `layout`.
  private func embedded(_ inputs: [[Int]], _ layout: Layout, _ tap: Tap?) -> Tensor {
    func rows(_ table: Matrix, _ tokens: [Int]) -> Tensor {
      gatherRows(table, layout.stacked { _, t in tokens[t] })
    }
    func sum(_ streams: Range<Int>) -> Tensor {
      let parts = streams.map { rows(embeddings[$0], inputs[1 + $0]) }
      return parts.dropFirst().reduce(parts[0], +)
    }
    let n = config.codebooks
    let text = rows(lm.embeddings, inputs[0])
    let (voice, user) = (sum(0..<n), sum(n..<2 * n))
    let whole =
      (tap?(Self.textPart, text) ?? text) + (tap?(Self.voicePart, voice) ?? voice)
      + (tap?(Site(.connector, .out), user) ?? user)
    return tap?(Site(.lm, .embed), whole) ?? whole
  }

  /// The codes of silence.
  private func silence(_ frames: Int) -> [[Int]] {
    let codes = mimi.encode([Float](repeating: 0, count: frames * config.codec.frame)).codes
    return Array(codes.prefix(config.codebooks))
  }

  /// - Parameter longest: frames of the clip and of what is forced behind it
  private func check(_ text: [Int], _ voice: [[Int]], _ frames: Int, of longest: Int) throws {
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
    _ input: ModelInput, _ generation: GenerationConfig, progress: (Int) -> Void
  ) throws -> Generated {
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
      let x = gatherRows(embedded(inputs, one, nil), [0])
      if continuation == nil { continuation = Continuation(x) } else { continuation!.append(x) }
      var final: Tensor?
      let logits = continuation!.step { x, layout, row, prefix, tap in
        lm.logits(
          x, from: 0, layout: layout, positions: layout.stacked(padding: 0) { _, t in t },
          rows: [row], prefix: prefix
        ) { site, x in
          if site.activation == .final { final = gatherRows(x, [row]) }
          return tap(site, x)
        }
      }
      let given = step < input.tokens.count ? input.tokens[step] : nil
      let token = given ?? generation.next(logits, after: [], isFirst: step == 0)
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
      let logits = depth(state, heard.map { [$0] }, tap: nil)
      // A codebook that is late says nothing before its first frame.
      let code = step < config.delays[1 + k] ? config.audioStart : logits.largest(inRow: k)
      codes.append(code)
      if k + 1 < config.codebooks { heard[k + 1] = code }
    }
    return codes
  }
}
