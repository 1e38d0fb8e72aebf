// What a patch puts in place of the base run's activation: the source's, or a matched control's.

import Speech
import Tensor

/// What a cell puts in place of the base run's rows.
public enum Donor: Sendable {
  /// The activations of the source run at the same positions.
  case source(Trace)
  /// The activations of an unrelated run, `shift` milliseconds later there than here, with the move
  /// from the base run rescaled, cell by cell, to the length of the move to `matching`.
  case unrelated(Trace, shift: Double, matching: Trace)
}

extension Donor {
  /// The rows that replace `positions` of the base run, or nil where the donor has none.
  ///
  /// - Throws: where a run has not kept the site.
  func rows(for cell: Cell, _ positions: [Int], _ base: Trace) throws -> Tensor? {
    switch self {
    case .source(let source):
      let limit = source.timeline.count(at: cell.site)
      guard positions.allSatisfy({ $0 < limit }) else { return nil }
      return try source.rows(of: cell, at: positions)
    case .unrelated(let other, let shift, let source):
      let mapped = other.timeline.positions(
        like: positions, of: base.timeline, shift: shift, at: cell.site)
      let own = try base.rows(of: cell, at: positions)
      let real = try source.rows(of: cell, at: positions) - own
      let move = try other.rows(of: cell, at: mapped) - own
      let (wanted, length) = (real.norm, move.norm)
      return length > 0 ? own + move * Float(wanted / length) : own
    }
  }
}

extension Tensor {
  /// The Euclidean length of all numbers together.
  public var norm: Double {
    withNumbers { $0.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
  }
}
