// `tap map --dry-run`: what a map will take, before anything of it is computed. Passes are counted; time,
// arithmetic and memory are measured on the shortest and the longest pair, a few cells of some rows each,
// and go on from there in proportion.

import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

/// What a map takes.
struct Forecast {
  private let pairs: Int
  private let rows: Int
  private let columns: Int
  private let directions: [Direction]
  /// Of all pairs.
  private let cells: Int
  /// Cells and their controls, both runs of pairs, searches.
  private var passes: (cells: Double, runs: Double, back: Double) = (0, 0, 0)
  private var work = Work()
  private let peakBytes: Int
  private let journalBytes: Int
  private var resultBytes = 0
  /// Cells that were run for it.
  private let sampled: Int
  /// What a map from coarse to fine begins with, and the cells drawn for it; nil where none is asked for.
  private let coarse: (start: CoarseStart, drawn: Int)?

  /// - Parameters:
  ///   - hit: of the map
  ///   - sample: cells drawn with --coarse; nil without it
  /// - Throws: where a recording is unusable, or windows are too narrow
  init(
    _ options: ModelOptions, _ list: PairListOptions, sites: String, hit: Double, sample: Int?,
    _ request: (OpenedModel, [GridRow]) throws -> MapRequest
  ) throws {
    let ((opened, kept), opening) = try Cost.timed { try list.opened(options) }
    let plan = try WindowPlan(list.windows)
    let sized = opened.model.sites.filter { $0.activation == .mlpPost }
    let (example, one, _) = try Work.measured {
      try opened.model.trace(kept[0].clean, keeping: sized)
    }
    let rows = try opened.model.rows(sites, in: example)
    do { try plan.check(over: rows.map(\.site), in: example) } catch {
      throw CellError("--windows: \(error)")
    }
    let asked = try request(opened, rows)
    let columns = try kept.columns(plan, text: list.text)
    (pairs, self.rows, self.columns) = (kept.count, rows.count, columns.count)
    directions = asked.directions
    let before = opening.peakBytes
    let ordered = kept.sorted { $0.length(.sufficiency) < $1.length(.sufficiency) }
    let ends = ordered.count > 1 ? [ordered[ordered.count - 1], ordered[0]] : [ordered[0]]
    // The longest pair first: what memory grows by is its own.
    let (times, cost) = try Cost.timed {
      try ends.map {
        try CellTimes($0, opened, plan, text: list.text, rows: rows, asked)
      }.reversed() as [CellTimes]
    }
    sampled = times.reduce(0) { $0 + $1.sampled }
    let (shortest, longest) = (times[0], times[times.count - 1])
    let (both, controls) = (Double(directions.count), Double(asked.controls.count))
    func share(_ pair: OpenedPair) -> Double {
      let span = longest.length - shortest.length
      return span > 0 ? (pair.length(.sufficiency) - shortest.length) / span : 0
    }
    // Of one pair: its cells with their controls, its runs twice and the controls', its searches.
    var all = 0.0
    for pair in kept {
      func between(_ work: (CellTimes) -> Work) -> Work {
        .between(work(shortest), work(longest), at: share(pair))
      }
      for direction in asked.directions {
        let windows = try pair.windows(plan, text: list.text, direction)
        for row in rows.indices {
          let spans = CellTimes.spans(of: row, length: pair.length(direction), from: times)
          let count = Double(windows.count { !$0.window.positions(in: spans).isEmpty })
          all += count
          work =
            work + between { $0.ofCell[row] } * (count * (1 + controls)) + between(\.said) * count
        }
      }
      work = work + between(\.runs) * (2 + both * controls / 2) + between(\.search) * both
    }
    work = work + one
    cells = Int(all)
    let paths = Double(asked.search?.steps.map { $0 + 1 } ?? (asked.search == nil ? 0 : 1))
    let number = Double(kept.count)
    passes = (
      all * (1 + controls) * (asked.speaking == nil ? 1 : 2),
      number * (4 + both * controls + (asked.search == nil ? 0 : both * (1 + paths))),
      number * both * paths
    )
    // What a map of so many pairs and cells takes to state, on values in the place of its own.
    let invented = kept.map { MeasuredPair(inventedFor: $0, times: longest, rows, columns, asked) }
    let (bytes, stating) = try Cost.timed {
      let report = try MapReport(
        asked, rows: rows, columns: columns.map(\.name), pairs: kept.map(\.pair.id),
        groups: kept.map(\.pair.group), invented, hit: hit)
      return JSON.object(report.json).text.utf8.count
    }
    resultBytes = bytes + 300 * kept.count
    journalBytes = try invented.reduce(0) { try $0 + JSONEncoder().encode($1).count + 100 }
    work.seconds += opening.seconds + stating.seconds
    // Pairs are taken as many at a time as there are cores, each with its own runs; the groups of cells that are
    // under way are one a core, of one pair or of several.
    let ofPair = max(0, longest.peakBytes - before)
    peakBytes =
      cost.peakBytes + ofPair * (min(kept.count, ProcessInfo.processInfo.activeProcessorCount) - 1)
    coarse = sample.map { sample in
      let settings = CoarseSettings(splitAt: hit / 2, hit: hit, sample: sample)
      let blocks = BlockPlan(rows: rows, columns: columns, wide: BlockPlan.width(of: plan))
      return (settings.start(blocks, cells: rows.count * columns.count), sample)
    }
  }

  /// One a pair and direction.
  private var maps: Int { pairs * directions.count }
  /// Cells of all maps that are drawn at most.
  private var drawn: Int { (coarse?.drawn ?? 0) * maps }

  var json: JSON {
    var members: [String: JSON] = [
      "pairs": .integer(pairs), "rows": .integer(rows), "columns": .integer(columns),
      "directions": .array(directions.map { .string($0.rawValue) }), "cells": .integer(cells),
      "forwards": .number(passes.cells + passes.runs), "backwards": .number(passes.back),
      "operations": .number(work.operations), "seconds": .number(work.seconds),
      "peak_mebibytes": .integer(peakBytes >> 20), "result_bytes": .integer(resultBytes),
      "journal_bytes": .integer(journalBytes), "cells_run_for_this": .integer(sampled),
    ]
    switch coarse?.start {
    case .blocks(let blocks):
      members["coarse_at_least"] = [
        "blocks": .integer(blocks.first.count * maps), "drawn": .integer(drawn),
      ]
    case .cells(let reason): members["coarse_none"] = .string(reason)
    case nil: break
    }
    return .object(members)
  }

  func printText() {
    let both = directions.map(\.rawValue).joined(separator: " and ")
    print(
      "\(pairs) \(pairs == 1 ? "pair" : "pairs"), if all enter; \(rows) rows by \(columns) windows, \(both)"
    )
    print(
      String(
        format: "cells       %d, as far as pairs have positions there\n"
          + "forwards    %.0f: %.0f of cells and their controls, %.0f of runs; %.0f backwards",
        cells, passes.cells + passes.runs, passes.cells, passes.runs, passes.back))
    print(
      String(
        format:
          "arithmetic  %.2e operations\ntime        %@ on this machine, %.1e operations a second",
        work.operations, spoken(work.seconds), work.operations / work.seconds))
    print("memory      \(peakBytes >> 20) MiB")
    print(
      "disk        \(size(resultBytes)) of results; \(size(journalBytes)) beside them until it is done"
    )
    switch coarse?.start {
    case .blocks(let blocks):
      print(
        "--coarse    \(blocks.first.count * maps) blocks and up to \(drawn) drawn cells at least; how many "
          + "more depends on where effects are, at most all cells")
    case .cells(let reason): print("--coarse    \(reason)")
    case nil: break
    }
    print("measured on \(sampled) cells; nothing was written")
  }

  private func spoken(_ seconds: Double) -> String {
    seconds < 100
      ? String(format: "%.1f s", seconds)
      : seconds < 6000
        ? String(format: "%.1f min", seconds / 60) : String(format: "%.1f h", seconds / 3600)
  }

  private func size(_ bytes: Int) -> String {
    bytes < 1 << 20
      ? "\((bytes + 1023) >> 10) KiB" : String(format: "%.1f MiB", Double(bytes) / 1_048_576)
  }
}

extension PairListOptions {
  /// The model and the pairs that would be tried, without a run of either: no split is opened.
  fileprivate func opened(_ model: ModelOptions) throws -> (OpenedModel, [OpenedPair]) {
    let listed = try RecordedPair.list(contentsOf: pairs, task: task)
    let conditions = PairConditions(
      alignment: alignment, corruption: try Corruption(corruption), rules: try rules.rules(),
      split: split, limit: limit, verb: "tap map")
    let opened = try OpenedModel(model)
    // A map states the digest of its model, which reads all of it.
    _ = try opened.digest()
    let chosen = try conditions.chosen(among: listed, of: pairs)
    return (
      opened,
      try chosen.map {
        try OpenedPair($0, opened, conditions.alignment, conditions.corruption)
      }
    )
  }
}

extension MeasuredPair {
  /// Values of the right number and shape, for the time and the size of stating them.
  fileprivate init(
    inventedFor pair: OpenedPair, times: CellTimes, _ rows: [GridRow], _ columns: [GridWindow],
    _ asked: MapRequest
  ) {
    // Values that differ, as those of a map do, with as many digits.
    let grid = rows.indices.map { row in
      columns.indices.map { column -> Double? in
        columns[column].window.positions(in: times.spans[row]).isEmpty
          ? nil : Elementary.sin(Double(row * columns.count + column))
      }
    }
    let values = asked.directions.map { _ in grid }
    func outcome(_ change: Double) -> Outcome {
      let own = times.outcome
      return Outcome(
        logitDifference: own.logitDifference + change, probability: own.probability + change / 8,
        foilProbability: own.foilProbability + change / 8,
        sequence: own.sequence.map { $0 + change }, divergence: own.divergence.map { $0 + change })
    }
    let maps = values.map { $0.map { $0.map { $0.map(outcome) } } }
    (clean, corrupt, patched) = (outcome(2), outcome(-2), maps)
    controls = asked.controls.reduce(into: [:]) { $0[$1] = maps }
    estimates = asked.search == nil ? [] : values
    spoken = nil
    alignments = asked.directions.map { _ in AlignmentChoice.identity.rawValue }
    alignmentCosts = asked.directions.map { _ in nil }
    (searchCost, cost) = (Cost(), Cost())
  }
}
