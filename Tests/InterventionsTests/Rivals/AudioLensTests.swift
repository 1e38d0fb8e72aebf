// The logit lens at the last position: its ends against the model's own logits, layers and distances by
// hand, and claims that can fail.

import Interventions
import Speech
import Tensor
import Testing

private func outcome(_ difference: Double) -> Outcome {
  Outcome(
    logitDifference: difference, probability: 0.1 + 0.1 * difference, foilProbability: 0,
    sequence: nil, divergence: nil)
}

/// A tracing of four layers: the last position recovers half at one depth, and the sound half at another.
private func traced(rises: Double, falls: Double) -> FusionReading {
  let depths = [0.0, 1, 2, 3, 4]
  func curve(_ depth: Double, _ sign: Double) -> FusionCurve {
    let values = depths.map { outcome(4 * min(max(0.5 + sign * ($0 - depth) / 2, 0), 1)) }
    return FusionCurve(depths: depths, source: values, unrelated: values)
  }
  let last = curve(rises, 1)
  return FusionReading(
    layers: 4, clean: outcome(4), silent: outcome(0), curves: [last, last, curve(falls, -1)])
}

/// A lens whose answer's margin is zero at one depth.
private func lens(_ depth: Double) -> LensReading {
  let logits = [0.0, 1, 2, 3, 4].map { [$0 - depth, 0.0, -9] }
  return LensReading(answer: LensCurve(logits, of: 0), unrelated: LensCurve(logits, of: 2))
}

@Suite struct AudioLensTests {
  let small = Small()
  let answers: Set<Int> = [12, 17, 4, 9, 25]

  private func message(_ body: () throws -> Void) -> String {
    do { try body() } catch { return "\(error)" }
    return ""
  }

  @Test func behindTheLastLayerItReadsTheModelsOwnLogits() throws {
    let run = try small.model.trace(small.question)
    let found = try small.model.lens(run, unrelated: 4, among: answers)
    let logits = answers.sorted().map { Double(run.logits[0, $0]) }
    let sum = logits.reduce(0) { $0 + Elementary.exp($1) }
    for (curve, token) in [(found.answer, 12), (found.unrelated, 4)] {
      let own = Double(run.logits[0, token])
      #expect(abs(curve.scores.last! - (own - Elementary.log(sum))) < 1e-5)
      #expect(curve.ranks.last == 1 + logits.count { $0 > own })
      #expect(curve.scores.count == 4)
    }
  }

  @Test func belowItReadsTheResidualStreamThroughNormAndUnembedding() throws {
    let sites = small.model.residualSites
    let run = try small.model.trace(small.question, keeping: sites)
    let found = try small.model.lens(run, unrelated: 17, among: answers)
    let last = small.question.tokens.count - 1
    for depth in 0..<3 {
      let site = depth == 0 ? Site(.lm, .embed) : Site(.lm, depth - 1, .residPost)
      let rows = try run.rows(of: Interventions.Cell(site), at: [last])
      let plain = try small.run(small.question, at: Site(.lm, 2, .residPost)) { x in
        small.replaced(x, [last]) { _, j in rows[0, j] }
      }
      let difference = found.answer.scores[depth] - found.unrelated.scores[depth]
      #expect(abs(difference - plain.difference) < 1e-5, "\(depth)")
    }
  }

  @Test func theCriticalLayerIsTheOneFromWhichOnNoOtherAnswerIsStronger() {
    let curve = LensCurve([[0, 2], [1, 0], [0, 3], [2, 1], [5, 1]], of: 0)
    #expect(curve.ranks == [2, 1, 2, 1, 1] && curve.margins == [-2, 1, -3, 1, 4])
    #expect(curve.critical == 3 && curve.layer == 2.75)
    #expect(abs(curve.scores[1] + Elementary.log(1 + Elementary.exp(-1))) < 1e-12)
    let never = LensCurve([[2, 0], [0, 1]], of: 0)
    #expect(never.critical == nil && never.layer == nil)
    let always = LensCurve([[2, 0, 1], [1, 0, 1]], of: 0)
    #expect(always.critical == 0 && always.layer == 0)
  }

  @Test func distancesAreThoseByHand() throws {
    let lenses = [lens(1), lens(2), lens(3)]
    let readings = [
      traced(rises: 2, falls: 2.5), traced(rises: 2, falls: 2), traced(rises: 3, falls: 2),
    ]
    let found = try lenses.summary(
      readings, groups: ["a", "a", "b"], draws: 200, Random(seed: 1))
    #expect(found.recordings == 3 && abs(found.lens.value - 2) < 1e-9)
    #expect(abs(found.causal.value - 7.0 / 3) < 1e-9 && abs(found.sound.value - 6.5 / 3) < 1e-9)
    #expect(abs(found.later.value + 1.0 / 3) < 1e-9)
    #expect(abs(found.distance.value - 1.0 / 3) < 1e-9)
    // The first two against the third's lens layer: 1 and 1; the third against 1 and 2: 1.5.
    #expect(abs(found.shuffled.value - 3.5 / 3) < 1e-9)
    #expect(abs(found.soundDistance.value - 1.5 / 3) < 1e-9)
    #expect(found.unrelated.value == 0)
  }

  @Test func theClaimHoldsOnlyWhereThePairsOwnLayerIsNearer() throws {
    let depths = (0..<12).map { 1 + 0.5 * Double($0 % 5) }
    let groups = (0..<12).map { "g\($0)" }
    let readings = depths.map { traced(rises: $0, falls: 3) }
    func holds(_ lenses: [LensReading]) throws -> Bool {
      let found = try lenses.summary(readings, groups: groups, draws: 500, Random(seed: 1))
      return found.row(of: "m").holds
    }
    #expect(try holds(depths.map { lens($0 + 0.1) }))
    // As near on average, but the same for all.
    #expect(try !holds(depths.map { _ in lens(2) }))
    #expect(try !holds(depths.reversed().map { lens($0) }))
  }

  @Test func whatCannotBeReadSaysWhy() throws {
    let run = try small.model.trace(small.question)
    for (unrelated, all) in [(4, [12, 17]), (12, [12, 17]), (17, [17, 4])] {
      #expect(
        message { _ = try small.model.lens(run, unrelated: unrelated, among: Set(all)) }
          .contains("pair's own question"))
    }
    let forced = Question(
      small.question.input, try Answers(answer: [5, 12], foil: [5, 17]))
    let long = try small.model.trace(forced)
    #expect(
      message { _ = try small.model.lens(long, unrelated: 4, among: answers) }
        .contains("forces tokens"))
    #expect(
      message {
        _ = try [lens(1)].summary([], groups: ["a"], draws: 10, Random(seed: 1))
      }.contains("as many of each"))
    let wrong = lens(9)
    let one = message {
      _ = try [lens(1), wrong].summary(
        [traced(rises: 2, falls: 2), traced(rises: 2, falls: 2)], groups: ["a", "b"], draws: 10,
        Random(seed: 1))
    }
    #expect(one.contains("1 of 2") && one.contains("two groups"))
  }
}
