// `tap map`: every cell patched exactly, as a file and a figure.

import ArgumentParser
import Figures
import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

struct MapCells: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "map",
    abstract: "Patches every cell exactly, in both directions, and draws the map.",
    discussion: """
      Sufficiency puts the clean run's activation into the corrupt run, necessity the reverse. A cell is \
      the mean effect over pairs over the mean gap, never clipped. An interrupted map goes on where it \
      was.

        tap map --model artifacts/qwen2-audio-small --pairs build/pairs.json --direction both \\
          --sites residual --out build/map.json --figure build/map.pdf
      """)

  @OptionGroup var options: ModelOptions
  @OptionGroup var list: PairListOptions
  @Option(help: "Families or sites, as of tap search.") var sites = "residual"
  @Option(help: "both, sufficiency or necessity.") var direction = DirectionChoice.both
  @Option(help: "What the figure shows: logit-difference, probability, kl or sequence.")
  var metric = Metric.logitDifference
  @Flag(help: "Also patch every cell from another item, with a move of the same length.")
  var control = false
  @Flag(help: "Run the model from the sound on for every cell instead of resuming, as a check.")
  var plain = false
  @Option(help: "The file to write.") var out: String
  @Option(help: "The figure to write, .pdf or .svg.") var figure: String?

  func validate() throws {
    if let figure, !figure.hasSuffix(".pdf"), !figure.hasSuffix(".svg") {
      throw ValidationError("--figure should end with .pdf or .svg")
    }
  }

  func run() throws {
    Runtime.pin()
    let run = try PairRun(options, list)
    let model = run.opened.model
    let rows = try model.rows(sites, in: run.example)
    let columns = try run.columns()
    let (directions, control, plain) = (direction.directions, control, plain)
    let named = Array(Set(rows.map(\.site)))
    let items = run.kept.indices.map { PairWithStranger(run.kept[$0], run.stranger(to: $0)) }
    if control { run.warnOfMissingStrangers() }
    let inputs = run.inputs(["map", sites, direction.rawValue, "\(control)", "\(plain)"])
    let measured = try resumable(
      "map", over: items, key: \.id, inputs: inputs,
      journal: journal(beside: out), fresh: list.fresh
    ) { item in
      try MeasuredPair(item, model, named, directions, control: control, plain: plain) {
        direction in
        let windows = Dictionary(
          uniqueKeysWithValues: try run.windows(item.pair, direction).map { ($0.name, $0.window) })
        return rows.map { row in
          columns.map { column in
            windows[column.name].map { Interventions.Cell(row.site, index: row.index, $0) }
          }
        }
      }
    }
    let report = MapReport(
      directions: directions, rows: rows, columns: columns.map(\.name),
      pairs: run.kept.map(\.pair.id), measured: measured, hasControl: control)
    var members = run.provenance
    members.merge(report.json) { $1 }
    members["sites"] = .string(sites)
    try write(.object(members), to: out, printing: list.json)
    if let figure {
      let drawn = mapFigure(
        rows: rows, columns: columns, plan: run.plan,
        labels: run.labels,
        maps: directions.indices.map { (directions[$0], report.recovery($0, metric)) },
        metric: metric, pairs: measured.count)
      let stamp =
        "tap map; pairs \(run.pairs.pairsDigest.prefix(12)); model \(run.pairs.modelDigest.prefix(12))"
      try publish([
        Output(figure) { path in
          let url = URL(fileURLWithPath: path)
          try drawn.write(
            pdf: figure.hasSuffix(".pdf") ? url : nil, svg: figure.hasSuffix(".svg") ? url : nil,
            title: "Causal map", description: "Recovery by site and window.", stamp: stamp)
        }
      ])
    }
    removeJournal(at: journal(beside: out))
    if !list.json {
      print(run.summary)
      report.printTop(8, metric)
      print("wrote \(out)" + (figure.map { " and \($0)" } ?? ""))
    }
  }
}

/// A pair with another item for its control.
struct PairWithStranger: Sendable {
  let pair: OpenedPair
  let stranger: OpenedPair?

  var id: String { pair.pair.id }

  init(_ pair: OpenedPair, _ stranger: OpenedPair?) {
    self.pair = pair
    self.stranger = stranger
  }
}

/// Exact effects of one pair.
struct MeasuredPair: Codable, Sendable {
  let clean: Outcome
  let corrupt: Outcome
  /// By direction, row and column; nil where the site has no position in the window.
  let patched: [[[Outcome?]]]
  let wrongItem: [[[Outcome?]]]
  let alignments: [String]
  let alignmentCosts: [Double?]
  let cost: Cost

  /// - Parameter cells: the cells of a direction, by row and column
  init(
    _ item: PairWithStranger, _ model: any SpeechLanguageModel, _ sites: [Site],
    _ directions: [Direction], control: Bool, plain: Bool,
    cells: (Direction) throws -> [[Interventions.Cell?]]
  ) throws {
    var runs = 2.0
    var (patched, wrong): ([[[Outcome?]]], [[[Outcome?]]]) = ([], [])
    var (alignments, costs): ([String], [Double?]) = ([], [])
    let pair = item.pair
    let cleanRun = try model.trace(pair.clean, keeping: sites)
    let corruptRun = try model.trace(pair.corrupt, keeping: sites)
    var (_, cost) = try Cost.timed {
      for direction in directions {
        let (base, source) =
          direction == .sufficiency ? (corruptRun, cleanRun) : (cleanRun, corruptRun)
        let joined = try pair.alignment(direction)
        alignments.append(joined.name)
        costs.append(joined.cost)
        let grid = try cells(direction)
        let selections = try grid.map { row in
          try row.map { try $0.flatMap { try Selection($0, base: base, source: source, joined) } }
        }
        func outcomes(_ patch: (Selection) throws -> Patch?) throws -> [[Outcome?]] {
          let patches = try selections.map { try $0.map { try $0.flatMap(patch) } }
          let found = try model.patched(
            base, patches.flatMap { $0.compactMap { $0.map { [$0] } } }, reference: cleanRun,
            resuming: !plain)
          runs += Double(found.count)
          var next = found[...]
          return patches.map { $0.map { $0 == nil ? nil : next.removeFirst() } }
        }
        patched.append(try outcomes { $0.patch() })
        if control, let other = item.stranger {
          let run = try model.trace(other.source(direction), keeping: sites)
          let along = try AlignmentChoice.automatic.alignment(
            base: base.question.clip, source: run.question.clip, segments: nil)
          let random = Random(seed: 1)
          wrong.append(
            try outcomes {
              try model.control(
                .wrongItem, of: $0, base: base, source: source, stranger: (run, along), random)
            })
        } else if control {
          wrong.append(selections.map { $0.map { _ in nil } })
        }
      }
    }
    cost.forwards = runs
    let question = cleanRun.question
    clean = question.outcome(cleanRun.logits, reference: cleanRun.logits)
    corrupt = question.outcome(corruptRun.logits, reference: cleanRun.logits)
    (self.patched, wrongItem) = (patched, wrong)
    (self.alignments, alignmentCosts) = (alignments, costs)
    self.cost = cost
  }
}

/// Exact effects over all pairs.
struct MapReport {
  let directions: [Direction]
  let rows: [GridRow]
  let columns: [String]
  let pairs: [String]
  let measured: [MeasuredPair]
  let hasControl: Bool

  /// The mean effect of each cell over the mean gap of its pairs, by row and column.
  func recovery(_ direction: Int, _ metric: Metric) -> [[Double?]] {
    ratios(direction, metric, \.patched)
  }

  private func ratios(
    _ d: Int, _ metric: Metric, _ values: (MeasuredPair) -> [[[Outcome?]]]
  ) -> [[Double?]] {
    rows.indices.map { row in
      columns.indices.map { column in
        var (effect, gap) = (0.0, 0.0)
        for pair in measured where values(pair).count > d {
          let (base, source) =
            directions[d] == .sufficiency ? (pair.corrupt, pair.clean) : (pair.clean, pair.corrupt)
          guard let after = values(pair)[d][row][column]?[metric], let b = base[metric],
            let s = source[metric]
          else { continue }
          effect += after - b
          gap += s - b
        }
        return gap == 0 ? nil : effect / gap
      }
    }
  }

  var json: [String: JSON] {
    var members: [String: JSON] = [
      "rows": .array(rows.map { .string("\($0)") }),
      "columns": .array(columns.map { .string($0) }),
      "metrics": .array(Metric.allCases.map { .string($0.rawValue) }),
      "aggregate": "ratio of means over pairs, not clipped",
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
    for (d, direction) in directions.enumerated() {
      var own: [String: JSON] = [
        "recovery": .object(
          Metric.allCases.reduce(into: [:]) { all, metric in
            all[metric.rawValue] = .array(recovery(d, metric).map(numbers))
          }),
        "logit_difference_by_pair": .array(
          measured.map { pair in
            .array(pair.patched[d].map { numbers($0.map { $0?.logitDifference }) })
          }),
      ]
      if hasControl {
        own["wrong_item_recovery"] = .object(
          Metric.allCases.reduce(into: [:]) { all, metric in
            all[metric.rawValue] = .array(ratios(d, metric, \.wrongItem).map(numbers))
          })
      }
      members[direction.rawValue] = .object(own)
    }
    members["cost"] = measured.reduce(Cost()) { $0 + $1.cost }.json
    return members
  }

  /// Prints the strongest cells of each direction.
  func printTop(_ count: Int, _ metric: Metric) {
    for (d, direction) in directions.enumerated() {
      let map = recovery(d, metric)
      let cells = rows.indices.flatMap { row in
        columns.indices.compactMap { column in map[row][column].map { (row, column, $0) } }
      }
      print(
        "\n\(direction.rawValue): strongest of \(cells.count) cells (recovery of \(metric.rawValue))"
      )
      for (row, column, value) in cells.sorted(by: { abs($0.2) > abs($1.2) }).prefix(count) {
        print(String(format: "%8.4f  ", value) + "\(rows[row])@\(columns[column])")
      }
    }
    let cost = measured.reduce(Cost()) { $0 + $1.cost }
    print(String(format: "\n%.0f runs in %.1f s of one core", cost.forwards, cost.seconds))
  }
}
