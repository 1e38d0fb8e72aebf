// The reverse pass of a run: the slope of what the model says by every activation that was kept.
//
// A run that was traced with its record is gone through once. A large model of the architectures that
// splice sound into a prompt can instead be gone through from boundary to boundary, each stretch run
// again from the state that the trace kept, so that the record of one layer is in memory at a time.

import Speech
import Tensor

/// What the slope is taken of.
public enum Target: String, Codable, Sendable, CaseIterable {
  case logitDifference = "logit-difference"
  case probability
  case sequence
}

extension Question {
  /// The slope of a target by the logits that are read, [reads, vocabulary].
  ///
  /// - Throws: where the target is the probability of whole answers, which were not read.
  func slope(of target: Target, _ logits: Tensor) throws -> Tensor {
    let width = logits.width
    var seed = [Float](repeating: 0, count: logits.count)
    let decisive = answers.shared.count
    /// Adds the slope of factor * log p(token) of a row.
    func add(_ factor: Double, _ token: Int, row: Int) {
      let p = LogProbabilities(logits, row: row)
      for j in 0..<width { seed[row * width + j] -= Float(factor * Elementary.exp(p[j])) }
      seed[row * width + token] += Float(factor)
    }
    switch target {
    case .logitDifference:
      seed[decisive * width + answer] += 1
      seed[decisive * width + foil] -= 1
    case .probability:
      let p = Elementary.exp(LogProbabilities(logits, row: decisive)[answer])
      add(p, answer, row: decisive)
    case .sequence:
      guard readsWholeAnswers else {
        throw CellError("the question does not read whole answers; take another target")
      }
      var start = decisive + 1
      for (tokens, sign) in [(answers.answer, 1.0), (answers.foil, -1.0)] {
        let factor = sign / Double(decisive + tokens.count)
        for (row, token) in answers.shared.enumerated() { add(factor, token, row: row) }
        let rows = [decisive] + (start..<(start + tokens.count - 1))
        start += tokens.count - 1
        for (row, token) in zip(rows, tokens) { add(factor, token, row: row) }
      }
    }
    return Tensor(logits.shape, seed)
  }
}

extension SpeechLanguageModel {
  /// The slope of a target by the activation of every site, laid out as the model computes it.
  ///
  /// - Parameters:
  ///   - base: a trace that has kept `sites`
  ///   - rules: other rules than the gradient's
  ///   - blocked: sites through which nothing flows back
  func slopes(
    of base: Trace, _ target: Target, at sites: [Site], by rules: ReverseRules = .gradient,
    blocking blocked: [Site] = []
  ) throws -> [Site: Tensor] {
    if let record = base.record {
      let seed = try base.question.slope(of: target, base.logits)
      let slopes = record.logits.gradients(
        of: sites.map { record.activations[$0]! }, weights: seed, by: rules,
        blocking: blocked.map { record.activations[$0]! })
      return Dictionary(uniqueKeysWithValues: zip(sites, slopes))
    }
    guard let splicing = self as? AudioLanguageModel else {
      throw CellError(
        "layers are run again on the way back only where sound is spliced into a prompt; search this "
          + "architecture with the record of all layers, without --low-memory")
    }
    return try splicing.slopesByBoundary(
      of: base, target, at: Set(sites), by: rules, blocking: Set(blocked))
  }
}

extension AudioLanguageModel {
  /// The same from boundary to boundary.
  fileprivate func slopesByBoundary(
    of base: Trace, _ target: Target, at sites: Set<Site>, by rules: ReverseRules,
    blocking blocked: Set<Site>
  ) throws -> [Site: Tensor] {
    let question = base.question
    var batch = try batch(question.input, spliced: base.spliced)
    let residual = residualSites
    var kept: [(site: Site, x: Tensor)] = []
    var closed: [Tensor] = []
    let tap: Tap = { site, x in
      // A second encoder's branch does not begin at the stretch's residual stream.
      let x = x.isDifferentiated ? x : x.variable
      if sites.contains(site) { kept.append((site, x)) }
      if blocked.contains(site) { closed.append(x) }
      return x
    }
    var slopes: [Site: Tensor] = [:]
    var slope: Tensor?
    for (site, boundary) in residual.reversed() {
      let behind = base.state(at: boundary).variable
      (kept, closed) = ([], [])
      let out: Tensor
      if slope == nil {
        let rows = question.reads(of: base.timeline.tokens)
        out = logits(after: boundary, behind, in: batch, rows: rows, tap: tap)
        slope = try question.slope(of: target, out)
      } else if let next = advanced(behind, from: boundary, in: &batch, tap: tap) {
        out = next.x
      } else {
        continue
      }
      // A site at the far end of the stretch is the next boundary, which has been dealt with.
      let new = kept.filter { slopes[$0.site] == nil }
      let found = out.gradients(
        of: [behind] + new.map(\.x), weights: slope, by: rules, blocking: closed)
      slope = found[0]
      for ((site, _), gradient) in zip(new, found.dropFirst()) { slopes[site] = gradient }
      if sites.contains(site) { slopes[site] = found[0] }
    }
    return slopes
  }
}
