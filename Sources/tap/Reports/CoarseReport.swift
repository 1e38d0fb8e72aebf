// What `tap map --coarse` says of the cells that it left out: how many, on what grounds, what a sample of
// them says, and what was saved.

import Foundation
import Interventions
import JSON

/// What was found from coarse to fine.
struct CoarseReport {
  private enum Outcome {
    case found(FoundCells)
    /// Every cell was patched, and why.
    case all(String)
  }
  private let outcome: Outcome
  private let settings: CoarseSettings

  init(_ found: FoundCells, _ settings: CoarseSettings) {
    (outcome, self.settings) = (.found(found), settings)
  }

  init(allBecause reason: String, _ settings: CoarseSettings) {
    (outcome, self.settings) = (.all(reason), settings)
  }

  /// Of the blocks.
  var cost: Cost {
    if case .found(let found) = outcome { found.cost } else { Cost() }
  }

  /// Which cells a map has.
  var cells: String {
    if case .found = outcome { "those that were patched" } else { "all of the map" }
  }

  /// What holds of tests over cells that were chosen by what is tested.
  private static let chosen =
    "tests and certificates are over the patched cells, which their blocks chose on the same pairs; "
    + "confirm what they find on other pairs"

  /// Numbers of one direction: cells that some pair has, and those of them that were patched.
  private func counts(_ found: FoundCells, _ d: Int, _ cells: [[Double?]]) -> (
    there: Int, patched: Int
  ) {
    let patched = cells.joined().map { $0 != nil }
    // Blocks of one cell were not looked at from outside.
    return (zip(found.isThere[d].joined(), patched).count { $0 || $1 }, patched.count { $0 })
  }

  func json(_ report: MapReport, _ plan: MapPlan) -> JSON {
    let found: FoundCells
    switch outcome {
    case .all(let reason): return ["none": .string(reason)]
    case .found(let own): found = own
    }
    var members: [String: JSON] = [
      "split_at": .number(settings.splitAt), "hit_share_of_gap": .number(settings.hit),
      "metric": .string(Metric.logitDifference.rawValue),
      "blocks_are": "patched together, all cells from the same source run",
      "forwards_of_blocks": .number(found.cost.forwards),
      "tests_are": .string(CoarseReport.chosen),
    ]
    for (d, direction) in plan.asked.directions.enumerated() {
      let (map, cells) = (found.maps[d], report.recovery(d, .logitDifference))
      let (there, patched) = counts(found, d, cells)
      members[direction.rawValue] = [
        "cells": .integer(there), "patched": .integer(patched),
        "blocks": .integer(map.patchedBlocks), "skipped": .integer(map.skipped),
        "drawn": .array(
          map.drawn.map { [.integer($0.rows.lowerBound), .integer($0.columns.lowerBound)] }),
        "missed": map.missed(cells, hit: settings.hit, seed: CoarseSettings.seed)?.json ?? .null,
        "levels": .array(
          map.levels.map { level in
            [
              "rows": .integer(level.size.rows), "columns": .integer(level.size.columns),
              "blocks": .array(
                level.blocks.indices.map { i in
                  [
                    "rows": bounds(level.blocks[i].rows),
                    "columns": bounds(level.blocks[i].columns),
                    "recovery": numbers([level.recoveries[i]]).elements![0],
                    "split": .bool(level.isSplit[i]),
                  ]
                }),
            ]
          }),
        "parts_of_splits": .array(
          map.additivity(cells).map {
            [
              "rows": .integer($0.size.rows), "columns": .integer($0.size.columns),
              "splits": .integer($0.splits), "mean_difference": .number($0.meanDifference),
              "mean_ratio": .number($0.meanRatio), "farthest_above": .number($0.farthestAbove),
            ]
          }),
      ]
    }
    return .object(members)
  }

  private func bounds(_ range: Range<Int>) -> JSON {
    [.integer(range.lowerBound), .integer(range.upperBound)]
  }

  func printText(_ report: MapReport, _ plan: MapPlan) {
    let found: FoundCells
    switch outcome {
    case .all(let reason): return print("\ncoarse to fine: \(reason)")
    case .found(let own): found = own
    }
    print("\n\(CoarseReport.chosen)")
    for (d, direction) in plan.asked.directions.enumerated() {
      let (map, cells) = (found.maps[d], report.recovery(d, .logitDifference))
      let (there, patched) = counts(found, d, cells)
      print(
        "\ncoarse to fine, \(direction.rawValue): \(patched) of \(there) cells patched, "
          + "\(map.drawn.count) of them drawn, and \(map.patchedBlocks) blocks; "
          + String(
            format: "%.1f times fewer than all cells",
            Double(there) / Double(max(1, patched + map.patchedBlocks))))
      print(
        "  skipped    \(map.skipped) cells in blocks that move less than \(settings.splitAt) of the gap"
      )
      if let missed = map.missed(cells, hit: settings.hit, seed: CoarseSettings.seed) {
        print(
          "  drawn      \(missed.exceeding) of \(missed.sampled) move \(settings.hit) of the gap or more, "
            + "so at most \(missed.bound) of all skipped do (95 %)")
      }
      for split in map.additivity(cells) {
        print(
          String(
            format:
              "  parts      of %d blocks of %@: their sum is %.2f times the whole, %.3f away; a part is "
              + "above its whole by at most %.3f",
            split.splits, "\(split.size)", split.meanRatio, split.meanDifference,
            split.farthestAbove))
      }
    }
  }
}
