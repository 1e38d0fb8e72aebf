// Exact patching by resuming: a run starts again from the base run's state at the last cut before the
// first patch, stacked with other runs that start there. What lies before that cut is not computed
// again, nor, in a stage whose positions see only those before them, what lies before the first
// position that is changed: its keys and values are the base run's.
//
// Groups of runs go to all cores. How they are grouped changes no bit of their results.

import Speech
import Tensor

/// An intervention that has to be computed: where it starts, and what it patches.
struct Pending: Sendable {
  let index: Int
  let cut: Int
  let patches: [Patch]
}

/// The most runs in one group, and the most rows of its residual stream from the second run on: enough
/// for full matrix products, few enough to stay in cache.
private let runsPerGroup = 12
private let rowsPerGroup = 864

extension SpeechLanguageModel {
  /// What `read` takes from the logits after each intervention, with its index.
  func resumed<Value: Sendable>(
    _ base: Trace, _ pending: [Pending], _ order: Order, read: @Sendable (Tensor) -> Value
  ) throws -> [(Int, Value)] {
    var groups: [[Pending]] = []
    var rows = 0
    for next in pending {
      let own = rowsBehind(next, base)
      if let last = groups.last, last[0].cut == next.cut, last.count < runsPerGroup,
        rows + own <= rowsPerGroup
      {
        groups[groups.count - 1].append(next)
        rows += own
      } else {
        groups.append([next])
        rows = own
      }
    }
    let all = groups
    let cuts = Dictionary(grouping: pending, by: \.cut).filter { $0.value.count > 1 }
    let shared = Array(cuts.keys)
    let prepared = Dictionary(
      uniqueKeysWithValues: zip(
        shared, try mapInParallel(shared.count) { base.states[shared[$0]].prepared() }))
    return try mapInParallel(all.count) { i in
      let cut = all[i][0].cut
      let logits = resumed(base, at: cut, all[i].map(\.patches), order, prepared[cut])
      return Array(zip(all[i].map(\.index), logits.map(read)))
    }.flatMap { $0 }
  }

  /// The rows of the residual stream with which an intervention goes on.
  private func rowsBehind(_ pending: Pending, _ base: Trace) -> Int {
    let state = base.states[pending.cut].stacked(1, knowing: base.memory)
    guard state.isCausal else { return state.streams[0].rows }
    return state.streams[0].rows - first(reachedBy: pending.patches, of: state, base)
  }

  /// The first position of a causal stage that patches ahead change, or that is read, as a multiple of
  /// `rowBlock`.
  private func first(reachedBy patches: [Patch], of state: any RunState, _ base: Trace) -> Int {
    let first = patches.map { state.first(reachedFrom: $0.site, $0.positions) }.min() ?? .max
    return min(first, base.reads[0]) / rowBlock * rowBlock
  }

  /// Runs on from one cut with each intervention's patches, stacked.
  private func resumed(
    _ base: Trace, at start: Int, _ interventions: [[Patch]], _ order: Order,
    _ prepared: RunMemory?
  ) -> [Tensor] {
    let sites = Set(interventions.joined().map(\.site))
    var memory = base.memory
    // What an encoder gave is known only where it is not patched.
    if sites.contains(where: { $0.stage == .encoder }) { memory.forget(.encoder) }
    if let prepared { memory = memory.joined(with: prepared) }
    var state = base.states[start].stacked(interventions.count, knowing: memory)
    var isShort = state.isCausal
    if isShort {
      state.begin(
        at: interventions.map { first(reachedBy: $0, of: state, base) })
    }
    var waiting: [Site: Int] = [:]
    for site in sites {
      if let stream = state.stream(waiting: site) {
        state.streams[stream] = patched(state.streams[stream], at: site, of: state, interventions)
      } else {
        waiting[site] = order.cut(before: site)
      }
    }
    /// The patches of the stretch ahead of a state.
    func tap(from cut: Int, of state: any RunState) -> Tap? {
      let own = Set(waiting.filter { $0.value >= cut }.keys)
      return own.isEmpty
        ? nil : Tap(own) { site, x in patched(x, at: site, of: state, interventions) }
    }
    let deepest = waiting.values.max() ?? -1
    while state.cut < order.last, !state.isText || deepest > state.cut {
      let here = state
      guard state.advance(tap: tap(from: state.cut, of: here)) else { break }
      if !isShort, state.isCausal {
        let ahead = interventions.map { patches in
          patches.filter { order.cut(before: $0.site)! >= state.cut }
        }
        state.begin(at: firsts(of: state, ahead, base))
        isShort = true
      }
    }
    return state.logits(base.question.reads, tap: tap(from: state.cut, of: state))
  }

  /// Where each of the runs that have come to a causal stage differs from the base run, or will.
  ///
  /// - Parameter ahead: the patches of each run that are still to come
  private func firsts(of state: any RunState, _ ahead: [[Patch]], _ base: Trace) -> [Int] {
    let own = base.states[state.cut]
    let (x, there) = (state.streams[0], own.streams[0])
    guard x.rows == state.copies * there.rows,
      (0..<state.copies).allSatisfy({ state.positions(of: $0) == own.positions(of: 0) })
    else { return ahead.map { _ in 0 } }
    return ahead.enumerated().map { copy, patches in
      let differing = x.firstDifference(fromRow: copy * there.rows, to: there)
      return min(first(reachedBy: patches, of: state, base), differing / rowBlock * rowBlock)
    }
  }

  /// The stacked activation of a site with every run's patches.
  private func patched(
    _ x: Tensor, at site: Site, of state: any RunState, _ interventions: [[Patch]]
  ) -> Tensor {
    var (x, placed) = (x, [(patch: Patch, rows: [Int], columns: Range<Int>)]())
    for (copy, patches) in interventions.enumerated() {
      for patch in patches where patch.site == site {
        guard let place = state.place(of: site, copy: copy) else { continue }
        if let layout = place.pattern {
          x = layout.replacing(
            heads: patch.index.map { [$0] } ?? Array(0..<place.heads),
            queries: patch.positions.map { place.rows[$0] }, in: x, by: patch.change)
        } else {
          placed.append(
            (
              patch, patch.positions.map { place.rows[$0] },
              place.columns(of: patch.index, width: x.width)
            ))
        }
      }
    }
    return placed.isEmpty ? x : Patch.applying(placed, to: x)
  }
}
