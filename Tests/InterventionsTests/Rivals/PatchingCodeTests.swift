// What pyvene and TransformerLens compute on the shipped checkpoint, repeated here.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

/// The clean run patched into the corrupt one, by pyvene 0.1.8 and TransformerLens 4.3.0.
@Suite struct PatchingCodeTests {
  private let golden: RivalGolden
  private let model: AudioLanguageModel
  private let clean: Question
  private let corrupt: Question

  init() throws {
    let golden = try RivalCode.golden.get()
    let pair = try #require(RivalCode.suite.get().pairs.first { $0.id == golden.pair })
    (clean, corrupt) = try RivalCode.speech.get().questions(for: pair, root: RivalCode.root)
    (self.golden, model) = (golden, try RivalCode.speech.get().model)
  }

  private func traces(_ sites: [Site]) throws -> (base: Trace, source: Trace) {
    (try model.trace(corrupt, keeping: sites), try model.trace(clean, keeping: sites))
  }

  private func difference(_ base: Trace, _ patch: Patch) throws -> Double {
    try model.patched(base, [[patch]])[0].logitDifference
  }

  @Test func interchangesArePyvenes() throws {
    let layers = Set(golden.pyvene.whole.map(\.layer)).sorted()
    let (base, source) = try traces(layers.map { Site(.lm, $0, .residPost) })
    #expect(abs(base.logitDifference - golden.corrupt) < RivalCode.tolerance)
    #expect(abs(source.logitDifference - golden.clean) < RivalCode.tolerance)
    for theirs in golden.pyvene.whole {
      let site = Site(.lm, theirs.layer, .residPost)
      let patch = Patch(
        site, positions: theirs.positions,
        taking: try source.rows(of: Cell(site), at: theirs.positions))
      #expect(abs(try difference(base, patch) - theirs.value) < RivalCode.tolerance)
    }
    #expect(golden.pyvene.whole.count { abs($0.value - golden.corrupt) > 0.5 } >= 5)
  }

  /// A swap in a rotated space keeps what lies outside it. That of principal components puts the mean in the
  /// place of it, so that more is changed than the swap.
  @Test func principalComponentsLoseTheRestInPyvene() throws {
    let theirs = golden.pyvene.subspace
    let site = Site(.lm, theirs.layer, .residPost)
    let (base, source) = try traces([site])
    let rows = try source.rows(of: Cell(site), at: theirs.positions)
    let basis = transposed(Tensor([theirs.basis.count, rows.width], theirs.basis.flatMap { $0 }))
    let swap = Patch(site, positions: theirs.positions, subspace: basis, of: rows)
    #expect(abs(try difference(base, swap) - theirs.rotated) < RivalCode.tolerance)
    let mean = Tensor(rows.shape, theirs.positions.flatMap { _ in theirs.mean })
    let kept = linear(linear(rows - mean, transposed(basis)), basis)
    let lossy = Patch(site, positions: theirs.positions, taking: mean + kept)
    #expect(abs(try difference(base, lossy) - theirs.pca) < RivalCode.tolerance)
    #expect(abs(theirs.rotated - theirs.pca) > 1 && abs(theirs.rotated - golden.corrupt) > 1)
  }

  @Test func headsAreTransformerLenses() throws {
    let layers = golden.paths.heads.count
    let (base, source) = try traces((0..<layers).map { Site(.lm, $0, .z) })
    let all = Array(0..<base.tokens)
    for (layer, row) in golden.paths.heads.enumerated() {
      let site = Site(.lm, layer, .z)
      for (head, theirs) in row.enumerated() {
        let rows = try source.rows(of: Cell(site, index: head), at: all)
        let patch = Patch(site, positions: all, index: head, taking: rows)
        #expect(abs(try difference(base, patch) - theirs) < RivalCode.tolerance)
      }
    }
    #expect(golden.paths.heads.joined().contains { abs($0 - golden.corrupt) > 2 })
  }

  /// From one head to the queries, keys or values of each later one alone. Where no path leads theirs has 0,
  /// which is no logit difference of this run, and ours nothing.
  @Test func pathsAreTransformerLenses() throws {
    let layers = golden.paths.heads.count
    let heads = golden.paths.heads[0].count
    for sender in golden.paths.senders {
      var (largest, compared) = (0.0, 0)
      for (activation, theirs) in [
        (Site.Activation.q, sender.q), (.k, sender.k), (.v, sender.v),
      ] {
        let receivers = (0..<layers).flatMap { layer in
          (0..<heads).map { PathReceiver(Cell(Site(.lm, layer, activation), index: $0)) }
        }
        let site = Site(.lm, sender.layer, .z)
        let base = try model.trace(corrupt, keeping: model.pathSites(receivers) + [site])
        let source = try model.trace(clean, keeping: [site])
        let all = Array(0..<base.tokens)
        let patch = Patch(
          site, positions: all, index: sender.head,
          taking: try source.rows(of: Cell(site, index: sender.head), at: all))
        let effects = try model.pathEffects(base, from: patch, through: receivers)
        for (ours, theirs) in zip(effects.through, theirs.joined()) {
          guard let ours else {
            #expect(theirs == 0)
            continue
          }
          #expect(abs(base.logitDifference + ours - theirs) < RivalCode.tolerance)
          largest = max(largest, abs(theirs - golden.corrupt))
          compared += 1
        }
        #expect(
          abs(effects.whole + base.logitDifference - golden.paths.heads[sender.layer][sender.head])
            < RivalCode.tolerance)
      }
      #expect(compared == 3 * heads * (layers - 1 - sender.layer) && largest > 0.04)
    }
  }
}
