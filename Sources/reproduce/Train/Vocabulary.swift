// The words of the shipped checkpoint: those of the corpus and those of its prompts.

extension Lexicon {
  /// Every word that is spoken or asked with, in the order of their tokens.
  static var vocabulary: [String] {
    let prompts = [
      "transcribe", "which", "first", "second", "last", "thing", "colour", "number", ":",
    ]
    let spoken = nouns + colours + digits + ["say", "the", "and", "then", "again"]
    return prompts + spoken
  }
}
