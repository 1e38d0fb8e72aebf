// How an autoencoder of the ablations is trained, and two seeds of it (`paper/definitions.md`, D146).

import Tensor

/// One form and size of autoencoders.
public struct SparseSetting: Sendable {
  public let objective: SparseTraining.Objective
  public let expansion: Int

  public init(_ objective: SparseTraining.Objective, expansion: Int) {
    (self.objective, self.expansion) = (objective, expansion)
  }

  /// As a table calls it.
  public var form: String {
    switch objective {
    case .relu: "relu"
    case .topK: "topk"
    case .batchTopK: "batchtopk"
    }
  }

  public var name: String { "\(form) x\(expansion)" }

  /// Trains one autoencoder a seed.
  ///
  /// - Parameters:
  ///   - samples: [samples, width]
  ///   - seeds: what the streams are called
  /// - Returns: their numbers, one behind the other
  public func trained(
    on samples: Tensor, steps: Int, batch: Int, seeds: [Int], _ random: Random
  ) throws -> [Float] {
    var training = SparseTraining(objective)
    (training.expansion, training.steps) = (expansion, steps)
    training.batch = min(batch, samples.rows)
    return try mapInParallel(seeds.count) { [training] in
      try training.train(on: samples, random.split(name).split(seeds[$0])).numbers
    }.flatMap { $0 }
  }

  /// The autoencoders that `trained` gave the numbers of.
  public func autoencoders(_ numbers: [Float], seeds: Int, width: Int) -> [SparseAutoencoder] {
    let own = numbers.count / seeds
    return (0..<seeds).map { seed in
      SparseAutoencoder(
        numbers: Array(numbers[seed * own..<(seed + 1) * own]), features: expansion * width,
        width: width, objective: objective)
    }
  }
}

/// What one setting comes to, a value for each seed.
public struct SparseReport: Codable, Sendable {
  public let form: String
  public let expansion: Int
  public let features: Int
  /// On recordings that were not trained on.
  public let held: [SparseMetrics]
  /// Explained variance on every third position that was trained on, the share of features that are
  /// present at none of them, and the share of those present that are absent from the other recordings.
  public let fitExplained: [Double]
  public let fitDead: [Double]
  public let unseen: [Double]
  public let stability: SparseStability
  public let swaps: [FeatureSwap]

  /// - Parameters:
  ///   - autoencoders: of two seeds
  ///   - fit: activations that were trained on, [samples, width], and `held` likewise of others
  ///   - study: by whose pairs features are ordered
  ///   - test: held-out pairs in one direction
  public init(
    _ setting: SparseSetting, _ autoencoders: [SparseAutoencoder], fit: Tensor, held: Tensor,
    study: SubspaceStudy, test: [Exchange], sizes: [Int], families: Int, draws: Int,
    _ random: Random
  ) throws {
    (form, expansion) = (setting.form, setting.expansion)
    features = autoencoders[0].features
    self.held = autoencoders.map { SparseMetrics($0, on: held) }
    let third = gatherRows(fit, Array(stride(from: 0, to: fit.rows, by: 3)))
    fitExplained = autoencoders.map { SparseMetrics($0, on: third).explainedVariance }
    let present = autoencoders.map { $0.present(in: fit) }
    fitDead = present.map { [features] in 1 - Double($0.count) / Double(features) }
    unseen = zip(autoencoders, present).map { one, own in
      let other = Set(one.present(in: held))
      return Double(own.count { !other.contains($0) }) / Double(max(own.count, 1))
    }
    stability = try SparseStability(
      autoencoders[0], autoencoders[1], samples: held, natural: Natural(DoubleMatrix(fit)),
      random.split("stability"))
    swaps = try autoencoders.enumerated().map { seed, one in
      try study.swap(
        one, on: test, sizes: sizes, families: families, draws: draws,
        random.split("swap").split(seed))
    }
  }

  /// Whether the dictionary is wider than its data: fewer than half of its features are ever present in
  /// other recordings.
  public var isDegenerate: Bool { held.contains { $0.dead > 0.5 } }
}
