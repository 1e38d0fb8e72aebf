// Attribution patching (Nanda, 2023): the effect of every cell at once, to first order, from two
// forward passes and one backward.

import Speech
import Tensor

extension SpeechLanguageModel {
  /// (a_source - a_base) . dLD/da at the base run, summed over the positions of each cell's window.
  ///
  /// - Returns: the estimated change of the logit difference, or nil where the site has no position
  ///   in the window.
  public func attribution(of source: Trace, into base: Trace, cells: [Cell]) throws -> [Double?] {
    let sites = residualSites
    let slopes = try slopes(of: base, .logitDifference, at: sites)
    return cells.map { cell in
      let positions = base.timeline.positions(in: cell.window, at: cell.site)
      guard !positions.isEmpty, let slope = slopes[cell.site] else { return nil }
      let (a, b) = (source.kept[cell.site]!, base.kept[cell.site]!)
      var sum = 0.0
      for position in positions {
        for j in 0..<a.width {
          sum += Double(slope[position, j]) * (Double(a[position, j]) - Double(b[position, j]))
        }
      }
      return sum
    }
  }
}
