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

/// A tokenizer read from a `tokenizer.json`: byte-level BPE or whole words.
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
          let words = Set(unknownWords(in: text)).sorted().map { "\"\($0)\"" }
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
  public func unknownWords(in text: String) -> [String] {
    var unknown: [String] = []
    forEachPiece(of: text) { piece in
      var ids: [Int] = []
      if case .text(let word) = piece, !model.encode(word, into: &ids) {
        unknown.append(splitter.readable(word))
      }
    }
    return unknown
  }

  private func forEachPiece(
    of text: String, _ body: (AddedTokens.Piece) throws -> Void
  ) rethrows {
    for piece in addedTokens.pieces(of: text) {
      guard case .text(let part) = piece else {
        try body(piece)
        continue
      }
      for word in splitter.pieces(of: part) { try body(.text(word)) }
    }
  }

  /// The text of ids; ids outside the vocabulary are left out, and bytes that are no UTF-8 become
  /// U+FFFD, both as `tokenizers` does.
  ///
  /// - Parameter skippingSpecialTokens: whether tokens marked special in the file are left out.
  public func decode(_ ids: [Int], skippingSpecialTokens: Bool = false) -> String {
    decoder.text(
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
