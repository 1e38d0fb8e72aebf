// A text by one speaker put into another text by another speaker: the two runs, the two in which only one
// of them differs, and what is asked of each (`paper/definitions.md`, D114).

import Corpus
import Speech
import Tensor

/// One direction of a factorial pair: the source says text 1 by speaker A, the base text 2 by speaker B.
public struct Crossing: Sendable {
  public let id: String
  /// Both texts by both speakers.
  public let group: String
  public let source: Utterance
  public let base: Utterance
  /// The source's text by the base's speaker: what a transfer of the text alone should sound like.
  public let text: Utterance
  /// The base's text by the source's speaker.
  public let speaker: Utterance
  /// What is asked about the text, and the words of source and base.
  public let prompt: String
  public let words: (source: String, base: String)
  /// What asks for the whole text.
  public let transcribe: String
  /// What is asked about the voice, and the speakers of source and base.
  public let voicePrompt: String
  public let voices: (source: String, base: String)
  /// Milliseconds to the phone that tells the words apart.
  public let onset: Double

  /// Both directions of a factorial pair.
  ///
  /// - Parameter transcribe: what asks for the whole text
  /// - Throws: where the pair has no crossed members or asks nothing about the voice.
  public static func both(of pair: MinimalPair, transcribe: String = "transcribe:") throws
    -> [Crossing]
  {
    guard let crossed = pair.crossed, let attribute = pair.attribute else {
      throw CheckpointError(
        "pair \(pair.id): is not factorial; a transfer needs both texts by both speakers and a "
          + "question about the voice")
    }
    let (prompt, words) = (pair.prompt, pair.answers)
    return [
      Crossing(
        id: "\(pair.id) forward", group: pair.group, source: pair.clean, base: pair.corrupt,
        text: crossed.text, speaker: crossed.speaker, prompt: prompt,
        words: (words.clean, words.corrupt), transcribe: transcribe, voicePrompt: attribute.prompt,
        voices: (attribute.clean, attribute.corrupt), onset: pair.onset),
      Crossing(
        id: "\(pair.id) back", group: pair.group, source: pair.corrupt, base: pair.clean,
        text: crossed.speaker, speaker: crossed.text, prompt: prompt,
        words: (words.corrupt, words.clean), transcribe: transcribe, voicePrompt: attribute.prompt,
        voices: (attribute.corrupt, attribute.clean), onset: pair.onset),
    ]
  }

  /// The changed moment.
  public func moment(_ width: Double) -> Window { .milliseconds(onset, onset + width) }
}

/// What a run says of its text and of its voice.
public struct Said: Codable, Sendable, Equatable {
  /// log p(source's word) - log p(base's word), and the same of the speakers, in nats.
  public let content: Double
  public let voice: Double
  /// What the model answers and writes down, greedily.
  public let word: String
  public let transcript: String
  public let speaker: String

  public init(content: Double, voice: Double, word: String, transcript: String, speaker: String) {
    (self.content, self.voice) = (content, voice)
    (self.word, self.transcript, self.speaker) = (word, transcript, speaker)
  }
}

/// One recording, asked for a word, for the whole text, and for who speaks.
public struct AskedThrice: Sendable {
  let word: Trace
  let transcript: Trace
  let speaker: Trace
}

extension SpeechModel {
  /// A recording and a question, with two answers that are compared at their first tokens.
  ///
  /// - Throws: where the recording is unusable or both answers begin with the same token.
  public func question(
    _ wave: Waveform, _ prompt: String, answers: (String, String), of name: String
  ) throws -> Question {
    let first = try [answers.0, answers.1].map { try textTokens($0).first }
    guard let answer = first[0], let foil = first[1], answer != foil else {
      throw CheckpointError(
        "\(name): the answers \(answers.0) and \(answers.1) begin with the same token, so that their "
          + "logits cannot differ; leave it out")
    }
    let clip: Clip
    do { clip = try self.clip(wave) } catch { throw CheckpointError("\(name): \(error)") }
    return Question(
      clip: clip, tokens: try tokens(for: prompt, clip: clip), answer: answer, foil: foil)
  }

  /// Runs of one recording under the three questions of a crossing.
  ///
  /// - Parameter base: a run whose frames are kept, where the sound decides which become tokens
  public func asked(
    _ crossing: Crossing, _ utterance: Utterance, root: String, keeping base: Trace? = nil
  ) throws -> AskedThrice {
    let wave = try utterance.waveform(root: root)
    func trace(_ prompt: String, _ answers: (String, String)) throws -> Trace {
      let question = try question(wave, prompt, answers: answers, of: crossing.id)
      return try model.trace(base.map { question.keepingFrames(of: $0) } ?? question)
    }
    return AskedThrice(
      word: try trace(crossing.prompt, crossing.words),
      transcript: try trace(crossing.transcribe, crossing.words),
      speaker: try trace(crossing.voicePrompt, crossing.voices))
  }

  /// What is said with some patches, which act at the prompt and whose positions are the sound's.
  public func said(_ runs: AskedThrice, _ patches: [Patch] = []) throws -> Said {
    var config = GenerationConfig()
    (config.endTokens, config.limit) = (endTokens, 32)
    func text(_ base: Trace) throws -> String {
      tokenizer.decode(try model.generate(base, patches, config).tokens)
        .trimmingCharacters(in: .whitespaces)
    }
    func difference(_ base: Trace) throws -> Double {
      patches.isEmpty
        ? base.logitDifference
        : try model.patched(base, [patches], skipping: false)[0].logitDifference
    }
    return Said(
      content: try difference(runs.word), voice: try difference(runs.speaker),
      word: try text(runs.word), transcript: try text(runs.transcript),
      speaker: try text(runs.speaker))
  }
}
