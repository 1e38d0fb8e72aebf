// What `make fuzz` gathered, read again: files that reach every branch of the readers. And files that
// were made to overrun them: each is refused by a message.

import Foundation
import FuzzReaders
import Testing

// One after another: the readers share a file of this process.
@Suite(.serialized) struct FuzzCorpusTests {
  static let corpus = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fuzz/corpus")

  static func reader(_ name: String) throws -> Reader {
    try #require(Reader.all.first { $0.name == name })
  }

  /// Every file gives a value or an error of the project's own; anything else is a trap.
  @Test(.timeLimit(.minutes(2)), arguments: Reader.all.map(\.name))
  func readsOrRefuses(_ name: String) throws {
    let reader = try Self.reader(name)
    let files = try FileManager.default.contentsOfDirectory(
      at: Self.corpus.appendingPathComponent(name), includingPropertiesForKeys: nil)
    let refused = try files.map { reader.refusal(of: [UInt8](try Data(contentsOf: $0))) }
    let read = refused.count { $0 == nil }
    // Neither all good nor all bad files: the corpus has both sides of the checks. All texts are good.
    #expect(read > 0 && (read < files.count || name == "text"), "\(read) of \(files.count) read")
  }

  func refuses(
    _ name: String, _ bytes: [UInt8], _ words: String...,
    at location: SourceLocation = #_sourceLocation
  ) throws {
    let refusal = try Self.reader(name).refusal(of: bytes)
    for word in words {
      #expect(refusal?.contains(word) == true, "\(refusal ?? "read")", sourceLocation: location)
    }
  }

  // ## Pickles

  private static let stop = UInt8(ascii: ".")

  /// A dictionary of one tensor of a storage of 16 Float32.
  static func pickle(shape: [Int], strides: [Int]) -> [UInt8] {
    func text(_ text: String) -> [UInt8] { [0x8C, UInt8(text.utf8.count)] + Array(text.utf8) }
    func number(_ value: Int) -> [UInt8] {
      [0x8A, 8] + (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    func tuple(_ items: [Int]) -> [UInt8] {
      [UInt8(ascii: "(")] + items.flatMap(number) + [UInt8(ascii: "t")]
    }
    let storage =
      [UInt8(ascii: "(")] + text("storage") + Array("ctorch\nFloatStorage\n".utf8) + text("0")
      + text("cpu") + number(16) + Array("tQ".utf8)
    return Array("}".utf8) + text("w") + Array("ctorch._utils\n_rebuild_tensor_v2\n(".utf8)
      + storage
      + number(0) + tuple(shape) + tuple(strides) + Array("tRs.".utf8)
  }

  @Test func tensorsOfPickles() throws {
    let pickle = try Self.reader("pickle")
    #expect(pickle.refusal(of: Self.pickle(shape: [4, 4], strides: [4, 1])) == nil)
    #expect(pickle.refusal(of: Self.pickle(shape: [4, 4], strides: [1, 4])) == nil)
    try refuses(
      "pickle", Self.pickle(shape: [4, 5], strides: [5, 1]), "\"w\" ends behind its numbers")
    // One number a thousand million times over.
    try refuses(
      "pickle", Self.pickle(shape: [1 << 15, 1 << 15], strides: [0, 0]), "\"w\" repeats its numbers"
    )
    // Nothing, in sizes whose product is beyond an Int.
    try refuses(
      "pickle", Self.pickle(shape: [1 << 39, 1 << 39, 0], strides: [1, 1, 1]),
      "\"w\" has a shape of")
  }

  /// A tuple in a tuple, and a list in a list, many thousand times.
  @Test func deepPickles() throws {
    let pickle = try Self.reader("pickle")
    let tuples = Array("N".utf8) + [UInt8](repeating: 0x85, count: 500_000) + [Self.stop]
    #expect(pickle.refusal(of: tuples) == nil)
    let opened = [UInt8](repeating: UInt8(ascii: "]"), count: 500_000)
    let closed = [UInt8](repeating: UInt8(ascii: "a"), count: 499_999)
    #expect(pickle.refusal(of: opened + closed + [Self.stop]) == nil)
  }

  /// Each of 15 dictionaries holds the next one 40 times.
  @Test(.timeLimit(.minutes(1))) func picklesThatDouble() throws {
    var bytes: [UInt8] = [UInt8(ascii: "}"), UInt8(ascii: "q"), 0]
    for level in 1..<15 {
      bytes += [
        UInt8(ascii: "}"), UInt8(ascii: "("), 0x8C, 1, UInt8(ascii: "k"), UInt8(ascii: "h"),
      ]
      bytes.append(UInt8(level - 1))
      for i in 0..<39 { bytes += [0x8C, 1, UInt8(i + 32), UInt8(ascii: "h"), UInt8(level - 1)] }
      bytes += [UInt8(ascii: "u"), UInt8(ascii: "q"), UInt8(level)]
    }
    try refuses("pickle", bytes + [Self.stop], "hold each other too often")
  }

  // ## CTranslate2's model.bin

  /// Whatever byte of a small file is wrong, and wherever it ends.
  @Test(.timeLimit(.minutes(2)), arguments: ["float16", "int8"])
  func modelsWithAWrongByte(_ name: String) throws {
    let reader = try Self.reader("ctranslate2")
    let bytes = [UInt8](
      try Data(contentsOf: Self.corpus.appendingPathComponent("ctranslate2/\(name)")))
    #expect(reader.refusal(of: bytes) == nil)
    for place in bytes.indices {
      var wrong = bytes
      wrong[place] ^= 0xFF
      reader.refusal(of: wrong)
    }
    for count in stride(from: 0, to: bytes.count, by: 5) {
      #expect(reader.refusal(of: Array(bytes[..<count])) != nil, "\(count) bytes")
    }
  }

  // ## Configurations

  @Test(arguments: [
    (
      #""model_type": "mimi", "upsampling_ratios": [1024, 1024, 1024, 1024, 1024, 1024, 1024]"#,
      "up to 6"
    ),
    (#""model_type": "mimi", "frame_rate": 1e-300"#, "frame_rate"),
    (#""model_type": "mimi", "sampling_rate": 24000, "frame_rate": 0.001"#, "a million samples"),
    (
      #""model_type": "mimi", "num_residual_layers": 16, "dilation_growth_rate": 16"#,
      "num_residual_layers"
    ),
    (#""dep_q": 8, "dim": 20, "num_heads": 2, "hidden_scale": 1e300"#, "hidden_scale"),
    (#""dep_q": 8, "dim": 20, "existing_text_padding_id": -1"#, "existing_text_padding_id"),
  ])
  func configsThatOverflow(_ members: String, _ word: String) throws {
    try refuses("folder", Array("{\(members)}".utf8), word)
  }

  // ## Tokenizers

  /// A regular expression that tries every way to cut a word into pieces of one and two letters.
  @Test(.timeLimit(.minutes(1))) func expressionsThatNeverEnd() throws {
    let file = """
      {"model": {"type": "WordLevel", "vocab": {"a": 0, "?": 1}, "unk_token": "?"},
      "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a|aa)+$"}, "behavior": "Isolated"}}
      """
    let word = [UInt8](repeating: UInt8(ascii: "a"), count: 60)
    #expect(try Self.reader("tokenizer").refusal(of: Array(file.utf8) + [0] + word) == nil)
    try refuses(
      "tokenizer", Array(file.utf8) + [0] + word + Array("b".utf8), "t.json: pre_tokenizer",
      "(a|aa)+$ takes too long", "shorten the text")
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func scoresThatAreNone(_ score: Float) throws {
    let bits = (0..<4).map { UInt8(truncatingIfNeeded: score.bitPattern >> (8 * $0)) }
    let piece: [UInt8] = [0x0A, 1, UInt8(ascii: "a"), 0x15] + bits
    try refuses(
      "sentencepiece", [0x0A, UInt8(piece.count)] + piece, "a piece has the score \(score)")
  }
}
