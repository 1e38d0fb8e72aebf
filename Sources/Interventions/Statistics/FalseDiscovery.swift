// The false discovery rate: the expected share of false ones among the cells that are called.

/// P-values adjusted to control the false discovery rate: those at or below q are called at rate q.
///
/// - Parameters:
///   - p: NaN is no p-value and stays outside the family
///   - anyDependence: the procedure of Benjamini and Yekutieli (2001), which holds however the tests
///     depend on one another; else that of Benjamini and Hochberg (1995), for independent or
///     positively dependent ones
public func falseDiscoveryRates(_ p: [Double], anyDependence: Bool = false) -> [Double] {
  precondition(p.allSatisfy { $0.isNaN || (0...1).contains($0) }, "a p-value outside 0...1")
  let order = p.indices.filter { !p[$0].isNaN }.sorted { (p[$0], $0) < (p[$1], $1) }
  let n = order.count
  let factor = anyDependence ? (1...max(n, 1)).reduce(0.0) { $0 + 1 / Double($1) } : 1
  var adjusted = [Double](repeating: .nan, count: p.count)
  var smallest = 1.0
  for (rank, index) in order.enumerated().reversed() {
    smallest = min(smallest, p[index] * Double(n) / Double(rank + 1) * factor)
    adjusted[index] = smallest
  }
  return adjusted
}
