// A reader's own pairs: a table of recordings, prompts and answers, and the list made of it.

import Corpus
import Foundation
import JSON
import Speech

/// A pair of recordings with a question whose answer differs between them.
public struct RecordedPair: Sendable {
  public let id: String
  /// The resampling unit, such as sentence by speaker.
  public let group: String
  /// Paths of the recordings.
  public let clean: String
  public let corrupt: String
  public let prompt: String
  /// The answer to the clean and to the corrupt recording.
  public let answer: String
  public let foil: String
  /// Words or phones of each recording, where their boundaries are known.
  public let segments: (clean: [Segment], corrupt: [Segment])?
  /// What the pair is kept for, such as discovery or validation, where the list says so.
  public let split: String?
}

/// Rows of a table in comma-separated values, each with the line on which it begins.
///
/// Fields may be quoted; a quote inside is doubled. Lines end with a line feed, with or without a
/// carriage return.
public func commaSeparated(_ text: String) throws -> [(line: Int, fields: [String])] {
  var rows: [(line: Int, fields: [String])] = []
  var fields: [String] = []
  var field = ""
  var (isQuoted, wasQuoted) = (false, false)
  var (line, start) = (1, 1)
  func isBlank() -> Bool { fields.isEmpty && field.isEmpty && !wasQuoted }
  var rest = text.replacing("\r\n", with: "\n")[...]
  if rest.first == "\u{FEFF}" { rest.removeFirst() }
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
    case ",":
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

/// The pairs of a table, and the rows that are none.
public struct PairTable: Sendable {
  public let pairs: [RecordedPair]
  /// What is wrong with a row, by its line.
  public let rejected: [(line: Int, reason: String)]

  private static let required = ["audio_clean", "audio_corrupt", "prompt", "answer", "foil"]
  private static let optional = ["textgrid_clean", "textgrid_corrupt", "group", "id", "split"]

  /// Reads a table with the columns audio_clean, audio_corrupt, prompt, answer and foil, and where
  /// wanted textgrid_clean, textgrid_corrupt, group, id and split. Paths that are not absolute are looked up
  /// from the current folder, then from the table's.
  ///
  /// - Parameter tier: the tier of the TextGrids that holds the boundaries
  /// - Throws: where the table cannot be read or lacks a column.
  public init(contentsOf path: String, tier: String? = nil) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw CellError("\(path): cannot be read; check the path")
    }
    guard let text = String(data: data, encoding: .utf8) else {
      throw CellError("\(path): is not UTF-8")
    }
    let rows: [(line: Int, fields: [String])]
    do { rows = try commaSeparated(text) } catch { throw CellError("\(path): \(error)") }
    guard let header = rows.first?.fields.map({ $0.trimmingCharacters(in: .whitespaces) }) else {
      throw CellError("\(path): is empty; its first line names the columns")
    }
    let missing = PairTable.required.filter { !header.contains($0) }
    let strange = header.filter { !(PairTable.required + PairTable.optional).contains($0) }
    guard missing.isEmpty, strange.isEmpty, Set(header).count == header.count else {
      let problem =
        missing.isEmpty
        ? strange.isEmpty ? "names a column twice" : "has the column \"\(strange[0])\""
        : "lacks the column \"\(missing[0])\""
      throw CellError(
        "\(path): \(problem); the columns are \(PairTable.required.joined(separator: ", ")) and, where "
          + "wanted, \(PairTable.optional.joined(separator: ", "))")
    }
    let folder = (path as NSString).deletingLastPathComponent
    var (pairs, rejected): ([RecordedPair], [(line: Int, reason: String)]) = ([], [])
    var seen: [String: Int] = [:]
    for (line, fields) in rows.dropFirst() {
      do {
        guard fields.count == header.count else {
          throw CellError("has \(fields.count) fields, the first line \(header.count)")
        }
        let row = Dictionary(uniqueKeysWithValues: zip(header, fields)).filter { !$0.value.isEmpty }
        let pair = try RecordedPair(row, line: line, below: folder, tier: tier)
        if let other = seen.updateValue(line, forKey: pair.id) {
          throw CellError("has the id \"\(pair.id)\" of line \(other)")
        }
        pairs.append(pair)
      } catch { rejected.append((line, "\(error)")) }
    }
    (self.pairs, self.rejected) = (pairs, rejected)
  }
}

extension RecordedPair {
  fileprivate init(_ row: [String: String], line: Int, below folder: String, tier: String?) throws {
    func field(_ name: String) throws -> String {
      guard let value = row[name] else { throw CellError("\(name) is empty") }
      return value
    }
    func file(_ name: String) throws -> String {
      let given = try field(name)
      let candidates = [given, folder.isEmpty ? given : "\(folder)/\(given)"]
      guard let path = candidates.first(where: FileManager.default.fileExists) else {
        throw CellError("\(name): there is no file \(given)")
      }
      return path
    }
    clean = try file("audio_clean")
    corrupt = try file("audio_corrupt")
    prompt = row["prompt"] ?? ""
    answer = try field("answer")
    foil = try field("foil")
    id = row["id"] ?? "line-\(line)"
    group = row["group"] ?? id
    split = row["split"]
    guard answer != foil else { throw CellError("answer and foil are both \"\(answer)\"") }
    guard
      FileManager.default.contents(atPath: clean) != FileManager.default.contents(atPath: corrupt)
    else { throw CellError("both recordings are the same, so that nothing could differ") }
    for path in [clean, corrupt] { try Waveform(contentsOf: path).checkAudible(path) }
    guard (row["textgrid_clean"] == nil) == (row["textgrid_corrupt"] == nil) else {
      throw CellError("one recording has a TextGrid and the other has none")
    }
    guard row["textgrid_clean"] != nil else {
      segments = nil
      return
    }
    func boundaries(_ name: String) throws -> [Segment] {
      let path = try file(name)
      do { return try TextGrid(contentsOf: path).segments(of: tier) } catch let error
        as TextGridError
      {
        throw CellError("\(error)".hasPrefix(path) ? "\(error)" : "\(path): \(error)")
      }
    }
    let (first, second) = (try boundaries("textgrid_clean"), try boundaries("textgrid_corrupt"))
    guard first.count == second.count else {
      throw CellError(
        "the TextGrids have \(first.count) and \(second.count) intervals; a pair needs as many in both"
      )
    }
    segments = (first, second)
  }
}
