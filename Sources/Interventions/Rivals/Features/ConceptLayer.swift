// AR&D's procedure with one form of autoencoder at one site: how well it explains what is there, whether another seed
// finds the same features, how alike the clips of those that the procedure takes are, and what these carry
// (`paper/definitions.md`, D176).

import Speech
import Tensor

/// What the procedure comes to at a site.
public struct ConceptLayer: Codable, Sendable {
  /// On recordings that the autoencoder was not trained on.
  public let held: SparseMetrics
  public let stability: SparseStability
  /// Of the features that are taken, and of drawn clips in their place; means over features, by phones.
  public let monosemanticity: Double
  public let drawn: Double
  /// What those features carry where they are swapped, and what those with the largest exact effects do.
  public let named: ConceptChoiceReading
  public let causal: ConceptChoiceReading

  /// - Parameters:
  ///   - clips: at the site, those that are trained on and others
  ///   - study: of pairs at the same site, on which features are chosen
  ///   - held: exchanges of other pairs there, which are read
  ///   - count: how many features are taken
  ///   - steps: of training, of each of two seeds
  ///   - families: draws of features as active
  ///   - draws: bootstrap samples
  /// - Throws: where too few features are present, or there is no pair.
  public init(
    _ setting: SparseSetting, clips: FitAndHeld<[ConceptClip]>, study: SubspaceStudy,
    held pairs: [Exchange], count: Int, steps: Int, families: Int, draws: Int, _ random: Random
  ) throws {
    let samples = clips.map { joiningRows($0.map(\.rows)) }
    let numbers = try setting.trained(
      on: samples.fit, steps: steps, batch: 256, seeds: [1, 2], random.split("training"))
    let both = setting.autoencoders(numbers, seeds: 2, width: samples.fit.width)
    held = SparseMetrics(both[0], on: samples.held)
    stability = try SparseStability(
      both[0], both[1], samples: samples.held, natural: Natural(DoubleMatrix(samples.fit)),
      random.split("stability"))
    let features = try both[0].concepts(
      in: clips.fit, [.phones(of: clips.fit)], random.split("retrieval"))
    let taken = try features.described(count, by: 0)
    let described = features.filter { taken.contains($0.feature) }
    func mean(_ value: (ConceptFeature) -> Double) -> Double {
      described.reduce(0) { $0 + value($1) } / Double(described.count)
    }
    (monosemanticity, drawn) = (mean { $0.monosemanticity[0] }, mean { $0.drawn[0] })
    let swapped = try pairs.swapping(
      [
        FeatureChoice("described", taken),
        FeatureChoice("exact-effect", try study.causal(count, of: both[0], proposed: 4 * count)),
      ], of: both[0], matchedOn: study.fit, families: families, draws: draws, random.split("swap"))
    (named, causal) = (swapped[0], swapped[1])
  }
}

extension ConceptLayer {
  /// What a table calls its columns.
  public static let columns =
    "site\tautoencoder\texplained variance\tdead\tmean largest cosine to another seed\tto drawn directions\t"
    + "monosemanticity\tof drawn clips\trecovery\tlow\thigh\tas active\tlow\thigh\tlargest exact effects\tlow\thigh"

  /// Its recoveries, with intervals.
  public var estimates: [(what: String, value: Estimate)] {
    [("recovery", named.recovery), ("matched", named.matched), ("exact", causal.recovery)]
  }

  public func line(at site: Site, _ setting: SparseSetting) -> String {
    let numbers =
      [
        held.explainedVariance, held.dead, stability.seeds, stability.variance, monosemanticity,
        drawn,
      ] + estimates.flatMap { [$0.value.value, $0.value.low, $0.value.high] }
    return "\(site)\t\(setting.name)\t" + numbers.map { "\($0)" }.joined(separator: "\t")
  }
}
