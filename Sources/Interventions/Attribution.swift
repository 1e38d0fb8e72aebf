// Attribution patching (Nanda, 2023): the effect of every cell at once, to first order, from two
// forward passes and one backward.

import Speech
import Tensor

extension AudioLanguageModel {
  /// (a_source - a_base) . dLD/da at the base run, summed over the positions of each cell's window.
  ///
  /// - Returns: the estimated change of the logit difference, or nil where the site has no position
  ///   in the window.
  public func attribution(of source: Trace, into base: Trace, cells: [Cell]) throws -> [Double?] {
    let slopes = try slopes(of: base)
    return cells.map { cell in
      let positions = base.timeline.positions(in: cell.window, at: cell.site.stage)
      guard !positions.isEmpty, let slope = slopes[cell.site] else { return nil }
      let (a, b) = (source.residual(cell.site), base.residual(cell.site))
      var sum = 0.0
      for position in positions {
        for j in 0..<a.width {
          sum += Double(slope[position, j]) * (Double(a[position, j]) - Double(b[position, j]))
        }
      }
      return sum
    }
  }
  /// The gradient of the logit difference with respect to the residual stream at each boundary.
  ///
  /// The reverse pass goes from boundary to boundary, each stretch run once more from the state that
  /// the trace kept, so that the record of one layer is in memory at a time.
  func slopes(of base: Trace) throws -> [Site: Tensor] {
    let question = base.question
    var batch = try Batch(
      config.sound, clips: [question.clip], prompts: [Prompt(question.tokens)])
    let sites = residualSites
    var behind = base.state(at: sites.last!.boundary).variable
    let logits = self.logits(
      after: sites.last!.boundary, behind, in: batch, rows: [question.tokens.count - 1])
    var seed = [Float](repeating: 0, count: logits.count)
    seed[question.answer] += 1
    seed[question.foil] -= 1
    var slope = logits.gradients(of: [behind], weights: Tensor(logits.shape, seed))[0]
    var slopes = [sites.last!.site: slope]
    for (site, boundary) in sites.dropLast().reversed() {
      behind = base.state(at: boundary).variable
      guard let next = advanced(behind, from: boundary, in: &batch) else { continue }
      slope = next.x.gradients(of: [behind], weights: slope)[0]
      slopes[site] = slope
    }
    return slopes
  }
}
