// How well a score tells two sorts of items apart, whatever its scale (`paper/definitions.md`, D134).

/// The area under the receiver operating characteristic: how often a score is higher for an item that is
/// meant than for one that is not, equals counting half (Hanley and McNeil, 1982).
///
/// - Returns: nil where there are no items of one sort
public func rankedArea(_ meant: [Double], over others: [Double]) -> Double? {
  guard !meant.isEmpty, !others.isEmpty else { return nil }
  let wins = meant.reduce(0.0) { sum, a in
    sum + others.reduce(0.0) { $0 + (a > $1 ? 1 : a == $1 ? 0.5 : 0) }
  }
  return wins / (Double(meant.count) * Double(others.count))
}
