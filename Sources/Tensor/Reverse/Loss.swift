// Cross-entropy, for training.

/// What a training loss is made of: its weighted sum, and how often the best guess was right.
public struct CrossEntropy {
  /// A single number, differentiable.
  public let loss: Tensor
  /// Whether the largest logit of each counted row is its target.
  public let correct: [Bool]
}

/// The sum over rows of weights[i] * -log softmax(logits[i])[targets[i]].
///
/// - Parameters:
///   - logits: [rows, classes]
///   - targets: a class for each row, or -1 for a row that does not count
///   - weights: one for each row
public func crossEntropy(_ logits: Tensor, _ targets: [Int], weights: [Float]) -> CrossEntropy {
  let (rows, classes) = (logits.rows, logits.width)
  precondition(targets.count == rows && weights.count == rows)
  let probabilities = Tensor([rows, classes])
  var total = 0.0
  var correct: [Bool] = []
  for (r, target) in targets.enumerated() where target >= 0 {
    precondition(target < classes)
    let (source, p) = (logits.row(r), probabilities.row(r))
    var best = 0
    for j in 1..<classes where source[j] > source[best] { best = j }
    let top = Vector(repeating: source[best])
    var sum = Vector(repeating: 0)
    forEachVector(classes) { i, n in
      var e = exponential(load(source, i, n) - top)
      if n < 8 { for k in n..<8 { e[k] = 0 } }
      sum += e
      store(e, p, i, n)
    }
    let normaliser = laneSum(sum)
    let scale = Vector(repeating: 1 / normaliser)
    forEachVector(classes) { i, n in store(load(p, i, n) * scale, p, i, n) }
    let logProbability =
      Double(source[target]) - Double(source[best]) - Elementary.log(Double(normaliser))
    total -= Double(weights[r]) * logProbability
    correct.append(best == target)
  }
  let loss = Tensor(
    shape: [1], storage: Tensor([1], [Float(total)]).storage,
    node: Node.of([logits]) { g in
      let upstream = g.start[0]
      let d = Tensor(logits.shape)
      for (r, target) in targets.enumerated() where target >= 0 {
        let (p, out) = (probabilities.row(r), d.row(r))
        let factor = Vector(repeating: upstream * weights[r])
        forEachVector(classes) { i, n in store(load(p, i, n) * factor, out, i, n) }
        out[target] -= upstream * weights[r]
      }
      return [d]
    })
  return CrossEntropy(loss: loss, correct: correct)
}
