// Checkpoint folders, clips and prompts that are not what they should be: each one message that
// names the file.

import Foundation
import JSON
import Speech
import Tensor
import Testing

@Suite struct CheckpointTests {
  let small: SmallCheckpoint

  init() throws { small = try SmallCheckpoint() }

  /// Opening the folder is refused by a message that names `file`.
  func refusesFolder(
    _ file: String, _ words: String..., at location: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: (any Error).self, sourceLocation: location) {
      _ = try SpeechModel(folder: small.folder)
    }
    let name = file.isEmpty ? "\(small.folder): " : "\(small.folder)/\(file): "
    for word in [name] + words where error != nil {
      #expect("\(error!)".contains(word), "\(error!)", sourceLocation: location)
    }
  }

  @Test func opensWhatIsWhole() throws {
    let model = try SpeechModel(folder: small.folder)
    #expect(model.config as? Qwen2AudioConfig == small.config)
    #expect(model.endTokens == [0])
    #expect(model.features.frames == 100)
    let names = try Checkpoint(folder: small.folder).tensorNames
    #expect(names == small.config.parameterShapes.keys.sorted())
  }

  // ## Weights

  func writeWeights(_ change: (inout [String: Tensor]) -> Void) throws {
    var parameters = small.parameters
    change(&parameters)
    try small.write("model.safetensors", TensorFile(parameters).bytes)
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func weightsThatAreNoNumbers(_ bad: Float) throws {
    for name in ["audio_tower.conv1.bias", "language_model.model.layers.2.mlp.down_proj.weight"] {
      try writeWeights { parameters in
        var numbers = parameters[name]!.numbers
        numbers[numbers.count - 1] = bad
        parameters[name] = Tensor(parameters[name]!.shape, numbers)
      }
      refusesFolder("model.safetensors", "\"\(name)\"", "NaN or an infinity", "fetch or train")
    }
  }

  @Test func tensorsOfOtherShapes() throws {
    for (name, shape) in [
      ("audio_tower.conv1.bias", [19]), ("language_model.model.norm.weight", [24, 1]),
      ("multi_modal_projector.linear.weight", [18, 24]), ("language_model.lm_head.weight", [0]),
    ] {
      try writeWeights { $0[name] = Tensor(shape) }
      refusesFolder("model.safetensors", "\"\(name)\" has shape \(shape)", "config.json asks for")
    }
  }

  @Test func tensorsThatAreMissing() throws {
    for name in small.config.parameterShapes.keys where !name.hasSuffix("embed_positions.weight") {
      try writeWeights { $0[name] = nil }
      refusesFolder("", "\"\(name)\" is missing", "incomplete", "again")
    }
    // The table of positions is known without the file.
    try writeWeights { $0["audio_tower.embed_positions.weight"] = nil }
    _ = try SpeechModel(folder: small.folder)
    try FileManager.default.removeItem(atPath: "\(small.folder)/model.safetensors")
    refusesFolder("", "has no weights", "model.safetensors", "their shards with an index", "fetch")
  }

  @Test func shards() throws {
    let names = small.parameters.keys.sorted()
    func write(_ home: (Int) -> String, map: ([String: JSON]) -> JSON = { .object($0) }) throws {
      var files: [String: [String: Tensor]] = ["a.safetensors": [:], "b.safetensors": [:]]
      var index: [String: JSON] = [:]
      for (i, name) in names.enumerated() {
        files[i % 2 == 0 ? "a.safetensors" : "b.safetensors"]![name] = small.parameters[name]!
        index[name] = .string(home(i))
      }
      for (file, tensors) in files { try small.write(file, TensorFile(tensors).bytes) }
      try small.write("model.safetensors.index.json", ["weight_map": map(index)])
    }
    let right = { (i: Int) in i % 2 == 0 ? "a.safetensors" : "b.safetensors" }
    try FileManager.default.removeItem(atPath: "\(small.folder)/model.safetensors")
    try write(right)
    _ = try SpeechModel(folder: small.folder)
    try write { $0 == 4 ? "c.safetensors" : right($0) }
    refusesFolder("c.safetensors", "cannot be opened", "check the path")
    try write { $0 == 4 ? "b.safetensors" : right($0) }
    refusesFolder(
      "model.safetensors.index.json", "\"\(names[4])\" is not in b.safetensors", "again")
    try write(right) { .object($0.merging(["ghost": "a.safetensors"]) { $1 }) }
    refusesFolder("model.safetensors.index.json", "\"ghost\" is not in a.safetensors")
    try write(right) { .object($0.merging(["ghost": 3]) { $1 }) }
    refusesFolder("model.safetensors.index.json", "\"ghost\"")
    try write(right) { _ in [:] }
    refusesFolder("model.safetensors.index.json", "names no tensors", "again")
    try write(right) { _ in "a.safetensors" }
    refusesFolder("model.safetensors.index.json", "weight_map", "again")
    try small.write("model.safetensors.index.json", Array("{".utf8))
    refusesFolder("model.safetensors.index.json", "not JSON")
  }

  // ## config.json

  /// config.json with one member, of a part or at the top, replaced.
  func config(_ part: String?, _ key: String, _ value: JSON) -> JSON {
    var json = small.config.json(endToken: 0).members!
    guard let part else { return .object(json.merging([key: value]) { $1 }) }
    json[part] = .object(json[part]!.members!.merging([key: value]) { $1 })
    return .object(json)
  }

  @Test func configsThatAreNone() throws {
    for (text, problem) in [
      ("", "not JSON"), ("{", "not JSON"), ("[]", "should be a JSON object"), ("3", "object"),
      ("{}", "model_type"),
      (
        "{\"model_type\": \"wav2vec2\"}",
        "\"model_type\" is \"wav2vec2\"; this package runs whisper"
      ),
      ("{\"model_type\": 3}", "model_type"),
    ] {
      try small.write("config.json", Array(text.utf8))
      refusesFolder("config.json", problem)
    }
    try FileManager.default.removeItem(atPath: "\(small.folder)/config.json")
    refusesFolder("config.json", "cannot be opened")
    refuses("nowhere/config.json") { _ = try SpeechModel(folder: "nowhere") }
  }

  static let sizes = [
    ("audio_config", "num_mel_bins"), ("audio_config", "d_model"),
    ("audio_config", "encoder_layers"), ("audio_config", "encoder_attention_heads"),
    ("audio_config", "encoder_ffn_dim"), ("audio_config", "max_source_positions"),
    ("text_config", "vocab_size"), ("text_config", "hidden_size"),
    ("text_config", "num_hidden_layers"), ("text_config", "num_attention_heads"),
    ("text_config", "num_key_value_heads"), ("text_config", "intermediate_size"),
    ("text_config", "max_position_embeddings"),
  ]

  /// No size, however large, is believed before the weights are there.
  @Test(.timeLimit(.minutes(1)), arguments: sizes)
  func sizesThatCannotBe(_ part: String, _ key: String) throws {
    for value: JSON in [
      0, -1, 1_073_741_823, 4_294_967_296, .integer(.max), .integer(.min), 1e300,
    ] {
      try small.write("config.json", config(part, key, value))
      refusesFolder("config.json", key)
    }
    for value: JSON in ["24", 2.5, [24], [:], true] {
      try small.write("config.json", config(part, key, value))
      refusesFolder("config.json", "\"\(key)\" should be a whole number")
    }
    // A size that might be but is not that of the weights; not every one shows in them.
    guard !["encoder_attention_heads", "max_position_embeddings"].contains(key) else { return }
    try small.write("config.json", config(part, key, 12))
    #expect(throws: (any Error).self) { _ = try SpeechModel(folder: small.folder) }
  }

  /// The table of positions is made when the file has none, so its size must be plausible.
  @Test func positionsWithoutATable() throws {
    try writeWeights { $0["audio_tower.embed_positions.weight"] = nil }
    try small.write("config.json", config("audio_config", "max_source_positions", 1_000_000_000))
    refusesFolder("config.json", "max_source_positions")
  }

  @Test(
    arguments: [
      ("audio_config", "encoder_attention_heads", 4, "encoder_attention_heads"),
      ("text_config", "num_attention_heads", 5, "num_attention_heads"),
      ("text_config", "num_attention_heads", 8, "odd"),
      ("text_config", "num_key_value_heads", 3, "num_key_value_heads"),
      ("text_config", "num_key_value_heads", 8, "num_key_value_heads"),
      ("text_config", "head_dim", 7, "width of a head is odd"),
      (nil, "audio_token_index", 31, "audio_token_index"),
      (nil, "audio_token_index", -1, "audio_token_index"),
      (nil, "audio_config", "big", "\"audio_config\" should be an object"),
      (nil, "text_config", [], "\"text_config\" should be an object"),
      ("audio_config", "activation_function", "relu", "only gelu"),
      ("text_config", "hidden_act", "gelu", "only silu"),
      ("text_config", "rms_norm_eps", 0.0, "rms_norm_eps"),
      ("text_config", "rms_norm_eps", "small", "rms_norm_eps"),
      ("text_config", "rope_theta", -1.0, "rope_theta"),
      ("text_config", "rope_scaling", ["type": "yarn", "factor": 4.0], "yarn"),
      ("text_config", "rope_parameters", ["rope_type": "yarn"], "yarn"),
    ] as [(String?, String, JSON, String)])
  func configsThatDoNotFit(_ part: String?, _ key: String, _ value: JSON, _ word: String) throws {
    try small.write("config.json", config(part, key, value))
    refusesFolder("config.json", word)
  }

  /// The reference reads and ignores a scale of the embeddings, and gives a window to no layer before
  /// `max_window_layers`.
  @Test func fieldsWithoutEffect() throws {
    for (part, key) in [("audio_config", "scale_embedding"), ("text_config", "use_sliding_window")]
    {
      try small.write("config.json", config(part, key, true))
      _ = try SpeechModel(folder: small.folder)
    }
    for (key, value) in [
      ("max_window_layers", 2), ("layer_types", ["full_attention", "sliding_attention"]),
    ] as [(String, JSON)] {
      var members = try readJSON("\(small.folder)/config.json").members!
      var text = members["text_config"]!.members!
      text.merge(["use_sliding_window": true, key: value]) { $1 }
      members["text_config"] = .object(text)
      let whole = try readJSON("\(small.folder)/config.json").text
      try small.write("config.json", Array(JSON.object(members).text.utf8))
      refusesFolder("config.json", "layers with a window are not implemented")
      try small.write("config.json", Array(whole.utf8))
    }
  }

  // ## Front end and tokenizer

  @Test func preprocessorsThatDisagree() throws {
    let file = "preprocessor_config.json"
    for (key, value) in [
      ("feature_size", 80), ("feature_size", -1), ("feature_size", .integer(1 << 60)),
      ("feature_size", "24"),
      ("chunk_length", 2), ("chunk_length", 0), ("chunk_length", .integer(.max)),
      ("chunk_length", 1.5), ("sampling_rate", 8000), ("hop_length", 320), ("n_fft", 512),
    ] as [(String, JSON)] {
      let right: [String: JSON] = ["feature_size": 24, "chunk_length": 1]
      try small.write(file, .object(right.merging([key: value]) { $1 }))
      refusesFolder(file, "\"\(key)\" is \(value.compactText)", "config.json asks for")
    }
    try small.write(file, .object([:]))
    refusesFolder(file, "\"feature_size\" is 128")
    try small.write(file, .array([1]))
    refusesFolder(file, "object")
    try FileManager.default.removeItem(atPath: "\(small.folder)/\(file)")
    refusesFolder(file, "cannot be opened")
  }

  @Test func tokenizersThatDisagree() throws {
    let file = "tokenizer.json"
    let words = (0..<40).map { "w\($0)" }
    let text = try Tokenizer.wordLevel(words: words, special: SmallCheckpoint.special)
    try small.write(file, Array(text.utf8))
    refusesFolder(file, "44 tokens, the model 31", "one checkpoint")
    try small.write(file, Array("{}".utf8))
    refusesFolder(file)
    try FileManager.default.removeItem(atPath: "\(small.folder)/\(file)")
    refusesFolder(file, "cannot be read")
  }

  @Test func promptsThatCannotBeAsked() throws {
    let model = try SpeechModel(folder: small.folder)
    let clip = try model.clip(Waveform(samples: noise(6_500, seed: 1)))
    #expect(try model.tokens(for: "what is the word", clip: clip).count == 2 + 10 + 4)
    refuses("\(small.folder)/tokenizer.json", "does not know \"a\", \"ship\"") {
      _ = try model.tokens(for: "what is a ship", clip: clip)
    }
    refuses("\"ship\"") { _ = try model.greedy(clip, prompt: "ship") }
    let text = try Tokenizer.wordLevel(words: ["what"], special: ["<|endoftext|>", "<|AUDIO|>"])
    try small.write("tokenizer.json", Array(text.utf8))
    refuses("\(small.folder)/tokenizer.json", "<|audio_bos|>") {
      _ = try SpeechModel(folder: small.folder).tokens(for: "what", clip: clip)
    }
  }

  // ## Clips

  @Test func clipsOfBadLength() throws {
    let model = try SpeechModel(folder: small.folder)
    refuses("zero length", "replace") { _ = try model.clip(Waveform(samples: [])) }
    for samples in [1, 160, 320] {
      refuses("\(Double(samples) / 16_000) s", "3 frames", "record it again") {
        _ = try model.clip(Waveform(samples: noise(samples, seed: 1)))
      }
    }
    #expect(try model.clip(Waveform(samples: noise(321, seed: 1))).validFrames == 3)
    #expect(try model.clip(Waveform(samples: noise(16_000, seed: 1))).validFrames == 100)
    refuses("1 s at most", "cut it") {
      _ = try model.clip(Waveform(samples: noise(16_001, seed: 1)))
    }
  }

  func batch(_ clip: Clip, _ tokens: [Int]) throws {
    _ = try Batch(small.config.sound, clips: [clip], prompts: [Prompt(tokens)])
  }

  @Test func batchesThatDoNotFit() throws {
    let mel = Tensor([100, 24])
    let good = [1, 2, 2, 2, 3, 7]  // 12 frames are three audio tokens
    try batch(Clip(mel: mel, validFrames: 12), good)
    for frames in [Int.min, -1, 0, 1, 2, 101, .max] {
      refuses("clip of \(frames) frames", "3 to 100") {
        try batch(Clip(mel: mel, validFrames: frames), good)
      }
    }
    for shape in [[100, 80], [99, 24], [200, 24], [24, 100], [0, 24]] {
      refuses("features of \(shape[0]) frames and \(shape[1]) bands", "100 and 24") {
        try batch(Clip(mel: Tensor(shape), validFrames: 12), good)
      }
    }
    let clip = Clip(mel: mel, validFrames: 12)
    for tokens in [[], [1, 3], [1, 2, 2, 3], [1, 2, 2, 2, 2, 3]] {
      let count = tokens.count { $0 == 2 }
      refuses("\(count) audio placeholders", "3 audio tokens") { try batch(clip, tokens) }
    }
    for token in [-1, -2, 31, .max, .min] {
      refuses("outside the model's range") { try batch(clip, good + [token]) }
    }
    try batch(clip, good + [Int](repeating: 5, count: 90))
    refuses("outside the model's range") {
      try batch(clip, good + [Int](repeating: 5, count: 91))
    }
  }

  /// Random changes of config.json: refused or run, never a crash.
  @Test func mutatedConfigs() throws {
    let text = Array(small.config.json(endToken: 0).compactText.utf8)
    var random = Random(seed: 9)
    var refused = 0
    for _ in 0..<600 {
      try small.write("config.json", mutated(text, &random))
      do { _ = try SpeechModel(folder: small.folder) } catch {
        refused += 1
        #expect("\(error)".contains(small.folder), "\(error)")
      }
    }
    #expect(refused > 200)
  }
}
