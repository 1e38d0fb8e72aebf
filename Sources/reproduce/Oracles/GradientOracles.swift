// Oracles of attribution: that a gradient is the slope of the patched run, and that what is added up
// adds up.

import Interventions
import Speech
import Tensor

/// Oracles 3 to 8.
func gradientOracles(_ subject: OracleSubject) throws -> [Oracle] { [try slopes(subject)] }

/// 5. Attribution is the slope of the patched logit difference at a step of no length.
private func slopes(_ subject: OracleSubject) throws -> Oracle {
  let (base, source) = (subject.corrupt, subject.clean)
  let sites = subject.model.residualSites.map(\.site)
  let estimates = try subject.model.attribution(
    of: source, into: base, cells: sites.map { Cell($0) })
  var (worst, smallest) = (0.0, Double.infinity)
  for (site, estimate) in zip(sites, estimates) {
    guard let estimate else { continue }
    let selection = try subject.selection(site, base: base, source: source)
    func slope(_ step: Float) throws -> Double {
      let ends = try subject.model.patched(
        base, [[selection.patch(by: step)], [selection.patch(by: -step)]])
      return (ends[0].logitDifference - ends[1].logitDifference) / (2 * Double(step))
    }
    // Two steps, so that the error is of fourth order and rounding stays small.
    let found = (4 * (try slope(0.02)) - (try slope(0.04))) / 3
    worst = max(worst, abs(found - estimate) / abs(estimate))
    smallest = min(smallest, abs(estimate))
  }
  return Oracle(
    5, "gradient equals finite differences", passes: worst < 1e-3, seen: smallest,
    "\(sites.count) residual sites, largest relative error \(scientific(worst)), smallest slope "
      + decimal(smallest))
}
