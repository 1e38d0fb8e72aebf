// How estimates are held against exact effects over pairs, and how results state the certificate.

import Interventions
import JSON
import Tensor

/// The certificate of some cells, or why there is none.
struct Certified {
  let certificate: Certificate?
  private let reason: String
  private let groups: Int
  /// Cells whose exact effect is zero by structure, which no search can find.
  private let structural: Int

  /// - Parameters:
  ///   - estimates: by pair and cell, in nats; nil where the pair has no such cell
  ///   - changes: exact changes of the logit difference, alike
  ///   - groups: the resampling unit of each pair
  ///   - isSigned: false where estimates are sizes, which sizes of effects are compared with
  ///   - searchCost: forward passes for a pair in one direction
  ///   - threshold: the size from which an effect counts as a hit, in nats
  ///   - sample: which cells are a random sample of those that were not proposed, of how many, and
  ///     with which seed they were drawn
  init(
    estimates: [[Double?]], changes: [[Double?]], groups: [String], isSigned: Bool,
    searchCost: Double, threshold: Double,
    sample: (cells: [Int], unverified: Int, seed: UInt64)? = nil, _ random: Random
  ) {
    self.groups = Set(groups).count
    let compared = ComparedCells(
      estimates: estimates,
      effects: isSigned ? changes : changes.map { $0.map { $0.map { abs($0) } } })
    structural = compared.zeros.count
    let effects = compared.meanEffects
    // The sample was drawn of all cells, and zeros by structure are no hits of it.
    let missed = sample.flatMap { sample -> MissedCells? in
      let found = sample.cells.compactMap { compared.zeros.contains($0) ? 0 : effects[$0] }
      return found.isEmpty
        ? nil
        : MissedCells(
          sampledEffects: found, unverified: sample.unverified, threshold: threshold,
          seed: sample.seed)
    }
    do {
      certificate = try compared.certificate(
        groups: self.groups < fewestGroups ? nil : groups, searchCost: searchCost,
        threshold: threshold, missed: missed, random)
      reason = ""
    } catch {
      certificate = nil
      reason = "\(error)"
    }
  }

  /// What is said of intervals over groups.
  private var intervals: String { intervalNote(groups: groups) }

  var json: JSON {
    guard let certificate else { return ["none": .string(reason)] }
    var members = certificate.json
    members["zero_by_structure"] = .integer(structural)
    members["intervals"] = .string(intervals)
    return .object(members)
  }

  /// - Parameter cells: which cells are compared
  func printText(_ cells: String) {
    guard let certificate else {
      print("no certificate: \(reason)")
      return
    }
    print("\(certificate)")
    if groups < fewestGroups { print("  intervals  \(intervals)") }
    print("  cells      \(cells); \(structural) more have no exact effect in any pair")
  }
}

/// What results say of intervals where pairs are of so many groups.
func intervalNote(groups: Int) -> String {
  groups < fewestGroups
    ? "too few groups for an interval: \(groups), \(fewestGroups) are needed"
    : "95 % over \(groups) groups of pairs, cluster bootstrap"
}

extension Certificate {
  /// How results state it.
  var json: [String: JSON] {
    func number(_ value: Double?) -> JSON { numbers([value]).elements![0] }
    func bounds(_ estimate: Estimate?) -> JSON {
      estimate.map { numbers([$0.low, $0.high]) } ?? .null
    }
    return [
      "cells": .integer(cells), "pearson": number(pearson), "spearman": number(spearman),
      "kendall": number(kendall), "pearson_interval": bounds(intervals?.pearson),
      "spearman_interval": bounds(intervals?.spearman),
      "kendall_interval": bounds(intervals?.kendall), "sign_agreement": number(signAgreement),
      "slope": number(slope), "largest_difference": .number(largestDifference),
      "hit_threshold": number(threshold),
      "agreements": .array(
        agreements.map {
          [
            "k": .integer($0.k), "name": .string($0.name), "overlap": .number($0.overlap),
            "chance": .number($0.chance), "precision": number($0.precision),
            "recall": number($0.recall),
          ]
        }),
      "search_cost": .number(searchCost),
      "verified_recall": .array(
        recallCosts.map {
          [
            "k": .integer($0.k), "cost": .number($0.cost), "ratio": .number($0.ratio),
            "random": .number($0.random), "exhaustive": .number($0.exhaustive),
          ]
        }),
      "mean_cost_ratio": .number(meanCostRatio), "missed": missed?.json ?? .null,
    ]
  }
}

extension MissedCells {
  var json: JSON {
    [
      "unverified": .integer(unverified), "sampled": .integer(sampled),
      "seed": .integer(Int(seed)), "hit_threshold": .number(threshold),
      "exceeding": .integer(exceeding), "alpha": .number(alpha), "at_most": .integer(bound),
    ]
  }
}

extension GroupedRecovery {
  /// How results state it; the bounds are null where there are too few groups.
  var json: JSON {
    [
      "value": .number(value), "low": numbers([interval?.low]).elements![0],
      "high": numbers([interval?.high]).elements![0],
    ]
  }

  var text: String {
    String(format: "%8.4f", value)
      + (interval.map { String(format: " [%7.4f, %7.4f]", $0.low, $0.high) } ?? "")
  }
}
