// A linear subspace of an activation, and the patch that replaces a run's part in it.
//
// A subspace has two bases. A *pattern* is the direction in which the activation moves when the
// coordinate changes; a *readout* is the direction by which the coordinate is measured (Haufe et al.,
// 2014). They are the same for an orthogonal projector and differ for an oblique one; the projector
// is Pi = P R^T, with R^T P = 1.

import Speech
import Tensor

/// A subspace of activations of `width` numbers, with `rank` directions in order of importance.
public struct Subspace: Codable, Sendable {
  /// [width, rank].
  public let patterns: DoubleMatrix
  /// [width, rank]; readouts^T patterns is the identity.
  public let readouts: DoubleMatrix
  /// What each direction was ranked by (variance, singular value, correlation), the largest first.
  public let strengths: [Double]

  public var width: Int { patterns.rows }
  public var rank: Int { patterns.columns }
  /// Whether both bases are the same.
  public var isOrthogonal: Bool { patterns == readouts }

  /// The orthogonal projector on an orthonormal basis, [width, rank].
  public init(orthonormal basis: DoubleMatrix, strengths: [Double] = []) {
    (patterns, readouts, self.strengths) = (basis, basis, strengths)
  }

  /// An oblique projector.
  ///
  /// - Precondition: readouts^T patterns is the identity
  public init(patterns: DoubleMatrix, readouts: DoubleMatrix, strengths: [Double] = []) {
    precondition(patterns.rows == readouts.rows && patterns.columns == readouts.columns)
    (self.patterns, self.readouts, self.strengths) = (patterns, readouts, strengths)
  }

  /// The first `count` directions.
  ///
  /// - Throws: where there are fewer.
  public func first(_ count: Int) throws -> Subspace {
    guard (1...max(rank, 1)).contains(count), count <= rank else {
      throw SubspaceError(
        "K = \(count) directions are asked for; the subspace has \(rank) of \(width) numbers. "
          + "Choose K from 1 to \(rank)")
    }
    return Subspace(
      patterns: patterns.columns(0..<count), readouts: readouts.columns(0..<count),
      strengths: Array(strengths.prefix(count)))
  }

  /// Some of the directions, in the order given.
  public func selecting(_ chosen: [Int]) -> Subspace {
    func columns(_ basis: DoubleMatrix) -> DoubleMatrix { basis.transposed.rows(chosen).transposed }
    return Subspace(
      patterns: columns(patterns), readouts: columns(readouts),
      strengths: strengths.isEmpty ? [] : chosen.map { strengths[$0] })
  }

  /// Pi v for each row of `moves`, [rows, width].
  public func projection(of moves: DoubleMatrix) -> DoubleMatrix {
    (moves * readouts).timesTransposed(patterns)
  }

  /// x - Pi (x - mean): LEACE's eraser where the subspace is LEACE's (Belrose et al., 2023).
  public func erased(_ x: DoubleMatrix, mean: [Double]) -> DoubleMatrix {
    x - projection(of: x.subtracting(mean))
  }

  /// The cosines of the principal angles to another subspace, the largest first, between the spans
  /// of the patterns.
  public func principalCosines(to other: Subspace) -> [Double] {
    let (a, b) = (patterns.orthonormalised(), other.patterns.orthonormalised())
    let overlaps = a.transposed * b
    let squares = (overlaps.rows < overlaps.columns ? overlaps : overlaps.transposed)
    return squares.timesTransposed(squares).symmetricEigen().values
      .map { min(max($0, 0), 1).squareRoot() }
  }
}

/// Which part of the move from the base to the source a patch makes.
public enum MovedPart: String, Sendable, CaseIterable {
  /// Pi (h_source - h_base).
  case subspace
  /// (1 - Pi) (h_source - h_base).
  case complement
  /// h_source - h_base.
  case full
}

extension Subspace {
  /// The move that a patch makes, row by row, in Double.
  public func move(_ part: MovedPart, from base: DoubleMatrix, to source: DoubleMatrix)
    -> DoubleMatrix
  {
    let whole = source - base
    switch part {
    case .subspace: return projection(of: whole)
    case .complement: return whole - projection(of: whole)
    case .full: return whole
    }
  }
}

/// h + alpha * move, rounded once. A number whose move is zero keeps its bits, so that a patch from
/// the run itself changes nothing.
///
/// - Parameters:
///   - base: [rows, width]
///   - move: [rows, width]
///   - alpha: how much of the move is made
public func moved(_ base: Tensor, by move: DoubleMatrix, alpha: Double = 1) -> Tensor {
  precondition(base.rows == move.rows && base.width == move.columns)
  var numbers = base.numbers
  for i in numbers.indices {
    let step = alpha * move.numbers[i]
    if step != 0 { numbers[i] = Float(Double(numbers[i]) + step) }
  }
  return Tensor(base.shape, numbers)
}

/// What is wrong with a request for a subspace, and what to do.
public struct SubspaceError: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
