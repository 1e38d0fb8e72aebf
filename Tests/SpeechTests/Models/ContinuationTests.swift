// Answers of several tokens on the architectures that do not splice sound into a prompt: one pass reads
// what a run on each answer alone reads, patched or not; searches of it are slopes; and what Moshi
// hears while an answer is forced is silence, as in a longer recording of it.

import Foundation
import Interventions
import JSON
import Speech
import Tensor
import Testing

@Suite struct ContinuationTests {
  private static let shared = [6, 11]
  private static let answer = [12, 4, 8]
  private static let foil = [17, 9]

  private func asked(_ folder: String, _ run: String, _ model: any SpeechLanguageModel) throws
    -> Question
  {
    let wave = try Waveform(contentsOf: stored("\(folder)/\(run).wav"))
    let prompt = folder == "whisper" ? [100, 5, 105] : [5, 3]
    return Question(
      ModelInput(clip: try model.clip(wave), tokens: prompt),
      try Answers(answer: Self.shared + Self.answer, foil: Self.shared + Self.foil))
  }

  /// log p of each token of an answer, forced alone behind the prompt, with or without a patch.
  private func logProbabilities(
    _ model: any SpeechLanguageModel, _ question: Question, _ said: [Int], _ patch: Patch? = nil
  ) throws -> [Double] {
    var input = ModelInput(clip: question.clip, tokens: question.tokens)
    input.forced = Array(said.dropLast())
    // A patch's positions lie before the answers part, and are the same in every run.
    let place = try patch.map { patch in
      try #require(try model.run(input, tap: nil).place(of: patch.site))
    }
    let run = try model.run(input) { site, x in
      guard let patch, let place, site == patch.site else { return x }
      let rows = patch.positions.map { place.rows[$0] }
      return replacingRows(x, at: rows, with: patch.changed(gatherRows(x.detached, rows)))
    }
    let first = run.logits.rows - said.count
    return said.indices.map { i in
      let row = (0..<run.logits.width).map { Double(run.logits[first + i, $0]) }
      return row[said[i]] - Foundation.log(row.reduce(0) { $0 + Foundation.exp($1) })
    }
  }

  private func difference(_ answer: [Double], _ foil: [Double]) -> Double {
    answer.reduce(0, +) / Double(answer.count) - foil.reduce(0, +) / Double(foil.count)
  }

  private static let sites = [
    "whisper": [
      "encoder.0.resid_post", "encoder.1.mlp.out", "encoder.final", "decoder.0.cross.k",
      "decoder.0.resid_post", "decoder.1.attn.v",
    ],
    "moshi": [
      "mimi.seanet.out", "mimi.latent", "connector.out", "lm.embed", "lm.0.attn.z",
      "lm.1.resid_post",
    ],
  ]

  @Test(arguments: ["whisper", "moshi"]) func onePassReadsBothAnswers(_ folder: String) throws {
    let model = try openModel(folder: stored(folder))
    let sites = Self.sites[folder]!.map { Site($0)! }
    let question = try asked(folder, "base", model)
    let base = try model.trace(question, keeping: sites)
    let source = try model.trace(try asked(folder, "source", model), keeping: sites)
    let patches = try sites.map { site in
      Patch(site, positions: [1, 2], taking: try source.rows(of: Cell(site), at: [1, 2]))
    }
    let outcomes = try model.patched(base, patches.map { [$0] }, skipping: false)
    #expect(
      try model.patched(base, patches.map { [$0] }, resuming: false, skipping: false) == outcomes)
    for (patch, outcome) in zip([nil] + patches, [base.outcome] + outcomes) {
      let alone = try [Self.answer, Self.foil].map {
        try logProbabilities(model, question, Self.shared + $0, patch)
      }
      let shown: Comment = "\(folder) \(patch.map { "\($0.site)" } ?? "unpatched")"
      #expect(abs(outcome.sequence! - difference(alone[0], alone[1])) < 1e-5, shown)
      let first = alone.map { $0[Self.shared.count] }
      #expect(abs(outcome.logitDifference - (first[0] - first[1])) < 2e-5, shown)
      #expect(abs(outcome.probability - Foundation.exp(first[0])) < 1e-5, shown)
    }
    let moved = outcomes.map { abs($0.sequence! - base.outcome.sequence!) }
    #expect(moved.allSatisfy { $0 > 1e-3 }, "patches that change nothing compare nothing: \(moved)")
  }

  /// The score of whole answers is the slope of their exact effect.
  @Test(arguments: [
    ("whisper", "encoder.1.resid_post@2..9"), ("whisper", "decoder.0.cross.v@4..20"),
    ("whisper", "decoder.0.resid_post@text:-4.."), ("moshi", "connector.out@3..9"),
    ("moshi", "lm.1.attn.z[1]@2..14"), ("moshi", "lm.0.resid_post@text:-3.."),
  ]) func scoresAreSlopes(_ folder: String, _ name: String) throws {
    let model = try openModel(folder: stored(folder))
    let cell = try Cell(name)
    let question = try asked(folder, "base", model)
    let other = try asked(folder, "source_eq", model)
    var options = SearchOptions(.attribution, sites: [cell.site])
    options.target = .sequence
    let found = try model.search(base: question, source: other, options)
    let score = found.scores[cell.site]!.score(cell.window, index: cell.index)!
    let base = try model.trace(question, keeping: [cell.site])
    let source = try model.trace(other, keeping: [cell.site])
    let selection = try Selection(cell, base: base, source: source, .identity)!
    let values = try model.patched(
      base, [Float(0.004), -0.004, 0.008, -0.008].map { [selection.patch(by: $0)] }
    ).map { $0.sequence! }
    let (near, far) = ((values[0] - values[1]) / 0.008, (values[2] - values[3]) / 0.016)
    let slope = (4 * near - far) / 3
    #expect(abs(slope - score) < 5e-3 * max(0.05, abs(score)), "\(slope) against \(score)")
    #expect(abs(score) > 1e-3)
  }

  /// Of a recording that ends in silence long enough for the codec to have forgotten the sound, a forced
  /// answer is what the text stream of a longer recording says.
  @Test func moshiIsSilentWhileAnswersAreForced() throws {
    let model = try #require(try openModel(folder: stored("moshi")) as? Moshi)
    let sound = try model.clip(try Waveform(contentsOf: stored("moshi/base.wav"))).samples
    let frame = model.config.codec.frame
    func recording(frames: Int) -> Clip {
      Clip(samples: sound + [Float](repeating: 0, count: frames * frame - sound.count))
    }
    let (count, said) = (40, Self.shared + Self.answer)
    let codes = model.mimi.encode(recording(frames: count + 4).samples).codes
    let silence = model.mimi.encode([Float](repeating: 0, count: frame * (count + 4))).codes
    for (own, other) in zip(codes, silence) {
      try #require(own.suffix(8) == other.suffix(8))
      try #require(own.prefix(12) != other.prefix(12))
    }
    var input = ModelInput(clip: recording(frames: count), tokens: [5, 3])
    input.forced = Array(said.dropLast())
    let forced = try model.run(input, tap: nil).logits
    let padding = [Int](repeating: model.config.padding, count: count - 3)
    let whole = try model.run(
      ModelInput(clip: recording(frames: count + 4), tokens: [5, 3] + padding + said), tap: nil
    ).logits
    #expect(forced.shape == whole.shape && forced.rows == count + 4)
    #expect(forced.largestDifference(to: whole) < 1e-5)
    // The answer begins where a single token is read, and the sound before it counts.
    let single = try model.run(
      ModelInput(clip: recording(frames: count), tokens: [5, 3]), tap: nil
    ).logits
    #expect(
      gatherRows(single, [count - 1]).largestDifference(to: gatherRows(forced, [count - 1])) < 1e-5)
    input.clip = Clip(samples: [Float](repeating: 0, count: frame * count))
    let other = try model.run(input, tap: nil).logits
    #expect(other.largestDifference(to: forced) > 1e-3)
  }

  /// Behind sound that does not end in silence, both voices are as behind silence once the last frame's
  /// codes have been heard, which the acoustic ones are a step later.
  @Test func moshiHearsNothingBehindTheClip() throws {
    let model = try #require(try openModel(folder: stored("moshi")) as? Moshi)
    let clip = try model.clip(try Waveform(contentsOf: stored("moshi/base.wav")))
    let count = 15
    func traced(_ clip: Clip) throws -> [Site: Tensor] {
      var seen: [Site: Tensor] = [:]
      var input = ModelInput(clip: clip, tokens: [5, 3])
      (input.forced, input.continuations) = ([6, 11, 12], [[4], [9, 2]])
      _ = try model.run(input) { site, x in
        seen[site] = x
        return x
      }
      return seen
    }
    let sound = try traced(clip)
    let none = try traced(
      Clip(samples: [Float](repeating: 0, count: count * model.config.codec.frame)))
    let (user, own) = (Site("connector.out")!, Site("lm.embed_moshi")!)
    #expect(sound[own]!.isIdentical(to: none[own]!))
    // Steps of the trunk, and of both branches.
    let steps = count + 3 + 1 + 2
    let heard = (0..<steps).filter { step in
      !gatherRows(sound[user]!, [step]).isIdentical(to: gatherRows(none[user]!, [step]))
    }
    #expect(heard.count > count / 2 && heard.last == count + 1, "\(heard)")
    // Branches begin side by side, at the same moment with the same codes.
    let rows = [count + 3, count + 4].map { gatherRows(sound[user]!, [$0]) }
    #expect(rows[0].isIdentical(to: rows[1]))
  }

  /// Forced steps stand for text, in every stage that has them; the depth model says its codes up to
  /// where the answers part.
  @Test func forcedStepsAreText() throws {
    let model = try openModel(folder: stored("moshi"))
    let question = try asked("moshi", "base", model)
    let run = try model.run(question.input, tap: nil)
    let frames = 15
    #expect(run.logits.rows == frames + 2 + 2 + 1)
    let spans = try #require(run.place(of: Site("lm.1.resid_post")!)).spans
    #expect(spans.count == run.logits.rows)
    #expect(spans.indices.filter { spans[$0] == nil } == [0] + Array(frames..<spans.count))
    #expect(spans[frames - 1] == TimeSpan(13 * 80, 14 * 80))
    let depth = try #require(run.place(of: Site("depth.0.resid_post")!))
    #expect(depth.rows.count == (frames + 2) * depth.rowsPerStep)
  }

  @Test func answersThatDoNotFitAreErrors() throws {
    let whisper = try openModel(folder: stored("whisper"))
    let moshi = try openModel(folder: stored("moshi"))
    let mimi = try openModel(folder: stored("mimi"))
    func ask(_ folder: String, _ model: any SpeechLanguageModel, _ answer: [Int], _ foil: [Int])
      throws
    {
      let input = try asked(folder, "base", model).input
      _ = try model.trace(
        Question(
          ModelInput(clip: input.clip, tokens: input.tokens), Answers(answer: answer, foil: foil)))
    }
    // Whisper's decoder has 29 positions, and 3 tokens ask.
    let long = [Int](repeating: 7, count: 27)
    try ask("whisper", whisper, long, [8])
    refuses("3 decoder tokens, 30 with what is forced", "1 to 29", "shorter answers") {
      try ask("whisper", whisper, long + [7], [8])
    }
    refuses("15 frames, ", "with the answers behind it; the model takes 1 to") {
      try ask("moshi", moshi, [Int](repeating: 7, count: 4000), [8])
    }
    refuses("codec", "give a folder of Moshi") { try ask("mimi", mimi, [1, 2], [3]) }
    try ask("mimi", mimi, [1], [3])
    refuses("token 37 of the answers", "vocabulary of 37", "own tokenizer") {
      try ask("moshi", moshi, [37], [3])
    }
    refuses("token 131 of the answers") { try ask("whisper", whisper, [4, 131], [3]) }
  }
}
