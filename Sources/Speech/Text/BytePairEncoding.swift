// Byte-pair encoding: a piece starts as its characters, and the neighbours whose merge was learned
// first are joined until no two neighbours have a merge.

import JSON

/// Merges by rank. A piece of n characters takes O(n log n) time, however long its words.
struct BytePairEncoding: Sendable {
  let vocabulary: Vocabulary

  private struct Merge {
    let rank: UInt32
    let id: Int32
  }

  /// By two ids, the left one in the upper half.
  private let merges: [UInt64: Merge]
  /// The ids of single characters.
  private let characters: [Unicode.Scalar: Int32]
  private let unknownID: Int32?
  private let fusesUnknown: Bool
  private let ignoresMerges: Bool
  private let cache = PieceCache()

  init(_ json: JSON) throws {
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let affix = json[key]?.string, !affix.isEmpty {
        throw TokenizerError("model: \(key) \(quoted(affix)) is not supported")
      }
    }
    if let dropout = json["dropout"]?.double, dropout > 0 {
      throw TokenizerError("model: dropout \(dropout) is not supported; it is random")
    }
    if json["byte_fallback"]?.bool == true {
      throw TokenizerError(
        "model: byte_fallback is not supported; byte-level BPE has no need of it")
    }
    let members = try json.object("vocab")
    vocabulary = try Vocabulary(members)
    ignoresMerges = json["ignore_merges"]?.bool ?? false
    fusesUnknown = json["fuse_unk"]?.bool ?? false
    if let unknown = json["unk_token"]?.string {
      guard let id = vocabulary.id(of: unknown) else {
        throw TokenizerError("model: the vocabulary lacks the unk_token \(quoted(unknown))")
      }
      unknownID = Int32(id)
    } else {
      unknownID = nil
    }
    characters = Dictionary(
      uniqueKeysWithValues: members.compactMap { token, id in
        let scalars = token.unicodeScalars
        return scalars.count == 1 ? (scalars.first!, Int32(id.int!)) : nil
      })
    merges = try BytePairEncoding.merges(json.array("merges"), vocabulary)
  }

  /// The table of merges, from `"a b"` or `["a", "b"]`; the line number is the rank.
  ///
  /// The tokenizer.json that goes about with Whisper base lacks its first line, " t", and so splits " the"
  /// into two tokens that the model itself does not write (it writes one). A token of two characters that
  /// other merges take and none makes is such a line; it comes before all others.
  private static func merges(_ lines: [JSON], _ vocabulary: Vocabulary) throws -> [UInt64: Merge] {
    let pairs = try lines.enumerated().map { try pair($1, rank: $0, vocabulary) }
    let made = Set(pairs.map(\.whole))
    let lost = Set(pairs.flatMap { [$0.left, $0.right] }).subtracting(made).sorted()
      .compactMap { id -> (left: Int32, right: Int32, whole: Int32)? in
        let scalars = vocabulary.token(Int(id))?.unicodeScalars.map { String($0) } ?? []
        guard scalars.count == 2, let left = vocabulary.id(of: scalars[0]),
          let right = vocabulary.id(of: scalars[1])
        else { return nil }
        return (Int32(left), Int32(right), id)
      }
    var merges: [UInt64: Merge] = [:]
    merges.reserveCapacity(lines.count)
    for (rank, merge) in (lost + pairs).enumerated() {
      merges[pair(merge.left, merge.right)] = Merge(rank: UInt32(rank), id: merge.whole)
    }
    return merges
  }

  /// The ids of a line of merges.
  private static func pair(_ line: JSON, rank: Int, _ vocabulary: Vocabulary) throws -> (
    left: Int32, right: Int32, whole: Int32
  ) {
    let spaced = line.string?.utf8.split(separator: 32, omittingEmptySubsequences: false)
    let parts =
      spaced?.map { String(Substring($0)) } ?? line.elements?.compactMap(\.string) ?? []
    guard parts.count == 2 else {
      throw TokenizerError("model: merge \(rank) is not a pair of tokens: \(line.compactText)")
    }
    let ids = try [parts[0], parts[1], parts[0] + parts[1]].map { token in
      guard let id = vocabulary.id(of: token) else {
        throw TokenizerError("model: merge \(rank) needs \(quoted(token)), not in the vocabulary")
      }
      return Int32(id)
    }
    return (ids[0], ids[1], ids[2])
  }

  private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// Appends the ids of a piece; false where it has a character that the vocabulary lacks.
  func encode(_ piece: String, into ids: inout [Int]) -> Bool {
    if ignoresMerges, let id = vocabulary.id(of: piece) {
      ids.append(id)
      return true
    }
    let entry = cache.entry(for: piece) {
      var symbols: [Int32] = []
      var isKnown = true
      var afterUnknown = false
      for scalar in piece.unicodeScalars {
        let id = characters[scalar]
        if let id { symbols.append(id) }
        if id == nil, let unknownID, !(fusesUnknown && afterUnknown) { symbols.append(unknownID) }
        afterUnknown = id == nil
        if id == nil { isKnown = false }
      }
      return PieceCache.Entry(ids: merged(symbols).map(Int.init), isKnown: isKnown)
    }
    ids += entry.ids
    return entry.isKnown
  }

  /// Joins neighbours, lowest rank first and leftmost among equals.
  private func merged(_ symbols: [Int32]) -> [Int32] {
    var symbols = symbols
    var next = Array(1..<symbols.count + 1)
    var previous = Array(-1..<symbols.count - 1)
    var isGone = [Bool](repeating: false, count: symbols.count)
    var queue = Heap()

    func merge(at left: Int) -> Merge? {
      let right = next[left]
      return right < symbols.count
        ? merges[BytePairEncoding.pair(symbols[left], symbols[right])] : nil
    }
    func offer(_ left: Int) {
      if let merge = merge(at: left) { queue.push(UInt64(merge.rank) << 32 | UInt64(left)) }
    }
    for position in symbols.indices { offer(position) }
    while let best = queue.pop() {
      let left = Int(best & 0xffff_ffff)
      // A pair whose left or right side has been joined with another since is no longer there.
      guard !isGone[left], let merge = merge(at: left), merge.rank == best >> 32 else { continue }
      let right = next[left]
      symbols[left] = merge.id
      isGone[right] = true
      next[left] = next[right]
      if next[right] < symbols.count { previous[next[right]] = left }
      if previous[left] >= 0 { offer(previous[left]) }
      offer(left)
    }
    return symbols.indices.filter { !isGone[$0] }.map { symbols[$0] }
  }
}

/// A binary heap of numbers, the smallest on top.
private struct Heap {
  private var items: [UInt64] = []

  mutating func push(_ item: UInt64) {
    items.append(item)
    var child = items.count - 1
    while child > 0, items[(child - 1) / 2] > items[child] {
      items.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func pop() -> UInt64? {
    guard let top = items.first, let last = items.popLast() else { return nil }
    guard !items.isEmpty else { return top }
    items[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      if child >= items.count { return top }
      if child + 1 < items.count, items[child + 1] < items[child] { child += 1 }
      if items[parent] <= items[child] { return top }
      items.swapAt(parent, child)
      parent = child
    }
  }
}
