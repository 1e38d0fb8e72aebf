// From text to the pieces that a model encodes: normaliser and pre-tokenizer.

import Foundation
import JSON

/// Changes of the text before it is split, in order.
struct TextNormalizer: Sendable {
  private enum Step: Sendable {
    case composed, decomposed, composedCompatibility, decomposedCompatibility, lowercase
  }

  private var steps: [Step] = []

  init(_ json: JSON?) throws {
    guard let json else { return }
    switch json["type"]?.string {
    case "NFC": steps = [.composed]
    case "NFD": steps = [.decomposed]
    case "NFKC": steps = [.composedCompatibility]
    case "NFKD": steps = [.decomposedCompatibility]
    case "Lowercase": steps = [.lowercase]
    case "Sequence":
      steps = try json.array("normalizers").flatMap { try TextNormalizer($0).steps }
    case let kind:
      throw TokenizerError(
        "normalizer: kind \(quoted(kind ?? "none")) is not supported; NFC, NFD, NFKC, NFKD, Lowercase "
          + "and Sequence are")
    }
  }

  func applied(to text: String) -> String {
    steps.reduce(text) { text, step in
      switch step {
      case .composed: text.precomposedStringWithCanonicalMapping
      case .decomposed: text.decomposedStringWithCanonicalMapping
      case .composedCompatibility: text.precomposedStringWithCompatibilityMapping
      case .decomposedCompatibility: text.decomposedStringWithCompatibilityMapping
      // Character by character: a final sigma is not looked for.
      case .lowercase: text.unicodeScalars.map(\.properties.lowercaseMapping).joined()
      }
    }
  }
}

/// Cuts text into pieces, step by step.
struct TextSplitter: Sendable {
  private enum Step: Sendable {
    case wordRuns
    case spaces
    case expression(Expression)
    case bytes(addsSpace: Bool, splits: Bool)
  }

  private var steps: [Step] = []

  init(_ json: JSON?) throws {
    guard let json else { return }
    switch json["type"]?.string {
    case "Whitespace": steps = [.wordRuns]
    case "WhitespaceSplit": steps = [.spaces]
    case "Split": steps = [.expression(try Expression(json))]
    case "ByteLevel":
      steps = [
        .bytes(
          addsSpace: try json.bool("add_prefix_space"), splits: json["use_regex"]?.bool ?? true)
      ]
    case "Sequence":
      steps = try json.array("pretokenizers").flatMap { try TextSplitter($0).steps }
    case let kind:
      throw TokenizerError(
        "pre_tokenizer: kind \(quoted(kind ?? "none")) is not supported; Whitespace, WhitespaceSplit, "
          + "Split, ByteLevel and Sequence are")
    }
  }

  /// - Throws: where a regular expression of the file takes too long.
  func pieces(of text: String) throws -> [String] {
    try steps.reduce(text.isEmpty ? [] : [text]) { pieces, step in
      try pieces.flatMap { piece in
        switch step {
        case .wordRuns: return TextSplitter.wordRuns(of: piece)
        case .spaces: return TextSplitter.runs(of: piece) { $0.properties.isWhitespace ? nil : 0 }
        case .expression(let expression): return try expression.pieces(of: piece)
        case .bytes(let addsSpace, let splits):
          let spaced = addsSpace && piece.utf8.first != 32 ? " " + piece : piece
          let parts = try splits ? Expression.gpt2.pieces(of: spaced) : [spaced]
          return parts.map(ByteAlphabet.spell)
        }
      }
    }
  }

  /// A piece as the reader wrote it, for messages.
  func readable(_ piece: String) -> String {
    let usesBytes = steps.contains { if case .bytes = $0 { true } else { false } }
    return usesBytes ? ByteAlphabet.text(of: [piece]) : piece
  }

  /// Runs of word characters, and runs of characters that are neither that nor white space.
  static func wordRuns(of text: String) -> [String] {
    runs(of: text) { $0.isWordCharacter ? 0 : $0.properties.isWhitespace ? nil : 1 }
  }

  /// Maximal runs of characters of one class; characters of class nil are left out.
  private static func runs(of text: String, class: (Unicode.Scalar) -> Int?) -> [String] {
    var runs: [String.UnicodeScalarView] = []
    var last: Int?
    for scalar in text.unicodeScalars {
      let kind = `class`(scalar)
      if kind != nil, kind != last { runs.append(String.UnicodeScalarView()) }
      if kind != nil { runs[runs.count - 1].append(scalar) }
      last = kind
    }
    return runs.map { String($0) }
  }
}

/// A regular expression that text is split at.
private struct Expression: Sendable {
  private let expression: NSRegularExpression
  /// Whether the matches (or with `inverts` what lies between them) are dropped.
  private let removes: Bool
  private let inverts: Bool

  static let gpt2 = Expression(
    expression: try! NSRegularExpression(
      pattern: #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#),
    removes: false, inverts: false)

  private init(expression: NSRegularExpression, removes: Bool, inverts: Bool) {
    self.expression = expression
    self.removes = removes
    self.inverts = inverts
  }

  init(_ json: JSON) throws {
    let pattern = try json.object("pattern")
    let literal = pattern["String"]?.string.map(NSRegularExpression.escapedPattern)
    guard let source = pattern["Regex"]?.string ?? literal else {
      throw TokenizerError("pre_tokenizer: the pattern of Split is neither Regex nor String")
    }
    guard let expression = try? NSRegularExpression(pattern: source) else {
      throw TokenizerError("pre_tokenizer: not a regular expression: \(source)")
    }
    let behavior = try json.string("behavior")
    guard ["Isolated", "Removed"].contains(behavior) else {
      throw TokenizerError(
        "pre_tokenizer: Split with behavior \(quoted(behavior)) is not supported; Isolated and "
          + "Removed are")
    }
    self.init(
      expression: expression, removes: behavior == "Removed",
      inverts: json["invert"]?.bool ?? false)
  }

  /// How often a search may report, between two matches, that it still runs: some 10,000 steps each.
  private static let patience = 500

  func pieces(of text: String) throws -> [String] {
    let units = Array(text.utf16)
    var pieces: [String] = []
    var done = 0
    func add(_ range: Range<Int>, isMatch: Bool) {
      if range.isEmpty || removes && isMatch != inverts { return }
      pieces.append(String(decoding: units[range], as: UTF16.self))
    }
    let whole = NSRange(location: 0, length: units.count)
    var reports = 0
    expression.enumerateMatches(in: text, options: .reportProgress, range: whole) {
      match, _, stop in
      guard let match else {
        reports += 1
        if reports > Expression.patience { stop.pointee = true }
        return
      }
      reports = 0
      let found = match.range.location..<match.range.location + match.range.length
      add(done..<found.lowerBound, isMatch: false)
      add(found, isMatch: true)
      done = found.upperBound
    }
    guard reports <= Expression.patience else {
      throw TokenizerError(
        "pre_tokenizer: the regular expression \(expression.pattern) takes too long on a text of "
          + "\(units.count) characters; fetch the file again or shorten the text")
    }
    add(done..<units.count, isMatch: false)
    return pieces
  }
}
