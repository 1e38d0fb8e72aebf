// Opening a checkpoint folder: its config.json says which architecture it is.

import Glibc
import JSON

/// The placeholder of sound in the prompts of architectures whose vocabulary has no token for it
/// (SALMONN, LLaMA-Omni); -200 as in LLaMA-Omni's own code.
public let spokenPlaceholder = -200

/// Opens a checkpoint folder of any of the architectures.
///
/// - Throws: where the architecture is unknown, a file is missing or damaged, or the parameters are
///   not those that config.json asks for.
public func openModel(folder: String) throws -> any SpeechLanguageModel {
  let config = try openConfig(folder: folder)
  let weights = try config.weights(from: Checkpoint(folder: folder))
  switch config {
  case let config as WhisperConfig: return Whisper(config, weights)
  case let config as MimiConfig: return Mimi(config, weights)
  case let config as MoshiConfig: return Moshi(config, weights)
  case let config as any AudioLanguageConfig: return AudioLanguageModel(config, weights)
  default: preconditionFailure("no model of \(config)")
  }
}

/// The sizes and names that a folder's config.json gives.
public func openConfig(folder: String) throws -> any ModelConfig {
  let path = "\(folder)/config.json"
  let json = try readJSON(path)
  do {
    guard json.members != nil else { throw JSONError("should be a JSON object; fetch it again") }
    switch json["model_type"]?.string ?? (json["dep_q"] == nil ? nil : "moshi") {
    case "mimi": return try MimiConfig(json)
    case "moshi": return try MoshiConfig(json)
    case "whisper": return try WhisperConfig(json)
    case "qwen2_audio": return try Qwen2AudioConfig(json)
    case "salmonn": return try SALMONNConfig(json)
    case "omni_speech2s_llama", "omni_speech_llama": return try LlamaOmniConfig(json)
    case "Soundwave": return try SoundwaveConfig(json, folder: folder)
    case let other:
      throw JSONError(
        "\"model_type\" is \(other.map { "\"\($0)\"" } ?? "missing"); this package runs "
          + "whisper, qwen2_audio, salmonn, omni_speech2s_llama (LLaMA-Omni), Soundwave and "
          + "moshi")
    }
  } catch let error as JSONError {
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
