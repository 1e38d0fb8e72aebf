// A table as spreadsheets save it: separated by commas, semicolons or tabs, in UTF-8 or UTF-16, with or
// without a byte-order mark, its first line the names of the columns.

import Corpus
import Foundation
import JSON

/// The rows of a table.
public struct Table: Sendable {
  /// What stands between fields, as the first line shows.
  public let separator: Character
  /// Names of the columns; that of one without a name is empty.
  public let columns: [String]
  /// The fields of each row, and the line on which it begins; rows without any text are left out.
  public let rows: [(line: Int, fields: [String])]

  /// - Throws: what `init(_:)` throws, with the path, and where the file cannot be read as text.
  public init(contentsOf path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw CellError("\(path): cannot be read; check the path")
    }
    guard let text = unicodeText(data) else {
      throw CellError("\(path): is not UTF-8; save it as CSV in UTF-8")
    }
    guard !text.contains("\0") else {
      throw CellError(
        "\(path): has null characters, as UTF-16 without a byte-order mark has; save it as CSV in UTF-8"
      )
    }
    do { try self.init(text) } catch { throw CellError("\(path): \(error)") }
  }

  /// Fields may be quoted; a quote inside is doubled. Lines end with a line feed, a carriage return or
  /// both.
  ///
  /// - Throws: where a quoted field does not end, there is no line, or a column is named twice.
  public init(_ text: String) throws {
    let text = text.replacing("\r\n", with: "\n").replacing("\r", with: "\n")
    separator = Table.separator(of: text)
    var rows = try Table.fields(text, by: separator)
      .filter { $0.fields.contains { !$0.allSatisfy(\.isWhitespace) } }
    guard !rows.isEmpty else { throw CellError("is empty; its first line names the columns") }
    columns = rows.removeFirst().fields.map { $0.trimmingCharacters(in: .whitespaces) }
    self.rows = rows
    let named = columns.filter { !$0.isEmpty }
    if let twice = named.first(where: { name in named.count { $0 == name } > 1 }) {
      throw CellError("names the column \(quoted(twice)) twice")
    }
  }

  /// The fields of a row that are not empty, by column.
  ///
  /// - Throws: where it has not as many as there are columns, or one in a column without a name.
  public func values(of fields: [String]) throws -> [String: String] {
    guard fields.count == columns.count else {
      throw CellError("has \(fields.count) fields, the first line \(columns.count)")
    }
    let filled = zip(columns, fields).filter { !$0.1.isEmpty }
    if let nameless = filled.first(where: { $0.0.isEmpty }) {
      throw CellError("has \(quoted(nameless.1)) in a column without a name")
    }
    return Dictionary(uniqueKeysWithValues: filled)
  }

  /// What the table was read as, and found to have: for messages of columns that are missing.
  public var description: String {
    let name = separator == "," ? "commas" : separator == ";" ? "semicolons" : "tabs"
    return "its first line, read as separated by \(name), names "
      + columns.prefix(12).map { quoted($0) }.joined(separator: ", ")
      + (columns.count > 12 ? " and \(columns.count - 12) more" : "")
  }
}

extension Table {
  /// The one of the separators that the first line with text has most of outside quotes, a comma where
  /// it has none.
  private static func separator(of text: String) -> Character {
    var counts: [Character: Int] = [:]
    var (isQuoted, hasText) = (false, false)
    for c in text {
      if c == "\"" { isQuoted.toggle() }
      if c == "\n", hasText, !isQuoted { break }
      if !c.isWhitespace { hasText = true }
      if !isQuoted { counts[c, default: 0] += 1 }
    }
    return [",", ";", "\t"].max { counts[$0, default: 0] < counts[$1, default: 0] }!
  }

  private static func fields(_ text: String, by separator: Character) throws -> [(
    line: Int, fields: [String]
  )] {
    var rows: [(line: Int, fields: [String])] = []
    var fields: [String] = []
    var field = ""
    var (isQuoted, wasQuoted) = (false, false)
    var (line, start) = (1, 1)
    func isBlank() -> Bool { fields.isEmpty && field.isEmpty && !wasQuoted }
    var rest = text[...]
    while let c = rest.popFirst() {
      if isQuoted {
        if c == "\"" {
          if rest.first == "\"" {
            field.append(rest.removeFirst())
          } else {
            isQuoted = false
          }
        } else {
          if c == "\n" { line += 1 }
          field.append(c)
        }
        continue
      }
      switch c {
      case "\"" where field.isEmpty: (isQuoted, wasQuoted) = (true, true)
      case separator:
        fields.append(field)
        (field, wasQuoted) = ("", false)
      case "\n":
        if !isBlank() { rows.append((start, fields + [field])) }
        (fields, field, wasQuoted) = ([], "", false)
        line += 1
        start = line
      default: field.append(c)
      }
    }
    guard !isQuoted else { throw CellError("line \(start): a quoted field does not end") }
    if !isBlank() { rows.append((start, fields + [field])) }
    return rows
  }
}
