// Training of the projector between two small halves: that it learns, that nothing depends on where it
// was interrupted, and that the encoder's outputs are made once.

import Foundation
import Speech
import Tensor
import Testing

@testable import reproduce

@Suite(.serialized) struct JoinedTrainingTests {
  let repository: Repository
  let halves: JoinedHalves
  let drawn: Parameters
  let weights: Weights
  let text: String
  let random = Random(seed: 5)

  init() throws {
    repository = Repository(
      root: FileManager.default.temporaryDirectory
        .appendingPathComponent("joined-tests-\(UUID().uuidString)"))
    let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../SpeechTests/Fixtures").standardized.path
    let encoder = "\(fixtures)/whisper"
    text = "\(fixtures)/gguf/model"
    let whisper = try #require(openConfig(folder: encoder) as? WhisperConfig)
    let config = try Qwen2AudioConfig(
      encoder: whisper.encoder, text: Checkpoint(folder: text).config, audioToken: 5)
    drawn = try drawnProjector(config, languageModel: text, random.split("projector"))
    let checkpoint = Checkpoint(
      folder: text, config: config.json(endToken: 1),
      files: try CheckpointParts.halves(encoder: encoder, languageModel: text))
    weights = try config.weights(from: checkpoint, with: drawn)
    halves = try JoinedHalves(
      config, AudioLanguageModel(config, weights), Tokenizer(folder: text))
  }

  /// Noise that is said to be words.
  func utterances(_ count: Int) -> [JoinedUtterance] {
    (0..<count).map { i in
      var random = Random(seed: UInt64(i))
      let sentence = Sentence(text: ["red bat and blue map", "one two three"][i % 2])!
      return JoinedUtterance(
        id: "noise/\(i)", speaker: "kal", aboutWords: sentence.questions, aboutVoice: [],
        samples: (0..<8000).map { _ in Int16(2000 * random.normal()) })
    }
  }

  func training(_ count: Int = 4, steps: Int) throws -> JoinedTraining {
    let utterances = utterances(count)
    return JoinedTraining(
      halves: halves, utterances: utterances,
      heard: try HeardSpeech(repository, utterances, halves, random), random: random, steps: steps,
      batch: 4, peakRate: 0.05, parameters: drawn.mapValues { Tensor($0.shape, $0.numbers) })
  }

  func optimiser(_ training: JoinedTraining) -> AdamW {
    AdamW(parameters: training.names.map { training.parameters[$0]! })
  }

  @Test func interruptedTrainingGoesOnWithTheSameBits() throws {
    defer { try? FileManager.default.removeItem(at: repository.root) }
    var losses: [Double] = []
    var whole = try training(steps: 8)
    var moves = optimiser(whole)
    try whole.run(from: 0, optimiser: &moves) { _, _, _, report in
      losses.append(report.answerLoss)
    }
    #expect(losses.allSatisfy { $0.isFinite })
    #expect(losses.last! < 0.95 * losses[0], "\(losses)")
    let state = TrainingState(folder: repository.root, name: "test", key: "k")
    var first = try training(steps: 8)
    var early = optimiser(first)
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try first.run(from: 0, optimiser: &early) { step, parameters, optimiser, _ in
        guard step == 3 else { return }
        try state.write(
          stage: 0, step: step, names: whole.names, parameters: parameters,
          optimiser: optimiser)
        throw Stop()
      }
    }
    var second = try training(steps: 8)
    let saved = try #require(try state.read(into: &second.parameters))
    var late = optimiser(second)
    late.restore(saved.moments, step: saved.step + 1)
    try second.run(from: saved.step + 1, optimiser: &late) { _, _, _, _ in }
    for name in whole.names {
      #expect(second.parameters[name]!.isIdentical(to: whole.parameters[name]!), "\(name)")
      #expect(!whole.parameters[name]!.isIdentical(to: drawn[name]!), "\(name)")
    }
  }

  /// Adapters begin by changing nothing, learn beside the projector, and merged into the weights they give
  /// what they give beside them.
  @Test func adaptersLearnAndCanBeMerged() throws {
    defer { try? FileManager.default.removeItem(at: repository.root) }
    var config = try #require(halves.model.config as? Qwen2AudioConfig)
    config.lowRank = LowRankConfig(rank: 2, scale: 0.5)
    let own = weights
    let adapted = { @Sendable [config] (live: Parameters) -> AudioLanguageModel in
      var all = own
      all.merge(Weights(live))
      return AudioLanguageModel(config, all)
    }
    var training = try training(steps: 6)
    var plain = try self.training(steps: 1)
    training.parameters.merge(config.drawnAdapters(random.split("adapters"))) { $1 }
    training.adapted = adapted
    #expect(training.names.count == 2 + 4 * config.layers)
    var losses: [Double] = []
    var moves = optimiser(training)
    try training.run(from: 0, optimiser: &moves) { _, _, _, report in
      losses.append(report.answerLoss)
    }
    var first = 0.0
    var plainMoves = optimiser(plain)
    try plain.run(from: 0, optimiser: &plainMoves) { _, _, _, report in first = report.answerLoss }
    #expect(losses[0] == first)
    #expect(losses.last! < 0.95 * losses[0], "\(losses)")
    let trained = training.parameters
    for (name, tensor) in trained where name.contains(".lora_B") {
      #expect(tensor.numbers.contains { $0 != 0 }, "\(name)")
    }
    let adapters = trained.filter { $0.key.contains(".lora_") }
    let merged = config.merged(adapters, into: own)
    #expect(merged.count == 2 * config.layers)
    let tokens = Array(halves.trunk.dropLast())
    let beside = try adapted(trained).logits(ofText: tokens)
    let inside = try adapted(trained.filter { !$0.key.contains(".lora_") }.merging(merged) { $1 })
      .logits(ofText: tokens)
    let before = try halves.model.logits(ofText: tokens)
    #expect(beside.largestDifference(to: inside) < 1e-4)
    #expect(beside.largestDifference(to: before) > 1e-2)
  }

  /// Layers beside the linear one begin by adding nothing, and learn.
  @Test func layersBesideBeginWithNothingAndLearn() throws {
    defer { try? FileManager.default.removeItem(at: repository.root) }
    let config = try #require(halves.model.config as? Qwen2AudioConfig)
    let beside = Projector.drawnBeside(config, random.split("beside"))
    #expect(beside.count == 3)
    let heard = Tensor([20, config.encoderWidth], normal: 1, random.split("heard"))
    let both = drawn.merging(beside) { $1 }
    #expect(Projector(both)(heard).isIdentical(to: Projector(drawn)(heard)))
    var training = try training(steps: 6)
    // The optimiser moves them where they lie.
    training.parameters.merge(beside.mapValues { Tensor($0.shape, $0.numbers) }) { $1 }
    var losses: [Double] = []
    var moves = optimiser(training)
    try training.run(from: 0, optimiser: &moves) { _, _, _, report in
      losses.append(report.answerLoss)
    }
    #expect(losses.last! < 0.95 * losses[0], "\(losses)")
    for (name, tensor) in training.parameters {
      #expect(!tensor.isIdentical(to: both[name]!), "\(name)")
    }
  }

  @Test func silenceBehindIsHeard() throws {
    defer { try? FileManager.default.removeItem(at: repository.root) }
    let all = utterances(2)
    let plain = try HeardSpeech(repository, all, halves, random)("noise/1")
    let longer = try HeardSpeech(repository, all, halves, silence: 8000, random)("noise/1")
    // Half a second more, at one token in 40 ms.
    #expect(abs(longer.rows - plain.rows - 12) <= 1)
    let again = try HeardSpeech(repository, all, halves, random)("noise/1")
    #expect(again.numbers == plain.numbers)
  }

  @Test func whatTheEncoderMakesIsMadeOnce() throws {
    defer { try? FileManager.default.removeItem(at: repository.root) }
    let all = utterances(70)
    let heard = try HeardSpeech(repository, all, halves, random)
    let folder = repository.url("build/joined")
    func files() throws -> [String: Date] {
      let walk = FileManager.default.enumerator(atPath: folder.path)!
      let names = walk.compactMap { $0 as? String }.filter { $0.hasSuffix(".safetensors") }
      return try Dictionary(
        uniqueKeysWithValues: names.map { name in
          let path = folder.appendingPathComponent(name).path
          return (
            name,
            try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as! Date
          )
        })
    }
    let before = try files()
    #expect(before.count == 2)
    let kept = try heard("noise/3").numbers
    // One file is lost; the other is not written again, and the lost one comes out as it was.
    let lost = before.keys.sorted()[0]
    try FileManager.default.removeItem(at: folder.appendingPathComponent(lost))
    let again = try HeardSpeech(repository, all, halves, random)
    let after = try files()
    #expect(before.keys == after.keys)
    #expect(before.filter { $0.key != lost } == after.filter { $0.key != lost })
    #expect(try again("noise/3").numbers == kept)
    #expect(try again("noise/69").numbers == heard("noise/69").numbers)
    #expect(try again("noise/69").numbers != again("noise/68").numbers)
  }
}
