// Momentum of noise that is made for one wrong word, against the same steps written out; and what has no room.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

@Suite struct MomentumTests {
  let model: SpeechModel
  let word: WrongWord
  let wave: Waveform

  init() throws {
    model = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    let suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    let pair = try #require(suite.pairs.first { $0.split == "validation" && $0.slot == "b-last" })
    word = try WrongWord(pair, unrelated: suite.unrelated(to: pair))
    wave = try word.utterance.waveform(root: root)
  }

  private func noise(ratio: Double = 25, steps: Int = 3, momentum: Double, in wave: Waveform? = nil)
    throws -> TargetedNoise
  {
    try model.targetedNoise(
      in: wave ?? self.wave, saying: word.utterance.text, towards: word.target, ratio: ratio,
      steps: steps, momentum: momentum, Random(seed: 1))
  }

  @Test func slopesAreAddedUpByTheirMeanSize() {
    let old = [1.0, -2, 0]
    #expect(old.carriedOn(by: 0, with: [3, -1e-300, 0]) == [3, -1e-300, 0])
    #expect(old.carriedOn(by: 0.5, with: [6, 0, -3]) == [2.5, -1, -1])
    #expect(old.carriedOn(by: 0.5, with: [0, 0, 0]) == [0.5, -1, 0])
  }

  @Test(arguments: [0, 0.2, 0.9])
  func everyStepFollowsTheCarriedDirection(_ momentum: Double) throws {
    let end = try #require(model.endTokens.min())
    let answers = try Answers(
      answer: model.textTokens(word.target) + [end],
      foil: model.textTokens(word.utterance.text) + [end])
    let clean = wave.samples.map(Double.init)
    let bound = (try #require(NoiseMix.activePower(clean)) / 316.2277660168379).squareRoot()
    func heard(_ noise: [Double]) -> [Float] {
      zip(clean, noise).map {
        Float(max(-32768, min(32767, (($0 + $1) * 32768).rounded(.toNearestOrEven))) / 32768)
      }
    }
    var (noise, direction) = (clean.map { _ in 0.0 }, clean.map { _ in 0.0 })
    for _ in 0..<3 {
      let slope = try model.slope(of: heard(noise), answers)
      let size = slope.map(abs).reduce(0, +) / Double(slope.count)
      for i in noise.indices {
        direction[i] = momentum == 0 ? slope[i] : momentum * direction[i] + slope[i] / size
        let sign = direction[i] > 0 ? 1.0 : direction[i] < 0 ? -1 : 0
        noise[i] = max(-bound, min(bound, noise[i] + sign * bound / 8))
      }
    }
    let found = try self.noise(momentum: momentum)
    // The bound is written with fewer digits here, so that a sample may be rounded the other way.
    let apart = zip(found.samples, heard(noise)).count { $0 != $1 }
    #expect(apart <= found.samples.count / 1000, "\(apart)")
    if momentum == 0 {
      let plain = try model.targetedNoise(
        in: wave, saying: word.utterance.text, towards: word.target, ratio: 25, steps: 3,
        Random(seed: 1))
      #expect(found.samples == plain.samples && found.drawn == plain.drawn)
    } else {
      #expect(found.samples != (try self.noise(momentum: 0)).samples)
    }
  }

  @Test func whatHasNoRoomIsRefused() {
    func complaint(_ body: () throws -> TargetedNoise) -> String {
      do {
        _ = try body()
        return "none"
      } catch { return "\(error)" }
    }
    #expect(complaint { try noise(ratio: 200, momentum: 0) }.contains("give a lower ratio"))
    #expect(complaint { try noise(ratio: .infinity, momentum: 0) }.contains("give a lower ratio"))
    #expect(complaint { try noise(ratio: .nan, momentum: 0) }.contains("give a lower ratio"))
    #expect(complaint { try noise(steps: 0, momentum: 0) }.contains("steps above 0"))
    for share in [-0.1, 1, .nan] {
      #expect(complaint { try noise(momentum: share) }.contains("from 0 to below 1"))
    }
    let silence = Waveform(samples: [Float](repeating: 0, count: 16_000))
    #expect(complaint { try noise(momentum: 0, in: silence) }.contains("silent recording"))
  }
}
