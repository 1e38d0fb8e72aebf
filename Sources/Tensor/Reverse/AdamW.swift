// The optimiser: AdamW (Loshchilov and Hutter, 2019) with clipping by global norm.

/// The state of AdamW for a fixed list of parameters.
public struct AdamW {
  /// Whether weight decay applies: to matrices, not to biases and norms.
  private let decays: [Bool]
  private let first: [Tensor]
  private let second: [Tensor]
  private var step = 0

  public var beta1: Float = 0.9
  public var beta2: Float = 0.98
  public var epsilon: Float = 1e-8
  public var decay: Float = 0.01

  public init(parameters: [Tensor]) {
    decays = parameters.map { $0.shape.count > 1 }
    first = parameters.map { Tensor($0.shape) }
    second = parameters.map { Tensor($0.shape) }
  }

  /// The running means of gradients and of their squares, parameter by parameter.
  public var moments: [[Float]] { (first + second).map(\.numbers) }

  /// Goes on where `moments` were taken, after so many steps.
  public mutating func restore(_ moments: [[Float]], step: Int) {
    precondition(moments.count == first.count + second.count)
    for (tensor, numbers) in zip(first + second, moments) {
      precondition(tensor.count == numbers.count)
      for i in 0..<numbers.count { tensor.start[i] = numbers[i] }
    }
    self.step = step
  }

  /// Moves each parameter, in place, against its gradient.
  ///
  /// - Parameters:
  ///   - gradients: as many as parameters, of the same shapes
  ///   - clip: gradients longer than this, all together, are shortened to it
  /// - Returns: the length of all gradients together before clipping
  @discardableResult
  public mutating func update(
    _ parameters: [Tensor], gradients: [Tensor], rate: Float, clip: Float
  ) -> Float {
    step += 1
    var squares = 0.0
    for g in gradients {
      var sum = Vector(repeating: 0)
      forEachVector(g.count) { i, n in
        let v = load(g.start, i, n)
        sum = sum.addingProduct(v, v)
      }
      squares += Double(laneSum(sum))
    }
    let norm = Float(squares.squareRoot())
    let shrink = Vector(repeating: norm > clip ? clip / norm : 1)
    // Powers by repeated products: pow of the C library is not the same on every machine.
    var (power1, power2) = (1.0, 1.0)
    for _ in 0..<step {
      power1 *= Double(beta1)
      power2 *= Double(beta2)
    }
    let correction1 = Vector(repeating: Float(1 / (1 - power1)))
    let correction2 = Vector(repeating: Float(1 / (1 - power2)))
    let (b1, b2) = (Vector(repeating: beta1), Vector(repeating: beta2))
    let one = Vector(repeating: 1)
    for (p, parameter) in parameters.enumerated() {
      let keep = Vector(repeating: decays[p] ? 1 - rate * decay : 1)
      let (m, v, x) = (first[p].start, second[p].start, parameter.start)
      forEachVector(parameter.count) { i, n in
        let g = load(gradients[p].start, i, n) * shrink
        let mean = (load(m, i, n) * b1).addingProduct(one - b1, g)
        let square = (load(v, i, n) * b2).addingProduct(one - b2, g * g)
        store(mean, m, i, n)
        store(square, v, i, n)
        let move =
          mean * correction1
          / ((square * correction2).squareRoot() + Vector(repeating: epsilon))
        store((load(x, i, n) * keep).addingProduct(Vector(repeating: -rate), move), x, i, n)
      }
    }
    return norm
  }
}

/// The sum of several lists of gradients, in their order; the first list is written over.
public func summingGradients(_ lists: [[Tensor]]) -> [Tensor] {
  for other in lists.dropFirst() {
    for (sum, g) in zip(lists[0], other) {
      forEachVector(sum.count) { i, n in
        store(load(sum.start, i, n) + load(g.start, i, n), sum.start, i, n)
      }
    }
  }
  return lists[0]
}
