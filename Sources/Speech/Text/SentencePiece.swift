// SentencePiece (Kudo and Richardson, 2018): spaces are characters like others, and a text is either
// merged from characters by score or cut into the most probable sequence of pieces.

/// A SentencePiece model.
struct SentencePiece: Sendable {
  private let file: SentencePieceFile
  private let map: CharacterMap
  private let ids: [ExactText: Int]
  private let byteIDs: [Int]?
  private let unknownID: Int
  /// Bytes of the longest piece.
  private let longest: Int
  private let userDefined: [String]
  private let unknownScore: Float

  /// The space as pieces have it. Characters are replaced scalar by scalar: a space before a
  /// combining mark is one `Character` with it.
  private static let space: Unicode.Scalar = "\u{2581}"

  private static func replacing(
    _ old: Unicode.Scalar, _ new: Unicode.Scalar, in text: String
  ) -> String.UnicodeScalarView {
    var out = String.UnicodeScalarView()
    out.append(contentsOf: text.unicodeScalars.lazy.map { $0 == old ? new : $0 })
    return out
  }

  init(_ bytes: [UInt8]) throws {
    file = try SentencePieceFile(bytes)
    map = try CharacterMap(file.characterMap)
    var ids: [ExactText: Int] = [:]
    for (id, piece) in file.pieces.enumerated()
    where piece.kind == .normal || piece.kind == .userDefined || piece.kind == .unused {
      if ids[ExactText(piece.text)] == nil { ids[ExactText(piece.text)] = id }
    }
    self.ids = ids
    var bytesFound = [Int](repeating: -1, count: 256)
    for (id, piece) in file.pieces.enumerated() where piece.kind == .byte {
      if let byte = SentencePiece.byte(piece.text) { bytesFound[Int(byte)] = id }
    }
    byteIDs = bytesFound.contains(-1) ? nil : bytesFound
    guard let unknown = file.pieces.firstIndex(where: { $0.kind == .unknown }) else {
      throw TokenizerError("the SentencePiece model has no piece for what it does not know")
    }
    unknownID = unknown
    longest = file.pieces.map(\.text.utf8.count).max() ?? 0
    userDefined = file.pieces.filter { $0.kind == .userDefined && !$0.text.isEmpty }.map(\.text)
      .sorted { $0.utf8.count > $1.utf8.count }
    let lowest = file.pieces.filter { $0.kind == .normal }.map(\.score).min() ?? 0
    unknownScore = lowest - 10
  }

  /// The byte of a piece such as `<0x0A>`.
  static func byte(_ piece: String) -> UInt8? {
    let text = piece.utf8
    guard text.count == 6, piece.hasPrefix("<0x"), piece.hasSuffix(">") else { return nil }
    return UInt8(piece.dropFirst(3).dropLast(), radix: 16)
  }

  var count: Int { file.pieces.count }
  func token(_ id: Int) -> String? {
    file.pieces.indices.contains(id) ? file.pieces[id].text : nil
  }
  func id(of token: String) -> Int? {
    ids[ExactText(token)] ?? file.pieces.firstIndex { ExactText($0.text) == ExactText(token) }
  }

  /// Appends the ids of a text; false where a part of it is unknown.
  func encode(_ text: String, into out: inout [Int]) -> Bool {
    let symbols = symbols(of: normalized(text))
    let pieces = file.model == 2 ? merged(symbols) : mostProbable(symbols)
    var isKnown = true
    var afterUnknown = false
    for piece in pieces {
      if let id = ids[ExactText(piece)] {
        out.append(id)
        afterUnknown = false
      } else if let byteIDs {
        out += piece.utf8.map { byteIDs[Int($0)] }
      } else {
        isKnown = false
        // What is unknown in a row is one piece.
        if !afterUnknown { out.append(unknownID) }
        afterUnknown = true
      }
    }
    return isKnown
  }

  private func normalized(_ text: String) -> String {
    var bytes = map(Array(text.utf8))
    if file.removesExtraSpaces {
      var kept: [UInt8] = []
      for byte in bytes where byte != 32 || (kept.last ?? 32) != 32 { kept.append(byte) }
      if kept.last == 32 { kept.removeLast() }
      bytes = kept
    }
    if bytes.isEmpty { return "" }
    let text = (file.addsPrefix ? " " : "") + String(decoding: bytes, as: UTF8.self)
    return file.escapesSpaces
      ? String(SentencePiece.replacing(" ", SentencePiece.space, in: text)) : text
  }

  /// Characters, and the symbols of the user as one each.
  private func symbols(of text: String) -> [String] {
    if userDefined.isEmpty { return text.unicodeScalars.map { String($0) } }
    var symbols: [String] = []
    var rest = Substring(text).unicodeScalars
    while let first = rest.first {
      let whole = userDefined.first {
        Array($0.unicodeScalars).elementsEqual(rest.prefix($0.unicodeScalars.count))
      }
      symbols.append(whole ?? String(first))
      rest = rest.dropFirst(whole?.unicodeScalars.count ?? 1)
    }
    return symbols
  }

  /// Neighbours are joined, the pair first whose whole has the highest score, leftmost among equals.
  private func merged(_ symbols: [String]) -> [String] {
    var pieces = symbols
    let fixed = Set(userDefined.map(ExactText.init))
    var isFixed = symbols.map { fixed.contains(ExactText($0)) }
    func score(_ i: Int) -> Float? {
      if isFixed[i] || isFixed[i + 1] { return nil }
      guard let id = ids[ExactText(pieces[i] + pieces[i + 1])] else { return nil }
      return file.pieces[id].score
    }
    var scores = pieces.indices.dropLast().map(score)
    while true {
      var best: (place: Int, score: Float)?
      for (i, score) in scores.enumerated() {
        if let score, score > best?.score ?? -.infinity { best = (i, score) }
      }
      guard let place = best?.place else { return pieces }
      pieces[place] += pieces[place + 1]
      pieces.remove(at: place + 1)
      isFixed.remove(at: place + 1)
      scores.remove(at: place)
      if place > 0 { scores[place - 1] = score(place - 1) }
      if place < scores.count { scores[place] = score(place) }
    }
  }

  /// The sequence of pieces with the highest sum of scores (Viterbi).
  private func mostProbable(_ symbols: [String]) -> [String] {
    var best: [(score: Float, from: Int)?] = [(0, -1)]
    let widths = symbols.map(\.utf8.count)
    for end in 1..<symbols.count + 1 {
      var found: (score: Float, from: Int)?
      var (piece, bytes) = ("", 0)
      for start in (0..<end).reversed() {
        bytes += widths[start]
        if bytes > longest && start < end - 1 { break }
        piece = symbols[start] + piece
        guard let before = best[start] else { continue }
        let id = ids[ExactText(piece)].flatMap { file.pieces[$0].kind == .unused ? nil : $0 }
        let own: Float
        if let id {
          // The user's symbols beat every other way to cut.
          own = file.pieces[id].kind == .userDefined ? 0.1 * Float(bytes) : file.pieces[id].score
        } else if start == end - 1 {
          own = unknownScore
        } else {
          continue
        }
        if before.score + own >= found?.score ?? -.infinity { found = (before.score + own, start) }
      }
      best.append(found)
    }
    var pieces: [String] = []
    var end = symbols.count
    while end > 0, let from = best[end]?.from {
      pieces.append(symbols[from..<end].joined())
      end = from
    }
    return pieces.reversed()
  }

  /// The text of ids.
  func text(of ids: [Int]) -> String {
    var bytes: [UInt8] = []
    var isFirst = true
    for id in ids where file.pieces.indices.contains(id) {
      let piece = file.pieces[id]
      switch piece.kind {
      case .control: break
      case .unknown: bytes += Array(" \u{2047} ".utf8)
      case .byte: bytes += SentencePiece.byte(piece.text).map { [$0] } ?? []
      default:
        var text = SentencePiece.replacing(SentencePiece.space, " ", in: piece.text)
        if isFirst, file.addsPrefix, text.first == " " { text.removeFirst() }
        bytes += Array(String(text).utf8)
      }
      if piece.kind != .control { isFirst = false }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
