// The members of a minimal pair as questions in natural language, put to a speech language model that
// answers in its own words: the sound in the user's turn, the question behind it, and the first tokens
// of the two answers.

import Corpus
import JSON
import Speech

extension MinimalPair {
  /// The suite's question as one asks a person ("first thing:" is "What is the first thing? One word.");
  /// nil where the prompt asks for no word by its place.
  public var spokenPrompt: String? {
    let words = prompt.dropLast().split(separator: " ")
    guard prompt.hasSuffix(":"), words.count == 2, ["thing", "number"].contains(words[1]) else {
      return nil
    }
    return words[0] == "which"
      ? "Which \(words[1]) is mentioned? One word."
      : "What is the \(words[0]) \(words[1])? One word."
  }
}

extension MinimalPair {
  /// The pair, and what it asks about the voice, as one asks a person; nil where the prompt asks for no
  /// word by its place.
  public var spoken: MinimalPair? {
    spokenPrompt.map { asked($0, voice: "Who is speaking? One word.") }
  }
}

extension SpeechModel {
  /// A suite asked in natural language: the pairs that have a spoken form and whose answers, about the
  /// words and about the voice, begin with different tokens.
  public func spoken(_ suite: PairSuite) throws -> PairSuite {
    try suite.changing { pair in
      guard let pair = pair.spoken else { return nil }
      let voices = pair.attribute.map { [($0.clean, $0.corrupt)] } ?? []
      let isTold = try ([(pair.answers.clean, pair.answers.corrupt)] + voices).allSatisfy {
        try textTokens($0.0).first != textTokens($0.1).first
      }
      return isTold ? pair : nil
    }
  }
}

/// The two questions of a pair, whose prompts are the same token for token.
public struct AskedPair: Sendable {
  public let clean: Question
  public let corrupt: Question
  /// Positions of the system's turn and of the user's up to the sound.
  public let before: Int
}

extension SpeechModel {
  /// The clean and the corrupt member, asked in natural language; the answers are compared at their
  /// first tokens, and nothing is forced.
  ///
  /// Of members that differ in length the shorter one is followed by silence.
  ///
  /// - Parameter answers: what is compared, where not the pair's own answers
  /// - Returns: nil where both answers begin with the same token, so that the first tokens do not tell
  ///   them apart
  /// - Throws: where a recording is unusable, or the pair asks for no word by its place.
  public func asked(
    _ pair: MinimalPair, answers: (clean: String, corrupt: String)? = nil, root: String,
    recordings: HumanRecordings?
  ) throws -> AskedPair? {
    guard let text = pair.spokenPrompt else {
      throw CheckpointError(
        "pair \(pair.id): the prompt \(quoted(pair.prompt)) asks for no word by its place; leave the "
          + "pair out")
    }
    let words = answers ?? pair.answers
    let first = try [words.clean, words.corrupt].map {
      try tokenizer.encode($0, addingSpecialTokens: false).first
    }
    guard let answer = first[0], let foil = first[1], answer != foil else { return nil }
    let waves = try [pair.clean, pair.corrupt].map {
      try $0.waveform(root: root, recordings: recordings)
    }
    let length = waves.map(\.samples.count).max()!
    let questions = try waves.map { wave in
      let silence = [Float](repeating: 0, count: length - wave.samples.count)
      let clip = try self.clip(Waveform(samples: wave.samples + silence))
      return Question(
        clip: clip, tokens: try tokens(for: text, clip: clip), answer: answer, foil: foil)
    }
    let sound = config.sound.placeholder
    return AskedPair(
      clean: questions[0], corrupt: questions[1],
      before: questions[0].tokens.firstIndex(of: sound) ?? 0)
  }
}
