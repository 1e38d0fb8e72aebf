// An exchange: one pair at one site, in one direction. The base run's rows in a window may be replaced
// by any others and the run goes on from there; the source run's rows are what a full patch puts in.

import Speech
import Tensor

/// The rows of a base and of a source run at a site, and the base run's continuation from them.
public struct Exchange: Sendable {
  public let id: String
  /// The resampling unit.
  public let group: String
  /// First tokens of the source's and of the base's answer.
  public let answer: Int
  public let foil: Int
  /// What the base run has in the window, and what a full patch puts there, [positions, width].
  public let base: Tensor
  public let source: Tensor
  /// The logits of the last position of either run as it is, [vocabulary].
  public let baseLogits: [Float]
  public let sourceLogits: [Float]
  /// The base run's logits with each of some rows in the place of `base`, [variants, vocabulary];
  /// gradients flow back to the rows.
  public let continued: @Sendable ([Tensor]) throws -> Tensor

  public init(
    id: String, group: String, answer: Int, foil: Int, base: Tensor, source: Tensor,
    baseLogits: [Float], sourceLogits: [Float],
    continued: @escaping @Sendable ([Tensor]) throws -> Tensor
  ) {
    precondition(base.shape == source.shape, "base \(base.shape), source \(source.shape)")
    (self.id, self.group, self.answer, self.foil) = (id, group, answer, foil)
    (self.base, self.source, self.continued) = (base, source, continued)
    (self.baseLogits, self.sourceLogits) = (baseLogits, sourceLogits)
  }

  /// The same exchange, each of whose continuations is counted: a pass forward, and where gradients
  /// flow back also one back.
  public func counted(by counter: PassCounter) -> Exchange {
    let continued = continued
    return Exchange(
      id: id, group: group, answer: answer, foil: foil, base: base, source: source,
      baseLogits: baseLogits, sourceLogits: sourceLogits
    ) { variants in
      counter.add(
        forwards: variants.count, backwards: variants.count(where: \.isDifferentiated))
      return try continued(variants)
    }
  }

  /// log p(the source's answer) - log p(the base's answer).
  public func logitDifference(_ logits: some Collection<Float>) -> Double {
    let first = logits.startIndex
    return Double(logits[logits.index(first, offsetBy: answer)])
      - Double(logits[logits.index(first, offsetBy: foil)])
  }

  /// How far apart source and base are, in nats: what a complete patch moves.
  public var gap: Double { logitDifference(sourceLogits) - logitDifference(baseLogits) }

  /// h_source - h_base, [positions, width].
  public var difference: DoubleMatrix { DoubleMatrix(source) - DoubleMatrix(base) }

  /// The gradient of the logit difference with respect to the base run's rows, [positions, width].
  public func gradient() throws -> Tensor {
    var weights = [Float](repeating: 0, count: baseLogits.count)
    weights[answer] += 1
    weights[foil] -= 1
    return try gradient(weights)
  }

  /// Gradients of random mixtures of all logits: samples of the rows of their Jacobian, which span
  /// what everything behind the site reads of it for the next token, [draws * positions, width].
  public func sensitivities(draws: Int, _ random: Random) throws -> Tensor {
    joiningRows(
      try (0..<draws).map { draw in
        try gradient(Tensor([baseLogits.count], normal: 1, random.split(draw)).numbers)
      })
  }

  /// The gradient of a weighted sum of the logits.
  private func gradient(_ weights: [Float]) throws -> Tensor {
    let rows = base.variable
    let logits = try continued([rows])
    return logits.gradients(of: [rows], weights: Tensor(logits.shape, weights))[0]
  }
}

/// What patches did to some pairs.
public struct Effects: Sendable {
  /// By pair: the change of the logit difference towards the source, in nats.
  public let changes: [Double]
  /// By pair: the change that a complete patch would make.
  public let gaps: [Double]
  public let groups: [String]
  /// Whether the most probable token became the source's answer: interchange accuracy (IIA).
  public let followed: [Bool]

  /// The ratio of means.
  public var recovery: Double { changes.reduce(0, +) / gaps.reduce(0, +) }

  public var accuracy: Double { Double(followed.count { $0 }) / Double(max(followed.count, 1)) }

  /// The recovery with its cluster interval.
  public func estimate(draws: Int = 10_000, _ random: Random) -> Estimate {
    ratioOfMeans(changes, gaps, groups: groups, draws: draws, random)
  }
}

extension Array where Element == Exchange {
  /// Makes several patches of every pair.
  ///
  /// - Parameters:
  ///   - alpha: how much of each move is made
  ///   - moves: those of a pair, as many for each pair
  /// - Returns: the effects of each patch on all pairs
  public func effects(
    alpha: Double = 1, of moves: @Sendable (Exchange) throws -> [DoubleMatrix]
  ) throws -> [Effects] {
    let byPair = try mapInParallel(count) { i -> [(Double, Bool)] in
      let pair = self[i]
      let variants = try moves(pair).map { moved(pair.base, by: $0, alpha: alpha) }
      return try pair.outcomes(of: variants)
    }
    guard let patches = byPair.first?.count else { return [] }
    return (0..<patches).map { patch in
      Effects(
        changes: byPair.map { $0[patch].0 }, gaps: map(\.gap), groups: map(\.group),
        followed: byPair.map { $0[patch].1 })
    }
  }

  /// The effects of one patch of every pair.
  public func effects(
    alpha: Double = 1, of move: @Sendable (Exchange) throws -> DoubleMatrix
  ) throws -> Effects {
    let all: [Effects] = try effects(alpha: alpha, of: { [try move($0)] })
    guard let only = all.first else { throw SubspaceError("there is no pair to patch") }
    return only
  }
}

extension Exchange {
  /// For each variant the change of the logit difference, and whether the source's answer is now the
  /// most probable token.
  fileprivate func outcomes(of variants: [Tensor]) throws -> [(Double, Bool)] {
    let before = logitDifference(baseLogits)
    let logits = try continued(variants)
    return logits.withNumbers { numbers in
      (0..<variants.count).map { v in
        let row = numbers[v * logits.width..<(v + 1) * logits.width]
        let best = row.indices.reduce(row.startIndex) { row[$1] > row[$0] ? $1 : $0 }
        return (logitDifference(row) - before, best - row.startIndex == answer)
      }
    }
  }
}

extension SpeechLanguageModel {
  /// The exchange of two traced runs in a selection of both.
  ///
  /// - Parameters:
  ///   - id: what the pair is called
  ///   - group: its resampling unit
  ///   - base: the base run
  ///   - source: the source run, asked with the same two answers
  ///   - direction: which of the answers is the source's: the first where it is the clean run
  ///   - selection: what is patched; no pattern
  public func exchange(
    id: String, group: String, base: Trace, source: Trace, _ direction: Direction,
    _ selection: Selection
  ) -> Exchange {
    let question = base.question
    let read = question.answers.shared.count
    let isClean = direction == .sufficiency
    return Exchange(
      id: id, group: group, answer: isClean ? question.answer : question.foil,
      foil: isClean ? question.foil : question.answer,
      base: selection.base, source: selection.source,
      baseLogits: gatherRows(base.logits, [read]).numbers,
      sourceLogits: gatherRows(source.logits, [read]).numbers
    ) { variants in
      let logits =
        variants.contains(where: \.isDifferentiated)
        ? try variants.map { try rerun(base, selection, taking: $0) }
        : try logits(base, variants.map { [selection.patch(taking: $0)] })
      let rows = logits.map { gatherRows($0, [read]) }
      return rows.count == 1 ? rows[0] : joiningRows(rows)
    }
  }

  /// The logits that the base run's question reads with some rows in place, [reads, vocabulary];
  /// gradients flow back to the rows.
  private func rerun(_ base: Trace, _ selection: Selection, taking rows: Tensor) throws -> Tensor {
    let site = selection.cell.site
    let place = try base.place(of: site)
    let at = selection.positions.map { place.rows[$0] }
    func replaced(_ x: Tensor) -> Tensor {
      let columns = place.columns(of: selection.cell.index, width: x.width)
      if columns.count == x.width { return replacingRows(x, at: at, with: rows) }
      let own = gatherRows(x.detached, at)
      let whole = joiningColumns([
        own.columns(0..<columns.lowerBound), rows, own.columns(columns.upperBound..<x.width),
      ])
      return replacingRows(x, at: at, with: whole)
    }
    guard let cut = cut(before: site), cut < base.states.count else {
      let run = try run(base.question.input, tap: Tap([site]) { replaced($1) })
      return gatherRows(run.logits, base.question.reads(of: run.logits.rows))
    }
    var state = base.states[cut]
    if cuts[cut].site == site {
      state.streams[0] = replaced(state.streams[0])
      return state.logits(base.question.reads, tap: nil)[0]
    }
    return state.logits(base.question.reads, tap: Tap([site]) { replaced($1) })[0]
  }
}
