// Texts where nobody speaks: the axis of speech, what is left of a text, and which strength is chosen, by
// numbers that can be worked out by hand.

import Foundation
import Interventions
import Speech
import Tensor
import Testing

@Suite struct TextArmTests {
  @Test func anAreaCountsPairsInOrder() {
    #expect(rankedArea([3, 4], over: [1, 2]) == 1)
    #expect(rankedArea([1, 2], over: [3, 4]) == 0)
    #expect(rankedArea([1, 3], over: [2]) == 0.5)
    #expect(rankedArea([2, 3], over: [2, 1]) == 0.875)
    #expect(rankedArea([], over: [1]) == nil && rankedArea([1], over: []) == nil)
  }

  @Test func anAxisRunsFromSoundsToSpeech() throws {
    let axis = try SpeechAxis(sounds: [[0, 1], [2, 1]], speech: [[1, 5]])
    #expect(axis.position(of: [1, 1]) == 0 && axis.position(of: [7, 5]) == 1)
    #expect(axis.position(of: [0, 3]) == 0.5)
    // A quarter beyond the middle, twice as far: half of the way from sounds to speech.
    #expect(axis.move(by: 2, from: 0.75) == [0, 2])
    #expect(axis.move(by: 2, from: 0.25) == [0, -2])
    #expect(axis.move(by: 2, from: 0.5) == [0, 0])
    let drawn = try axis.drawn(Random(seed: 1))
    let move = drawn.move(by: 2, from: 0.75)
    #expect(abs(Double(move[0] * move[0] + move[1] * move[1]) - 4) < 1e-5 && move != [0, 2])
    // Both means lie where they do on the real axis.
    #expect(
      abs(drawn.position(of: [1, 1])) < 1e-12 && abs(drawn.position(of: [1, 5]) - 1) < 1e-12)
    #expect(throws: CellError.self) { try SpeechAxis(sounds: [[1]], speech: []) }
    #expect(throws: CellError.self) { try SpeechAxis(sounds: [[1]], speech: [[1]]) }
  }

  /// Along the axis a position has the mean of its sort, and across it what it had.
  @Test func aMeanDonorReplacesWhatLiesAlongTheAxis() throws {
    let axis = try SpeechAxis(sounds: [[0, 1], [2, 1]], speech: [[1, 5]])
    #expect(axis.replacing([7, 3], isSpeech: false) == [7, 1])
    #expect(axis.replacing([7, 3], isSpeech: true) == [7, 5])
    let drawn = try axis.drawn(Random(seed: 1))
    let x = drawn.replacing([7, 3], isSpeech: true)
    #expect(abs(drawn.position(of: x.map(Double.init)) - 1) < 1e-6 && x != [7, 5])
  }

  /// Two recordings, of which one has no text: its rows count in the opening alone.
  @Test func headsAreGivenWhatTheyGatherOnAverage() throws {
    func layer(_ rows: [Float]...) -> [Int: [Float]] {
      Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($0, $1) })
    }
    let silent = try GatheredMeans([layer([1, 2], [3, 4])], opening: 2)
    let written = try GatheredMeans([layer([3, 4], [5, 8], [1, 0], [3, 4])], opening: 2)
    let tap = try GatheredMeans(over: [silent, written])
      .replacing([CrossHead(layer: 0, head: 1)], width: 1)
    let site = Site("decoder.0.cross.z")!
    #expect(tap.sites == [site])
    let x = Tensor([4, 2], [Float](repeating: 9, count: 8))
    #expect(tap.changed(site, x).numbers == [9, 3, 9, 6, 9, 2, 9, 2])
    #expect(throws: CellError.self) { try GatheredMeans(over: [silent]) }
    #expect(throws: CellError.self) { try GatheredMeans([layer([1, 2])], opening: 2) }
  }

  /// The fewest texts at a price below the bound; one that leaves as many as are written is none.
  @Test func theStrengthIsTheLowestRateThatMayBeHad() {
    func curve(_ points: (Double, Double, Double)...) -> [RateAndCost] {
      points.map { RateAndCost(strength: $0.0, rate: $0.1, cost: $0.2) }
    }
    let some = curve((1, 0.9, 0), (2, 0.5, 0.009), (3, 0.5, 0), (4, 0.1, 0.01))
    #expect(some.chosen(below: 0.01, doing: 1)?.strength == 2)
    #expect(some.chosen(below: 0.02, doing: 1)?.strength == 4)
    #expect(some.chosen(below: 0, doing: 1) == nil)
    #expect(some.chosen(below: 0.001, doing: 0.5) == nil)
  }

  @Test func aTextIsLeftOrItsWordsAreMissing() throws {
    func hearing(_ text: String) throws -> Hearing {
      try JSONDecoder().decode(
        Hearing.self,
        from: Data(
          """
          {"transcript": {"tokens": [1], "text": "\(text)", "ended": true}, "noSpeech": 0.5,
           "meanLogProbability": -1, "endAtOnce": 0}
          """.utf8))
    }
    let said = try hearing(" Say the red bat.")
    let kept = TextLeft(of: said, kept: true, reference: "say the red pat")
    #expect(kept.words == 1 && kept.errors == 1)
    let left = TextLeft(of: said, kept: false, reference: "say the red pat")
    #expect(left.words == 0 && left.errors == 4)
    // Marks without words are no text.
    #expect(TextLeft(of: try hearing(" ..."), kept: true, reference: "").words == 0)
    let mean = TextLeft.mean(of: [kept, left])
    #expect(mean.words == 0.5 && mean.errors == 2.5)
  }

  @Test func prunedHeadsAreZeroAndNoOthers() {
    let site = Site("decoder.1.cross.z")!
    let tap = pruning([CrossHead(layer: 1, head: 2), CrossHead(layer: 0, head: 0)], width: 2)
    #expect(tap.sites == [site, Site("decoder.0.cross.z")!])
    let x = Tensor([2, 6], (1...12).map { Float($0) })
    let expected: [Float] = [1, 2, 3, 4, 0, 0, 7, 8, 9, 10, 0, 0]
    #expect(tap.changed(site, x).numbers == expected)
  }

  /// The committed table of Figure S4, and one that lacks the model.
  @Test func headsAreRankedByWhatTheyMoveBeyondTheirControl() throws {
    let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../..").standardized
    let table = root.appendingPathComponent("figures/figureS4.tsv").path
    let heads = try rankedHeads(ofTable: table, model: "whisper-tiny.en")
    #expect(heads.count == 24 && Set(heads).count == 24)
    let small = try Folder()
    let line = { (head: Int, donor: String, value: Double) in
      "m\tshare of speech\tdecoder.0.cross.z.\(head)\tsufficiency\t\(donor)\t\(value)\t\t\n"
    }
    let text =
      "model\tpanel\titem\tdirection\tdonor\tvalue\tlow\thigh\n"
      + line(0, "real", 0.5) + line(0, "matched", 0.4) + line(1, "real", 0.3)
      + line(1, "matched", 0.1)
    let ranked = try rankedHeads(ofTable: small.write("map.tsv", text), model: "m")
    #expect(ranked == [CrossHead(layer: 0, head: 1), CrossHead(layer: 0, head: 0)])
    #expect(throws: CellError.self) { try rankedHeads(ofTable: table, model: "whisper-large") }
  }

  @Test func rulesAreReadAndWhatIsMissingIsNamed() throws {
    let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../..").standardized
    let path = root.appendingPathComponent("paper/preregistration-hallucination.json").path
    let rules = try HallucinationRules(path)
    #expect(TextArm.prune.strengths(rules) == rules.heads.map(Double.init))
    #expect(try !rules.statement("W1").isEmpty)
    #expect(throws: CheckpointError.self) { try rules.statement("W9") }
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let folder = try Folder()
    for (old, new) in [("\"cost\": 0.01", "\"cost\": 0"), ("\"gates\"", "\"doors\"")] {
      let changed = text.replacingOccurrences(of: old, with: new)
      #expect(changed != text)
      #expect(throws: CheckpointError.self) {
        try HallucinationRules(folder.write("rules.json", changed))
      }
    }
  }
}
