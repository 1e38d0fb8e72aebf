// What an autoencoder is worth: explained variance about the mean, sparsity, dead and dense features,
// bias of its reconstruction, loss when it is spliced into the model, and stability over seeds
// (`paper/definitions.md`, D79).

import Tensor

/// Measures of an autoencoder on activations that it was not trained on.
public struct SparseMetrics: Sendable, Codable {
  /// 1 - sum |x - x'|^2 / sum |x - mean|^2, sums before the division: 0 for the mean itself.
  public let explainedVariance: Double
  /// The mean number of features that are present.
  public let l0: Double
  /// The share of features that are never present.
  public let dead: Double
  /// The share of features that are present in more than a tenth of the activations.
  public let dense: Double
  /// E|x'|^2 / E<x, x'>: below 1 where reconstructions are too short.
  public let reconstructionBias: Double

  /// - Parameter samples: [samples, width]
  public init(_ autoencoder: SparseAutoencoder, on samples: Tensor) {
    let f = autoencoder.encoded(samples)
    var present = [Int](repeating: 0, count: f.width)
    f.withNumbers { for i in $0.indices where $0[i] > 0 { present[i % f.width] += 1 } }
    let (x, y) = (DoubleMatrix(samples), DoubleMatrix(autoencoder.decoded(f)))
    explainedVariance = 1 - unexplainedVariance(of: x, by: y)
    l0 = Double(present.reduce(0, +)) / Double(samples.rows)
    dead = Double(present.count { $0 == 0 }) / Double(f.width)
    dense = Double(present.count { 10 * $0 > samples.rows }) / Double(f.width)
    reconstructionBias =
      y.squaredNorm / zip(x.numbers, y.numbers).reduce(0) { $0 + $1.0 * $1.1 }
  }
}

/// Sum of squared errors over sum of squared distances to the mean, over all rows: 1 where every row
/// is explained by the mean.
public func unexplainedVariance(of x: DoubleMatrix, by y: DoubleMatrix) -> Double {
  (x - y).squaredNorm / x.subtracting(x.columnMeans).squaredNorm
}

/// Losses of the model as it is, with reconstructions spliced in, and with the mean in their place.
public struct SpliceLoss: Sendable, Codable {
  public let clean: Double
  public let spliced: Double
  /// Mean ablation; zero ablation would flatter the autoencoder.
  public let ablated: Double

  public init(clean: Double, spliced: Double, ablated: Double) {
    (self.clean, self.spliced, self.ablated) = (clean, spliced, ablated)
  }

  /// (ablated - spliced) / (ablated - clean): 1 where nothing is lost.
  public var recovered: Double { (ablated - spliced) / (ablated - clean) }
}

/// The cosines of the directions of two dictionaries, matched one to one, the closest pair first: how
/// far another seed finds the same features.
///
/// - Parameter alive: the features of the first that count; nil for all
public func matchedCosines(
  _ a: SparseAutoencoder, _ b: SparseAutoencoder, alive: [Int]? = nil
) -> [Double] {
  let chosen = alive ?? Array(0..<a.features)
  let (u, v) = (
    DoubleMatrix(transposed(a.decoder)).rows(chosen), DoubleMatrix(transposed(b.decoder))
  )
  let cosines = u.timesTransposed(v)
  let order = cosines.numbers.indices.sorted {
    (cosines.numbers[$0], $1) > (cosines.numbers[$1], $0)
  }
  var free = (own: Set(0..<u.rows), other: Set(0..<v.rows))
  var matched: [Double] = []
  for place in order {
    let (i, j) = (place / v.rows, place % v.rows)
    guard free.own.contains(i), free.other.contains(j) else { continue }
    free.own.remove(i)
    free.other.remove(j)
    matched.append(cosines.numbers[place])
    if matched.count == min(u.rows, v.rows) { break }
  }
  return matched
}
