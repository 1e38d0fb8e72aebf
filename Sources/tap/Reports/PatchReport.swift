// What `tap patch` says: the runs as they are, the patched one, and its controls.

import Foundation
import Interventions
import JSON
import Tensor

/// A patch of one pair of recordings, and what it did.
struct FoundPatch {
  let here: Trace
  let there: Trace
  let joined: Alignment
  let positions: [[Int]]
  let patched: Outcome
  let controls: [PatchControls.Entry]
  /// Of the controls that could be patched, in order.
  let controlOutcomes: [Outcome]

  private var unpatched: Outcome {
    here.question.outcome(here.logits, reference: there.logits)
  }

  private var whole: Outcome { here.question.outcome(there.logits, reference: there.logits) }

  /// Each control with what it did; nil where it could not be patched.
  private var results: [(entry: PatchControls.Entry, outcome: Outcome?)] {
    var next = controlOutcomes[...]
    return controls.map { ($0, $0.patches == nil ? nil : next.removeFirst()) }
  }

  func printTable(_ names: String, _ alpha: Float) {
    print("site        \(names), alpha \(alpha)")
    print("positions   \(positions.map { "\($0)" }.joined(separator: " "))")
    print(
      "alignment   \(joined.name)" + (joined.cost.map { String(format: ", cost %.4f", $0) } ?? ""))
    print("\nmetric               base     source    patched   recovery")
    for metric in Metric.allCases {
      guard let b = unpatched[metric], let s = whole[metric], let p = patched[metric]
      else { continue }
      let share = metric.recovery(of: patched, from: unpatched, to: whole)
      print(
        metric.rawValue.padding(toLength: 17, withPad: " ", startingAt: 0)
          + String(format: "%9.5f  %9.5f  %9.5f", b, s, p)
          + (share.map { String(format: "  %9.4f", $0) } ?? "          -"))
    }
    guard !controls.isEmpty else { return }
    print("\ncontrol           logit difference   recovery   what it should recover")
    for (entry, outcome) in results {
      let name = entry.name.padding(toLength: 18, withPad: " ", startingAt: 0)
      guard let outcome else {
        print(name + "       -          -          not defined: \(entry.expected)")
        continue
      }
      let share = Metric.logitDifference.recovery(of: outcome, from: unpatched, to: whole)
      print(
        name + String(format: "%9.5f", outcome.logitDifference)
          + (share.map { String(format: "          %9.4f   ", $0) } ?? "                  -   ")
          + entry.expected)
    }
  }

  var json: [String: JSON] {
    [
      "positions": .array(positions.map { .array($0.map { .integer($0) }) }),
      "alignment": joined.json, "base_run": unpatched.json, "source_run": whole.json,
      "patched": patched.json, "recovery": recovery(patched),
      "effect": .number(patched.logitDifference - unpatched.logitDifference),
      "controls": .array(
        results.map { entry, outcome in
          [
            "name": .string(entry.name), "expected": .string(entry.expected),
            "patched": outcome?.json ?? .null, "recovery": outcome.map(recovery) ?? .null,
          ]
        }),
    ]
  }

  private func recovery(_ outcome: Outcome) -> JSON {
    .object(
      Metric.allCases.reduce(into: [:]) { all, metric in
        if let share = metric.recovery(of: outcome, from: unpatched, to: whole) {
          all[metric.rawValue] = .number(share)
        }
      })
  }
}
