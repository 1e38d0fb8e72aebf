// A language model alone, from a GGUF file: tokens, chat, logits and text are those of transformers.

import Foundation
import JSON
import Speech
import Tensor
import Testing

@Suite struct TextModelTests {
  let folder = stored("gguf/model")
  let expected: JSON

  init() throws { expected = try readJSON(stored("gguf/expected.json")) }

  func ids(_ json: JSON?) -> [Int] { json?.elements?.compactMap(\.int) ?? [] }

  @Test func tokensAreThoseOfTransformers() throws {
    let tokenizer = try Tokenizer(folder: folder)
    let texts = try expected.array("texts")
    #expect(texts.count > 300)
    for entry in texts {
      let (text, tokens) = (entry.elements![0].string!, ids(entry.elements![1]))
      let own = try tokenizer.encode(text)
      #expect(own == tokens, "\(text.debugDescription)")
      #expect(tokenizer.decode(own).utf8.elementsEqual(text.utf8))
    }
  }

  @Test func aPromptGoesThroughTheChatTemplate() throws {
    let model = try TextModel(folder: folder)
    let tokenizer = try Tokenizer(folder: folder)
    let question = try expected.string("question")
    let template = try ChatTemplate(#require(model.config.chatTemplate))
    #expect(template.system == "You are a small model.")
    let (before, after) = template.prompt(question)
    #expect(try before + after == expected.string("chat"))
    let chat = try PromptTemplate().tokens(question, for: model.config, tokenizer)
    #expect(chat == ids(expected["prompt"]))
    let plain = try PromptTemplate(isPlain: true).tokens(question, for: model.config, tokenizer)
    #expect(try plain == tokenizer.encode(question) && plain != chat)
  }

  @Test func logitsAndTextAreThoseOfTransformers() throws {
    let model = try TextModel(folder: folder)
    #expect(model.unexpected.isEmpty)
    let prompt = ids(expected["prompt"])
    let logits = try model.logits(of: prompt, rows: [0, prompt.count - 1])
    let rows = try expected.array("logits").flatMap { $0.elements!.map { Float($0.double!) } }
    let difference = logits.largestDifference(to: Tensor(logits.shape, rows))
    #expect(difference < 1e-4, "\(difference)")
    var config = try GenerationConfig(folder: folder)
    config.limit = 12
    #expect(try model.generate(prompt, config).tokens == ids(expected["said"]))
  }

  /// Through every layer of blocks to the input, as training a projector in front of the model needs it.
  @Test func gradientsReachTheInput() throws {
    let model = try TextModel(folder: folder)
    let prompt = ids(expected["prompt"])
    let x = try model.embedded(prompt)
    func objective(_ x: Tensor) -> Tensor {
      model.logits(ofEmbedded: x, rows: [prompt.count - 1])
    }
    let weights = Tensor([1, model.vocabulary], normal: 1, Random(seed: 4).split("weights"))
    let variable = x.variable
    let gradient = objective(variable).gradients(of: [variable], weights: weights)[0]
    let direction = Tensor(x.shape, normal: 1, Random(seed: 4).split("direction"))
    let expected = zip(gradient.numbers, direction.numbers).reduce(0) { $0 + Double($1.0 * $1.1) }
    func value(_ step: Float) -> Double {
      zip(objective(x + direction * step).numbers, weights.numbers)
        .reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    func difference(_ h: Float) -> Double { (value(h) - value(-h)) / Double(2 * h) }
    let numeric = (4 * difference(0.01) - difference(0.02)) / 3
    #expect(abs(expected) > 1 && abs(numeric - expected) < 0.01 * abs(expected))
  }

  /// The sizes and tensors of the file as the language model of a Qwen2-Audio, whose other parts lie in
  /// another file.
  @Test func itIsPartOfASpeechModel() throws {
    let file = try GGUF(path: "\(folder)/model.gguf")
    var config = smallConfig()
    config.audioToken = 1
    var json = try config.json(endToken: 0).object("audio_config")
    json = [
      "model_type": "qwen2_audio", "audio_config": .object(json), "audio_token_index": 1,
      "text_config": try file.configuration(), "vocab_size": 405,
    ]
    let whole = try Qwen2AudioConfig(.object(json))
    let parameters = whole.busyParameters(3).filter {
      !whole.languageModelParameters.contains($0.key)
    }
    let scratch = try Scratch()
    let others = "\(scratch.path)/others.safetensors"
    try Data(TensorFile(parameters).bytes).write(to: URL(fileURLWithPath: others))
    let parts: [any WeightFile] = [
      try Safetensors(path: others),
      try file.languageModel(
        prefix: "language_model.model.", head: "language_model.lm_head.weight"),
    ]
    let checkpoint = Checkpoint(folder: scratch.path, config: .object(json), files: parts)
    let model = AudioLanguageModel(whole, try whole.weights(from: checkpoint))
    #expect(checkpoint.unread.isEmpty)
    let prompt = ids(expected["prompt"])
    let alone = try TextModel(folder: folder).logits(of: prompt)
    #expect(try model.logits(ofText: prompt).isIdentical(to: alone))
    // And it hears.
    let clip = try model.clip(Waveform(samples: noise(8000, seed: 5)))
    let run = try model.run(ModelInput(clip: clip, tokens: [5, 1, 7]), tap: nil)
    #expect(run.logits.width == 405 && run.logits.isFinite)
  }

  // ## What is refused

  func edited(_ change: (inout [UInt8]) -> Void) throws -> Scratch {
    let scratch = try Scratch()
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/model.gguf")))
    change(&bytes)
    try Data(bytes).write(to: URL(fileURLWithPath: "\(scratch.path)/model.gguf"))
    return scratch
  }

  /// Puts other bytes in the place of a text, or behind it.
  func replace(_ bytes: inout [UInt8], _ old: String, _ new: [UInt8], behind: Int = 0) throws {
    let pattern = Array(old.utf8)
    let place = try #require(
      bytes.indices.first { bytes[$0...].starts(with: pattern) }, "\(old)")
    let start = behind == 0 ? place : place + pattern.count + behind - 1
    bytes.replaceSubrange(start..<start + new.count, with: new)
  }

  func refuses(
    _ words: String..., edit: (inout [UInt8]) throws -> Void,
    at location: SourceLocation = #_sourceLocation
  ) throws {
    let scratch = try edited { try! edit(&$0) }
    let error = #expect(throws: (any Error).self, sourceLocation: location) {
      _ = try TextModel(folder: scratch.path)
      _ = try Tokenizer(folder: scratch.path)
    }
    guard let error else { return }
    for word in words + [scratch.path] {
      #expect("\(error)".contains(word), "\(error)", sourceLocation: location)
    }
  }

  @Test func filesThatAskForSomethingElse() throws {
    try refuses("\"general.architecture\" is \"llam2\"; only qwen2 is read") {
      try replace(&$0, "qwen2", Array("llam2".utf8))
    }
    try refuses("\"qwen2.embedding_length\" is missing") {
      try replace(&$0, "qwen2.embedding_length", Array("qwen3".utf8))
    }
    try refuses("\"num_attention_heads\" is 0") {
      try replace(&$0, "qwen2.attention.head_count", [0, 0, 0, 0], behind: 5)
    }
    try refuses("\"model.layers.0.input_layernorm.weight\" is missing") {
      try replace(&$0, "blk.0.attn_norm", Array("blk.0.attn_morn".utf8))
    }
    try refuses("shape [405, 64], config.json asks for [405, 128]") {
      try replace(&$0, "qwen2.embedding_length", [128], behind: 5)
    }
    try refuses("\"tokenizer.ggml.pre\" is \"qwen3\"; only \"qwen2\"") {
      try replace(&$0, "tokenizer.ggml.pre", Array("qwen3".utf8), behind: 13)
    }
    // The first token becomes the second.
    try refuses("two of its 405 tokens are the same") {
      try replace(&$0, "tokenizer.ggml.tokens", Array("\"".utf8), behind: 25)
    }
    try refuses("merge 0 needs") {
      try replace(&$0, "tokenizer.ggml.merges", Array("~~".utf8), behind: 25)
    }
  }

  @Test func foldersThatAreWrong() throws {
    let scratch = try edited { _ in }
    let second = "\(scratch.path)/second.gguf"
    try FileManager.default.copyItem(atPath: "\(scratch.path)/model.gguf", toPath: second)
    let several = #expect(throws: CheckpointError.self) { _ = try TextModel(folder: scratch.path) }
    #expect("\(several!)".contains("has several GGUF files, \"model.gguf\", \"second.gguf\""))
    let spoken = #expect(throws: CheckpointError.self) { _ = try openModel(folder: folder) }
    #expect("\(spoken!)".contains("is a language model without sound"))
    let model = try TextModel(folder: folder)
    for tokens in [[], [405], [-1], [Int](repeating: 1, count: 129)] {
      #expect(throws: CheckpointError.self) { _ = try model.logits(of: tokens) }
      #expect(throws: CheckpointError.self) { _ = try model.generate(tokens, GenerationConfig()) }
    }
  }

  @Test func templatesOfAnotherForm() throws {
    for jinja in ["", "{{ bos_token }}[INST] {{ messages[0].content }} [/INST]"] {
      let error = #expect(throws: TokenizerError.self) { _ = try ChatTemplate(jinja) }
      #expect("\(error!)".contains("--plain"))
    }
    let bare = "{{ '<|im_start|>' + role + '<|im_end|>' }}{{ '<|im_start|>assistant\n' }}"
    #expect(try ChatTemplate(bare).system == nil)
    let (before, after) = try ChatTemplate(bare).prompt("Hi")
    #expect(before + after == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
  }

  // ## The published model, where `make published` has fetched it

  static let published = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../../../build/models/qwen2.5-coder-0.5b").standardized.path

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "\(published)/model.gguf")))
  func thePublishedModelTranslates() throws {
    let model = try TextModel(folder: Self.published)
    let tokenizer = try Tokenizer(folder: Self.published)
    let prompt = try PromptTemplate().tokens(
      "Translate to Spanish: the red cat.", for: model.config, tokenizer)
    let said = try model.generate(prompt, GenerationConfig(folder: Self.published))
    #expect(said.ended && tokenizer.decode(said.tokens) == "La gata roja.")
  }
}
