// Exact patching of the cells of a map at residual sites, by what a donor puts there.

import Speech
import Tensor

extension SpeechLanguageModel {
  /// The logit difference of the base run with each cell patched.
  ///
  /// - Parameters:
  ///   - cells: residual sites in windows
  ///   - resuming: false computes every cell by one full run from the sound on, as a check
  ///   - skipping: cells that cannot change anything are not computed: those where the donor's
  ///     rows are the base's to the bit, and positions behind the last layer that no logit reads
  /// - Returns: for each cell the logit difference, or nil where the site has no position in the
  ///   window.
  public func patched(
    _ base: Trace, with donor: Donor, cells: [Cell], resuming: Bool = true, skipping: Bool = true
  ) throws -> [Double?] {
    var results = [Double?](repeating: nil, count: cells.count)
    var (indices, interventions): ([Int], [[Patch]]) = ([], [])
    for (i, cell) in cells.enumerated() {
      let positions = base.timeline.positions(in: cell.window, at: cell.site)
      guard !positions.isEmpty, let rows = try donor.rows(for: cell, positions, base) else {
        continue
      }
      indices.append(i)
      interventions.append([Patch(cell.site, positions: positions, taking: rows)])
    }
    let outcomes = try patched(base, interventions, resuming: resuming, skipping: skipping)
    for (i, outcome) in zip(indices, outcomes) { results[i] = outcome.logitDifference }
    return results
  }
}
