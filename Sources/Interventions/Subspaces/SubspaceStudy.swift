// A study of one site: subspaces are estimated on one half of the pairs and patched on the other, at
// several K, beside the complement, the matched random families and the illusion controls.

import Speech
import Tensor

/// How a subspace is estimated.
public enum SubspaceMethod: String, Sendable, CaseIterable {
  /// Directions of largest variance.
  case pca
  /// Directions in which source and base differ most.
  case difference
  /// Span of the class means, every class alike; and weighted by size.
  case mean
  case between
  /// Canonical correlation with the answers, oblique; and orthogonally on its patterns.
  case cca
  case ccaOrthogonal = "cca-orthogonal"
  /// Least-squares concept erasure of the answers.
  case leace
  /// Directions to which the logit difference is most sensitive.
  case gradient
  /// Trained through the model.
  case das
  /// Features of a sparse autoencoder.
  case sae
  /// Drawn by Haar's measure.
  case random
}

/// What subspaces are estimated from: the exchanges of the split for fitting.
public struct SubspaceStudy: Sendable {
  /// Both directions of each pair, so that every run is a base once.
  public let fit: [Exchange]
  /// The base runs' rows, one below the other, and the answer of each.
  public let samples: DoubleMatrix
  public let labels: [String]
  public let natural: Natural
  /// Dimensions of massive activations.
  public let outliers: [Int]
  public var shrinkage: Double
  public var search: AlignmentSearch
  public var sparse: SparseTraining

  public var width: Int { samples.columns }

  /// - Parameters:
  ///   - fit: at one site
  ///   - shrinkage: of the covariance
  ///   - clearing: whether massive dimensions are set to zero before anything is estimated
  /// - Throws: where there are too few activations, or all are the same.
  public init(fit: [Exchange], shrinkage: Double = 0, clearing: Bool = false) throws {
    guard let first = fit.first else {
      throw SubspaceError(
        "no pair is left to estimate a subspace on; give pairs of at least two groups")
    }
    let raw = DoubleMatrix(joiningRows(fit.map(\.base)))
    outliers = outlierDimensions(raw)
    samples = clearing ? raw.clearingColumns(outliers) : raw
    labels = fit.flatMap { pair in
      [String](repeating: "\(pair.foil)", count: pair.base.rows)
    }
    natural = try Natural(samples, shrinkage: shrinkage)
    (self.fit, self.shrinkage) = (fit, shrinkage)
    search = AlignmentSearch(rank: 1)
    sparse = SparseTraining(.batchTopK(8))
    precondition(fit.allSatisfy { $0.base.width == first.base.width })
  }

  /// The directions that a method finds, in its order.
  ///
  /// - Parameter rank: how many `das` trains and `random` draws; the others give all that they find
  public func subspace(_ method: SubspaceMethod, rank: Int, _ random: Random) throws -> Subspace {
    switch method {
    case .pca: return .principal(natural)
    case .difference: return try .principal(ofMoves: moves)
    case .mean: return try .classMeans(samples, labels: labels, weighted: false)
    case .between: return try .classMeans(samples, labels: labels, weighted: true)
    case .cca: return try canonical
    case .ccaOrthogonal: return try canonical.orthogonal(on: \.patterns)
    case .leace: return try .leace(samples, targets: oneHot(labels), shrinkage: shrinkage)
    case .gradient:
      let slopes = try mapInParallel(fit.count) { try fit[$0].gradient() }
      return try .gradient(DoubleMatrix(joiningRows(slopes)))
    case .das:
      var search = search
      search.rank = rank
      return try search.train(on: fit, random.split("das \(rank)")).subspace
    case .random:
      try checkCounts([rank], dimension: width, of: "dimensions of the activation")
      return Subspace(
        orthonormal: DoubleMatrix(rows: width, columns: rank, normal: random.split("random"))
          .orthonormalised())
    case .sae:
      throw SubspaceError(
        "features of an autoencoder span no subspace; they are swapped one by one")
    }
  }

  /// h_source - h_base of all pairs, one below the other.
  private var moves: DoubleMatrix {
    let all =
      DoubleMatrix(joiningRows(fit.map(\.source))) - DoubleMatrix(joiningRows(fit.map(\.base)))
    return outliers.isEmpty ? all : all.clearingColumns(samples.emptyColumns)
  }

  private var canonical: Subspace {
    get throws {
      try .canonical(samples, targets: oneHot(labels), shrinkage: shrinkage)
    }
  }

  /// An autoencoder of the fitting split's activations, and its features in their order.
  public func features(_ random: Random) throws -> (autoencoder: SparseAutoencoder, order: [Int]) {
    var sparse = sparse
    sparse.batch = min(sparse.batch, samples.rows)
    let trained = try sparse.train(on: samples.tensor, random.split("autoencoder"))
    return (trained, try order(ofFeaturesOf: trained))
  }

  /// The features of an autoencoder in the order of what swapping them should do to first order:
  /// (f_source - f_base) times the gradient along the feature, over all pairs.
  public func order(ofFeaturesOf trained: SparseAutoencoder) throws -> [Int] {
    let parts = try mapInParallel(fit.count) { i -> [Double] in
      let pair = fit[i]
      let slope = DoubleMatrix(try pair.gradient())
      let change =
        DoubleMatrix(trained.encoded(pair.source)) - DoubleMatrix(trained.encoded(pair.base))
      let along = slope * DoubleMatrix(trained.decoder)
      var sums = [Double](repeating: 0, count: trained.features)
      for r in 0..<change.rows { for c in sums.indices { sums[c] += change[r, c] * along[r, c] } }
      return sums
    }
    let total = parts.dropFirst().reduce(parts[0]) { zip($0, $1).map { $0 + $1 } }
    return total.indices.sorted { (total[$0], $1) > (total[$1], $0) }
  }
}

extension DoubleMatrix {
  /// Columns that hold zeros alone.
  fileprivate var emptyColumns: [Int] {
    (0..<columns).filter { c in (0..<rows).allSatisfy { self[$0, c] == 0 } }
  }
}

/// What a subspace does on pairs that it was not estimated on.
public struct SubspaceResult: Sendable, Codable {
  public let k: Int
  /// The share of the gap that the patch closes, with its cluster interval.
  public let recovery: Estimate
  /// Interchange accuracy: how often the source's answer becomes the most probable token.
  public let accuracy: Double
  /// The recovery of everything but the subspace.
  public let complement: Double
  /// Of the same subspace with another pair's source, the move as long as the real one.
  public let wrongItem: Double?
  /// By random family the mean recovery of its draws and the empirical p of the real one.
  public let families: [String: Family]
  /// How far patched activations lie from natural ones.
  public let divergence: Divergence?

  public struct Family: Sendable, Codable {
    public let mean: Double
    public let highest: Double
    public let p: Double
    public let draws: Int
  }
}

extension Array where Element == Exchange {
  /// The recovery of a subspace on these pairs with its matched controls.
  ///
  /// - Parameters:
  ///   - natural: of the fitting split, to which random moves and divergence are matched
  ///   - reference: natural activations of the fitting split, for divergence
  ///   - draws: of each random family
  public func result(
    of subspace: Subspace, natural: Natural, reference: DoubleMatrix, draws: Int,
    bootstrap: Int = 10_000, _ random: Random
  ) throws -> SubspaceResult {
    func move(_ part: MovedPart) -> @Sendable (Exchange) -> DoubleMatrix {
      { subspace.move(part, from: DoubleMatrix($0.base), to: DoubleMatrix($0.source)) }
    }
    let real = try effects(of: move(.subspace))
    let matched = RandomMoves(matching: subspace, natural: natural)
    var families: [String: SubspaceResult.Family] = [:]
    for family in RandomFamily.allCases where draws > 0 && matched.canDraw(family) {
      let streams = (0..<draws).map { random.split(family.rawValue).split($0) }
      let bases = try streams.map { try matched.directions(family, $0) }
      let found: [Effects] = try effects(of: { pair in
        bases.map {
          matched.move(
            family, along: $0, from: DoubleMatrix(pair.base), to: DoubleMatrix(pair.source))
        }
      })
      let recoveries = found.map(\.recovery)
      families[family.rawValue] = SubspaceResult.Family(
        mean: recoveries.reduce(0, +) / Double(draws), highest: recoveries.max() ?? 0,
        p: empiricalP(real.recovery, among: recoveries), draws: draws)
    }
    return SubspaceResult(
      k: subspace.rank, recovery: real.estimate(draws: bootstrap, random.split("bootstrap")),
      accuracy: real.accuracy, complement: try effects(of: move(.complement)).recovery,
      wrongItem: try wrongItem(subspace)?.recovery, families: families,
      divergence: try divergence(subspace, natural, reference))
  }

  /// The same patch with the source of the next pair of another answer and as many positions; nil where
  /// no pair has such another.
  ///
  /// - Parameters:
  ///   - subspace: nil for the whole activation
  ///   - asLong: makes the move as long as the real one. Along few directions that leaves few ways to go:
  ///     along one, the real move and its opposite.
  public func wrongItem(_ subspace: Subspace?, asLong: Bool = true) throws -> Effects? {
    let others = indices.map { i in
      (1..<Swift.max(count, 2)).map { self[(i + $0) % count] }.first {
        Set([$0.answer, $0.foil]).isDisjoint(with: [self[i].answer, self[i].foil])
          && $0.source.shape == self[i].source.shape
      }
    }
    let paired = indices.filter { others[$0] != nil }
    guard !paired.isEmpty else { return nil }
    let place = Dictionary(paired.map { (self[$0].id, others[$0]!) }) { first, _ in first }
    return try paired.map { self[$0] }.effects(of: { pair in
      let base = DoubleMatrix(pair.base)
      func move(to source: Tensor) -> DoubleMatrix {
        let source = DoubleMatrix(source)
        return subspace?.move(.subspace, from: base, to: source) ?? source - base
      }
      let (real, other) = (move(to: pair.source), move(to: place[pair.id]!.source))
      guard asLong else { return other }
      return other.rescaled(other.squaredNorm, to: real.squaredNorm)
    })
  }

  private func divergence(_ subspace: Subspace, _ natural: Natural, _ reference: DoubleMatrix)
    throws
    -> Divergence?
  {
    guard reference.rows >= 5 else { return nil }
    let patched = map { pair -> Tensor in
      let base = DoubleMatrix(pair.base)
      return moved(
        pair.base, by: subspace.move(.subspace, from: base, to: DoubleMatrix(pair.source)))
    }
    return try Divergence(
      of: DoubleMatrix(joiningRows(patched)), held: DoubleMatrix(joiningRows(map(\.base))),
      reference: reference, natural: natural)
  }
}
