// Sparse autoencoders on data made of a known dictionary.

import Interventions
import Tensor
import Testing

/// Activations that are sums of few of `count` random directions, about a mean.
private struct Dictionary {
  let directions: DoubleMatrix
  let samples: Tensor

  init(count: Int = 12, width: Int = 8, rows: Int = 4000, present: Double = 0.12, seed: UInt64 = 1)
  {
    let raw = DoubleMatrix(rows: count, columns: width, normal: Random(seed: seed))
    directions = DoubleMatrix(
      rows: count, columns: width,
      (0..<count).flatMap { i -> [Double] in
        let length = raw.row(i).reduce(0) { $0 + $1 * $1 }.squareRoot()
        return raw.row(i).map { $0 / length }
      })
    var random = Random(seed: seed).split("codes")
    var codes = DoubleMatrix(rows: rows, columns: count)
    for i in codes.numbers.indices where random.uniform() < present {
      codes.numbers[i] = random.uniform(0.5...1.5)
    }
    let noise = DoubleMatrix(rows: rows, columns: width, normal: random.split("noise"))
    samples =
      (codes * directions + noise.scalingColumns(.init(repeating: 0.01, count: width))).tensor
  }

  /// For each true direction the cosine of the nearest learnt one.
  func found(by autoencoder: SparseAutoencoder) -> [Double] {
    let cosines = directions * DoubleMatrix(autoencoder.decoder)
    return (0..<cosines.rows).map { cosines.row($0).max()! }
  }
}

@Suite struct SparseTests {
  private func training(_ objective: SparseTraining.Objective) -> SparseTraining {
    var training = SparseTraining(objective)
    (training.expansion, training.steps, training.batch) = (4, 1500, 256)
    training.rate = 3e-3
    training.deadAfter = 20_000
    return training
  }

  @Test(arguments: [
    SparseTraining.Objective.relu(penalty: 1.5), .topK(2), .batchTopK(2),
  ])
  func dictionariesAreFound(_ objective: SparseTraining.Objective) throws {
    let (data, held) = (Dictionary(), Dictionary(rows: 1000))
    var errors: [Double] = []
    let trained = try training(objective).train(on: data.samples, Random(seed: 2)) { _, error in
      errors.append(error)
    }
    #expect(errors.count == 1500 && errors.last! < 0.3 * errors[0])
    let metrics = SparseMetrics(trained, on: held.samples)
    #expect(metrics.explainedVariance > 0.8, "\(metrics)")
    #expect(metrics.l0 < 6, "\(metrics)")
    #expect(metrics.reconstructionBias > 0.7 && metrics.reconstructionBias < 1.1)
    let cosines = data.found(by: trained)
    // Directions at random are found with a mean cosine of 0.7.
    let mean = { (cosines: [Double]) in cosines.reduce(0, +) / Double(cosines.count) }
    #expect(mean(cosines) > 0.92, "\(cosines)")
    let random = Dictionary(count: trained.features, seed: 9).directions
    let chance = data.directions.timesTransposed(random)
    #expect(mean((0..<12).map { chance.row($0).max()! }) < 0.8)
    for column in 0..<trained.features {
      let length = (0..<trained.width).reduce(0.0) {
        $0 + Double(trained.decoder[$1, column]) * Double(trained.decoder[$1, column])
      }
      #expect(abs(length - 1) < 1e-5)
    }
    if case .batchTopK = objective, case .threshold(let threshold) = trained.activation {
      #expect(threshold > 0 && abs(metrics.l0 - 2) < 1, "\(metrics)")
    }
  }

  @Test func trainingIsDeterministicAndSeedsMatter() throws {
    let data = Dictionary(rows: 600)
    var short = training(.topK(2))
    short.steps = 40
    func train(_ seed: UInt64) throws -> SparseAutoencoder {
      try short.train(on: data.samples, Random(seed: seed))
    }
    let (a, again, b) = (try train(1), try train(1), try train(2))
    #expect(a.decoder.isIdentical(to: again.decoder) && a.encoder.isIdentical(to: again.encoder))
    #expect(!a.decoder.isIdentical(to: b.decoder))
    #expect(matchedCosines(a, again).allSatisfy { $0 > 0.999_999 })
    let stability = matchedCosines(a, b)
    #expect(stability.count == a.features && stability[0] >= stability.last!)
    #expect(stability.reduce(0, +) / Double(stability.count) < 0.9)
  }

  @Test func exactlyKAreKept() throws {
    // The identity as encoder, on positive numbers with ties.
    let width = 6
    var one = [Float](repeating: 0, count: width * width)
    for i in 0..<width { one[i * width + i] = 1 }
    let identity = Tensor([width, width], one)
    func autoencoder(_ activation: SparseAutoencoder.Activation) -> SparseAutoencoder {
      SparseAutoencoder(
        encoder: identity, encoderBias: Tensor([width]), decoder: identity,
        decoderBias: Tensor([width]), scale: 1, activation: activation)
    }
    let x = Tensor([3, width], [3, 1, 2, 2, 2, 9, 1, 1, 1, 1, 1, 1, -1, 5, -2, 4, -3, 0])
    for k in 0...width {
      let f = autoencoder(.topK(k)).encoded(x)
      for r in 0..<2 { #expect((0..<width).count { f[r, $0] > 0 } == k) }
      // A number that is not positive is no feature.
      #expect((0..<width).count { f[2, $0] > 0 } == min(k, 2))
    }
    #expect(autoencoder(.topK(3)).encoded(x).numbers[..<6] == [3, 0, 2, 0, 0, 9])
    #expect(autoencoder(.threshold(2)).encoded(x).numbers[..<6] == [3, 0, 0, 0, 0, 9])
    #expect(autoencoder(.relu).encoded(x).numbers[12...] == [0, 5, 0, 4, 0, 0])
    let metrics = SparseMetrics(
      autoencoder(.topK(width)), on: Tensor([2, width], Array(x.numbers[..<12])))
    #expect(metrics.explainedVariance == 1 && metrics.l0 == 6 && metrics.dead == 0)
    #expect(metrics.dense == 1 && metrics.reconstructionBias == 1)
  }

  /// Two features of one direction are not both matched by the other's only one.
  @Test func featuresAreMatchedOneToOne() {
    func autoencoder(_ directions: [Float]) -> SparseAutoencoder {
      let decoder = Tensor([2, 2], directions)
      return SparseAutoencoder(
        encoder: decoder, encoderBias: Tensor([2]), decoder: decoder, decoderBias: Tensor([2]),
        scale: 1, activation: .relu)
    }
    // Columns are directions.
    let (twice, once) = (autoencoder([1, 1, 0, 0]), autoencoder([1, 0, 0, 1]))
    #expect(matchedCosines(twice, once) == [1, 0])
    #expect(matchedCosines(twice, once, alive: [1]) == [1])
  }

  @Test func theMeanExplainsNothing() {
    let x = DoubleMatrix(rows: 40, columns: 5, normal: Random(seed: 1)).subtracting([1, 2, 3, 4, 5])
    let means = x.columnMeans
    let flat = DoubleMatrix(rows: 40, columns: 5, (0..<40).flatMap { _ in means })
    #expect(abs(unexplainedVariance(of: x, by: flat) - 1) < 1e-12)
    #expect(unexplainedVariance(of: x, by: x) == 0)
    #expect(abs(SpliceLoss(clean: 1, spliced: 1.5, ablated: 3).recovered - 0.75) < 1e-12)
  }

  @Test func swappedFeaturesKeepTheError() throws {
    let data = Dictionary(rows: 600)
    var short = training(.topK(2))
    short.steps = 40
    let trained = try short.train(on: data.samples, Random(seed: 1))
    let (base, source) = (
      gatherRows(data.samples, [0, 1, 2]), gatherRows(data.samples, [3, 4, 5])
    )
    // A patch from the run itself changes no bit, however bad the reconstruction is.
    #expect(trained.reconstructed(base).largestDifference(to: base) > 0.01)
    #expect(moved(base, by: trained.move(from: base, to: base)).isIdentical(to: base))
    // All features: the reconstructions' difference. None: nothing. Parts add up.
    let all = trained.move(from: base, to: source)
    let difference = trained.reconstructed(source) - trained.reconstructed(base)
    #expect(all.tensor.largestDifference(to: difference) < 1e-5)
    #expect(all.largest > 0.1)
    #expect(trained.move(from: base, to: source, swapping: []).largest == 0)
    let (even, odd) = (0..<trained.features).reduce(into: ([Int](), [Int]())) {
      if $1 % 2 == 0 { $0.0.append($1) } else { $0.1.append($1) }
    }
    let parts =
      trained.move(from: base, to: source, swapping: even)
      + trained.move(from: base, to: source, swapping: odd)
    #expect((parts - all).largest < 1e-5)
  }

  @Test func badTrainingIsRefused() {
    let data = Dictionary(rows: 100)
    #expect(throws: SubspaceError.self) {
      try training(.topK(2)).train(on: data.samples, Random(seed: 1))
    }
    var wide = training(.topK(33))
    wide.batch = 50
    #expect(throws: SubspaceError.self) { try wide.train(on: data.samples, Random(seed: 1)) }
  }
}
