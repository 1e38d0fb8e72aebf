// Tokenizers on their own: refusals, unknown words, long words, and the file written here.

import Foundation
import JSON
import Speech
import Testing

@Suite struct TokenizerTests {
  static let special = ["<|endoftext|>", "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"]
  static let words = ["what", "is", "the", "first", "thing", ":", "?", "été"]

  func written() throws -> Tokenizer {
    let text = try Tokenizer.wordLevel(words: Self.words, special: Self.special)
    return try Tokenizer(JSON(parsing: text, name: "written"), name: "written")
  }

  /// A tokenizer of the letters a, b and c with one merge, some members replaced.
  func small(_ changes: [String: JSON] = [:], model: [String: JSON] = [:]) throws -> Tokenizer {
    var parts: [String: JSON] = [
      "type": "BPE", "vocab": ["a": 0, "b": 1, "c": 2, "ab": 3], "merges": [["a", "b"]],
    ]
    parts.merge(model) { $1 }
    let json = JSON.object(["model": .object(parts)].merging(changes) { $1 })
    return try Tokenizer(json, name: "small.json")
  }

  func refuses(
    _ words: String..., at location: SourceLocation = #_sourceLocation, _ body: () throws -> Void
  ) {
    let error = #expect(throws: TokenizerError.self, sourceLocation: location) { try body() }
    for word in words where error != nil {
      #expect(error!.description.contains(word), "\(error!)", sourceLocation: location)
    }
  }

  // ## Whole words

  @Test func writesAWordLevelTokenizer() throws {
    let tokenizer = try written()
    #expect(tokenizer.vocabularySize == 12)
    #expect(tokenizer.id(of: "<|AUDIO|>") == 2)
    #expect(tokenizer.token(4) == "what")
    let ids = try tokenizer.encode("<|audio_bos|><|AUDIO|><|AUDIO|><|audio_eos|>first thing:")
    #expect(ids == [1, 2, 2, 3, 7, 8, 9])
    #expect(tokenizer.decode([4, 5, 6, 7, 8, 10]) == "what is the first thing ?")
    #expect(tokenizer.decode([0, 4, 99], skippingSpecialTokens: true) == "what")
    #expect(try tokenizer.encode("") == [])
  }

  @Test func writesWhatTheLibraryWrites() throws {
    let path = "Fixtures/tokenizers/written.json"
    let stored = try Data(contentsOf: Bundle.module.resourceURL!.appendingPathComponent(path))
    let text = try Tokenizer.wordLevel(words: Self.words, special: Self.special)
    #expect(
      try JSON(parsing: text, name: "here") == JSON(parsing: Array(stored), name: "library"))
  }

  @Test func namesUnknownWords() throws {
    let tokenizer = try written()
    #expect(
      try tokenizer.unknownWords(in: "what is a boat: a boat?") == ["a", "boat", "a", "boat"])
    #expect(try tokenizer.unknownWords(in: "the first thing") == [])
    #expect(try tokenizer.unknownWords(in: "e\u{301}te\u{301}") == ["e\u{301}te\u{301}"])
    refuses("written", "\"a\", \"boat\"", "reword") { _ = try tokenizer.encode("what is a boat?") }
  }

  @Test func refusesWordsThatCannotBeFound() throws {
    refuses("don't") { _ = try Tokenizer.wordLevel(words: ["don't"], special: []) }
    refuses("\"a\"", "twice") { _ = try Tokenizer.wordLevel(words: ["a", "a"], special: []) }
    refuses("twice") { _ = try Tokenizer.wordLevel(words: ["é", "e\u{301}"], special: []) }
    refuses("empty") { _ = try Tokenizer.wordLevel(words: [""], special: []) }
  }

  // ## Byte pairs

  /// A word of 400,000 characters takes a moment, not the square of it.
  @Test(.timeLimit(.minutes(1))) func mergesLongWords() throws {
    let tokenizer = try small(model: [
      "vocab": ["a": 0, "b": 1, "ab": 2, "abab": 3, "bab": 4],
      "merges": [["a", "b"], ["ab", "ab"]],
    ])
    let ids = try tokenizer.encode(String(repeating: "ab", count: 200_001))
    #expect(ids.count == 100_001 && ids.first == 3 && ids.last == 2)
  }

  @Test func mergesLeftmostFirst() throws {
    let tokenizer = try small(model: [
      "vocab": ["a": 0, "aa": 1, "aaa": 2], "merges": [["a", "a"], ["aa", "a"]],
    ])
    #expect(try tokenizer.encode("aaa") == [2])
    #expect(try tokenizer.encode("aaaaa") == [1, 2])
  }

  /// The files that go about with Whisper base lack their first line.
  @Test func theFirstMergeMayBeLost() throws {
    let vocabulary: JSON = [
      "_": 0, "t": 1, "h": 2, "e": 3, "_t": 4, "he": 5, "_th": 6, "_the": 7, "the": 8, "ht": 9,
    ]
    let rest: [JSON] = [["_t", "h"], ["_th", "e"], ["h", "e"], ["t", "he"]]
    let whole = try small(model: ["vocab": vocabulary, "merges": .array([["_", "t"]] + rest)])
    let without = try small(model: ["vocab": vocabulary, "merges": .array(rest)])
    for text in ["_the", "the", "_t_he", "th_e", "ht"] {
      #expect(try without.encode(text) == whole.encode(text), "\(text)")
    }
    #expect(try without.encode("_the") == [7])
    // What no merge takes is no lost one: "ht" stays in two.
    #expect(try without.encode("ht") == [2, 1])
  }

  /// `ab` was waiting to be merged when its b went to `bc`: the wait is over, not `abc` due.
  @Test func forgetsPairsThatAreGone() throws {
    let tokenizer = try small(model: [
      "vocab": ["a": 0, "b": 1, "c": 2, "d": 3, "bc": 4, "ab": 5, "bcd": 6, "abc": 7],
      "merges": [["b", "c"], ["a", "b"], ["bc", "d"], ["a", "bc"]],
    ])
    #expect(try tokenizer.encode("abcd") == [0, 6])
  }

  /// The library lowers character by character and knows no final sigma.
  @Test func lowersCharacterByCharacter() throws {
    let tokenizer = try small(
      ["normalizer": ["type": "Lowercase"]],
      model: ["vocab": ["α": 0, "σ": 1, "ς": 2], "merges": []])
    #expect(try tokenizer.encode("ΣΑΣ") == [1, 0, 1])
  }

  @Test func tellsLettersOutsideTheVocabulary() throws {
    #expect(try small().encode("abcab") == [3, 2, 3])
    #expect(try small().encode("axb") == [3])  // as the library: left out, then neighbours
    #expect(try small().unknownWords(in: "axb") == ["axb"])
  }

  /// One tokenizer, many threads: the shared cache changes no answer.
  @Test func encodesInParallel() async throws {
    let tokenizer = try small(["pre_tokenizer": ["type": "WhitespaceSplit"]])
    let texts = (0..<200).map { String(repeating: "ab c ", count: $0 % 7 + 1) }
    let expected = try texts.map {
      try small(["pre_tokenizer": ["type": "WhitespaceSplit"]]).encode($0)
    }
    let found = try await withThrowingTaskGroup(of: (Int, [Int]).self) { group in
      for (i, text) in texts.enumerated() { group.addTask { (i, try tokenizer.encode(text)) } }
      return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    #expect(texts.indices.allSatisfy { found[$0] == expected[$0] })
  }

  // ## Refusals

  @Test func namesUnsupportedKinds() throws {
    for part in ["normalizer", "pre_tokenizer", "post_processor", "decoder"] {
      refuses("small.json", part, "Nonsense") { _ = try small([part: ["type": "Nonsense"]]) }
      refuses("small.json", part) { _ = try small([part: "no object"]) }
    }
    refuses("small.json", "Unigram") { _ = try small(model: ["type": "Unigram"]) }
    refuses("none") { _ = try Tokenizer("a string", name: "x") }
    refuses("##") { _ = try small(model: ["continuing_subword_prefix": "##"]) }
    refuses("</w>") { _ = try small(model: ["end_of_word_suffix": "</w>"]) }
    refuses("dropout 0.1") { _ = try small(model: ["dropout": 0.1]) }
    refuses("byte_fallback") { _ = try small(model: ["byte_fallback": true]) }
    let merged: JSON = ["type": "Split", "pattern": ["Regex": "a"], "behavior": "MergedWithNext"]
    refuses("MergedWithNext") { _ = try small(["pre_tokenizer": merged]) }
    let broken: JSON = ["type": "Split", "pattern": ["Regex": "(a"], "behavior": "Isolated"]
    refuses("(a") { _ = try small(["pre_tokenizer": broken]) }
  }

  @Test func namesBrokenVocabularies() throws {
    refuses("merge 0", "\"bc\"") { _ = try small(model: ["merges": [["b", "c"]]]) }
    refuses("merge 0", "a b c") { _ = try small(model: ["merges": ["a b c"]]) }
    refuses("\"a\"") { _ = try small(model: ["vocab": ["a": -1], "merges": []]) }
    refuses("\"a\"") { _ = try small(model: ["vocab": ["a": 9_999_999_999], "merges": []]) }
    refuses("one id") { _ = try small(model: ["vocab": ["a": 0, "b": 0], "merges": []]) }
    refuses("unk") { _ = try small(model: ["unk_token": "unk"]) }
    refuses("vocab") { _ = try small(model: ["vocab": .null]) }
    refuses("merges") { _ = try small(model: ["merges": 3]) }
    refuses("\"ab\"", "7") { _ = try small(["added_tokens": [["id": 7, "content": "ab"]]]) }
    refuses("\"x\"", "3") { _ = try small(["added_tokens": [["id": 3, "content": "x"]]]) }
    refuses("entry 0") { _ = try small(["added_tokens": [["content": "x"]]]) }
    let twice: JSON = [["id": 4, "content": "x"], ["id": 5, "content": "x"]]
    refuses("twice") { _ = try small(["added_tokens": twice]) }
  }

  @Test func namesTheFile() throws {
    refuses("none/tokenizer.json") { _ = try Tokenizer(contentsOf: "none/tokenizer.json") }
    let scratch = try Scratch()
    refuses(scratch.path) { _ = try Tokenizer(contentsOf: scratch.path) }
    let cut = try scratch.file("cut.json", Array("{\"model\": {".utf8))
    refuses("cut.json", "not JSON") { _ = try Tokenizer(contentsOf: cut) }
  }
}
