// The file that `tap pairs` writes and the other verbs read.

import Corpus
import Foundation
import JSON
import Speech

extension RecordedPair {
  /// The pair as JSON.
  public var json: JSON {
    var members: [String: JSON] = [
      "id": .string(id), "group": .string(group), "audio_clean": .string(clean),
      "audio_corrupt": .string(corrupt), "prompt": .string(prompt), "answer": .string(answer),
      "foil": .string(foil),
    ]
    if let split { members["split"] = .string(split) }
    if !notes.isEmpty { members["notes"] = .object(notes.mapValues { .string($0) }) }
    if let segments {
      func list(_ segments: [Segment]) -> JSON {
        .array(segments.map { [.string($0.label), .number($0.start), .number($0.end)] })
      }
      members["segments_clean"] = list(segments.clean)
      members["segments_corrupt"] = list(segments.corrupt)
    }
    return .object(members)
  }

  /// Reads what `json` gives.
  public init(_ json: JSON) throws {
    id = try json.string("id")
    group = try json.string("group")
    clean = try json.string("audio_clean")
    corrupt = try json.string("audio_corrupt")
    prompt = try json.string("prompt")
    answer = try json.string("answer")
    foil = try json.string("foil")
    split = json["split"]?.string
    func list(_ key: String) throws -> [Segment] {
      try json.array(key).map { row in
        guard let cells = row.elements, cells.count == 3, let label = cells[0].string,
          let start = cells[1].double, let end = cells[2].double, start < end
        else { throw JSONError("\"\(key)\" should hold [label, start, end] in milliseconds") }
        return Segment(label, start, end)
      }
    }
    func inOrder(_ key: String) throws -> [Segment] {
      let segments = try list(key)
      do { try segments.checkOrder() } catch { throw JSONError("\"\(key)\": \(error)") }
      return segments
    }
    notes = (json["notes"]?.members ?? [:]).compactMapValues(\.string)
    segments =
      json["segments_clean"] == nil
      ? nil : (try inOrder("segments_clean"), try inOrder("segments_corrupt"))
    guard segments.map({ $0.clean.count == $0.corrupt.count }) ?? true else {
      throw JSONError("both recordings should have as many segments")
    }
  }

  /// The pairs of a list, or those of a suite's manifest that stand for pairs of recordings.
  ///
  /// - Parameter task: what is asked of a suite's pairs; a list says its own prompts
  /// - Throws: where the file is no such list, the error naming the pair, or a list is given a task.
  public static func list(contentsOf path: String, task: SpokenTask? = nil) throws
    -> [RecordedPair]
  {
    let json = try readJSON(path)
    if json["utterances"] != nil { return try list(manifest: path, task ?? .answer) }
    if let task {
      throw CellError(
        "\(path): a list says its own prompts and answers, so \(task.rawValue) cannot be asked of it; "
          + "leave the task out, or name a manifest of the suite")
    }
    do {
      let pairs = try json.array("pairs").enumerated().map { i, entry in
        do { return try RecordedPair(entry) } catch {
          throw JSONError("pair \(shortened(entry["id"]?.string ?? "\(i)")): \(error)")
        }
      }
      guard !pairs.isEmpty else { throw JSONError("has no pairs") }
      var asked: [[String]: String] = [:]
      for pair in pairs {
        if let other = asked.updateValue(pair.id, forKey: pair.asked) {
          throw JSONError(
            "pairs \(shortened(other)) and \(shortened(pair.id)) are the same recordings, prompt and answers, "
              + "which would count as two")
        }
      }
      return pairs
    } catch { throw CellError("\(path): \(error); make the list with tap pairs") }
  }

}

/// How the two recordings of a pair are joined in time.
public enum AlignmentChoice: String, Codable, Sendable, CaseIterable {
  /// Identity where the recordings are equally long for the model, else segments where boundaries are
  /// known, else dynamic time warping, else linear.
  case automatic = "auto"
  case identity
  case linear
  case segments
  case dtw

  /// The alignment from a base run to a source run.
  ///
  /// - Parameters:
  ///   - segments: boundaries of the base run and of the source run, where known
  /// - Throws: where the choice needs boundaries or features that are not there.
  public func alignment(
    base: Clip, source: Clip, segments: (base: [Segment], source: [Segment])?
  ) throws -> Alignment {
    func length(_ clip: Clip) -> Double {
      clip.validFrames > 0 ? 10 * Double(clip.validFrames) : Double(clip.samples.count) / 24
    }
    switch self {
    case .automatic:
      if length(base) == length(source) { return .identity }
      if segments != nil {
        return try AlignmentChoice.segments.alignment(
          base: base, source: source, segments: segments)
      }
      return Alignment.dtw(base: base, source: source)
        ?? .linear(base: length(base), source: length(source))
    case .identity: return .identity
    case .linear: return .linear(base: length(base), source: length(source))
    case .segments:
      guard let segments else {
        throw CellError("the pair has no boundaries; give TextGrids, or align with dtw or linear")
      }
      // Boundaries are the starts, and the end of the last.
      func times(_ segments: [Segment]) -> [Double] {
        segments.map(\.start) + [segments.last!.end]
      }
      return try .segments(base: times(segments.base), source: times(segments.source))
    case .dtw:
      guard let found = Alignment.dtw(base: base, source: source) else {
        throw CellError("the model hears no log-mel features to warp; align with linear")
      }
      return found
    }
  }
}
