// The controls of time of a pair (`paper/definitions.md`, D29 to D31): the base run's own recording,
// later, and another take of it, whose effects should be none, and boundaries that are moved a little,
// which should matter little.

import Corpus
import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

extension OpenedModel {
  /// The same recording so many milliseconds later, behind digital silence.
  ///
  /// - Parameter name: the recording's, for errors
  func question(
    _ wave: Waveform, delayedBy milliseconds: Double, of name: String, prompt: [Int],
    answers: Answers
  ) throws -> Question {
    // No more silence than makes it too long.
    let seconds = min(milliseconds / 1000, model.longestClip + 1)
    let silence = Int((seconds * Double(wave.rate)).rounded())
    let late = Waveform(
      samples: [Float](repeating: 0, count: silence) + wave.samples, rate: wave.rate)
    guard late.duration <= model.longestClip else {
      throw CellError(
        "\(name): lasts \(formatted(wave.duration)) s; so long a recording and a shift of "
          + "\(formatted(milliseconds)) ms are more than the \(formatted(model.longestClip)) s that the "
          + "model takes; give a smaller shift or a shorter recording")
    }
    return try question(late, of: name, prompt: prompt, answers: answers)
  }
}

/// Where a path leads, whichever way it is written.
func place(of path: String) -> String {
  URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
}

/// Other takes of recordings: the same content by the same speaker, spoken again.
struct OtherTakes: Sendable {
  let path: String
  /// Of the table and of all takes.
  let digest: Digest
  /// By the recording's place on the disk.
  private let takes: [String: String]

  /// Reads a table with the columns recording and other_take.
  ///
  /// - Throws: where the table has other columns, names a recording twice, or a take is not there.
  init(contentsOf path: String) throws {
    let table = try Table(contentsOf: path)
    guard Set(["recording", "other_take"]).isSubset(of: table.columns), !table.rows.isEmpty else {
      throw CellError(
        "\(path): should have the columns recording and other_take and a row at least; "
          + table.description)
    }
    var takes: [String: String] = [:]
    for (line, fields) in table.rows {
      do {
        let row = try table.values(of: fields)
        guard let recording = row["recording"], let take = row["other_take"],
          FileManager.default.fileExists(atPath: take)
        else { throw CellError("should name a recording and the file of its other take") }
        guard place(of: recording) != place(of: take) else {
          throw CellError("names the recording itself, which is no other take")
        }
        guard takes.updateValue(take, forKey: place(of: recording)) == nil else {
          throw CellError(
            "\(shortened(recording, atMost: 300)) has another take already; leave one out")
        }
      } catch { throw CellError("\(path): line \(line): \(error)") }
    }
    (self.path, self.takes) = (path, takes)
    digest = Digest(
      ofParts: [try Digest(ofFile: path).description]
        + (try takes.values.sorted().map { try Digest(ofFile: $0).description }))
  }

  /// - Throws: where a recording is in none of the pairs, so that its take would be left out unseen.
  func check(against pairs: [RecordedPair]) throws {
    let known = Set(pairs.flatMap { [$0.clean, $0.corrupt] }.map(place(of:)))
    guard let stray = takes.keys.sorted().first(where: { !known.contains($0) }) else { return }
    throw CellError(
      "\(path): names \(shortened(stray, atMost: 300)), which is a recording of no pair; write it as the list of "
        + "pairs has it, or leave the row out")
  }

  /// Another take of the base run's sound, with the same question; nil where the table has none, or
  /// the sound is no recording.
  func question(_ pair: OpenedPair, _ direction: Direction, _ opened: OpenedModel) throws
    -> Question?
  {
    guard pair.corruption == .paired || direction == .necessity,
      let take = takes[place(of: direction == .necessity ? pair.pair.clean : pair.pair.corrupt)]
    else { return nil }
    do {
      return try opened.question(
        take, prompt: opened.tokens(ofPrompt: pair.pair.prompt), answers: pair.clean.answers)
    } catch { throw CellError("pair \(pair.pair.id): \(error)") }
  }
}

extension OpenedPair {
  /// The base run's sound so many milliseconds later, with the same question.
  func delayed(_ direction: Direction, by milliseconds: Double, _ opened: OpenedModel) throws
    -> Question
  {
    do {
      let name = direction == .necessity || corruption != .paired ? pair.clean : pair.corrupt
      let heard = try Waveform(contentsOf: name)
      let base =
        direction == .necessity ? heard : try corruption.sound(of: heard, pair: pair.id) ?? heard
      return try opened.question(
        base, delayedBy: milliseconds, of: name, prompt: opened.tokens(ofPrompt: pair.prompt),
        answers: clean.answers)
    } catch { throw CellError("pair \(pair.id): \(error)") }
  }

  /// The pair's alignment with its boundaries moved; that of its segments where positions are joined
  /// by number. Nil where there are no boundaries.
  func jittered(_ direction: Direction, by milliseconds: Double) throws -> Alignment? {
    try alignment(direction).withBoundaries(
      of: segments(direction), base: base(direction).clip, source: source(direction).clip
    )?.jittered(
      by: milliseconds, Random(seed: 1).split("jitter").split(pair.id).split(direction.rawValue))
  }
}

extension Alignment {
  /// This alignment where it has inner boundaries, else that of the segments; nil where those are not
  /// known either.
  func withBoundaries(
    of segments: (base: [Segment], source: [Segment])?, base: Clip, source: Clip
  ) throws -> Alignment? {
    let joined =
      anchors.count > 2 || segments == nil
      ? self
      : try AlignmentChoice.segments.alignment(base: base, source: source, segments: segments)
    return joined.anchors.count > 2 ? joined : nil
  }
}
