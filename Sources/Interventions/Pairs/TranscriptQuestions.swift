// The members of a minimal pair as questions to a recogniser: which of two words comes next in a
// transcript whose beginning is forced.

import Corpus
import JSON
import Speech

extension Recogniser {
  /// The clean and the corrupt member, with the words that tell them apart as answers.
  ///
  /// - Parameters:
  ///   - root: the folder below which the recordings lie
  ///   - recordings: human recordings, which only strings of digits need
  /// - Throws: where a recording is unusable, the members do not differ in one word, or the tokens of
  ///   one word are the beginning of the other's.
  public func questions(
    for pair: MinimalPair, root: String, recordings: HumanRecordings? = nil
  ) throws -> (clean: Question, corrupt: Question) {
    try questions(for: pair, root: root) { try $0.waveform(root: root, recordings: recordings) }
  }

  /// The same of other sound that begins with what the members say.
  public func questions(
    for pair: MinimalPair, root: String, sound: (Utterance) throws -> Waveform
  ) throws -> (clean: Question, corrupt: Question) {
    guard let form = pair.transcript else {
      throw CheckpointError(
        "pair \(pair.id): \(quoted(pair.clean.text)) and \(quoted(pair.corrupt.text)) do not differ in "
          + "one word, so no word can be asked for; leave the pair out")
    }
    let answers = try Answers(answer: tokens(form.clean), foil: tokens(form.corrupt))
    let said = try start + tokens(form.beginning)
    func question(_ utterance: Utterance) throws -> Question {
      let wave = try sound(utterance)
      let clip: Clip
      do { clip = try model.clip(wave) } catch {
        throw CheckpointError("\(root)/\(utterance.file): \(error)")
      }
      return Question(ModelInput(clip: clip, tokens: said), answers, continuing: false)
    }
    return (try question(pair.clean), try question(pair.corrupt))
  }
}
