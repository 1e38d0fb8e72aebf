// Alignment: which moment of the source run stands for a moment of the base run, when the two differ
// in length (`paper/definitions.md`, D6). Sound is mapped by time, through the spans of each
// site's positions, so that no frame rate is assumed; text before the sound is counted from the
// start, text behind it from the end, where the answer is read.

import Corpus
import Speech
import Tensor

/// A map from moments of the base run to moments of the source run.
public struct Alignment: Sendable {
  /// How it was made, as results name it.
  public let name: String
  /// The mean distance of the frames that it joins, where it was found by comparing them.
  public let cost: Double?
  /// The same moments of both runs, in milliseconds from the start of the clips, in rising order.
  /// Between two of them time runs evenly, before the first and behind the last as fast as in the
  /// base run.
  public let anchors: [(base: Double, source: Double)]
  /// Whether positions are joined by their number, without resampling.
  private let isIdentity: Bool

  init(
    _ name: String, anchors: [(base: Double, source: Double)], cost: Double? = nil,
    isIdentity: Bool = false
  ) {
    self.name = name
    self.anchors = anchors
    self.cost = cost
    self.isIdentity = isIdentity
  }

  /// Position for position. Positions that the source run lacks have no donor.
  public static let identity = Alignment("identity", anchors: [(0, 0)], isIdentity: true)

  /// One stretch, from the whole of the base run's sound to the whole of the source's.
  ///
  /// - Parameters:
  ///   - base: milliseconds of the base run's sound
  ///   - source: milliseconds of the source run's
  public static func linear(base: Double, source: Double) -> Alignment {
    Alignment("linear", anchors: [(0, 0), (base, source)])
  }

  /// Segment by segment, evenly within each.
  ///
  /// - Parameters:
  ///   - base: the boundaries of words or phones in the base run, in milliseconds
  ///   - source: those in the source run, as many
  ///   - name: what the result calls the boundaries
  /// - Throws: where the boundaries are not as many, or not in rising order.
  public static func segments(
    base: [Double], source: [Double], name: String = "segments"
  ) throws -> Alignment {
    guard base.count == source.count, !base.isEmpty else {
      throw CellError(
        "the base run has \(base.count) boundaries and the source run \(source.count); a segment-wise "
          + "alignment takes as many in both")
    }
    for (run, times) in [("base", base), ("source", source)] {
      for (a, b) in zip(times, times.dropFirst()) where !(a < b) {
        throw CellError("the boundaries of the \(run) run do not rise at \(b) ms")
      }
    }
    return Alignment(name, anchors: Array(zip(base, source)))
  }

  /// The same run, so many milliseconds later: with the base run as its own source the effect must
  /// be near zero, or the position itself carries it (the shift control).
  public static func shift(by milliseconds: Double) -> Alignment {
    Alignment("shift \(shortest(milliseconds)) ms", anchors: [(0, milliseconds)])
  }

  /// Every inner boundary moved by up to `width` milliseconds, never past its neighbours (the jitter
  /// control).
  public func jittered(by width: Double, _ random: Random) -> Alignment {
    var random = random
    var moved = anchors
    for i in anchors.indices.dropFirst().dropLast() {
      let offset = random.uniform(-width...width)
      let room = (
        anchors[i].source - moved[i - 1].source, anchors[i + 1].source - anchors[i].source
      )
      // Half of the room at most, so that the order stays whatever the neighbour draws.
      moved[i].source += min(max(offset, -0.9 * room.0), 0.45 * room.1)
    }
    return Alignment("\(name), jittered by \(shortest(width)) ms", anchors: moved, cost: cost)
  }

  /// The moment of the source run that stands for one of the base run.
  public func source(of time: Double) -> Double {
    let first = anchors[0]
    guard time >= first.base, anchors.count > 1 else { return first.source + time - first.base }
    guard let right = anchors.firstIndex(where: { $0.base > time }) else {
      let last = anchors[anchors.count - 1]
      return last.source + time - last.base
    }
    let (a, b) = (anchors[right - 1], anchors[right])
    return a.source + (time - a.base) / (b.base - a.base) * (b.source - a.source)
  }
}

/// The source rows that stand for some positions of the base run: each one row, or two neighbours
/// mixed.
public struct Resampling: Sendable, Equatable {
  /// For each base position the source positions before and behind its moment, and the share of the
  /// second.
  let parts: [(lower: Int, upper: Int, share: Float)]

  public static func == (a: Resampling, b: Resampling) -> Bool {
    a.parts.elementsEqual(b.parts) { $0 == $1 }
  }

  /// The source run's values.
  ///
  /// - Parameter rows: its values at some of its positions, [positions, width]
  /// - Returns: [base positions, width]; a row that is not mixed keeps its bits
  func callAsFunction(_ rows: ([Int]) throws -> Tensor) rethrows -> Tensor {
    let lower = try rows(parts.map(\.lower))
    guard parts.contains(where: { $0.share != 0 }) else { return lower }
    let upper = try rows(parts.map(\.upper))
    var numbers = lower.numbers
    upper.withNumbers { other in
      for (i, part) in parts.enumerated() where part.share != 0 {
        for j in (i * lower.width)..<((i + 1) * lower.width) {
          numbers[j] += part.share * (other[j] - numbers[j])
        }
      }
    }
    return Tensor(lower.shape, numbers)
  }

  /// The source positions nearest to the moments of the base positions.
  public var nearest: [Int] { parts.map { $0.share < 0.5 ? $0.lower : $0.upper } }
}

extension Alignment {
  /// The source rows of a site for some positions of the base run.
  ///
  /// - Parameters:
  ///   - positions: of the base run
  ///   - base: where the site's positions lie in the base run
  ///   - source: where they lie in the source run
  /// - Throws: where the source run has no position that stands for one of them.
  public func resampling(_ positions: [Int], from base: Place, to source: Place, of site: Site)
    throws
    -> Resampling
  {
    if isIdentity {
      guard positions.allSatisfy(source.rows.indices.contains) else {
        throw CellError(
          "\(site): the source run has \(source.rows.count) positions and the base run "
            + "\(base.rows.count), so not every position has its equal; use another alignment, such "
            + "as linear or dtw")
      }
      return Resampling(parts: positions.map { ($0, $0, 0) })
    }
    let steps = Steps(source)
    return Resampling(
      parts: try positions.map { position in
        guard let span = base.spans[position] else {
          return try text(position, base, source, site)
        }
        guard !steps.centres.isEmpty else {
          throw CellError("\(site): the source run has no position that stands for sound")
        }
        // Positions that stand for one moment side by side (bands of frequency) keep their place.
        var lane = 0
        while position > lane, base.spans[position - lane - 1] == span { lane += 1 }
        return steps.around(self.source(of: span.centre), lane: lane)
      })
  }

  /// Text before the sound from the start, text behind it from the end.
  private func text(_ position: Int, _ base: Place, _ source: Place, _ site: Site) throws -> (
    lower: Int, upper: Int, share: Float
  ) {
    let firstSound = base.spans.firstIndex { $0 != nil } ?? 0
    let found =
      position < firstSound ? position : source.spans.count - (base.spans.count - position)
    guard source.spans.indices.contains(found), source.spans[found] == nil else {
      throw CellError(
        "\(site)@\(position): the source run has no such position of text; base and source should be "
          + "asked the same")
    }
    return (found, found, 0)
  }
}

/// The moments of a run's positions, those side by side counted once.
private struct Steps {
  /// The first position of each moment, and its centre.
  private let firsts: [Int]
  let centres: [Double]

  init(_ place: Place) {
    var (firsts, centres): ([Int], [Double]) = ([], [])
    for (i, span) in place.spans.enumerated() {
      guard let span, i == 0 || place.spans[i - 1] != span else { continue }
      firsts.append(i)
      centres.append(span.centre)
    }
    (self.firsts, self.centres) = (firsts, centres)
  }

  /// The positions around a moment, and the share of the later one; the first or last beyond them.
  func around(_ time: Double, lane: Int) -> (lower: Int, upper: Int, share: Float) {
    func place(_ step: Int) -> Int { firsts[step] + lane }
    guard let right = centres.firstIndex(where: { $0 >= time }) else {
      return (place(centres.count - 1), place(centres.count - 1), 0)
    }
    if right == 0 || centres[right] == time { return (place(right), place(right), 0) }
    let share = (time - centres[right - 1]) / (centres[right] - centres[right - 1])
    return (place(right - 1), place(right), Float(share))
  }
}
