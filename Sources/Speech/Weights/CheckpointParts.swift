// A checkpoint that is put together from parts in other folders: an encoder and a language model as
// others published them, and what joins the two. Only the joint lies in the folder itself.

import JSON
import Tensor

/// Where the parts of a Qwen2-Audio lie, as `parts.json` in its folder says.
///
///     {"encoder": {"folder": "../whisper"}, "language_model": {"folder": "../qwen2"},
///      "projector": {"file": "projector.safetensors"}}
///
/// Paths are relative to the folder. An entry "fetch" says how a part is had that is not there.
public struct CheckpointParts: Sendable {
  /// The folders of a Whisper, of which the encoder is taken, and of a Qwen2.
  public let encoder: String
  public let languageModel: String
  public let projector: String

  /// - Returns: nil where the folder is a checkpoint of its own
  /// - Throws: where the index is damaged, or names a part that is not there.
  public init?(of folder: String) throws {
    let path = "\(folder)/parts.json"
    guard fileExists(path) else { return nil }
    let index = try readJSON(path)
    func place(_ part: String, _ kind: String) throws -> String {
      guard let entry = index[part], let name = entry[kind]?.string, !name.isEmpty else {
        throw CheckpointError("\(path): \"\(part)\" should name a \(kind); fetch the file again")
      }
      let place = name.hasPrefix("/") ? name : "\(folder)/\(name)"
      guard fileExists(place) else {
        let remedy = entry["fetch"]?.string ?? "bring it there"
        throw CheckpointError(
          "\(path): the \(kind) of \"\(part)\", \(place), is not there; \(remedy)")
      }
      guard !fileExists("\(place)/parts.json") else {
        throw CheckpointError(
          "\(path): \"\(part)\" is a folder of parts itself; name one that holds weights")
      }
      return place
    }
    encoder = try place("encoder", "folder")
    languageModel = try place("language_model", "folder")
    projector = try place("projector", "file")
  }

  /// The files of all parts, their tensors by the names of a whole Qwen2-Audio.
  func files() throws -> [any WeightFile] {
    [try Safetensors(path: projector)]
      + (try CheckpointParts.halves(encoder: encoder, languageModel: languageModel))
  }

  /// The files of an encoder and of a language model, their tensors by the names of a Qwen2-Audio.
  public static func halves(encoder: String, languageModel: String) throws -> [any WeightFile] {
    let encoder = try Checkpoint(folder: encoder).renamed { name in
      ["model.encoder.", "encoder."].first { name.hasPrefix($0) }
        .map { "audio_tower." + name.dropFirst($0.count) }
    }
    let language = try Checkpoint(folder: languageModel).renamed { name in
      name.hasPrefix("model.") || name == "lm_head.weight" ? "language_model." + name : nil
    }
    return encoder + language
  }
}

extension Checkpoint {
  /// Its files with other names for their tensors, without those that get none.
  fileprivate func renamed(_ name: (String) -> String?) throws -> [any WeightFile] {
    try files.map { file in
      let entries = file.entries.compactMap { entry in
        name(entry.key).map { ($0, entry.value) }
      }
      return RenamedWeights(
        path: file.path, map: file.map,
        entries: try Dictionary(entries) { _, _ in
          throw CheckpointError(
            "\(file.path): holds a tensor under two names; take the published file")
        })
    }
  }
}
