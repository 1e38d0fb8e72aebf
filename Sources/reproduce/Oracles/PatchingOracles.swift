// Oracles of exact patching: what a patch must not change, what it must, and that no shortcut alters
// a bit.

import Interventions
import Speech
import Tensor

/// Oracles 1, 2, 9, 11, 12 and 14.
func patchingOracles(_ subject: OracleSubject) throws -> [Oracle] {
  [
    try identity(subject), try closure(subject), try structuralZeros(subject),
    try firesOnce(subject), try batching(subject), try meanOverSound(subject),
  ]
}

/// 1. A run's own values change no bit, at any site, resumed or not.
private func identity(_ subject: OracleSubject) throws -> Oracle {
  let base = subject.corrupt
  let patches = try subject.sites.map { site in
    [try subject.selection(site, base: base, source: base).patch()]
  }
  var (changed, largest) = (0, 0.0)
  for resuming in [true, false] {
    let outcomes = try subject.model.patched(base, patches, resuming: resuming, skipping: false)
    changed += outcomes.count { $0 != base.outcome }
    largest = outcomes.reduce(largest) {
      max($0, abs($1.logitDifference - base.logitDifference))
    }
  }
  return Oracle(
    1, "identity patch changes no bit", passes: changed == 0 && !patches.isEmpty,
    seen: abs(base.logitDifference),
    "\(patches.count) sites, resumed and from the sound on, largest change \(largest)")
}

/// 2. All of the source's positions at one cut of the model give the source's outcome.
private func closure(_ subject: OracleSubject) throws -> Oracle {
  var (wrong, cuts, moved) = (0, 0, 0.0)
  for (base, source) in [(subject.corrupt, subject.clean), (subject.clean, subject.corrupt)] {
    let sites = subject.model.residualSites
    let patches = try sites.map { site -> [Patch] in
      // The connector's rows are a cut because both runs are asked the same text.
      [try subject.selection(site, base: base, source: source).patch()]
    }
    let outcomes = try subject.model.patched(base, patches)
    cuts += outcomes.count
    wrong += outcomes.count { $0 != source.outcome }
    moved = max(moved, abs(source.logitDifference - base.logitDifference))
  }
  return Oracle(
    2, "all positions patched give the source's outcome to the bit", passes: wrong == 0,
    seen: moved,
    "\(cuts) cuts, \(wrong) differ, logit difference moved by \(decimal(moved))")
}

/// 9. Behind the last layer only positions that are read have an effect; computed, not skipped.
private func structuralZeros(_ subject: OracleSubject) throws -> Oracle {
  let (base, source) = (subject.corrupt, subject.clean)
  let last = Site(.lm, subject.model.lm.config.layers - 1, .residPost)
  let unread = try subject.selection(last, .positions(0, -1), base: base, source: source)
  let read = try subject.selection(last, .positions(-1, nil), base: base, source: source)
  let outcomes = try subject.model.patched(
    base, [[unread.patch()], [read.patch()]], skipping: false)
  let (zero, effect) = (
    outcomes[0].logitDifference - base.logitDifference,
    outcomes[1].logitDifference - base.logitDifference
  )
  return Oracle(
    9, "structural zeros are zero", passes: zero == 0,
    seen: min(unread.move.norm, abs(effect)),
    "\(unread.positions.count) unread positions moved by \(decimal(unread.move.norm)) change \(zero), "
      + "the position that is read changes \(decimal(effect))")
}

/// 11. Every site is seen exactly once in a run.
private func firesOnce(_ subject: OracleSubject) throws -> Oracle {
  var seen: [Site: Int] = [:]
  _ = try subject.model.run(subject.clean.question.input) { site, x in
    seen[site, default: 0] += 1
    return x
  }
  let wrong = subject.model.sites.filter { seen[$0] != 1 }
  let strange = seen.keys.filter { !subject.model.sites.contains($0) }
  return Oracle(
    11, "every tap fires once", passes: wrong.isEmpty && strange.isEmpty,
    seen: Double(seen.count),
    "\(seen.count) sites seen, \(wrong.count) not once, \(strange.count) unknown")
}

/// 12. Interventions stacked in one pass give the bits of each alone, and of a run from the sound on.
private func batching(_ subject: OracleSubject) throws -> Oracle {
  let (base, source) = (subject.corrupt, subject.clean)
  let windows: [Window] = (0..<8).map { .milliseconds(120 * Double($0), 120 * Double($0 + 1)) }
  let sites = subject.model.residualSites.filter { $0 != Site(.lm, nil, .embed) }
  let patches = try sites.flatMap { site in
    try windows.map { [try subject.selection(site, $0, base: base, source: source).patch()] }
  }
  let stacked = try subject.model.patched(base, patches, skipping: false)
  let alone = try patches.map { try subject.model.patched(base, [$0], skipping: false)[0] }
  let plain = try subject.model.patched(base, patches, resuming: false, skipping: false)
  func largest(_ others: [Outcome]) -> Double {
    zip(stacked, others).reduce(0) {
      max($0, abs($1.0.logitDifference - $1.1.logitDifference))
    }
  }
  let effects = stacked.map { abs($0.logitDifference - base.logitDifference) }
  return Oracle(
    12, "batched equals unbatched", passes: stacked == alone && stacked == plain,
    seen: effects.max() ?? 0,
    "\(patches.count) interventions with effects up to \(decimal(effects.max() ?? 0)); largest difference to one "
      + "at a time \(largest(alone)), to full runs \(largest(plain))")
}

/// 14. A mean over a run takes the sound's own frames, not the padding behind them.
private func meanOverSound(_ subject: OracleSubject) throws -> Oracle {
  let site = Site(.encoder, subject.model.encoder.config.layers - 1, .residPost)
  var input = subject.clean.question.input
  func means(_ extent: Extent) throws -> (valid: [Double], all: [Double]) {
    input.extent = extent
    var kept: Tensor?
    let run = try subject.model.run(input) { at, x in
      if at == site { kept = x }
      return x
    }
    guard let kept, let x = run.positions(of: kept, at: site) else {
      throw CellError("the run has no \(site)")
    }
    let valid = subject.clean.timeline.count(at: site)
    let whole = DoubleMatrix(x)
    return (whole.rows(Array(0..<valid)).columnMeans, whole.columnMeans)
  }
  let (short, padded) = (try means(.valid), try means(.padded))
  let kept = try DoubleMatrix(subject.clean.activation(of: site)).columnMeans
  func distance(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }
  let (same, over) = (
    distance(kept, padded.valid), distance(padded.valid, padded.all)
  )
  return Oracle(
    14, "a mean is taken over valid frames only",
    passes: distance(kept, short.all) == 0 && same < 1e-5 && over > 100 * same, seen: over,
    "with padding computed but left out it differs by \(scientific(same)), with padding averaged in "
      + "by \(scientific(over))")
}
