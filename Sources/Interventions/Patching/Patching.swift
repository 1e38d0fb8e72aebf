// Exact patching: what the model says when some activations of the base run are replaced. The plain
// way runs the model from the sound on for every intervention, and serves any site of any
// architecture; where a run can be resumed (Resuming.swift) the result has the same bits.

import Speech
import Tensor

extension SpeechLanguageModel {
  /// What the base run says with each intervention.
  ///
  /// - Parameters:
  ///   - interventions: each a set of patches that act together
  ///   - reference: the run to which the divergence is taken, such as the clean one
  ///   - resuming: false runs the model from the sound on for every intervention, as a check
  ///   - skipping: interventions that cannot change anything are not computed: those whose new rows
  ///     are the base's to the bit, and those that no logit reads
  /// - Throws: where a site is unknown, or a head, neuron or position is not there.
  public func patched(
    _ base: Trace, _ interventions: [[Patch]], reference: Trace? = nil, resuming: Bool = true,
    skipping: Bool = true
  ) throws -> [Outcome] {
    for patch in interventions.joined() { try check(patch, in: base) }
    let question = base.question
    let unchanged = question.outcome(base.logits, reference: reference?.logits)
    var outcomes = [Outcome](repeating: unchanged, count: interventions.count)
    var pending: [Pending] = []
    for (i, patches) in interventions.enumerated() {
      if skipping && patches.allSatisfy({ isInert($0, in: base) }) { continue }
      if resuming, let splicing = self as? AudioLanguageModel,
        let start = splicing.start(of: patches, base)
      {
        pending.append(Pending(index: i, boundary: start.boundary, patches: start.patches))
      } else {
        let logits = try rerun(base, patches)
        outcomes[i] = question.outcome(logits, reference: reference?.logits)
      }
    }
    if let splicing = self as? AudioLanguageModel {
      for (index, logits) in try splicing.resumed(base, pending) {
        outcomes[index] = question.outcome(logits, reference: reference?.logits)
      }
    }
    return outcomes
  }

  private func check(_ patch: Patch, in base: Trace) throws {
    try check(patch.site)
    let place = try base.place(of: patch.site)
    guard patch.positions.allSatisfy(place.rows.indices.contains) else {
      throw CellError("\(patch.site): the base run has \(place.rows.count) positions there")
    }
    if let index = patch.index, place.heads > 1, index >= place.heads {
      throw CellError("\(patch.site)[\(index)]: the site has \(place.heads) heads, counted from 0")
    }
  }

  /// Whether a patch cannot change what is read.
  private func isInert(_ patch: Patch, in base: Trace) -> Bool {
    if patch.positions.isEmpty { return true }
    if let splicing = self as? AudioLanguageModel, splicing.isUnread(patch, in: base) {
      return true
    }
    guard let own = try? base.rows(of: Cell(patch.site, index: patch.index), at: patch.positions)
    else { return false }
    return patch.change(own).isIdentical(to: own)
  }

  /// The logits that are read after a full run from the sound on.
  func rerun(_ base: Trace, _ patches: [Patch]) throws -> Tensor {
    let bySite = Dictionary(grouping: patches, by: \.site)
    let places = Dictionary(
      uniqueKeysWithValues: try bySite.keys.map { ($0, try base.place(of: $0)) })
    let run = try self.run(base.question.input) { site, x in
      guard let own = bySite[site], let place = places[site] else { return x }
      return Patch.applying(own, to: x, at: place)
    }
    return gatherRows(run.logits, base.question.reads(of: run.logits.rows))
  }
}
