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
  func rows(for cell: Cell, _ positions: [Int], _ base: Trace) -> Tensor? {
    switch self {
    case .source(let source):
      let limit = source.timeline.count(at: cell.site.stage)
      guard positions.allSatisfy({ $0 < limit }) else { return nil }
      return gatherRows(source.residual(cell.site), positions)
    case .unrelated(let other, let shift, let source):
      let mapped = positions.map {
        other.timeline.position(like: $0, of: base.timeline, shift: shift, at: cell.site.stage)
      }
      let own = gatherRows(base.residual(cell.site), positions)
      let real = gatherRows(source.residual(cell.site), positions) - own
      let move = gatherRows(other.residual(cell.site), mapped) - own
      let (wanted, length) = (real.norm, move.norm)
      return length > 0 ? own + move * Float(wanted / length) : own
    }
  }
}

extension Trace {
  /// The residual stream at one of the sites that are always kept.
  func residual(_ site: Site) -> Tensor {
    guard let x = kept[site] else { preconditionFailure("\(site) is no residual site") }
    return x
  }
}

extension Timeline {
  /// The position here whose centre is nearest to that of `position` in `other`, `shift`
  /// milliseconds later, within the sound. Text before the sound is counted from the start, text
  /// behind it from the end, where the answer is read.
  func position(like position: Int, of other: Timeline, shift: Double, at stage: Site.Stage) -> Int
  {
    guard let centre = other.centre(of: position, at: stage) else {
      if position < other.firstAudio { return min(position, max(firstAudio - 1, 0)) }
      return min(max(tokens - (other.tokens - position), firstAudio + audio), tokens - 1)
    }
    let offset = stage == .lm ? firstAudio : 0
    let spacing = stage == .encoder ? 20.0 : 40.0
    let index = Int(((centre + shift - self.centre(of: offset, at: stage)!) / spacing).rounded())
    return min(max(index, 0), (stage == .encoder ? encoder : audio) - 1) + offset
  }
}

extension Tensor {
  /// The Euclidean length of all numbers together.
  public var norm: Double {
    withNumbers { $0.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
  }
}
