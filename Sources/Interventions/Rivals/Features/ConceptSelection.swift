// Which features a procedure takes for what the model uses, and what they carry when they are swapped between
// the members of pairs (`paper/definitions.md`, D165).

import Tensor

/// Features that one procedure takes, the most important first.
public struct FeatureChoice: Codable, Sendable {
  public let name: String
  public let features: [Int]

  public init(_ name: String, _ features: [Int]) { (self.name, self.features) = (name, features) }
}

extension [ConceptFeature] {
  /// As many features by each procedure: by AR&D in either embedding, by its parts, drawn, and by what they
  /// do.
  ///
  /// - Parameter causal: those of the largest exact effect
  public func choices(_ causal: [Int], _ random: Random) throws -> [FeatureChoice] {
    let count = causal.count
    return [
      FeatureChoice("described-phones", try described(count, by: 0)),
      FeatureChoice("described-layer", try described(count, by: 1)),
      FeatureChoice("score", try first(count) { $0.score }),
      FeatureChoice("mean-activation", try first(count) { $0.meanActivation }),
      FeatureChoice("coverage", try first(count) { $0.coverage }),
      FeatureChoice("drawn", try drawn(count, random)), FeatureChoice("exact-effect", causal),
    ]
  }

  /// AR&D: of the share with the largest monosemanticity those with the largest representative score.
  ///
  /// - Parameters:
  ///   - embedding: the place of the embedding in which monosemanticity is taken
  ///   - share: what the filter keeps; AR&D keep 5,000 of 32,768 features
  public func described(
    _ count: Int, by embedding: Int, keeping share: Double = 5000.0 / 32_768
  ) throws -> [Int] {
    let kept = Swift.max(count, Int((share * Double(self.count)).rounded(.up)))
    let alike = Array(ranked { $0.monosemanticity[embedding] }.prefix(kept))
    return try alike.first(count) { $0.score }
  }

  /// The features with the largest of a number.
  ///
  /// - Throws: where there are fewer.
  public func first(_ count: Int, _ value: (ConceptFeature) -> Double) throws -> [Int] {
    guard count > 0, count <= self.count else {
      throw CellError(
        "\(count) of \(self.count) features that are present: take fewer, or train for longer")
    }
    return ranked(value).prefix(count).map(\.feature)
  }

  /// As many features that are present, drawn.
  public func drawn(_ count: Int, _ random: Random) throws -> [Int] {
    var random = random
    let order = random.permutation(self.count)
    let place = Dictionary(uniqueKeysWithValues: zip(map(\.feature), order))
    return try first(count) { Double(place[$0.feature] ?? 0) }
  }

  private func ranked(_ value: (ConceptFeature) -> Double) -> [ConceptFeature] {
    sorted { (value($0), $1.feature) > (value($1), $0.feature) }
  }
}

extension SubspaceStudy {
  /// The features whose exact swap, each by itself, moves the fitting pairs most; tried are those that a
  /// search by slopes proposes.
  ///
  /// - Parameter proposed: how many are tried exactly
  public func causal(_ count: Int, of autoencoder: SparseAutoencoder, proposed: Int) throws -> [Int]
  {
    let order = try order(ofFeaturesOf: autoencoder)
    guard count > 0, proposed >= count, proposed <= order.count else {
      throw CellError(
        "\(count) of \(proposed) proposed features of \(order.count): propose more than are taken")
    }
    let candidates = Array(order.prefix(proposed))
    let found: [Effects] = try fit.effects(of: { pair in
      candidates.map { autoencoder.move(from: pair.base, to: pair.source, swapping: [$0]) }
    })
    let sums = found.map { $0.changes.reduce(0, +) }
    let best = sums.indices.sorted { (sums[$0], $1) > (sums[$1], $0) }
    return best.prefix(count).map { candidates[$0] }
  }
}

/// What the features of one choice carry on held-out pairs.
public struct ConceptChoiceReading: Codable, Sendable {
  public let name: String
  public let features: [Int]
  /// The share of the logit difference between a pair's members that goes over with the features; the error
  /// of the reconstruction stays.
  public let recovery: Estimate
  /// The same of features that are drawn to be as active, the mean over draws; and what the chosen ones have
  /// more.
  public let matched: Estimate
  public let over: Estimate
  /// The mean activity of the chosen and of the matched features, in the fitting pairs' moment.
  public let activity: Double
  public let matchedActivity: Double
}

extension [Exchange] {
  /// Swaps the features of several choices, and of as many that are matched to each.
  ///
  /// - Parameters:
  ///   - fit: the pairs on which features are matched in activity
  ///   - families: draws of matched features
  ///   - draws: bootstrap samples
  /// - Throws: where there is no pair, or a choice is empty or names a feature that is not there.
  public func swapping(
    _ choices: [FeatureChoice], of autoencoder: SparseAutoencoder, matchedOn fit: [Exchange],
    families: Int, draws: Int, _ random: Random
  ) throws -> [ConceptChoiceReading] {
    guard !isEmpty, !fit.isEmpty, families > 0 else {
      throw CellError("no pair to swap features in, or no draw of matched ones; give one at least")
    }
    for choice in choices {
      guard !choice.features.isEmpty,
        choice.features.allSatisfy({ (0..<autoencoder.features).contains($0) })
      else {
        throw CellError(
          "\(choice.name): features \(choice.features) of \(autoencoder.features), counted from 0; "
            + "choose one at least")
      }
    }
    let activity = activities(of: autoencoder, on: fit)
    func mean(_ features: [Int]) -> Double {
      features.reduce(0) { $0 + activity[$1] } / Double(Swift.max(features.count, 1))
    }
    return try choices.map { choice in
      let stream = random.split(choice.name)
      let others = (0..<families).map {
        matchedFeatures(
          to: choice.features, activities: activity, among: 3, stream.split("features").split($0))
      }
      let found: [Effects] = try effects(of: { pair in
        ([choice.features] + others).map {
          autoencoder.move(from: pair.base, to: pair.source, swapping: $0)
        }
      })
      let own = found[0].changes
      let matched = indices.map { i in
        found[1...].reduce(0) { $0 + $1.changes[i] } / Double(families)
      }
      func estimate(_ changes: [Double], _ name: String) -> Estimate {
        ratioOfMeans(
          changes, found[0].gaps, groups: found[0].groups, draws: draws, stream.split(name))
      }
      return ConceptChoiceReading(
        name: choice.name, features: choice.features, recovery: estimate(own, "recovery"),
        matched: estimate(matched, "matched"), over: estimate(zip(own, matched).map(-), "over"),
        activity: mean(choice.features), matchedActivity: mean(others.flatMap { $0 }))
    }
  }
}
