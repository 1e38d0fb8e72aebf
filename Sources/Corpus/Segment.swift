// A labelled stretch of a recording, and what must be true of several in a row.

import JSON
import Speech

/// A stretch of a recording with a label, in milliseconds.
public struct Segment: Hashable, Codable, Sendable {
  public let label: String
  public let start: Double
  public let end: Double

  public init(_ label: String, _ start: Double, _ end: Double) {
    self.label = label
    self.start = start
    self.end = end
  }

  /// As messages name it.
  fileprivate var name: String {
    "\(quoted(label)) (\(rounded(start)) ms to \(rounded(end)) ms)"
  }
}

extension [Segment] {
  /// How far two neighbours may overlap, in milliseconds: programs write the boundary that they share
  /// twice, and round it twice.
  private static var rounding: Double { 1e-3 }

  /// How far behind the recording the last segment may end, in milliseconds. Aligners and the models
  /// that are patched count in frames, of at most 20 ms for all but connectors, and a frame in which the
  /// sound ends is counted whole; whatever is further behind belongs to another recording.
  public static var frame: Double { 20 }

  /// - Throws: where a segment begins before the recording, or before the one before it ends.
  public func checkOrder() throws {
    if let first, first.start < -Self.rounding {
      throw TextGridError("the interval \(first.name) begins before the recording, at 0 ms")
    }
    for (a, b) in zip(self, dropFirst()) where b.start < a.end - Self.rounding {
      throw TextGridError(
        "the intervals \(a.name) and \(b.name) overlap; each should begin where the one before it ends"
      )
    }
  }

  /// - Throws: where a segment ends a frame or more behind the recording in which it lies.
  public func checkEnd(in recording: Waveform) throws {
    let length = 1000 * recording.duration
    guard let late = first(where: { $0.end - length >= Self.frame }) else { return }
    throw TextGridError(
      "the interval \(late.name) ends \(rounded(late.end - length)) ms behind the recording, "
        + "which lasts \(rounded(length)) ms; take the boundaries of this recording")
  }
}

/// Milliseconds as messages give them, to a thousandth.
private func rounded(_ milliseconds: Double) -> String {
  let value = (1000 * milliseconds).rounded() / 1000
  return value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
}
