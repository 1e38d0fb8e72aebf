// From the name of a cell to a patch: which positions of the base run, and which rows of the source
// run stand for them.

import Speech
import Tensor

/// A cell of one pair of runs: the base run's positions and values there, and the source run's.
public struct Selection: Sendable {
  public let cell: Cell
  /// The base run's positions.
  public let positions: [Int]
  /// The base run's values, [positions, width] of the head or neuron where the cell names one; of a
  /// pattern [heads * positions, keys].
  public let base: Tensor
  /// What the source run has at the same moments, of the same shape.
  public let source: Tensor

  /// The way from the base run to the source run.
  public var move: Tensor { source - base }

  /// - Parameters:
  ///   - strict: whether a window that is empty or reaches past the end is an error
  /// - Returns: nil where the site has no position in the window
  public init?(
    _ cell: Cell, base: Trace, source: Trace, _ alignment: Alignment, strict: Bool = false
  ) throws {
    let (here, there) = (try base.place(of: cell.site), try source.place(of: cell.site))
    positions =
      strict
      ? try cell.window.checked(in: here.spans, of: cell.name)
      : cell.window.positions(in: here.spans)
    if positions.isEmpty { return nil }
    self.cell = cell
    let own = try base.rows(of: cell, at: positions)
    let resampling = try alignment.resampling(positions, from: here, to: there, of: cell.site)
    if here.pattern != nil {
      let theirs = try source.rows(of: cell, at: resampling.nearest)
      guard theirs.width == own.width else {
        throw CellError(
          "\(cell): a pattern has as many columns as there are keys, \(own.width) in the base run and "
            + "\(theirs.width) in the source run; runs of different length cannot exchange patterns"
        )
      }
      self.source = theirs
    } else {
      self.source = try resampling { try source.rows(of: cell, at: $0) }
    }
    self.base = own
  }

  /// The patch that takes the source's values, or goes a share of the way.
  public func patch(by alpha: Float = 1) -> Patch {
    alpha == 1
      ? patch(taking: source)
      : Patch(
        cell.site, positions: positions, index: cell.index, towards: source, by: alpha)
  }

  /// The patch that puts other values of the same shape in place.
  public func patch(taking rows: Tensor) -> Patch {
    Patch(cell.site, positions: positions, index: cell.index, taking: rows)
  }
}
