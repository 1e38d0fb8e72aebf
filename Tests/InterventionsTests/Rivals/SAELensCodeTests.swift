// Training steps and measures of SAELens, repeated here, and where they differ by design, why.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

/// A training step of SAELens 6.18.0.
struct GoldenAutoencoders: Decodable {
  struct Weights: Decodable {
    let encoder: [[Float]]
    let encoderBias: [Float]
    let decoder: [[Float]]
    let decoderBias: [Float]

    private enum CodingKeys: String, CodingKey {
      case encoder = "W_enc"
      case encoderBias = "b_enc"
      case decoder = "W_dec"
      case decoderBias = "b_dec"
    }

    /// In our order and layout.
    var ours: [Tensor] {
      [
        transposed(matrix(encoder)), Tensor([encoderBias.count], encoderBias),
        transposed(matrix(decoder)), Tensor([decoderBias.count], decoderBias),
      ]
    }
  }

  struct Step: Decodable {
    let loss: Double
    let auxiliary: Double
    let gradients: Weights
    let features: [[Double]]?
    let reconstructed: [[Double]]?
    let threshold: Double?
  }

  struct Steps: Decodable {
    let alive: Step
    let dead: Step
  }

  struct Metrics: Decodable {
    let l0: Double
    let bias: Double
    let evaluated: Double
    let meanOfRows: Double
    let logged: Double
  }

  let k: Int
  let x: [[Float]]
  let weights: Weights
  let dead: [Int]
  let rate: Float
  let topK: Steps
  let batchTopK: Steps
  let stepped: Weights
  let metrics: Metrics

  static func matrix(_ rows: [[Float]]) -> Tensor {
    Tensor([rows.count, rows[0].count], rows.flatMap { $0 })
  }
}

@Suite struct SAELensCodeTests {
  private let golden: GoldenAutoencoders
  private let x: Tensor
  private let weights: [Tensor]

  init() throws {
    golden = try RivalCode.golden.get().autoencoders
    x = GoldenAutoencoders.matrix(golden.x)
    weights = golden.weights.ours
  }

  private var features: Int { weights[0].rows }
  private var alive: [Bool] { [Bool](repeating: false, count: features) }
  private var dead: [Bool] { (0..<features).map(golden.dead.contains) }
  /// The Euclidean length of each feature's direction.
  private var lengths: [Double] {
    let decoder = transposed(weights[2])
    return (0..<features).map { f in
      (0..<x.width).reduce(0) { $0 + Double(decoder[f, $1]) * Double(decoder[f, $1]) }.squareRoot()
    }
  }

  private func worst(_ a: [Tensor], _ b: [Tensor]) -> Double {
    zip(a, b).map { RivalCode.apart($0, $1.numbers.map(Double.init)) }.max() ?? .infinity
  }

  private func cases() -> [(training: SparseTraining, theirs: GoldenAutoencoders.Steps)] {
    [
      (SparseTraining(.topK(golden.k)), golden.topK),
      (SparseTraining(.batchTopK(golden.k)), golden.batchTopK),
    ]
  }

  /// Features, which they give in units of their direction's length, error and gradients.
  @Test func stepsAreSAELenses() throws {
    for (training, theirs) in cases() {
      let pass = training.pass(x, weights, dead: alive)
      let wanted = try #require(theirs.alive.features)
      let contributions = pass.features.numbers.enumerated().map {
        Double($1) * lengths[$0 % features]
      }
      #expect(RivalCode.apart(contributions, wanted.flatMap { $0 }) < 1e-5)
      #expect(wanted.joined().count { $0 > 0 } == golden.k * x.rows)
      let reconstructed = try #require(theirs.alive.reconstructed)
      #expect(RivalCode.apart(pass.reconstructed, reconstructed.flatMap { $0 }) < 1e-5)
      // Their loss sums over the numbers of a row, ours is per number.
      #expect(abs(pass.error * Double(x.width) - theirs.alive.loss) < 1e-5 && theirs.alive.loss > 1)
      let gradients = theirs.alive.gradients.ours
      #expect(worst(pass.gradients, gradients) < 1e-5)
      #expect(gradients.allSatisfy { $0.numbers.contains { abs($0) > 0.5 } })
    }
  }

  /// Two steps of their trainer: Adam with gradients of length 1 at most.
  @Test func stepsOfTheTrainerAreSAELenses() throws {
    let own = weights
    var optimiser = AdamW(parameters: own)
    (optimiser.beta2, optimiser.decay) = (0.999, 0)
    for _ in 0..<2 {
      let pass = SparseTraining(.topK(golden.k)).pass(x, own, dead: alive)
      optimiser.update(own, gradients: pass.gradients, rate: golden.rate, clip: 1)
    }
    let stepped = golden.stepped.ours
    #expect(worst(own, stepped) < 1e-6)
    #expect(worst(golden.weights.ours, stepped) > 0.0015)
  }

  /// What they have dead features fit differs threefold: it counts in full where ours counts as 1/32, less
  /// where few are dead; features may be negative; and the decoder's bias is added to what stands for an
  /// error, which has none. With these put back ours is theirs.
  @Test func theirDeadFeaturesFitTheBiasToo() throws {
    for (training, theirs) in cases() {
      let pass = training.pass(x, weights, dead: alive)
      let missing = x - pass.reconstructed
      let variables = weights.map(\.variable)
      let centred =
        x - linear(Tensor([x.rows, 1], repeating: 1), variables[3].reshaped([x.width, 1]))
      let before = linear(centred, variables[0], bias: variables[1])
      let mask = Tensor(
        before.shape, (0..<before.count).map { dead[$0 % features] ? 1 : 0 })
      let share = min(1, Double(golden.dead.count) / Double(x.width / 2))
      // As many dead features as there are are taken, so that none is chosen among them.
      #expect(golden.dead.count < x.width / 2)
      func gradients(_ made: Tensor, _ share: Double) -> (loss: Double, gradients: [Tensor]) {
        let error = made.detached - missing
        let rows = Double(x.rows)
        return (
          share * Double(error.norm) * Double(error.norm) / rows,
          summingGradients([
            training.pass(x, weights, dead: alive).gradients,
            made.gradients(of: variables, weights: error * Float(2 * share / rows)),
          ])
        )
      }
      let defects = gradients(
        linear(before.scaled(by: mask), variables[2], bias: variables[3]), share)
      #expect(abs(defects.loss - theirs.dead.auxiliary) < 1e-5 && theirs.dead.auxiliary > 1)
      #expect(worst(defects.gradients, theirs.dead.gradients.ours) < 1e-5)
      // Ours without them.
      let real = gradients(linear(relu(before.scaled(by: mask)), variables[2]), training.revival)
      let own = training.pass(x, weights, dead: dead).gradients
      #expect(worst(own, real.gradients) < 1e-5)
      #expect(worst(own, theirs.dead.gradients.ours) > 1)
    }
  }

  /// Both average the smallest feature that a batch keeps; theirs begins at 0, ours at the first.
  @Test func theirThresholdBeginsAtZero() throws {
    let pass = SparseTraining(.batchTopK(golden.k)).pass(x, weights, dead: alive)
    let (smallest, theirs) = (try #require(pass.smallest), golden.batchTopK.alive.threshold)
    #expect(abs(0.01 * smallest - (try #require(theirs))) < 1e-7 && smallest > 0.1)
  }

  /// The trainer's explained variance is ours. The evaluation's subtracts squares of mean squares, not of
  /// means, from the mean square, and its other one averages ratios of rows.
  @Test func theirEvaluationExplainsAnotherVariance() throws {
    // In use directions have length 1.
    let encoder = weights[0].numbers.enumerated().map { $1 * Float(lengths[$0 / x.width]) }
    let decoder = weights[2].numbers.enumerated().map { $1 / Float(lengths[$0 % features]) }
    let bias = weights[1].numbers.enumerated().map { $1 * Float(lengths[$0]) }
    let autoencoder = SparseAutoencoder(
      encoder: Tensor(weights[0].shape, encoder), encoderBias: Tensor([features], bias),
      decoder: Tensor(weights[2].shape, decoder), decoderBias: weights[3], scale: 1,
      activation: .topK(golden.k))
    let (metrics, theirs) = (SparseMetrics(autoencoder, on: x), golden.metrics)
    #expect(abs(metrics.explainedVariance - theirs.logged) < 1e-5)
    #expect(metrics.l0 == theirs.l0 && abs(metrics.reconstructionBias - theirs.bias) < 1e-5)
    let (own, made) = (DoubleMatrix(x), DoubleMatrix(autoencoder.reconstructed(x)))
    let rows = Double(x.rows)
    let squares = DoubleMatrix(rows: x.rows, columns: x.width, own.numbers.map { $0 * $0 })
    let meanSquare = squares.columnMeans.reduce(0, +) / Double(x.width)
    let evaluated =
      1 - (own - made).squaredNorm / rows / (own.squaredNorm / rows - meanSquare * meanSquare)
    #expect(abs(evaluated - theirs.evaluated) < 1e-5)
    let error = own - made
    let centred = own.subtracting(own.columnMeans)
    let ratios = (0..<x.rows).map { r in
      error.rows([r]).squaredNorm / centred.rows([r]).squaredNorm
    }
    #expect(abs(1 - ratios.reduce(0, +) / rows - theirs.meanOfRows) < 1e-5)
    #expect(abs(metrics.explainedVariance - theirs.evaluated) > 0.1)
  }
}
