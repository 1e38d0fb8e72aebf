// Connectionist temporal classification (Graves et al., 2006), for training without boundaries.

/// The weighted sum over sequences of -log p(labels | logits), where p sums over every way to spread
/// the labels, in order, over the rows, with blanks between and repeats merged.
///
/// A sequence with too few rows for its labels has no such way and adds nothing.
///
/// - Parameters:
///   - logits: [rows, classes]
///   - sequences: the rows of each sequence
///   - labels: the classes that each sequence says, without blanks
///   - blank: the class that stands for none
///   - weights: one for each sequence
/// - Returns: a single number, differentiable
public func connectionistLoss(
  _ logits: Tensor, sequences: [Range<Int>], labels: [[Int]], blank: Int, weights: [Float]
) -> Tensor {
  precondition(sequences.count == labels.count && weights.count == sequences.count)
  let gradient = Tensor(logits.shape)
  var total = 0.0
  for (s, rows) in sequences.enumerated() {
    let scores = rows.map { logSoftmax(logits, row: $0) }
    guard let alignment = Alignment(scores, labels[s], blank: blank) else { continue }
    let weight = Double(weights[s])
    total -= weight * alignment.logProbability
    // d(-log p)/d(logit) = softmax - the share of all ways that passes through the class.
    for (t, row) in rows.enumerated() {
      var out = scores[t].map { weight * Elementary.exp($0) }
      for (state, share) in alignment.shares(at: t).enumerated() {
        out[alignment.states[state]] -= weight * share
      }
      for (j, value) in out.enumerated() { gradient.start[row * logits.width + j] = Float(value) }
    }
  }
  return Tensor(
    shape: [1], storage: Tensor([1], [Float(total)]).storage,
    node: Node.of([logits]) { g in [gradient * g.start[0]] })
}

/// The forward and backward sums of one sequence, in logarithms.
private struct Alignment {
  /// The labels with a blank before, between and behind.
  let states: [Int]
  let logProbability: Double
  private let forward: [[Double]]
  private let backward: [[Double]]

  /// - Parameter scores: log probabilities by row and class
  init?(_ scores: [[Double]], _ labels: [Int], blank: Int) {
    let states = [blank] + labels.flatMap { [$0, blank] }
    let (rows, count) = (scores.count, states.count)
    guard rows > 0 else { return nil }
    // A label may follow the one before it directly where the two differ.
    func skips(to state: Int) -> Bool {
      state >= 2 && states[state] != blank && states[state] != states[state - 2]
    }
    var forward = [[Double]](
      repeating: [Double](repeating: -.infinity, count: count), count: rows)
    forward[0][0] = scores[0][blank]
    if count > 1 { forward[0][1] = scores[0][states[1]] }
    for t in 1..<rows {
      for s in 0..<count {
        var sum = forward[t - 1][s]
        if s > 0 { sum = logSum(sum, forward[t - 1][s - 1]) }
        if skips(to: s) { sum = logSum(sum, forward[t - 1][s - 2]) }
        forward[t][s] = sum + scores[t][states[s]]
      }
    }
    var backward = [[Double]](
      repeating: [Double](repeating: -.infinity, count: count), count: rows)
    backward[rows - 1][count - 1] = 0
    if count > 1 { backward[rows - 1][count - 2] = 0 }
    for t in stride(from: rows - 2, through: 0, by: -1) {
      for s in 0..<count {
        var sum = backward[t + 1][s] + scores[t + 1][states[s]]
        if s + 1 < count {
          sum = logSum(sum, backward[t + 1][s + 1] + scores[t + 1][states[s + 1]])
        }
        if s + 2 < count, skips(to: s + 2) {
          sum = logSum(sum, backward[t + 1][s + 2] + scores[t + 1][states[s + 2]])
        }
        backward[t][s] = sum
      }
    }
    var total = forward[rows - 1][count - 1]
    if count > 1 { total = logSum(total, forward[rows - 1][count - 2]) }
    guard total > -.infinity else { return nil }
    self.states = states
    self.forward = forward
    self.backward = backward
    logProbability = total
  }

  /// The share of all ways that is in each state at a row; they sum to 1.
  func shares(at row: Int) -> [Double] {
    zip(forward[row], backward[row]).map { Elementary.exp($0 + $1 - logProbability) }
  }
}

private func logSum(_ a: Double, _ b: Double) -> Double {
  let high = max(a, b)
  guard high > -.infinity else { return high }
  return high + Elementary.log(Elementary.exp(a - high) + Elementary.exp(b - high))
}

private func logSoftmax(_ logits: Tensor, row: Int) -> [Double] {
  let scores = (0..<logits.width).map { Double(logits[row, $0]) }
  let high = scores.max() ?? 0
  let normaliser = high + Elementary.log(scores.reduce(0.0) { $0 + Elementary.exp($1 - high) })
  return scores.map { $0 - normaliser }
}
