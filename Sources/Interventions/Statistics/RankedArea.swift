// How well a score tells two sorts of items apart, whatever its scale (`paper/definitions.md`, D134).

/// The area under the receiver operating characteristic: how often a score is higher for an item that is
/// meant than for one that is not, equals counting half (Hanley and McNeil, 1982).
///
/// - Returns: nil where there are no items of one sort
public func rankedArea(_ meant: [Double], over others: [Double]) -> Double? {
  guard !meant.isEmpty, !others.isEmpty else { return nil }
  let sorted = others.sorted()
  /// How many of the others come before the first one that is not.
  func count(_ isBefore: (Double) -> Bool) -> Int {
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if isBefore(sorted[middle]) { low = middle + 1 } else { high = middle }
    }
    return low
  }
  let wins = meant.reduce(0.0) { sum, a in
    sum + Double(count { $0 < a } + count { $0 <= a }) / 2
  }
  return wins / (Double(meant.count) * Double(others.count))
}

/// The mean of the areas of several scores of the same items, such as draws of one.
///
/// - Returns: one half where there are no items of one sort, which nothing tells apart
public func meanRankedArea(_ items: [(isMeant: Bool, scores: [Double])]) -> Double {
  let (meant, others) = (items.filter(\.isMeant), items.filter { !$0.isMeant })
  let count = items.first?.scores.count ?? 0
  return (0..<count).reduce(0.0) { sum, i in
    sum + (rankedArea(meant.map { $0.scores[i] }, over: others.map { $0.scores[i] }) ?? 0.5)
  } / Double(count)
}
