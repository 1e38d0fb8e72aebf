// What a patch of random directions does: families of random moves that are each matched to the real
// one in another respect (`paper/definitions.md`, D69). An effect that a matched
// random move has too is not evidence.

import Tensor

/// A family of random moves, by what it shares with the real one.
public enum RandomFamily: String, Sendable, CaseIterable {
  /// As many directions, drawn by Haar's measure.
  case haar
  /// As many directions, drawn with the covariance of natural activations inside their leading
  /// principal components, orthogonal to the real subspace.
  case variance
  /// Haar directions, the move rescaled to the real one's Euclidean length.
  case norm
  /// Random directions inside the natural activations' span, the move rescaled to the real one's
  /// Mahalanobis length.
  case mahalanobis
}

/// The real patch that random ones are matched to.
public struct RandomMoves: Sendable {
  public let subspace: Subspace
  public let natural: Natural
  /// How much of the variance the components hold from which `variance` draws.
  public var varianceShare = 0.99

  public init(matching subspace: Subspace, natural: Natural) {
    (self.subspace, self.natural) = (subspace, natural)
  }

  /// Whether a family can be drawn: `variance` needs as many directions beside the real ones.
  public func canDraw(_ family: RandomFamily) -> Bool {
    switch family {
    case .haar, .norm: true
    case .variance: leadingBeside.columns >= subspace.rank
    case .mahalanobis: natural.variances.count >= subspace.rank
    }
  }

  /// The directions of one draw, orthonormal, [width, rank].
  ///
  /// - Throws: where the family has not as many directions.
  public func directions(_ family: RandomFamily, _ random: Random) throws -> DoubleMatrix {
    guard canDraw(family) else {
      throw SubspaceError(
        "no \(subspace.rank) random directions of the family \"\(family.rawValue)\" exist beside "
          + "the real ones: natural activations span \(natural.variances.count) directions. Use a "
          + "smaller K or leave the family out")
    }
    let k = subspace.rank
    switch family {
    case .haar, .norm:
      return DoubleMatrix(rows: subspace.width, columns: k, normal: random).orthonormalised()
    case .variance:
      let pool = leadingBeside
      return (pool * DoubleMatrix(rows: pool.columns, columns: k, normal: random))
        .orthonormalised()
    case .mahalanobis:
      return natural.axes
        * DoubleMatrix(rows: natural.axes.columns, columns: k, normal: random).orthonormalised()
    }
  }

  /// The move of a patch along drawn directions.
  ///
  /// - Parameters:
  ///   - directions: those of a draw; the same for every pair
  ///   - base: the base run's rows, [rows, width]
  ///   - source: the source run's
  ///   - real: the real move where it is no projection, such as that of an autoencoder's features
  public func move(
    _ family: RandomFamily, along directions: DoubleMatrix, from base: DoubleMatrix,
    to source: DoubleMatrix, matching real: DoubleMatrix? = nil
  ) -> DoubleMatrix {
    let move = Subspace(orthonormal: directions).move(.subspace, from: base, to: source)
    let real = real ?? subspace.move(.subspace, from: base, to: source)
    switch family {
    case .haar, .variance: return move
    case .norm: return move.rescaled(move.squaredNorm, to: real.squaredNorm)
    case .mahalanobis:
      return move.rescaled(
        natural.squaredDistances(move).reduce(0, +), to: natural.squaredDistances(real).reduce(0, +)
      )
    }
  }

  /// Leading principal components times their deviations, without the real subspace's part.
  private var leadingBeside: DoubleMatrix {
    let total = natural.variances.reduce(0, +)
    var (sum, count) = (0.0, 0)
    while count < natural.variances.count, sum < varianceShare * total {
      sum += natural.variances[count]
      count += 1
    }
    let leading = natural.axes.columns(0..<count)
      .scalingColumns(natural.variances[..<count].map { $0.squareRoot() })
    let real = subspace.patterns.orthonormalised()
    let beside = leading - real * (real.transposed * leading)
    let (left, values, _) = beside.singular(tolerance: 1e-5)
    return left.scalingColumns(values)
  }
}

extension DoubleMatrix {
  /// Scaled so that a squared length of `own` becomes `wanted`; a move of no length stays.
  func rescaled(_ own: Double, to wanted: Double) -> DoubleMatrix {
    guard own > 0, own.isFinite, wanted.isFinite else { return self }
    return scaled(by: (wanted / own).squareRoot())
  }

  func scaled(by factor: Double) -> DoubleMatrix {
    DoubleMatrix(rows: rows, columns: columns, numbers.map { $0 * factor })
  }
}

/// (1 + how many draws reach the observed value) / (1 + draws): never zero (Phipson and Smyth, 2010).
public func empiricalP(_ observed: Double, among draws: [Double]) -> Double {
  Double(1 + draws.count { $0 >= observed }) / Double(1 + draws.count)
}
