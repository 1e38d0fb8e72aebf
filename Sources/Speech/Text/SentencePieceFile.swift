// A SentencePiece model file (Kudo and Richardson, 2018): protocol buffers, of which only the fields
// that encoding needs are read.

/// Fields of a protocol buffer message, in order.
struct ProtocolBuffer {
  enum Value {
    case number(UInt64)
    case bytes(ArraySlice<UInt8>)
    /// A Float32 or another number of 32 bits.
    case short(UInt32)
  }

  private let bytes: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

  /// Calls `body` for every field.
  func forEachField(_ body: (_ field: Int, _ value: Value) throws -> Void) throws {
    var at = bytes.startIndex
    func bad() -> TokenizerError { TokenizerError("not a SentencePiece model: it is damaged") }
    func varint() throws -> UInt64 {
      var (value, shift) = (UInt64(0), UInt64(0))
      while true {
        guard at < bytes.endIndex, shift < 64 else { throw bad() }
        let byte = bytes[at]
        at += 1
        value |= UInt64(byte & 0x7F) << shift
        if byte < 0x80 { return value }
        shift += 7
      }
    }
    func take(_ count: UInt64) throws -> ArraySlice<UInt8> {
      guard count <= UInt64(bytes.endIndex - at) else { throw bad() }
      defer { at += Int(count) }
      return bytes[at..<at + Int(count)]
    }
    while at < bytes.endIndex {
      let key = try varint()
      guard key >> 3 > 0, key >> 3 < 1 << 29 else { throw bad() }
      let field = Int(key >> 3)
      switch key & 7 {
      case 0: try body(field, .number(try varint()))
      case 1: _ = try take(8)
      case 2: try body(field, .bytes(try take(try varint())))
      case 5: try body(field, .short(try take(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }))
      default: throw bad()
      }
    }
  }
}

/// What a SentencePiece model file holds.
struct SentencePieceFile {
  enum Kind: Int {
    case normal = 1
    case unknown, control, userDefined, unused, byte
  }

  struct Piece {
    var text = ""
    var score: Float = 0
    var kind = Kind.normal
  }

  var pieces: [Piece] = []
  /// 1 is a unigram model, 2 byte-pair encoding.
  var model = 1
  var addsPrefix = true
  var removesExtraSpaces = true
  var escapesSpaces = true
  var characterMap: [UInt8] = []

  init(_ bytes: [UInt8]) throws {
    try ProtocolBuffer(bytes[...]).forEachField { field, value in
      guard case .bytes(let part) = value else { return }
      switch field {
      case 1: pieces.append(try SentencePieceFile.piece(part))
      case 2:
        try ProtocolBuffer(part).forEachField { field, value in
          if field == 3, case .number(let kind) = value { model = Int(truncatingIfNeeded: kind) }
        }
      case 3:
        try ProtocolBuffer(part).forEachField { field, value in
          switch (field, value) {
          case (2, .bytes(let map)): characterMap = Array(map)
          case (3, .number(let flag)): addsPrefix = flag != 0
          case (4, .number(let flag)): removesExtraSpaces = flag != 0
          case (5, .number(let flag)): escapesSpaces = flag != 0
          default: break
          }
        }
      default: break
      }
    }
    guard !pieces.isEmpty else {
      throw TokenizerError("not a SentencePiece model: it has no pieces")
    }
    guard model == 1 || model == 2 else {
      throw TokenizerError(
        "a SentencePiece model of kind \(model) is not supported; unigram (1) and BPE (2) are")
    }
  }

  private static func piece(_ bytes: ArraySlice<UInt8>) throws -> Piece {
    var piece = Piece()
    try ProtocolBuffer(bytes).forEachField { field, value in
      switch (field, value) {
      case (1, .bytes(let text)): piece.text = String(decoding: text, as: UTF8.self)
      case (2, .short(let bits)):
        piece.score = Float(bitPattern: bits)
        guard piece.score.isFinite else {
          throw TokenizerError("not a SentencePiece model: a piece has the score \(piece.score)")
        }
      case (3, .number(let number)):
        guard let kind = Kind(rawValue: Int(truncatingIfNeeded: number)) else {
          throw TokenizerError("not a SentencePiece model: a piece has type \(number)")
        }
        piece.kind = kind
      default: break
      }
    }
    return piece
  }
}

/// The replacements of characters that a SentencePiece model makes before it looks at a text: a trie
/// of what is replaced (a double array, as darts-clone builds it), and the replacements.
struct CharacterMap: Sendable {
  private let units: [UInt32]
  private let replacements: [UInt8]

  init(_ bytes: [UInt8]) throws {
    func bad() -> TokenizerError {
      TokenizerError("the SentencePiece model's table of characters is damaged")
    }
    if bytes.isEmpty {
      (units, replacements) = ([], [])
      return
    }
    guard bytes.count >= 4 else { throw bad() }
    func number(_ at: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) }
    }
    let size = Int(number(0))
    guard size % 4 == 0, size > 0, size <= bytes.count - 4 else { throw bad() }
    units = stride(from: 4, to: 4 + size, by: 4).map(number)
    replacements = Array(bytes[(4 + size)...])
  }

  func callAsFunction(_ text: [UInt8]) -> [UInt8] {
    if units.isEmpty { return text }
    var out: [UInt8] = []
    var at = 0
    while at < text.count {
      if let match = longest(text, at) {
        var i = match.start
        while i < replacements.count, replacements[i] != 0 {
          out.append(replacements[i])
          i += 1
        }
        at += match.length
      } else {
        // A character that stays: all its bytes.
        out.append(text[at])
        at += 1
        while at < text.count, text[at] & 0xC0 == 0x80 {
          out.append(text[at])
          at += 1
        }
      }
    }
    return out
  }

  /// The longest entry that the text goes on with: its length, and where its replacement starts.
  private func longest(_ text: [UInt8], _ first: Int) -> (length: Int, start: Int)? {
    func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & (1 << 9)) >> 6)) }
    var best: (length: Int, start: Int)?
    var node = offset(units[0])
    for i in first..<text.count {
      node ^= Int(text[i])
      guard node < units.count else { break }
      let unit = units[node]
      guard unit & (1 << 31 | 0xFF) == UInt32(text[i]) else { break }
      node ^= offset(unit)
      if unit >> 8 & 1 == 1 {
        guard node < units.count else { break }
        best = (i - first + 1, Int(units[node] & (1 << 31 - 1)))
      }
    }
    return best
  }
}
