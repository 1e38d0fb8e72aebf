// A language model alone: text goes in, logits and text come out. It is the language model of the
// architectures that splice sound into a prompt, without the sound.

import Tensor

/// A language model opened from a folder.
public struct TextModel: Sendable {
  public let config: Qwen2Config
  public let lm: Decoder
  /// The tensors of its files that the model has no use for, by name.
  public let unexpected: [String]

  /// - Throws: where the folder holds no language model, a file is missing or damaged, or the parameters
  ///   are not those that its sizes ask for.
  public init(folder: String) throws {
    guard let config = try openConfig(folder: folder) as? Qwen2Config else {
      throw CheckpointError("\(folder): is not a language model alone; ask it with a recording")
    }
    let checkpoint = try Checkpoint(folder: folder)
    self.config = config
    lm = Decoder(
      config.lm, try config.weights(from: checkpoint), config.prefix, head: config.headName)
    unexpected = checkpoint.unread.filter { !config.ignores($0) }
  }

  public var vocabulary: Int { lm.config.vocabulary }

  /// Every site of the model.
  public var sites: [Site] { lm.sites }

  /// The logits of some positions of a text, [positions, vocabulary]; of all where nil.
  ///
  /// - Throws: where a token or a position is outside the model's range.
  public func logits(of tokens: [Int], rows: [Int]? = nil, tap: Tap? = nil) throws -> Tensor {
    logits(ofEmbedded: try embedded(tokens), rows: rows ?? Array(tokens.indices), tap: tap)
  }

  /// The input of a text's positions, [positions, width].
  public func embedded(_ tokens: [Int]) throws -> Tensor {
    try check(tokens)
    return gatherRows(lm.embeddings, tokens)
  }

  /// The logits of some positions, [positions, vocabulary], of an input that need not be that of tokens;
  /// gradients flow to it.
  ///
  /// - Parameter x: [positions, width]
  public func logits(ofEmbedded x: Tensor, rows: [Int], tap: Tap? = nil) -> Tensor {
    lm.logits(ofEmbedded: x, rows: rows, tap: tap)
  }

  /// The most probable continuation, without the end token; `progress` is called with each token.
  public func generate(
    _ tokens: [Int], _ config: GenerationConfig, progress: (Int) -> Void = { _ in }
  ) throws -> Generated {
    let x = try embedded(tokens)
    var limited = config
    limited.limit = min(config.limit, lm.config.maxPositions - tokens.count)
    return try lm.generate(
      after: x, prompt: tokens, limited, progress: progress)
  }

  private func check(_ tokens: [Int]) throws {
    guard !tokens.isEmpty else { throw CheckpointError("the prompt has no tokens; give it a text") }
    if let token = tokens.first(where: { !(0..<vocabulary ~= $0) }) {
      throw CheckpointError(
        "token \(token) of the prompt is outside the model's range, 0 to \(vocabulary - 1); take the "
          + "tokens from the model's own tokenizer")
    }
    guard tokens.count <= lm.config.maxPositions else {
      throw CheckpointError(
        "the prompt has \(tokens.count) tokens, the model takes \(lm.config.maxPositions); shorten it"
      )
    }
  }
}

extension Decoder {
  /// The logits of some positions of one sequence, [positions, vocabulary].
  ///
  /// - Parameter embedded: its input, [positions, width]
  func logits(ofEmbedded embedded: Tensor, rows: [Int], tap: Tap? = nil) -> Tensor {
    let layout = Layout(counts: [embedded.rows], visible: [.causal])
    let x = gatherRows(embedded, layout.stacked { _, t in t })
    return logits(
      tap?(Site(stage, .embed), x) ?? x, from: 0, layout: layout,
      positions: layout.stacked(padding: 0) { _, t in t }, rows: rows, tap: tap)
  }

  /// Says the most probable token behind an embedded prompt, until an end token or the limit.
  ///
  /// - Parameters:
  ///   - embedded: the input of the prompt's positions, [positions, width]
  ///   - prompt: the tokens that a repetition penalty counts as said
  func generate(
    after embedded: Tensor, prompt: [Int], _ config: GenerationConfig,
    changing: SpeakingTap? = nil, progress: (Int) -> Void
  ) throws -> Generated {
    let step: StepLogits = { x, layout, row, prefix, tap in
      logits(
        x, from: 0, layout: layout, positions: layout.stacked(padding: 0) { _, t in t },
        rows: [row], prefix: prefix, tap: tap)
    }
    return try config.generate(
      after: embedded, prompt: prompt, at: stage, layers: blocks.count,
      embedding: { token, _ in gatherRows(embeddings, [token]) }, changing: changing,
      said: progress, logits: step)
  }
}
