// The natural distribution of an activation: mean and covariance of what unpatched runs have at a
// site. Subspaces are estimated from it, and patched activations are compared with it
// (`paper/definitions.md`, D60).

import Tensor

/// Mean and covariance of activations, the covariance by its eigenvectors.
public struct Natural: Codable, Sendable {
  /// How many activations it was estimated from.
  public let count: Int
  public let mean: [Double]
  /// Eigenvectors of the covariance as columns, [width, rank], the largest variance first.
  public let axes: DoubleMatrix
  /// The variance along each axis.
  public let variances: [Double]
  /// The variance assumed in each direction beside the axes: 0 without shrinkage.
  public let floor: Double

  public var width: Int { mean.count }

  /// - Parameters:
  ///   - samples: [samples, width], at least two
  ///   - shrinkage: how far the covariance is moved towards a multiple of the identity, from 0 to 1
  /// - Throws: where there are fewer than two samples, or all are the same.
  public init(_ samples: DoubleMatrix, shrinkage: Double = 0) throws {
    guard samples.rows > 1 else {
      throw SubspaceError(
        "\(samples.rows) activations have no covariance; give two at least, better many more than "
          + "their \(samples.columns) numbers")
    }
    let (rows, width) = (samples.rows, samples.columns)
    count = rows
    mean = samples.columnMeans
    let centred = samples.subtracting(mean)
    let (values, vectors) = centred.scatterEigen()
    let raw = values.map { $0 / Double(rows - 1) }
    guard let largest = raw.first, largest > 0 else {
      throw SubspaceError("all \(rows) activations are the same; no direction varies among them")
    }
    // The pseudo-inverse's cut: what is below it is rounding, not variance.
    let kept = raw.prefix { $0 > largest * Double(width) * Double.ulpOfOne }.count
    floor = shrinkage * raw.reduce(0, +) / Double(width)
    axes = vectors.columns(0..<kept)
    let floor = floor
    variances = raw[..<kept].map { (1 - shrinkage) * $0 + floor }
  }

  /// The squared Mahalanobis distance of each row to the mean; `moves` are distances already.
  ///
  /// Directions that never vary among natural activations have variance `floor`; where that is 0
  /// any move along them is infinitely far.
  public func squaredDistances(_ moves: DoubleMatrix) -> [Double] {
    let coordinates = moves * axes
    let tolerance = 1e-9
    return (0..<moves.rows).map { r in
      var (sum, inside) = (0.0, 0.0)
      for (c, variance) in variances.enumerated() {
        let square = coordinates[r, c] * coordinates[r, c]
        sum += square / variance
        inside += square
      }
      let total = moves.row(r).reduce(0) { $0 + $1 * $1 }
      let outside = max(total - inside, 0)
      if outside <= tolerance * total { return sum }
      return floor > 0 ? sum + outside / floor : .infinity
    }
  }

  /// v^T Sigma v for each column of a basis: the variance of activations along it.
  public func variances(along basis: DoubleMatrix) -> [Double] {
    let overlaps = axes.transposed * basis
    return (0..<basis.columns).map { c in
      let (inside, total) = (0..<overlaps.rows).reduce((0.0, 0.0)) { sum, a in
        let square = overlaps[a, c] * overlaps[a, c]
        return (sum.0 + square * variances[a], sum.1 + square)
      }
      let length = (0..<basis.rows).reduce(0) { $0 + basis[$1, c] * basis[$1, c] }
      return inside + max(length - total, 0) * floor
    }
  }

  /// Sigma^power v for each column of `x`, zero beside the axes (a pseudo-inverse) where there is no
  /// shrinkage.
  func covariance(toThe power: Power, times x: DoubleMatrix) -> DoubleMatrix {
    func raised(_ v: Double) -> Double {
      power == .half ? v.squareRoot() : v > 0 ? 1 / v.squareRoot() : 0
    }
    let inside = axes.transposed * x
    let beside = raised(floor)
    var scaled = inside
    for (a, variance) in variances.enumerated() {
      for c in 0..<x.columns { scaled[a, c] *= raised(variance) - beside }
    }
    var out = axes * scaled
    if beside > 0 { for i in out.numbers.indices { out.numbers[i] += beside * x.numbers[i] } }
    return out
  }

  enum Power { case half, minusHalf }
}

extension DoubleMatrix {
  /// The eigenvalues of X^T X and its eigenvectors, [columns, rank], by the smaller of X^T X and
  /// X X^T.
  func scatterEigen() -> (values: [Double], vectors: DoubleMatrix) {
    if rows >= columns {
      let across = transposed
      let (values, vectors) = across.timesTransposed(across).symmetricEigen()
      return (values.map { max($0, 0) }, vectors)
    }
    let (values, vectors) = timesTransposed(self).symmetricEigen()
    let kept = values.prefix { $0 > values[0] * Double(columns) * Double.ulpOfOne }.count
    let scale = values[..<kept].map { 1 / $0.squareRoot() }
    let left = (transposed * vectors.columns(0..<kept)).scalingColumns(scale)
    // Small eigenvalues leave their vectors askew by rounding.
    return (Array(values[..<kept]), left.orthonormalised(tolerance: 0))
  }
}
