// The reverse pass of a run: the slope of what the model says by every activation that was kept.
//
// A run that was traced with its record is gone through once. That of a large model can instead be gone
// through from cut to cut, each stretch run again from the state that the trace kept, so that the record
// of one layer is in memory at a time.

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
    return try slopesByCut(
      of: base, target, at: Set(sites), by: rules, blocking: Set(blocked))
  }

  /// The same from cut to cut.
  private func slopesByCut(
    of base: Trace, _ target: Target, at sites: Set<Site>, by rules: ReverseRules,
    blocking blocked: Set<Site>
  ) throws -> [Site: Tensor] {
    var kept: [(site: Site, x: Tensor)] = []
    var closed: [Tensor] = []
    let tap = Tap(sites.union(blocked)) { site, x in
      // A branch may begin inside a stretch.
      let x = x.isDifferentiated ? x : x.variable
      if sites.contains(site) { kept.append((site, x)) }
      if blocked.contains(site) { closed.append(x) }
      return x
    }
    var slopes: [Site: Tensor] = [:]
    /// The slopes of the streams at a cut, and those of the sites on the stretch behind it.
    func back(_ outputs: [Tensor], _ weights: [Tensor], to streams: [Tensor]) -> [Tensor] {
      // A site at the far end of the stretch is the next cut, which has been dealt with.
      let new = kept.filter { slopes[$0.site] == nil }
      var sums: [Tensor]?
      for (output, weight) in zip(outputs, weights) where output.isDifferentiated {
        let found = output.gradients(
          of: streams + new.map(\.x), weights: weight, by: rules, blocking: closed)
        sums = sums.map { zip($0, found).map { $0 + $1 } } ?? found
      }
      let found = sums ?? (streams + new.map(\.x)).map { Tensor($0.shape) }
      for ((site, _), gradient) in zip(new, found.dropFirst(streams.count)) {
        slopes[site] = gradient
      }
      return Array(found.prefix(streams.count))
    }
    var behind: [Tensor] = []
    for (index, own) in base.states.enumerated().reversed() {
      var state = own
      let streams = own.streams.map(\.variable)
      state.streams = streams
      (kept, closed) = ([], [])
      if index == base.states.count - 1 {
        let logits = state.logits(base.question.reads, tap: tap)[0]
        behind = back([logits], [try base.question.slope(of: target, logits)], to: streams)
      } else {
        _ = state.advance(tap: tap)
        behind = back(state.streams, behind, to: streams)
      }
      let site = cuts[index].site
      if sites.contains(site) { slopes[site] = behind[0] }
    }
    if sites.contains(where: { slopes[$0] == nil }) {
      (kept, closed) = ([], [])
      let state = try begin(base.question.input, remembering: false, tap: tap)
      _ = back(state.streams, behind, to: [])
    }
    return slopes
  }
}
