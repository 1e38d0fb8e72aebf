// What `tap map` is asked, with everything opened: the pairs that enter, and the cells of each.

import Interventions
import Notebook

/// A map before its cells are measured.
struct MapPlan {
  let run: PairRun
  let rows: [GridRow]
  let columns: [GridWindow]
  let asked: MapRequest
  /// What values depend on, for the journal.
  private(set) var inputs: [String]
  /// By direction, row and column, whether a cell is patched; all are where nil.
  private(set) var isPatched: [[[Bool]]]?

  /// - Parameter sites: the rows as the user names them
  init(_ run: PairRun, rows: [GridRow], of sites: String, _ asked: MapRequest) throws {
    (self.run, self.rows, self.asked) = (run, rows, asked)
    try run.checkWindows(over: rows.map(\.site))
    columns = try run.columns()
    inputs = run.inputs(["map", sites, "\(asked)"])
  }

  /// The same map with some of its cells left out.
  ///
  /// - Parameter isPatched: by direction, row and column
  func keeping(_ isPatched: [[[Bool]]]) -> MapPlan {
    var plan = self
    plan.isPatched = isPatched
    let cells = isPatched.joined().joined().map { $0 ? "1" : "0" }.joined()
    plan.inputs.append(Digest(ofParts: [cells]).description)
    return plan
  }

  /// The cells of one pair that are patched.
  func patchedCells(_ pair: OpenedPair, _ direction: Direction) throws -> [[Cell?]] {
    let cells = try cells(pair, direction)
    guard let isPatched else { return cells }
    let own = isPatched[asked.directions.firstIndex(of: direction)!]
    return zip(cells, own).map { zip($0, $1).map { $1 ? $0 : nil } }
  }

  /// The cells of one pair, by row and column; nil where the pair has no such window.
  func cells(_ pair: OpenedPair, _ direction: Direction) throws -> [[Cell?]] {
    let windows = Dictionary(
      uniqueKeysWithValues: try run.windows(pair, direction).map { ($0.name, $0.window) })
    return rows.map { row in
      columns.map { column in
        windows[column.name].map { Cell(row.site, index: row.index, $0) }
      }
    }
  }

  /// Every cell of every pair, resumed from the journal beside the output.
  func measured(beside out: String, fresh: Bool) throws -> [MeasuredPair] {
    let (opened, asked) = (run.opened, asked)
    return try resumable(
      "map", over: run.items, key: \.id, inputs: inputs, journal: journal(beside: out),
      fresh: fresh
    ) { item in
      try MeasuredPair(item, opened, asked) { try patchedCells(item.pair, $0) }
    }
  }
}
