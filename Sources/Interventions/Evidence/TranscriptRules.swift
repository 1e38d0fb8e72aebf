// What was fixed beforehand about maps of published recognisers: which pairs, which windows, and what is
// claimed, in the words in which it will be printed.

import JSON
import Speech

/// The part "transcript" of a preregistration, such as `paper/preregistration-published.json`.
public struct TranscriptRules: Sendable {
  private let part: RulesPart

  /// - Throws: an error that names the file and what is missing, or the windows of `TranscriptGrid` where
  ///   they are not those that were fixed.
  public init(_ path: String) throws {
    part = try RulesPart("transcript", of: path)
    let (next, text) = (TranscriptGrid.next, TranscriptGrid.text)
    guard part["windows"]?["next"]?.double == next, part["windows"]?["text"]?.int == text else {
      throw CheckpointError(
        "\(path): \"transcript.windows\" must be {\"next\": \(next), \"text\": \(text)}, the windows that "
          + "maps of transcripts have; restore the file, or the windows")
    }
  }

  /// Of a kind's pairs, every so many-th is taken, the first among them.
  public func step(ofPairs kind: String) throws -> Int { try part.count(kind, in: "everyPair") }

  /// Of the turns in which kinds alternate, every so many-th is taken.
  public func step(ofTurns name: String) throws -> Int { try part.count(name, in: "everyTurn") }

  /// What a claim says.
  public func statement(_ claim: String) throws -> String { try part.statement(claim) }
}
