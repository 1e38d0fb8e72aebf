// A transcript with its certainty: the same text as without, and probabilities that a full run over the
// same tokens gives.

import Foundation
import Speech
import Tensor
import Testing

/// A published model, where `make published` has brought it.
let publishedTiny: String? = {
  let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path
  let folder = "\(root)/build/models/whisper-tiny.en"
  return FileManager.default.fileExists(atPath: "\(folder)/model.bin") ? folder : nil
}()

@Suite struct HearingTests {
  func transcript(_ tokens: [Int], _ text: String = "") -> Transcript {
    Transcript(tokens: tokens, text: text, ended: true)
  }

  @Test func aLoopStandsThreeTimesInARow() {
    #expect(transcript([1, 2, 1, 2, 1, 2]).isLoop)
    #expect(transcript([9, 8, 5, 5, 5]).isLoop)
    #expect(transcript([3] + [1, 2, 4, 6, 7] + [1, 2, 4, 6, 7] + [1, 2, 4, 6, 7, 9]).isLoop)
    #expect(!transcript([1, 2, 1, 2, 1]).isLoop)
    #expect(!transcript([5, 5, 1, 5, 5, 1]).isLoop)
    #expect(!transcript([]).isLoop)
  }

  @Test func wordsAreLettersOrDigits() {
    #expect(transcript([], " you").hasWords && transcript([], "4").hasWords)
    #expect(!transcript([], " . ...").hasWords && !transcript([]).hasWords)
  }

  /// Whisper's own rule: both thresholds have to be passed.
  @Test func silenceIsImprobableWordsWithoutSpeech() throws {
    for (noSpeech, mean, isSilence) in [
      (0.7, -1.5, true), (0.7, -0.5, false), (0.5, -1.5, false), (0.5, -0.5, false),
      (0.6, -1.5, false), (0.7, -1, false),
    ] {
      let text = """
        {"transcript": {"tokens": [], "text": "", "ended": true}, "noSpeech": \(noSpeech),
         "meanLogProbability": \(mean), "endAtOnce": 0}
        """
      let hearing = try JSONDecoder().decode(Hearing.self, from: Data(text.utf8))
      #expect(hearing.isTakenForSilence == isSilence, "\(noSpeech) \(mean)")
    }
  }

  @Test(.enabled(if: publishedTiny != nil), arguments: [false, true])
  func probabilitiesAreThoseOfAFullRun(_ isNoise: Bool) throws {
    let recogniser = try Recogniser(folder: publishedTiny!)
    let wave =
      isNoise
      ? Waveform(samples: noise(40_000, seed: 4))
      : try Waveform(
        contentsOf: URL(fileURLWithPath: publishedTiny!).deletingLastPathComponent()
          .deletingLastPathComponent().deletingLastPathComponent().path
          + "/artifacts/evaluation/kal/a-pat.flac")
    let clip = try recogniser.model.clip(wave)
    let hearing = try recogniser.hearing(of: clip, limit: 12)
    #expect(try hearing.transcript == recogniser.transcript(of: clip, limit: 12))
    let start = recogniser.start
    let said = hearing.transcript.tokens
    let all = try recogniser.model.run(
      ModelInput(clip: clip, tokens: start + said), tap: nil
    ).logits
    func softmax(_ row: Int, without silenced: Set<Int> = []) -> [Double] {
      let exponents = (0..<all.width).map {
        silenced.contains($0) ? 0 : Foundation.exp(Double(all[row, $0]) - 20)
      }
      let sum = exponents.reduce(0, +)
      return exponents.map { $0 / sum }
    }
    let end = recogniser.tokenizer.id(of: "<|endoftext|>")!
    #expect(abs(softmax(0)[50_361] - hearing.noSpeech) < 1e-6)
    #expect(abs(softmax(start.count - 1)[end] - hearing.endAtOnce) < 1e-6)
    let reference = (said + [end]).prefix(hearing.transcript.ended ? said.count + 1 : said.count)
      .enumerated().reduce(0.0) { sum, next in
        let (suppressed, first) = (
          recogniser.generation.suppressed, recogniser.generation.suppressedFirst
        )
        let silenced = next.offset == 0 ? suppressed.union(first) : suppressed
        return sum
          + Foundation.log(softmax(start.count - 1 + next.offset, without: silenced)[next.element])
      }
    #expect(abs(reference / Double(said.count + 1) - hearing.meanLogProbability) < 1e-5)
    #expect(hearing.noSpeech > 0 && hearing.noSpeech < 1 && said.count > 0)
  }
  /// A hearing that goes on from the encoder's last layer is that of a full run with the same changes.
  @Test(.enabled(if: publishedTiny != nil)) func changesAreThoseOfAFullRun() throws {
    let recogniser = try Recogniser(folder: publishedTiny!)
    let clip = try recogniser.model.clip(Waveform(samples: noise(40_000, seed: 4)))
    let listened = try recogniser.listened(to: clip)
    let last = Site(.encoder, recogniser.model.config.encoder.layers - 1, .residPost)
    let crossing = Site("decoder.2.cross.z")!
    func changed(_ site: Site, _ x: Tensor) -> Tensor {
      site == last ? x * 0.5 : site == crossing ? x * -1 : x
    }
    let plain = try recogniser.hearing(of: clip, limit: 3)
    for site in [last, crossing] {
      let hearing = try recogniser.hearing(
        of: listened, limit: 3, changing: SpeakingTap([site]) { site, x, _ in changed(site, x) })
      let said = hearing.transcript.tokens
      let all = try recogniser.model.run(
        ModelInput(clip: clip, tokens: recogniser.start + said), tap: Tap([site], changed)
      ).logits
      let numbers = all.numbers
      func row(_ row: Int) -> ArraySlice<Float> {
        numbers[(row * all.width)..<((row + 1) * all.width)]
      }
      let sum = row(0).reduce(0.0) { $0 + Foundation.exp(Double($1) - 20) }
      let noSpeech = Foundation.exp(Double(numbers[50_361]) - 20) / sum
      #expect(abs(noSpeech - hearing.noSpeech) < 1e-6, "\(site)")
      #expect(hearing.meanLogProbability != plain.meanLogProbability, "\(site)")
      // Every token is the most probable one behind those before it.
      for (i, token) in said.enumerated() {
        var logits = Array(row(recogniser.start.count - 1 + i))
        let barred = recogniser.generation.suppressed
          .union(i == 0 ? recogniser.generation.suppressedFirst : [])
        for token in barred { logits[token] = -.infinity }
        #expect(logits.firstIndex(of: logits.max()!) == token, "\(site), token \(i)")
      }
    }
    let still = SpeakingTap([last]) { _, x, _ in x }
    #expect(try recogniser.hearing(of: listened, limit: 3, changing: still) == plain)
    for name in ["encoder.0.resid_post", "decoder.9.cross.z", "lm.0.resid_post"] {
      #expect(throws: CheckpointError.self) {
        try recogniser.hearing(
          of: listened, changing: SpeakingTap([Site(name)!]) { _, x, _ in x })
      }
    }
  }
}
