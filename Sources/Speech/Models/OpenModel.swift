// Opening a checkpoint folder: its config.json says which architecture it is.

import Glibc
import JSON

/// The placeholder of sound in the prompts of architectures whose vocabulary has no token for it
/// (SALMONN, LLaMA-Omni); -200 as in LLaMA-Omni's own code.
public let spokenPlaceholder = -200

/// A checkpoint folder of any of the architectures, opened.
public struct OpenedFolder: Sendable {
  public let config: any ModelConfig
  public let model: any SpeechLanguageModel
  /// The tensors of its files that the model has no use for, by name: where there are some, config.json
  /// may be that of another model.
  public let unexpected: [String]

  /// - Throws: where the architecture is unknown, a file is missing or damaged, or the parameters are
  ///   not those that config.json asks for.
  public init(_ folder: String) throws {
    config = try openConfig(folder: folder)
    guard !(config is Qwen2Config) else {
      throw CheckpointError(
        "\(folder): is a language model without sound, which can be inspected, asked for logits and "
          + "generate; take a speech language model")
    }
    let frontEnd = "\(folder)/preprocessor_config.json"
    if fileExists(frontEnd) {
      let encoder =
        (config as? WhisperConfig)?.encoder ?? (config as? any AudioLanguageConfig)?.encoder
      try encoder?.check(frontEnd: frontEnd)
    }
    let checkpoint = try Checkpoint(folder: folder)
    let weights = try config.weights(from: checkpoint)
    unexpected = checkpoint.unread.filter { [config] in !config.ignores($0) }
    switch config {
    case let config as WhisperConfig: model = Whisper(config, weights)
    case let config as MimiConfig: model = Mimi(config, weights)
    case let config as MoshiConfig: model = Moshi(config, weights)
    case let config as any AudioLanguageConfig: model = AudioLanguageModel(config, weights)
    default: preconditionFailure("no model of \(config)")
    }
  }
}

/// The model of a checkpoint folder.
///
/// - Throws: what `OpenedFolder` throws.
public func openModel(folder: String) throws -> any SpeechLanguageModel {
  try OpenedFolder(folder).model
}

/// The sizes and names that a folder's config.json gives, or its GGUF file.
public func openConfig(folder: String) throws -> any ModelConfig {
  let json = try Checkpoint.config(of: folder)
  do {
    switch json["model_type"]?.string ?? (json["dep_q"] == nil ? nil : "moshi") {
    case "mimi": return try MimiConfig(json)
    case "moshi": return try MoshiConfig(json)
    case "whisper":
      let generation = "\(folder)/generation_config.json"
      return try WhisperConfig(
        json, generation: fileExists(generation) ? readJSON(generation) : [:])
    case "qwen2_audio": return try Qwen2AudioConfig(json)
    case "salmonn": return try SALMONNConfig(json)
    case "omni_speech2s_llama", "omni_speech_llama": return try LlamaOmniConfig(json)
    case "Soundwave": return try SoundwaveConfig(json, folder: folder)
    case "qwen2": return try Qwen2Config(json, folder: folder)
    case let other:
      throw JSONError(
        "\"model_type\" is \(other.map { quoted($0) } ?? "missing"); this package runs "
          + "whisper, qwen2_audio, salmonn, omni_speech2s_llama (LLaMA-Omni), Soundwave and "
          + "moshi, and qwen2 without sound")
    }
  } catch let error as JSONError {
    let own = "\(folder)/config.json"
    let path = fileExists(own) ? own : try Checkpoint.ggufFile(in: folder) ?? own
    throw CheckpointError("\(path): \(error)")
  }
}

extension AudioLanguageModel {
  /// Opens a checkpoint folder of one of the architectures that splice sound into a prompt.
  public init(folder: String) throws {
    guard let model = try openModel(folder: folder) as? AudioLanguageModel else {
      throw CheckpointError(
        "\(folder): is not a model that splices sound into a prompt; give one of Qwen2-Audio, "
          + "SALMONN, Soundwave or LLaMA-Omni")
    }
    self = model
  }
}

func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }
