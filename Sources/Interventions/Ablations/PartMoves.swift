// The parts of an activation that methods find, as moves of the same form: directions of a subspace are
// projected on, features of an autoencoder are swapped, so that both stand beside each other at equal
// numbers (`paper/definitions.md`, D144).

import Tensor

/// What the first K components of a method move, for several K.
public struct PartMoves: Sendable {
  public let method: String
  /// The K, rising.
  public let sizes: [Int]
  /// By size: what the moves lie in, to which random families are matched.
  let spans: [Subspace]
  private let part: @Sendable (_ pair: Exchange, _ size: Int) -> DoubleMatrix

  /// Directions of a subspace.
  public init(_ components: Components) throws {
    let spans = try components.sizes.map(components.first)
    (method, sizes, self.spans) = (components.method, components.sizes, spans)
    part = { pair, size in spans[size].projection(of: pair.difference) }
  }

  /// Features of an autoencoder, the first K of an order.
  ///
  /// - Parameters:
  ///   - order: all features
  ///   - sizes: rising
  /// - Throws: where a K is larger than the number of features.
  public init(_ autoencoder: SparseAutoencoder, order: [Int], sizes: [Int]) throws {
    try checkCounts(sizes, dimension: order.count, of: "features")
    method = SubspaceMethod.sae.rawValue
    self.sizes = sizes
    let directions = DoubleMatrix(transposed(autoencoder.decoder))
    spans = sizes.map {
      Subspace(orthonormal: directions.rows(Array(order[..<$0])).transposed.orthonormalised())
    }
    part = { pair, size in
      autoencoder.move(
        from: pair.base, to: pair.source, swapping: Array(order[..<sizes[size]]))
    }
  }

  /// The move of a pair, [positions, width].
  ///
  /// - Parameter size: the place of K among `sizes`
  public func move(_ pair: Exchange, _ size: Int) -> DoubleMatrix { part(pair, size) }
}

extension SubspaceStudy {
  /// The directions that a method finds on the fitting split, of which the first K are taken; of `das`,
  /// which has no order, so many are trained for each K by itself.
  public func moves(_ method: SubspaceMethod, sizes: [Int], _ random: Random) throws -> PartMoves {
    guard method == .das else {
      return try PartMoves(
        Components(method.rawValue, subspace(method, rank: 1, random), sizes: sizes))
    }
    let trained = try sizes.map { ($0, try subspace(.das, rank: $0, random)) }
    return try PartMoves(
      Components(method.rawValue, trained: Dictionary(uniqueKeysWithValues: trained)))
  }
}
