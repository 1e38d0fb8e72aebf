// The model that knows whole words, and the writer of a tokenizer.json of that kind for the small
// checkpoints trained here.

import JSON

/// One id a word.
struct WordLevel: Sendable {
  let vocabulary: Vocabulary
  /// The id that unknown words get; nil where the vocabulary has no such token, and unknown words
  /// are an error.
  let unknownID: Int?

  init(_ json: JSON) throws {
    vocabulary = try Vocabulary(json.object("vocab"))
    unknownID = try vocabulary.id(of: json.string("unk_token"))
  }

  /// Appends the id of a word, or that for unknown words; false where the word is unknown.
  func encode(_ word: String, into ids: inout [Int]) -> Bool {
    if let id = vocabulary.id(of: word) {
      ids.append(id)
      return true
    }
    if let unknownID { ids.append(unknownID) }
    return false
  }
}

extension Tokenizer {
  /// The text of a `tokenizer.json` that `tokenizers` and `transformers` load: ids 0, 1, … for the
  /// special tokens and then the words, both in the given order.
  ///
  /// Text is split into runs of word characters and runs of other characters, so that
  /// "first thing:" is `first`, `thing`, `:`. There is no token for unknown words: encoding one is
  /// an error here and there. Decoding joins words by spaces.
  ///
  /// - Throws: `TokenizerError` for a word that occurs twice, or that splitting would never give
  ///   (`don't` is three words).
  public static func wordLevel(words: [String], special: [String]) throws -> String {
    var vocabulary: [String: JSON] = [:]
    for (id, word) in (special + words).enumerated() {
      // A JSON object here cannot hold two spellings that Unicode calls equivalent.
      guard !word.isEmpty, vocabulary.updateValue(.integer(id), forKey: word) == nil else {
        throw TokenizerError(
          "the word \(quoted(word)) is empty or occurs twice; list each word once")
      }
    }
    for word in words where TextSplitter.wordRuns(of: word) != [word] {
      throw TokenizerError(
        "\(quoted(word)) is more than one word: \(TextSplitter.wordRuns(of: word)); list its parts")
    }
    let added = special.enumerated().map { id, token in
      [
        "id": .integer(id), "content": .string(token), "special": true, "normalized": false,
        "single_word": false, "lstrip": false, "rstrip": false,
      ] as JSON
    }
    let json: JSON = [
      "version": "1.0", "truncation": .null, "padding": .null, "added_tokens": .array(added),
      "normalizer": .null, "pre_tokenizer": ["type": "Whitespace"], "post_processor": .null,
      "decoder": .null,
      "model": ["type": "WordLevel", "vocab": .object(vocabulary), "unk_token": "<|unknown|>"],
    ]
    return json.text
  }
}
