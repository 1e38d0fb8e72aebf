// Exact patching by resuming: a run starts again from the base run's residual stream before the first
// patched layer, stacked with other runs that start there. What lies before that layer is not
// computed again, nor, in the language model, what lies before the first patched position: its keys
// and values are the base run's.

import Speech
import Tensor

/// An intervention that has to be computed: where it starts, and what it patches.
struct Pending {
  let index: Int
  let boundary: Boundary
  let patches: [Patch]
}

extension Boundary {
  /// Its place in the order from sound to text.
  fileprivate var depth: Int {
    switch self {
    case .encoder(let layer): layer
    case .connector: 1 << 20
    case .lm(let layer): 1 << 21 + layer
    }
  }
}

extension AudioLanguageModel {
  /// What a trace keeps so that it can be resumed: the residual stream at every boundary, and what a
  /// second encoder heard.
  var resumedSites: [Site] {
    residualSites.map(\.site) + (connector.secondEncoder.map { [$0.output] } ?? [])
  }

  /// A run's input, as often as wanted, for runs that go on from its residual stream. What a second
  /// encoder made of the sound is that run's, unless a patch reaches into that encoder.
  func batch(
    from base: Trace, copies: Int = 1, spliced: [Int]? = nil, patching patches: [Patch] = []
  ) throws -> Batch {
    var batch = try batch(base.question.input, copies: copies, spliced: spliced)
    if let second = connector.secondEncoder,
      !patches.contains(where: { $0.site.stage == second.stage })
    {
      batch.heard = base.kept[second.output]
    }
    return batch
  }

  /// The boundary behind which a site lies, and whether the residual stream there is the site.
  private func entry(of site: Site) -> (boundary: Boundary, isState: Bool)? {
    if [.pattern, .keep, .logits].contains(site.activation) { return nil }
    if let residual = residualSites.first(where: { $0.site == site }) {
      return (residual.boundary, true)
    }
    switch (site.stage, site.layer) {
    case (.encoder, let layer?): return (.encoder(layer), site.activation == .residPre)
    case (.lm, let layer?): return (.lm(layer), site.activation == .residPre)
    case (.lm, nil): return (.lm(lm.config.layers), false)
    default:
      let isPattern = site.activation.rawValue.hasSuffix("pattern")
      return connector.sites.contains(site) && !isPattern
        ? (.encoder(encoder.config.layers), false) : nil
    }
  }

  /// Where an intervention can be resumed; nil where it needs a full run.
  func start(of patches: [Patch], _ base: Trace) -> (boundary: Boundary, patches: [Patch])? {
    let entries = patches.map { entry(of: $0.site)?.boundary }
    guard entries.allSatisfy({ $0 != nil }) else { return nil }
    let depths = entries.map { $0!.depth }
    guard let first = depths.min() else { return nil }
    // How many tokens there are may change with the sound, so that rows behind the connector move.
    if base.spliced != nil && first < Boundary.connector.depth
      && depths.contains(where: { $0 != first })
    {
      return nil
    }
    let boundary = entries.first { $0!.depth == first }!!
    if boundary != .connector { return (boundary, patches) }
    // The connector's rows are the language model's input at the audio tokens.
    let offset = base.timeline.firstAudio
    return (
      .lm(0),
      patches.map { patch in
        guard patch.site == Site(.connector, .out) else { return patch }
        return Patch(
          Site(.lm, .embed), positions: patch.positions.map { $0 + offset }, index: patch.index,
          change: patch.change)
      }
    )
  }

  /// Whether no logit reads what a patch changes: positions behind the last layer's keys and values,
  /// other than those that are read.
  func isUnread(_ patch: Patch, in base: Trace) -> Bool {
    guard patch.site.stage == .lm, patch.site.activation != .logits else { return false }
    let last = lm.config.layers - 1
    let isBehind =
      patch.site.layer == nil
      ? patch.site.activation != .embed
      : patch.site.layer == last
        && ![.residPre, .k, .rotK, .v, .loraV, .pattern].contains(patch.site.activation)
    let reads = base.question.reads(of: base.timeline.tokens)
    return isBehind && !patch.positions.contains(where: reads.contains)
  }

  /// The logits that are read after each intervention, with its index.
  func resumed(_ base: Trace, _ pending: [Pending]) throws -> [(Int, Tensor)] {
    var results: [(Int, Tensor)] = []
    var start = 0
    while start < pending.count {
      let boundary = pending[start].boundary
      let most = min(start + cellsPerBatch, pending.count)
      let end = pending[start..<most].firstIndex { $0.boundary != boundary } ?? most
      let group = Array(pending[start..<end])
      results += zip(group.map(\.index), try resumed(base, at: boundary, group.map(\.patches)))
      start = end
    }
    return results
  }

  /// How many interventions are stacked: enough for full matrix products, few enough to stay in cache.
  private var cellsPerBatch: Int { 12 }

  /// Runs on from one boundary with each intervention's patches, stacked.
  private func resumed(_ base: Trace, at start: Boundary, _ interventions: [[Patch]]) throws
    -> [Tensor]
  {
    let question = base.question
    let isText = start.depth > Boundary.connector.depth
    var batch = try batch(
      from: base, copies: interventions.count, spliced: isText ? base.spliced : nil,
      patching: interventions.flatMap { $0 })
    var firsts = interventions.map { _ in 0 }
    if isText {
      // Positions before the first patched one keep the base run's residual stream, keys and values.
      let read = question.reads(of: base.timeline.tokens)[0]
      firsts = interventions.map { patches in
        min(patches.flatMap(\.positions).min()!, read) / rowBlock * rowBlock
      }
      batch = batch.beginning(at: firsts)
    }
    let prefix = isText ? base.cache : nil
    let state = base.state(at: start)
    var x = joiningRows(
      firsts.map { $0 == 0 ? state : gatherRows(state, Array($0..<state.rows)) })

    // Where text lies, known behind the connector.
    var text = batch.lm
    // The rows of the stacked tensor in which each patch of a site acts.
    func patched(_ x: Tensor, at site: Site) -> Tensor {
      guard let place = base.run.place(of: site) else { return x }
      let copyRows = x.rows / interventions.count
      let placed = interventions.enumerated().flatMap { copy, patches in
        patches.filter { $0.site == site }.map { patch in
          let rows = patch.positions.map { position in
            site.stage == .lm
              ? text.sequences[copy].row(of: position) : copy * copyRows + place.rows[position]
          }
          return (patch, rows, place.columns(of: patch.index, width: x.width))
        }
      }
      return Patch.applying(placed, to: x)
    }
    var waiting: [Site: Int] = [:]
    for site in Set(interventions.joined().map(\.site)) {
      let entry = entry(of: site)!
      if entry.isState && entry.boundary == start {
        x = patched(x, at: site)
      } else {
        waiting[site] = entry.boundary.depth
      }
    }
    let tap: Tap = { site, x in waiting[site] == nil ? x : patched(x, at: site) }
    let deepest = waiting.values.max() ?? -1
    let layers = Boundary.lm(lm.config.layers)
    var boundary = start
    while boundary.depth < Boundary.lm(0).depth
      || (boundary.depth <= deepest && boundary != layers)
    {
      text = batch.lm
      let listening = waiting.values.contains { $0 >= boundary.depth } ? tap : nil
      guard
        let next = advanced(x, from: boundary, in: &batch, prefix: prefix, tap: listening)
      else { break }
      (x, boundary) = next
    }
    let reads = batch.lm.sequences.map { sequence in
      question.reads(of: sequence.count).map(sequence.row(of:))
    }
    let logits = self.logits(
      after: boundary, x, in: batch, rows: reads.flatMap { $0 }, prefix: prefix,
      tap: deepest >= layers.depth ? tap : nil)
    let count = reads[0].count
    return interventions.indices.map { i in
      gatherRows(logits, Array((i * count)..<((i + 1) * count)))
    }
  }
}

extension Trace {
  /// The residual stream at a boundary, [rows, width]; rows beyond the positions are padding.
  func state(at boundary: Boundary) -> Tensor {
    let site: Site =
      switch boundary {
      case .encoder(0): Site(.encoder, .embed)
      case .encoder(let layer): Site(.encoder, layer - 1, .residPost)
      case .connector: Site(.connector, .out)
      case .lm(0): Site(.lm, .embed)
      case .lm(let layer): Site(.lm, layer - 1, .residPost)
      }
    guard let state = kept[site] else { preconditionFailure("no boundary \(boundary)") }
    return state
  }
}
