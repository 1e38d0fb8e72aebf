// The two kinds of model behind a tokenizer, and the table of tokens that both have.

import JSON
import Synchronization

/// A string that equals another only where their bytes do. Swift's own equality holds "é" and
/// "e" + U+0301 for the same, a vocabulary does not.
struct ExactText: Hashable, Sendable {
  let string: String

  init(_ string: String) { self.string = string }

  static func == (a: ExactText, b: ExactText) -> Bool { a.string.utf8.elementsEqual(b.string.utf8) }

  func hash(into hasher: inout Hasher) {
    var text = string
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}

/// Tokens and their ids, both ways.
struct Vocabulary: Sendable {
  private let ids: [ExactText: Int]
  private let tokens: [Int: String]
  let largestID: Int

  init(_ members: [String: JSON]) throws {
    ids = try Dictionary(
      uniqueKeysWithValues: members.map { token, value in
        guard let id = value.int, 0..<1 << 31 ~= id else {
          throw TokenizerError("model: the id of \(quoted(token)) is not a whole number from 0 on")
        }
        return (ExactText(token), id)
      })
    tokens = Dictionary(ids.map { ($1, $0.string) }) { min($0, $1) }
    guard tokens.count == ids.count else {
      throw TokenizerError("model: two tokens of the vocabulary have one id")
    }
    largestID = tokens.keys.max() ?? -1
  }

  func id(of token: String) -> Int? { ids[ExactText(token)] }
  func token(_ id: Int) -> String? { tokens[id] }
}

/// The model of a tokenizer: what turns one piece of text into ids.
enum TokenModel: Sendable {
  case words(WordLevel)
  case merges(BytePairEncoding)
  case pieces(SentencePiece)

  init(_ json: JSON) throws {
    switch json["type"]?.string {
    case "WordLevel": self = .words(try WordLevel(json))
    // Old files leave the type out.
    case "BPE": self = .merges(try BytePairEncoding(json))
    case nil where json["merges"] != nil: self = .merges(try BytePairEncoding(json))
    case let kind:
      throw TokenizerError(
        "model: kind \(quoted(kind ?? "none")) is not supported; BPE and WordLevel are")
    }
  }

  /// Appends the ids of a piece; false where the vocabulary does not cover it.
  func encode(_ piece: String, into ids: inout [Int]) -> Bool {
    switch self {
    case .words(let model): model.encode(piece, into: &ids)
    case .merges(let model): model.encode(piece, into: &ids)
    case .pieces(let model): model.encode(piece, into: &ids)
    }
  }

  /// Whether a piece that is not covered is still encoded, with a token for it or without.
  var skipsUnknown: Bool {
    switch self {
    case .words(let model): model.unknownID != nil
    case .merges, .pieces: true
    }
  }

  func id(of token: String) -> Int? {
    switch self {
    case .words(let model): model.vocabulary.id(of: token)
    case .merges(let model): model.vocabulary.id(of: token)
    case .pieces(let model): model.id(of: token)
    }
  }

  func token(_ id: Int) -> String? {
    switch self {
    case .words(let model): model.vocabulary.token(id)
    case .merges(let model): model.vocabulary.token(id)
    case .pieces(let model): model.token(id)
    }
  }

  var largestID: Int {
    switch self {
    case .words(let model): model.vocabulary.largestID
    case .merges(let model): model.vocabulary.largestID
    case .pieces(let model): model.count - 1
    }
  }
}

/// Remembers the ids of pieces, since the same words come again and again. Safe to share.
final class PieceCache: Sendable {
  struct Entry: Sendable {
    let ids: [Int]
    let isKnown: Bool
  }

  private let entries = Mutex<[ExactText: Entry]>([:])
  private let limit = 1 << 14

  /// What is remembered for a piece, or what `compute` gives.
  func entry(for piece: String, _ compute: () -> Entry) -> Entry {
    let key = ExactText(piece)
    if let found = entries.withLock({ $0[key] }) { return found }
    let entry = compute()
    // Long pieces seldom repeat and would fill the memory.
    if entry.ids.count <= 64 {
      entries.withLock { if $0.count < limit { $0[key] = entry } }
    }
    return entry
  }
}
