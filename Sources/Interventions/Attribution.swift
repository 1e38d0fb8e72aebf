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
    let question = base.question
    let batch = try Batch(config.sound, clips: [question.clip], prompts: [Prompt(question.tokens)])
    let boundaries = Dictionary(
      uniqueKeysWithValues: residualSites.map { ($0.site, $0.boundary) })
    var kept: [(boundary: Boundary, x: Tensor)] = []
    let logits = self.logits(
      after: .encoder(0), embedded(batch).variable, in: batch, rows: [question.tokens.count - 1]
    ) { site, x in
      if let boundary = boundaries[site] { kept.append((boundary, x)) }
      return x
    }
    var seed = [Float](repeating: 0, count: logits.count)
    seed[question.answer] += 1
    seed[question.foil] -= 1
    let gradients = logits.gradients(of: kept.map(\.x), weights: Tensor(logits.shape, seed))
    let slopes = Dictionary(uniqueKeysWithValues: zip(kept.map(\.boundary), gradients))
    return cells.map { cell in
      let positions = base.timeline.positions(in: cell.window, at: cell.site.stage)
      guard !positions.isEmpty, let slope = slopes[cell.boundary] else { return nil }
      let (a, b) = (source.state(at: cell.boundary), base.state(at: cell.boundary))
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
