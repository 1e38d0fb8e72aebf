// What was fixed beforehand about maps of published recognisers: which pairs, which windows, and what is
// claimed, in the words in which it will be printed.

import JSON
import Speech

/// The part "transcript" of a preregistration, such as `paper/preregistration-published.json`.
public struct TranscriptRules: Sendable {
  private let path: String
  private let everyPair: JSON
  private let everyTurn: JSON
  private let statements: JSON

  /// - Throws: an error that names the file and what is missing, or the windows of `TranscriptGrid` where
  ///   they are not those that were fixed.
  public init(_ path: String) throws {
    self.path = path
    let rules = try readJSON(path)["transcript"] ?? [:]
    (everyPair, everyTurn, statements) = (
      rules["everyPair"] ?? [:], rules["everyTurn"] ?? [:], rules["claims"] ?? [:]
    )
    let (next, text) = (TranscriptGrid.next, TranscriptGrid.text)
    guard rules["windows"]?["next"]?.double == next, rules["windows"]?["text"]?.int == text else {
      throw CheckpointError(
        "\(path): \"transcript.windows\" must be {\"next\": \(next), \"text\": \(text)}, the windows that "
          + "maps of transcripts have; restore the file, or the windows")
    }
  }

  /// Of a kind's pairs, every so many-th is taken, the first among them.
  public func step(ofPairs kind: String) throws -> Int { try step(kind, everyPair, "everyPair") }

  /// Of the turns in which kinds alternate, every so many-th is taken.
  public func step(ofTurns name: String) throws -> Int { try step(name, everyTurn, "everyTurn") }

  /// What a claim says.
  public func statement(_ claim: String) throws -> String {
    guard let text = statements[claim]?.string, !text.isEmpty else {
      throw CheckpointError("\(path): \"transcript.claims\" has no claim \(claim)")
    }
    return text
  }

  private func step(_ name: String, _ steps: JSON, _ entry: String) throws -> Int {
    guard let step = steps[name]?.int, step > 0 else {
      throw CheckpointError(
        "\(path): \"transcript.\(entry)\" has no whole number above 0 for \(name)")
    }
    return step
  }
}
