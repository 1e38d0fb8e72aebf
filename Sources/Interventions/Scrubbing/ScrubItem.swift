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
  func positions(of window: PairWindow, at site: Site) throws -> [Int] {
    do {
      return try window.positions(
        in: try trace.place(of: site).spans, changed: changed, of: "\(site)")
    } catch let error as CellError {
      throw CellError("\(id): \(error)")
    }
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
