// Resumed interventions on the golden folders of every architecture: at every site, whole vectors,
// single parts and patterns, alone and together, the bits of a full run. And what is resumed is what
// lies ahead, nothing else.

import Foundation
import Interventions
import JSON
import Speech
import Tensor
import Testing

@Suite struct ResumingTests {
  static let folders = [
    "whisper", "qwen2-audio", "salmonn", "soundwave", "llama-omni", "moshi", "mimi",
  ]

  /// The sites of a model that lie before its logits, those too.
  private func sites(_ model: any SpeechLanguageModel) -> [Site] {
    model.sites.filter { !["gen", "depth"].contains($0.stage.rawValue) && $0.activation != .keep }
  }

  /// At each site a few positions, whole and one part alone: of vectors the source run's values, of
  /// patterns (which have as many columns as a run has keys) half the own ones.
  private func patches(
    _ model: any SpeechLanguageModel, _ base: Trace, _ source: Trace
  ) throws -> [[Patch]] {
    try sites(model).flatMap { site -> [[Patch]] in
      let (here, there) = (try base.place(of: site), try source.place(of: site))
      let positions = [here.rows.count / 2, here.rows.count - 1].filter { $0 < there.rows.count }
      if positions.isEmpty { return [] }
      return try [nil, 0].map { index in
        guard here.pattern == nil else {
          return [Patch(site, positions: positions, index: index) { $0 * 0.5 }]
        }
        let rows = try source.rows(of: Cell(site, index: index), at: positions)
        return [Patch(site, positions: positions, index: index, taking: rows)]
      }
    }
  }

  @Test(arguments: folders) func resumedEqualsPlain(_ folder: String) throws {
    let model = try openModel(folder: stored(folder))
    let base = try model.trace(try goldenQuestion(folder, "base", model), keeping: sites(model))
    let source = try model.trace(try goldenQuestion(folder, "source", model), keeping: sites(model))
    let alone = try patches(model, base, source)
    // Two together, far apart, and the runs of one group differ in where they begin.
    let pairs = alone.indices.map { alone[$0] + alone[(5 * $0 + 7) % alone.count] }
    for sets in [alone, pairs] {
      let plain = try model.patched(
        base, sets, reference: source, resuming: false, skipping: false)
      for skipping in [true, false] {
        let found = try model.patched(base, sets, reference: source, skipping: skipping)
        for (patches, (found, plain)) in zip(sets, zip(found, plain)) {
          #expect(found == plain, "\(folder): \(patches.map(\.site)), skipping \(skipping)")
        }
      }
      #expect(Set(plain.map(\.logitDifference)).count > sets.count / 4)
    }
    // By site: what else is heard in a group decides which rows a layer computes.
    let plain = try model.patched(base, alone, reference: source, resuming: false)
    for (site, own) in Dictionary(grouping: alone.indices, by: { alone[$0][0].site }) {
      let found = try model.patched(base, own.map { alone[$0] }, reference: source)
      #expect(found == own.map { plain[$0] }, "\(folder): \(site) alone")
    }
  }

  /// A run that goes on from a cut computes the sites behind it, and none before.
  @Test(arguments: folders) func nothingBeforeTheCutIsComputed(_ folder: String) throws {
    let model = try openModel(folder: stored(folder))
    let question = try goldenQuestion(folder, "base", model)
    let order = sites(model)
    #expect(Set(model.cuts.map(\.site)).isSubset(of: model.sites))
    var state = try model.begin(question.input, remembering: true, tap: nil)
    let full = try model.run(question.input, tap: nil).logits
    repeat {
      let cut = state.cut
      let place = order.firstIndex(of: model.cuts[cut].site)!
      var seen: [Site] = []
      let tap = Tap(Set(order)) { site, x in
        seen.append(site)
        return x
      }
      let read = state.logits({ [$0 - 1] }, tap: tap)
      #expect(read[0].isIdentical(to: gatherRows(full, [full.rows - 1])), "\(cut)")
      #expect(Set(seen) == Set(order[(place + 1)...]), "\(model.cuts[cut].site)")
    } while state.advance(tap: nil)
  }

  /// Behind the logits too: units of LLaMA-Omni's generator, codes of Moshi's depth transformer.
  @Test(arguments: ["llama-omni", "moshi"]) func whatIsSpokenGoesOn(_ folder: String) throws {
    let model = try openModel(folder: stored(folder))
    var input = try goldenQuestion(folder, "base", model).input
    if folder == "llama-omni" { input.response = 3 }
    let name = folder == "moshi" ? "depth" : "gen"
    func listening(_ body: (Tap) throws -> Void) rethrows -> [Site: Tensor] {
      var seen: [Site: Tensor] = [:]
      try body(
        Tap(Set(model.sites.filter { $0.stage.rawValue == name })) { site, x in
          seen[site] = x
          return x
        })
      return seen
    }
    let whole = try listening { _ = try model.run(input, tap: $0) }
    #expect(whole.count == model.sites.count { $0.stage.rawValue == name })
    let spoken = model.cuts.indices.filter { model.cuts[$0].kind == .spoken }
    #expect(spoken.count > 1)
    var state = try model.begin(input, remembering: true, tap: nil)
    var before = 0
    _ = listening { tap in
      while state.advance(tap: tap) {
        if !spoken.contains(state.cut) {
          before += 1
          continue
        }
        let seen = listening { tap in
          var rest = state
          while rest.advance(tap: tap) {}
          let run = rest.finished(tap: tap)
          #expect(run.logits.rows > 1)
          #expect((run.units == nil) == (folder == "moshi"))
        }
        for (site, x) in seen { #expect(x.isIdentical(to: whole[site]!), "\(site)") }
        #expect(!seen.isEmpty && seen.count < whole.count)
      }
    }
    #expect(before > 3)
  }

  /// All that passes at one depth, taken from the source run, gives its answer to the last bit; one of
  /// two encoders alone does not.
  @Test(arguments: ["qwen2-audio", "salmonn", "soundwave", "llama-omni"])
  func aCutHoldsEverything(_ folder: String) throws {
    let model = try openModel(folder: stored(folder))
    let branch = model.branchSites
    #expect(branch.count == (folder == "salmonn" ? 1 : 0))
    let own = try goldenQuestion(folder, "base", model)
    let first = try model.trace(own)
    let base = try model.trace(own.keepingFrames(of: first), keeping: branch)
    let asked = try goldenQuestion(folder, "source_eq", model).keepingFrames(of: first)
    let source = try model.trace(asked, keeping: branch)
    #expect(source.logitDifference != base.logitDifference)
    let sites = model.residualSites
    let cuts = sites.map { site in model.cut(at: site).map { Cell($0) } }
    #expect(
      try model.patched(base, from: source, cells: cuts)
        == sites.map { _ in source.logitDifference })
    #expect(
      try model.patched(base, from: base, cells: cuts) == sites.map { _ in base.logitDifference })
    let alone = try model.patched(base, from: source, cells: [[Cell(sites[0])]])
    #expect((alone[0] == source.logitDifference) == branch.isEmpty)
    #expect(
      try model.patched(base, from: source, cells: [[Cell(sites[0], .milliseconds(1e5, 2e5))]])
        == [nil])
  }

  @Test(arguments: ["whisper", "moshi"]) func everySiteCanBePatched(_ folder: String) throws {
    let model = try openModel(folder: stored(folder))
    let sites = model.sites.filter { ![.logits].contains($0.activation) }
    let base = try model.trace(try goldenQuestion(folder, "base", model), keeping: sites)
    let source = try model.trace(try goldenQuestion(folder, "source", model), keeping: sites)
    var (own, other): ([[Patch]], [[Patch]]) = ([], [])
    for site in sites {
      let (here, there) = (try base.place(of: site), try source.place(of: site))
      let positions = [0, here.rows.count / 2].filter { $0 < there.rows.count }
      guard here.pattern == nil else { continue }
      let cell = Cell(site)
      own.append([
        Patch(site, positions: positions, taking: try base.rows(of: cell, at: positions))
      ])
      other.append([
        Patch(site, positions: positions, taking: try source.rows(of: cell, at: positions))
      ])
    }
    for outcome in try model.patched(base, own, skipping: false) {
      #expect(outcome == base.outcome)
    }
    let moved = try model.patched(base, other).count {
      $0.logitDifference != base.logitDifference
    }
    #expect(moved > 20)
  }

  /// Layers run again on the way back give the slopes of the record at every site, those of SALMONN's
  /// second encoder too.
  /// Where a slope is a sum over layers it may be added in another order.
  @Test(arguments: ["whisper", "qwen2-audio", "salmonn", "soundwave", "llama-omni", "moshi"])
  func runningAgainChangesNothing(_ folder: String) throws {
    let model = try openModel(folder: stored(folder))
    let sites = self.sites(model).filter {
      $0.activation != .logits && $0.stage.rawValue != "ctc"
        && !$0.activation.rawValue.hasSuffix("pattern")
    }
    let question = try goldenQuestion(folder, "base", model)
    let source = try goldenQuestion(folder, "source_eq", model)
    for method in [SearchMethod.attribution, .relevance(freezingPatterns: false), .gradDrop] {
      var options = SearchOptions(method, sites: sites)
      options.alignment = .linear(base: 1000, source: 1000)
      let recorded = try model.search(base: question, source: source, options)
      options.recomputes = true
      let again = try model.search(base: question, source: source, options)
      for site in sites {
        let (one, two) = (recorded.scores[site]!.total, again.scores[site]!.total)
        let slack = folder == "whisper" ? 1e-5 * max(1, abs(one)) : 0
        #expect(abs(one - two) <= slack, "\(method.name) at \(site)")
      }
      let silent = sites.count { $0.stage.rawValue.hasPrefix("mimi") }
      #expect(
        recorded.scores.values.count { $0.total != 0 } > (sites.count - silent) / 2)
    }
  }

  /// Searches reach every kind of site of every architecture.
  @Test(arguments: ["whisper", "qwen2-audio", "salmonn", "soundwave", "llama-omni", "moshi"])
  func searchesReachEverySite(_ folder: String) throws {
    let model = try openModel(folder: stored(folder))
    let sites = model.sites.filter {
      let stage = $0.stage.rawValue
      return $0.activation != .logits && !["gen", "ctc", "depth"].contains(stage)
        && !stage.hasPrefix("mimi") && !$0.activation.rawValue.hasSuffix("pattern")
    }
    let question = try goldenQuestion(folder, "base", model)
    let source = try goldenQuestion(folder, "source_eq", model)
    for method in [SearchMethod.attribution, .attributionQK, .conductance(steps: 2)] {
      var options = SearchOptions(method, sites: sites)
      options.alignment = .linear(base: 1000, source: 1000)
      let result = try model.search(base: question, source: source, options)
      #expect(result.scores.count == sites.count)
      #expect(result.scores.values.allSatisfy { $0.total.isFinite })
      #expect(result.scores.values.count { $0.total != 0 } > sites.count / 2)
    }
  }
}
