// What `tap search` says of all pairs: the mean estimate of every cell, and how complete each layer is.

import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

/// The estimates of one pair in one direction.
struct FoundPair: Codable, Sendable {
  /// By row and column; nil where the site has no position in the window.
  let scores: [[Double?]]
  /// By residual site: how far the scores of everything that passes at its depth are from the effect.
  let residuals: [String: Double]
  let base: Double
  let end: Double
  let path: String?
  let alignment: String
  let alignmentCost: Double?
  let cost: Cost

  init(
    _ result: SearchResult, _ joined: Alignment, _ rows: [GridRow], _ columns: [GridWindow],
    _ cuts: [(site: Site, sites: [Site])], _ own: [GridWindow]
  ) {
    let windows = Dictionary(uniqueKeysWithValues: own.map { ($0.name, $0.window) })
    scores = rows.map { row in
      columns.map { column in
        windows[column.name].flatMap { result.scores[row.site]!.score($0, index: row.index) }
      }
    }
    residuals = cuts.reduce(into: [:]) { $0["\($1.site)"] = result.residual(of: $1.sites) }
    (base, end, path) = (result.base, result.end, result.path?.description)
    (alignment, alignmentCost) = (joined.name, joined.cost)
    cost = result.cost
  }
}

/// Estimates over all pairs.
struct SearchReport {
  let method: SearchMethod
  let directions: [Direction]
  let rows: [GridRow]
  let columns: [String]
  /// By pair and direction.
  let found: [[FoundPair]]

  /// The mean over pairs of `value` of each score, by row and column.
  private func mean(_ direction: Int, _ value: (Double) -> Double) -> [[Double?]] {
    rows.indices.map { row in
      columns.indices.map { column in
        let scores = found.compactMap { $0[direction].scores[row][column] }
        return scores.isEmpty
          ? nil : scores.reduce(0.0) { $0 + value($1) } / Double(scores.count)
      }
    }
  }

  /// The residual of completeness at a site: the sum over pairs of what is missing, over the sum of
  /// the whole effects.
  private func residuals(_ direction: Int) -> [String: Double] {
    let totals = found.map { $0[direction].end - $0[direction].base }
    let sum = totals.reduce(0, +)
    guard sum != 0 else { return [:] }
    return (found.first?[direction].residuals ?? [:]).keys.reduce(into: [:]) { all, site in
      let missing = zip(found, totals).reduce(0.0) {
        $0 + ($1.0[direction].residuals[site] ?? 0) * $1.1
      }
      all[site] = missing / sum
    }
  }

  var json: [String: JSON] {
    var members: [String: JSON] = [
      "method": .string(method.name), "metric": .string(Metric.logitDifference.rawValue),
      "rows": .array(rows.map { .string("\($0)") }),
      "columns": .array(columns.map { .string($0) }),
      "label": "search: estimates propose and support no claim",
    ]
    if let steps = method.steps { members["steps"] = .integer(steps) }
    if let path = found.first?.first?.path { members["path"] = .string(path) }
    for (d, direction) in directions.enumerated() {
      members[direction.rawValue] = [
        "signed": .array(mean(d) { $0 }.map(numbers)),
        "absolute": .array(mean(d, abs).map(numbers)),
        "completeness_residual": .object(residuals(d).mapValues { .number($0) }),
        "pairs": .array(
          found.map { pair in
            var alignment: [String: JSON] = ["name": .string(pair[d].alignment)]
            if let cost = pair[d].alignmentCost { alignment["cost"] = .number(cost) }
            return [
              "base": .number(pair[d].base), "end": .number(pair[d].end),
              "alignment": .object(alignment),
            ]
          }),
      ]
    }
    return members
  }

  /// Prints the strongest cells and the completeness of each layer.
  func printTop(_ count: Int) {
    for (d, direction) in directions.enumerated() {
      let means = mean(d) { $0 }
      let cells = rows.indices.flatMap { row in
        columns.indices.compactMap { column in means[row][column].map { (row, column, $0) } }
      }
      print("\n\(direction.rawValue): strongest of \(cells.count) cells (\(method.name), nats)")
      for (row, column, score) in cells.sorted(by: { abs($0.2) > abs($1.2) }).prefix(count) {
        print(String(format: "%9.4f  ", score) + "\(rows[row])@\(columns[column])")
      }
      guard case .conductance = method else { continue }
      let steps = method.steps.map { " with \($0) steps" } ?? ""
      let path = found.first?[d].path ?? ""
      print("completeness: what is missing of the whole effect\(steps) from \(path)")
      let residuals = residuals(d)
      for site in Array(Set(rows.map(\.site))).sorted(by: { "\($0)" < "\($1)" }) {
        guard let residual = residuals["\(site)"] else { continue }
        print(String(format: "%9.4f %%  ", 100 * residual) + "\(site)")
      }
    }
  }
}
