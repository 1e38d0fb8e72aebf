// Exact activation patching of many cells, by resuming: a cell starts from the base run's residual
// stream at its site, takes the donor's rows in its window, and runs on from there, stacked with
// other cells. What lies before the site is not computed again, nor, in the language model, what
// lies before the window: its keys and values are the base run's.

import Speech
import Tensor

/// One cell of a map: a residual site and a window.
public struct Cell: Sendable {
  public let site: Site
  public let boundary: Boundary
  public let window: Window

  public init(_ site: Site, _ boundary: Boundary, _ window: Window) {
    self.site = site
    self.boundary = boundary
    self.window = window
  }
}

/// A cell that has to be computed: the rows that take the donor's place.
private struct Pending {
  let index: Int
  let boundary: Boundary
  let positions: [Int]
  let rows: Tensor
}

extension AudioLanguageModel {
  /// The logit difference of the base run with each cell patched.
  ///
  /// - Parameters:
  ///   - resuming: false computes every cell by one full run from the sound on, as a check
  ///   - skipping: cells that cannot change anything are not computed: those where the donor's
  ///     rows are the base's to the bit, and positions behind the last layer that no logit reads
  /// - Returns: for each cell the logit difference, or nil where the site has no position in the
  ///   window.
  public func patched(
    _ base: Trace, with donor: Donor, cells: [Cell], resuming: Bool = true, skipping: Bool = true
  ) throws -> [Double?] {
    var results = [Double?](repeating: nil, count: cells.count)
    var pending: [Pending] = []
    for (i, cell) in cells.enumerated() {
      let positions = base.timeline.positions(in: cell.window, at: cell.site.stage)
      guard !positions.isEmpty, let rows = donor.rows(for: cell, positions, base) else { continue }
      let inert =
        cell.boundary == .lm(lm.config.layers) && !positions.contains(base.timeline.tokens - 1)
      if skipping
        && (inert || gatherRows(base.state(at: cell.boundary), positions).isIdentical(to: rows))
      {
        results[i] = base.logitDifference
      } else if !resuming {
        results[i] = try rerun(
          base, cell, replacingRows(base.state(at: cell.boundary), at: positions, with: rows))
      } else if cell.boundary == .connector {
        // The connector's rows are the language model's input at the audio tokens.
        let tokens = positions.map { $0 + base.timeline.firstAudio }
        pending.append(Pending(index: i, boundary: .lm(0), positions: tokens, rows: rows))
      } else {
        pending.append(
          Pending(index: i, boundary: cell.boundary, positions: positions, rows: rows))
      }
    }
    var start = 0
    while start < pending.count {
      let boundary = pending[start].boundary
      let end =
        pending[start..<min(start + cellsPerBatch, pending.count)]
        .firstIndex { $0.boundary != boundary } ?? min(start + cellsPerBatch, pending.count)
      let group = Array(pending[start..<end])
      for (cell, value) in zip(group, try resumed(base, at: boundary, group)) {
        results[cell.index] = value
      }
      start = end
    }
    return results
  }

  /// Runs on from one boundary with each cell's rows in place, stacked.
  private func resumed(_ base: Trace, at boundary: Boundary, _ cells: [Pending]) throws -> [Double]
  {
    let question = base.question
    var batch = try Batch(
      config.sound, clips: cells.map { _ in question.clip },
      prompts: cells.map { _ in Prompt(question.tokens) })
    let state = base.state(at: boundary)
    var prefix: KeyValueCache?
    var firsts = cells.map { _ in 0 }
    if case .lm = boundary {
      // Positions before the window keep the base run's residual stream, keys and values.
      firsts = cells.map { $0.positions.min()! / rowBlock * rowBlock }
      batch = batch.beginning(at: firsts)
      prefix = base.cache
    }
    let states = zip(cells, firsts).map { cell, first in
      replacingRows(
        first == 0 ? state : gatherRows(state, Array(first..<state.rows)),
        at: cell.positions.map { $0 - first }, with: cell.rows)
    }
    let logits = self.logits(
      after: boundary, joiningRows(states), in: batch,
      rows: batch.lm.sequences.map { $0.row(of: $0.count - 1) }, prefix: prefix)
    return cells.indices.map { question.logitDifference(logits, row: $0) }
  }

  /// The same cell by a full run from the sound on, with the state put in at its site.
  private func rerun(_ base: Trace, _ cell: Cell, _ state: Tensor) throws -> Double {
    let question = base.question
    let batch = try Batch(config.sound, clips: [question.clip], prompts: [Prompt(question.tokens)])
    let logits = self.logits(
      after: .encoder(0), embedded(batch), in: batch, rows: [question.tokens.count - 1]
    ) { site, x in site == cell.site ? state : x }
    return question.logitDifference(logits)
  }

  /// How many cells are stacked: enough for full matrix products, few enough to stay in cache.
  private var cellsPerBatch: Int { 12 }
}
