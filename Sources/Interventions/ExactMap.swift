// Exact activation patching of many cells, by resuming: a cell starts from the base run's residual
// stream at its site, takes the donor's rows in its window, and runs on from there, stacked with
// other cells. Nothing before the site is computed again.

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

/// What a cell puts in place of the base run's rows.
public enum Donor: Sendable {
  /// The activations of the source run at the same positions.
  case source(Trace)
  /// The activations of an unrelated run, `shift` positions (in milliseconds) later there than
  /// here, with the move from the base run rescaled, cell by cell, to the length of the move to
  /// `matching`.
  case unrelated(Trace, shift: Double, matching: Trace)
}

extension Qwen2Audio {
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
    var pending: [(index: Int, state: Tensor)] = []
    for (i, cell) in cells.enumerated() {
      let positions = base.timeline.positions(in: cell.window, at: cell.site.stage)
      guard !positions.isEmpty, let rows = donor.rows(for: cell, positions, base) else { continue }
      let state = base.state(at: cell.boundary)
      let inert =
        cell.boundary == .lm(config.layers) && !positions.contains(base.timeline.tokens - 1)
      if skipping && (inert || gatherRows(state, positions).isIdentical(to: rows)) {
        results[i] = base.logitDifference
      } else {
        pending.append((i, replacingRows(state, at: positions, with: rows)))
      }
    }
    if !resuming {
      for (i, state) in pending {
        results[i] = try rerun(base, cells[i], state)
      }
      return results
    }
    // Cells of one boundary run on together.
    var start = 0
    while start < pending.count {
      let boundary = cells[pending[start].index].boundary
      var end = start
      while end < pending.count, end - start < cellsPerBatch,
        cells[pending[end].index].boundary == boundary
      {
        end += 1
      }
      let group = pending[start..<end]
      let question = base.question
      let batch = try Batch(
        config, clips: group.map { _ in question.clip },
        prompts: group.map { _ in Prompt(question.tokens) })
      let logits = self.logits(
        after: boundary, joiningRows(group.map(\.state)), in: batch,
        rows: batch.lm.sequences.map { $0.start + $0.count - 1 })
      for (row, cell) in group.enumerated() {
        results[cell.index] = question.logitDifference(logits, row: row)
      }
      start = end
    }
    return results
  }

  /// The same cell by a full run from the sound on, with the state put in at its site.
  private func rerun(_ base: Trace, _ cell: Cell, _ state: Tensor) throws -> Double {
    let question = base.question
    let batch = try Batch(config, clips: [question.clip], prompts: [Prompt(question.tokens)])
    let logits = self.logits(
      after: .encoder(0), embedded(batch), in: batch, rows: [question.tokens.count - 1]
    ) { site, x in site == cell.site ? state : x }
    return question.logitDifference(logits)
  }

  /// How many cells are stacked: enough for full matrix products, few enough to stay in cache.
  private var cellsPerBatch: Int { 12 }
}

extension Donor {
  /// The rows that replace `positions` of the base run, or nil where the donor has none.
  func rows(for cell: Cell, _ positions: [Int], _ base: Trace) -> Tensor? {
    switch self {
    case .source(let source):
      let limit = source.timeline.count(at: cell.site.stage)
      guard positions.allSatisfy({ $0 < limit }) else { return nil }
      return gatherRows(source.state(at: cell.boundary), positions)
    case .unrelated(let other, let shift, let source):
      let stage = cell.site.stage
      let mapped = positions.map { position -> Int in
        // Text before the sound is counted from the start, text behind it from the end, where the
        // answer is read.
        guard let centre = base.timeline.centre(of: position, at: stage) else {
          let (there, here) = (other.timeline, base.timeline)
          if position < here.firstAudio { return min(position, max(there.firstAudio - 1, 0)) }
          let fromEnd = there.tokens - (here.tokens - position)
          return min(max(fromEnd, there.firstAudio + there.audio), there.tokens - 1)
        }
        let spacing = stage == .encoder ? 20.0 : 40.0
        let first = other.timeline.centre(
          of: stage == .lm ? other.timeline.firstAudio : 0, at: stage)!
        let index = Int(((centre + shift - first) / spacing).rounded())
        let count = stage == .encoder ? other.timeline.encoder : other.timeline.audio
        return min(max(index, 0), count - 1) + (stage == .lm ? other.timeline.firstAudio : 0)
      }
      let own = gatherRows(base.state(at: cell.boundary), positions)
      let real = gatherRows(source.state(at: cell.boundary), positions) - own
      let move = gatherRows(other.state(at: cell.boundary), mapped) - own
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
