// Controls against the interpretability illusion of subspace patching (Makelov et al., 2024): a
// direction that joins a part that correlates but is never read with a part that is read but never
// varies has an effect that the model itself never uses. The split is evidence, not a verdict: parts
// that are not read arise for good features too (Wu et al., 2024; `paper/definitions.md`, D71 to
// D73).

import Tensor

/// What the readers behind a site see of it: an orthonormal basis of their row space.
public struct ReaderSpace: Sendable {
  /// [width, rank].
  public let basis: DoubleMatrix

  /// - Parameters:
  ///   - rows: what reads the site: rows of the next weight matrix, or gradients of what lies behind,
  ///     [rows, width]
  ///   - share: how much of the readers' squared length the basis holds; 1 keeps the whole row space
  public init(rows: DoubleMatrix, share: Double = 1) throws {
    let (values, vectors) = rows.scatterEigen()
    let total = values.reduce(0, +)
    guard total > 0 else {
      throw SubspaceError("nothing behind this site reads it; it has no row space")
    }
    let real = values.prefix { $0 > values[0] * Double(rows.columns) * Double.ulpOfOne }.count
    var (sum, count) = (0.0, 0)
    while count < real, share >= 1 || sum < share * total {
      sum += values[count]
      count += 1
    }
    basis = vectors.columns(0..<count)
  }

  /// A subspace's directions cut into what the readers see and what they do not.
  public func split(_ subspace: Subspace) -> ReaderSplit {
    let directions = subspace.patterns.orthonormalised()
    let seen = basis * (basis.transposed * directions)
    let unseen = directions - seen
    return ReaderSplit(
      row: Subspace(orthonormal: seen.significantSpan),
      null: Subspace(orthonormal: unseen.significantSpan),
      nullShare: unseen.squaredNorm / Double(max(directions.columns, 1)))
  }
}

/// A subspace's part in the row space of its readers and in their null space.
public struct ReaderSplit: Sendable {
  /// Either may have rank 0.
  public let row: Subspace
  public let null: Subspace
  /// How much of the directions' squared length no reader sees, from 0 to 1.
  public let nullShare: Double

  /// The mean variance of natural activations along each part over that along a random direction;
  /// nil where a part has no direction. A row part far below 1 is dormant.
  public func relativeVariances(_ natural: Natural) -> (row: Double?, null: Double?) {
    let typical = natural.variances.reduce(0, +) / Double(natural.width)
    func mean(_ subspace: Subspace) -> Double? {
      guard subspace.rank > 0, typical > 0 else { return nil }
      let along = natural.variances(along: subspace.patterns)
      return along.reduce(0, +) / Double(along.count) / typical
    }
    return (mean(row), mean(null))
  }
}

extension DoubleMatrix {
  /// An orthonormal basis of the span of the columns that are longer than rounding.
  fileprivate var significantSpan: DoubleMatrix {
    let (left, values, _) = singular(tolerance: 0)
    return left.columns(0..<values.prefix { $0 > 1e-6 }.count)
  }
}

/// How far patched activations lie from natural ones, beside how far natural ones lie from each other.
public struct Divergence: Sendable, Equatable, Codable {
  /// Root mean square Mahalanobis distance per direction: about 1 for natural activations.
  public let mahalanobis: Double
  public let naturalMahalanobis: Double
  /// Mean distance to the k-th nearest natural activation.
  public let neighbour: Double
  public let naturalNeighbour: Double

  /// - Parameters:
  ///   - patched: patched activations, [rows, width]
  ///   - held: natural activations that `reference` does not hold, [rows, width]
  ///   - reference: natural activations, [rows, width]
  ///   - natural: their distribution
  ///   - k: which neighbour
  /// - Throws: where there are fewer natural activations than k.
  public init(
    of patched: DoubleMatrix, held: DoubleMatrix, reference: DoubleMatrix, natural: Natural,
    k: Int = 5
  ) throws {
    guard reference.rows >= k, held.rows > 0, patched.rows > 0 else {
      throw SubspaceError(
        "\(reference.rows) natural activations, \(held.rows) held out and \(patched.rows) patched "
          + "ones; divergence needs \(k), one and one")
    }
    func typical(_ x: DoubleMatrix) -> Double {
      let distances = natural.squaredDistances(x.subtracting(natural.mean))
      let mean = distances.reduce(0, +) / Double(distances.count)
      return (mean / Double(natural.variances.count)).squareRoot()
    }
    func nearest(_ x: DoubleMatrix) -> Double {
      let products = x.timesTransposed(reference)
      let lengths = (0..<reference.rows).map { reference.row($0).reduce(0) { $0 + $1 * $1 } }
      let sum = (0..<x.rows).reduce(0.0) { sum, r in
        let own = x.row(r).reduce(0) { $0 + $1 * $1 }
        let squares = (0..<reference.rows).map { own + lengths[$0] - 2 * products[r, $0] }
        return sum + max(squares.sorted()[k - 1], 0).squareRoot()
      }
      return sum / Double(x.rows)
    }
    (mahalanobis, naturalMahalanobis) = (typical(patched), typical(held))
    (neighbour, naturalNeighbour) = (nearest(patched), nearest(held))
  }
}

/// Dimensions of massive activations: those that somewhere exceed `ratio` times the median magnitude
/// of all (Sun et al., 2024).
public func outlierDimensions(_ samples: DoubleMatrix, ratio: Double = 1000) -> [Int] {
  let magnitudes = samples.numbers.map { abs($0) }.sorted()
  guard !magnitudes.isEmpty else { return [] }
  let threshold = ratio * magnitudes[magnitudes.count / 2]
  return (0..<samples.columns).filter { c in
    (0..<samples.rows).contains { abs(samples[$0, c]) > threshold }
  }
}

extension DoubleMatrix {
  /// With zeros in some columns, such as outlier dimensions before a subspace is estimated.
  public func clearingColumns(_ dropped: [Int]) -> DoubleMatrix {
    var out = self
    for r in 0..<rows { for c in dropped { out[r, c] = 0 } }
    return out
  }
}
