// Tokenizer files with a text to encode, and texts for tokenizers that are known.

import Foundation
import JSON
import Speech

/// A tokenizer.json; behind a zero byte there may be the text that it is asked to encode.
func readTokenizerJSON(_ bytes: [UInt8]) throws {
  let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
  let tokenizer = try Tokenizer(JSON(parsing: Array(parts[0]), name: "t.json"), name: "t.json")
  let text = parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : sample
  try encode(text, with: tokenizer)
}

/// A SentencePiece model.
func readSentencePiece(_ bytes: [UInt8]) throws {
  try encode(sample, with: Tokenizer(sentencePiece: bytes, name: "t.model"))
}

/// A text in several scripts, with what splitting is hard on: digits, contractions, composed and
/// decomposed accents, spaces of several kinds, a tab and a line end.
let sample = "It's 12 words,  e\u{301}t\u{E9} \u{3000}\u{4F60}\u{597D} <s>\t\u{1F600}\n a"

func encode(_ text: String, with tokenizer: Tokenizer) throws {
  let ids = try tokenizer.encode(text)
  _ = tokenizer.decode(ids, skippingSpecialTokens: true)
  _ = try tokenizer.unknownWords(in: text)
  _ = tokenizer.decode([0, 1, tokenizer.vocabularySize - 1, tokenizer.vocabularySize, -1, .max])
  for id in ids.prefix(8) { _ = tokenizer.token(id).map(tokenizer.id(of:)) }
}

/// A text, in turn for each of the known tokenizers. Those that cover every byte and change nothing
/// give it back.
func readText(_ bytes: [UInt8]) throws {
  let text = String(decoding: bytes, as: UTF8.self)
  for (tokenizer, isExact) in known {
    do {
      let ids = try tokenizer.encode(text, addingSpecialTokens: false)
      precondition(ids.allSatisfy { 0..<tokenizer.vocabularySize ~= $0 }, "\(ids)")
      let back = tokenizer.decode(ids)
      if isExact {
        precondition(
          back.utf8.elementsEqual(text.utf8), "\(text.debugDescription) came back as \(back)")
      }
    } catch is TokenizerError {
      // A word that a vocabulary without unknown words lacks.
    }
  }
}

/// Tokenizers of every kind, small.
private let known: [(Tokenizer, isExact: Bool)] = {
  func json(_ text: String) -> JSON { try! JSON(parsing: text, name: "known") }
  func tokenizer(_ model: String, _ rest: String) -> Tokenizer {
    try! Tokenizer(json("{\"model\": \(model), \(rest)}"), name: "known")
  }
  // GPT-2's letters for the bytes 0 to 255, and a few merges.
  let prints = Set(Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF))
  var next = 0x100
  let letters = (0..<256).map { byte in
    if prints.contains(byte) { return String(Unicode.Scalar(UInt32(byte))!) }
    defer { next += 1 }
    return String(Unicode.Scalar(UInt32(next))!)
  }
  let merges = [("t", "h"), ("th", "e"), ("\u{120}", "the"), ("\u{C3}", "\u{A9}"), ("1", "2")]
  let words = letters + merges.map { $0.0 + $0.1 }
  let vocabulary = JSON.object(
    Dictionary(uniqueKeysWithValues: words.enumerated().map { ($1, .integer($0)) }))
  let pairs = JSON.array(merges.map { .string("\($0.0) \($0.1)") })
  let bytes =
    "{\"type\": \"BPE\", \"vocab\": \(vocabulary.compactText), \"merges\": \(pairs.compactText)}"
  let level = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": %}"
  let split =
    #"{"type": "Split", "pattern": {"Regex": "(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"#
    + #" ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated"}"#
  let added =
    #""added_tokens": [{"id": 300, "content": "<|a|>", "special": true, "lstrip": true},"#
    + #"{"id": 301, "content": "word", "special": false, "single_word": true, "rstrip": true},"#
    + #"{"id": 302, "content": "\u00e9t", "special": false, "normalized": true}]"#
  let plain = level.replacing("%", with: "true")
  let parts =
    "{\"type\": \"Sequence\", \"pretokenizers\": [\(split), \(level.replacing("%", with: "false"))]}"
  let decoder = "\"decoder\": {\"type\": \"ByteLevel\"}"
  let lower = #"{"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "Lowercase"}]}"#
  let whole = #"{"type": "WordLevel", "vocab": {"?": 0, "the": 1, "e": 2}, "unk_token": "?"}"#
  return [
    (tokenizer(bytes, "\"pre_tokenizer\": \(plain), \(decoder)"), true),
    (tokenizer(bytes, "\"pre_tokenizer\": \(parts), \(decoder)"), true),
    (
      tokenizer(
        bytes, "\"pre_tokenizer\": \(parts), \"normalizer\": {\"type\": \"NFC\"}, \(added)"),
      false
    ),
    (
      tokenizer(whole, "\"pre_tokenizer\": {\"type\": \"Whitespace\"}, \"normalizer\": \(lower)"),
      false
    ),
    (try! Tokenizer(sentencePiece: pieces(kind: 1), name: "unigram"), false),
    (try! Tokenizer(sentencePiece: pieces(kind: 2), name: "merges"), false),
  ]
}()

/// A SentencePiece model of a few pieces with a fallback to bytes.
private func pieces(kind: UInt8) -> [UInt8] {
  func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [number << 3 | 2, UInt8(bytes.count)] + bytes
  }
  func piece(_ text: String, _ score: Float, _ type: UInt8) -> [UInt8] {
    let bits = (0..<4).map { UInt8(truncatingIfNeeded: score.bitPattern >> (8 * $0)) }
    return field(1, field(1, Array(text.utf8)) + [2 << 3 | 5] + bits + [3 << 3, type])
  }
  let hex = (0..<256).map { byte in
    "<0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) + ">"
  }
  let words = ["\u{2581}", "t", "h", "e", "th", "the", "\u{2581}the", "\u{E9}", "\u{4F60}"]
  return piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3)
    + hex.flatMap { piece($0, 0, 6) }
    + words.enumerated().flatMap { piece($1, -Float($0), 1) } + piece("word", 0, 4)
    + field(2, [3 << 3, kind])
}
