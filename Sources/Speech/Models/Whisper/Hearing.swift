// A transcript with what Whisper's own rule of silence reads: whether there is speech, and how sure the
// model is of what it writes (`paper/definitions.md`, D103 and D104).

import Tensor

/// What a recogniser made of a sound.
public struct Hearing: Codable, Sendable, Equatable {
  public let transcript: Transcript
  /// p(<|nospeech|>) where the transcript starts.
  public let noSpeech: Double
  /// The log-probabilities of the tokens, and of the end where it was reached, after what is suppressed,
  /// over the number of tokens and one more, as Whisper's own code counts; in nats.
  public let meanLogProbability: Double
  /// p(<|endoftext|>) in place of the first token, before anything is suppressed.
  public let endAtOnce: Double

  /// Whether Whisper's own code would leave the text out: thresholds 0.6 and -1 of its `transcribe`.
  public var isTakenForSilence: Bool { noSpeech > 0.6 && meanLogProbability < -1 }
}

extension Transcript {
  /// Whether it has a letter or a digit.
  public var hasWords: Bool { text.contains { $0.isLetter || $0.isNumber } }

  /// Whether one to sixteen tokens stand at least three times one after another.
  public var isLoop: Bool {
    (1...16).contains { length in
      guard tokens.count >= 3 * length else { return false }
      return (0...(tokens.count - 3 * length)).contains { start in
        (start..<(start + 2 * length)).allSatisfy { tokens[$0] == tokens[$0 + length] }
      }
    }
  }
}

extension Recogniser {
  /// `<|endoftext|>`, and the token that says that there is no speech, which the files of the first
  /// models call `<|nocaptions|>`.
  ///
  /// - Throws: where the tokenizer lacks one.
  public var silenceTokens: (end: Int, noSpeech: Int) {
    get throws {
      let end = tokenizer.id(of: "<|endoftext|>")
      let none = tokenizer.id(of: "<|nospeech|>") ?? tokenizer.id(of: "<|nocaptions|>")
      guard let end, let none else {
        throw CheckpointError(
          "\(folder)/tokenizer.json: has no <|endoftext|> or no <|nospeech|> (<|nocaptions|>); give the "
            + "tokenizer of a published Whisper")
      }
      return (end, none)
    }
  }

  /// The most probable transcript under the published suppression, as `transcript(of:limit:)` gives it,
  /// and how sure the model is.
  public func hearing(of clip: Clip, limit: Int = 224) throws -> Hearing {
    try hearing(of: listened(to: clip), limit: limit)
  }

  /// What the encoder's last layer leaves of a clip, which any number of transcripts can go on from.
  ///
  /// - Parameter tap: sees activations of the encoder, and may change them
  public func listened(to clip: Clip, tap: Tap? = nil) throws -> Listened {
    let sound = try SoundBatch(model.config.encoder, clips: [clip])
    return Listened(
      stream: model.encoder(model.encoder.embedded(sound), layout: sound.encoder, tap: tap),
      layout: sound.encoder)
  }

  /// The same of what was listened to.
  ///
  /// - Parameter changing: changes activations behind the encoder's last layer, that one's among them, in
  ///   every pass
  /// - Throws: where it names a site that comes before, or that the model lacks.
  public func hearing(
    of listened: Listened, limit: Int = 224, changing: SpeakingTap? = nil
  ) throws -> Hearing {
    let last = Site(.encoder, model.config.encoder.layers - 1, .residPost)
    let known = Set(model.sites.filter { $0.stage != .encoder } + [last])
    if let unknown = changing?.sites.subtracting(known).map(\.description).min() {
      throw CheckpointError(
        "\(unknown): a hearing goes on from \(last); name it, or a site of the decoder that the model "
          + "has")
    }
    let tokens = try silenceTokens
    let stream = changing?.tap(nil)(last, listened.stream) ?? listened.stream
    let heard = (
      sound: model.decoder.heard(model.encoder.norm(stream)), layout: listened.layout
    )
    var config = generation
    config.limit = limit
    var chosen: [Tensor] = []
    let said = try model.generate(
      start, hearing: heard, config, changing: changing, progress: { _ in },
      reading: { chosen.append($0) })
    var (sum, first) = (0.0, 0.0)
    for (i, logits) in chosen.enumerated() {
      if i == 0 { first = probability(of: tokens.end, in: logits) }
      let token = i < said.tokens.count ? said.tokens[i] : tokens.end
      let silenced = generation.suppressed.union(i == 0 ? generation.suppressedFirst : [])
      sum += logProbability(of: token, in: logits, without: silenced)
    }
    return Hearing(
      transcript: Transcript(
        tokens: said.tokens, text: tokenizer.decode(said.tokens, skippingSpecialTokens: true),
        ended: said.ended),
      noSpeech: probability(
        of: tokens.noSpeech,
        in: model.opening(start[0], hearing: heard, tap: changing?.tap(0..<1))),
      meanLogProbability: sum / Double(said.tokens.count + 1), endAtOnce: first)
  }
}

/// The residual stream behind the encoder's last layer, before its norm.
public struct Listened: Sendable {
  /// [positions, width], of the whole padded clip.
  public let stream: Tensor
  let layout: Layout
}

extension Whisper {
  /// The logits behind the first token of a transcript, [1, vocabulary].
  func opening(
    _ token: Int, hearing heard: (sound: HeardSound, layout: Layout), tap: Tap? = nil
  ) -> Tensor {
    let layout = Layout(counts: [1], visible: [.causal])
    let x = gatherRows(decoder.embedded([token]), layout.stacked { _, t in t })
    return decoder.logits(
      x, rows: layout, crossing: heard.sound, in: heard.layout,
      wanted: [layout.sequences[0].row(of: 0)], tap: tap)
  }
}

private func probability(of token: Int, in logits: Tensor) -> Double {
  Elementary.exp(logProbability(of: token, in: logits, without: []))
}

/// log softmax of one row of logits over the tokens that may be said, in Double.
private func logProbability(
  of token: Int, in logits: Tensor, without silenced: Set<Int>
) -> Double {
  var line = logits.numbers
  for token in silenced { line[token] = -.infinity }
  let top = Double(line.max()!)
  let sum = line.reduce(0.0) { $0 + share($1, top) }
  return Double(line[token]) - top - Elementary.log(sum)
}

/// e^(logit - top), or 0 where a whole vocabulary of such logits would not show in the last digits.
private func share(_ logit: Float, _ top: Double) -> Double {
  let below = Double(logit) - top
  return below < -45 ? 0 : Elementary.exp(below)
}
