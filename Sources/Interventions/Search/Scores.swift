// The scores that a search gives to one site: one number for each position and coordinate, so that
// heads, neurons and windows of any width are sums of them.

import Speech
import Tensor

/// Scores of one site, in the units of the target.
public struct SiteScores: Sendable {
  /// The stretch of sound that each position stands for.
  public let spans: [TimeSpan?]
  /// How many heads or, where the vectors are not made of heads, neurons there are.
  public let parts: Int
  /// Numbers for each position: a multiple of `parts`, part by part.
  let width: Int
  /// By position.
  var values: [Double]

  /// The score of a cell of the site; nil where it has no position in the window.
  public func score(_ window: Window, index: Int? = nil) -> Double? {
    let positions = window.positions(in: spans)
    guard !positions.isEmpty else { return nil }
    let size = width / parts
    let columns = index.map { ($0 * size)..<(($0 + 1) * size) } ?? 0..<width
    var sum = 0.0
    for position in positions {
      for column in columns { sum += values[position * width + column] }
    }
    return sum
  }

  /// The sum over all positions of each head or neuron.
  public var totals: [Double] {
    let size = width / parts
    var sums = [Double](repeating: 0, count: parts)
    for (i, value) in values.enumerated() { sums[i % width / size] += value }
    return sums
  }

  /// The sum of all.
  public var total: Double { values.reduce(0, +) }

  static func + (a: SiteScores, b: SiteScores) -> SiteScores { a.combined(b) { $0 + $1 } }

  func scaled(by factor: Double) -> SiteScores {
    var scaled = self
    for i in values.indices { scaled.values[i] *= factor }
    return scaled
  }

  func combined(_ other: SiteScores, _ body: (Double, Double) -> Double) -> SiteScores {
    precondition(values.count == other.values.count)
    var result = self
    for i in values.indices { result.values[i] = body(values[i], other.values[i]) }
    return result
  }
}

extension SiteScores {
  /// slope * (to - from), number by number.
  ///
  /// - Parameters:
  ///   - slope: the slope of the target, laid out as the model computes the site
  ///   - place: where the site's positions lie
  ///   - from: [positions, width], and `to` of the same shape; of a pattern [heads * queries, keys]
  init(_ slope: Tensor, _ place: Place, from: Tensor, to: Tensor) {
    spans = place.spans
    let slopes: Tensor
    if let layout = place.pattern {
      slopes = layout.rows(
        heads: Array(0..<place.heads), queries: Array(place.rows.indices), of: slope)
    } else {
      slopes = gatherRows(slope, place.rows)
    }
    let products = slopes.withNumbers { g in
      from.withNumbers { a in
        to.withNumbers { b in g.indices.map { Double(g[$0]) * (Double(b[$0]) - Double(a[$0])) } }
      }
    }
    parts = place.parts(width: slope.width)
    if place.pattern == nil {
      width = slopes.width
      values = products
    } else {
      // One number for each query and head.
      let (queries, keys) = (place.rows.count, slopes.width)
      width = place.heads
      values = (0..<queries).flatMap { query in
        (0..<place.heads).map { head in
          let start = (head * queries + query) * keys
          return products[start..<(start + keys)].reduce(0, +)
        }
      }
    }
  }

  /// One number for each row and head, as QK-fix gives them.
  init(heads: Int, _ numbers: [Double], _ place: Place) {
    spans = place.spans
    (parts, width) = (heads, heads)
    values = place.rows.flatMap { row in numbers[(row * heads)..<((row + 1) * heads)] }
  }
}
