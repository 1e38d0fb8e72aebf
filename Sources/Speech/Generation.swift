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
  /// The most tokens to say.
  public var limit = 256

  public init() {}

  /// Reads generation_config.json, and from config.json what that does not say.
  public init(folder: String) throws {
    let config = try readJSON("\(folder)/config.json")
    let path = "\(folder)/generation_config.json"
    let own = fileExists(path) ? try readJSON(path) : [:]
    let ends = [own, config["text_config"] ?? [:], config["llama"] ?? [:], config].lazy
      .compactMap { $0["eos_token_id"] }.first { $0 != .null }
    if let ends {
      let all = (ends.elements ?? [ends]).map(\.int)
      guard all.allSatisfy({ $0 != nil }) else {
        throw CheckpointError(
          "\(folder): \"eos_token_id\" is \(ends.compactText); it should be a token or several")
      }
      endTokens = Set(all.compactMap { $0 })
    }
    if own["repetition_penalty"] != nil {
      repetitionPenalty = Float(try own.double("repetition_penalty"))
      guard repetitionPenalty > 0 else {
        throw CheckpointError("\(path): \"repetition_penalty\" should be above 0")
      }
    }
  }

  /// The most probable token of one row of logits after the processing; the first of equals.
  func next(_ logits: Tensor, after said: Set<Int>) -> Int {
    var best = (token: 0, value: -Float.infinity)
    logits.withNumbers { numbers in
      for (token, logit) in numbers.enumerated() {
        var value = logit
        if repetitionPenalty != 1, said.contains(token) {
          value = logit < 0 ? logit * repetitionPenalty : logit / repetitionPenalty
        }
        if value > best.value { best = (token, value) }
      }
    }
    return best.token
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

extension Decoder {
  /// Says the most probable token until an end token or the limit.
  ///
  /// - Parameters:
  ///   - embedded: the input of the prompt's positions, [positions, width]
  ///   - prompt: the tokens that a repetition penalty counts as said
  ///   - progress: called with each token as it is said
  func generate(
    after embedded: Tensor, prompt: [Int], _ config: GenerationConfig,
    progress: (Int) -> Void = { _ in }
  ) throws -> Generated {
    var stream = embedded
    var cache = KeyValueCache()
    var cached = 0
    var heard = Set(prompt)
    var said: [Int] = []
    while said.count < config.limit {
      let count = stream.rows
      guard count <= self.config.maxPositions else {
        throw CheckpointError(
          "prompt and answer have more than the model's \(self.config.maxPositions) positions; "
            + "ask for fewer tokens or a shorter recording")
      }
      let layout = Layout(counts: [count], visible: [.causal], firsts: [cached])
      let rows = layout.stacked { _, t in t }
      var (keys, values): ([Tensor], [Tensor]) = ([], [])
      let logits = self.logits(
        gatherRows(stream, rows), from: 0, layout: layout, positions: rows.map { max($0, 0) },
        rows: [layout.sequences[0].row(of: count - 1)], prefix: cached > 0 ? cache : nil
      ) { site, x in
        if site.activation == .rotK { keys.append(x) }
        if site.activation == .v { values.append(x) }
        return x
      }
      let token = config.next(logits, after: heard)
      if config.endTokens.contains(token) { return Generated(tokens: said, ended: true) }
      said.append(token)
      heard.insert(token)
      progress(token)
      let whole = count / rowBlock * rowBlock
      if whole > cached {
        let block = Array(0..<(whole - cached))
        func extended(_ old: [Tensor], _ new: [Tensor]) -> [Tensor] {
          new.indices.map { i in
            let rows = gatherRows(new[i], block)
            return cached > 0 ? joiningRows([old[i], rows]) : rows
          }
        }
        cache.keys = extended(cache.keys, keys)
        cache.values = extended(cache.values, values)
        cached = whole
      }
      stream = joiningRows([stream, gatherRows(embeddings, [token])])
    }
    return Generated(tokens: said, ended: false)
  }
}

extension AudioLanguageModel {
  /// The most probable continuation of a prompt, without the end token.
  public func generate(
    _ input: ModelInput, _ config: GenerationConfig, progress: (Int) -> Void
  ) throws -> Generated {
    let (x, batch) = try entered(input)
    return try lm.generate(
      after: gatherRows(x, Array(batch.lm.sequences[0].range)), prompt: batch.prompts[0].tokens,
      config, progress: progress)
  }
}
