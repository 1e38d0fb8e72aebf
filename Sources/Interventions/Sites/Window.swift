// Windows restrict a site to positions: a stretch of time, a range of positions, the text behind
// the sound. A window is written behind an @: `@120ms..240ms`, `@3..5`, `@-1`, `@text:-4..`, `@sound`.
// Every range leaves its end out.

import JSON
import Speech

/// A set of positions, meant for any site.
public enum Window: Hashable, Sendable {
  /// Positions whose centre lies in [start, end), in milliseconds from the start of the clip.
  case milliseconds(Double, Double)
  /// Positions of the site, end excluded or, where it is nil, up to the last. Negative numbers count
  /// from the end: -1 is the last position.
  case positions(Int, Int?)
  /// The same among the positions that stand for no sound.
  case text(Int, Int?)
  /// The positions that stand for sound.
  case sound
  /// Every position.
  case all
}

extension Window {
  /// The positions inside the window, in order; empty where there are none.
  ///
  /// - Parameter spans: the stretch of sound that each position of the site stands for
  public func positions(in spans: [TimeSpan?]) -> [Int] {
    switch self {
    case .all: return Array(spans.indices)
    case .sound: return spans.indices.filter { spans[$0] != nil }
    case .positions(let start, let end): return slice(Array(spans.indices), start, end)
    case .text(let start, let end):
      return slice(spans.indices.filter { spans[$0] == nil }, start, end)
    case .milliseconds(let start, let end):
      return spans.indices.filter {
        guard let centre = spans[$0]?.centre else { return false }
        return centre >= start && centre < end
      }
    }
  }

  private func slice(_ positions: [Int], _ start: Int, _ end: Int?) -> [Int] {
    let count = positions.count
    let first = max(0, start < 0 ? count + start : start)
    let behind = min(count, end.map { $0 < 0 ? count + $0 : $0 } ?? count)
    return first < behind ? Array(positions[first..<behind]) : []
  }

  /// The same positions, all of which must be there.
  ///
  /// - Throws: where the window is empty, ends behind the site's last position, or holds none.
  public func checked(in spans: [TimeSpan?], of site: String) throws -> [Int] {
    func bad(_ reason: String) -> CellError { CellError("\(site)@\(self): \(reason)") }
    func check(_ count: Int, _ what: String, _ start: Int, _ end: Int?) throws {
      let first = start < 0 ? count + start : start
      let behind = end.map { $0 < 0 ? count + $0 : $0 } ?? count
      guard count > 0 else { throw bad("the site has no \(what)") }
      guard first >= 0, behind <= count else {
        throw bad("the window reaches past the end; the site has \(count) \(what)")
      }
      guard first < behind else {
        throw bad(
          "the window is empty; the site has \(count) \(what), and a range leaves its end out")
      }
    }
    switch self {
    case .positions(let start, let end): try check(spans.count, "positions", start, end)
    case .text(let start, let end):
      try check(spans.count { $0 == nil }, "positions of text", start, end)
    case .milliseconds(let start, let end):
      guard let last = spans.last(where: { $0 != nil }) ?? nil else {
        throw bad("the site's positions stand for no sound; give positions, as in @3..5")
      }
      // The last position's neighbour may be partly heard.
      let length = last.end + (last.end - last.start)
      guard start < end else { throw bad("the window is empty; it should end behind its start") }
      guard start >= 0, end <= length else {
        throw bad("the window reaches past the sound, which ends at \(shortest(last.end)) ms there")
      }
    case .sound, .all: break
    }
    let found = positions(in: spans)
    guard !found.isEmpty else {
      throw bad(
        "no position of the site has its centre there; it has \(spans.count) of them\(spacing(spans))"
      )
    }
    return found
  }

  private func spacing(_ spans: [TimeSpan?]) -> String {
    let centres = spans.compactMap { $0?.centre }
    guard let first = centres.first, let last = centres.last, centres.count > 1 else { return "" }
    return ", from \(shortest(first)) ms to \(shortest(last)) ms"
  }
}

extension Window: CustomStringConvertible {
  /// What stands behind the @.
  public var description: String {
    switch self {
    case .milliseconds(let start, let end): "\(shortest(start))ms..\(shortest(end))ms"
    case .positions(let start, let end): Window.range(start, end)
    case .text(0, nil): "text"
    case .text(let start, let end): "text:" + Window.range(start, end)
    case .sound: "sound"
    case .all: "all"
    }
  }

  private static func range(_ start: Int, _ end: Int?) -> String {
    if end == start + 1 || (end == nil && start == -1) { return "\(start)" }
    return "\(start).." + (end.map(String.init) ?? "")
  }

  /// Reads what `description` gives.
  ///
  /// - Throws: where it is none of the forms.
  public init(_ text: String) throws {
    switch text {
    case "all": self = .all
    case "sound": self = .sound
    case "text": self = .text(0, nil)
    default:
      if text.hasPrefix("text:") {
        let (start, end) = try Window.positions(String(text.dropFirst(5)), of: text)
        self = .text(start, end)
      } else if text.hasSuffix("ms") {
        let parts = text.split(separator: "..", omittingEmptySubsequences: false)
        let times = parts.map { $0.hasSuffix("ms") ? Double($0.dropLast(2)) : nil }
        guard times.count == 2, let start = times[0], let end = times[1], start.isFinite,
          end.isFinite
        else { throw Window.unreadable(text) }
        self = .milliseconds(start, end)
      } else {
        let (start, end) = try Window.positions(text, of: text)
        self = .positions(start, end)
      }
    }
  }

  private static func positions(_ range: String, of text: String) throws -> (Int, Int?) {
    let parts = range.split(separator: "..", omittingEmptySubsequences: false).map(String.init)
    guard parts.count <= 2, let start = parts[0].isEmpty ? 0 : Int(parts[0]) else {
      throw unreadable(text)
    }
    if parts.count == 1, !parts[0].isEmpty { return (start, start == -1 ? nil : start + 1) }
    if parts.count == 2, parts[1].isEmpty { return (start, nil) }
    guard parts.count == 2, let end = Int(parts[1]) else { throw unreadable(text) }
    return (start, end)
  }

  private static func unreadable(_ text: String) -> CellError {
    CellError(
      "\(quoted(text)) is no window; write 120ms..240ms, 3..5 (5 excluded), 3, -1 (the last), text, "
        + "text:-4.. (the last four of the text), sound or all")
  }
}

/// A number without a fraction that is zero.
func shortest(_ number: Double) -> String {
  number == number.rounded() && abs(number) < 1e15 ? "\(Int(number))" : "\(number)"
}
