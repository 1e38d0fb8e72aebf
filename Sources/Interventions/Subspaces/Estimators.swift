// Estimators of a subspace from activations of a training split (`paper/definitions.md`, D61 to D66):
// by variance, by the moves from base to source, by class means, by canonical correlation, by erasure,
// and by gradients.

import Speech
import Tensor

extension Subspace {
  /// The directions of largest variance (Pearson, 1901).
  public static func principal(_ natural: Natural) -> Subspace {
    Subspace(orthonormal: natural.axes, strengths: natural.variances)
  }

  /// The directions in which sources lie apart from their bases: eigenvectors of the second moment of
  /// the moves, about zero.
  ///
  /// - Parameter moves: h_source - h_base, [moves, width]
  public static func principal(ofMoves moves: DoubleMatrix) throws -> Subspace {
    let (values, vectors) = moves.scatterEigen()
    guard let largest = values.first, largest > 0 else {
      throw SubspaceError("source and base do not differ at this site; no direction can be found")
    }
    let kept = values.prefix { $0 > largest * Double(moves.columns) * Double.ulpOfOne }.count
    return Subspace(
      orthonormal: vectors.columns(0..<kept),
      strengths: values[..<kept].map { $0 / Double(moves.rows) })
  }

  /// The span of the class means about their mean, rank classes - 1. The orthogonal form of LEACE
  /// erases the same span.
  ///
  /// - Parameters:
  ///   - samples: [samples, width]
  ///   - labels: the class of each sample
  ///   - weighted: whether a class counts by its samples (the between-class scatter) or every class
  ///     alike
  public static func classMeans(_ samples: DoubleMatrix, labels: [String], weighted: Bool) throws
    -> Subspace
  {
    let classes = try Classes(labels, samples: samples.rows)
    var means = DoubleMatrix(rows: classes.names.count, columns: samples.columns)
    for (i, label) in classes.indices.enumerated() {
      for c in 0..<samples.columns { means[label, c] += samples[i, c] }
    }
    let sizes = classes.sizes.map(Double.init)
    means = means.scalingRows(sizes.map { 1 / $0 })
    let centre = weighted ? samples.columnMeans : means.columnMeans
    let scale = sizes.map { weighted ? ($0 / Double(samples.rows)).squareRoot() : 1 }
    let apart = means.subtracting(centre).scalingRows(scale)
    let (_, values, right) = apart.singular(tolerance: 1e-6)
    guard !values.isEmpty else {
      throw SubspaceError("the means of all classes are the same; no direction tells them apart")
    }
    return Subspace(
      orthonormal: right, strengths: values.map { $0 * $0 })
  }

  /// Canonical correlation with `targets` (Hotelling, 1936), as an oblique projector: readouts are the
  /// canonical directions A = Sigma^-1/2 U, patterns are Sigma A = Sigma^1/2 U. With one-hot classes
  /// as targets the readouts are those of linear discriminant analysis.
  ///
  /// - Parameters:
  ///   - samples: [samples, width]
  ///   - targets: [samples, any], such as one-hot classes or another run's activations
  ///   - shrinkage: of the covariance of the samples
  /// - Returns: directions with a correlation above `tolerance`, the largest first
  public static func canonical(
    _ samples: DoubleMatrix, targets: DoubleMatrix, shrinkage: Double = 0, tolerance: Double = 0.01
  ) throws -> Subspace {
    let z = try Natural(targets)
    let whitened = z.covariance(toThe: .minusHalf, times: targets.subtracting(z.mean).transposed)
    return try oblique(samples, whitened.transposed, shrinkage, tolerance)
  }

  /// Least-squares concept erasure (LEACE; Belrose et al., 2023): erasing this subspace leaves no
  /// linear trace of the targets, with the smallest change of the samples.
  ///
  /// - Parameter tolerance: singular values of Sigma^-1/2 Sigma_xz below it count as zero
  public static func leace(
    _ samples: DoubleMatrix, targets: DoubleMatrix, shrinkage: Double = 0, tolerance: Double = 0.01
  ) throws -> Subspace {
    try oblique(samples, targets.subtracting(targets.columnMeans), shrinkage, tolerance)
  }

  private static func oblique(
    _ samples: DoubleMatrix, _ targets: DoubleMatrix, _ shrinkage: Double, _ tolerance: Double
  ) throws -> Subspace {
    precondition(samples.rows == targets.rows)
    let natural = try Natural(samples, shrinkage: shrinkage)
    let centred = samples.subtracting(natural.mean)
    var cross = centred.transposed * targets
    for i in cross.numbers.indices { cross.numbers[i] /= Double(samples.rows - 1) }
    let whitened = natural.covariance(toThe: .minusHalf, times: cross)
    let (left, values, _) = whitened.singular()
    let kept = values.prefix { $0 > tolerance }.count
    guard kept > 0 else {
      throw SubspaceError(
        "the activations are not correlated with the targets: no singular value above \(tolerance)")
    }
    let u = left.columns(0..<kept)
    return Subspace(
      patterns: natural.covariance(toThe: .half, times: u),
      readouts: natural.covariance(toThe: .minusHalf, times: u),
      strengths: Array(values[..<kept]))
  }

  /// The orthogonal projector on the span of the readouts, which measure, or of the patterns, along
  /// which the activation moves. Every prefix spans what the same prefix of this subspace spans.
  public func orthogonal(on basis: KeyPath<Subspace, DoubleMatrix>) -> Subspace {
    Subspace(orthonormal: self[keyPath: basis].orthonormalised(), strengths: strengths)
  }

  /// The directions to which a metric is most sensitive: top right-singular vectors of gradients.
  ///
  /// - Parameter gradients: of the metric with respect to the activation, [gradients, width]
  public static func gradient(_ gradients: DoubleMatrix) throws -> Subspace {
    do { return try principal(ofMoves: gradients) } catch {
      throw SubspaceError("the metric's gradient is zero at this site; it does not depend on it")
    }
  }
}

/// Classes in order of name, and the class of each sample.
struct Classes {
  let names: [String]
  let indices: [Int]
  let sizes: [Int]

  /// - Throws: where there is but one class.
  init(_ labels: [String], samples: Int) throws {
    precondition(labels.count == samples, "\(labels.count) labels for \(samples) samples")
    let names = Set(labels).sorted()
    guard names.count > 1 else {
      throw SubspaceError(
        "all samples are of one class (\(names.first ?? "none")); give pairs with other answers")
    }
    let place = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    let indices = labels.map { place[$0]! }
    self.names = names
    self.indices = indices
    sizes = names.indices.map { name in indices.count { $0 == name } }
  }
}

/// One column a class, 1 where the sample is of it.
public func oneHot(_ labels: [String]) throws -> DoubleMatrix {
  let classes = try Classes(labels, samples: labels.count)
  var out = DoubleMatrix(rows: labels.count, columns: classes.names.count)
  for (row, label) in classes.indices.enumerated() { out[row, label] = 1 }
  return out
}

extension DoubleMatrix {
  func scalingRows(_ factors: [Double]) -> DoubleMatrix {
    transposed.scalingColumns(factors).transposed
  }
}
