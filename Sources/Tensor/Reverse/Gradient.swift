// The reverse pass. Every operation that reads a variable leaves a node: the nodes that it read,
// and a closure from the gradient of its result to the gradients of what it read.

/// How a tensor was made. A node without inputs is a variable.
final class Node: @unchecked Sendable {
  let inputs: [Node]
  let backward: ((Tensor, ReverseRules) -> [Tensor?])?

  init() {
    inputs = []
    backward = nil
  }

  private init(inputs: [Node], backward: @escaping (Tensor, ReverseRules) -> [Tensor?]) {
    self.inputs = inputs
    self.backward = backward
  }

  /// The node of an operation on `operands`, or nil when none of them is differentiated.
  ///
  /// `backward` returns a gradient for each operand; those that nobody asked for are dropped.
  static func of(_ operands: [Tensor], _ backward: @escaping (Tensor) -> [Tensor?]) -> Node? {
    of(operands) { upstream, _ in backward(upstream) }
  }

  /// The same of an operation that the rules of the reverse pass change.
  static func of(
    _ operands: [Tensor], _ backward: @escaping (Tensor, ReverseRules) -> [Tensor?]
  ) -> Node? {
    let wanted = operands.indices.filter { operands[$0].node != nil }
    if wanted.isEmpty { return nil }
    let inputs = wanted.map { operands[$0].node! }
    if wanted.count == operands.count { return Node(inputs: inputs, backward: backward) }
    return Node(inputs: inputs) { upstream, rules in
      let all = backward(upstream, rules)
      return wanted.map { all[$0] }
    }
  }

  /// Every node that leads here, each after all the nodes that it reads.
  func inOrder() -> [Node] {
    var order: [Node] = []
    var seen: Set<ObjectIdentifier> = [ObjectIdentifier(self)]
    var path: [(node: Node, next: Int)] = [(self, 0)]
    while let (node, next) = path.last {
      if next < node.inputs.count {
        path[path.count - 1].next += 1
        let input = node.inputs[next]
        if seen.insert(ObjectIdentifier(input)).inserted { path.append((input, 0)) }
      } else {
        order.append(node)
        path.removeLast()
      }
    }
    return order
  }
}

extension Tensor {
  /// Whether a gradient can be asked for here.
  public var isDifferentiated: Bool { node != nil }

  /// The gradients of `sum(self * weights)` with respect to each of `targets`.
  ///
  /// A target on which the result does not depend gets zeros. Contributions are added in the
  /// order of the nodes, which the program alone determines.
  ///
  /// - Parameters:
  ///   - rules: other rules than the gradient's
  ///   - blocked: tensors through which nothing flows back
  public func gradients(
    of targets: [Tensor], weights: Tensor? = nil, by rules: ReverseRules = .gradient,
    blocking blocked: [Tensor] = []
  ) -> [Tensor] {
    precondition(weights == nil || weights!.count == count)
    guard let root = node else { return targets.map { Tensor($0.shape) } }
    let wanted = Set(targets.compactMap { $0.node.map(ObjectIdentifier.init) })
    let blocked = Set(blocked.compactMap { $0.node.map(ObjectIdentifier.init) })
    var gradients: [ObjectIdentifier: Tensor] = [
      ObjectIdentifier(root): weights?.detached ?? Tensor(shape, repeating: 1)
    ]
    for node in root.inOrder().reversed() {
      let id = ObjectIdentifier(node)
      guard let backward = node.backward, !blocked.contains(id) else { continue }
      // Taken out before use, so that a contribution may be written over where nobody keeps it.
      guard let upstream = wanted.contains(id) ? gradients[id] : gradients.removeValue(forKey: id)
      else { continue }
      for (input, contribution) in zip(node.inputs, backward(upstream, rules)) {
        guard let contribution else { continue }
        let key = ObjectIdentifier(input)
        if let sum = gradients[key] {
          gradients[key] = sum.adding(contribution)
        } else {
          gradients[key] = contribution
        }
      }
    }
    return targets.map { target in
      guard let node = target.node, let g = gradients[ObjectIdentifier(node)] else {
        return Tensor(target.shape)
      }
      return Tensor(shape: target.shape, storage: g.storage)
    }
  }

  /// Plain sum, outside the record.
  func adding(_ other: Tensor) -> Tensor {
    let out = Tensor(uninitialized: shape)
    forEachVector(count) { i, n in
      store(load(start, i, n) + load(other.start, i, n), out.start, i, n)
    }
    return out
  }
}
