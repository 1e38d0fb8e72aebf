// What condition maps come to, over pairs: the matrix of recoveries, and how bent the way between
// contents is (`paper/definitions.md`, D116).

import Tensor

extension [ConditionMap] {
  /// Recoveries by source condition and base condition, ratios of means in both directions together; nil
  /// where the suite has no such recordings.
  ///
  /// - Parameters:
  ///   - edits: cells of other pairs
  ///   - value: the patched logit difference that is read
  public func matrix(
    with edits: [ConditionCell], _ value: (ConditionCell) -> Double, direction: Direction? = nil
  ) -> [[Double?]] {
    let cells = flatMap(\.cells) + edits
    return Condition.allCases.map { source in
      Condition.allCases.map { base in
        let own = cells.filter {
          $0.source == source && $0.base == base
            && (direction == nil || $0.direction == direction!.rawValue)
        }
        // Both towards the source's word.
        let gap = own.reduce(0) { $0 + abs($1.sourceRun - $1.baseRun) }
        let moved = own.reduce(0) { sum, cell in
          let move = value(cell) - cell.baseRun
          return sum + (cell.sourceRun > cell.baseRun ? move : -move)
        }
        return own.isEmpty || gap == 0 ? nil : moved / gap
      }
    }
  }

  /// The mean gap between the clean runs of a pair.
  private var gap: Double { reduce(0) { $0 + $1.sourceRun - $1.baseRun } }

  /// Recovery at each point of the simplex, with its weights.
  public var simplex: [(weights: [Double], recovery: Double)] {
    (first?.simplex ?? []).enumerated().map { i, point in
      (point.weights, reduce(0) { $0 + $1.simplex[i].patched - $1.baseRun } / gap)
    }
  }

  /// Recovery along the way from the base's content to the clean source's, both ends included.
  public var path: [Double] {
    let inner = (first?.path ?? []).indices.map { i in
      reduce(0) { $0 + $1.path[i] - $1.baseRun } / gap
    }
    let whole = simplex.first { $0.weights[0] == 1 }?.recovery
    return [0] + inner + (whole.map { [$0] } ?? [])
  }

  /// The largest distance of a mixture's recovery from what the corners' recoveries mix to, and the
  /// largest step of the path over the mean step: 1 where it rises evenly.
  public var bend: (simplex: Double, step: Double) {
    let points = simplex
    let corners = (0..<3).map { c in points.first { $0.weights[c] == 1 }?.recovery ?? 0 }
    let bends = points.map { point in
      abs(point.recovery - zip(point.weights, corners).reduce(0) { $0 + $1.0 * $1.1 })
    }
    let path = path
    let steps = zip(path.dropFirst(), path).map { $0 - $1 }
    let mean = (path.last! - path[0]) / Double(Swift.max(steps.count, 1))
    return (bends.max() ?? 0, mean != 0 ? (steps.max() ?? 0) / mean : 0)
  }
}
