// The folder of a Qwen2-Audio of two published halves: Whisper base's encoder and Qwen2.5-Coder-0.5B, which
// `make published` fetches, and a projector between them, which is trained here and lies in the folder.

import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

/// `artifacts/qwen2-audio-published`: what it consists of, and the files that describe it.
struct JoinedFolder {
  static let name = "qwen2-audio-published"
  static let encoder = "whisper-base"
  static let languageModel = "qwen2.5-coder-0.5b"
  /// The placeholder of sound, as in the published Qwen2-Audio: to this language model it is the mark of
  /// an object in a picture, which no text holds.
  static let placeholder = 151_646

  let repository: Repository
  /// The shipped one, unless another way of joining the halves is tried.
  var folder: URL
  var hasLayersBeside = false

  init(repository: Repository) {
    self.repository = repository
    folder = repository.url("artifacts/\(Self.name)")
  }

  /// Whether a projector has been trained and both halves have been fetched.
  static func isWhole(root: String) -> Bool {
    [
      "artifacts/\(name)/projector.safetensors", "build/models/\(encoder)",
      "build/models/\(languageModel)",
    ]
    .allSatisfy { FileManager.default.fileExists(atPath: "\(root)/\($0)") }
  }

  private func published(_ name: String) throws -> String {
    let path = repository.url("build/models/\(name)").path
    guard
      FileManager.default.fileExists(atPath: "\(path)/tokenizer.json")
        || (try? FileManager.default.contentsOfDirectory(atPath: path))?
          .contains(where: { $0.hasSuffix(".gguf") }) == true
    else {
      throw CheckpointError("build/models/\(name) is not there; run make published")
    }
    return path
  }

  /// The language model's weights, as `make published` writes them.
  private func languageModelFile() throws -> String { try "\(languageModelFolder())/model.gguf" }

  func languageModelFolder() throws -> String { try published(Self.languageModel) }

  /// The halves' weights with a projector that need not lie in the folder.
  func weights(_ config: Qwen2AudioConfig, _ projector: Parameters) throws -> Weights {
    let files = try CheckpointParts.halves(
      encoder: published(Self.encoder), languageModel: published(Self.languageModel))
    let checkpoint = Checkpoint(folder: folder.path, config: try self.config().json, files: files)
    return try config.weights(from: checkpoint, with: projector)
  }

  /// The configuration, from those of the halves.
  func config() throws -> (config: Qwen2AudioConfig, json: JSON) {
    let whisper = try openConfig(folder: published(Self.encoder))
    guard let encoder = (whisper as? WhisperConfig)?.encoder else {
      throw CheckpointError("build/models/\(Self.encoder): is no Whisper; run make published")
    }
    let path = try published(Self.languageModel)
    let text = try Checkpoint(folder: path).config
    guard
      let end = text["eos_token_id"]?.elements?.compactMap(\.int).max() ?? text["eos_token_id"]?.int
    else { throw CheckpointError("\(path): says no token that ends a turn; run make published") }
    var config = try Qwen2AudioConfig(
      encoder: encoder, text: text, audioToken: Self.placeholder)
    config.hasLayersBeside = hasLayersBeside
    return (config, config.json(endToken: end))
  }

  /// Writes everything but the projector.
  func writeDescription() throws {
    let (config, json) = try config()
    let fetch: JSON = "run make published"
    let models = pathToModels
    let parts: JSON = [
      "encoder": ["folder": .string("\(models)/\(Self.encoder)"), "fetch": fetch],
      "language_model": [
        "folder": .string("\(models)/\(Self.languageModel)"), "fetch": fetch,
        "sha256": .string("\(try Digest(ofFile: languageModelFile()))"),
      ],
      "projector": ["file": "projector.safetensors", "fetch": "run make models-published"],
    ]
    let ends = try GenerationConfig(folder: published(Self.languageModel)).endTokens.sorted()
    let generation: JSON = [
      "do_sample": false, "eos_token_id": .array(ends.map { .integer($0) }),
      "max_new_tokens": 64,
    ]
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for (name, json) in [
      ("config.json", json), ("parts.json", parts), ("generation_config.json", generation),
      ("preprocessor_config.json", frontEnd(config)),
    ] {
      try writeAtomically(json.text, to: folder.appendingPathComponent(name).path)
    }
  }

  /// Relative where the folder lies in the checkout, so that the checkout can be moved.
  private var pathToModels: String {
    let (root, own) = (repository.root.standardizedFileURL, folder.standardizedFileURL)
    let models = root.appendingPathComponent("build/models").path
    guard own.path.hasPrefix("\(root.path)/") else { return models }
    let up = own.pathComponents.count - root.pathComponents.count
    return String(repeating: "../", count: up) + "build/models"
  }

  private func frontEnd(_ config: Qwen2AudioConfig) -> JSON {
    let frames = 2 * config.maxSourcePositions
    return [
      "feature_extractor_type": "WhisperFeatureExtractor", "processor_class": "Qwen2AudioProcessor",
      "feature_size": .integer(config.melBands),
      "chunk_length": .integer(frames * LogMel.hop / LogMel.rate),
      "hop_length": .integer(LogMel.hop), "n_fft": 400,
      "n_samples": .integer(frames * LogMel.hop), "nb_max_frames": .integer(frames),
      "padding_side": "right", "padding_value": 0.0, "return_attention_mask": true,
      "sampling_rate": .integer(LogMel.rate),
    ]
  }
}
