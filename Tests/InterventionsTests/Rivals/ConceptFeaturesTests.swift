// Retrieval, filter, selection and steering of an autoencoder's features, on activations that are known.

import Corpus
import Foundation
import Interventions
import JSON
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

@Suite struct ConceptFeaturesTests {
  /// Clips of ten positions of 40 ms. Number 0 is large where "a" is spoken, in clips 0 to 4, at positions 3
  /// to 5; number 1 a little at every position of every clip; number 2 nowhere. The other layer has a mean of
  /// zero over each clip.
  private func clips(_ count: Int = 12, group: (Int) -> Int = { $0 }) -> [ConceptClip] {
    (0..<count).map { i in
      let places = (0..<10).map { p in i < 5 && (3..<6).contains(p) }
      let rows = places.enumerated().flatMap { p, isLoud -> [Float] in
        [isLoud ? 10 - Float(i) + (p == 4 ? 1 : 0) : -1, 0.5, -1]
      }
      let context = places.enumerated().flatMap { p, isLoud -> [Double] in
        isLoud ? [7, 0] : i < 5 ? [-3, 0] : [0, p % 2 == 0 ? 1 : -1]
      }
      return ConceptClip(
        file: "\(i).flac", group: "\(group(i))", rows: Tensor([10, 3], rows),
        spans: (0..<10).map { TimeSpan(40 * Double($0), 40 * Double($0 + 1)) },
        phones: places.enumerated().map { $1 ? "a" : $0 < 5 ? "b" : "c" },
        context: DoubleMatrix(rows: 10, columns: 2, context))
    }
  }

  private func found(_ clips: [ConceptClip], count: Int = 4) throws -> [ConceptFeature] {
    try axisAutoencoder([0, 1, 2]).concepts(
      in: clips, count: count, [.phones(of: clips), .layer(of: clips)], Random(seed: 1))
  }

  @Test func clipsAreRetrievedWithTheMomentThatActivatesThem() throws {
    let found = try found(clips())
    #expect(found.map(\.feature) == [0, 1], "the third is never present")
    let one = found[0]
    #expect(one.top.map(\.clip) == [0, 1, 2, 3])
    #expect(one.top.allSatisfy { $0.start == 120 && $0.end == 240 && $0.first == 3 })
    #expect(one.top[0].peak == 11)
    // Mean (10 + 11 + 10) / 10, present at three of ten positions.
    #expect(abs(one.top[0].score - 3.1 * 0.3) < 1e-6)
    #expect(one.bottom.allSatisfy { $0.clip > 4 && $0.score == 0 && $0.peak == 0 && $0.count == 1 })
    // Clips 0 to 4 have 31, 28, 25, 22 and 19 together.
    #expect(abs(one.meanActivation - 125.0 / 120) < 1e-6)
    #expect(abs(one.coverage - 15.0 / 120) < 1e-12 && one.range == 11)
    #expect(found[1].coverage == 1 && found[1].top.allSatisfy { $0.start == 0 && $0.end == 400 })
  }

  @Test func silentClipsAreDrawnAndNotTheFirstOfTheList() throws {
    let clips = clips(40)
    let own = axisAutoencoder([0, 1, 2])
    let bottoms = try (0..<10).map { seed in
      try own.concepts(in: clips, [.phones(of: clips)], Random(seed: seed))[0].bottom.map(\.clip)
    }
    #expect(Set(bottoms).count == 10)
  }

  @Test func oneClipOfAGroupIsRetrieved() throws {
    // Clips 0 and 1, 2 and 3, ... share a group.
    let found = try found(clips(16) { $0 / 2 })
    #expect(found[0].top.prefix(3).map(\.clip) == [0, 2, 4] && found[0].top[3].peak == 0)
    for one in found { #expect(Set((one.top + one.bottom).map { $0.clip / 2 }).count == 8) }
    #expect(throws: CellError.self) { try self.found(clips(14) { $0 / 2 }) }
    #expect(throws: CellError.self) { try self.found(clips(), count: 1) }
  }

  @Test func monosemanticityIsTheDifferenceInDeviations() {
    // Within the top 1, 0 and 0; between 1 and 0 twice, 0 and 0, 0 and 1: worked out by hand.
    let top: [[Double]] = [[1, 0, 0], [2, 0, 0], [0, 1, 0]]
    let bottom: [[Double]] = [[0, 3, 0], [0, 0, 1]]
    let (high, low) = (1.0 / 3, 1.0 / 6)
    let squares = (2.0 / 3) + (5.0 / 6)
    let deviation = (squares / (3 + 6 - 2)).squareRoot()
    let m = monosemanticity(top: top, bottom: bottom)
    #expect(abs(m - (high - low) / deviation) < 1e-12)
    // The same on both sides; no deviation; a vector of zeros is like nothing.
    #expect(monosemanticity(top: [[1, 0], [1, 0]], bottom: [[2, 0]]) == 0)
    #expect(monosemanticity(top: [[1, 0], [1, 0]], bottom: [[0, 1]]) == 10)
    #expect(monosemanticity(top: [[0, 0], [0, 0]], bottom: [[0, 1]]) == 0)
    #expect(monosemanticity(top: [[1, 0]], bottom: [[0, 1]]) == 0)
  }

  @Test func aFeatureOfOnePhoneIsFoundAlikeInBothEmbeddings() throws {
    let found = try found(clips())
    #expect(
      found[0].monosemanticity.allSatisfy { $0 == 10 || $0 > 9 }, "\(found[0].monosemanticity)")
    #expect(found[0].drawn.allSatisfy { $0 < 5 }, "\(found[0].drawn)")
    #expect(found[1].monosemanticity[0] < 2, "\(found[1].monosemanticity)")
  }

  @Test func selectionsFollowTheirNumbers() throws {
    func feature(_ i: Int, _ mean: Double, _ coverage: Double, _ m: Double) -> ConceptFeature {
      ConceptFeature(
        feature: i, meanActivation: mean, range: 1, coverage: coverage, monosemanticity: [m])
    }
    let all = [
      feature(2, 5, 0.1, 3), feature(4, 1, 0.9, 1), feature(6, 4, 0.5, 2), feature(8, 3, 0.3, 4),
      feature(9, 3, 0.3, 4),
    ]
    #expect(try all.first(2) { $0.meanActivation } == [2, 6])
    #expect(try all.first(2) { $0.coverage } == [4, 6])
    // Scores .5, .9, 2, .9 and .9: of the three most alike, 8, 9 and 2, those with the largest.
    #expect(try all.described(2, by: 0, keeping: 0.6) == [8, 9])
    #expect(try all.described(1, by: 0, keeping: 1) == [6])
    let drawn = try (0..<20).map { try all.drawn(2, Random(seed: $0)) }
    #expect(Set(drawn.joined()) == [2, 4, 6, 8, 9] && drawn.allSatisfy { Set($0).count == 2 })
    #expect(throws: CellError.self) { try all.first(6) { $0.score } }
    #expect(throws: CellError.self) { try all.first(0) { $0.score } }
  }

  @Test func swappedChoicesStandBesideFeaturesAsActive() throws {
    // Six numbers that are read and six that are not, all of them as active.
    let weights: [Float] = [10, 6, 3, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    let pairs = positiveToys(weights, count: 12, seed: 7)
    let autoencoder = axisAutoencoder(Array(0..<12))
    let study = try SubspaceStudy(fit: pairs)
    let causal = try study.causal(2, of: autoencoder, proposed: 4)
    #expect(causal == [0, 1])
    let readings = try pairs.swapping(
      [
        FeatureChoice("causal", causal), FeatureChoice("unread", [7, 8]),
        FeatureChoice("all", Array(0..<11)),
      ], of: autoencoder, matchedOn: pairs, families: 8, draws: 200, Random(seed: 8))
    #expect(abs(readings[0].recovery.value - 16.0 / 22) < 1e-5 && readings[0].over.low > 0.2)
    #expect(abs(readings[1].recovery.value) < 1e-6 && readings[1].over.value <= 0)
    // A number that is read less often than the last one cannot be drawn: one is left.
    #expect(abs(readings[2].recovery.value - 1) < 1e-5)
    for one in readings.prefix(2) {
      #expect(abs(one.activity - one.matchedActivity) < 0.1 * one.activity)
      #expect(abs(one.recovery.value - one.matched.value - one.over.value) < 1e-9)
    }
    func swap(_ features: [Int], families: Int = 1) throws {
      _ = try pairs.swapping(
        [FeatureChoice("x", features)], of: autoencoder, matchedOn: pairs, families: families,
        draws: 10, Random(seed: 1))
    }
    #expect(throws: CellError.self) { try swap([12]) }
    #expect(throws: CellError.self) { try swap([]) }
    #expect(throws: CellError.self) { try swap([1], families: 0) }
    #expect(throws: CellError.self) { try study.causal(5, of: autoencoder, proposed: 4) }
    #expect(throws: CellError.self) { try study.causal(5, of: autoencoder, proposed: 13) }
  }

  /// Twelve numbers of which each is large where its phone is spoken, one at a time; two of them are read.
  @Test func aLayerIsReadByBothSelections() throws {
    func clips(_ seed: UInt64) -> [ConceptClip] {
      (0..<24).map { i in
        var random = Random(seed: seed).split(i)
        let loud = (0..<12).map { p in (p / 2 + 6 * (i % 2)) % 12 }
        let rows = loud.flatMap { own in
          (0..<12).map { Float($0 == own ? 6 : 0.1) + Float(0.1 * random.normal()) }
        }
        return ConceptClip(
          file: "\(i).flac", group: "\(i)", rows: Tensor([12, 12], rows),
          spans: (0..<12).map { TimeSpan(40 * Double($0), 40 * Double($0 + 1)) },
          phones: loud.map { "phone \($0)" },
          context: DoubleMatrix(rows: 12, columns: 1, loud.map(Double.init)))
      }
    }
    // The last number speaks in every base run and the first in its source; the first less the last is read.
    let reader = Tensor(
      [2, 12], (0..<12).map { $0 == 0 ? 1 : 0 } + (0..<12).map { $0 == 11 ? 1 : 0 })
    @Sendable func logits(_ rows: Tensor) -> Tensor { linear(rows, reader) }
    let pairs = (0..<12).map { i in
      func run(_ own: Int) -> Tensor {
        let noise = Tensor([1, 12], normal: 0.1, Random(seed: 7).split(i).split(own))
        return noise + Tensor([1, 12], (0..<12).map { $0 == own ? 6 : 0.1 })
      }
      let (base, source) = (run(11), run(0))
      return Exchange(
        id: "\(i)", group: "\(i)", answer: 0, foil: 1, base: base, source: source,
        baseLogits: logits(base).numbers, sourceLogits: logits(source).numbers
      ) { variants in joiningRows(variants.map(logits)) }
    }
    let layer = try ConceptLayer(
      SparseSetting(.topK(2), expansion: 2), clips: FitAndHeld(fit: clips(1), held: clips(2)),
      study: SubspaceStudy(fit: pairs), held: pairs, count: 2, steps: 400, families: 4, draws: 100,
      Random(seed: 3))
    #expect(layer.held.explainedVariance > 0.5)
    #expect(layer.stability.seeds > layer.stability.variance)
    #expect(layer.monosemanticity > layer.drawn)
    #expect(layer.named.name == "described" && layer.named.features.count == 2)
    #expect(layer.causal.recovery.value > 0.4)
    #expect(layer.causal.recovery.value > layer.named.recovery.value)
    #expect(layer.causal.over.low > 0)
    let line = layer.line(at: Site(.encoder, 0, .residPost), SparseSetting(.topK(2), expansion: 2))
    #expect(line.split(separator: "\t").count == ConceptLayer.columns.split(separator: "\t").count)
  }

  @Test func choicesAreAsManyByEachProcedure() throws {
    let found = try found(clips(40))
    let all = found.map(\.feature)
    let choices = try found.choices([1, 0], Random(seed: 1))
    #expect(choices.count == 7 && choices.allSatisfy { $0.features.sorted() == all })
    #expect(choices.last?.features == [1, 0] && choices[4].features == [1, 0])
    // Mean activation 125 / 400 against 0.5, times coverage 15 / 400 and 1.
    #expect(choices[2].features == [1, 0] && choices[3].features == [1, 0])
    #expect(throws: CellError.self) { try found.choices([0, 1, 2], Random(seed: 1)) }
  }

  @Test func erasedFeaturesAreGoneAndTheErrorStays() throws {
    // Three phones by the first three numbers; the fourth is noise. The last two are below zero, so that no
    // feature is present there; where they leak, they tell the phones too.
    func positions(_ seed: UInt64, leaking: Bool = false) -> PhonePositions {
      let noise = DoubleMatrix(rows: 90, columns: 6, normal: Random(seed: seed))
      let rows = (0..<90).flatMap { r in
        (0..<6).map { c -> Float in
          let own = Float(0.3 * noise[r, c])
          if c < 3 { return 10 + own + (r % 3 == c ? 4 : 0) }
          return c == 3 ? 10 + own : -10 + own + (leaking && r % 3 == c - 4 ? 4 : 0)
        }
      }
      return PhonePositions(
        rows: Tensor([90, 6], rows), labels: (0..<90).map { "\($0 % 3)" },
        groups: (0..<90).map { "\($0 / 9)" })
    }
    let own = axisAutoencoder([3, 5, 0, 1, 4, 2])
    let fit = positions(1)
    #expect(Set(own.order(byPhonesOf: fit).prefix(3)) == [2, 3, 5])
    #expect(own.order(byPhonesOf: fit).last == 0, "that of noise; two are never present")
    let without = own.erasing([2, 0], from: fit.rows)
    for r in 0..<3 {
      #expect(abs(without[r, 0]) < 1e-5 && abs(without[r, 3]) < 1e-5)
      #expect(without[r, 1] == fit.rows[r, 1] && without[r, 4] == fit.rows[r, 4])
    }
    #expect(own.erasing([], from: fit.rows).isIdentical(to: fit.rows))
    func read(_ leaking: Bool) throws -> [ErasureReading] {
      try own.erasure(
        of: [0, 0.25, 0.75], fit: positions(1, leaking: leaking),
        held: positions(2, leaking: leaking), shuffles: 20, draws: 200, Random(seed: 3))
    }
    let (clean, leaking) = (try read(false), try read(true))
    #expect(clean[0].erased.read.value == 1 && clean[0].drawn.read.value == 1)
    #expect(clean[2].erased.read.low < 1.0 / 3 && clean[2].erased.read.value < 0.5)
    #expect(leaking[2].erased.read.value > 0.9, "what no feature explains is not erased")
    #expect(throws: CellError.self) {
      try own.erasure(of: [1.1], fit: fit, held: fit, shuffles: 2, draws: 10, Random(seed: 1))
    }
  }

  @Test func positionsAreAsManyOfEachPhone() throws {
    let clips = clips()
    // "a" has 15 positions, "b" 12 x 5 less 10, "c" 60 less 5.
    let few = try clips.positions(each: 15)
    #expect(few.labels == ["a", "b", "c"].flatMap { [String](repeating: $0, count: 15) })
    #expect(few.rows.rows == 45 && few.groups.count == 45)
    #expect(
      (0..<15).allSatisfy { few.rows[$0, 0] > 0 } && (15..<45).allSatisfy { few.rows[$0, 0] < 0 })
    #expect(try clips.positions(each: 16).labels.allSatisfy { $0 != "a" })
    #expect(try clips.positions(each: 16, of: ["a"]).labels.count == 15)
    #expect(throws: CellError.self) { try clips.positions(each: 100) }
  }

  @Test func steeringFollowsTheFeatureThatSeparates() throws {
    let clips = clips()
    let own = axisAutoencoder([2, 0, 1])
    #expect(own.separating("a", from: "b", in: clips) == 1)
    #expect(own.separating("b", from: "a", in: clips) == nil)
    #expect(own.separating("a", from: "x", in: clips) == nil)
    #expect(SteeringDirection(1, of: own, range: 3).step == [3, 0, 0])
    let suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    let pair = try #require(suite.pairs.first)
    // Phones of the pair's members in the place of "a" and "b".
    let names = [pair.clean, pair.corrupt].map { $0.phones[pair.changedPhone].label }
    let spoken = clips.map { clip in
      ConceptClip(
        file: clip.file, group: clip.group, rows: clip.rows, spans: clip.spans,
        phones: clip.phones.map { $0 == "a" ? names[0] : $0 == "b" ? names[1] : $0 },
        context: clip.context)
    }
    let described = try own.concepts(in: spoken, [.phones(of: spoken)], Random(seed: 1))
    let found = try #require(own.directions(for: pair, described, in: spoken, Random(seed: 2)))
    #expect(found.own.feature == 1 && found.own.step == [11, 0, 0])
    #expect(found.control.feature == 2 && found.control.step == [0, 0.5, 0])
    let none = own.directions(for: pair, described, in: clips, Random(seed: 2))
    #expect(none == nil, "the phones are in no clip")
  }

  private func text(_ text: String, ended: Bool = true) -> SteeredText {
    SteeredText(text, ended: ended, surprise: 1)
  }

  @Test func textsThatAreNoneOfTheTaskAreTold() throws {
    let task = try TaskTexts(["say the red cat again", "cat and cat", "say the bat"])
    func reason(_ said: String, ended: Bool = true) -> Degeneration? {
      task.degeneration(of: text(said, ended: ended))
    }
    #expect(reason("say the red bat again") == nil && reason("bat and bat") == nil)
    #expect(reason("") == .empty && reason(" . ") == .empty)
    #expect(reason("say the", ended: false) == .unfinished)
    #expect(reason("say the dog") == .unknownWord)
    #expect(reason("say say the cat") == .repeated)
    #expect(reason("cat and cat the cat") == .repeated)
    #expect(reason("say the red cat again and the bat") == .tooLong)
    #expect(throws: CellError.self) { try TaskTexts([" ", "!"]) }
  }

  @Test func curvesCountWhatTurns() throws {
    let task = try TaskTexts(["the cat again", "the bat again"])
    func pair(_ i: Int, _ steered: [String]) -> SteeredPair {
      SteeredPair(
        id: "\(i)", group: "\(i / 2)", target: "cat", base: "bat", plain: text("the bat again"),
        steered: steered.map { text($0) }, control: steered.map { _ in text("the bat again") },
        patched: text("the cat again"))
    }
    let all =
      (0..<8).map { pair($0, ["the bat again", "the cat again"]) }
      + (8..<12).map { pair($0, ["the bat again", $0 < 10 ? "cat cat cat" : "the cat bat"]) }
    let curve = try all.curve([0, 2], of: task, draws: 200, Random(seed: 1))
    #expect(curve.steered.map(\.turned.value) == [0, 8.0 / 12])
    #expect(curve.steered.map(\.degenerate.value) == [0, 2.0 / 12])
    #expect(curve.control.map(\.turned.value) == [0, 0] && curve.over[1].value == 8.0 / 12)
    #expect(curve.patched.turned.value == 1 && curve.patched.surprise.value == 1)
    // Six groups, none of which turns: 1 - 0.025^(1 / 6).
    #expect(abs(curve.steered[0].turned.high - 0.4593) < 1e-4)
    #expect(throws: CellError.self) {
      try all.curve([0], of: task, draws: 10, Random(seed: 1))
    }
    #expect(throws: CellError.self) {
      try [SteeredPair]().curve([0], of: task, draws: 10, Random(seed: 1))
    }
  }

  @Test func aCommandNamesAFeature() throws {
    let clips = clips()
    let one = try found(clips)[0]
    func name(_ script: String, timeout: Double = 20) throws -> String {
      try NamingCommand("/bin/sh", ["-c", script], timeout: timeout).name(of: one, in: clips)
    }
    #expect(try name("echo; echo ' the vowel a '; echo more") == "the vowel a")
    #expect(try name("tr , '\\n' | grep -c flac") == "8")
    #expect(try name("head -c 1 > /dev/null; seq 100000 | head -1") == "1")
    let asked = NamingCommand.question(about: one, in: clips)
    let (top, bottom) = (try asked.array("top"), try asked.array("bottom"))
    #expect(try top[0].string("file") == "0.flac" && top[0].double("start") == 120)
    #expect(try top[0].double("end") == 240 && top[0].double("activation") == 11)
    #expect(bottom.count == 4 && bottom.allSatisfy { $0["start"] == nil })
    func message(_ body: () throws -> String) -> String {
      do { return "no error: \(try body())" } catch { return "\(error)" }
    }
    #expect(message { try name("echo trouble >&2; exit 3") }.contains("exit status 3: trouble"))
    #expect(message { try name("true") }.contains("wrote no line"))
    let begun = ContinuousClock.now
    #expect(message { try name("exec sleep 30", timeout: 0.3) }.contains("longer than 0.3 s"))
    #expect(ContinuousClock.now - begun < .seconds(10))
    let absent = message { try NamingCommand("/no/such").name(of: one, in: clips) }
    #expect(absent.contains("/no/such") && absent.contains("cannot be run"))
  }

  @Test func aRecordingIsSteeredAsFarAsItsControl() throws {
    let speech = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    let suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    let pair = try #require(suite.pairs.first { $0.split == "validation" })
    let site = SpeechModel.transferSite
    let clip = try speech.conceptClip(
      pair.clean, group: pair.group, at: site, embeddedBy: Site(.encoder, 1, .residPost), root: root
    )
    #expect(clip.rows.width == 128 && clip.context.columns == 96)
    // Where the changed phone is spoken, its position says so.
    let changed = pair.clean.phones[pair.changedPhone]
    let inside = clip.spans.indices.filter {
      (changed.start..<changed.end).contains(clip.spans[$0].centre)
    }
    #expect(!inside.isEmpty && inside.allSatisfy { clip.phones[$0] == changed.label })
    func steered(_ direction: [Int], _ range: Double) throws -> SteeredPair? {
      let own = axisAutoencoder(Array(0..<128))
      return try speech.steered(
        pair, at: site, along: SteeringDirection(direction[0], of: own, range: range),
        control: SteeringDirection(direction[1], of: own, range: 0.5), strengths: [0, 1],
        moment: 120, root: root)
    }
    let one = try #require(try steered([3, 4], 50))
    #expect(one.plain.ended && one.plain.surprise > 0 && one.plain.surprise < 1)
    #expect(one.steered[0] == one.plain && one.control[0] == one.plain)
    #expect(one.patched.surprise > one.plain.surprise && one.patched.text.contains(one.target))
    // The control's direction is added at the length of the other, whatever its own range.
    let other = try #require(try steered([4, 3], 50))
    #expect(other.steered[1] == one.control[1] && other.control[1] == one.steered[1])
    #expect(other.steered[1] != other.control[1])
    let narrow = axisAutoencoder([0, 1])
    #expect(throws: CellError.self) {
      try speech.steered(
        pair, at: site, along: SteeringDirection(0, of: narrow, range: 1),
        control: SteeringDirection(1, of: narrow, range: 1), strengths: [0], moment: 120, root: root
      )
    }
    #expect(throws: (any Error).self, "there is no such layer") {
      _ = try speech.conceptClip(
        pair.clean, group: "", at: site, embeddedBy: Site(.encoder, 9, .residPost), root: root)
    }
  }
}
