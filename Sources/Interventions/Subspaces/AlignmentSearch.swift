// Distributed alignment search (DAS; Geiger et al., 2024): the subspace that is trained, through the
// frozen model, to carry the answer from the source to the base run.
//
// V stays on the Stiefel manifold by retraction: the gradient's part along the manifold,
// G - V sym(V^T G), is averaged, a step is taken, and QR brings V back. Maps beyond linear ones would
// align anything with anything (Sutter et al., 2025), so there are none
// (`paper/definitions.md`, D67).

import Speech
import Tensor

/// How a subspace is trained.
public struct AlignmentSearch: Sendable {
  public var rank: Int
  public var epochs = 20
  public var batch = 16
  /// Length of a step, in radians per direction; falls in a line to zero.
  public var rate = 0.1

  public init(rank: Int) { self.rank = rank }

  /// What a training run gave.
  public struct Found: Sendable {
    public let subspace: Subspace
    /// Mean cross-entropy of the wanted answers in each epoch, in nats.
    public let losses: [Double]
  }

  /// Trains on some pairs.
  ///
  /// - Parameters:
  ///   - pairs: with the same site and width
  ///   - labels: the token that each patched run should say; the source's answers where nil
  ///   - progress: called with each epoch and its loss
  /// - Throws: where there is no pair or the rank is larger than the width.
  public func train(
    on pairs: [Exchange], labels: [Int]? = nil, _ random: Random,
    progress: (Int, Double) -> Void = { _, _ in }
  ) throws -> Found {
    guard let width = pairs.first?.base.width else {
      throw SubspaceError("there is no pair to train a subspace on")
    }
    try checkCounts([rank], dimension: width, of: "dimensions of the activation")
    let wanted = labels ?? pairs.map(\.answer)
    precondition(wanted.count == pairs.count)
    var basis = DoubleMatrix(rows: width, columns: rank, normal: random.split("start"))
      .orthonormalised()
    var momentum = DoubleMatrix(rows: width, columns: rank)
    var losses: [Double] = []
    let steps = epochs * ((pairs.count + batch - 1) / batch)
    var step = 0
    for epoch in 0..<epochs {
      var stream = random.split("epoch \(epoch)")
      let order = stream.permutation(pairs.count)
      var total = 0.0
      for start in stride(from: 0, to: pairs.count, by: batch) {
        let chosen = Array(order[start..<min(start + batch, pairs.count)])
        let (loss, slope) = try gradient(pairs, chosen, wanted, basis)
        total += loss
        // The mean direction of descent along the manifold; its length is the schedule's, not the
        // loss's, so that pairs of any gap train alike.
        let along = basis.alongManifold(slope)
        momentum = basis.alongManifold(momentum.scaled(0.9) + along)
        let length = momentum.squaredNorm.squareRoot()
        step += 1
        guard length > 0 else { continue }
        let size = rate * Double(rank).squareRoot() * Double(steps - step + 1) / Double(steps)
        basis = (basis - momentum.scaled(size / length)).orthonormalised()
      }
      losses.append(total / Double(pairs.count))
      progress(epoch, losses[epoch])
    }
    return Found(subspace: Subspace(orthonormal: basis), losses: losses)
  }

  /// The summed loss of some pairs and its gradient with respect to the basis: of
  /// h + V V^T d it is (d g^T + g d^T) V, where g is the gradient at the patched activation.
  private func gradient(
    _ pairs: [Exchange], _ chosen: [Int], _ wanted: [Int], _ basis: DoubleMatrix
  ) throws -> (loss: Double, slope: DoubleMatrix) {
    let subspace = Subspace(orthonormal: basis)
    let parts = try mapInParallel(chosen.count) { i -> (Double, DoubleMatrix) in
      let pair = pairs[chosen[i]]
      let difference = pair.difference
      let rows = moved(pair.base, by: subspace.projection(of: difference)).variable
      let logits = try pair.continued([rows])
      let loss = crossEntropy(logits, [wanted[chosen[i]]], weights: [1]).loss
      let g = DoubleMatrix(loss.gradients(of: [rows])[0])
      let slope =
        difference.transposed * (g * basis) + g.transposed * (difference * basis)
      return (Double(loss[0]), slope)
    }
    return parts.dropFirst().reduce(parts[0]) { ($0.0 + $1.0, $0.1 + $1.1) }
  }
}

/// Labels that no subspace should be able to carry: each answer gets another at random, the same for
/// all pairs of it. Accuracy on them says how much of a trained subspace's success is the training's
/// (Hewitt and Liang, 2019; Arora et al., 2024).
///
/// - Parameter foils: what the base run of each pair says already; no pair gets it as its label, which
///   would be followed by no patch at all
/// - Throws: where the answers are too few to be permuted so.
public func arbitraryLabels(_ answers: [Int], foils: [Int] = [], _ random: Random) throws -> [Int] {
  let names = Set(answers).sorted()
  var barred = Dictionary(uniqueKeysWithValues: names.map { ($0, Set([$0])) })
  for (answer, foil) in zip(answers, foils) { barred[answer]!.insert(foil) }
  var random = random
  // One permutation in eight is allowed where each answer has one foil.
  for _ in 0..<10_000 where names.count > 1 {
    let order = random.permutation(names.count)
    guard !zip(names, order).contains(where: { barred[$0]!.contains(names[$1]) }) else { continue }
    let other = Dictionary(uniqueKeysWithValues: zip(names, order.map { names[$0] }))
    return answers.map { other[$0]! }
  }
  throw SubspaceError(
    "\(names.count) answers cannot be permuted so that no pair gets its own or its base's; arbitrary "
      + "labels need pairs with other answers")
}

extension DoubleMatrix {
  fileprivate func scaled(_ factor: Double) -> DoubleMatrix {
    DoubleMatrix(rows: rows, columns: columns, numbers.map { $0 * factor })
  }

  /// The part of `slope` along the Stiefel manifold at this basis: G - V sym(V^T G).
  fileprivate func alongManifold(_ slope: DoubleMatrix) -> DoubleMatrix {
    let inner = transposed * slope
    return slope - self * (inner + inner.transposed).scaled(0.5)
  }
}
