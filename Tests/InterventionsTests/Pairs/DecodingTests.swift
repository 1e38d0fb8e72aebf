// Greedy decoding, the one-pass check of an answer, and questions that cannot be asked.

import Corpus
import Foundation
import Interventions
import JSON
import Speech
import Tensor
import Testing

@Suite struct DecodingTests {
  let folder: Folder
  let speech: SpeechModel

  static let words = (0..<12).map { "w\($0)" }

  /// A small checkpoint that often ends its answers and never says a special token inside one.
  init() throws {
    folder = try Folder()
    let config = Small().config
    var parameters = config.randomParameters(Random(seed: 41))
    let name = "language_model.lm_head.weight"
    var head = parameters[name]!.numbers
    for j in 0..<config.width {
      head[j] *= 1.5
      for row in [1, 2, 3] + Array(16..<config.vocabulary) { head[row * config.width + j] = 0 }
    }
    parameters[name] = Tensor(parameters[name]!.shape, head)
    try Data(safetensorsBytes(parameters))
      .write(to: URL(fileURLWithPath: "\(folder.path)/model.safetensors"))
    _ = try folder.write("config.json", config.json(endToken: 0).text)
    _ = try folder.write(
      "preprocessor_config.json", "{\"feature_size\": \(config.melBands), \"chunk_length\": 1}")
    _ = try folder.write(
      "tokenizer.json",
      Tokenizer.wordLevel(
        words: Self.words,
        special: ["<|endoftext|>", "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"]))
    speech = try SpeechModel(folder: folder.path)
  }

  func sound(_ samples: Int, _ seed: UInt64) -> Waveform {
    Waveform(samples: Tensor([samples], normal: 0.1, Random(seed: seed)).numbers)
  }

  /// Token by token, each from a run of its own over all that is before it.
  func slowly(_ clip: Clip, _ prompt: String, limit: Int) throws -> (said: [Int], ended: Bool) {
    var tokens = try speech.tokens(for: prompt, clip: clip)
    var said: [Int] = []
    while said.count < limit {
      let batch = try Batch(
        speech.config.sound, clips: [clip], prompts: [Prompt(tokens)], extent: .padded)
      let all = speech.model.logits(
        after: .encoder(0), speech.model.embedded(batch), in: batch,
        rows: Array(batch.lm.sequences[0].range))
      let last = gatherRows(all, [all.rows - 1]).numbers
      let next = last.firstIndex(of: last.max()!)!
      if next == 0 { return (said, true) }
      said.append(next)
      tokens.append(next)
    }
    return (said, false)
  }

  @Test func answersAreWhatGreedyDecodingSays() throws {
    var (ended, cut, lengths) = (0, 0, Set<Int>())
    for seed in 0..<40 {
      let clip = try speech.clip(sound(4_000 + 250 * seed, UInt64(seed)))
      let prompt = "w\(seed % 12) w\(seed / 3 % 12)"
      let said = try speech.greedy(clip, prompt: prompt, limit: 6)
      // One token further, to see whether the sixth is the last.
      let expected = try slowly(clip, prompt, limit: 7)
      #expect(said == Array(expected.said.prefix(6)))
      let text = speech.tokenizer.decode(said)
      #expect(try speech.answers(clip, prompt: prompt, with: text) == expected.ended)
      #expect(try !speech.answers(clip, prompt: prompt, with: text + " w0"))
      if expected.ended { ended += 1 } else { cut += 1 }
      lengths.insert(said.count)
      guard let last = said.last else { continue }
      let short = speech.tokenizer.decode(Array(said.dropLast()))
      #expect(try !speech.answers(clip, prompt: prompt, with: short))
      let wrong = speech.tokenizer.decode(said.dropLast() + [last == 15 ? 14 : last + 1])
      #expect(try !speech.answers(clip, prompt: prompt, with: wrong))
    }
    #expect(ended > 5 && lengths.count > 2, "\(ended) ended, \(cut) did not, \(lengths)")
  }

  // ## Questions of a pair

  func pair(_ answers: [String], prompt: String = "w3 w4") throws -> MinimalPair {
    let json = ManifestTests.pair([
      "answers": .array(answers.map { .string($0) }), "prompt": .string(prompt),
    ])
    let manifest: JSON = [
      "sampleRate": 16_000, "pairs": [json],
      "utterances": [ManifestTests.utterance("u1"), ManifestTests.utterance("u2")],
    ]
    return try PairSuite(manifest: folder.write("evaluation.json", manifest.text)).pairs[0]
  }

  func record(_ first: Waveform, _ second: Waveform) throws {
    try first.write(to: "\(folder.path)/u1.wav")
    try second.write(to: "\(folder.path)/u2.wav")
  }

  func refused(
    _ pair: MinimalPair, _ words: String..., at location: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: (any Error).self, sourceLocation: location) {
      _ = try speech.questions(for: pair, root: folder.path)
    }
    for word in words where error != nil {
      #expect("\(error!)".contains(word), "\(error!)", sourceLocation: location)
    }
  }

  @Test func questionsOfAPair() throws {
    try record(sound(8_000, 1), sound(8_000, 2))
    let (clean, corrupt) = try speech.questions(for: pair(["w1 w2", "w5"]), root: folder.path)
    #expect(clean.tokens == corrupt.tokens && clean.tokens.suffix(3) == [3, 7, 8])
    #expect(clean.answer == 5 && clean.foil == 9)
    #expect(corrupt.answer == 5 && corrupt.foil == 9)
    #expect(!clean.clip.mel.isIdentical(to: corrupt.clip.mel))
    let (a, b) = (try speech.model.trace(clean), try speech.model.trace(corrupt))
    #expect(a.logitDifference != b.logitDifference)
  }

  @Test func answersThatCannotDiffer() throws {
    try record(sound(8_000, 1), sound(8_000, 2))
    try refused(pair(["w1", "w1 w2"]), "pair p1", "same token")
    try refused(pair(["", "w1"]), "pair p1")
    try refused(pair(["w1", "ship"]), "tokenizer.json", "\"ship\"")
    try refused(pair(["w1", "w2"], prompt: "what w1"), "tokenizer.json", "\"what\"")
  }

  @Test func recordingsThatCannotBeHeard() throws {
    let (good, pair) = (sound(8_000, 1), try pair(["w1", "w2"]))
    let silence = Waveform(samples: [Float](repeating: 0, count: 8_000))
    for (bad, word) in [
      (sound(200, 2), "3 frames"), (sound(20_000, 2), "1 s at most"), (silence, "silent"),
    ] {
      try record(good, bad)
      refused(pair, "\(folder.path)/u2.wav", word)
    }
    // A WAV file whole but for its sound.
    let header: [UInt32] = [
      0x4646_4952, 36, 0x4556_4157, 0x2074_6D66, 16, 0x0001_0001, 16_000, 32_000, 0x0010_0002,
      0x6174_6164, 0,
    ]
    try header.withUnsafeBytes { Data($0) }
      .write(to: URL(fileURLWithPath: "\(folder.path)/u2.wav"))
    refused(pair, "\(folder.path)/u2.wav", "zero length")
    try record(good, sound(8_200, 2))
    refused(pair, "pair p1", "differ in length")
    try FileManager.default.removeItem(atPath: "\(folder.path)/u1.wav")
    refused(pair, "\(folder.path)/u1.wav")
  }
}
