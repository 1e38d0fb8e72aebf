// SentencePiece models against the `sentencepiece` library: ids and text of 1,500 strings in many
// scripts, made by Tests/Peers/make_sentencepiece_fixtures.py.

import Foundation
import JSON
import Speech
import Testing

@Suite struct SentencePieceTests {
  static let all = ["bpe", "unigram", "nfkc"]

  static func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: stored("tokenizers/\(name).model"))))
  }

  @Test(arguments: all) func encodesAndDecodesAsTheLibrary(_ name: String) throws {
    let golden = try readJSON(stored("tokenizers/sentencepiece.json"))
    let texts =
      try readJSON(stored("tokenizers/golden.json")).array("texts").map { $0.string! }
      + golden.array("texts").map { $0.string! }
    let expected = try #require(golden["models"]?[name])
    let tokenizer = try Tokenizer(sentencePiece: Self.bytes(name), name: name)
    #expect(tokenizer.vocabularySize == expected["size"]?.int)
    let lists = try expected.array("ids")
    #expect(lists.count == texts.count && texts.count > 1500)
    for (i, (text, list)) in zip(texts, lists).enumerated() {
      let ids = list.elements!.map { $0.int! }
      #expect(try tokenizer.encode(text) == ids, "text \(i): \(text.debugDescription)")
      let decoded = expected["decoded"]?["\(i)"]?.string ?? text
      #expect(tokenizer.decode(ids).utf8.elementsEqual(decoded.utf8), "text \(i)")
    }
  }

  /// Every truncation and many damaged bytes give a tokenizer or an error.
  @Test(arguments: all) func damagedFilesAreErrors(_ name: String) throws {
    let bytes = try Self.bytes(name)
    for count in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 300)) {
      _ = try? Tokenizer(sentencePiece: Array(bytes[..<count]), name: "cut").encode("a b")
    }
    for i in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 2000)) {
      var damaged = bytes
      damaged[i] ^= UInt8(1 << (i % 8))
      _ = try? Tokenizer(sentencePiece: damaged, name: "damaged").encode("all human beings é")
    }
    #expect(throws: TokenizerError.self) { _ = try Tokenizer(sentencePiece: [], name: "empty") }
  }

  @Test func findsTheTokenizerOfAFolder() throws {
    let scratch = try Scratch()
    #expect(throws: TokenizerError.self) { _ = try Tokenizer(folder: scratch.path) }
    _ = try scratch.file("tokenizer.model", Self.bytes("bpe"))
    #expect(try Tokenizer(folder: scratch.path).id(of: "<mark>") != nil)
    _ = try scratch.file("vocab.json", Array(#"{"a": 0, "b": 1, "ab": 2}"#.utf8))
    _ = try scratch.file("merges.txt", Array("#version: 0.2\na b\n".utf8))
    let two = try Tokenizer(folder: scratch.path)
    #expect(try two.encode("abab") == [2, 2] && two.decode([2, 0]) == "aba")
  }
}
