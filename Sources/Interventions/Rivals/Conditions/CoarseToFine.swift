// Coarse to fine: the layer that mends most, then the stretch of time in it, then its neurons; and what
// the set that it ends with recovers on other sentences, beside sets that were found otherwise
// (`paper/definitions.md`, D166; brain-to-speech decoding, arXiv 2602.01247).

import Speech
import Tensor

/// What the procedure chooses among: neurons of some layers in windows of time. Windows count from the
/// onset of the changed phone.
public struct CoarseToFine: Sendable {
  /// Sites whose coordinates are neurons, from sound to text.
  public let sites: [Site]
  /// Neurons by site.
  public let widths: [Int]
  /// In milliseconds from the onset of the changed phone, or windows of text.
  public let windows: [Window]

  /// - Throws: where there is nothing to choose among, or a window is neither of time nor of text.
  public init(sites: [Site], widths: [Int], windows: [Window]) throws {
    guard !sites.isEmpty, sites.count == widths.count, widths.allSatisfy({ $0 > 0 }),
      !windows.isEmpty, Set(sites).count == sites.count, Set(windows).count == windows.count
    else {
      throw CellError(
        "coarse to fine: \(sites.count) layers with \(widths) neurons in \(windows.count) windows; give "
          + "layers that differ, neurons for each, and windows that differ")
    }
    for window in windows {
      switch window {
      case .milliseconds(let start, let end) where start < end: continue
      case .text: continue
      default:
        throw CellError(
          "coarse to fine: window \(window) is not relative to the changed phone; give milliseconds or text"
        )
      }
    }
    (self.sites, self.widths, self.windows) = (sites, widths, windows)
  }

  /// Windows so wide, from one every `stride` milliseconds, that lie in a range around the onset.
  public static func sliding(size: Double, stride: Double, in range: ClosedRange<Double>)
    -> [Window]
  {
    Swift.stride(from: range.lowerBound, through: range.upperBound - size, by: stride)
      .map { .milliseconds($0, $0 + size) }
  }

  /// The first stage: every layer, all positions.
  public var layers: [Cell] { sites.map { Cell($0) } }

  /// The second: every window of the layers that are kept.
  public func windows(of kept: [Cell]) -> [Cell] {
    kept.flatMap { layer in windows.map { Cell(layer.site, $0) } }
  }

  /// The third: every neuron of the windows that are kept.
  ///
  /// - Precondition: cells at the sites of the procedure
  public func neurons(of kept: [Cell]) -> [Cell] {
    kept.flatMap { cell in
      (0..<widths[sites.firstIndex(of: cell.site)!]).map { Cell(cell.site, index: $0, cell.window) }
    }
  }

  /// Every neuron of every window of every layer: what the other searches choose among.
  public var all: [Cell] { neurons(of: windows(of: layers)) }
}

extension Cell {
  /// Whether two cells of the procedure change the same neuron at the same time, or one holds the other.
  func overlaps(_ other: Cell) -> Bool {
    guard site == other.site, index == nil || other.index == nil || index == other.index else {
      return false
    }
    switch (window, other.window) {
    case (.milliseconds(let a, let b), .milliseconds(let c, let d)): return a < d && c < b
    case (.milliseconds, .text), (.text, .milliseconds): return false
    default: return true
    }
  }

  /// The cell in a run whose changed phone begins there, in milliseconds.
  func located(at onset: Double) -> Cell {
    guard case .milliseconds(let start, let end) = window else { return self }
    return Cell(site, index: index, .milliseconds(onset + start, onset + end))
  }
}

extension [Cell] {
  /// The cells with the highest scores, of equals the first, none of which overlaps one before it: a
  /// neuron that two windows share is patched, and counted, once.
  ///
  /// - Throws: where there are not so many, or a score is no number.
  public func best(_ count: Int, by scores: [Double]) throws -> [Cell] {
    guard scores.count == self.count, scores.allSatisfy({ !$0.isNaN }) else {
      throw CellError(
        "coarse to fine: \(scores.count) scores, of numbers or not, for \(self.count) cells")
    }
    return try apart(indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }, count)
  }

  /// So many drawn cells that do not overlap: the matched control.
  public func drawn(_ count: Int, _ random: Random) throws -> [Cell] {
    var stream = random
    return try apart(stream.permutation(self.count), count)
  }

  private func apart(_ order: [Int], _ count: Int) throws -> [Cell] {
    // Only cells of the same site and neuron can overlap; a cell without an index is one of all.
    var taken: [String: [Cell]] = [:]
    var kept: [Cell] = []
    for place in order where kept.count < count {
      let cell = self[place]
      guard !taken[cell.name, default: []].contains(where: cell.overlaps) else { continue }
      taken[cell.name, default: []].append(cell)
      kept.append(cell)
    }
    guard kept.count == count, count > 0 else {
      throw CellError(
        "coarse to fine: \(count) cells are wanted and \(kept.count) of \(self.count) do not overlap; "
          + "keep more windows, or ask for fewer")
    }
    return kept
  }
}

/// What sets of cells do to one sentence: LDs in nats.
public struct TracedSets: Codable, Sendable {
  public let group: String
  public let base: Double
  public let source: Double
  /// Of the base run with each set taken from the source run.
  public let patched: [Double]

  public var gap: Double { source - base }

  public init(group: String, base: Double, source: Double, patched: [Double]) {
    (self.group, self.base, self.source, self.patched) = (group, base, source, patched)
  }
}

extension [TracedSets] {
  /// Those whose source run is right, and by so many nats more than the base run (D17).
  public func entering(minimumGap: Double) -> [TracedSets] {
    let filter = PairFilter(minimumGap: minimumGap, needsFoil: false)
    return self.filter { filter.reason(clean: $0.source, corrupt: $0.base) == nil }
  }

  /// The mean change by each set, in nats.
  public var changes: [Double] {
    (first?.patched ?? []).indices.map { i in
      reduce(0) { $0 + $1.patched[i] - $1.base } / Double(count)
    }
  }

  /// The mean change of some sets as a share of the mean gap, the mean over the sets.
  ///
  /// - Throws: where there are no sentences or sets.
  public func recovery(of sets: Range<Int>, draws: Int, _ random: Random) throws -> Estimate {
    guard !isEmpty, !sets.isEmpty, allSatisfy({ sets.upperBound <= $0.patched.count }) else {
      throw CellError(
        "coarse to fine: no recovery of sets \(sets) over \(count) sentences; take sentences that the "
          + "source condition gets right by the gap, and sets that were patched")
    }
    return ratioOfMeans(
      map { one in sets.reduce(0) { $0 + one.patched[$1] - one.base } / Double(sets.count) },
      map(\.gap), groups: map(\.group), draws: draws, random)
  }
}

/// How many runs a search takes; one pass back counts as two runs.
public enum TraceCost {
  /// Both runs of each sentence that is asked, and of those that enter one for each set of each stage.
  public static func staged(_ stages: [Int], asked: Int, entered: Int) -> Int {
    2 * asked + entered * stages.reduce(0, +)
  }

  /// Both runs of each sentence that is asked, and of those that enter one and one back at each point of
  /// the path.
  public static func conductance(steps: Int, asked: Int, entered: Int) -> Int {
    2 * asked + entered * 3 * (steps + 1)
  }
}
