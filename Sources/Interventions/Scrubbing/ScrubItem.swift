// What causal scrubbing draws from: traced runs with the features of their inputs, and how the
// positions of one run correspond to those of another.

import Speech
import Tensor

/// One input of the data set: a traced run and what is known of it.
public struct ScrubItem: Sendable {
  public let id: String
  /// The resampling unit.
  public let group: String
  /// Items lend activations only to items of the same stratum, such as those of one prompt.
  public let stratum: String
  /// Features of the input by name, such as `answer`, `voice` or `word`.
  public let features: [String: String]
  public let trace: Trace
  /// The stretch of sound in which the members of the pair differ, in milliseconds, where known.
  public let changed: TimeSpan?

  public init(
    id: String, group: String, stratum: String, features: [String: String], trace: Trace,
    changed: TimeSpan?
  ) {
    (self.id, self.group, self.stratum) = (id, group, stratum)
    (self.features, self.trace, self.changed) = (features, trace, changed)
  }
}

extension ScrubItem {
  /// The positions of a window at a site of this run, in order.
  ///
  /// - Throws: where the window is not there, or the changed stretch is not known.
  func positions(of window: ScrubWindow, at site: Site) throws -> [Int] {
    let spans = try trace.place(of: site).spans
    do {
      switch window {
      case .fixed(let window):
        return try window.checked(in: spans, of: "\(site)")
      case .changed(let margin):
        let span = try stretch(margin)
        return try nearest(to: span, spans, of: site)
      case .elsewhere(let margin):
        return try nearest(to: try displaced(margin, within: spans), spans, of: site)
      }
    } catch let error as CellError {
      throw CellError("\(id): \(error)")
    }
  }

  private func stretch(_ margin: Double) throws -> TimeSpan {
    guard let changed else {
      throw CellError(
        "it is not known where the members of the pair differ; give phone or word boundaries, or "
          + "name the window in milliseconds")
    }
    return TimeSpan(changed.start - margin, changed.end + margin)
  }

  /// As long a stretch that does not overlap the changed one, the farther side of the sound.
  private func displaced(_ margin: Double, within spans: [TimeSpan?]) throws -> TimeSpan {
    let span = try stretch(margin)
    let heard = spans.compactMap { $0 }
    let (start, end) = (heard.first?.start ?? 0, heard.last?.end ?? 0)
    let length = span.end - span.start
    let (before, behind) = (span.start - start, end - span.end)
    guard max(before, behind) >= length else {
      throw CellError(
        "no stretch of \(shortest(length)) ms lies beside the changed one; the sound ends at "
          + "\(shortest(end)) ms")
    }
    let centre = before > behind ? start + before / 2 : span.end + behind / 2
    return TimeSpan(centre - length / 2, centre + length / 2)
  }

  /// The positions whose centre lies in a stretch, or the one nearest to its middle.
  private func nearest(to span: TimeSpan, _ spans: [TimeSpan?], of site: Site) throws -> [Int] {
    let heard = spans.indices.filter { spans[$0] != nil }
    guard !heard.isEmpty else {
      throw CellError("the positions of \(site) stand for no sound; name them by number")
    }
    let inside = heard.filter { (span.start..<span.end).contains(spans[$0]!.centre) }
    if !inside.isEmpty { return inside }
    return [
      heard.min { abs(spans[$0]!.centre - span.centre) < abs(spans[$1]!.centre - span.centre) }!
    ]
  }

  /// For each position of a site the position of `donor` that it takes: of sound the one nearest in
  /// time, of text before the sound the same from the start, behind it from the end, where the answer
  /// is read. Activations are taken as they are, not mixed, so that they stay natural.
  func counterparts(in donor: ScrubItem, at site: Site) throws -> [Int] {
    let own = try trace.place(of: site)
    do {
      return try Alignment.shift(by: 0).resampling(
        Array(own.rows.indices), from: own, to: try donor.trace.place(of: site), of: site
      ).nearest
    } catch { throw CellError("\(id) from \(donor.id): \(error)") }
  }
}

/// For each of `count` positions of a window the one of `donors` in its place, where windows of
/// different length are stretched; activations are taken as they are, not interpolated.
func stretched(_ donors: [Int], to count: Int) -> [Int] {
  (0..<count).map { donors[min((2 * $0 + 1) * donors.count / (2 * count), donors.count - 1)] }
}
