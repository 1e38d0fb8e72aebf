// Whether a list forces the beginning of a transcript as the recogniser would write it itself: with the
// space, the capital and the numerals that it uses. Another spelling is another token, and the words
// behind it are then compared in a text that the model would not have written.

import Interventions
import JSON
import Speech
import Tensor

/// What is forced in a pair against what the model writes.
struct WrittenBeginning: Sendable, Equatable {
  let forced: String
  /// As much of the model's own transcript.
  let written: String

  /// What is to be said of it; nil where the list forces what the model writes.
  func note(on id: String) -> String? {
    if written == forced { return nil }
    func letters(_ text: String) -> String {
      text.lowercased().filter { $0.isLetter || $0.isNumber }
    }
    let sounds = letters(written) == letters(forced)
    return "pair \(id): the list forces \(quoted(forced)), the model writes \(quoted(written)); "
      + (sounds
        ? "write it so in answer and foil (capital, leading space, punctuation)"
        : "it hears other words, or writes them otherwise")
  }
}

extension Recogniser {
  /// Of each pair what both answers begin with and the word behind it, and how the model begins.
  ///
  /// - Throws: where a recording is unusable, or one answer begins with all of the other.
  func beginnings(of pairs: [RecordedPair]) throws -> [WrittenBeginning] {
    try mapInParallel(pairs.count) { i in
      let pair = pairs[i]
      let answers = try Answers(answer: tokens(pair.answer), foil: tokens(pair.foil))
      let forced = answers.shared + answers.answer.prefix(1)
      let clip = try model.clip(heard(pair.clean))
      let said = try transcript(of: clip, limit: forced.count)
      func text(_ tokens: [Int]) -> String {
        tokenizer.decode(tokens, skippingSpecialTokens: true)
      }
      return WrittenBeginning(forced: text(forced), written: text(said.tokens))
    }
  }
}
