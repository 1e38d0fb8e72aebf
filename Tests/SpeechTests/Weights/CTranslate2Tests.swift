// Whisper folders for CTranslate2: the same bits as the tensors have as safetensors, and files that are
// not what they should be, each refused by one message.

import Foundation
import JSON
import Speech
import Tensor
import Testing

@Suite struct CTranslate2Tests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  var path: String { "\(scratch.path)/model.bin" }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: "\(scratch.path)/\(name)"))
  }

  /// The golden Whisper's parameters as the file of another kind keeps them.
  static func parameters(_ folder: String, _ kind: CTranslate2File.Kind) throws -> Parameters {
    let config = try openConfig(folder: stored(folder))
    let checkpoint = try Checkpoint(folder: stored(folder))
    var parameters = try config.weights(from: checkpoint).parameters
    for (name, tensor) in parameters {
      // Tables of positions and norms are no matrices of the file, whatever their names here.
      let isMatrix =
        name.hasSuffix(".weight") && !name.contains("layer_norm") && !name.contains("positions")
      parameters[name] = kept(tensor, kind, isMatrix: isMatrix)
    }
    return parameters
  }

  func writeFolder(_ file: CTranslate2File, suppressing: JSON = [1, 2]) throws {
    try write("model.bin", file.bytes)
    try write(
      "config.json",
      Array(
        JSON.object([
          "alignment_heads": [[1, 1]], "lang_ids": [3], "suppress_ids": suppressing,
          "suppress_ids_begin": [5],
        ]).text.utf8))
    let tokenizer = try Tokenizer.wordLevel(words: ["a", "b"], special: ["<|endoftext|>"])
    try write("tokenizer.json", Array(tokenizer.utf8))
  }

  static let whole = try! CTranslate2File(
    parameters("whisper", .float32), .float32, heads: 3)

  @Test(arguments: [
    ("whisper", CTranslate2File.Kind.float32), ("whisper", .float16), ("whisper", .bfloat16),
    ("whisper", .int8), ("whisper-untied", .float32), ("whisper-untied", .int8),
  ])
  func logitsToTheBit(_ golden: String, _ kind: CTranslate2File.Kind) throws {
    let folder = golden == "whisper" ? golden : "variants/\(golden)"
    let parameters = try Self.parameters(folder, kind)
    let heads = try #require(
      readJSON("\(stored(folder))/config.json")["encoder_attention_heads"]?.int)
    try writeFolder(CTranslate2File(parameters, kind, heads: heads))

    let other = try Scratch()
    try Data(TensorFile(parameters).bytes)
      .write(to: URL(fileURLWithPath: "\(other.path)/model.safetensors"))
    try FileManager.default.copyItem(
      atPath: "\(stored(folder))/config.json", toPath: "\(other.path)/config.json")

    let opened = try OpenedFolder(scratch.path)
    #expect(opened.unexpected == [])
    #expect(
      opened.config as? WhisperConfig == (try openConfig(folder: other.path) as? WhisperConfig))
    let audit = try Checkpoint(folder: scratch.path).audit(opened.config)
    #expect("\(audit)" == "all weights are there")
    func logits(_ model: any SpeechLanguageModel) throws -> [Float] {
      let clip = try model.clip(Waveform(samples: noise(13_457, seed: 3)))
      return try model.run(ModelInput(clip: clip, tokens: [20, 23, 11, 4]), tap: nil)
        .logits.numbers
    }
    let (own, expected) = try (logits(opened.model), logits(openModel(folder: other.path)))
    #expect(own.map(\.bitPattern) == expected.map(\.bitPattern))
    // The golden weights in full precision say otherwise, wherever this kind rounds.
    let full = try logits(openModel(folder: stored(folder)))
    #expect((own == full) == (kind == .float32))
  }

  @Test func suppressionAndEnd() throws {
    try writeFolder(Self.whole, suppressing: [1, 2, 130])
    let config = try GenerationConfig(folder: scratch.path)
    #expect(config.suppressed == [1, 2, 130] && config.suppressedFirst == [5])
    #expect(config.endTokens == [try Tokenizer(folder: scratch.path).id(of: "<|endoftext|>")!])
    try writeFolder(Self.whole, suppressing: [1, "x"])
    refuses("suppress_tokens") { _ = try GenerationConfig(folder: scratch.path) }
  }

  @Test func foldersThatLackAFile() throws {
    try writeFolder(Self.whole)
    try FileManager.default.removeItem(atPath: "\(scratch.path)/tokenizer.json")
    _ = try OpenedFolder(scratch.path)
    refuses(scratch.path, "has no tokenizer") { _ = try GenerationConfig(folder: scratch.path) }
    try FileManager.default.removeItem(atPath: "\(scratch.path)/config.json")
    refuses("\(scratch.path)/config.json", "cannot be opened") {
      _ = try OpenedFolder(scratch.path)
    }
    try writeFolder(Self.whole)
    try FileManager.default.removeItem(atPath: path)
    refuses("\(scratch.path)/config.json", "\"model_type\" is missing") {
      _ = try OpenedFolder(scratch.path)
    }
  }

  /// A head is 64 wide where the file does not say how many there are; this one's width is 18.
  @Test func headsThatAreNotNamed() throws {
    try writeFolder(CTranslate2File(Self.parameters("whisper", .float32), .float32, heads: nil))
    refuses("\"encoder_attention_heads\" is 0") { _ = try openConfig(folder: scratch.path) }
  }

  // ## Files that are wrong

  func refusesFile(
    _ words: String..., at location: SourceLocation = #_sourceLocation,
    _ change: (inout CTranslate2File) -> Void
  ) throws {
    var file = Self.whole
    change(&file)
    try write("model.bin", file.bytes)
    let error = #expect(throws: CheckpointError.self, sourceLocation: location) {
      _ = try CTranslate2(path: path)
    }
    for word in [path] + words + ["etch it again"] where error != nil {
      #expect("\(error!)".contains(word), "\(error!)", sourceLocation: location)
    }
    #expect(error?.description.contains("\n") != true, sourceLocation: location)
  }

  @Test func otherModelsAndVersions() throws {
    try refusesFile("version 5") { $0.version = 5 }
    try refusesFile("version 1179993927") { $0.version = 0x4655_4747 }
    try refusesFile("\"TransformerSpec\"", "revision 3") { $0.specification = "TransformerSpec" }
    try refusesFile("\"WhisperSpec\"", "revision 4") { $0.revision = 4 }
    try refusesFile("\"decoder/activation\" is 0") { $0["decoder/activation"].values = [0] }
    try refusesFile("\"decoder/pre_norm\" is 0") { $0["decoder/pre_norm"].values = [0] }
    try refusesFile("\"decoder/scale_embeddings\" is 1") {
      $0["decoder/scale_embeddings"].values = [1]
    }
    try refusesFile("no whole number") { file in
      file["decoder/pre_norm"].type = 0
      file["decoder/pre_norm"].values = [0, 0, 128, 63]
    }
    let bias = "encoder/layer_0/self_attention/linear_0/bias"
    try refusesFile("\"\(bias)\" gives keys a bias") { $0[bias].values[4 * 18] = 1 }
  }

  @Test func countsAndLengths() throws {
    let gamma = "decoder/layer_0/ffn/layer_norm/gamma"
    try refusesFile { $0.count = Int(UInt32.max) }
    try refusesFile { $0.count = $0.variables.count - 1 }
    try refusesFile("truncated") { $0.aliasCount = 2 }
    try refusesFile("bytes follow behind its last variable") { $0.aliasCount = 0 }
    try refusesFile("\"\(gamma)\" of [18] has 71 bytes; F32 takes 72") { $0[gamma].length = 71 }
    try refusesFile("\"\(gamma)\" of [19] has 72 bytes") { $0[gamma].shape = [19] }
    try refusesFile("\"\(gamma)\" has a shape of") {
      $0[gamma].shape = [Int](repeating: Int(UInt32.max), count: 8)
    }
    try refusesFile("\"\(gamma)\" has type 6") { $0[gamma].type = 6 }
    try refusesFile("ends behind the end of the file") { file in
      let last = file.variables.count - 1
      file.variables[last].shape = [1 << 20]
      file.variables[last].length = 1 << 20
    }
  }

  @Test func names() throws {
    let gamma = "decoder/layer_0/ffn/layer_norm/gamma"
    try refusesFile("\"\(gamma)\" is there twice") { $0.variables.append($0[gamma]) }
    try refusesFile("is there twice, once as an alias") {
      $0.aliases.append((gamma, "decoder/embeddings/weight"))
    }
    try refusesFile("\"decoder/projection/weight\" stands for \"nothing\"") {
      $0.aliases[0].name = "nothing"
    }
    try refusesFile("is no text") { $0[gamma].name = "decoder/layer\u{0}" }
    try refusesFile("is no text") { $0[gamma].name = "" }
    try refusesFile("two of its variables are the tensor \"model.encoder.conv1.bias\"") {
      $0[gamma].name = "encoder/conv1/beta"
    }
    try refusesFile("two of its variables are the tensor") {
      $0[gamma].name = "model.encoder.conv1.bias"
    }
  }

  @Test func typesAndScales() throws {
    let weight = "encoder/layer_0/ffn/linear_0/weight"
    try refusesFile("\"\(weight)\" is int16; float32, float16, bfloat16 and int8 can be read") {
      file in
      file[weight].type = 2
      file[weight].values.removeLast(file[weight].values.count / 2)
    }
    try refusesFile("\"\(weight)\" is int32") { $0[weight].type = 3 }
    func quantise(_ file: inout CTranslate2File) {
      file[weight].type = 1
      file[weight].values.removeLast(file[weight].values.count / 4 * 3)
    }
    let rows = Self.whole[weight].shape[0]
    func scales(_ count: Int) -> CTranslate2File.Variable {
      .init(weight + "_scale", [count], 0, [UInt8](repeating: 0, count: 4 * count))
    }
    try refusesFile("\"\(weight)\" is int8 without a float32 scale") { quantise(&$0) }
    try refusesFile("\"\(weight)\" is int8 without a float32 scale") { file in
      quantise(&file)
      file.variables.append(scales(rows + 1))
    }
    try refusesFile("\"\(weight)_scale\" scales a tensor that is not int8") {
      $0.variables.append(scales(rows))
    }
    // Scales of zero make infinities, which no model is made of.
    var file = Self.whole
    quantise(&file)
    file.variables.append(scales(rows))
    try writeFolder(file)
    refuses(path, "NaN or an infinity") { _ = try OpenedFolder(scratch.path) }
  }

  @Test func sizesThatAreNotKnown() throws {
    let fused = "encoder/layer_0/self_attention/linear_0/bias"
    try refusesFile("\"\(fused)\" has 53 rows, which are no 3 equal parts") { file in
      file[fused].shape = [53]
      file[fused].values.removeLast(4)
    }
    for name in ["encoder/conv1/weight", "decoder/embeddings/weight"] {
      try refusesFile("\"\(name)\" is missing or has no") { $0[name].shape.insert(1, at: 0) }
    }
    try refusesFile("\"decoder/position_encodings/encodings\" is missing") {
      $0["decoder/position_encodings/encodings"].name = "decoder/position_encodings/other"
    }
    // What the sizes ask for and the file lacks is named as everywhere.
    var file = Self.whole
    file.variables.removeAll { $0.name == "encoder/layer_1/ffn/linear_1/bias" }
    try writeFolder(file)
    refuses("tensor \"model.encoder.layers.1.fc2.bias\" is missing") {
      _ = try OpenedFolder(scratch.path)
    }
    // What nothing asks for is named too.
    file = Self.whole
    file.variables.append(.init("encoder/layer_0/extra/weight", [1], 1, [0]))
    try writeFolder(file)
    #expect(try OpenedFolder(scratch.path).unexpected == ["encoder/layer_0/extra/weight"])
  }

  /// Every shorter file is refused.
  @Test func truncatedFiles() throws {
    let bytes = Self.whole.bytes
    for count in Array(stride(from: 1, to: bytes.count, by: 997)) + [bytes.count - 1] {
      try write("model.bin", Array(bytes[..<count]))
      refuses(path, "truncated") { _ = try CTranslate2(path: path) }
    }
    try write("model.bin", bytes + [0])
    refuses(path, "1 bytes follow") { _ = try CTranslate2(path: path) }
    try write("model.bin", [])
    refuses(path, "empty") { _ = try CTranslate2(path: path) }
  }
}
