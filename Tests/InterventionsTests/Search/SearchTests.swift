// Searches against what they estimate: slopes against exact patches of small size, completeness along
// a path, QK-fix against patterns computed anew, GradDrop against a pass with the writes cut off.

import Foundation
import Interventions
import Speech
import Tensor
import Testing

@Suite struct SearchTests {
  private func sites(_ small: Small) -> [Site] {
    small.model.sites.filter { $0.activation != .logits }
  }

  /// The two ways back have the same bits, for the gradient, for relevance, and for GradDrop, which
  /// goes back once for each of the five layers.
  @Test(arguments: [
    (SearchMethod.attribution, 1), (.relevance(freezingPatterns: false), 1), (.gradDrop, 5),
  ])
  func recomputingChangesNothing(_ method: SearchMethod, _ passes: Double) throws {
    let small = Small(seed: 51)
    var options = SearchOptions(method, sites: sites(small))
    let recorded = try small.model.search(
      base: small.question, source: small.source, options)
    options.recomputes = true
    let again = try small.model.search(base: small.question, source: small.source, options)
    for site in options.sites {
      #expect(recorded.scores[site]!.total == again.scores[site]!.total, "\(site)")
    }
    #expect(recorded.cost.forwards == 2 && recorded.cost.backwards == passes)
    #expect(again.cost.forwards == 2 + passes && again.cost.backwards == passes)
  }

  /// A score is the slope of the exact effect, for heads, neurons, connector and residual stream.
  @Test(arguments: [
    "encoder.1.attn.z[2]@3..9", "lm.1.mlp.post[17]@all", "lm.0.attn.z@sound", "connector.out@2..6",
    "encoder.final@1..4", "lm.2.resid_mid@text", "lm.1.attn.rot_k[1]@4..8", "encoder.0.mlp.out@5",
    "lm.2.attn.pattern[3]@-1",
  ]) func scoresAreSlopes(_ name: String) throws {
    let small = Small(seed: 52)
    let cell = try Cell(name)
    let result = try small.model.search(
      base: small.question, source: small.source, SearchOptions(.attribution, sites: [cell.site]))
    let score = result.scores[cell.site]!.score(cell.window, index: cell.index)!
    let base = try small.model.trace(small.question, keeping: [cell.site])
    let source = try small.model.trace(small.source, keeping: [cell.site])
    let selection = try Selection(cell, base: base, source: source, .identity)!
    let steps: [Float] = [0.02, -0.02, 0.04, -0.04]
    let values = try small.model.patched(base, steps.map { [selection.patch(by: $0)] })
      .map(\.logitDifference)
    let (near, far) = ((values[0] - values[1]) / 0.04, (values[2] - values[3]) / 0.08)
    let slope = (4 * near - far) / 3
    #expect(abs(slope - score) < 5e-3 * max(0.05, abs(score)), "\(slope) against \(score)")
    #expect(abs(score) > 1e-5)
  }

  /// Conductance adds up to the whole effect at every cut, from either start of the path; integrated
  /// gradients do at the start.
  @Test(arguments: [PathStart.features, .site(Site(.connector, .out))])
  func conductanceIsComplete(_ start: PathStart) throws {
    let small = Small(seed: 53)
    let cuts = small.model.residualSites.filter {
      start == .features || $0.stage != .encoder
    }
    var options = SearchOptions(.conductance(steps: 32), sites: cuts)
    options.path = start
    let fine = try small.model.search(base: small.question, source: small.source, options)
    #expect(abs(fine.total) > 1e-2)
    for site in cuts {
      #expect(abs(fine.residual(at: site)!) < 2e-3, "\(site): \(fine.residual(at: site)!)")
    }
    let end = try small.model.trace(small.source).logitDifference
    #expect(fine.end == end, "the path ends at the source run")
    // Fewer steps are worse, so that the number is not a constant of the code.
    options.method = .conductance(steps: 2)
    let rough = try small.model.search(base: small.question, source: small.source, options)
    let worst = cuts.map { abs(rough.residual(at: $0)!) }.max()!
    #expect(worst > cuts.map { abs(fine.residual(at: $0)!) }.max()!)
    #expect(fine.cost.backwards == 33 && rough.cost.backwards == 3)
    if start != .features {
      options.method = .integratedGradients(steps: 32)
      let integrated = try small.model.search(
        base: small.question, source: small.source, options)
      #expect(abs(integrated.residual(at: Site(.connector, .out))!) < 2e-3)
    }
  }

  /// One key or query at a time: the closed form is the pattern computed anew, times the slopes.
  @Test(arguments: ["lm.1.attn.rot_k", "lm.1.attn.rot_q", "encoder.1.attn.k", "encoder.1.attn.q"])
  func fixIsThePatternAnew(_ name: String) throws {
    let small = Small(seed: 54)
    let site = try Cell(name).site
    let pattern = Site(site.stage, site.layer, .pattern)
    let fixed = try small.model.search(
      base: small.question, source: small.source,
      SearchOptions(.attributionQK, sites: [site]))
    let base = try small.model.trace(small.question, keeping: [site, pattern])
    let source = try small.model.trace(small.source, keeping: [site, pattern])
    let before = try base.activation(of: pattern)
    // Slopes by the pattern: of each entry, by moving it alone.
    let count = try base.place(of: site).rows.count
    let heads = site.activation.rawValue.hasSuffix("k") ? (site.stage == .lm ? 2 : 3) : 4
    for (position, head) in [(2, 0), (7, 1), (count - 1, 1)] {
      let cell = Cell(site, index: min(head, heads - 1), .positions(position, position + 1))
      let rows = try source.rows(of: cell, at: [position])
      let after = try patterns(
        small, pattern, at: site,
        Patch(site, positions: [position], index: cell.index, taking: rows), base)
      // The scores of the pattern with the new pattern as its source are slope times move.
      let moved = zip(before.numbers, after.numbers).enumerated().filter { $1.0 != $1.1 }
      #expect(!moved.isEmpty)
      let slopes = try patternSlopes(small, pattern, moved.map(\.offset), base)
      let expected = zip(moved, slopes).reduce(0.0) {
        $0 + Double($1.0.element.1 - $1.0.element.0) * $1.1
      }
      let found = fixed.scores[site]!.score(cell.window, index: cell.index)!
      #expect(abs(found - expected) < 2e-3 * max(0.01, abs(expected)), "\(cell)")
    }
  }

  /// The pattern of a run with one patch.
  private func patterns(
    _ small: Small, _ pattern: Site, at site: Site, _ patch: Patch, _ base: Trace
  ) throws -> Tensor {
    var seen: Tensor?
    let place = try base.place(of: site)
    let rows = try base.rows(of: Cell(site), at: patch.positions).numbers
    let width = rows.count
    let columns = width / place.heads
    let own = try base.rows(of: Cell(site, index: patch.index), at: patch.positions)
    let changed = patch.changed(own)
    let run = try small.model.run(small.question.input) { at, x in
      if at == pattern { seen = x }
      guard at == site else { return x }
      var numbers = x.numbers
      let start = place.rows[patch.positions[0]] * width + patch.index! * columns
      for j in 0..<columns { numbers[start + j] = changed.numbers[j] }
      return Tensor(x.shape, numbers)
    }
    return run.positions(of: seen!, at: pattern)!
  }

  /// The slope of the logit difference by single entries of a pattern, by its own reverse pass.
  private func patternSlopes(
    _ small: Small, _ pattern: Site, _ entries: [Int], _ base: Trace
  ) throws -> [Double] {
    var seen: Tensor?
    let question = small.question
    let run = try small.model.run(question.input) { at, x in
      let x = x.isDifferentiated ? x : x.variable
      if at == pattern { seen = x }
      return x
    }
    let last = gatherRows(run.logits, [run.logits.rows - 1])
    var seed = [Float](repeating: 0, count: last.count)
    seed[question.answer] = 1
    seed[question.foil] = -1
    let slope = last.gradients(of: [seen!], weights: Tensor(last.shape, seed))[0]
    let own = run.positions(of: slope, at: pattern)!.numbers
    return entries.map { Double(own[$0]) }
  }

  /// With one layer's writes cut off by hand, its share of GradDrop is what remains.
  @Test(arguments: [false, true]) func gradDropIsTheMeanOverCutLayers(_ recomputes: Bool) throws {
    let small = Small(seed: 55)
    let wanted = [Site(.encoder, 0, .residPost), Site(.lm, 0, .z), Site(.lm, 1, .residMid)]
    var options = SearchOptions(.gradDrop, sites: wanted)
    options.recomputes = recomputes
    let found = try small.model.search(base: small.question, source: small.source, options)
    let layers: [(Site.Stage, Int)] = [
      (.encoder, 0), (.encoder, 1), (.lm, 0), (.lm, 1), (.lm, 2),
    ]
    #expect(found.cost.backwards == 5 && found.cost.forwards == (recomputes ? 7 : 2))
    let there = try small.model.trace(small.source, keeping: wanted)
    var sums = [Double](repeating: 0, count: wanted.count)
    for (stage, layer) in layers {
      var seen: [Site: Tensor] = [:]
      let run = try small.model.run(small.question.input) { site, x in
        var x = x.isDifferentiated ? x : x.variable
        if site == Site(stage, layer, .attnOut) || site == Site(stage, layer, .mlpOut) {
          x = x.detached
        }
        if wanted.contains(site) { seen[site] = x }
        return x
      }
      let last = gatherRows(run.logits, [run.logits.rows - 1])
      var seed = [Float](repeating: 0, count: last.count)
      seed[small.question.answer] = 1
      seed[small.question.foil] = -1
      let slopes = last.gradients(
        of: wanted.map { seen[$0]! }, weights: Tensor(last.shape, seed))
      for (i, site) in wanted.enumerated() {
        let slope = run.positions(of: slopes[i], at: site)!.numbers
        let own = run.positions(of: seen[site]!, at: site)!.numbers
        let theirs = try there.activation(of: site).numbers
        sums[i] += slope.indices.reduce(0.0) {
          $0 + abs(Double(slope[$1]) * (Double(theirs[$1]) - Double(own[$1])))
        }
      }
    }
    for (i, site) in wanted.enumerated() {
      let expected = sums[i] / 4
      #expect(abs(found.scores[site]!.total - expected) < 1e-4 * expected, "\(site)")
    }
  }

  @Test func badSearchesAreErrors() throws {
    let small = Small()
    func fails(_ options: SearchOptions) -> Bool {
      (try? small.model.search(base: small.question, source: small.other, options)) == nil
    }
    let site = Site(.lm, 0, .residPost)
    #expect(fails(SearchOptions(.attribution, sites: [Site(.lm, 9, .z)])))
    #expect(fails(SearchOptions(.attribution, sites: [Site(.lm, .logits)])))
    #expect(fails(SearchOptions(.conductance(steps: 3), sites: [site])))
    // Of another length, with an alignment that fits, it goes.
    var options = SearchOptions(.conductance(steps: 4), sites: [site])
    options.alignment = .linear(base: 610, source: 750)
    #expect(!fails(options))
  }
}
