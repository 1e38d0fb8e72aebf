// What is done to ids after the model (a template around them), and how tokens become text again.

import Foundation
import JSON

/// Special tokens that are put around the ids of a text.
struct TokenTemplate: Sendable {
  private var before: [Int] = []
  private var after: [Int] = []

  init(_ json: JSON?) throws {
    guard let json else { return }
    switch json["type"]?.string {
    // Changes offsets only, never ids.
    case "ByteLevel": break
    case "TemplateProcessing": try readTemplate(json)
    case "Sequence":
      for part in try json.array("processors").map({ try TokenTemplate($0) }) {
        before = part.before + before
        after += part.after
      }
    case let kind:
      throw TokenizerError(
        "post_processor: kind \(quoted(kind ?? "none")) is not supported; ByteLevel, "
          + "TemplateProcessing and Sequence are")
    }
  }

  private mutating func readTemplate(_ json: JSON) throws {
    let special = try json.object("special_tokens")
    var isAfter = false
    for part in try json.array("single") {
      if let sequence = part["Sequence"] {
        guard !isAfter, try sequence.string("id") == "A" else {
          throw TokenizerError("post_processor: the template for one text does not hold it once")
        }
        isAfter = true
      } else {
        let name = try JSON.object(part.object("SpecialToken")).string("id")
        guard let ids = special[name]?["ids"]?.elements else {
          throw TokenizerError("post_processor: \(quoted(name)) is not among its special_tokens")
        }
        if isAfter { after += ids.compactMap(\.int) } else { before += ids.compactMap(\.int) }
      }
    }
    guard isAfter else { throw TokenizerError("post_processor: the template leaves the text out") }
  }

  func applied(to ids: [Int]) -> [Int] { before + ids + after }
}

/// How tokens are put together to text.
enum TokenDecoder: Sendable {
  case joinedBySpaces
  case bytes
  case wordPieces(prefix: String, cleansUp: Bool)

  init(_ json: JSON?) throws {
    guard let json else {
      self = .joinedBySpaces
      return
    }
    switch json["type"]?.string {
    case "ByteLevel": self = .bytes
    case "WordPiece":
      self = .wordPieces(
        prefix: json["prefix"]?.string ?? "##", cleansUp: json["cleanup"]?.bool ?? true)
    case let kind:
      throw TokenizerError(
        "decoder: kind \(quoted(kind ?? "none")) is not supported; ByteLevel, WordPiece and null are"
      )
    }
  }

  func text(of tokens: [String]) -> String {
    switch self {
    case .joinedBySpaces: return tokens.joined(separator: " ")
    case .bytes: return ByteAlphabet.text(of: tokens)
    case .wordPieces(let prefix, let cleansUp):
      return tokens.enumerated().map { i, token in
        let joins = token.utf8.starts(with: prefix.utf8)
        let rest = String(decoding: token.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
        let spaced = i == 0 ? token : joins ? rest : " " + token
        return cleansUp ? TokenDecoder.cleaned(spaced) : spaced
      }.joined()
    }
  }

  /// Takes the spaces before punctuation and contractions away, in this order.
  private static func cleaned(_ text: String) -> String {
    let changes = [
      (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
      (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ]
    return changes.reduce(text) {
      $0.replacingOccurrences(of: $1.0, with: $1.1, options: .literal)
    }
  }
}

/// The alphabet of GPT-2: one printable character for each byte.
enum ByteAlphabet {
  /// By byte. Bytes that print stand for themselves, the others for U+0100 and on.
  private static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (UInt32(0)...255).map { byte in
      if 0x21...0x7e ~= byte || 0xa1...0xac ~= byte || 0xae...0xff ~= byte {
        return Unicode.Scalar(byte)!
      }
      defer { next += 1 }
      return Unicode.Scalar(next)!
    }
  }()

  private static let bytes = Dictionary(
    uniqueKeysWithValues: scalars.enumerated().map { ($1, UInt8($0)) })

  /// The bytes of a text in that alphabet.
  static func spell(_ text: String) -> String {
    var spelled = String.UnicodeScalarView()
    spelled.append(contentsOf: text.utf8.lazy.map { scalars[Int($0)] })
    return String(spelled)
  }

  /// The text whose bytes the tokens spell; a token with a character outside the alphabet (an added
  /// one) stands for itself.
  static func text(of tokens: [String]) -> String {
    var text: [UInt8] = []
    for token in tokens {
      let spelled = token.unicodeScalars.compactMap { bytes[$0] }
      text += spelled.count == token.unicodeScalars.count ? spelled : Array(token.utf8)
    }
    return String(decoding: text, as: UTF8.self)
  }
}
