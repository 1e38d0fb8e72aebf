// What is said of autoencoders, on dictionaries and activities that are known.

import Interventions
import Speech
import Tensor
import Testing

@Suite struct SparseAblationTests {
  @Test func largestCosinesAreAveraged() {
    let a = DoubleMatrix(rows: 2, columns: 2, [1, 0, 0, 1])
    let b = DoubleMatrix(rows: 2, columns: 2, [1, 0, 0.6, 0.8])
    #expect(abs(meanLargestCosine(of: a, to: b) - 0.9) < 1e-12)
    #expect(abs(meanLargestCosine(of: b, to: a) - 0.9) < 1e-12)
    #expect(meanLargestCosine(of: a, to: DoubleMatrix(rows: 1, columns: 2, [-1, 0])) == -0.5)
  }

  @Test func theSameDictionaryIsStableAndDrawnOnesAreNot() throws {
    // Activations vary along the first two of eight numbers.
    let deviations = (0..<8).map { $0 < 2 ? 3.0 : 0.05 }
    let samples = DoubleMatrix(rows: 300, columns: 8, normal: Random(seed: 1))
      .scalingColumns(deviations)
    let natural = try Natural(samples)
    let a = axisAutoencoder([0, 1, 2, 3, 4, 5, 6, 7])
    let same = try SparseStability(
      a, a, samples: samples.tensor, natural: natural, Random(seed: 2))
    #expect(abs(same.seeds - 1) < 1e-9)
    #expect(same.haar < 0.9 && same.haar > 0.3)
    // Those with the activations' covariance lie along two axes and say nothing of the others.
    #expect(same.variance < 0.6)
    let silent = SparseAutoencoder(
      encoder: a.encoder, encoderBias: Tensor([8], [Float](repeating: -1e6, count: 8)),
      decoder: a.decoder, decoderBias: a.decoderBias, scale: 1, activation: .relu)
    #expect(a.present(in: samples.tensor).count == 8 && silent.present(in: samples.tensor) == [])
    #expect(throws: SubspaceError.self) {
      try SparseStability(
        a, silent, samples: samples.tensor, natural: natural, Random(seed: 2))
    }
  }

  @Test(arguments: [SparseTraining.Objective.topK(2), .batchTopK(2)])
  func storedAutoencodersAreTheSame(_ objective: SparseTraining.Objective) throws {
    let samples = Tensor([64, 6], normal: 1, Random(seed: 3))
    let setting = SparseSetting(objective, expansion: 4)
    let numbers = try setting.trained(
      on: samples, steps: 20, batch: 32, seeds: [1, 2], Random(seed: 4))
    let found = setting.autoencoders(numbers, seeds: 2, width: 6)
    var training = SparseTraining(objective)
    (training.expansion, training.steps, training.batch) = (4, 20, 32)
    for (seed, one) in zip([1, 2], found) {
      let plain = try training.train(
        on: samples, Random(seed: 4).split(setting.name).split(seed))
      #expect(one.numbers == plain.numbers)
      #expect(one.reconstructed(samples).largestDifference(to: plain.reconstructed(samples)) < 1e-5)
      #expect(one.decoder.isIdentical(to: plain.decoder) && one.scale == plain.scale)
    }
    #expect(!found[0].decoder.isIdentical(to: found[1].decoder))
  }

  @Test func featuresAreMatchedInActivity() throws {
    let activities = (0..<40).map { Double($0 % 20) }
    // Feature f and f + 20 are as active as each other.
    let nearest = matchedFeatures(
      to: [3, 7, 19], activities: activities, among: 1, Random(seed: 5))
    #expect(nearest == [23, 27, 39])
    for draw in 0..<50 {
      let drawn = matchedFeatures(
        to: [3, 7, 19], activities: activities, among: 6, Random(seed: 6).split(draw))
      #expect(Set(drawn).count == 3 && Set(drawn).isDisjoint(with: [3, 7, 19]))
      #expect(zip(drawn, [3, 7, 19]).allSatisfy { abs(activities[$0] - activities[$1]) <= 5 })
    }
    #expect(
      matchedFeatures(to: [0, 1], activities: [1, 2, 3], among: 5, Random(seed: 1)) == [2],
      "there is one other feature")
  }

  @Test func swappedFeaturesStandBesideMatchedOnes() throws {
    // Six numbers that are read and six that are not, all of them as active.
    let weights: [Float] = [10, 6, 3, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    let pairs = positiveToys(weights, count: 12, seed: 7)
    let study = try SubspaceStudy(fit: pairs)
    let autoencoder = axisAutoencoder(Array((0..<12).reversed()))
    #expect(try study.order(ofFeaturesOf: autoencoder).prefix(3) == [11, 10, 9])
    let activity = activities(of: autoencoder, on: pairs)
    #expect(activity.allSatisfy { abs($0 - 5.75) < 0.6 }, "\(activity)")
    let swap = try study.swap(
      autoencoder, on: pairs, sizes: [1, 2], families: 8, draws: 100, Random(seed: 8))
    for (k, known) in [10.0 / 22, 16.0 / 22].enumerated() {
      #expect(abs(swap.top[k].value - known) < 1e-5)
      #expect(swap.matched[k].value < 0.3 && swap.matched[k].value > 0)
      // A feature whose number does not change cannot be made as long.
      #expect(swap.matchedAsLong[k].value >= swap.matched[k].value - 1e-9)
    }
  }

  @Test func onePhoneExplainsAFeatureOrItDoesNot() throws {
    // Number 0 is there in "a" alone, 1 in "b" alone, 2 in both, 3 nowhere.
    let phones = (0..<40).map { $0 % 2 == 0 ? "a" : "b" }
    let rows = phones.flatMap { $0 == "a" ? [1, 0, 1, -1] : [0, 1, 1.2, -1] as [Float] }
    let samples = Tensor([40, 4], rows)
    let data = (samples: samples, phones: phones)
    let found = try PhoneFeatures(
      axisAutoencoder([0, 1, 2, 3]), fit: data, held: data, draws: 200, Random(seed: 9))
    #expect(found.present == 3)
    // The third has 1.2 / 2.2 of its activity in "b", more than half.
    #expect(found.explained.value == 1)
    #expect(abs(found.purity.value - (2 + 1.2 / 2.2) / 3) < 1e-6)
    // The phone is that of the fit: where it is another one there, nothing is left of it.
    let turned = (samples: samples, phones: phones.map { $0 == "a" ? "b" : "a" })
    let other = try PhoneFeatures(
      axisAutoencoder([0, 1, 2, 3]), fit: turned, held: data, draws: 200, Random(seed: 9))
    #expect(other.explained.value == 0 && other.purity.value < 0.2)
    let none = (samples: Tensor([2, 4], [Float](repeating: -1, count: 8)), phones: ["a", "b"])
    #expect(throws: SubspaceError.self) {
      try PhoneFeatures(
        axisAutoencoder([0, 1, 2, 3]), fit: data, held: none, draws: 200, Random(seed: 9))
    }
    let drawn = axisAutoencoder([0, 1, 2, 3]).drawn(Random(seed: 10))
    #expect(transposed(drawn.decoder).isIdentical(to: drawn.encoder))
    #expect(abs(drawn.directions(of: [2]).numbers.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
  }

  @Test func lossesAndTextsAreCountedByWhatIsInPlace() {
    func recording(_ i: Int, _ loss: Double, _ text: String) -> SplicedRecording {
      SplicedRecording(
        group: "\(i)", losses: ["clean": 1, "mean": 5, "sae": loss],
        texts: ["clean": "a b c", "mean": "x", "sae": text])
    }
    let all =
      (0..<6).map { recording($0, 2, "a b c") } + (6..<8).map { recording($0, 4, "a c") }
    let report = all.report("sae", draws: 100, Random(seed: 11))
    #expect(abs(report.change.value - 1.5) < 1e-12)
    #expect(abs(report.recovered.value - (6.0 * 3 + 2) / 32) < 1e-12)
    #expect(report.textStays.value == 0.75)
    #expect(abs(report.wordErrors.value - 2.0 / 24) < 1e-12)
    let mean = all.report("mean", draws: 100, Random(seed: 11))
    #expect(mean.recovered.value == 0 && mean.textStays.value == 0)
    #expect(all.report("clean", draws: 100, Random(seed: 11)).recovered.value == 1)
  }

  @Test func aProbeIsReadBesideItsShuffles() throws {
    func data(_ seed: UInt64) -> LabelledSamples {
      var samples = DoubleMatrix(rows: 60, columns: 4, normal: Random(seed: seed))
      for r in 0..<60 { samples[r, 1] += 8 * Double(r % 3) }
      return LabelledSamples(samples, labels: (0..<60).map { "\($0 % 3)" })
    }
    let reading = try ProbeReading(
      fit: data(12), test: data(13), groups: (0..<60).map { "\($0 / 3)" }, shuffles: 30, draws: 200,
      Random(seed: 14))
    #expect(reading.read.value > 0.95 && reading.chance == 1.0 / 3)
    #expect(abs(reading.shuffled.value - 1.0 / 3) < 0.12)
  }
}
