// What `tap map` says of all pairs: the recovery of every cell with its interval, which cells are more
// than chance over the whole map, the controls, and the certificate of an estimate.

import Foundation
import Interventions
import JSON
import Tensor

/// Exact effects over all pairs.
struct MapReport {
  private let asked: MapRequest
  private let rows: [GridRow]
  private let columns: [String]
  private let pairs: [String]
  private let groups: [String]
  private let measured: [MeasuredPair]
  private let hit: Double
  private let threshold: Double
  /// By direction, metric, row and column.
  let recoveries: [[Metric: [[GroupedRecovery?]]]]
  /// Of the effects, and of the contrasts with another item where there are some; by direction.
  private let significance: [MapSignificance]
  private let contrasts: [MapSignificance]
  private let certified: [Certified]

  /// - Parameters:
  ///   - pairs: the names of the pairs, and `groups` their resampling units
  ///   - hit: the share of the mean gap from which an effect counts as a hit
  init(
    _ asked: MapRequest, rows: [GridRow], columns: [String], pairs: [String], groups: [String],
    _ measured: [MeasuredPair], hit: Double
  ) throws {
    (self.asked, self.rows, self.columns, self.pairs) = (asked, rows, columns, pairs)
    (self.groups, self.measured, self.hit) = (groups, measured, hit)
    let random = Random(seed: 1).split("tap map")
    let gap =
      measured.reduce(0) { $0 + $1.clean.logitDifference - $1.corrupt.logitDifference }
      / Double(measured.count)
    let threshold = hit * gap
    self.threshold = threshold
    let runs = measured.map { (clean: $0.clean, corrupt: $0.corrupt) }
    recoveries = try asked.directions.enumerated().map { d, direction in
      let stream = random.split("intervals").split(direction.rawValue)
      return try Metric.allCases.reduce(into: [:]) { all, metric in
        let width = columns.count
        var found = try mapInParallel(rows.count * width) { i in
          let (row, column) = (i / width, i % width)
          return CellChanges(
            direction, metric, runs: runs, patched: measured.map { $0.patched[d][row][column] },
            groups: groups
          ).estimate(stream.split(metric.rawValue).split("\(rows[row])@\(columns[column])"))
        }[...]
        all[metric] = rows.map { _ in columns.map { _ in found.removeFirst() } }
      }
    }
    /// Changes of the logit difference by pair, row and column, less those of a control.
    func changes(_ d: Int, less control: String? = nil) -> [[[Double?]]] {
      measured.map { pair in
        let base = asked.directions[d] == .sufficiency ? pair.corrupt : pair.clean
        return rows.indices.map { row in
          columns.indices.map { column in
            guard let after = pair.patched[d][row][column] else { return nil }
            guard let control else { return after.logitDifference - base.logitDifference }
            return pair.controls[control]?[d][row][column].map {
              after.logitDifference - $0.logitDifference
            }
          }
        }
      }
    }
    let signs = random.split("signs")
    significance = asked.directions.indices.map {
      MapSignificance(changes($0), groups: groups, signs)
    }
    contrasts =
      asked.wrongItem
      ? asked.directions.indices.map {
        MapSignificance(
          changes($0, less: MatchedControl.wrongItem.rawValue), groups: groups, signs)
      } : []
    certified =
      asked.search == nil
      ? []
      : asked.directions.enumerated().map { d, direction in
        let spent = measured.reduce(Cost()) { $0 + $1.searchCost }
        return Certified(
          estimates: measured.map { $0.estimates[d].flatMap { $0 } },
          changes: changes(d).map { $0.flatMap { $0 } }, groups: groups,
          isSigned: asked.search != .gradDrop,
          searchCost: (spent.forwards + 2 * spent.backwards)
            / Double(measured.count * asked.directions.count),
          threshold: threshold, random.split("certificate").split(direction.rawValue))
      }
  }

  /// The mean effect of each cell over the mean gap of its pairs, by row and column.
  func recovery(_ direction: Int, _ metric: Metric) -> [[Double?]] {
    recoveries[direction][metric]!.map { $0.map { $0?.value } }
  }

  /// The same of a control.
  func recovery(_ d: Int, _ metric: Metric, of control: String) -> [[Double?]] {
    let runs = measured.map { (clean: $0.clean, corrupt: $0.corrupt) }
    return rows.indices.map { row in
      columns.indices.map { column in
        CellChanges(
          asked.directions[d], metric, runs: runs,
          patched: measured.map { $0.controls[control]![d][row][column] }, groups: groups
        ).recovery
      }
    }
  }

  var json: [String: JSON] {
    var members: [String: JSON] = [
      "rows": .array(rows.map { .string("\($0)") }),
      "columns": .array(columns.map { .string($0) }),
      "metrics": .array(Metric.allCases.map { .string($0.rawValue) }),
      "aggregate": "ratio of means over pairs, not clipped", "seed": 1,
      "intervals": .string(intervalNote(groups: Set(groups).count)),
      "hit_share_of_gap": .number(hit), "hit_threshold": .number(threshold),
      "pairs_measured": .array(
        zip(pairs, measured).map { id, pair in
          [
            "id": .string(id), "clean": pair.clean.json, "corrupt": pair.corrupt.json,
            "alignments": .array(
              zip(pair.alignments, pair.alignmentCosts).map { name, cost in
                cost.map { ["name": .string(name), "cost": .number($0)] }
                  ?? ["name": .string(name)]
              }),
          ]
        }),
    ]
    if let shift = asked.shift { members["shift_ms"] = .number(shift) }
    if let jitter = asked.jitter { members["jitter_ms"] = .number(jitter) }
    if let takes = asked.otherTakes {
      members["other_takes"] = [
        "file": .string(takes.path), "sha256": .string(takes.digest.description),
      ]
    }
    if let search = asked.search { members["estimate"] = .string(search.name) }
    for (d, direction) in asked.directions.enumerated() {
      func byMetric(_ map: (Metric) -> [[Double?]]) -> JSON {
        .object(
          Metric.allCases.reduce(into: [:]) { $0[$1.rawValue] = .array(map($1).map(numbers)) })
      }
      var own: [String: JSON] = [
        "recovery": byMetric { recovery(d, $0) },
        "recovery_low": byMetric { recoveries[d][$0]!.map { $0.map { $0?.interval?.low } } },
        "recovery_high": byMetric { recoveries[d][$0]!.map { $0.map { $0?.interval?.high } } },
        "significance": significance[d].json,
        "logit_difference_by_pair": .array(
          measured.map { pair in
            .array(pair.patched[d].map { numbers($0.map { $0?.logitDifference }) })
          }),
      ]
      for name in asked.controls {
        own["control_\(name)"] = byMetric { recovery(d, $0, of: name) }
      }
      if asked.wrongItem { own["significance_of_contrast"] = contrasts[d].json }
      if asked.search != nil { own["certificate"] = certified[d].json }
      members[direction.rawValue] = .object(own)
    }
    return members
  }

  /// Prints the strongest cells of each direction by two metrics, the test over the map, the controls
  /// and the certificate.
  ///
  /// - Parameter cells: which cells these are
  func printSummary(_ count: Int, _ metric: Metric, of cells: String = "all of the map") {
    let second = metric == .logitDifference ? Metric.probability : .logitDifference
    for (d, direction) in asked.directions.enumerated() {
      let map = recoveries[d][metric]!
      let found = rows.indices.flatMap { row in
        columns.indices.compactMap { column in map[row][column].map { (row, column, $0) } }
      }
      print(
        "\n\(direction.rawValue): strongest of \(found.count) cells, recovery of \(metric.rawValue) "
          + "and of \(second.rawValue)")
      for (row, column, cell) in found.sorted(by: { abs($0.2.value) > abs($1.2.value) })
        .prefix(count)
      {
        let other = recoveries[d][second]![row][column].map { String(format: "%8.4f", $0.value) }
        print("\(cell.text)  \(other ?? "       -")  \(rows[row])@\(columns[column])")
      }
      let number = Set(groups).count
      if number < fewestGroups { print(intervalNote(groups: number)) }
      print("\(significance[d])")
      if asked.wrongItem { print("less wrong item: \(contrasts[d])") }
      for name in asked.controls { printControl(name, d, metric) }
      if asked.search != nil { certified[d].printText(cells) }
    }
  }

  /// How far a control moves at most, and how its map compares with the real one.
  private func printControl(_ name: String, _ d: Int, _ metric: Metric) {
    let values = zip(recovery(d, metric).joined(), recovery(d, metric, of: name).joined())
      .compactMap { real, control in real.flatMap { real in control.map { (real, $0) } } }
    guard let largest = values.map({ abs($0.1) }).max() else {
      print("\(name): no cell has this control")
      return
    }
    let farthest = values.map { abs($0.0 - $0.1) }.max() ?? 0
    print(
      String(
        format: "%@: largest recovery of %d cells %.4f, farthest from the map %.4f, Pearson %.3f",
        name, values.count, largest, farthest, pearson(values.map(\.0), values.map(\.1))))
  }
}

extension MapSignificance {
  /// How results state it.
  var json: JSON {
    [
      "test": .string("\(self)"), "groups": .integer(groups), "family": .integer(family),
      "significant": .integer(significant()),
      "t": .array(tests.map { numbers($0.map { $0?.t }) }),
      "p": .array(tests.map { numbers($0.map { $0?.p }) }),
    ]
  }
}
