// Praat's TextGrid files, long and short, in UTF-8 or UTF-16: both formats hold the same texts and
// numbers in the same order, and differ in what stands around them.

import Foundation
import JSON

/// Why a TextGrid cannot be read.
public struct TextGridError: Error, CustomStringConvertible, Equatable {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// The interval tiers of a TextGrid.
public struct TextGrid: Sendable {
  /// Names and intervals of the tiers, in the file's order; tiers of points are left out.
  public let tiers: [(name: String, segments: [Segment])]

  /// - Throws: where the file cannot be read or is no TextGrid; the error names the line.
  public init(contentsOf path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw TextGridError("\(path): cannot be read; check the path")
    }
    guard let text = unicodeText(data) else {
      throw TextGridError("\(path): is neither UTF-8 nor UTF-16")
    }
    do { try self.init(text) } catch let error as TextGridError {
      throw TextGridError("\(path): \(error)")
    }
  }

  /// Reads the text of a TextGrid.
  public init(_ text: String) throws {
    var tokens = TextGridTokens(text)
    guard try tokens.text() == "ooTextFile", try tokens.text() == "TextGrid" else {
      throw TextGridError("is no TextGrid; its first lines should name ooTextFile and TextGrid")
    }
    _ = (try tokens.number(), try tokens.number())
    guard try tokens.flag() == "exists" else { throw TextGridError("has no tiers") }
    var tiers: [(name: String, segments: [Segment])] = []
    for _ in 0..<(try tokens.count()) {
      let kind = try tokens.text()
      let name = try tokens.text()
      _ = (try tokens.number(), try tokens.number())
      var segments: [Segment] = []
      for _ in 0..<(try tokens.count()) {
        if kind == "IntervalTier" {
          let (start, end) = (try tokens.number(), try tokens.number())
          guard start < end else { throw tokens.bad("an interval should end behind its start") }
          segments.append(Segment(try tokens.text(), 1000 * start, 1000 * end))
        } else {
          _ = (try tokens.number(), try tokens.text())
        }
      }
      if kind == "IntervalTier" { tiers.append((name, segments)) }
    }
    self.tiers = tiers
  }

  /// The intervals of a tier.
  ///
  /// - Parameter name: the first of the usual names (phones, phone, words, word) where nil, else the
  ///   first tier
  /// - Throws: where there is no such tier, or its intervals overlap.
  public func segments(of name: String? = nil) throws -> [Segment] {
    let usual = ["phones", "phone", "words", "word"]
    let wanted =
      name ?? usual.first { name in tiers.contains { $0.name == name } } ?? tiers.first?.name
    guard let tier = tiers.first(where: { $0.name == wanted }), !tier.segments.isEmpty else {
      let names = tiers.map { quoted($0.name) }.joined(separator: ", ")
      throw TextGridError(
        "has no tier of intervals" + (name.map { " named \(quoted($0))" } ?? "")
          + (names.isEmpty ? "" : "; it has \(names)"))
    }
    do { try tier.segments.checkOrder() } catch {
      throw TextGridError("tier \(quoted(tier.name)): \(error)")
    }
    return tier.segments
  }
}

/// The text of a file in UTF-8, or in UTF-16 where a byte-order mark says so; without the mark. Nil where
/// it is neither.
public func unicodeText(_ data: Data) -> String? {
  let bytes = [UInt8](data.prefix(2))
  let encoding: String.Encoding =
    bytes == [0xFE, 0xFF] ? .utf16BigEndian : bytes == [0xFF, 0xFE] ? .utf16LittleEndian : .utf8
  guard var text = String(data: data, encoding: encoding) else { return nil }
  if text.unicodeScalars.first == "\u{FEFF}" { text.unicodeScalars.removeFirst() }
  return text
}

/// The texts in quotes, numbers and flags of a file, with their lines. Words, and what stands in
/// brackets, are for the human reader.
private struct TextGridTokens {
  private enum Token {
    case text(String)
    case number(Double)
    case flag(String)
  }

  private let tokens: [(token: Token, line: Int)]
  private var next = 0

  init(_ text: String) {
    var tokens: [(Token, Int)] = []
    let characters = Array(text.unicodeScalars)
    var (i, line) = (0, 1)
    while i < characters.count {
      let c = characters[i]
      if c == "\n" { line += 1 }
      if c == "\"" {
        let start = line
        var content = String.UnicodeScalarView()
        i += 1
        while i < characters.count {
          if characters[i] == "\"" {
            // A doubled quote is one of the text.
            guard i + 1 < characters.count, characters[i + 1] == "\"" else { break }
            i += 1
          }
          if characters[i] == "\n" { line += 1 }
          content.append(characters[i])
          i += 1
        }
        tokens.append((.text(String(content)), start))
        i += 1
      } else if c == "<" || c == "[" {
        let close: Unicode.Scalar = c == "<" ? ">" : "]"
        let end = characters[i...].firstIndex(of: close) ?? characters.count
        if c == "<" {
          var name = String.UnicodeScalarView()
          name.append(contentsOf: characters[(i + 1)..<end])
          tokens.append((.flag(String(name)), line))
        }
        i = end + 1
      } else if c.properties.isWhitespace {
        i += 1
      } else {
        var word = String.UnicodeScalarView()
        while i < characters.count, !characters[i].properties.isWhitespace, characters[i] != "\"",
          characters[i] != "[", characters[i] != "<"
        {
          word.append(characters[i])
          i += 1
        }
        if let number = Double(String(word)) { tokens.append((.number(number), line)) }
      }
    }
    self.tokens = tokens
  }

  func bad(_ reason: String) -> TextGridError {
    let line = tokens.isEmpty ? 1 : tokens[min(next, tokens.count) - (next > 0 ? 1 : 0)].line
    return TextGridError("line \(line): \(reason)")
  }

  private mutating func take() throws -> Token {
    guard next < tokens.count else { throw TextGridError("ends too early; save it again in Praat") }
    next += 1
    return tokens[next - 1].token
  }

  mutating func text() throws -> String {
    guard case .text(let text) = try take() else { throw bad("a text in quotes should stand here") }
    return text
  }

  mutating func number() throws -> Double {
    guard case .number(let number) = try take(), number.isFinite else {
      throw bad("a number should stand here")
    }
    return number
  }

  mutating func flag() throws -> String {
    guard case .flag(let flag) = try take() else { throw bad("<exists> should stand here") }
    return flag
  }

  mutating func count() throws -> Int {
    let number = try number()
    guard let count = Int(exactly: number), (0...1_000_000).contains(count) else {
      throw bad("a count should stand here")
    }
    return count
  }
}
