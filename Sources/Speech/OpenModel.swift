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
  let config = try readJSON("\(folder)/config.json")
  let kind = config["model_type"]?.string
  switch kind {
  case "qwen2_audio": return try AudioLanguageModel(folder: folder)
  default:
    throw CheckpointError(
      "\(folder)/config.json: \"model_type\" is \(kind.map { "\"\($0)\"" } ?? "missing"); "
        + "this package runs qwen2_audio")
  }
}

func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }
