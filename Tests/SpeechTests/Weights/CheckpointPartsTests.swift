// A Qwen2-Audio that is put together from a Whisper's encoder, a projector and a Qwen2 in a GGUF file.

import Foundation
import JSON
import Notebook
import Speech
import Tensor
import Testing

@Suite struct CheckpointPartsTests {
  let scratch: Scratch
  let config: Qwen2AudioConfig
  let projector: Parameters

  init() throws {
    scratch = try Scratch()
    let encoder = try #require(openConfig(folder: stored("whisper")) as? WhisperConfig).encoder
    let text = try Checkpoint(folder: stored("gguf/model")).config
    config = try Qwen2AudioConfig(encoder: encoder, text: text, audioToken: 5)
    let random = Random(seed: 3)
    projector = [
      "multi_modal_projector.linear.weight": Tensor(
        [config.width, config.encoderWidth], normal: 0.2, random.split("weight")),
      "multi_modal_projector.linear.bias": Tensor(
        [config.width], normal: 0.2, random.split("bias")),
    ]
    try write("config.json", config.json(endToken: 1))
    try write("preprocessor_config.json", readJSON(stored("whisper/preprocessor_config.json")))
    try write(projector)
    try writeIndex()
  }

  var folder: String { scratch.path }

  func write(_ name: String, _ json: JSON) throws {
    try Data(json.text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
  }

  func write(_ projector: Parameters) throws {
    try Data(TensorFile(projector).bytes).write(
      to: URL(fileURLWithPath: "\(folder)/projector.safetensors"))
  }

  func writeIndex(_ changes: [String: JSON] = [:]) throws {
    let index: [String: JSON] = [
      "encoder": ["folder": .string(stored("whisper"))],
      "language_model": ["folder": .string(stored("gguf/model"))],
      "projector": ["file": "projector.safetensors"],
    ]
    try write("parts.json", .object(index.merging(changes) { $1 }))
  }

  @Test func theSizesSurviveConfigJSON() throws {
    #expect(try Qwen2AudioConfig(config.json(endToken: 1)) == config)
  }

  /// Two layers beside the linear one are added to it.
  @Test func twoLayersCanStandBesideTheLinearOne() throws {
    var config = config
    config.hasLayersBeside = true
    #expect(try Qwen2AudioConfig(config.json(endToken: 1)) == config)
    let one = try SpeechModel(folder: folder)
    try write("config.json", config.json(endToken: 1))
    #expect(throws: CheckpointError.self) { try SpeechModel(folder: folder) }
    let beside = Projector.drawnBeside(config, Random(seed: 4))
    try write(projector.merging(beside) { $1 })
    let clip = try one.clip(Waveform(contentsOf: stored("whisper/base.wav")))
    func logits() throws -> Tensor {
      let speech = try SpeechModel(folder: folder)
      return try speech.model.run(
        ModelInput(clip: clip, tokens: speech.tokens(for: "Hi.", clip: clip)), tap: nil
      ).logits
    }
    let before = try one.model.run(
      ModelInput(clip: clip, tokens: one.tokens(for: "Hi.", clip: clip)), tap: nil
    ).logits
    // The second layer is zero at first.
    #expect(try logits().isIdentical(to: before))
    let second = "multi_modal_projector.linear_2.weight"
    let changed = Tensor(beside[second]!.shape, normal: 0.1, Random(seed: 6))
    try write(projector.merging(beside.merging([second: changed]) { $1 }) { $1 })
    #expect(try logits().largestDifference(to: before) > 1e-3)
    // One that is drawn has nothing of what was trained, beside the linear layer either.
    let random = Random(seed: 7)
    func drawn(_ speech: SpeechModel) throws -> Tensor {
      try speech.withDrawnProjector(random).model.run(
        ModelInput(clip: clip, tokens: one.tokens(for: "Hi.", clip: clip)), tap: nil
      ).logits
    }
    let withLayers = try drawn(SpeechModel(folder: folder))
    try write("config.json", self.config.json(endToken: 1))
    #expect(withLayers.isIdentical(to: try drawn(SpeechModel(folder: folder))))
    let heard = Tensor([3, config.encoderWidth], normal: 1, Random(seed: 5))
    let p = beside.merging([second: changed]) { $1 }.merging(projector) { $1 }
    let hidden = gelu(
      linear(
        heard, p["multi_modal_projector.linear_1.weight"]!,
        bias: p["multi_modal_projector.linear_1.bias"]!))
    let expected =
      linear(
        heard, p["multi_modal_projector.linear.weight"]!,
        bias: p["multi_modal_projector.linear.bias"]!) + linear(hidden, changed)
    #expect(Projector(p)(heard).largestDifference(to: expected) < 1e-6)
  }

  @Test func soundStandsInTheTurnOfTheUser() throws {
    let speech = try SpeechModel(folder: folder)
    let clip = try speech.clip(Waveform(contentsOf: stored("whisper/base.wav")))
    let tokens = try speech.tokens(for: "Hi.", clip: clip)
    let count = config.sound.audioTokens(melFrames: clip.validFrames)
    let first = try #require(tokens.firstIndex(of: 5))
    #expect(count > 1 && tokens[first..<(first + count)].allSatisfy { $0 == 5 })
    let without = Array(tokens[..<first] + tokens[(first + count)...])
    let (before, after) = try ChatTemplate(#require(config.chatTemplate)).prompt("Hi.")
    #expect(speech.tokenizer.decode(without) == before + "\n" + after)
    #expect(before.hasSuffix("<|im_start|>user\n"))
    #expect(speech.tokenizer.decode(Array(tokens[..<first])) == before)
  }

  @Test func anotherLanguageModelIsRefused() throws {
    let file = try #require(
      try FileManager.default.contentsOfDirectory(atPath: stored("gguf/model"))
        .first { $0.hasSuffix(".gguf") })
    let digest = "\(try Digest(ofFile: "\(stored("gguf/model"))/\(file)"))"
    func index(_ digest: String) throws {
      try writeIndex([
        "language_model": [
          "folder": .string(stored("gguf/model")), "sha256": .string(digest),
          "fetch": "run make published",
        ]
      ])
    }
    try index(digest)
    _ = try SpeechModel(folder: folder)
    try index(String(digest.reversed()))
    let error = #expect(throws: CheckpointError.self) { try SpeechModel(folder: folder) }
    #expect(error?.description.contains("run make published") == true)
    #expect(error?.description.contains(String(digest.prefix(12))) == true)
  }

  @Test func partsMakeTheModelThatOneFileOfThemMakes() throws {
    let joined = try SpeechModel(folder: folder)
    let checkpoint = try Checkpoint(folder: folder)
    #expect(Set(checkpoint.tensorNames) == Set(config.parameterShapes.keys))
    let whole = try Scratch()
    let shapes = config.parameterShapes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    try writeSafetensors(shapes, to: "\(whole.path)/model.safetensors") { name, shape in
      try checkpoint.tensor([name], shape: shape)
    }
    for (name, json) in [
      ("config.json", config.json(endToken: 1)),
      ("preprocessor_config.json", try readJSON(stored("whisper/preprocessor_config.json"))),
      ("tokenizer.json", try Tokenizer.json(folder: folder)),
    ] {
      try Data(json.text.utf8).write(to: URL(fileURLWithPath: "\(whole.path)/\(name)"))
    }
    let plain = try SpeechModel(folder: whole.path)
    let clip = try joined.clip(Waveform(contentsOf: stored("whisper/base.wav")))
    let tokens = try joined.tokens(for: "What is said?", clip: clip)
    #expect(try plain.tokens(for: "What is said?", clip: clip) == tokens)
    let input = ModelInput(clip: clip, tokens: tokens)
    let a = try joined.model.run(input, tap: nil).logits
    let b = try plain.model.run(input, tap: nil).logits
    #expect(a.shape == [tokens.count, config.vocabulary])
    for (x, y) in zip(a.numbers, b.numbers) { #expect(abs(x - y) < 1e-4) }
    // The projector is in the path.
    let other = try SpeechModel(folder: folder).untrained(Random(seed: 1))
    #expect(try other.model.run(input, tap: nil).logits.numbers != a.numbers)
  }

  @Test func aDrawnProjectorStandsBetweenTheSameHalves() throws {
    let joined = try SpeechModel(folder: folder)
    let clip = try joined.clip(Waveform(contentsOf: stored("whisper/base.wav")))
    let input = ModelInput(clip: clip, tokens: try joined.tokens(for: "Hi.", clip: clip))
    let random = Random(seed: 4)
    let drawn = try joined.withDrawnProjector(random).model.run(input, tap: nil).logits.numbers
    #expect(try drawn != joined.model.run(input, tap: nil).logits.numbers)
    // As where it is the file's.
    try write(drawnProjector(config, languageModel: stored("gguf/model"), random))
    let read = try SpeechModel(folder: folder).model.run(input, tap: nil).logits.numbers
    #expect(drawn == read)
    try FileManager.default.removeItem(atPath: "\(folder)/parts.json")
    refuses("parts.json") { _ = try joined.withDrawnProjector(random) }
  }

  @Test func badIndices() throws {
    func refused(_ words: String..., index: [String: JSON]) throws {
      try writeIndex(index)
      let error = #expect(throws: (any Error).self) { _ = try SpeechModel(folder: folder) }
      for word in ["\(folder)/parts.json"] + words where error != nil {
        #expect("\(error!)".contains(word), "\(error!)")
      }
    }
    try refused("encoder", "folder", index: ["encoder": .null])
    try refused("encoder", "should name a folder", index: ["encoder": ["folder": 3]])
    try refused(
      "language_model", "nowhere", "is not there", "run make published",
      index: ["language_model": ["folder": "nowhere", "fetch": "run make published"]])
    try refused("projector", "is not there", index: ["projector": ["file": "none.safetensors"]])
    try refused("encoder", "folder of parts", index: ["encoder": ["folder": "."]])
    try Data("[".utf8).write(to: URL(fileURLWithPath: "\(folder)/parts.json"))
    refuses("parts.json") { _ = try SpeechModel(folder: folder) }
  }

  @Test func partsThatDoNotFit() throws {
    // A projector of other widths than the halves.
    try write(
      projector.merging([
        "multi_modal_projector.linear.weight": Tensor([config.width, config.encoderWidth + 1])
      ]) { $1 })
    refuses("projector.safetensors", "multi_modal_projector.linear.weight", "config.json asks for")
    {
      _ = try SpeechModel(folder: folder)
    }
    try write(projector)
    // Another encoder, another language model, and parts in each other's place.
    let small = try SmallCheckpoint()
    try writeIndex(["encoder": ["folder": .string(small.folder)]])
    refuses("audio_tower", "is missing") { _ = try SpeechModel(folder: folder) }
    try writeIndex(["language_model": ["folder": .string(stored("whisper"))]])
    refuses("is missing") { _ = try SpeechModel(folder: folder) }
  }
}
