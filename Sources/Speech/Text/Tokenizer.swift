// Text to token ids and back, as a `tokenizer.json` of Hugging Face `tokenizers` describes it.
//
// Goals, in order: the ids that `tokenizers` gives; a file whose parts are not all understood is
// refused by name; text that the vocabulary does not cover can be told before a model sees it.
// A text passes five stages, each in its own file: added tokens, normaliser and splitting
// (TokenizerPieces), model (BytePairEncoding or WordLevel), template and decoder
// (TokenizerOutput).

import Foundation
import JSON

/// What is wrong with a tokenizer file, or with a text that it is given.
public struct TokenizerError: Error, CustomStringConvertible, Equatable {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// A tokenizer: byte-level BPE, SentencePiece, or whole words.
///
/// Truncation and padding in the file are ignored, as `transformers` ignores them by default.
public struct Tokenizer: Sendable {
  private let name: String
  private let addedTokens: AddedTokens
  private let normalizer: TextNormalizer
  private let splitter: TextSplitter
  private let model: TokenModel
  private let template: TokenTemplate
  private let decoder: TokenDecoder

  /// Reads a `tokenizer.json`.
  ///
  /// - Throws: `TokenizerError` where the file cannot be read, is no JSON, or is a tokenizer that
  ///   `init(_:name:)` refuses.
  public init(contentsOf path: String) throws {
    guard let bytes = FileManager.default.contents(atPath: path) else {
      throw TokenizerError("\(path): cannot be read; give the path of a tokenizer.json")
    }
    let json: JSON
    do {
      json = try JSON(parsing: Array(bytes), name: path)
    } catch {
      throw TokenizerError("\(error)")
    }
    try self.init(json, name: path)
  }

  /// - Parameter name: the file that the value came from, for messages.
  /// - Throws: `TokenizerError` that names the part which is wrong or of an unsupported kind.
  public init(_ json: JSON, name: String) throws {
    self.name = name
    do {
      model = try TokenModel(json.members?["model"] ?? .null)
      normalizer = try TextNormalizer(json["normalizer"])
      splitter = try TextSplitter(json["pre_tokenizer"])
      template = try TokenTemplate(json["post_processor"])
      decoder = try TokenDecoder(json["decoder"])
      addedTokens = try AddedTokens(
        json["added_tokens"]?.elements ?? [], normalizer: normalizer, model: model)
    } catch {
      throw TokenizerError("\(name): \(error)")
    }
  }
}

extension Tokenizer {
  /// A SentencePiece model file.
  ///
  /// - Parameter name: the file, for messages.
  public init(sentencePiece bytes: [UInt8], name: String) throws {
    self.name = name
    do {
      model = .pieces(try SentencePiece(bytes))
      normalizer = try TextNormalizer(nil)
      splitter = try TextSplitter(nil)
      template = try TokenTemplate(nil)
      decoder = try TokenDecoder(nil)
      addedTokens = try AddedTokens([], normalizer: normalizer, model: model)
    } catch {
      throw TokenizerError("\(name): \(error)")
    }
  }

  /// The tokenizer of a checkpoint folder: tokenizer.json, vocab.json with merges.txt, a SentencePiece
  /// model, or that of a GGUF file; of one that is put together from parts, the language model's.
  public init(folder: String) throws {
    let (names, parts): ([String], CheckpointParts?)
    do { (names, parts) = (try fileNames(in: folder), try CheckpointParts(of: folder)) } catch {
      throw TokenizerError("\(error)")
    }
    if let parts, !names.contains("tokenizer.json") {
      try self.init(folder: parts.languageModel)
    } else if names.contains("tokenizer.json") {
      try self.init(contentsOf: "\(folder)/tokenizer.json")
    } else if names.contains("vocab.json"), names.contains("merges.txt") {
      try self.init(vocabularyAndMerges: folder)
    } else if let name = names.first(where: { $0.hasPrefix("tokenizer") && $0.hasSuffix(".model") })
    {
      guard let bytes = FileManager.default.contents(atPath: "\(folder)/\(name)") else {
        throw TokenizerError("\(folder)/\(name): cannot be read")
      }
      try self.init(sentencePiece: Array(bytes), name: "\(folder)/\(name)")
    } else if names.contains(where: { $0.hasSuffix(".gguf") }) {
      let file: GGUF
      do { file = try GGUF(path: Checkpoint.ggufFile(in: folder)!) } catch {
        throw TokenizerError("\(error)")
      }
      try self.init(gguf: file)
    } else {
      throw TokenizerError(
        "\(folder): has no tokenizer; tokenizer.json, vocab.json with merges.txt, or "
          + "tokenizer.model should be there")
    }
  }

  /// Byte-level BPE in two files, as Whisper and Qwen2 also publish it, with the added tokens of
  /// added_tokens.json and tokenizer_config.json.
  private init(vocabularyAndMerges folder: String) throws {
    func json(_ file: String) throws -> JSON? {
      guard fileExists("\(folder)/\(file)") else { return nil }
      do { return try readJSON("\(folder)/\(file)") } catch { throw TokenizerError("\(error)") }
    }
    guard let text = try? String(contentsOfFile: "\(folder)/merges.txt", encoding: .utf8) else {
      throw TokenizerError("\(folder)/merges.txt: cannot be read as UTF-8")
    }
    let merges = text.split(separator: "\n").filter { !$0.hasPrefix("#version") }
    var added: [Int: JSON] = [:]
    for (token, id) in try json("added_tokens.json")?.members ?? [:] {
      guard let id = id.int else { continue }
      added[id] = ["id": .integer(id), "content": .string(token), "special": true]
    }
    let config = try json("tokenizer_config.json")
    for (id, entry) in config?["added_tokens_decoder"]?.members ?? [:] {
      guard let id = Int(id), var members = entry.members else { continue }
      members["id"] = .integer(id)
      added[id] = .object(members)
    }
    // Qwen2 composes characters and splits numbers digit by digit; the others are GPT-2's.
    let isQwen2 = config?["tokenizer_class"]?.string?.hasPrefix("Qwen2") ?? false
    let bytes: JSON = [
      "type": "ByteLevel", "add_prefix_space": false, "use_regex": .bool(!isQwen2),
    ]
    let split: JSON = [
      "type": "Split", "pattern": ["Regex": .string(Tokenizer.qwen2Pattern)],
      "behavior": "Isolated",
      "invert": false,
    ]
    try self.init(
      [
        "model": [
          "type": "BPE", "vocab": try json("vocab.json") ?? [:],
          "merges": .array(merges.map { .string(String($0)) }),
        ],
        "normalizer": isQwen2 ? ["type": "NFC"] : .null,
        "pre_tokenizer": isQwen2 ? ["type": "Sequence", "pretokenizers": [split, bytes]] : bytes,
        "decoder": ["type": "ByteLevel"],
        "added_tokens": .array(added.sorted { $0.key < $1.key }.map(\.value)),
      ], name: "\(folder)/vocab.json")
  }
}

// ## Encoding and decoding

extension Tokenizer {
  /// The ids of a text.
  ///
  /// - Parameter addingSpecialTokens: whether the file's template (a start token, say) is put
  ///   around the text, as `tokenizers` does unless told otherwise.
  /// - Throws: `TokenizerError` that lists the unknown words where the vocabulary lacks a word and
  ///   has no token for unknown ones.
  public func encode(_ text: String, addingSpecialTokens: Bool = true) throws -> [Int] {
    var ids: [Int] = []
    try forEachPiece(of: text) { piece in
      switch piece {
      case .token(let id): ids.append(id)
      case .text(let word):
        if !model.encode(word, into: &ids), !model.skipsUnknown {
          let words = try Set(unknownWords(in: text)).sorted().map { quoted($0) }
          throw TokenizerError(
            "\(name): the vocabulary has no \(words.joined(separator: ", ")); reword the text")
        }
      }
    }
    return addingSpecialTokens ? template.applied(to: ids) : ids
  }

  /// The words (for BPE: the pieces) of a text that the vocabulary does not cover, in order, with
  /// repetitions. Where this is not empty, `encode` writes the token for unknown words, leaves
  /// symbols out (BPE without such a token, as `tokenizers` does) or throws.
  ///
  /// - Throws: `TokenizerError` where a regular expression of the file takes too long on the text.
  public func unknownWords(in text: String) throws -> [String] {
    var unknown: [String] = []
    try forEachPiece(of: text) { piece in
      var ids: [Int] = []
      if case .text(let word) = piece, !model.encode(word, into: &ids) {
        unknown.append(splitter.readable(word))
      }
    }
    return unknown
  }

  private func forEachPiece(
    of text: String, _ body: (AddedTokens.Piece) throws -> Void
  ) throws {
    for piece in addedTokens.pieces(of: text) {
      guard case .text(let part) = piece else {
        try body(piece)
        continue
      }
      let words: [String]
      do { words = try splitter.pieces(of: part) } catch {
        throw TokenizerError("\(name): \(error)")
      }
      for word in words { try body(.text(word)) }
    }
  }

  /// The text of ids; ids outside the vocabulary are left out, and bytes that are no UTF-8 become
  /// U+FFFD, both as `tokenizers` does.
  ///
  /// - Parameter skippingSpecialTokens: whether tokens marked special in the file are left out.
  public func decode(_ ids: [Int], skippingSpecialTokens: Bool = false) -> String {
    if case .pieces(let pieces) = model { return pieces.text(of: ids) }
    return decoder.text(
      of: ids.compactMap { id in
        skippingSpecialTokens && addedTokens.isSpecial(id) ? nil : token(id)
      })
  }
}

// ## Vocabulary

extension Tokenizer {
  /// The id of a token as the file spells it (`Ġthe`, `<|AUDIO|>`), nil where there is none.
  public func id(of token: String) -> Int? { addedTokens.id(of: token) ?? model.id(of: token) }

  /// The token of an id as the file spells it, nil where there is none.
  public func token(_ id: Int) -> String? { addedTokens.token(id) ?? model.token(id) }

  /// One more than the largest id.
  public var vocabularySize: Int { max(addedTokens.largestID, model.largestID) + 1 }
}
