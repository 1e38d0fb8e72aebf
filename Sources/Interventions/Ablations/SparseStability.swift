// How far another seed finds the same features, beside directions that were drawn and not learnt
// (`paper/definitions.md`, D147).

import Tensor

/// For each of some directions the largest cosine to any of the others, the mean over them.
///
/// - Parameters:
///   - directions: of length 1, [directions, width]
///   - others: likewise; one at least
public func meanLargestCosine(of directions: DoubleMatrix, to others: DoubleMatrix) -> Double {
  precondition(directions.rows > 0 && others.rows > 0)
  let cosines = directions.timesTransposed(others)
  return (0..<cosines.rows).reduce(0) { $0 + cosines.row($1).max()! } / Double(cosines.rows)
}

extension SparseAutoencoder {
  /// The directions of some features, of length 1, [features, width].
  public func directions(of features: [Int]) -> DoubleMatrix {
    DoubleMatrix(transposed(decoder)).rows(features)
  }

  /// The features that are present somewhere.
  ///
  /// - Parameter samples: [samples, width]
  public func present(in samples: Tensor) -> [Int] {
    var isPresent = [Bool](repeating: false, count: features)
    forEachPart(of: samples) { f, _ in
      f.withNumbers { for i in $0.indices where $0[i] > 0 { isPresent[i % features] = true } }
    }
    return isPresent.indices.filter { isPresent[$0] }
  }

  /// Encodes many samples a part at a time: all at once would be a gigabyte.
  func forEachPart(of samples: Tensor, _ body: (_ f: Tensor, _ first: Int) -> Void) {
    for first in stride(from: 0, to: samples.rows, by: 1020) {
      body(encoded(gatherRows(samples, Array(first..<min(first + 1020, samples.rows)))), first)
    }
  }
}

/// How alike the dictionaries of two seeds are.
public struct SparseStability: Codable, Sendable {
  /// The mean largest cosine of the features of either to those of the other, of those that are present
  /// in the samples; the mean of both.
  public let seeds: Double
  /// The same of either to as many directions drawn by Haar's measure, and with the covariance of the
  /// activations.
  public let haar: Double
  public let variance: Double

  /// - Parameters:
  ///   - samples: in which features are to be present, [samples, width]
  ///   - natural: whose covariance drawn directions have
  /// - Throws: where either has no feature that is present.
  public init(
    _ a: SparseAutoencoder, _ b: SparseAutoencoder, samples: Tensor, natural: Natural,
    _ random: Random
  ) throws {
    let (own, other) = (a.present(in: samples), b.present(in: samples))
    guard !own.isEmpty, !other.isEmpty else {
      throw SubspaceError("no feature is present in the samples; train for longer")
    }
    let (u, v) = (a.directions(of: own), b.directions(of: other))
    func drawn(_ name: String, _ count: Int, among axes: DoubleMatrix) -> DoubleMatrix {
      let raw = DoubleMatrix(rows: count, columns: axes.rows, normal: random.split(name)) * axes
      return raw.unitRows
    }
    var identity = DoubleMatrix(rows: a.width, columns: a.width)
    for i in 0..<a.width { identity[i, i] = 1 }
    let deviations = natural.variances.map { $0.squareRoot() }
    let spread = natural.axes.scalingColumns(deviations).transposed
    func both(_ x: DoubleMatrix, _ y: DoubleMatrix) -> Double {
      (meanLargestCosine(of: u, to: x) + meanLargestCosine(of: v, to: y)) / 2
    }
    seeds = both(v, u)
    haar = both(
      drawn("haar a", v.rows, among: identity), drawn("haar b", u.rows, among: identity))
    variance = both(
      drawn("variance a", v.rows, among: spread), drawn("variance b", u.rows, among: spread))
  }
}

extension DoubleMatrix {
  /// The rows scaled to length 1; one of zeros stays.
  var unitRows: DoubleMatrix {
    var out = self
    for r in 0..<rows {
      let length = row(r).reduce(0) { $0 + $1 * $1 }.squareRoot()
      guard length > 0 else { continue }
      for c in 0..<columns { out[r, c] /= length }
    }
    return out
  }
}
