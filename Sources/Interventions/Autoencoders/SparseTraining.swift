// Training of sparse autoencoders: ReLU with a penalty (Anthropic, April 2024), TopK with its revival
// of dead features (Gao et al., 2025) and BatchTopK (Bussmann et al., 2024;
// `paper/definitions.md`, D78).

import Tensor

/// How an autoencoder is trained.
public struct SparseTraining: Sendable {
  public enum Objective: Sendable, Equatable {
    /// The squared error plus `penalty` times the sum of features, each by its direction's length.
    case relu(penalty: Double)
    /// k features a row; dead ones are fitted to the error.
    case topK(Int)
    /// k features a row on average over the batch.
    case batchTopK(Int)
  }

  public var objective: Objective
  /// How many features for each number of the activation.
  public var expansion = 8
  public var steps = 1000
  public var batch = 512
  public var rate = 1e-3
  /// The weight of the dead features' own error.
  public var revival = 1.0 / 32
  /// A feature is dead that was silent for so many activations in a row.
  public var deadAfter = 50_000

  public init(_ objective: Objective) { self.objective = objective }

  /// Trains on activations in random batches.
  ///
  /// - Parameters:
  ///   - samples: [samples, width]
  ///   - random: the same stream gives the same bits
  ///   - progress: called with each step and its mean squared error per number
  /// - Throws: where there are too few samples or k is larger than the number of features.
  public func train(
    on samples: Tensor, _ random: Random, progress: (Int, Double) -> Void = { _, _ in }
  ) throws -> SparseAutoencoder {
    try check(samples)
    let width = samples.width
    let features = expansion * width
    let size = samples.withNumbers { $0.reduce(0.0) { $0 + Double($1) * Double($1) } }
    let scale = Float((Double(samples.count) / size).squareRoot())
    let data = samples * scale
    // Encoder and decoder begin as each other's transpose, with directions of length 0.1.
    let directions = unitRows(Tensor([features, width], normal: 1, random.split("directions")))
    let weights = [
      directions * 0.1, Tensor([features]), transposed(directions * 0.1),
      DoubleMatrix(rows: 1, columns: width, DoubleMatrix(data).columnMeans).tensor.reshaped([width]
      ),
    ]
    var optimiser = AdamW(parameters: weights)
    (optimiser.beta2, optimiser.decay) = (0.999, 0)
    var silent = [Int](repeating: 0, count: features)
    var threshold: Double?
    var order: [Int] = []
    for step in 0..<steps {
      if order.count < batch {
        var stream = random.split("order \(step)")
        order += stream.permutation(data.rows)
      }
      let x = gatherRows(data, Array(order.prefix(batch)))
      order.removeFirst(batch)
      let pass = Pass(x, weights.map(\.variable), objective, dead: silent.map { $0 >= deadAfter })
      for (i, active) in pass.active.enumerated() { silent[i] = active ? 0 : silent[i] + batch }
      // An average of the smallest feature that a batch keeps becomes the threshold of use.
      if let smallest = pass.smallest {
        threshold = threshold.map { 0.99 * $0 + 0.01 * smallest } ?? smallest
      }
      optimiser.update(
        weights, gradients: pass.gradients(penalty: penalty(step), revival: revival),
        rate: Float(rate * schedule(step)), clip: 1)
      progress(step, pass.error)
    }
    return autoencoder(weights, scale, threshold: threshold ?? 0)
  }

  /// What one batch makes of an autoencoder, without a step: what tests compare with other programs.
  ///
  /// - Parameters:
  ///   - x: [rows, width], scaled
  ///   - weights: encoder, its bias, decoder, its bias, as they are trained
  ///   - dead: by feature
  /// - Returns: features [rows, features]; what is made of them; the mean squared error per number; of the
  ///   mean over rows of the squared error, with the dead features' own, the gradients by weight; and the
  ///   smallest contribution that BatchTopK keeps
  package func pass(_ x: Tensor, _ weights: [Tensor], dead: [Bool])
    -> (
      features: Tensor, reconstructed: Tensor, error: Double, gradients: [Tensor], smallest: Double?
    )
  {
    let pass = Pass(x, weights.map(\.variable), objective, dead: dead)
    return (
      pass.features.detached, pass.reconstructed.detached, pass.error,
      pass.gradients(penalty: 0, revival: revival), pass.smallest
    )
  }

  private func check(_ samples: Tensor) throws {
    guard samples.rows >= batch, samples.isFinite else {
      throw SubspaceError(
        "\(samples.rows) activations; training takes batches of \(batch) finite ones. Give more "
          + "recordings or a smaller batch")
    }
    let k: Int
    switch objective {
    case .relu: return
    case .topK(let count), .batchTopK(let count): k = count
    }
    guard k >= 1, k <= expansion * samples.width else {
      throw SubspaceError(
        "K = \(k) features; the autoencoder has \(expansion * samples.width). Choose K from 1 to "
          + "that")
    }
  }

  /// Constant, then in a line to zero over the last fifth.
  private func schedule(_ step: Int) -> Double {
    min(1, Double(steps - step) / max(1, 0.2 * Double(steps)))
  }

  /// In a line from zero over the first twentieth.
  private func penalty(_ step: Int) -> Double {
    guard case .relu(let penalty) = objective else { return 0 }
    return penalty * min(1, Double(step + 1) / max(1, 0.05 * Double(steps)))
  }

  /// The trained weights with directions of length 1; their lengths go into the encoder.
  private func autoencoder(_ weights: [Tensor], _ scale: Float, threshold: Double)
    -> SparseAutoencoder
  {
    let lengths = rowLengths(transposed(weights[2]))
    let activation: SparseAutoencoder.Activation
    switch objective {
    case .relu: activation = .relu
    case .topK(let k): activation = .topK(k)
    case .batchTopK: activation = .threshold(threshold)
    }
    return SparseAutoencoder(
      encoder: scalingRows(weights[0], lengths),
      encoderBias: Tensor([lengths.count], zip(weights[1].numbers, lengths).map { $0 * $1 }),
      decoder: transposed(unitRows(transposed(weights[2]))), decoderBias: weights[3], scale: scale,
      activation: activation)
  }
}

/// One batch through an autoencoder in training, with what its gradients need.
private struct Pass {
  let x: Tensor
  /// Encoder, its bias, decoder, its bias.
  let weights: [Tensor]
  let features: Tensor
  let reconstructed: Tensor
  /// The dead features' own account of the error, where any is dead.
  let revived: Tensor?
  let lengths: [Float]
  let active: [Bool]
  /// The smallest feature kept, in units of its direction's length.
  let smallest: Double?
  /// The mean squared error per number.
  let error: Double

  init(
    _ x: Tensor, _ weights: [Tensor], _ objective: SparseTraining.Objective, dead: [Bool]
  ) {
    (self.x, self.weights) = (x, weights)
    let before = linear(x - rowsOf(weights[3], x.rows), weights[0], bias: weights[1])
    lengths = rowLengths(transposed(weights[2].detached))
    // Features compete by what they contribute: activation times the length of the direction.
    let weighed = scalingRows(transposed(before.detached), lengths)
    let contribution = transposed(weighed)
    var kept: Tensor?
    switch objective {
    case .relu: break
    case .topK(let k): kept = keepingLargest(k, inEachRowOf: contribution)
    case .batchTopK(let k): kept = keepingLargest(k * x.rows, of: relu(contribution))
    }
    features = relu(kept.map { before.scaled(by: $0) } ?? before)
    reconstructed = linear(features, weights[2], bias: weights[3])
    var (active, smallest) = ([Bool](repeating: false, count: features.width), Double.infinity)
    let (values, strengths) = (features.numbers, contribution.numbers)
    for (i, value) in values.enumerated() where value > 0 {
      active[i % active.count] = true
      smallest = min(smallest, Double(strengths[i]))
    }
    self.active = active
    if case .batchTopK = objective, smallest.isFinite {
      self.smallest = smallest
    } else {
      self.smallest = nil
    }
    error = (reconstructed.detached - x).norm * (reconstructed.detached - x).norm / Double(x.count)
    let count = dead.count { $0 }
    if kept != nil && count > 0 {
      let lowest = -Float.greatestFiniteMagnitude
      let width = dead.count
      let among = contribution.numbers.enumerated().map { dead[$0 % width] ? $1 : lowest }
      let chosen = keepingLargest(
        min(count, max(x.width / 2, 1)), inEachRowOf: Tensor(before.shape, among))
      revived = linear(relu(before.scaled(by: chosen)), weights[2])
    } else {
      revived = nil
    }
  }

  /// Of the mean over rows of the squared error, the penalty and the dead features' error.
  func gradients(penalty: Double, revival: Double) -> [Tensor] {
    let perRow = Float(2.0 / Double(x.rows))
    let error = reconstructed.detached - x
    var lists = [reconstructed.gradients(of: weights, weights: error * perRow)]
    if penalty > 0 {
      // d/df of sum f |w| is |w|; d/dw of it is f w / |w|.
      let share = Float(penalty / Double(x.rows))
      let seed = Tensor(
        features.shape, (0..<features.count).map { share * lengths[$0 % lengths.count] })
      var list = features.gradients(of: weights, weights: seed)
      let sums = columnSums(features)
      let pull = zip(sums, lengths).map { $1 > 0 ? share * $0 / $1 : 0 }
      list[2] =
        list[2] + transposed(scalingRows(transposed(weights[2].detached), pull))
      lists.append(list)
    }
    if let revived {
      let missing = revived.detached + error
      lists.append(
        revived.gradients(of: weights, weights: missing * (perRow * Float(revival))))
    }
    return summingGradients(lists)
  }
}

/// The Euclidean length of each row.
private func rowLengths(_ x: Tensor) -> [Float] {
  x.withNumbers { numbers in
    (0..<x.rows).map { r in
      Float(
        numbers[r * x.width..<(r + 1) * x.width]
          .reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot())
    }
  }
}

private func scalingRows(_ x: Tensor, _ factors: [Float]) -> Tensor {
  var numbers = x.numbers
  for i in numbers.indices { numbers[i] *= factors[i / x.width] }
  return Tensor(x.shape, numbers)
}

private func unitRows(_ x: Tensor) -> Tensor {
  scalingRows(x, rowLengths(x).map { $0 > 0 ? 1 / $0 : 0 })
}

private func columnSums(_ x: Tensor) -> [Float] {
  var sums = [Double](repeating: 0, count: x.width)
  x.withNumbers { for i in $0.indices { sums[i % x.width] += Double($0[i]) } }
  return sums.map { Float($0) }
}
