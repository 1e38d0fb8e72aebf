// Sums along a path of inputs, by the trapezoid rule at two widths of step, extrapolated to steps of
// no width (Richardson, 1911): the error falls with the fourth power of the number of steps, from the
// same passes (`paper/definitions.md`, D35 and D37).

import Speech
import Tensor

/// Sums over the points of a path, taken in order.
struct PathIntegral {
  private let isConductance: Bool
  private let sites: [Site]
  private var points: [Point] = []
  private var count = 0
  /// Conductance in single steps, and in double ones.
  private var fine: [Site: SiteScores] = [:]
  private var coarse: [Site: SiteScores] = [:]
  /// Slopes, weighted by the trapezoid rule at both widths.
  private var fineSlopes: [Site: Tensor] = [:]
  private var coarseSlopes: [Site: Tensor] = [:]

  /// A point of the path: what the sites hold there, and the slopes.
  private struct Point {
    let trace: Trace
    let slopes: [Site: Tensor]
  }

  init(_ method: SearchMethod, _ sites: [Site]) {
    if case .conductance = method { isConductance = true } else { isConductance = false }
    self.sites = sites
  }

  /// Adds the next point.
  mutating func add(_ trace: Trace, _ slopes: [Site: Tensor]) throws {
    let point = Point(trace: trace, slopes: slopes)
    if let last = points.last {
      try add(from: last, to: point, into: \.fine, \.fineSlopes)
      if count % 2 == 0 { try add(from: points[0], to: point, into: \.coarse, \.coarseSlopes) }
    }
    // Of the points before this one, the next steps need the last, and the last even one.
    points = count % 2 == 0 ? [point] : [points[0], point]
    count += 1
  }

  private mutating func add(
    from a: Point, to b: Point, into scores: WritableKeyPath<PathIntegral, [Site: SiteScores]>,
    _ slopes: WritableKeyPath<PathIntegral, [Site: Tensor]>
  ) throws {
    for site in sites {
      let mean = (a.slopes[site]! + b.slopes[site]!) * 0.5
      guard isConductance else {
        self[keyPath: slopes][site] = self[keyPath: slopes][site].map { $0 + mean } ?? mean
        continue
      }
      let place = try b.trace.place(of: site)
      let all = Array(place.rows.indices)
      let step = SiteScores(
        mean, place, from: try a.trace.rows(of: Cell(site), at: all),
        to: try b.trace.rows(of: Cell(site), at: all))
      self[keyPath: scores][site] = self[keyPath: scores][site].map { $0 + step } ?? step
    }
  }

  /// The sum over steps of the slope times what the site moves.
  var conductance: [Site: SiteScores] {
    fine.reduce(into: [:]) { all, entry in
      all[entry.key] = entry.value.combined(coarse[entry.key]!) { (4 * $0 - $1) / 3 }
    }
  }

  /// The mean slope times a move.
  func meanSlope(_ site: Site, _ base: Trace, from: Tensor, to: Tensor) throws -> SiteScores {
    // There are count - 1 steps, and half as many double ones.
    let steps = Float(count - 1)
    let mean = fineSlopes[site]! * (4 / (3 * steps)) - coarseSlopes[site]! * (2 / (3 * steps))
    return SiteScores(mean, try base.place(of: site), from: from, to: to)
  }
}
