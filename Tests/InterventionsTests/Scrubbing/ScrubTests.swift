// Causal scrubbing on a small model: its ends are the model and a random run, its draws come from
// where the hypothesis says.

import Interventions
import JSON
import Speech
import Tensor
import Testing

/// Runs of one model on several clips, some longer, with features.
private struct Runs {
  let small = Small(seed: 4)
  var items: [ScrubItem] = []

  init(_ count: Int = 12, lengths: [Int] = [61]) throws {
    let front = LogMel(bands: small.config.melBands, samples: 16_000)
    var questions: [Question] = []
    for i in 0..<count {
      let frames = lengths[i % lengths.count]
      let wave = Tensor([frames * 160 - 9], normal: 0.1, Random(seed: 50 + UInt64(i))).numbers
      let audio = [Int](
        repeating: 2, count: small.config.sound.audioTokens(melFrames: frames))
      questions.append(
        Question(
          clip: Clip(mel: front(wave), validFrames: frames), tokens: [1] + audio + [3, 7, 5, 9],
          answer: 12, foil: 17))
    }
    // Each run's own answer is the one that it leans to more than the others do.
    let differences = try questions.map { try small.model.trace($0).logitDifference }
    let middle = differences.sorted()[count / 2]
    for (i, asked) in questions.enumerated() {
      let isHigh = differences[i] >= middle
      let trace = try small.model.trace(
        Question(
          clip: asked.clip, tokens: asked.tokens, answer: isHigh ? 12 : 17, foil: isHigh ? 17 : 12))
      let frames = lengths[i % lengths.count]
      let early = Double(40 * (i % 3))
      items.append(
        ScrubItem(
          id: "item \(i)", group: "group \(i / 2)", stratum: "prompt",
          features: [
            "parity": "\(i % 2)", "alone": "\(i)", "length": "\(frames)",
            "side": isHigh ? "high" : "low",
          ], trace: trace, changed: TimeSpan(200 + early, 300 + early)))
    }
  }

  func run(_ hypothesis: String, draws: Int = 6, seed: UInt64 = 1) throws -> [ScrubbedItem] {
    try Scrubbing(small.model, items, try Hypothesis(parsed(hypothesis)), draws: draws)
      .run(Random(seed: seed))
  }
}

private func parsed(_ text: String) throws -> JSON {
  try JSON(parsing: Array(text.utf8), name: "hypothesis")
}

@Suite struct ScrubTests {
  @Test(arguments: ["encoder.embed", "encoder.1.resid_post", "connector.out", "lm.1.resid_post"])
  func exactIsTheModelAndAnyIsARandomRun(_ site: String) throws {
    let runs = try Runs()
    let exact = try runs.run(
      """
      { "name": "exact", "others": "exact", "parents": [
        { "site": "\(site)", "window": "changed", "feature": "parity", "sampler": "exact" }] }
      """)
    for item in exact {
      #expect(item.scrubbed.allSatisfy { $0 == item.model })
      #expect(item.divergences.allSatisfy { abs($0) < 1e-12 })
    }
    let summary = ScrubSummary(exact, bootstrap: 200, Random(seed: 1))
    #expect(abs(summary.recovered.value - 1) < 1e-12 && summary.flipped == 0)
    #expect(abs(summary.lossRecovered.value - 1) < 1e-9)
    #expect(summary.meanChange == 0 && abs(summary.correlation - 1) < 1e-12)
    // All at random: each draw is another run's answer, to the bit, and all runs come up. At the
    // connector a run's own text joins it, which is the same here.
    let any = try runs.run(#"{ "name": "any", "site": "\#(site)" }"#, draws: 40)
    for item in any {
      #expect(Set(item.scrubbed).isSubset(of: Set(item.random)))
      #expect(Set(item.scrubbed).count >= 10)
      #expect(item.random.count == 12)
    }
    #expect(Set(exact.map(\.model)).count == 12)
    let spread = ScrubSummary(any, bootstrap: 200, Random(seed: 1))
    #expect(abs(spread.recovered.value) < 0.25 && spread.meanChange > 0, "\(spread)")
    // What shares the draw of the rest is not important.
    let shared = try runs.run(
      """
      { "name": "shared", "parents": [
        { "site": "\(site)", "window": "all", "feature": "parity", "sampler": "shared" }] }
      """, draws: 40)
    for item in shared { #expect(Set(item.scrubbed).isSubset(of: Set(item.random))) }
  }

  @Test func nestedInputsAreComputedAgain() throws {
    let runs = try Runs()
    func nested(_ sampler: String, _ others: String) -> String {
      """
      { "name": "nested", "others": "\(others)", "parents": [
        { "site": "lm.1.resid_post", "window": "all", "feature": "parity", "sampler": "exact",
          "others": "\(others)",
          "parents": [
            { "site": "connector.out", "window": "changed", "feature": "parity",
              "sampler": "\(sampler)",
              "others": "exact", "parents": [
                { "site": "encoder.0.resid_post", "window": "changed", "feature": "parity",
                  "sampler": "exact" }] }] }] }
      """
    }
    for item in try runs.run(nested("exact", "exact")) {
      #expect(item.scrubbed.allSatisfy { $0 == item.model })
    }
    for item in try runs.run(nested("exact", "any")) {
      #expect(item.scrubbed.contains { $0 != item.model })
    }
    let some = try runs.run(nested("equal", "exact"))
    #expect(some.contains { item in item.scrubbed.contains { $0 != item.model } })
  }

  /// Behind the last layer the answer's position is all there is: its draws are the answers of runs
  /// of the same feature.
  @Test func donorsHaveTheFeature() throws {
    let runs = try Runs()
    let text = """
      { "name": "answer", "parents": [
        { "site": "lm.2.resid_post", "window": "-1", "feature": "parity" }] }
      """
    let scrubbed = try runs.run(text, draws: 30)
    for (i, item) in scrubbed.enumerated() {
      // What the others say to this item's question.
      let alike = Set(scrubbed.indices.filter { $0 % 2 == i % 2 }.map { item.random[$0] })
      #expect(Set(item.scrubbed).isSubset(of: alike) && Set(item.scrubbed).count > 3)
    }
    // Without the reference its own answer never comes up, and all others of the feature do.
    let others = try runs.run(
      """
      { "name": "other", "parents": [
        { "site": "lm.2.resid_post", "window": "-1", "feature": "parity", "sampler": "other" }] }
      """, draws: 40)
    for (i, item) in others.enumerated() {
      let alike = Set(others.indices.filter { $0 % 2 == i % 2 && $0 != i }.map { item.random[$0] })
      #expect(Set(item.scrubbed) == alike)
    }
    // The same draws whatever else is scrubbed, and others for another seed.
    let fewer = try runs.run(text, draws: 4)
    #expect(zip(fewer, scrubbed).allSatisfy { $0.scrubbed == Array($1.scrubbed[..<4]) })
    let other = try runs.run(text, draws: 30, seed: 2)
    #expect(zip(other, scrubbed).contains { $0.scrubbed != $1.scrubbed })
    let few = try Scrubbing(runs.small.model, runs.items, Hypothesis(parsed(text)), draws: 30)
    #expect(
      few.warnings == [
        "2 of 2 classes of equal feature have fewer donors than the 30 draws, the smallest 6: draws "
          + "repeat, and 17 % of them are the reference itself; the sampler \"other\" leaves it out"
      ])
    let enough = try Scrubbing(runs.small.model, runs.items, Hypothesis(parsed(text)), draws: 6)
    #expect(enough.warnings.isEmpty)
  }

  /// The feature that does decide passes, a shuffled one does not.
  @Test func aWrongHypothesisFails() throws {
    var runs = try Runs(16)
    func recovered(_ feature: String) throws -> ScrubSummary {
      let items = try runs.run(
        """
        { "name": "\(feature)", "parents": [
          { "site": "lm.2.resid_post", "window": "-1", "feature": "\(feature)" }] }
        """, draws: 20)
      return ScrubSummary(items, bootstrap: 200, Random(seed: 1))
    }
    let right = try recovered("side")
    var random = Random(seed: 3)
    let order = random.permutation(16)
    runs.items = runs.items.enumerated().map { i, item in
      ScrubItem(
        id: item.id, group: item.group, stratum: item.stratum,
        features: ["wrong": runs.items[order[i]].features["side"]!], trace: item.trace,
        changed: item.changed)
    }
    let wrong = try recovered("wrong")
    #expect(abs(right.recovered.value - 1) < 0.2 && wrong.recovered.value < 0.5)
    #expect(right.recovered.low > wrong.recovered.high, "\(right) \(wrong)")
    // Single items do change under the right one, and only the mean does not.
    #expect(right.meanChange > 0 && right.divergence > 0)
  }

  @Test func runsOfOtherLengthAreAligned() throws {
    let runs = try Runs(6, lengths: [61, 75])
    for site in ["encoder.0.resid_post", "connector.out", "lm.0.resid_post"] {
      for window in ["changed", "changed+60ms", "elsewhere", "120ms..240ms", "sound", "all"] {
        let items = try runs.run(
          """
          { "name": "lengths", "parents": [
            { "site": "\(site)", "window": "\(window)", "feature": "parity" }] }
          """, draws: 2)
        #expect(items.allSatisfy { $0.scrubbed.allSatisfy(\.isFinite) })
      }
    }
  }

  @Test func windowsReadBackAndFollowTheChange() throws {
    for text in ["changed", "changed+40ms", "elsewhere", "120ms..240ms", "-1", "sound"] {
      #expect("\(try PairWindow(text))" == text)
    }
    let spans = (0..<10).map { TimeSpan(40 * Double($0), 40 * Double($0 + 1)) as TimeSpan? } + [nil]
    func positions(_ text: String, _ start: Double, _ end: Double) throws -> [Int] {
      try PairWindow(text).positions(in: spans, changed: TimeSpan(start, end), of: "site")
    }
    #expect(try positions("changed", 100, 200) == [2, 3, 4])
    #expect(try positions("changed+40ms", 100, 200) == [1, 2, 3, 4, 5])
    // A margin is cut where the sound ends, at 400 ms, but may not mean all of it.
    #expect(try positions("changed+300ms", 0, 100) == Array(0..<10))
    #expect(try positions("changed+100ms", 0, 400) == Array(0..<10))
    #expect(try positions("changed+400ms", 340, 400) == Array(0..<10))
    for text in ["changed+301ms", "changed+90000ms"] {
      let error = #expect(throws: CellError.self) { try positions(text, 200, 200) }
      #expect(
        error?.description.contains("reaches past the sound on both sides") == true,
        "\(String(describing: error))")
    }
    // Shorter than a position: the nearest one.
    #expect(try positions("changed", 62, 64) == [1])
    let other = try positions("elsewhere", 100, 200)
    #expect(Set(other).isDisjoint(with: [2, 3, 4]) && (2...3).contains(other.count))
    #expect(throws: CellError.self) { try positions("elsewhere", 80, 300) }
    #expect(throws: CellError.self) {
      try PairWindow("changed").positions(in: spans, changed: nil, of: "site")
    }
    #expect(throws: CellError.self) {
      try PairWindow("changed").positions(in: [nil], changed: TimeSpan(0, 1), of: "site")
    }
  }

  @Test func itemsWithoutDonorsAreNamed() throws {
    let runs = try Runs(6)
    func claim(_ feature: String) throws -> Hypothesis {
      try Hypothesis(
        parsed(
          """
          { "name": "x", "parents": [
            { "site": "lm.1.resid_post", "window": "-1", "feature": "\(feature)" }] }
          """))
    }
    #expect(try claim("parity").withDonors(runs.items).alone.isEmpty)
    #expect(try claim("alone").withDonors(runs.items).kept.isEmpty)
    let three = Array(runs.items[..<3])
    let (kept, alone) = try claim("parity").withDonors(three)
    #expect(kept.map(\.id) == ["item 0", "item 2"] && alone.map(\.id) == ["item 1"])
  }

  @Test func aHypothesisElsewhereIsOfEqualSize() throws {
    let runs = try Runs(6)
    let claim = try Hypothesis(
      parsed(
        """
        { "name": "here", "parents": [
          { "site": "lm.1.resid_post", "window": "-1", "feature": "side", "parents": [
            { "site": "connector.out", "window": "changed+40ms", "feature": "side" }] }] }
        """))
    #expect(claim.followsChange && !claim.elsewhere.followsChange)
    let there = claim.elsewhere.root.parents[0]
    #expect(there.window == .fixed(try Window("-1")))
    #expect(there.inputs?.parents[0].window == .elsewhere(margin: 40))
    let items = try Scrubbing(runs.small.model, runs.items, claim.elsewhere, draws: 2)
      .run(Random(seed: 1))
    #expect(items.allSatisfy { $0.scrubbed.allSatisfy(\.isFinite) })
  }

  @Test func badHypothesesSayWhatIsWrong() throws {
    let runs = try Runs(4)
    func message(_ text: String) -> String {
      do {
        _ = try runs.run(text)
        return ""
      } catch { return "\(error)" }
    }
    func node(_ site: String, _ window: String, _ feature: String, _ more: String = "") -> String {
      #"{ "site": "\#(site)", "window": "\#(window)", "feature": "\#(feature)"\#(more) }"#
    }
    func whole(_ nodes: String...) -> String {
      #"{ "name": "x", "parents": [\#(nodes.joined(separator: ", "))] }"#
    }
    let lm = node("lm.1.resid_post", "-1", "parity")
    #expect(message(whole(lm)) == "")
    let cases = [
      (#"{ "name": "x" }"#, "parents"),
      (whole(node("lm.1.resid_post", "-1", "colour")), "no feature \"colour\""),
      (whole(node("lm.1.resid_post", "-1", "alone")), "scrubbed with itself"),
      (whole(node("lm.1.mlp.out", "-1", "parity")), "does not cut the model"),
      (whole(node("lm.9.resid_post", "-1", "parity")), "does not cut the model"),
      (whole(node("lm", "-1", "parity")), "is not a site"),
      (whole(node("lm.1.resid_post", "soon", "parity")), "is no window"),
      (whole(node("lm.1.resid_post", "changed+xms", "parity")), "is no window"),
      (whole(node("lm.1.resid_post", "900", "parity")), "past the end"),
      (whole(lm, node("lm.0.resid_post", "-1", "parity")), "of one site"),
      (whole(node("lm.1.resid_post", "-1", "parity", #", "sampler": "some""#)), "no sampler"),
      (whole(node("lm.1.resid_post", "-1", "parity", #", "widow": 1"#)), "\"widow\" is not known"),
      (
        whole(node("lm.0.resid_post", "-1", "parity", #", "parents": [\#(lm)]"#)),
        "does not lie before"
      ),
      (#"{ "name": "x", "parents": [3] }"#, "parent 0"),
      (#"{ "name": "x", "others": "equal", "parents": [\#(lm)] }"#, "\"any\" or \"exact\""),
    ]
    for (text, part) in cases {
      #expect(message(text).contains(part), "\(text): \(message(text))")
    }
  }

  @Test func intervalsHoldGroupsAndDraws() {
    // L_random 1, L_model 0: recovered is 1 - L_scrubbed, whose mean is 0.3.
    func items(_ random: Random, groupNoise: Double, drawNoise: Double) -> [LossDraws] {
      var random = random
      return (0..<40).map { i in
        let offset = groupNoise * random.normal()
        return LossDraws(
          "\(i)", 0, (0..<8).map { _ in 0.3 + offset + drawNoise * random.normal() }, [1, 1])
      }
    }
    var covered = 0
    for run in 0..<200 {
      let stream = Random(seed: 11).split(run)
      let found = twoLevelRecovery(
        items(stream, groupNoise: 0.2, drawNoise: 0.2), draws: 400, stream.split("bootstrap"))
      if (found.low...found.high).contains(0.7) { covered += 1 }
    }
    #expect(covered >= 184 && covered < 200, "\(covered) of 200")
    func width(_ groupNoise: Double, _ drawNoise: Double) -> Double {
      let found = twoLevelRecovery(
        items(Random(seed: 1), groupNoise: groupNoise, drawNoise: drawNoise), draws: 400,
        Random(seed: 2))
      return found.high - found.low
    }
    // Either source of chance alone widens the interval; without both there is none.
    #expect(width(0, 0) < 1e-12)
    #expect(width(0.2, 0) > 0.05 && width(0, 0.5) > 0.03)
    let one = twoLevelRecovery(
      [LossDraws("a", 0, [0.25, 0.75], [1, 3])], draws: 10, Random(seed: 1))
    #expect(one.value == 0.75 && one.low == -.infinity)
  }
}
