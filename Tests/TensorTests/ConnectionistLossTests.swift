// CTC against the sum over every path, and its gradient against differences.

import Tensor
import Testing

@Suite struct ConnectionistLossTests {
  /// -log of the summed probability of all paths that collapse to `labels`.
  func enumerated(_ logits: Tensor, _ rows: Range<Int>, _ labels: [Int], blank: Int) -> Double {
    let classes = logits.width
    let scores = rows.map { row -> [Double] in
      let values = (0..<classes).map { Elementary.exp(Double(logits[row, $0])) }
      let sum = values.reduce(0, +)
      return values.map { $0 / sum }
    }
    var total = 0.0
    func walk(_ path: [Int], _ probability: Double) {
      if path.count == rows.count {
        var said: [Int] = []
        for (i, c) in path.enumerated() where c != blank && (i == 0 || path[i - 1] != c) {
          said.append(c)
        }
        if said == labels { total += probability }
        return
      }
      for c in 0..<classes { walk(path + [c], probability * scores[path.count][c]) }
    }
    walk([], 1)
    return -Elementary.log(total)
  }

  @Test func sumsOverEveryPath() {
    let logits = Tensor([9, 3], normal: 1.5, Random(seed: 3))
    for labels in [[], [1], [1, 2], [2, 2], [1, 2, 1], [1, 1, 1]] {
      let loss = connectionistLoss(
        logits, sequences: [2..<8], labels: [labels], blank: 0, weights: [0.5])
      let expected = 0.5 * enumerated(logits, 2..<8, labels, blank: 0)
      #expect(abs(Double(loss[0]) - expected) < 1e-5 * max(1, expected))
    }
  }

  @Test func blankMayBeAnyClass() {
    let logits = Tensor([5, 4], normal: 1, Random(seed: 5))
    let loss = connectionistLoss(
      logits, sequences: [0..<5], labels: [[0, 3]], blank: 2, weights: [1])
    #expect(abs(Double(loss[0]) - enumerated(logits, 0..<5, [0, 3], blank: 2)) < 1e-5)
  }

  @Test func gradientIsTheSlope() {
    let start = Tensor([8, 4], normal: 1, Random(seed: 4))
    func loss(_ x: Tensor) -> Tensor {
      connectionistLoss(
        x, sequences: [0..<5, 5..<8], labels: [[1, 1, 3], [2]], blank: 0, weights: [1, 2])
    }
    let x = start.variable
    let slope = loss(x).gradients(of: [x])[0].numbers
    #expect(slope.contains { abs($0) > 0.1 })
    for i in slope.indices {
      var (up, down) = (start.numbers, start.numbers)
      up[i] += 0.01
      down[i] -= 0.01
      let difference =
        (loss(Tensor([8, 4], up))[0] - loss(Tensor([8, 4], down))[0]) / 0.02
      #expect(abs(difference - slope[i]) < 2e-3)
    }
  }

  @Test func aSequenceTooShortForItsLabelsCountsNothing() {
    let x = Tensor([2, 3], normal: 1, Random(seed: 6)).variable
    let loss = connectionistLoss(x, sequences: [0..<2], labels: [[1, 1]], blank: 0, weights: [1])
    #expect(loss[0] == 0 && loss.gradients(of: [x])[0].numbers.allSatisfy { $0 == 0 })
  }
}
