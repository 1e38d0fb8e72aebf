// Interventions at sites inside a layer, heads, neurons and several together: resumed and stacked
// runs give the bits of full ones, and a head's patch is what rewriting its columns by hand gives.

import Foundation
import Interventions
import Speech
import Tensor
import Testing

@Suite struct PatchingTests {
  /// Patches of one kind for many sites and positions, of the whole vector and of one part.
  private func interventions(_ small: Small, _ source: Trace, _ base: Trace) throws -> [[Patch]] {
    var sets: [[Patch]] = []
    for site in small.model.sites where site.activation != .logits {
      let count = try base.place(of: site).rows.count
      let there = try source.place(of: site).rows.count
      for positions in [[0], [count / 2], [count - 1], Array(0..<min(count, there))] {
        let kept = positions.filter { $0 < there }
        for index in [nil, 1] where !kept.isEmpty {
          let rows = try source.rows(of: Cell(site, index: index), at: kept)
          sets.append([Patch(site, positions: kept, index: index, taking: rows)])
        }
      }
    }
    return sets
  }

  @Test(arguments: [61, 62]) func resumedEqualsPlainEverywhere(_ frames: Int) throws {
    let small = Small(seed: 41, frames: frames)
    let model = small.model
    let sites = model.sites.filter { $0.activation != .logits }
    let base = try model.trace(small.question, keeping: sites)
    let source = try model.trace(small.source, keeping: sites)
    let sets = try interventions(small, source, base)
    let plain = try model.patched(base, sets, reference: source, resuming: false, skipping: false)
    let resumed = try model.patched(base, sets, reference: source)
    #expect(plain == resumed)
    let moved = plain.count { abs($0.logitDifference - base.logitDifference) > 1e-3 }
    #expect(moved > sets.count / 4, "patches that change nothing compare nothing")
    // Neighbours in a batch do not matter.
    let backwards = try model.patched(base, sets.reversed(), reference: source)
    #expect(backwards.reversed() == resumed)
  }

  /// Several patches together, from encoder to text, with heads of one site side by side.
  @Test func jointInterventions() throws {
    let small = Small(seed: 42)
    let model = small.model
    let sites = model.sites.filter { $0.activation != .logits }
    let base = try model.trace(small.question, keeping: sites)
    let source = try model.trace(small.source, keeping: sites)
    let all = try interventions(small, source, base).filter { $0[0].site.activation != .pattern }
    let random = Random(seed: 5)
    let sets = (0..<40).map { i -> [Patch] in
      var draw = random.split(i)
      return (0..<(2 + draw.below(4))).flatMap { _ in all[draw.below(all.count)] }
    }
    let plain = try model.patched(base, sets, resuming: false, skipping: false)
    #expect(try model.patched(base, sets) == plain)
    #expect(Set(plain.map(\.logitDifference)).count > 30)
    // All heads one by one are the whole.
    let z = Site(.lm, 1, .z)
    let heads = try (0..<4).map { head in
      let rows = try source.rows(of: Cell(z, index: head), at: [3, 9])
      return Patch(z, positions: [3, 9], index: head, taking: rows)
    }
    let whole = Patch(z, positions: [3, 9], taking: try source.rows(of: Cell(z), at: [3, 9]))
    let both = try model.patched(base, [heads, [whole]])
    #expect(both[0] == both[1] && both[0].logitDifference != base.logitDifference)
  }

  /// A head is its columns.
  @Test func aHeadIsItsColumns() throws {
    let small = Small(seed: 43)
    let (z, head) = (Site(.encoder, 1, .z), 2)
    let base = try small.model.trace(small.question)
    let source = try small.model.trace(small.source, keeping: [z])
    let rows = try source.rows(of: Cell(z, index: head), at: [4, 5])
    let found = try small.model.patched(
      base, [[Patch(z, positions: [4, 5], index: head, taking: rows)]])[0]
    let there = try small.run(small.source).states[z]!
    let own = try small.run(small.question, at: z) { x in
      small.replaced(x, [4, 5]) { row, j in
        (head * 6..<(head + 1) * 6).contains(j) ? there[row, j] : x[row, j]
      }
    }
    #expect(found.logitDifference == own.difference)
    #expect(found.logitDifference != base.logitDifference)
  }

  /// The share of a patch: none of it is the base run, all of it the source's rows, in every form.
  @Test func sharesAndSubspaces() throws {
    let small = Small(seed: 44)
    let site = Site(.lm, 0, .residPost)
    let base = try small.model.trace(small.question)
    let source = try small.model.trace(small.source)
    let positions = [4, 7, 8]
    let rows = try source.rows(of: Cell(site), at: positions)
    let width = rows.width
    let one = Tensor([width, width], (0..<width * width).map { $0 % (width + 1) == 0 ? 1 : 0 })
    let two = one * 2
    let outcomes = try small.model.patched(
      base,
      [
        [Patch(site, positions: positions, taking: rows)],
        [Patch(site, positions: positions, towards: rows, by: 0)],
        [Patch(site, positions: positions, towards: rows, by: 1)],
        [Patch(site, positions: positions, subspace: one, of: rows)],
        [Patch(site, positions: positions, subspace: two, read: one * 0.5, of: rows)],
        [Patch(site, positions: positions, towards: rows, by: 0.5)],
      ])
    let values = outcomes.map(\.logitDifference)
    #expect(values[1] == base.logitDifference)
    for value in values[2...4] { #expect(abs(value - values[0]) < 1e-5) }
    #expect(abs(values[0] - base.logitDifference) > 1e-3)
    #expect(abs(values[5] - values[0]) > 3e-4 && abs(values[5] - values[1]) > 3e-4)
  }

  /// Whole answers are read in the same pass: what the answers share, and each continuation, has the
  /// probability that a run on it alone gives.
  @Test func wholeAnswersInOnePass() throws {
    let small = Small(seed: 45)
    let (shared, answer, foil) = ([6, 11], [12, 4, 8], [17, 9])
    let question = Question(
      ModelInput(clip: small.question.clip, tokens: small.question.tokens),
      try Answers(answer: shared + answer, foil: shared + foil))
    let outcome = try small.model.trace(question).outcome
    func logProbability(_ said: [Int]) throws -> Double {
      let prompt = small.question.tokens
      let run = try small.model.run(
        ModelInput(clip: small.question.clip, tokens: prompt + said.dropLast()), tap: nil)
      return said.indices.reduce(0.0) { sum, i in
        let row = prompt.count - 1 + i
        let exponents = (0..<run.logits.width).map { Foundation.exp(Double(run.logits[row, $0])) }
        return sum + Double(run.logits[row, said[i]]) - Foundation.log(exponents.reduce(0, +))
      }
    }
    let alone =
      (try logProbability(shared + answer) / 5) - (try logProbability(shared + foil) / 4)
    #expect(abs(outcome.sequence! - alone) < 1e-5)
    let first =
      try logProbability(shared + [12]) - (try logProbability(shared + [17]))
    #expect(abs(outcome.logitDifference - first) < 1e-5)
    #expect(abs(outcome.probability / outcome.foilProbability - Foundation.exp(first)) < 1e-4)
    // Patched runs read the same rows, resumed or not.
    let source = try small.model.trace(small.source)
    let patches = try [Site(.encoder, 0, .residPost), Site(.lm, 1, .residPost)].map { site in
      [Patch(site, positions: [5], taking: try source.rows(of: Cell(site), at: [5]))]
    }
    let base = try small.model.trace(question)
    let plain = try small.model.patched(base, patches, reference: base, resuming: false)
    #expect(try small.model.patched(base, patches, reference: base) == plain)
    #expect(plain.allSatisfy { $0.divergence! > 0 && $0.sequence! != outcome.sequence! })
  }

  @Test func answersMustDiffer() {
    #expect(throws: CellError.self) { try Answers(answer: [1, 2], foil: [1, 2, 3]) }
    #expect(throws: CellError.self) { try Answers(answer: [], foil: [1]) }
    #expect(throws: CellError.self) { try Answers(answer: [4], foil: [4]) }
  }
}
