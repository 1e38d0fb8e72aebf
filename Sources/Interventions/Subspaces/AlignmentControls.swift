// The controls of a trained subspace. Training finds a direction that helps in almost any model, so
// its success counts only above what the same training reaches where nothing is to be found: for
// labels that mean nothing (Hewitt and Liang, 2019), and in a model that has learnt nothing (Arora et
// al., 2024; `paper/definitions.md`, D74).

import Tensor

/// How often a trained subspace's patches are followed by the token that they were trained for.
public struct AlignmentAccuracy: Sendable, Codable, Equatable {
  /// On the pairs that it was trained on, and on pairs that it was not.
  public let fitted: Double
  public let held: Double
}

/// A trained subspace beside those that the same training gives where there is nothing to find.
public struct AlignmentControls: Sendable, Codable, Equatable {
  public let k: Int
  public let real: AlignmentAccuracy
  /// Trained for permuted answers, the same for all pairs of one answer; nil where the answers are too
  /// few. An answer of held-out pairs alone has a label that was never trained for.
  public let arbitrary: AlignmentAccuracy?
  /// The recovery of the true answer, on held-out pairs, by the subspace of permuted answers.
  public let arbitraryRecovery: Double?
  /// Trained on the same pairs in a model with random weights; nil without one.
  public let untrained: AlignmentAccuracy?
}

/// The pairs of a study in a model of the same configuration with random weights.
public struct UntrainedPairs: Sendable {
  public let fit: [Exchange]
  public let test: [Exchange]

  public init(fit: [Exchange], test: [Exchange]) {
    self.fit = fit
    self.test = test
  }
}

extension SubspaceStudy {
  /// Trains the controls of a subspace that was trained on the fitting split.
  ///
  /// - Parameters:
  ///   - subspace: the trained one
  ///   - test: held-out pairs in one direction
  ///   - untrained: the same pairs, in the same order, in a model with random weights
  public func alignmentControls(
    of subspace: Subspace, on test: [Exchange], untrained: UntrainedPairs?, _ random: Random
  ) throws -> AlignmentControls {
    var search = search
    search.rank = subspace.rank
    func accuracy(
      _ subspace: Subspace, _ fit: [Exchange], _ test: [Exchange], _ labels: [Int]
    ) throws -> AlignmentAccuracy {
      AlignmentAccuracy(
        fitted: try fit.accuracy(of: subspace, expecting: Array(labels.prefix(fit.count))),
        held: try test.accuracy(of: subspace, expecting: Array(labels.dropFirst(fit.count))))
    }
    let answers = (fit + test).map(\.answer)
    let labels: [Int]?
    do {
      labels = try arbitraryLabels(
        answers, foils: (fit + test).map(\.foil), random.split("labels"))
    } catch is SubspaceError { labels = nil }
    let arbitrary = try labels.map { labels in
      try search.train(
        on: fit, labels: Array(labels.prefix(fit.count)),
        random.split("arbitrary \(subspace.rank)")
      ).subspace
    }
    let lost = try untrained.map { pairs in
      try accuracy(
        search.train(on: pairs.fit, random.split("untrained \(subspace.rank)")).subspace, pairs.fit,
        pairs.test, (pairs.fit + pairs.test).map(\.answer))
    }
    return AlignmentControls(
      k: subspace.rank, real: try accuracy(subspace, fit, test, answers),
      arbitrary: try arbitrary.map { try accuracy($0, fit, test, labels!) },
      arbitraryRecovery: try arbitrary.map { other in
        try test.effects(of: { other.projection(of: $0.difference) }).recovery
      }, untrained: lost)
  }
}

extension Array where Element == Exchange {
  /// How often the wanted token is the most probable one after a subspace is swapped.
  fileprivate func accuracy(of subspace: Subspace, expecting labels: [Int]) throws -> Double {
    let hits = try mapInParallel(count) { i -> Bool in
      let logits = try self[i].continued([
        moved(self[i].base, by: subspace.projection(of: self[i].difference))
      ]).numbers
      return logits.indices.reduce(0) { logits[$1] > logits[$0] ? $1 : $0 } == labels[i]
    }
    return Double(hits.count { $0 }) / Double(Swift.max(hits.count, 1))
  }
}
