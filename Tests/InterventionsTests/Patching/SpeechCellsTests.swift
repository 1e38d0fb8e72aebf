// What is exchanged between a sound and speech: means are means, and on a published model, where it is
// there, a run says with its own activations what it says, and with all of another's what that says.

import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let tiny: String? = {
  let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path
  let folder = "\(root)/build/models/whisper-tiny.en"
  return FileManager.default.fileExists(atPath: "\(folder)/model.bin") ? folder : nil
}()

@Suite struct SpeechCellsTests {
  @Test func aMeanIsBetweenItsRuns() throws {
    let small = Small(seed: 51)
    let site = Site(.lm, 1, .residPost)
    let base = try small.model.trace(small.question, keeping: [site])
    let source = try small.model.trace(small.source, keeping: [site])
    let cell = Cell(site, .positions(4, 9))
    func mean(_ questions: [Question]) throws -> Tensor {
      let means = try MeanActivations(of: questions, at: [site], in: small.model)
      return try #require(try means.patch(cell, base: base)).changed(
        Tensor([5, 24], normal: 1, Random(seed: 1)))
    }
    let (own, other) = (
      try base.rows(of: cell, at: Array(4..<9)), try source.rows(of: cell, at: Array(4..<9))
    )
    #expect(try mean([small.source]).isIdentical(to: other))
    let both = try mean([small.question, small.source])
    #expect((both - (own + other) * 0.5).norm < 1e-5 && (both - own).norm > 0.1)
    #expect(throws: CellError.self) { try mean([]) }
    // Of another length.
    #expect(throws: CellError.self) { try mean([small.question, small.other]) }
  }

  @Test func setsCoverTheClip() throws {
    guard let tiny else { return }
    let model = try Recogniser(folder: tiny).model
    let sets = SpeechCells(of: model, seconds: 3)
    #expect(
      sets.depths.map { "\($0)" } == [
        "encoder.embed", "encoder.1.resid_post", "encoder.3.resid_post",
      ])
    #expect(sets.names.count == 2 + 2 * 5 + 2 + 3 * 4 + 4 * 6)
    #expect(Set(sets.names).count == sets.names.count)
  }

  @Test(.enabled(if: tiny != nil)) func ownIsNothingAndAllIsEverything() throws {
    let recogniser = try Recogniser(folder: tiny!)
    let model = recogniser.model
    let sets = SpeechCells(of: model, seconds: 2)
    func run(_ seed: UInt64, level: Double) throws -> Trace {
      let wave = Waveform(samples: Tensor([32_000], normal: level, Random(seed: seed)).numbers)
      return try model.trace(recogniser.speechQuestion(model.clip(wave)), keeping: sets.sites)
    }
    let (base, source, stranger) = (
      try run(1, level: 0.2), try run(2, level: 0.01), try run(3, level: 0.1)
    )
    let (own, other) = (try recogniser.evidence(in: base), try recogniser.evidence(in: source))
    #expect(own != other)
    for evidence in try recogniser.evidence(base, with: sets.cuts(of: model, base, from: base)) {
      #expect(evidence == own)
    }
    let all = try recogniser.evidence(base, with: sets.cuts(of: model, base, from: source))
    #expect(all.count == 3 + 1 + 1 + 4)
    for evidence in all { #expect(evidence == other) }

    // The reading is what a full run says.
    let logits = try model.run(base.question.input, tap: nil).logits
    func odds(_ row: Int, _ token: Int) -> Double {
      let exponents = (0..<logits.width).map { Foundation.exp(Double(logits[row, $0]) - 20) }
      let p = exponents[token] / exponents.reduce(0, +)
      return Foundation.log((1 - p) / p)
    }
    #expect(abs(odds(logits.rows - 1, 50_256) - own.text) < 1e-5)
    #expect(abs(odds(0, 50_361) - own.speech) < 1e-5)

    // Sound and padding at the last layer, set by set, and a matched control that moves as far.
    let mean = try MeanActivations(of: [stranger.question], at: sets.sites, in: model)
    func shares(_ donor: SpeechDonor) throws -> [SpeechEvidence?] {
      try sets.evidence(
        of: recogniser, base, from: source, donor: donor, stranger: stranger, mean: mean)
    }
    let (real, matched) = (try shares(.real), try shares(.matched))
    #expect(real.allSatisfy { $0 != nil } && !matched.allSatisfy { $0 != nil })
    // The mean of one run is that run.
    let strange = try shares(.mean)
    let direct = try sets.evidence(
      of: recogniser, base, from: stranger, donor: .real, stranger: source, mean: mean)
    for set in sets.summary { #expect(strange[set] == direct[set]) }
    for set in sets.summary {
      #expect(real[set] != own && matched[set] != real[set] && matched[set] != strange[set])
    }
  }
}
