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
  /// What else the table says of the pair, by column; nothing is computed from it.
  public let notes: [String: String]

  /// Whether more than half of the boundaries' intervals have other labels in the other member: boundaries of
  /// two aligners, more likely than a change.
  public var labelsAreUnlike: Bool {
    guard let segments, segments.clean.count > 2 else { return false }
    let unlike = zip(segments.clean, segments.corrupt).count { $0.label != $1.label }
    return 2 * unlike > segments.clean.count
  }

  /// What makes a pair the same as another: both recordings, wherever they are named from, what is asked and
  /// the answers.
  var asked: [String] {
    [clean, corrupt].map {
      URL(fileURLWithPath: $0).standardizedFileURL.resolvingSymlinksInPath().path
    } + [prompt, answer, foil]
  }
}

/// The pairs of a table, and the rows that are none.
public struct PairTable: Sendable {
  public let pairs: [RecordedPair]
  /// What is wrong with a row, by its line.
  public let rejected: [(line: Int, reason: String)]
  /// Columns that are not known, which are kept as notes of the pairs.
  public let noted: [String]

  private static let required = ["audio_clean", "audio_corrupt", "prompt", "answer", "foil"]
  private static let optional = ["textgrid_clean", "textgrid_corrupt", "group", "id", "split"]

  /// Reads a table with the columns audio_clean, audio_corrupt, prompt, answer and foil, and where
  /// wanted textgrid_clean, textgrid_corrupt, group, id and split; others are notes. Paths that are not
  /// absolute are looked up from the current folder, then from the table's.
  ///
  /// - Parameter tier: the tier of the TextGrids that holds the boundaries
  /// - Throws: where the table cannot be read or lacks a column.
  public init(contentsOf path: String, tier: String? = nil) throws {
    let table = try Table(contentsOf: path)
    let known = PairTable.required + PairTable.optional
    if let missing = PairTable.required.first(where: { !table.columns.contains($0) }) {
      throw CellError(
        "\(path): lacks the column \"\(missing)\"; \(table.description); the columns are "
          + "\(PairTable.required.joined(separator: ", ")) and, where wanted, "
          + PairTable.optional.joined(separator: ", "))
    }
    let noted = table.columns.filter { !$0.isEmpty && !known.contains($0) }
    let folder = (path as NSString).deletingLastPathComponent
    var (pairs, rejected): ([RecordedPair], [(line: Int, reason: String)]) = ([], [])
    var (seen, asked): ([String: Int], [[String]: Int]) = ([:], [:])
    for (line, fields) in table.rows {
      do {
        var row = try table.values(of: fields)
        let notes = row.filter { noted.contains($0.key) }
        for name in noted { row[name] = nil }
        let pair = try RecordedPair(row, notes: notes, line: line, below: folder, tier: tier)
        if let other = seen.updateValue(line, forKey: pair.id) {
          throw CellError("has the id \(quoted(pair.id)) of line \(other)")
        }
        if let other = asked.updateValue(line, forKey: pair.asked) {
          throw CellError(
            "is the pair of line \(other) again, which would count as two; leave one out")
        }
        pairs.append(pair)
      } catch { rejected.append((line, "\(error)")) }
    }
    (self.pairs, self.rejected, self.noted) = (pairs, rejected, noted)
  }
}

extension RecordedPair {
  fileprivate init(
    _ row: [String: String], notes: [String: String], line: Int, below folder: String, tier: String?
  ) throws {
    func field(_ name: String) throws -> String {
      guard let value = row[name] else { throw CellError("\(name) is empty") }
      return value
    }
    func file(_ name: String) throws -> String {
      let given = try field(name)
      let candidates = [given, folder.isEmpty ? given : "\(folder)/\(given)"]
      guard let path = candidates.first(where: FileManager.default.fileExists) else {
        throw CellError("\(name): there is no file \(shortened(given, atMost: 300))")
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
    self.notes = notes
    guard answer != foil else { throw CellError("answer and foil are both \(quoted(answer))") }
    guard
      FileManager.default.contents(atPath: clean) != FileManager.default.contents(atPath: corrupt)
    else { throw CellError("both recordings are the same, so that nothing could differ") }
    let sounds = try [clean, corrupt].map { path in
      let sound = try Waveform(contentsOf: path)
      try sound.checkAudible(path)
      return sound
    }
    guard (row["textgrid_clean"] == nil) == (row["textgrid_corrupt"] == nil) else {
      throw CellError("one recording has a TextGrid and the other has none")
    }
    guard row["textgrid_clean"] != nil else {
      segments = nil
      return
    }
    func boundaries(_ name: String, of sound: Waveform) throws -> [Segment] {
      let path = try file(name)
      do {
        let segments = try TextGrid(contentsOf: path).segments(of: tier)
        try segments.checkEnd(in: sound)
        return segments
      } catch let error as TextGridError {
        throw CellError("\(error)".hasPrefix(path) ? "\(error)" : "\(path): \(error)")
      }
    }
    let (first, second) = (
      try boundaries("textgrid_clean", of: sounds[0]),
      try boundaries("textgrid_corrupt", of: sounds[1])
    )
    guard first.count == second.count else {
      throw CellError(
        "the TextGrids have \(first.count) and \(second.count) intervals; a pair needs as many in both"
      )
    }
    segments = (first, second)
  }
}
