// What a cell takes, measured on some cells of a pair: the sample that `tap map --dry-run` forecasts from.

import Interventions
import Notebook
import Speech
import Tensor

/// Seconds and operations, measured or forecast.
struct Work {
  var seconds = 0.0
  var operations = 0.0

  static func + (a: Work, b: Work) -> Work {
    Work(seconds: a.seconds + b.seconds, operations: a.operations + b.operations)
  }

  static func * (a: Work, b: Double) -> Work {
    Work(seconds: a.seconds * b, operations: a.operations * b)
  }

  /// Between two measurements; beyond them as far as they reach.
  static func between(_ a: Work, _ b: Work, at share: Double) -> Work {
    a * (1 - share) + b * share
  }

  /// What `body` gives, its work, and the most memory that the process had so far, in bytes.
  static func measured<T>(_ body: () throws -> T) rethrows -> (
    value: T, work: Work, peakBytes: Int
  ) {
    var ((value, cost), operations) = try Arithmetic.counted { () -> (T?, Cost) in
      let (value, cost) = try Cost.timed(body)
      return (value, cost)
    }
    // What is short is done again: the first time finds cold memory, and a map does it many times. What the last
    // time gave is let go before, since a map has it once.
    for _ in 0..<3 where cost.seconds < 0.5 {
      value = nil
      let again = try Cost.timed(body)
      value = again.value
      cost.seconds = min(cost.seconds, again.cost.seconds)
    }
    return (value!, Work(seconds: cost.seconds, operations: operations), cost.peakBytes)
  }
}

/// One pair's passes, timed.
struct CellTimes {
  let length: Double
  /// Both runs of the pair, with what is kept of them.
  let runs: Work
  /// The most memory that the process had when they were there, in bytes.
  let peakBytes: Int
  /// The search in one direction; nothing where none is asked.
  let search: Work
  /// Texts said with one cell patched; nothing where none are asked.
  let said: Work
  /// The stretch of sound that each position stands for, by row.
  let spans: [[TimeSpan?]]
  /// One cell of each row.
  let ofCell: [Work]
  /// What the sampled cells left, for the size of results.
  let outcome: Outcome
  /// Cells that were run.
  let sampled: Int

  /// Cells of one row that are run: two groups of runs, so that both cores have one.
  private static let most = 24
  /// Seconds that the cells of one row may take, about.
  private static let budget = 6.0

  init(
    _ pair: OpenedPair, _ opened: OpenedModel, _ plan: WindowPlan, text: Int, rows: [GridRow],
    _ asked: MapRequest
  ) throws {
    let model = opened.model
    length = pair.length(.sufficiency)
    let direction = asked.directions[0]
    let (traces, runs, peakBytes) = try Work.measured {
      try mapInParallel(2) {
        try model.trace(
          $0 == 0 ? pair.base(direction) : pair.source(direction), keeping: asked.sites)
      }
    }
    (self.runs, self.peakBytes) = (runs, peakBytes)
    let alignment = try pair.alignment(direction)
    spans = try rows.map { try traces[0].place(of: $0.site).spans }
    var patches: [[Patch]] = []
    let windows = try pair.windows(plan, text: text, direction)
    let most = max(2, min(CellTimes.most, Int(2 * CellTimes.budget / max(runs.seconds, 1e-3))))
    let chosen = CellTimes.sampled(of: rows)
    for row in chosen {
      let all = try windows.compactMap {
        try Selection(
          Cell(rows[row].site, index: rows[row].index, $0.window), base: traces[0],
          source: traces[1], alignment)?.patch()
      }
      let count = min(most, all.count)
      patches.append((0..<count).map { all[(2 * $0 + 1) * all.count / (2 * count)] })
    }
    var (works, outcome): ([Int: Work], Outcome?) = ([:], nil)
    for (row, own) in zip(chosen, patches) where !own.isEmpty {
      let (found, work, _) = try Work.measured {
        try model.patched(
          traces[0], own.map { [$0] }, reference: traces[1], resuming: !asked.isPlain)
      }
      works[row] = work * (1 / Double(own.count))
      outcome = found.last
    }
    sampled = patches.reduce(0) { $0 + $1.count }
    ofCell = rows.indices.map { row in
      let before = works.keys.filter { $0 <= row }.max()
      let behind = works.keys.filter { $0 >= row }.min()
      guard let low = before ?? behind, let high = behind ?? before else { return Work() }
      return low == high
        ? works[low]!
        : .between(works[low]!, works[high]!, at: Double(row - low) / Double(high - low))
    }
    self.outcome =
      outcome ?? pair.clean.outcome(traces[0].logits, reference: traces[1].logits)
    search =
      try asked.search.map { method in
        var options = SearchOptions(method, sites: asked.sites)
        options.alignment = alignment
        return try Work.measured {
          try model.search(base: pair.base(direction), source: pair.source(direction), options)
        }.work
      } ?? Work()
    said =
      try asked.speaking.map { config in
        let own = patches.compactMap(\.first).filter { model.isOfPrompt($0, in: traces[0]) }
        guard !own.isEmpty else { return Work() }
        return try Work.measured {
          for patch in own { _ = try model.generate(traces[0], [patch], config) }
        }.work * (1 / Double(own.count))
      } ?? Work()
  }

  /// How long before the end of the sound the last position of a row begins, and the longest that it could
  /// without another position behind it, in milliseconds; nil where positions reach beyond the sound, as
  /// padding does.
  private func tail(of row: Int) -> ClosedRange<Double>? {
    guard let last = spans[row].last(where: { $0 != nil }) ?? nil, last.start < length else {
      return nil
    }
    let tail = length - last.start
    return max(0, tail - (last.end - last.start))...tail
  }

  /// What the positions of a row stand for in a pair of another length, as well as these pairs tell.
  static func spans(of row: Int, length: Double, from known: [CellTimes]) -> [TimeSpan?] {
    let longest = known[known.count - 1]
    let tails = known.compactMap { $0.tail(of: row) }
    guard tails.count == known.count else { return longest.spans[row] }
    let least = (tails.map(\.lowerBound).max()! + tails.map(\.upperBound).min()!) / 2
    return longest.spans[row].filter { $0.map { $0.start <= length - least } ?? true }
  }

  /// The first, the middle and the last row of each kind of site in each stage.
  private static func sampled(of rows: [GridRow]) -> [Int] {
    let kinds = Dictionary(grouping: rows.indices) {
      "\(rows[$0].site.stage) \(rows[$0].site.activation)"
    }
    return Set(kinds.values.flatMap { [$0[0], $0[$0.count / 2], $0[$0.count - 1]] }).sorted()
  }
}
