// Windows that follow a pair: the stretch of sound in which its members differ, wherever it lies in
// each run. Written `@changed`, `@changed+40ms` (with a margin on both sides) and `@elsewhere`.

import Corpus
import JSON
import Speech

/// Which positions of a pair's run are meant.
///
/// One rule holds for windows of every kind: what is named must be there. A window in milliseconds may
/// not reach past the sound. A margin is cut where the sound begins or ends, since a changed phone may be
/// its first or its last and a changed word all of it; but a window that reaches past both ends by more
/// than a phone means all of the sound, which is `@sound`.
public enum PairWindow: Hashable, Sendable {
  /// The stretch of sound in which the members of a pair differ, and so many milliseconds on both
  /// sides.
  case changed(margin: Double)
  /// As long a stretch as `changed`, elsewhere in the same sound: what a wrong hypothesis names.
  case elsewhere(margin: Double)
  /// The same window in every run.
  case fixed(Window)
}

extension PairWindow: CustomStringConvertible {
  /// What stands behind the @.
  public var description: String {
    func named(_ word: String, _ margin: Double) -> String {
      margin == 0 ? word : "\(word)+\(shortest(margin))ms"
    }
    return switch self {
    case .changed(let margin): named("changed", margin)
    case .elsewhere(let margin): named("elsewhere", margin)
    case .fixed(let window): "\(window)"
    }
  }

  /// Reads what `description` gives.
  ///
  /// - Throws: where it is no window.
  public init(_ text: String) throws {
    func margin(behind word: String) -> Double? {
      guard text.hasPrefix(word) else { return nil }
      let rest = text.dropFirst(word.count)
      if rest.isEmpty { return 0 }
      guard rest.hasPrefix("+"), rest.hasSuffix("ms") else { return nil }
      return Double(rest.dropFirst().dropLast(2)).flatMap { $0 >= 0 && $0.isFinite ? $0 : nil }
    }
    if let margin = margin(behind: "changed") {
      self = .changed(margin: margin)
    } else if let margin = margin(behind: "elsewhere") {
      self = .elsewhere(margin: margin)
    } else {
      do { self = .fixed(try Window(text)) } catch {
        throw CellError("\(error), changed, changed+40ms or elsewhere")
      }
    }
  }
}

extension PairWindow {
  /// The positions inside, in order.
  ///
  /// - Parameters:
  ///   - spans: the stretch of sound that each position of the site stands for
  ///   - changed: where the run differs from its partner, where that is known
  ///   - site: the site's name, for errors
  /// - Throws: where the window is not there or reaches far past both ends of the sound, or the changed
  ///   stretch is not known.
  public func positions(in spans: [TimeSpan?], changed: TimeSpan?, of site: String) throws -> [Int]
  {
    switch self {
    case .fixed(let window): return try window.checked(in: spans, of: site)
    case .changed(let margin):
      let span = try stretch(changed, margin)
      try checkReach(span, of: spans.compactMap { $0 })
      return try PairWindow.nearest(to: span, spans, of: site)
    case .elsewhere(let margin):
      let span = try displaced(stretch(changed, margin), within: spans)
      return try PairWindow.nearest(to: span, spans, of: site)
    }
  }

  /// - Throws: where the window follows a changed stretch that is not known.
  public func check(changed: TimeSpan?) throws {
    switch self {
    case .fixed: break
    case .changed(let margin), .elsewhere(let margin): _ = try stretch(changed, margin)
    }
  }

  private func stretch(_ changed: TimeSpan?, _ margin: Double) throws -> TimeSpan {
    guard let changed else {
      throw CellError(
        "@\(self): it is not known where the members of the pair differ; give phone or word "
          + "boundaries, or name the window in milliseconds")
    }
    return TimeSpan(changed.start - margin, changed.end + margin)
  }

  /// How far, in milliseconds, a window may reach past both ends of the sound: about a phone.
  private static let reach = 100.0

  private func checkReach(_ span: TimeSpan, of heard: [TimeSpan]) throws {
    guard let first = heard.first, let last = heard.last else { return }
    guard min(first.start - span.start, span.end - last.end) <= PairWindow.reach else {
      throw CellError(
        "@\(self): the window reaches past the sound on both sides, which ends at "
          + "\(shortest(last.end)) ms there; take a smaller margin, or @sound for all of it")
    }
  }

  /// As long a stretch that does not overlap the changed one, on the longer side of the sound.
  private func displaced(_ span: TimeSpan, within spans: [TimeSpan?]) throws -> TimeSpan {
    let heard = spans.compactMap { $0 }
    let (start, end) = (heard.first?.start ?? 0, heard.last?.end ?? 0)
    let length = span.end - span.start
    let (before, behind) = (span.start - start, end - span.end)
    guard max(before, behind) >= length else {
      throw CellError(
        "@\(self): no stretch of \(shortest(length)) ms lies beside the changed one; the sound ends "
          + "at \(shortest(end)) ms")
    }
    let centre = before > behind ? start + before / 2 : span.end + behind / 2
    return TimeSpan(centre - length / 2, centre + length / 2)
  }

  /// The positions whose centre lies in a stretch, or the one nearest to its middle.
  private static func nearest(to span: TimeSpan, _ spans: [TimeSpan?], of site: String) throws
    -> [Int]
  {
    let heard = spans.indices.filter { spans[$0] != nil }
    guard !heard.isEmpty else {
      throw CellError(
        "the positions of \(site) stand for no sound; name them by number, as in @-1")
    }
    let inside = heard.filter { (span.start..<span.end).contains(spans[$0]!.centre) }
    if !inside.isEmpty { return inside }
    return [
      heard.min { abs(spans[$0]!.centre - span.centre) < abs(spans[$1]!.centre - span.centre) }!
    ]
  }
}

extension RecordedPair {
  /// From the first to the last segment whose labels differ, in either recording; nil where boundaries
  /// are not known or all labels are the same.
  public var changed: (clean: TimeSpan, corrupt: TimeSpan)? {
    guard let segments else { return nil }
    let differing = segments.clean.indices.filter {
      segments.clean[$0].label != segments.corrupt[$0].label
    }
    guard let first = differing.first, let last = differing.last else { return nil }
    func span(_ list: [Segment]) -> TimeSpan { TimeSpan(list[first].start, list[last].end) }
    return (span(segments.clean), span(segments.corrupt))
  }
}
