// How `tap subspace` states what a method's directions do: a table, and JSON.

import Foundation
import Interventions
import JSON

extension SubspaceReport {
  /// The smallest K that reaches nine tenths of the whole activation's recovery.
  private var enough: Int? { isAbove ? saturation.ranked.smallestCount(of: full.value) : nil }

  /// Whether the whole activation recovers anything of which shares could be told.
  private var isAbove: Bool { full.low > 0 }

  private func area(_ curve: SaturationCurve) -> Double { curve.normalisedArea(of: full.value) }

  private var randomArea: Double? {
    let areas = saturation.random.map(area)
    return areas.isEmpty ? nil : areas.reduce(0, +) / Double(areas.count)
  }

  private func randomMean(_ k: Int) -> Double? {
    let values = saturation.random.map { $0.recoveries[k] }
    return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  func json(_ direction: Direction) -> JSON {
    var members: [String: JSON] = [
      "method": .string(method.rawValue), "direction": .string(direction.rawValue),
      "components": .integer(components), "full": full.json,
      "full_accuracy": .number(fullAccuracy),
      "saturation": [
        "k": .array(saturation.ranked.counts.map { .integer($0) }),
        "ranked": numbers(saturation.ranked.recoveries),
        "reversed": numbers(saturation.reversed.recoveries),
        "random": .array(saturation.random.map { numbers($0.recoveries) }),
        "k90": enough.map { .integer($0) } ?? .null,
        "area_ranked": isAbove ? .number(area(saturation.ranked)) : .null,
        "area_reversed": isAbove ? .number(area(saturation.reversed)) : .null,
        "area_random": isAbove ? randomArea.map { .number($0) } ?? .null : .null,
      ],
      "results": .array(results.map(\.json)),
    ]
    if method == .das { members["alignment_controls"] = .array(alignment.map(\.json)) }
    if let illusion {
      members["illusion"] = [
        "null_share": .number(illusion.nullShare),
        "recovery_row": .number(illusion.row), "recovery_null": .number(illusion.null),
        "variance_row": illusion.rowVariance.map { .number($0) } ?? .null,
        "variance_null": illusion.nullVariance.map { .number($0) } ?? .null,
      ]
    }
    return .object(members)
  }

  func printTable(_ direction: Direction) {
    func cell(_ value: Double?) -> String { value.map { String(format: "%7.3f", $0) } ?? "      -" }
    print(
      "\n\(method.rawValue), \(direction.rawValue): the whole activation recovers \(full.text), "
        + String(format: "source's answer %.2f", fullAccuracy))
    if results.isEmpty {
      print("    K  swapped  reversed  random")
      for (i, k) in saturation.ranked.counts.enumerated() {
        print(
          String(format: "%5d ", k) + cell(saturation.ranked.recoveries[i]) + "   "
            + cell(saturation.reversed.recoveries[i]) + " " + cell(randomMean(i)))
      }
    } else {
      print(
        "    K  recovery                 complement  answer    haar variance   norm  mahal.  "
          + "wrong      p  divergence")
      for result in results {
        let families = RandomFamily.allCases.map { cell(result.families[$0.rawValue]?.mean) }
        let p = result.families.values.map(\.p).max()
        // The distance to the fifth nearest natural activation, over that of natural ones.
        let far = result.divergence.map { $0.neighbour / $0.naturalNeighbour }
        print(
          String(format: "%5d  ", result.k) + result.recovery.text + "     "
            + cell(result.complement) + cell(result.accuracy) + " "
            + families.joined(separator: " ") + cell(result.wrongItem) + cell(p) + cell(far))
      }
    }
    printAlignment()
    guard isAbove else {
      print("the whole activation's recovery is not above 0, so that no share of it can be told")
      return
    }
    print(
      "K for 90 %: \(enough.map(String.init) ?? "not reached"); area "
        + String(
          format: "%.3f ranked, %.3f reversed", area(saturation.ranked), area(saturation.reversed))
        + (randomArea.map { String(format: ", %.3f random", $0) } ?? ""))
    if let illusion {
      print(
        String(
          format: "not read: %.3f of the directions; read part alone %.3f, unread part alone %.3f",
          illusion.nullShare, illusion.row, illusion.null)
          + (illusion.rowVariance.map {
            String(format: "; variance of the read part %.2f of a random direction's", $0)
          } ?? ""))
    }
  }
}

extension SubspaceReport {
  /// How often the token that was trained for follows, and where nothing is to be found.
  fileprivate func printAlignment() {
    guard !alignment.isEmpty else { return }
    print(
      "    K  answer follows     permuted answers (recovery)  random weights    fitted/held out")
    for controls in alignment {
      func text(_ found: AlignmentAccuracy?) -> String {
        found.map { String(format: "%.2f/%.2f", $0.fitted, $0.held) } ?? "none     "
      }
      print(
        String(format: "%5d  ", controls.k) + text(controls.real) + "          "
          + text(controls.arbitrary)
          + (controls.arbitraryRecovery.map { String(format: " (%.3f)", $0) } ?? "        ")
          + "           " + text(controls.untrained))
    }
  }
}

extension AlignmentControls {
  fileprivate var json: JSON {
    func accuracy(_ found: AlignmentAccuracy?) -> JSON {
      found.map { ["fitted": .number($0.fitted), "held_out": .number($0.held)] } ?? .null
    }
    return [
      "k": .integer(k), "answer_follows": accuracy(real), "permuted_answers": accuracy(arbitrary),
      "permuted_answers_recovery": numbers([arbitraryRecovery])[0],
      "random_weights": accuracy(untrained),
    ]
  }
}

extension SubspaceResult {
  var json: JSON {
    var members: [String: JSON] = [
      "k": .integer(k), "recovery": recovery.json, "accuracy": .number(accuracy),
      "complement": .number(complement), "wrong_item": wrongItem.map { .number($0) } ?? .null,
      "families": .object(
        families.mapValues {
          [
            "mean": .number($0.mean), "highest": .number($0.highest), "p": .number($0.p),
            "draws": .integer($0.draws),
          ]
        }),
    ]
    if let divergence {
      members["divergence"] = [
        "mahalanobis": numbers([divergence.mahalanobis])[0],
        "natural_mahalanobis": numbers([divergence.naturalMahalanobis])[0],
        "neighbour": .number(divergence.neighbour),
        "natural_neighbour": .number(divergence.naturalNeighbour),
      ]
    }
    return .object(members)
  }
}

extension JSON {
  /// An element of a list.
  fileprivate subscript(index: Int) -> JSON { elements?[index] ?? .null }
}
