// A linear probe: what a plane can tell apart in an activation (`paper/definitions.md`, D112). It says what
// could be read there, not what the model reads; trained on runs that nobody patched, and tried on others.

import Tensor

/// Linear discriminant analysis (Fisher, 1936): classes of one covariance, each with its own mean.
public struct Probe: Sendable {
  /// The classes, in order of name.
  public let classes: [String]
  /// [width, classes]: the score of a class is x W + b.
  private let weights: DoubleMatrix
  private let offsets: [Double]

  /// - Parameters:
  ///   - samples: activations, [samples, width]
  ///   - labels: the class of each
  ///   - shrinkage: how far the covariance within classes is moved towards a multiple of the identity,
  ///     from 0 to 1; above 0 where there are fewer samples than numbers
  /// - Throws: where all samples are of one class, or those of each class are all the same.
  public init(_ samples: DoubleMatrix, labels: [String], shrinkage: Double) throws {
    let classes = try Classes(labels, samples: samples.rows)
    let means = DoubleMatrix(
      rows: classes.names.count, columns: samples.columns,
      classes.names.indices.flatMap { name in
        samples.rows(classes.indices.indices.filter { classes.indices[$0] == name }).columnMeans
      })
    let within = try Natural(samples - means.rows(classes.indices), shrinkage: shrinkage)
    let whitened = within.covariance(toThe: .minusHalf, times: means.transposed)
    self.classes = classes.names
    weights = within.covariance(toThe: .minusHalf, times: whitened)
    offsets = classes.sizes.indices.map { c in
      let length = (0..<whitened.rows).reduce(0) { $0 + whitened[$1, c] * whitened[$1, c] }
      return Elementary.log(Double(classes.sizes[c]) / Double(samples.rows)) - length / 2
    }
  }

  /// log p(class | x) up to what all classes share, [samples, classes].
  public func scores(of samples: DoubleMatrix) -> DoubleMatrix {
    var scores = samples * weights
    for r in 0..<scores.rows { for c in 0..<scores.columns { scores[r, c] += offsets[c] } }
    return scores
  }

  /// The most probable class of each sample; the first of equals.
  public func classes(of samples: DoubleMatrix) -> [String] {
    let scores = scores(of: samples)
    return (0..<scores.rows).map { r in
      let row = Array(scores.row(r))
      return classes[row.firstIndex(of: row.max()!)!]
    }
  }
}
