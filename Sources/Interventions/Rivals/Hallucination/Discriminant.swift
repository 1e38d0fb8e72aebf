// Which numbers of a representation tell two sorts of recordings apart, and how well a few of them do: what is
// asked of Whisper's encoder and of a sparse autoencoder's latents (Aparin et al., 2026, arXiv 2606.07473;
// `paper/definitions.md`, D172).
//
// Of the paper its abstract and opening, and summaries by others, were read: two spaces, linear separability,
// concentration in few features, growth with depth, a difference vector of contrasting sets, and latents chosen by
// importance. How importance is measured, means taken over positions and strengths counted is this package's.

import Tensor

/// A linear reading of mean activations or mean latents: numbers in their own units, one list a recording.
public struct Discriminant: Sendable {
  /// The mean of the sort that is moved to, less that of the sort that is moved from; by number.
  public let shift: [Double]
  /// The mean over both sorts, each alike.
  public let activity: [Double]
  /// The numbers that differ, those first whose means lie most standard deviations within a sort apart.
  public let order: [Int]
  private let weights: [Double]

  /// - Parameters:
  ///   - samples: of recordings, each with as many numbers
  ///   - isTarget: whether each is of the sort that is moved to
  /// - Throws: where a sort has no recording, or the lists are not of one length.
  public init(_ samples: [[Double]], isTarget: [Bool]) throws {
    let width = samples.first?.count ?? 0
    let sorts = [false, true].map { sort in
      zip(samples, isTarget).filter { $0.1 == sort }.map(\.0)
    }
    guard samples.count == isTarget.count, sorts.allSatisfy({ !$0.isEmpty }), width > 0,
      samples.allSatisfy({ $0.count == width })
    else {
      throw CellError(
        "\(sorts[1].count) recordings to move to and \(sorts[0].count) to move from, of \(samples.count) lists; "
          + "give some of each, with as many numbers each")
    }
    let means = sorts.map { rows in
      (0..<width).map { c in rows.reduce(0) { $0 + $1[c] } / Double(rows.count) }
    }
    let within = (0..<width).map { c -> Double in
      zip(sorts, means).reduce(0.0) { sum, sort in
        sum + sort.0.reduce(0) { $0 + ($1[c] - sort.1[c]) * ($1[c] - sort.1[c]) }
      } / Double(samples.count)
    }
    // A number that hardly varies in few recordings must not count without end.
    let floor = 1e-3 * within.reduce(0, +) / Double(width)
    let shift = zip(means[1], means[0]).map { $0 - $1 }
    let importance = (0..<width).map { c -> Double in
      let deviation = (within[c] + floor).squareRoot()
      return deviation > 0 ? abs(shift[c]) / deviation : 0
    }
    self.shift = shift
    activity = zip(means[0], means[1]).map { ($0 + $1) / 2 }
    order = shift.indices.filter { shift[$0] != 0 }
      .sorted { (importance[$0], $1) > (importance[$1], $0) }
    weights = (0..<width).map { c in
      within[c] + floor > 0 ? shift[c] / (within[c] + floor) : 0
    }
  }

  /// How far a recording lies towards the sort that is moved to, by some of the numbers, each weighed by its
  /// shift over its variance within a sort.
  ///
  /// - Parameter numbers: nil for all
  public func score(_ sample: [Double], by numbers: [Int]? = nil) -> Double {
    (numbers ?? Array(weights.indices)).reduce(0) { $0 + weights[$1] * sample[$1] }
  }

  /// Numbers as active as the first of the order, drawn, none of them among these: the matched control.
  public func drawn(_ count: Int, _ random: Random) -> [Int] {
    matchedFeatures(to: Array(order.prefix(count)), activities: activity, random)
  }
}
