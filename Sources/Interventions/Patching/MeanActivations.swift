// The mean activation of several runs, position by position: a donor that is typical of them all and is
// none of them (`paper/definitions.md`, D106).

import Speech
import Tensor

/// Means over runs whose sites have equally many positions.
public struct MeanActivations: Sendable {
  private let means: [Site: Tensor]

  /// - Parameters:
  ///   - questions: each is run once, and of its run only sums are kept
  ///   - sites: where activations are averaged, apart from padding to blocks of rows
  /// - Throws: where there is no run, or runs differ in positions.
  public init(
    of questions: [Question], at sites: [Site], in model: some SpeechLanguageModel
  ) throws {
    guard !questions.isEmpty else {
      throw CellError("a mean of no runs; name at least one run to average")
    }
    var sums: [Site: Tensor] = [:]
    for question in questions {
      let run = try model.trace(question, keeping: sites)
      for site in sites {
        let own = try run.activation(of: site)
        guard let sum = sums[site] else {
          sums[site] = own
          continue
        }
        guard sum.shape == own.shape else {
          throw CellError(
            "\(site): runs of \(sum.rows) and \(own.rows) positions have no mean; average runs of one "
              + "length")
        }
        sums[site] = sum + own
      }
    }
    means = sums.mapValues { $0 * (1 / Float(questions.count)) }
  }

  /// The patch that puts the mean in place of a cell; nil where the cell has no position in its window.
  public func patch(_ cell: Cell, base: Trace) throws -> Patch? {
    let place = try base.place(of: cell.site)
    let positions = cell.window.positions(in: place.spans)
    guard let mean = means[cell.site] else {
      throw CellError("\(cell.site): was not averaged; name it when the mean is made")
    }
    guard positions.allSatisfy({ $0 < mean.rows }) else {
      throw CellError(
        "\(cell): the mean has \(mean.rows) positions and the base run \(place.spans.count)")
    }
    if positions.isEmpty { return nil }
    let rows = gatherRows(mean, positions)
    let part =
      cell.index == nil ? rows : rows.columns(place.columns(of: cell.index, width: mean.width))
    return Patch(cell.site, positions: positions, index: cell.index, taking: part)
  }
}
