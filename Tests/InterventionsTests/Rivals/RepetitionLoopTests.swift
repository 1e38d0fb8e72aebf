// Repetition loops and what ends them: pieces that can be counted, choices that can be made by hand, and on a
// published model, where it is there, changes that must change nothing and controls that must move as far.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../..")
  .standardized.path
private let tiny: String? = {
  let folder = "\(root)/build/models/whisper-tiny.en"
  return FileManager.default.fileExists(atPath: "\(folder)/model.bin") ? folder : nil
}()

private func text(_ tokens: [Int], ended: Bool = false, _ text: String = "") -> Transcript {
  Transcript(tokens: tokens, text: text, ended: ended)
}

private let loop = text([9, 1, 2, 1, 2, 1, 2])

@Suite struct RepetitionLoopTests {
  @Test func aLoopStandsThreeTimesAtTheEnd() {
    #expect(loop.endsInLoop && text([5, 5, 5]).endsInLoop)
    // The rest of a fourth piece is a turn of the piece.
    #expect(text([1, 2, 3, 1, 2, 3, 1, 2, 3, 1]).endsInLoop)
    #expect(!text([7, 8, 1, 2, 1, 2]).endsInLoop && !text([]).endsInLoop)
    #expect(!text([1, 2, 1, 2, 1, 2, 7]).endsInLoop)
    #expect(!text([5, 5, 5], ended: true).endsInLoop)
    #expect(!text([1, 2, 1, 3, 1, 2]).endsInLoop)
  }

  private let parts = [0, 1, 2].map { DecoderPart(layer: 0, .head, head: $0) }

  /// The second and the third trial end two loops of three, the first one; a sound that ends by itself is left
  /// out.
  @Test func theBestTrialIsTheFirstThatEndsMost() throws {
    let trials = parts.map { LoopTrial($0, .zero) } + [LoopTrial(parts[0], .drawnZero)]
    let over = text([1], ended: true)
    let readings = [
      ChangedTranscripts(plain: loop, changed: [over, over, loop, loop]),
      ChangedTranscripts(plain: loop, changed: [loop, over, over, loop]),
      ChangedTranscripts(plain: loop, changed: [loop, loop, over, over]),
      ChangedTranscripts(plain: over, changed: []),
    ]
    let best = try bestTrial(of: trials, on: readings) { $0.arm == .zero }
    #expect(best == BestTrial(trial: trials[1], index: 1, share: 2 / 3.0))
    let control = try bestTrial(of: trials, on: readings) { $0.arm == LoopArm.zero.control }
    #expect(control.index == 3 && control.share == 1 / 3.0)
    #expect(throws: CellError.self) { try bestTrial(of: trials, on: readings) { _ in false } }
    #expect(throws: CellError.self) {
      try bestTrial(of: trials, on: [readings[3]]) { _ in true }
    }
    #expect(throws: CellError.self) {
      try bestTrial(of: trials, on: [ChangedTranscripts(plain: loop, changed: [])]) { _ in true }
    }

    let groups = ["a", "b", "c", "d"]
    func share(_ trial: Int) throws -> Estimate {
      try meanOverLoops(readings, groups: groups, draws: 200, Random(seed: 1)) {
        $0.changed[trial].endsInLoop ? 0 : 1
      }
    }
    #expect(try share(1).value == 2 / 3.0)
    // Where none is ended the bound is that of three groups.
    let none = try meanOverLoops(readings, groups: groups, draws: 200, Random(seed: 1)) { _ in 0 }
    #expect(none == clopperPearson(0, of: 3))
    #expect(throws: CellError.self) {
      try meanOverLoops([readings[3]], groups: ["d"], draws: 9, Random(seed: 1)) { _ in 0 }
    }
  }

  @Test func aCostIsErrorsMoreOverWords() throws {
    let readings = [
      ChangedTranscripts(
        plain: text([1], ended: true, "say the bat"),
        changed: [text([1], ended: true, "say a hat again")]),
      ChangedTranscripts(
        plain: text([1], ended: true, "one too"), changed: [text([1], ended: true, "one two")]),
    ]
    // 3 errors more of three words, and 1 less of two.
    let cost = try costOnSpeech(
      readings, texts: ["Say the bat.", "One two."], groups: ["a", "b"], draws: 50,
      Random(seed: 1)
    ) { $0.changed[0] }
    #expect(abs(cost.value - 2 / 5.0) < 1e-12)
    #expect(throws: CellError.self) {
      try costOnSpeech(readings, texts: ["", ""], groups: ["a", "b"], draws: 5, Random(seed: 1)) {
        $0.plain
      }
    }
  }

  /// Two rows of three heads of two numbers, at positions 1 and 2 of a run of two: the second takes the last.
  @Test func aDrawnMoveIsAsLongAsTheRealOne() {
    let x = Tensor([2, 6], (1...12).map { Float($0) })
    let part = DecoderPart(layer: 1, .head, head: 1)
    let noise = Tensor([2, 6], (1...12).map { Float(2 * $0 * $0) })
    let shift = PartShift(
      heads: 3, reference: [part.site: noise], positions: 2, random: Random(seed: 4))
    func moved(_ arm: LoopArm, alpha: Double = 1, part: DecoderPart = part) -> [Float] {
      let new = shift.change(LoopTrial(part, arm, alpha: alpha))(part.site, x, 1)
      return zip(new.numbers, x.numbers).map { $0 - $1 }
    }
    #expect(moved(.zero) == [0, 0, -3, -4, 0, 0, 0, 0, -9, -10, 0, 0])
    #expect(moved(.noise) == [0, 0, 159, 196, 0, 0, 0, 0, 153, 190, 0, 0])
    #expect(moved(.noise, alpha: 0.5) == moved(.noise).map { $0 / 2 })
    func lengths(_ move: [Float]) -> [Float] {
      [move[..<6], move[6...]].map { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    }
    let (real, drawn) = (moved(.noise), moved(.drawnNoise))
    #expect(zip(lengths(real), lengths(drawn)).allSatisfy { abs($0 - $1) < 1e-3 * $0 })
    // In the same head, in one direction at both rows, and not in that of the real move.
    #expect(drawn.indices.allSatisfy { (drawn[$0] == 0) == ![2, 3, 8, 9].contains($0) })
    #expect(abs(drawn[2] * drawn[9] - drawn[3] * drawn[8]) < 1e-3 * lengths(drawn)[0])
    #expect(abs(drawn[2] * real[3] - drawn[3] * real[2]) > 1)
    // As many numbers go to zero, the same ones in both rows.
    let zeroed = moved(.drawnZero)
    let gone = zeroed.indices.filter { zeroed[$0] != 0 }
    #expect(gone.count == 4 && gone.prefix(2).map { $0 + 6 } == Array(gone.suffix(2)))
    #expect(gone.allSatisfy { zeroed[$0] == -x.numbers[$0] })
    // All of a layer's activation has no other numbers: its control is a direction.
    let whole = DecoderPart(layer: 1, .mlp)
    let (gap, other) = (moved(.zero, part: whole), moved(.drawnZero, part: whole))
    #expect(gap == x.numbers.map { -$0 } && other != gap)
    #expect(zip(lengths(gap), lengths(other)).allSatisfy { abs($0 - $1) < 1e-3 * $0 })
  }

  /// Alpha 0 writes the same; zero ablation is what pruning the head writes; and a text that departs is
  /// what the model says with the same change at every step.
  @Test(.enabled(if: tiny != nil)) func nothingIsNothingAndZeroIsPruning() throws {
    let recogniser = try Recogniser(folder: tiny!)
    let suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    let utterance = try #require(suite.utterances.first { $0.split == "validation" })
    let wave = try utterance.waveform(root: root)
    let heads = DecoderPart.all(.head, of: recogniser.model)
    #expect(heads.count == 24 && DecoderPart.all(.mlp, of: recogniser.model).count == 4)
    #expect(heads[9].name == "decoder.1.cross.z.3")
    let trials =
      LoopArm.allCases.map { LoopTrial(heads[9], $0, alpha: 0) } + [
        LoopTrial(heads[9], .zero), LoopTrial(DecoderPart(layer: 0, .mlp), .zero),
      ]
    func read(_ trials: [LoopTrial], pruned: [[CrossHead]] = []) throws -> ChangedTranscripts {
      try recogniser.transcripts(
        of: wave, named: "a", trials, pruned: pruned, loopsAlone: false, limit: 24,
        Random(seed: 1))
    }
    let all = heads.map { CrossHead(layer: $0.layer, head: $0.head ?? 0) }
    let found = try read(trials, pruned: [[CrossHead(layer: 1, head: 3)], all])
    #expect(found.plain.ended && found.plain.hasWords)
    #expect(found.changed.prefix(4).allSatisfy { $0 == found.plain })
    #expect(found.changed[4] == found.pruned[0])
    let site = try #require(Site("decoder.0.mlp.out"))
    let direct = try recogniser.hearing(
      of: recogniser.listened(to: recogniser.model.clip(wave)), limit: 24,
      changing: SpeakingTap([site]) { _, x, _ in x * 0 }
    ).transcript
    #expect(found.changed[5] == direct && direct != found.plain)
    // Without any head nothing of the sound is left.
    #expect(found.pruned[1] != found.plain)
    for bad in [
      LoopTrial(heads[9], .zero, alpha: 2), LoopTrial(DecoderPart(layer: 4, .mlp), .zero),
    ] {
      #expect(throws: CellError.self) { try read([bad]) }
    }
    // Speech that ends by itself is no loop, so that nothing is asked of it.
    let none = try recogniser.transcripts(
      of: wave, named: "a", trials, loopsAlone: true, limit: 24, Random(seed: 1))
    #expect(none.changed.isEmpty && none.pruned.isEmpty)
  }
}
