// A pair with its control, and what patching one cell does to it.

import Speech
import Tensor

/// A minimal pair, and an unrelated item that a matched control takes its activations from.
public struct ContrastPair: Sendable {
  public let id: String
  /// The resampling unit.
  public let group: String
  public let clean: Question
  public let corrupt: Question
  /// Another content, asked the same question.
  public let stranger: Question

  public init(id: String, group: String, clean: Question, corrupt: Question, stranger: Question) {
    self.id = id
    self.group = group
    self.clean = clean
    self.corrupt = corrupt
    self.stranger = stranger
  }
}

/// The three runs of a pair.
struct TracedPair: Sendable {
  let group: String
  let clean: Trace
  let corrupt: Trace
  let stranger: Trace

  init(_ pair: ContrastPair, _ model: any SpeechLanguageModel) throws {
    group = pair.group
    clean = try model.trace(pair.clean)
    corrupt = try model.trace(pair.corrupt)
    stranger = try model.trace(pair.stranger)
  }

  /// LD_clean - LD_corrupt.
  var gap: Double { clean.logitDifference - corrupt.logitDifference }

  /// Whether both are answered correctly, and far enough apart.
  func enters(_ minimumGap: Double) -> Bool {
    clean.logitDifference > 0 && corrupt.logitDifference < 0 && gap >= minimumGap
  }

  /// Base and source of a direction.
  func runs(_ direction: Direction) -> (base: Trace, source: Trace) {
    direction == .sufficiency ? (corrupt, clean) : (clean, corrupt)
  }
}

/// What patching one cell does to a pair in one direction, in nats of recovery.
struct CellEffect: Sendable {
  /// With the source of the pair.
  let real: Double
  /// With the stranger, its move rescaled to the length of the real one.
  let matched: Double
}

extension SpeechLanguageModel {
  /// The effects of cells on a pair; nil where the site has no position in the window.
  func effects(_ direction: Direction, of cells: [Cell], on pair: TracedPair) throws
    -> [CellEffect?]
  {
    let (base, source) = pair.runs(direction)
    let chosen = try cells.map {
      (
        try Selection($0, base: base, source: source, .identity),
        try Selection($0, base: base, source: pair.stranger, .identity)
      )
    }
    let present = chosen.indices.filter { chosen[$0].0 != nil && chosen[$0].1 != nil }
    let patches = present.flatMap { i -> [[Patch]] in
      let (real, other) = (chosen[i].0!, chosen[i].1!)
      let length = other.move.norm
      let share = length > 0 ? Float(real.move.norm / length) : 0
      return [[real.patch()], [real.patch(taking: real.base + other.move * share)]]
    }
    let outcomes = try patched(base, patches).map {
      direction == .sufficiency
        ? $0.logitDifference - base.logitDifference : base.logitDifference - $0.logitDifference
    }
    var effects = [CellEffect?](repeating: nil, count: cells.count)
    for (n, i) in present.enumerated() {
      effects[i] = CellEffect(real: outcomes[2 * n], matched: outcomes[2 * n + 1])
    }
    return effects
  }

  /// The effect of moving a cell within the first K directions of a subspace, for every K, and of
  /// moving it whole; sufficiency, in nats.
  func sizeEffects(_ cell: Cell, _ subspace: Subspace, sizes: [Int], on pair: TracedPair) throws
    -> SizeEffects
  {
    guard let selection = try Selection(cell, base: pair.corrupt, source: pair.clean, .identity)
    else { throw CellError("\(cell): pair of \(pair.group) has no position there") }
    let patches = try sizes.map { size -> [Patch] in
      let part = try subspace.first(min(size, subspace.rank))
      return [
        Patch(
          cell.site, positions: selection.positions, subspace: part.patterns.tensor,
          read: part.readouts.tensor, of: selection.source)
      ]
    }
    let values = try patched(pair.corrupt, patches + [[selection.patch()]])
      .map { $0.logitDifference - pair.corrupt.logitDifference }
    return SizeEffects(
      group: pair.group, effects: Array(values.dropLast()), full: values.last!, gap: pair.gap)
  }
}
