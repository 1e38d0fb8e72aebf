// Figure S8: what a map from coarse to fine leaves out, and what it finds.

import Interventions
import Plot

/// The trials of one model: by threshold, and by recording.
public struct CoarseTrials: Sendable {
  public let model: String
  /// Shares of the gap from which a block is split, rising.
  public let thresholds: [Double]
  public let trials: [[CoarseTrial]]
  /// The recordings' splits at the threshold that the figure shows.
  public let splits: [SplitBlock]

  public init(
    model: String, thresholds: [Double], trials: [[CoarseTrial]], splits: [SplitBlock]
  ) {
    self.model = model
    self.thresholds = thresholds
    self.trials = trials
    self.splits = splits
  }
}

extension Array where Element == CoarseTrial {
  /// The mean share of the cells that is patched, blocks counted as cells.
  public var cost: Double { mean { Double($0.patches) / Double($0.cells) } }
  /// The mean number of the strongest cells that are found.
  public func strongest(_ share: (CoarseTrial) -> FoundShare) -> Double {
    mean { Double(share($0).strongest) }
  }
  /// Of all cells that move as much as a hit, the share that is found.
  public func found(_ share: (CoarseTrial) -> FoundShare) -> Double {
    Double(reduce(0) { $0 + share($1).found }) / Double(reduce(0) { $0 + share($1).hits })
  }

  private func mean(_ value: (CoarseTrial) -> Double) -> Double {
    reduce(0) { $0 + value($1) } / Double(count)
  }
}

/// One recording's map, whole and from coarse to fine.
public struct CoarseExample: Sendable {
  public let known: KnownMap
  public let trial: CoarseTrial
  /// Rows of the encoder, which come first, and windows of sound, which come first, of so many milliseconds.
  public let layers: [String]
  public let windows: Int
  public let width: Double
  /// The changed phone, in milliseconds.
  public let changed: ClosedRange<Double>

  public init(
    known: KnownMap, trial: CoarseTrial, layers: [String], windows: Int, width: Double,
    changed: ClosedRange<Double>
  ) {
    self.known = known
    self.trial = trial
    self.layers = layers
    self.windows = windows
    self.width = width
    self.changed = changed
  }

  /// Recoveries of the encoder's cells; of those alone that are patched where asked.
  fileprivate func values(patched: Bool) -> [[Double?]] {
    let isPatched = trial.map.isPatched
    return layers.indices.map { row in
      (0..<windows).map { column in
        !patched || isPatched[row][column] ? known.recoveries[row][column] : nil
      }
    }
  }
}

/// Figure S8 on a full page width.
///
/// - Parameter example: of the first model
public func coarseFigure(_ example: CoarseExample, _ models: [CoarseTrials]) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 118)
  let rows = figure.area.rows([30, 30, 6, 50], gap: 0.5)
  let colors = ColorScale.diverging(limit: 1)
  let maps = [
    figure.addMap("a", "Every cell", example, patched: false, colors, in: rows[0]),
    figure.addMap("b", "From coarse to fine", example, patched: true, colors, in: rows[1]),
  ]
  figure.add(
    ColorBar(
      "Share of the gap moved by the patch",
      in: Rect(left: 78, top: rows[2].top + 1, width: 45, height: 2), of: maps,
      absent: "not patched"))
  let areas = rows[3].columns([1, 1], gap: 4)
  figure.add(foundPanel(models, in: areas[0]))
  figure.add(partsPanel(models, in: areas[1]))
  return DrawnFigure(drawing: figure, table: table(models), caption: caption)
}

extension Figure {
  fileprivate mutating func addMap(
    _ letter: String, _ title: String, _ example: CoarseExample, patched: Bool,
    _ colors: ColorScale, in area: Rect
  ) -> HeatMap {
    let edges = (0...example.windows).map { example.width / 1000 * Double($0) }
    let grid = CellGrid(columns: edges, rows: (0...example.layers.count).map(Double.init))
    let map = HeatMap(example.values(patched: patched), over: grid, colors)
    var margins = Panel.margins
    (margins.left, margins.right) = (18, 4)
    add(
      Panel(
        letter, title, in: area, margins: margins,
        x: .linear("Time (s)", 0...edges.last!, ticks: 10),
        y: .categories("", example.layers),
        [
          map, ReferenceLine.vertical(example.changed.lowerBound / 1000, Pen(.ink, width: 0.4)),
          ReferenceLine.vertical(example.changed.upperBound / 1000, Pen(.ink, width: 0.4)),
        ]))
    return map
  }
}

/// The strongest cells that are found with so many patches: by blocks, by the search with as many, at random.
private func foundPanel(_ models: [CoarseTrials], in area: Rect) -> Panel {
  let most = Double(CoarseTrial.strongest)
  let widest = 0.25
  var marks: [any Mark] = [
    Line([Datum(0, 0), Datum(widest, widest * most)], Pen(.muted, width: 0.6, dashes: [1, 1]))
  ]
  var entries: [LegendEntry] = []
  for (i, model) in models.enumerated() {
    let color = Palette.categories[i]
    for (name, symbol, share) in [
      ("search, as many cells", .hollowSquare, \CoarseTrial.search),
      ("coarse to fine", .circle, \.coarse),
    ] as [(String, Symbol, KeyPath<CoarseTrial, FoundShare> & Sendable)] {
      let data = model.trials.map { trials in
        Datum(trials.cost, trials.strongest { $0[keyPath: share] })
      }
      marks += [Line(data, Pen(color, width: 0.8)), Points(data, symbol, color, size: 1.4)]
      entries.append(LegendEntry("\(model.model), \(name)", .symbol(symbol, color)))
    }
  }
  return Panel(
    "c", "The \(CoarseTrial.strongest) strongest cells", in: area,
    x: .linear("Patches, as a share of all cells", 0...widest, ticks: 5),
    y: Axis("Found", 0...(most + 0.6), ticks: ticks(in: 0...most, about: 4)),
    marks + [Legend(.topLeft, entries)])
}

/// The parts of a block beside the block.
private func partsPanel(_ models: [CoarseTrials], in area: Rect) -> Panel {
  let values = models.flatMap { $0.splits.flatMap { [$0.whole, $0.sum] } }
  let (low, high) = (min(values.min() ?? 0, 0), max(values.max() ?? 1, 1))
  var marks: [any Mark] = [
    Line([Datum(low, low), Datum(high, high)], Pen(.muted, width: 0.6, dashes: [1, 1]))
  ]
  for (i, model) in models.enumerated() {
    marks.append(
      Points(
        model.splits.map { Datum($0.whole, $0.sum) }, i == 0 ? .circle : .hollowCircle,
        Palette.categories[i], size: 1.2))
  }
  return Panel(
    "d", "Blocks that were split", in: area,
    x: .linear("Patched together (share of the gap)", low...high, ticks: 5),
    y: .linear("Sum of the parts", low...high, ticks: 5),
    marks + [
      Legend(
        .topLeft,
        models.enumerated().map { i, model in
          LegendEntry(
            model.model, .symbol(i == 0 ? .circle : .hollowCircle, Palette.categories[i]))
        })
    ])
}

private let caption =
  "Maps from coarse to fine beside the whole map, on recordings of ten seconds in which one phone differs. "
  + "a: every encoder cell of one recording, the changed phone between lines. b: those that are patched. c: "
  + "how many of the strongest cells are found, by the share of cells that is patched, at several thresholds; beside "
  + "it as many cells with the largest estimates, and dashed as many at random. d: the parts of a block that was "
  + "split beside all of them patched together."

/// Every trial, one a line.
private func table(_ models: [CoarseTrials]) -> String {
  var lines = [
    "model\tsplit_at\trecording\tcells\tpatches\thits\tfound\tof_strongest\tsearch_found\t"
      + "search_of_strongest\tskipped\tmissed\tbound"
  ]
  for model in models {
    for (threshold, trials) in zip(model.thresholds, model.trials) {
      for (i, trial) in trials.enumerated() {
        let (own, search) = (trial.coarse, trial.search)
        lines.append(
          "\(model.model)\t\(threshold)\t\(i)\t\(trial.cells)\t\(trial.patches)\t\(own.hits)\t"
            + "\(own.found)\t\(own.strongest)\t\(search.found)\t\(search.strongest)\t"
            + "\(trial.map.skipped)\t\(trial.missedHits)\t\(trial.missed.map { "\($0.bound)" } ?? "")"
        )
      }
    }
  }
  return lines.joined(separator: "\n") + "\n"
}

/// Every plotted point of d, one a line.
public func coarseBlocksTable(_ models: [CoarseTrials]) -> String {
  var lines = ["model\tblock\twhole\tsum_of_parts\tparts"]
  for model in models {
    for split in model.splits {
      lines.append(
        "\(model.model)\t\(split.size)\t\(split.whole)\t\(split.sum)\t\(split.parts.count)")
    }
  }
  return lines.joined(separator: "\n") + "\n"
}
