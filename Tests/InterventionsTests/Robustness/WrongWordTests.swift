// Noise that is made for one wrong word: its slope against finite differences, what it does, and how it is
// counted.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

@Suite struct WrongWordTests {
  let model: SpeechModel
  let suite: PairSuite
  let word: WrongWord

  init() throws {
    model = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    let pair = try #require(suite.pairs.first { $0.split == "validation" && $0.slot == "b-last" })
    word = try WrongWord(pair, unrelated: suite.unrelated(to: pair))
  }

  @Test func oneWordIsAnother() throws {
    let (said, wrong) = (
      word.utterance.text.split(separator: " "), word.target.split(separator: " ")
    )
    #expect(said.count == wrong.count)
    #expect(zip(said, wrong).count { $0 != $1 } == 1)
  }

  /// By samples all over the recording, against differences of the sequences' probabilities.
  @Test func theSlopeIsThatOfDifferences() throws {
    // Pauses of a few steps of 16 bits have no straight line; in noise they have.
    var noise = Random(seed: 4)
    let wave = Waveform(
      samples: try word.utterance.waveform(root: root).samples.map {
        $0 + 0.01 * Float(noise.normal())
      })
    let end = try #require(model.endTokens.min())
    let answers = try Answers(
      answer: model.textTokens(word.target) + [end],
      foil: model.textTokens(word.utterance.text) + [end])
    let slope = try model.slope(of: wave.samples, answers)
    #expect(slope.count == wave.samples.count)

    func mean(_ samples: [Float], _ tokens: [Int]) throws -> Double {
      let clip = try model.clip(Waveform(samples: samples))
      var input = ModelInput(clip: clip, tokens: try model.tokens(for: "transcribe:", clip: clip))
      input.forced = Array(tokens.dropLast())
      let logits = try model.model.run(input, tap: nil).logits
      let first = logits.rows - tokens.count
      return tokens.enumerated().reduce(0.0) { sum, token in
        let row = DoubleMatrix(logits).row(first + token.offset)
        let top = row.max()!
        let all = row.reduce(0.0) { $0 + Elementary.exp($1 - top) }
        return sum + row[row.startIndex + token.element] - top - Elementary.log(all)
      } / Double(tokens.count)
    }
    func objective(_ samples: [Float]) throws -> Double {
      try mean(samples, answers.shared + answers.answer)
        - mean(samples, answers.shared + answers.foil)
    }
    // Along drawn signs, so that many samples move together; Float32 leaves three digits.
    var random = Random(seed: 3)
    for _ in 0..<3 {
      let signs = wave.samples.map { _ in random.uniform() < 0.5 ? -1.0 : 1.0 }
      let step = 2e-5
      let moved = [1.0, -1.0].map { side in
        zip(wave.samples, signs).map { $0 + Float(side * step * $1) }
      }
      let found = try (objective(moved[0]) - objective(moved[1])) / (2 * step)
      let told = zip(slope, signs).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(found - told) < 0.03 * abs(told) + 2, "\(found) \(told)")
    }
  }

  @Test func noiseIsWithinItsBoundAndDrawnNoiseIsAsLoud() throws {
    let wave = try word.utterance.waveform(root: root)
    let found = try model.targetedNoise(
      in: wave, saying: word.utterance.text, towards: word.target, ratio: 25, steps: 40,
      Random(seed: 1))
    let power = try #require(NoiseMix.activePower(wave.samples.map(Double.init)))
    let bound = (power / 316.2277660168379).squareRoot() + 0.5 / 32768
    let noise = zip(found.samples, wave.samples).map { Double($0 - $1) }
    let drawn = zip(found.drawn, wave.samples).map { Double($0 - $1) }
    #expect(noise.allSatisfy { abs($0) <= bound } && drawn.allSatisfy { abs($0) <= bound })
    #expect(noise.map(abs).max()! > 0.9 * bound)
    #expect(found.steps <= 40)
    #expect(found.samples.allSatisfy { ($0 * 32768).rounded() == $0 * 32768 })
    let heard = { (samples: [Float]) -> String in
      let clip = try model.clip(Waveform(samples: samples))
      return model.tokenizer.decode(try model.greedy(clip, prompt: "transcribe:"))
    }
    #expect(try heard(wave.samples) == word.utterance.text)
    #expect(try heard(found.samples) == word.target)
    #expect(try heard(found.drawn) == word.utterance.text)
  }

  @Test func hitsAreTextsThatAreTheTarget() {
    let random = Random(seed: 2)
    func heard(_ text: String, _ pruned: String) -> HeardInNoise {
      var heard = HeardInNoise()
      heard[.nothing, NoiseTrial.nothing.strength] = [text]
      heard[.neurons(.causal, .prune), NoiseStrength(5)] = [pruned]
      return heard
    }
    let recordings = [
      NoisyRecording(word.utterance, heardAs: [0]), NoisyRecording(word.utterance, heardAs: [1]),
      NoisyRecording(clean: word.utterance),
    ]
    let (right, wrong) = (word.utterance.text, word.target)
    let test = WrongWordTest(
      [word, word], recordings,
      [heard(wrong, right), heard(wrong, "bat"), heard(right, wrong)], draws: 50)
    let nothing = test.reading(.nothing, NoiseTrial.nothing.strength, random)
    #expect(nothing.hit?.value == 1 && nothing.right?.value == 0 && nothing.cost?.value == 0)
    // One sentence, all of whose texts are wrong: next to nothing is known.
    #expect((nothing.hit?.low ?? 1) < 0.1 && (nothing.right?.high ?? 0) > 0.9)
    let pruned = test.reading(.neurons(.causal, .prune), NoiseStrength(5), random)
    #expect(pruned.hit?.value == 0 && pruned.right?.value == 0.5)
    // One word of five is wrong without noise.
    let words = Double(right.split(separator: " ").count)
    #expect(abs((pruned.cost?.value ?? 0) - 1 / words) < 1e-12)
    #expect(test.reading(.denoiser, nil, random).hit == nil)
    let excess = test.excessHits(
      of: NoiseTrial(.neurons(.causal, .prune), NoiseStrength(5)), over: .nothing, random)
    #expect(excess.value == -1)
  }
}
