// What the tests of models share: small sizes, weights of which none is zero, noise as sound, and
// checkpoint folders whose files are broken one at a time.

import Foundation
import JSON
import Speech
import Tensor
import Testing

/// Sizes that differ from each other wherever they may, for clips of one second.
func smallConfig() -> Qwen2AudioConfig {
  var config = Qwen2AudioConfig()
  config.melBands = 24
  config.encoderWidth = 18
  config.encoderLayers = 2
  config.encoderHeads = 3
  config.encoderMLP = 29
  config.maxSourcePositions = 50
  config.vocabulary = 31
  config.width = 24
  config.layers = 3
  config.heads = 4
  config.keyHeads = 2
  config.mlp = 37
  config.maxPositions = 96
  config.audioToken = 2
  return config
}

extension Qwen2AudioConfig {
  /// Random parameters with random biases and norms, so that leaving one out is seen.
  func busyParameters(_ seed: UInt64) -> Parameters {
    let random = Random(seed: seed)
    return Dictionary(
      uniqueKeysWithValues: randomParameters(random).map { name, tensor in
        (name, (tensor + Tensor(tensor.shape, normal: 0.2, random.split(name + "+"))).detached)
      })
  }
}

func noise(_ samples: Int, seed: UInt64) -> [Float] {
  Tensor([samples], normal: 0.1, Random(seed: seed)).numbers
}

func stored(_ name: String) -> String {
  Bundle.module.resourceURL!.appendingPathComponent("Fixtures/\(name)").path
}

/// A safetensors file taken apart, by code of the tests' own.
struct TensorFile {
  var header: [String: JSON]
  var body: [UInt8]

  init(header: [String: JSON], body: [UInt8]) {
    self.header = header
    self.body = body
  }

  init(path: String) throws {
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
    header = try JSON(parsing: Array(bytes[8..<(8 + length)]), name: path).members!
    body = Array(bytes[(8 + length)...])
  }

  /// Float32 tensors in order of name.
  init(_ tensors: [String: Tensor]) {
    (header, body) = ([:], [])
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      let start = body.count
      for number in tensor.numbers {
        body += (0..<4).map { UInt8(truncatingIfNeeded: number.bitPattern >> (8 * $0)) }
      }
      header[name] = [
        "dtype": "F32", "shape": .array(tensor.shape.map { .integer($0) }),
        "data_offsets": [.integer(start), .integer(body.count)],
      ]
    }
  }

  var bytes: [UInt8] { TensorFile.bytes(JSON.object(header).compactText, body) }

  static func bytes(_ header: String, _ body: [UInt8]) -> [UInt8] {
    let text = Array(header.utf8)
    return (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text + body
  }

  func offset(of name: String) -> Int { header[name]!["data_offsets"]!.elements![0].int! }

  /// One Float32 of a tensor.
  subscript(name: String, index: Int) -> Float {
    get {
      let start = offset(of: name) + 4 * index
      return Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(body[start + $1]) << (8 * $1) })
    }
    set {
      let start = offset(of: name) + 4 * index
      for k in 0..<4 { body[start + k] = UInt8(truncatingIfNeeded: newValue.bitPattern >> (8 * k)) }
    }
  }
}

/// A checkpoint folder of `smallConfig` in a scratch folder.
struct SmallCheckpoint {
  let scratch: Scratch
  let config: Qwen2AudioConfig
  let parameters: Parameters

  static let special = ["<|endoftext|>", "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"]
  static let words = ["what", "is", "the", "word", "boat", "coat", "goat", "note"]

  init(_ config: Qwen2AudioConfig = smallConfig(), seed: UInt64 = 1) throws {
    scratch = try Scratch()
    self.config = config
    parameters = config.busyParameters(seed)
    try write("config.json", config.json(endToken: 0))
    try write("model.safetensors", TensorFile(parameters).bytes)
    try write(
      "preprocessor_config.json",
      [
        "feature_size": .integer(config.melBands), "chunk_length": 1, "sampling_rate": 16_000,
        "hop_length": 160, "n_fft": 400,
      ])
    let text = try Tokenizer.wordLevel(words: Self.words, special: Self.special)
    try write("tokenizer.json", Array(text.utf8))
  }

  var folder: String { scratch.path }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
  }

  func write(_ name: String, _ json: JSON) throws { try write(name, Array(json.text.utf8)) }
}

/// Expects an error whose message holds all of `words`.
func refuses(
  _ words: String..., at location: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
  let error = #expect(throws: (any Error).self, sourceLocation: location) { try body() }
  for word in words where error != nil {
    #expect("\(error!)".contains(word), "\(error!)", sourceLocation: location)
  }
}
