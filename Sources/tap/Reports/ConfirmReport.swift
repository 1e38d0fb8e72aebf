// What `tap confirm` says of all pairs: each cell's recovery with its interval, its controls and the
// contrast with another item, and the certificate of each direction.

import Foundation
import Interventions
import JSON
import Tensor

/// What patching one cell did in one direction, over pairs.
private struct ConfirmedCell {
  /// The mean change of the logit difference, in nats.
  let effect: Double?
  /// By what was patched, then by metric.
  let recoveries: [String: [Metric: GroupedRecovery]]
}

/// Confirmed effects over all pairs.
struct ConfirmReport {
  private let chosen: [ProposedCell]
  private let top: Int
  private let directions: [Direction]
  private let groups: [String]
  /// How many cells the search has ranked.
  private let cells: Int
  private let hit: Double
  /// By direction and cell.
  private let found: [[ConfirmedCell]]
  private let certified: [Certified]
  private let threshold: Double

  private static let real = "recovery"
  /// The recovery less that of another item.
  private static let contrast = "contrast"

  /// - Parameters:
  ///   - top: how many of the chosen cells were proposed; the others are a random sample of the rest
  ///   - groups: the resampling unit of each pair
  ///   - hit: the share of the mean gap from which an effect counts as a hit
  ///   - seed: that of the sample
  init(
    _ proposal: Proposal, _ chosen: [ProposedCell], top: Int, _ measured: [ConfirmedPair],
    groups: [String], hit: Double, seed: UInt64
  ) throws {
    (self.chosen, self.top, self.groups, self.hit) = (chosen, top, groups, hit)
    directions = proposal.directions
    cells = proposal.cells.count
    let runs = measured.map { (clean: $0.clean, corrupt: $0.corrupt) }
    let random = Random(seed: seed).split("intervals")
    found = try proposal.directions.enumerated().map { d, direction in
      try mapInParallel(chosen.count) { cell in
        func changes(_ metric: Metric, _ values: (ConfirmedPair) -> [[Outcome?]]) -> CellChanges {
          CellChanges(
            direction, metric, runs: runs, patched: measured.map { values($0)[d][cell] },
            groups: groups)
        }
        let stream = random.split(direction.rawValue).split(chosen[cell].name)
        var recoveries: [String: [Metric: GroupedRecovery]] = [:]
        for metric in Metric.allCases {
          func add(_ name: String, _ changes: CellChanges) {
            recoveries[name, default: [:]][metric] = changes.estimate(
              stream.split(name).split(metric.rawValue))
          }
          add(Self.real, changes(metric, \.patched))
          for (k, kind) in MatchedControl.allCases.enumerated() {
            add(kind.rawValue, changes(metric) { $0.controls[k] })
          }
          let other = MatchedControl.allCases.firstIndex(of: .wrongItem)!
          add(
            Self.contrast,
            CellChanges(
              direction, metric, runs: runs, patched: measured.map { $0.patched[d][cell] },
              control: measured.map { $0.controls[other][d][cell] }, groups: groups))
        }
        return ConfirmedCell(
          effect: changes(.logitDifference, \.patched).mean, recoveries: recoveries)
      }
    }
    let gap =
      measured.reduce(0) { $0 + $1.clean.logitDifference - $1.corrupt.logitDifference }
      / Double(measured.count)
    let threshold = hit * gap
    self.threshold = threshold
    certified = proposal.directions.enumerated().map { d, direction in
      Certified(
        estimates: measured.map { _ in chosen.map { $0.estimates[d] } },
        changes: measured.map { pair in
          let base = direction == .sufficiency ? pair.corrupt : pair.clean
          return pair.patched[d].map { $0.map { $0.logitDifference - base.logitDifference } }
        }, groups: groups, isSigned: proposal.isSigned, searchCost: proposal.cost,
        threshold: threshold,
        sample: (Array(top..<chosen.count), proposal.cells.count - top, seed),
        Random(seed: seed).split("certificate").split(direction.rawValue))
    }
  }

  var json: [String: JSON] {
    var members: [String: JSON] = [
      "cells_ranked": .integer(cells), "top": .integer(top),
      "random": .integer(chosen.count - top),
      "metrics": .array(Metric.allCases.map { .string($0.rawValue) }),
      "aggregate": "ratio of means over pairs, not clipped",
      "intervals": .string(intervalNote(groups: Set(groups).count)),
      "hit_share_of_gap": .number(hit), "hit_threshold": .number(threshold),
    ]
    for (d, direction) in directions.enumerated() {
      members[direction.rawValue] = [
        "certificate": certified[d].json,
        "cells": .array(
          chosen.indices.map { cell in
            var entry: [String: JSON] = [
              "cell": .string(chosen[cell].name), "proposed": .bool(cell < top),
              "estimate": numbers([chosen[cell].estimates[d]]).elements![0],
              "effect": numbers([found[d][cell].effect]).elements![0],
            ]
            for (name, recoveries) in found[d][cell].recoveries {
              entry[name] = .object(
                recoveries.reduce(into: [:]) { $0[$1.key.rawValue] = $1.value.json })
            }
            return .object(entry)
          }),
      ]
    }
    return members
  }

  func printSummary() {
    let count = Set(groups).count
    for (d, direction) in directions.enumerated() {
      print("\n\(direction.rawValue): recovery of the logit difference, and of the probability")
      let width = count < fewestGroups ? 0 : 19
      func column(_ name: String, _ width: Int) -> String {
        name.padding(toLength: width, withPad: " ", startingAt: 0)
      }
      print(
        column("recovery", 10 + width) + column("less wrong item", 17 + width)
          + "wrong item  random dir.  sham      probability  cell")
      for cell in chosen.indices.prefix(min(top, 10)) {
        func text(_ name: String, _ metric: Metric = .logitDifference) -> String {
          found[d][cell].recoveries[name]?[metric]?.text ?? "       -"
        }
        func value(_ name: String, _ metric: Metric = .logitDifference) -> String {
          found[d][cell].recoveries[name]?[metric].map { String(format: "%8.4f", $0.value) }
            ?? "       -"
        }
        let controls = MatchedControl.allCases.map { value($0.rawValue) }
        print(
          column(text(Self.real), 10 + width) + column(text(Self.contrast), 17 + width)
            + controls.joined(separator: "    ") + "   " + value(Self.real, .probability) + "   "
            + chosen[cell].name)
      }
      let rest = found[d].dropFirst(top).compactMap {
        $0.recoveries[Self.real]?[.logitDifference]?.value
      }
      if let largest = rest.map({ abs($0) }).max() {
        print(
          "largest recovery among \(rest.count) cells drawn from the rest: "
            + String(format: "%.4f", largest))
      }
      if count < fewestGroups { print(intervalNote(groups: count)) }
      certified[d].printText(
        "\(min(top, chosen.count)) proposed and \(chosen.count - top) drawn at random from the other "
          + "\(cells - top); overlap and cost hold among these")
    }
    print(
      "\nhits move at least \(hit) of the mean gap, " + String(format: "%.4f nats", threshold))
  }
}
