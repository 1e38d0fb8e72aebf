// Sanity checks as an experiment states them: a control, a row of the table and a number of the ledger
// each, under the rule that was written down.

import Interventions
import Notebook

extension Notebook {
  /// States what a check measured. Where it is not what was written down, the run ends with status 1 and
  /// leaves the outputs as they were, behind the whole table.
  ///
  /// A quick run has too few groups for an interval to mean anything, and nothing was written down for
  /// the reader's own model; of them only rules that ask of every single value are controls, and the
  /// others are reported either way.
  ///
  /// - Parameters:
  ///   - id: as the rules name it
  ///   - checkpoint: nil where none of the package was asked
  ///   - evidence: nil where there is nothing to measure
  public func control(
    _ id: String, of checkpoint: String? = nil, _ evidence: SanityEvidence?,
    under rules: SanityChecks
  ) -> SanityRow {
    let row = SanityRow(attempt { try rules.check(id) }, checkpoint, evidence)
    let name = ([row.check.item, row.check.label] + (checkpoint.map { [$0] } ?? []))
      .joined(separator: ", ")
    guard let rule = row.check.rule, let evidence else {
      say("\(name): \(row.check.measured)")
      return row
    }
    test(
      options.marks.isEmpty || rule.isExact ? .control : .contrast, name, "\(rule)",
      measured: row.result, holds: rule.holds(evidence.number))
    if evidence.number.value.isFinite {
      number("sanity.\(checkpoint.map { "\($0)." } ?? "")\(id)", evidence.number)
    }
    return row
  }
}
