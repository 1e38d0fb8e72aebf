// Numbers that checkpoints are compared by, where they are known: planted moves, orders, and the shipped
// checkpoint's own weights.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

@Suite struct TrainedTests {
  /// Sound that moves as text does, in other lengths, and across it.
  @Test func alignmentIsThatOfDirections() throws {
    let random = Random(seed: 5)
    let (pairs, width) = (24, 12)
    let text = DoubleMatrix(rows: pairs, columns: 3, normal: random.split("text"))
    let other = DoubleMatrix(rows: pairs, columns: 3, normal: random.split("other"))
    func padded(_ row: ArraySlice<Double>, from place: Int, by length: Double) -> [Double] {
      var numbers = [Double](repeating: 0, count: width)
      for (i, number) in row.enumerated() { numbers[place + i] = length * number }
      return numbers
    }
    func alignment(soundFrom place: Int) throws -> TextAlignment {
      try (0..<pairs).map { i in
        WordMoves(
          sound: padded(text.row(i), from: place, by: Double(i + 1)),
          text: padded(text.row(i), from: 0, by: 1),
          unrelated: padded(other.row(i), from: 0, by: 1))
      }.alignment(
        groups: (0..<pairs).map { "\($0 / 2)" }, size: 3, draws: 200, random.split("draws"))
    }
    let same = try alignment(soundFrom: 0)
    #expect(abs(same.cosine.value - 1) < 1e-12 && abs(same.overlap - 1) < 1e-9)
    #expect(abs(same.unrelated.value) < 0.4 && same.chance == 0.25)
    #expect(same.unrelated.low < 0 && same.unrelated.high > 0)
    let across = try alignment(soundFrom: 5)
    #expect(abs(across.cosine.value) < 1e-12 && across.overlap < 1e-9)
  }

  /// The site that is read is the table of the checkpoint, whatever was heard before.
  @Test func embeddingsAreTheCheckpoints() throws {
    let folder = "\(root)/artifacts/qwen2-audio-small"
    let model = try SpeechModel(folder: folder)
    let suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    let pair = try #require(suite.pairs.first { $0.split == "validation" })
    let clip = try model.clip(pair.clean.waveform(root: root))
    let checkpoint = try Checkpoint(folder: folder)
    let name = try #require(checkpoint.tensorNames.first { $0.hasSuffix("embed_tokens.weight") })
    let config = try #require(model.config as? Qwen2AudioConfig)
    let table = try checkpoint.tensor([name], shape: [config.vocabulary, config.width])
    let word = pair.answers.clean
    let own = DoubleMatrix(table).row(try model.textTokens(word)[0])
    #expect(try model.textEmbedding(of: word, like: clip) == Array(own))

    let other = try suite.unrelated(to: pair)
    let moves = try #require(
      try model.wordMoves(of: pair, unrelated: other, moment: 120, root: root))
    let corrupt = DoubleMatrix(table).row(try model.textTokens(pair.answers.corrupt)[0])
    #expect(moves.text == zip(own, corrupt).map { $0 - $1 })
    #expect(moves.sound.count == config.width && moves.unrelated != moves.text)
    // Frame labels tied this checkpoint's sound to its text.
    let cosine = zip(moves.sound, moves.text).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(cosine > 0)
  }

  @Test func ordersArePredictedBeyondShuffles() {
    let random = Random(seed: 9)
    let errors = (0..<12).map { Double($0) }
    let same = RankPrediction(errors.map { $0 * $0 }, errors, draws: 2_000, random)
    #expect(same.spearman.value == 1 && same.spearman.low == 1 && same.checkpoints == 12)
    // Tables give .587 for twelve at the level of a twentieth, both signs.
    #expect(abs(same.shuffled - 0.587) < 0.03)
    let fewer = RankPrediction(
      [nil, 3, 2, 1, nil] as [Double?], [0, 1, 2, 3, 4], draws: 50, random)
    #expect(fewer.spearman.value == -1 && fewer.checkpoints == 3)
  }

  /// One of the pairs, and transcripts of it, as the experiment reads them.
  @Test func aReadingIsThatOfItsItems() throws {
    let model = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    let suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    let pairs = suite.pairs.filter { $0.split == "validation" }.spread(8)
    let recordings = pairs.map(\.clean)
    let written = try recordings.map { try model.written($0, root: root) }
    #expect(written.allSatisfy { $0.words > 2 })
    let wrong = written.map { WrittenText(errors: $0.words, words: $0.words) }
    let material = TrainedMaterial(
      written: written, neverHeard: wrong,
      maps: try pairs.map {
        try model.taskMap(of: $0, .answer, unrelated: suite.unrelated(to: $0), root: root)
      },
      moves: try pairs.map {
        try model.wordMoves(of: $0, unrelated: suite.unrelated(to: $0), moment: 120, root: root)
      })
    let sites = model.model.mapSites
    let reading = try material.reading(
      of: pairs, recordings, neverHeard: recordings, size: 3, minimumGap: 1,
      LocalisationOptions(sites: sites, early: 2, share: 0.8, threshold: 0.5, draws: 200),
      level: 0.05, Random(seed: 1))
    let errors = written.reduce((0, 0)) { ($0.0 + $1.errors, $0.1 + $1.words) }
    #expect(reading.errors.value == Double(errors.0) / Double(errors.1))
    #expect(reading.neverHeard.value == 1)
    #expect(reading.entering.value == Double(reading.kept.count) / 8)
    let itself = try #require(
      material.likeness(
        to: material, over: reading.kept, groups: pairs.map(\.group), draws: 50, Random(seed: 2)))
    let stranger = try #require(
      material.likeness(
        to: material, over: reading.kept, groups: pairs.map(\.group), unrelated: true, draws: 50,
        Random(seed: 2)))
    #expect(itself.value == 1 && stranger.value < 0.95)
  }
}
