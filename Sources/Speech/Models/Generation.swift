// Greedy generation with the published logits processing and a key/value cache.
//
// A step computes the block of `rowBlock` rows that holds the new token, behind the cached keys and
// values of whole blocks: the logits have the bits of a full run over the same tokens.

import JSON
import Tensor

/// What a checkpoint folder says about generation.
public struct GenerationConfig: Sendable, Equatable {
  /// Generation stops at any of these.
  public var endTokens: Set<Int> = []
  /// Logits of tokens that were already said or prompted are divided by this where positive and
  /// multiplied where negative (Keskar et al., 2019).
  public var repetitionPenalty: Float = 1
  /// Tokens that are never said, and those that are not said first (Whisper).
  public var suppressed: Set<Int> = []
  public var suppressedFirst: Set<Int> = []
  /// The most tokens to say.
  public var limit = 256

  public init() {}

  /// Reads generation_config.json, and from config.json what that does not say.
  public init(folder: String) throws {
    let config = try Checkpoint.config(of: folder)
    let path = "\(folder)/generation_config.json"
    let own = fileExists(path) ? try readJSON(path) : [:]
    let ends = [own, config["text_config"] ?? [:], config["llama"] ?? [:], config].lazy
      .compactMap { $0["eos_token_id"] }.first { $0 != .null }
    if let ends {
      let all = (ends.elements ?? [ends]).map(\.int)
      guard all.allSatisfy({ $0 != nil }) else {
        throw CheckpointError(
          "\(folder): \"eos_token_id\" is \(shortened(ends.compactText)); it should be a token or several"
        )
      }
      endTokens = Set(all.compactMap { $0 })
    } else if CTranslate2.isFolder(folder) {
      // Only the tokenizer says where a transcript ends.
      let end = "<|endoftext|>"
      guard let token = try Tokenizer(folder: folder).id(of: end) else {
        throw CheckpointError("\(folder)/tokenizer.json: has no \(end); fetch it again")
      }
      endTokens = [token]
    }
    // Older Whisper folders keep these in config.json.
    suppressed = try (own["suppress_tokens"] ?? config["suppress_tokens"]).tokens("suppress_tokens")
    suppressedFirst = try (own["begin_suppress_tokens"] ?? config["begin_suppress_tokens"])
      .tokens("begin_suppress_tokens")
    if own["repetition_penalty"] != nil {
      repetitionPenalty = Float(try own.double("repetition_penalty"))
      guard repetitionPenalty > 0 else {
        throw CheckpointError("\(path): \"repetition_penalty\" should be above 0")
      }
    }
  }

  /// The most probable token of one row of logits after the processing; the first of equals.
  ///
  /// - Throws: where no token has a logit that is a number.
  func next(_ logits: Tensor, after said: Set<Int>, isFirst: Bool) throws -> Int {
    var best = (token: -1, value: -Float.infinity)
    logits.withNumbers { numbers in
      for (token, logit) in numbers.enumerated() {
        if suppressed.contains(token) || (isFirst && suppressedFirst.contains(token)) { continue }
        var value = logit
        if repetitionPenalty != 1, said.contains(token) {
          value = logit < 0 ? logit * repetitionPenalty : logit / repetitionPenalty
        }
        if value > best.value { best = (token, value) }
      }
    }
    guard best.token >= 0 else {
      throw CheckpointError(
        "the model's logits are no numbers: something overflows on the way; look for weights or constants of "
          + "config.json that are far too large or too small")
    }
    return best.token
  }
}

extension JSON? {
  /// A list of tokens, none where there is no list.
  fileprivate func tokens(_ key: String) throws -> Set<Int> {
    guard let list = self else { return [] }
    let tokens = list.elements?.compactMap(\.int)
    guard let tokens, tokens.count == list.elements?.count else {
      throw CheckpointError(
        "\"\(key)\" is \(shortened(list.compactText)); it should be a list of tokens")
    }
    return Set(tokens)
  }
}

/// What a model said.
public struct Generated: Sendable, Equatable {
  /// Without the end token.
  public let tokens: [Int]
  /// Whether it came to an end token.
  public let ended: Bool

  public init(tokens: [Int], ended: Bool) {
    self.tokens = tokens
    self.ended = ended
  }
}

/// What changes activations while a model speaks.
///
/// What is said is computed in passes: the whole prompt, then with each token the last block of
/// positions again, behind the keys and values of those before it.
public struct SpeakingTap {
  public let sites: Set<Site>
  private let body: (_ site: Site, _ x: Tensor, _ positions: Range<Int>?) -> Tensor

  /// - Parameter body: returns what takes the place of an activation, whose rows hold `positions`, and
  ///   padding behind them; nil where a pass computes all that there is, of what is not said
  public init(
    _ sites: Set<Site>,
    _ body: @escaping (_ site: Site, _ x: Tensor, _ positions: Range<Int>?) -> Tensor
  ) {
    (self.sites, self.body) = (sites, body)
  }

  /// What it makes of an activation, of a pass that computes all that there is.
  public func changed(_ site: Site, _ x: Tensor) -> Tensor { tap(nil)(site, x) }

  func tap(_ positions: Range<Int>?) -> Tap {
    Tap(sites) { [body] site, x in body(site, x, positions) }
  }
}

/// The logits of one row, from the input of a layout's rows and the keys and values before them; its
/// tap must be called with the layout's keys and values at every layer.
typealias StepLogits = (
  _ x: Tensor, _ layout: Layout, _ row: Int, _ prefix: KeyValueCache?, _ tap: Tap
) -> Tensor

/// A sequence that grows by one position at a time, with the keys and values of its whole blocks.
struct Continuation {
  /// The input of every position so far, [positions, width].
  private var stream: Tensor
  private var cache = KeyValueCache()
  private var cached = 0
  private let stage: Site.Stage
  private let layers: Int

  /// - Parameters:
  ///   - stage: the stage whose keys and values are kept, and its number of layers
  init(_ embedded: Tensor, at stage: Site.Stage, layers: Int) {
    (stream, self.stage, self.layers) = (embedded, stage, layers)
  }

  var count: Int { stream.rows }

  mutating func append(_ embedded: Tensor) { stream = joiningRows([stream, embedded]) }

  /// The logits of the last position.
  ///
  /// - Parameter changing: what changes activations on the way
  mutating func step(changing: SpeakingTap? = nil, _ logits: StepLogits) -> Tensor {
    let layout = Layout(counts: [count], visible: [.causal], firsts: [cached])
    var (keys, values): ([Tensor], [Tensor]) = ([], [])
    // Keys are kept as they are compared: behind the rotary positions, where there are such.
    let key: Site.Activation = stage == .decoder ? .k : .rotK
    let kept = (0..<layers).flatMap { [Site(stage, $0, key), Site(stage, $0, .v)] }
    let row = logits(
      gatherRows(stream, layout.stacked { _, t in t }), layout,
      layout.sequences[0].row(of: count - 1), cached > 0 ? cache : nil,
      .keeping(Set(kept), behind: changing?.tap(cached..<count)) { site, x in
        if site.activation == key { keys.append(x) } else { values.append(x) }
      })
    let whole = count / rowBlock * rowBlock
    if whole > cached {
      cache.append(keys, values, rows: whole - cached)
      cached = whole
    }
    return row
  }
}

extension GenerationConfig {
  /// Says the most probable token until an end token or the limit.
  ///
  /// - Parameters:
  ///   - embedded: the input of the prompt's positions, [positions, width]
  ///   - prompt: the tokens that a repetition penalty counts as said
  ///   - stage: the stage that says them, and its number of layers
  ///   - embedding: the input of a token at a position, [1, width]
  ///   - changing: what changes activations of that stage
  ///   - said: called with each token
  ///   - logits: the logits of the last row
  func generate(
    after embedded: Tensor, prompt: [Int], at stage: Site.Stage, layers: Int,
    embedding: (_ token: Int, _ position: Int) -> Tensor, changing: SpeakingTap? = nil,
    said progress: (Int) -> Void, logits: StepLogits
  ) throws -> Generated {
    var continuation = Continuation(embedded, at: stage, layers: layers)
    var heard = Set(prompt)
    var said: [Int] = []
    while said.count < limit {
      let token = try next(
        continuation.step(changing: changing, logits), after: heard, isFirst: said.isEmpty)
      if endTokens.contains(token) { return Generated(tokens: said, ended: true) }
      said.append(token)
      heard.insert(token)
      progress(token)
      let x = embedding(token, continuation.count)
      let place = continuation.count..<continuation.count + 1
      continuation.append(changing?.tap(place)(Site(stage, .embed), x) ?? x)
    }
    return Generated(tokens: said, ended: false)
  }
}

extension KeyValueCache {
  /// Takes the first `rows` rows of each layer's keys and values behind its own.
  fileprivate mutating func append(_ keys: [Tensor], _ values: [Tensor], rows: Int) {
    let block = Array(0..<rows)
    func extended(_ old: [Tensor], _ new: [Tensor]) -> [Tensor] {
      new.indices.map { i in
        let rows = gatherRows(new[i], block)
        return old.isEmpty ? rows : joiningRows([old[i], rows])
      }
    }
    self.keys = extended(self.keys, keys)
    self.values = extended(self.values, values)
  }
}

extension AudioLanguageModel {
  /// The most probable continuation of a prompt, without the end token.
  public func generate(
    _ input: ModelInput, _ config: GenerationConfig, changing: SpeakingTap?,
    progress: (Int) -> Void
  ) throws -> Generated {
    let (x, batch) = try entered(input, tap: changing?.tap(nil))
    let count = batch.lm.sequences[0].count
    var limited = config
    limited.limit = min(config.limit, self.config.sound.maxTokens - count)
    return try lm.generate(
      after: gatherRows(x, Array(batch.lm.sequences[0].range)), prompt: batch.prompts[0].tokens,
      limited, changing: changing, progress: progress)
  }
}
