// The members of a minimal pair as questions to a model.

import Corpus
import JSON
import Speech

extension SpeechModel {
  /// The clean and the corrupt member as questions with the same two answers.
  ///
  /// - Parameter root: the folder below which the recordings lie
  /// - Throws: where a recording is unusable, the members differ in length, or the answers begin
  ///   with the same token.
  public func questions(for pair: MinimalPair, root: String) throws -> (
    clean: Question, corrupt: Question
  ) {
    let (answer, foil) = (
      try textTokens(pair.answers.clean).first, try textTokens(pair.answers.corrupt).first
    )
    guard let answer, let foil, answer != foil else {
      throw CheckpointError(
        "pair \(pair.id): the answers \(quoted(pair.answers.clean)) and \(quoted(pair.answers.corrupt)) "
          + "begin with the same token; their logits cannot differ")
    }
    func question(_ utterance: Utterance) throws -> Question {
      let path = "\(root)/\(utterance.file)"
      let wave = try utterance.waveform(root: root)
      let clip: Clip
      do { clip = try self.clip(wave) } catch { throw CheckpointError("\(path): \(error)") }
      return Question(
        clip: clip, tokens: try tokens(for: pair.prompt, clip: clip), answer: answer, foil: foil)
    }
    let (clean, corrupt) = (try question(pair.clean), try question(pair.corrupt))
    guard clean.tokens.count == corrupt.tokens.count,
      clean.clip.validFrames == corrupt.clip.validFrames
    else { throw CheckpointError("pair \(pair.id): the members differ in length") }
    return (clean, corrupt)
  }
}
