// The whole account of one method at one site: several K with their controls, saturation curves of
// ranked, reversed and random components, the cut by what is read, and what training controls say.

import Speech
import Tensor

/// What a method's components do on held-out pairs in one direction.
public struct SubspaceReport: Sendable {
  public let method: SubspaceMethod
  /// How many components the method has.
  public let components: Int
  /// The recovery of the whole activation, with its interval, and its interchange accuracy.
  public let full: Estimate
  public let fullAccuracy: Double
  /// By K; empty for features of an autoencoder, which span no subspace.
  public let results: [SubspaceResult]
  public let saturation: Saturation
  /// The cut of the largest K's subspace by what is read behind it.
  public let illusion: IllusionCheck?
  /// What the same training reaches where there is nothing to find, by K; of trained subspaces.
  public let alignment: [AlignmentControls]
}

/// A subspace's part in the row space of its readers and in their null space, and what each does.
public struct IllusionCheck: Codable, Sendable {
  /// How much of the directions' squared length nothing behind the site reads.
  public let nullShare: Double
  /// Recoveries of patches of either part alone; 0 where a part is empty.
  public let row: Double
  public let null: Double
  /// Natural variance along either part over that along a random direction.
  public let rowVariance: Double?
  public let nullVariance: Double?
}

extension SubspaceStudy {
  /// What the readers behind the site read, from gradients on the fitting split.
  ///
  /// - Parameter share: how much of the gradients' squared length counts as read
  public func readers(share: Double = 0.999, _ random: Random) throws -> ReaderSpace {
    let rows = try mapInParallel(fit.count) {
      try fit[$0].sensitivities(draws: 2, random.split("readers").split($0))
    }
    return try ReaderSpace(rows: DoubleMatrix(joiningRows(rows)), share: share)
  }

  /// Estimates a method's components on the fitting split and patches them on held-out pairs.
  ///
  /// - Parameters:
  ///   - counts: the K, increasing
  ///   - test: held-out pairs in one direction
  ///   - readers: what is read behind the site
  ///   - draws: of each random family
  ///   - orders: random orders of components
  ///   - untrained: the same pairs in a model with random weights, for the control of `das`
  /// - Throws: where a K is larger than what the method finds.
  public func report(
    _ method: SubspaceMethod, counts: [Int], on test: [Exchange], readers: ReaderSpace?,
    draws: Int, orders: Int, untrained: UntrainedPairs? = nil, bootstrap: Int = 10_000,
    _ random: Random
  ) throws -> SubspaceReport {
    let full = try test.effects(of: { $0.difference })
    let fullEstimate = full.estimate(draws: bootstrap, random.split("full"))
    if method == .sae {
      let (autoencoder, order) = try features(random)
      let saturation = try Saturation(
        components: order.count, counts: counts, draws: orders, random.split("orders")
      ) { chosen in
        let swapped = chosen.map { order[$0] }
        return try test.effects(of: { pair in
          autoencoder.move(from: pair.base, to: pair.source, swapping: swapped)
        }).recovery
      }
      return SubspaceReport(
        method: method, components: order.count, full: fullEstimate, fullAccuracy: full.accuracy,
        results: [], saturation: saturation, illusion: nil, alignment: [])
    }
    let largest = counts.last ?? 1
    try checkCounts(counts, dimension: width, of: "dimensions of the activation")
    let found = try subspace(method, rank: largest, random)
    try checkCounts(counts, dimension: found.rank, of: "directions that \(method.rawValue) finds")
    let bySize = try counts.map { k -> Subspace in
      // Trained directions have no order: each K is trained by itself.
      method == .das ? try subspace(.das, rank: k, random) : try found.first(k)
    }
    let results = try bySize.map { subspace in
      try test.result(
        of: subspace, natural: natural, reference: samples, draws: draws, bootstrap: bootstrap,
        random.split("K \(subspace.rank)"))
    }
    let saturation = try Saturation(
      components: found.rank, counts: counts, draws: orders, random.split("orders")
    ) { chosen in
      let part = found.selecting(chosen)
      return try test.effects(of: { part.projection(of: $0.difference) }).recovery
    }
    return SubspaceReport(
      method: method, components: found.rank, full: fullEstimate, fullAccuracy: full.accuracy,
      results: results, saturation: saturation,
      illusion: try readers.map { try illusion($0, bySize[bySize.count - 1], test) },
      alignment: method != .das
        ? []
        : try bySize.map {
          try alignmentControls(
            of: $0, on: test, untrained: untrained, random.split("alignment"))
        })
  }

  func illusion(_ readers: ReaderSpace, _ subspace: Subspace, _ test: [Exchange]) throws
    -> IllusionCheck
  {
    let split = readers.split(subspace)
    func recovery(_ part: Subspace) throws -> Double {
      part.rank == 0 ? 0 : try test.effects(of: { part.projection(of: $0.difference) }).recovery
    }
    let variances = split.relativeVariances(natural)
    return IllusionCheck(
      nullShare: split.nullShare, row: try recovery(split.row), null: try recovery(split.null),
      rowVariance: variances.row, nullVariance: variances.null)
  }
}
