// Decision trees in flite's format that say, place by place, what a list says.

import CFlite

/// Owns the trees and tables of one utterance; flite only looks at them while it speaks.
final class Trees {
  private var release: [() -> Void] = []

  deinit { for free in release { free() } }

  /// Lengths by phone and state, in frames of 5 ms, instead of the voice's duration model.
  func setLengths(_ steps: [[Int]], in tables: inout cst_cg_db) {
    var nodes = Nodes()
    var first = true
    nodes.choose(feature: 0, count: steps.count, from: 0) { place, nodes in
      nodes.choose(feature: 1, count: steps[place].count, from: 1) { state, nodes in
        // Frame k belongs to the state in whose span 5 k ms falls, ends included: ends half-way
        // between frames leave no doubt.
        let frames = Float(steps[place][state]) - (first ? 0.5 : 0)
        first = false
        nodes.leaf(frames * tables.frame_advance)
      }
    }
    let tree = keep(nodes, features: ["R:segstate.parent.place", "statepos"])
    // A length is z-score * deviation + mean: with 1 and 0 the tree says seconds.
    let stat = own(dur_stat(phone: string("any"), mean: 0, stddev: 1))
    let row = own([UnsafePointer(stat), nil])
    tables.num_dur_models = 1
    tables.dur_stats = own([row])
    tables.dur_cart = own([UnsafePointer(tree)])
  }

  /// Pitch by phone, in hertz, instead of the voice's pitch model; flite interpolates.
  func setPitch(_ hertz: [Double], in tables: inout cst_cg_db) {
    var nodes = Nodes()
    nodes.choose(feature: 0, count: hertz.count, from: 0) { place, nodes in
      nodes.leaf(Float(hertz[place]))
    }
    let tree = keep(nodes, features: ["R:mcep_link.parent.R:segstate.parent.place"])
    let row = own([UnsafePointer<cst_cart>?](repeating: UnsafePointer(tree), count: types))
    tables.num_f0_models = 1
    tables.f0_trees = own([row])
    tables.spamf0 = 0
  }

  private let types: Int

  /// - Parameter types: the number of the voice's state types, each of which has a pitch tree.
  init(types: Int) { self.types = types }

  // ## Memory that flite reads

  private func own<T>(_ value: T) -> UnsafeMutablePointer<T> {
    let pointer = UnsafeMutablePointer<T>.allocate(capacity: 1)
    pointer.initialize(to: value)
    release.append { pointer.deallocate() }
    return pointer
  }

  private func own<T>(_ values: [T]) -> UnsafeMutablePointer<T> {
    let pointer = UnsafeMutablePointer<T>.allocate(capacity: values.count)
    pointer.initialize(from: values, count: values.count)
    release.append { pointer.deallocate() }
    return pointer
  }

  private func string(_ text: String) -> UnsafePointer<CChar> {
    UnsafePointer(own(text.utf8CString.map { $0 }))
  }

  private func keep(_ nodes: Nodes, features: [String]) -> UnsafeMutablePointer<cst_cart> {
    for value in nodes.values { release.append { delete_val(value) } }
    let names = own(features.map { Optional(string($0)) } + [nil])
    let rules = own(nodes.list)
    return own(cst_cart(rule_table: rules, feat_table: names))
  }
}

/// The nodes of a tree in flite's order: "yes" is the next node, "no" is named.
private struct Nodes {
  var list: [cst_cart_node] = []
  var values: [UnsafeMutablePointer<cst_val>] = []

  mutating func leaf(_ value: Float) {
    add(op: CST_CART_OP_LEAF, feature: 0, value: float_val(value))
  }

  /// One branch for each value `from`, `from + 1`, ... of a feature; the last one takes the rest.
  mutating func choose(
    feature: UInt8, count: Int, from: Int, branch: (Int, inout Nodes) -> Void
  ) {
    for i in 0..<count - 1 {
      let test = list.count
      add(op: CST_CART_OP_LESS, feature: feature, value: int_val(Int32(from + i + 1)))
      branch(i, &self)
      list[test].no_node = UInt16(list.count)
    }
    branch(count - 1, &self)
  }

  private mutating func add(op: Int32, feature: UInt8, value: UnsafeMutablePointer<cst_val>) {
    values.append(value)
    list.append(cst_cart_node(feat: feature, op: UInt8(op), no_node: 0, val: UnsafePointer(value)))
  }
}
