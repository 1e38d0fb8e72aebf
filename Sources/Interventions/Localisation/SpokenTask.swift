// The tasks that a model is given with the members of a minimal pair: a short answer, the transcript, the
// translation (`paper/definitions.md`, D123).

import Corpus
import JSON
import Speech

/// What a model is asked to do with a sound.
public enum SpokenTask: String, Codable, Sendable, CaseIterable {
  case answer
  case transcription
  case translation

  /// As figures and tables call it.
  public var title: String { self == .answer ? "short answer" : rawValue }

  /// The prompt, and the right text of each member of a pair; nil where the suite knows none.
  func texts(of pair: MinimalPair) -> (prompt: String, clean: String, corrupt: String)? {
    let prompt: String
    switch self {
    case .answer: return (pair.prompt, pair.answers.clean, pair.answers.corrupt)
    case .transcription: prompt = "transcribe:"
    case .translation: prompt = "translate:"
    }
    let texts = [pair.clean, pair.corrupt].map { member in
      member.questions.first { $0.prompt == prompt }?.answer
    }
    guard let clean = texts[0], let corrupt = texts[1] else { return nil }
    return (prompt, clean, corrupt)
  }
}

extension SpeechModel {
  /// The clean and the corrupt member under a task. What both right texts begin with is forced, and they
  /// are compared at the first token that differs.
  ///
  /// - Returns: nil where the members are no pair under that task: their right texts are the same, or
  ///   one is how the other begins.
  /// - Throws: where a recording is unusable, the tokenizer does not know a word, or the members differ in
  ///   length.
  public func questions(
    for pair: MinimalPair, _ task: SpokenTask, root: String, recordings: HumanRecordings? = nil
  ) throws -> (clean: Question, corrupt: Question)? {
    guard let texts = task.texts(of: pair) else { return nil }
    let (clean, corrupt) = (try textTokens(texts.clean), try textTokens(texts.corrupt))
    // It throws where one is how the other begins, and for nothing else.
    guard let answers = try? Answers(answer: clean, foil: corrupt) else { return nil }
    func question(_ utterance: Utterance) throws -> Question {
      let clip: Clip
      do { clip = try self.clip(utterance.waveform(root: root, recordings: recordings)) } catch {
        throw CheckpointError("\(root)/\(utterance.file): \(error)")
      }
      let tokens = try tokens(for: texts.prompt, clip: clip)
      return Question(ModelInput(clip: clip, tokens: tokens), answers, continuing: false)
    }
    let questions = (clean: try question(pair.clean), corrupt: try question(pair.corrupt))
    guard questions.clean.clip.validFrames == questions.corrupt.clip.validFrames else {
      throw CheckpointError("pair \(pair.id): the members differ in length")
    }
    return questions
  }
}
