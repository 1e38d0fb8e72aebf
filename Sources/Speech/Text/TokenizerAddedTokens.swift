// Tokens that are found in the text literally, before anything else is done to it: <|AUDIO|> and
// its like. The rules, odd ones included, are those of `tokenizers`.

import JSON

/// The added tokens of a tokenizer, and the search for them.
struct AddedTokens: Sendable {
  /// A part of a text: a token found, or text that is still to be split.
  enum Piece {
    case token(Int)
    case text(String)
  }

  fileprivate struct Token: Sendable {
    let id: Int
    let content: String
    let isSpecial: Bool
    let stripsLeft: Bool
    let stripsRight: Bool
    let isSingleWord: Bool
  }

  private let tokens: [Int: Token]
  private let ids: [ExactText: Int]
  private let normalizer: TextNormalizer
  /// Tokens that are looked for in the text as it is.
  private let literal: TokenTrie
  /// Tokens that are looked for in the normalised text, themselves normalised.
  private let normalized: TokenTrie

  init(_ list: [JSON], normalizer: TextNormalizer, model: TokenModel) throws {
    var tokens: [Int: Token] = [:]
    var ids: [ExactText: Int] = [:]
    var literal = TokenTrie()
    var normalized = TokenTrie()
    for (number, json) in list.enumerated() {
      guard let id = json["id"]?.int, 0..<1 << 31 ~= id, let content = json["content"]?.string
      else { throw TokenizerError("added_tokens: entry \(number) lacks an id or a content") }
      let token = Token(
        id: id, content: content, isSpecial: json["special"]?.bool ?? false,
        stripsLeft: json["lstrip"]?.bool ?? false, stripsRight: json["rstrip"]?.bool ?? false,
        isSingleWord: json["single_word"]?.bool ?? false)
      if content.isEmpty { continue }
      let known = ExactText(model.token(id) ?? content)
      guard model.id(of: content) ?? id == id, known == ExactText(content) else {
        throw TokenizerError(
          "added_tokens: \(quoted(content)) has id \(id), which the vocabulary contradicts")
      }
      guard tokens.updateValue(token, forKey: id) == nil,
        ids.updateValue(id, forKey: ExactText(content)) == nil
      else {
        throw TokenizerError("added_tokens: \(quoted(content)) or its id \(id) is there twice")
      }
      // The default of the flag is the opposite of `special`.
      if json["normalized"]?.bool ?? !token.isSpecial {
        normalized.insert(normalizer.applied(to: content), id: id)
      } else {
        literal.insert(content, id: id)
      }
    }
    self.tokens = tokens
    self.ids = ids
    self.literal = literal
    self.normalized = normalized
    self.normalizer = normalizer
  }

  func id(of token: String) -> Int? { ids[ExactText(token)] }
  func token(_ id: Int) -> String? { tokens[id]?.content }
  func isSpecial(_ id: Int) -> Bool { tokens[id]?.isSpecial ?? false }
  var largestID: Int { tokens.keys.max() ?? -1 }

  /// The text cut at its added tokens, what lies between them normalised.
  func pieces(of text: String) -> [Piece] {
    cut(text, with: literal).flatMap { piece in
      guard case .text(let part) = piece else { return [piece] }
      return cut(normalizer.applied(to: part), with: normalized)
    }
  }

  /// Leftmost match first, the longest where several start there; a match that its flags rule out
  /// is passed over whole.
  private func cut(_ text: String, with trie: TokenTrie) -> [Piece] {
    let bytes = Array(text.utf8)
    var pieces: [Piece] = []
    var done = 0
    func addText(_ range: Range<Int>) {
      if !range.isEmpty { pieces.append(.text(String(decoding: bytes[range], as: UTF8.self))) }
    }
    var position = 0
    while position < bytes.count {
      guard let match = trie.longestMatch(in: bytes, at: position), let token = tokens[match.id]
      else {
        position += 1
        continue
      }
      var (start, end) = (position, match.end)
      position = match.end
      let before = text.unicodeScalars[..<text.utf8.index(text.startIndex, offsetBy: start)]
      let after = text.unicodeScalars[text.utf8.index(text.startIndex, offsetBy: end)...]
      if token.isSingleWord, before.last?.isWordCharacter ?? false { continue }
      if token.isSingleWord, after.first?.isWordCharacter ?? false { continue }
      if token.stripsLeft {
        let spaces = before.reversed().prefix(while: \.properties.isWhitespace)
        start = max(done, start - spaces.reduce(0) { $0 + UTF8.width($1) })
      }
      if token.stripsRight {
        end += after.prefix(while: \.properties.isWhitespace).reduce(0) { $0 + UTF8.width($1) }
      }
      if done < start { addText(done..<start) }
      pieces.append(.token(token.id))
      done = end
    }
    if done < bytes.count { addText(done..<bytes.count) }
    return pieces
  }
}

/// A tree of bytes that finds the longest of many strings at a place.
private struct TokenTrie: Sendable {
  /// By node and byte.
  private var children: [Int: Int] = [:]
  private var ids: [Int: Int] = [:]
  private var count = 1
  private var starts = [Bool](repeating: false, count: 256)

  mutating func insert(_ text: String, id: Int) {
    var node = 0
    for (i, byte) in text.utf8.enumerated() {
      if i == 0 { starts[Int(byte)] = true }
      let key = node << 8 | Int(byte)
      if children[key] == nil {
        children[key] = count
        count += 1
      }
      node = children[key]!
    }
    if node != 0, ids[node] == nil { ids[node] = id }
  }

  func longestMatch(in bytes: [UInt8], at start: Int) -> (end: Int, id: Int)? {
    guard starts[Int(bytes[start])] else { return nil }
    var node = 0
    var longest: (end: Int, id: Int)?
    for position in start..<bytes.count {
      guard let child = children[node << 8 | Int(bytes[position])] else { break }
      node = child
      if let id = ids[node] { longest = (position + 1, id) }
    }
    return longest
  }
}

extension Unicode.Scalar {
  /// What `\w` matches in Unicode regular expressions.
  var isWordCharacter: Bool {
    if properties.isAlphabetic || properties.isJoinControl { return true }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
      return true
    default: return false
    }
  }
}
