// Matched controls of a patch: what an equally long move does that does not come from the source run
// at this place (`paper/definitions.md`, D25 to D27).

import Speech
import Tensor

/// A control whose move from the base run has the length of the real one.
public enum MatchedControl: String, Codable, Sendable, CaseIterable {
  /// The source is a run of another item.
  case wrongItem = "wrong-item"
  /// The move has a random direction.
  case randomDirection = "random-direction"
  /// The right source, at other positions.
  case positionSham = "position-sham"
}

extension Selection {
  /// The patch that goes towards `rows`, as far as the real one goes.
  public func matched(towards rows: Tensor) -> Patch { patch(taking: scaled(rows - base)) }

  /// The patch of the real length in a random direction.
  public func randomDirection(_ random: Random) -> Patch {
    patch(taking: scaled(Tensor(base.shape, normal: 1, random)))
  }

  /// The base run's rows moved along `move` as far as the real move goes; the base's own rows where
  /// either has no length.
  private func scaled(_ move: Tensor) -> Tensor {
    let (wanted, length) = (self.move.norm, move.norm)
    return length > 0 && wanted > 0 ? base + move * Float(wanted / length) : base
  }
}

extension SpeechLanguageModel {
  /// The patch of a control.
  ///
  /// - Parameters:
  ///   - selection: the real patch
  ///   - source: the source run, at whose other positions the sham is read
  ///   - stranger: a run of another item, with its alignment to the base run
  ///   - random: split by the names of pair and cell
  /// - Returns: nil where the cell has no such control: a stranger without a counterpart, or a site
  ///   all of whose positions of that kind are patched.
  public func control(
    _ kind: MatchedControl, of selection: Selection, base: Trace, source: Trace,
    stranger: (trace: Trace, alignment: Alignment)?, _ random: Random
  ) throws -> Patch? {
    switch kind {
    case .randomDirection: return selection.randomDirection(random)
    case .wrongItem:
      guard let stranger else { return nil }
      let here = try base.place(of: selection.cell.site)
      let there = try stranger.trace.place(of: selection.cell.site)
      guard here.pattern == nil,
        let resampling = try? stranger.alignment.resampling(
          selection.positions, from: here, to: there, of: selection.cell.site)
      else { return nil }
      let rows = try resampling { try stranger.trace.rows(of: selection.cell, at: $0) }
      return selection.matched(towards: rows)
    case .positionSham:
      let place = try source.place(of: selection.cell.site)
      guard place.pattern == nil, let first = selection.positions.first else { return nil }
      // Positions of the same kind, sound or text, other than the patched ones.
      let isSound = try base.place(of: selection.cell.site).spans[first] != nil
      let others = place.spans.indices.filter {
        (place.spans[$0] != nil) == isSound && !selection.positions.contains($0)
      }
      guard !others.isEmpty else { return nil }
      var random = random
      let offset = random.below(others.count)
      let chosen = selection.positions.indices.map { others[(offset + $0) % others.count] }
      return selection.matched(towards: try source.rows(of: selection.cell, at: chosen))
    }
  }
}
