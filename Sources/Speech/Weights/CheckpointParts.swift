// A checkpoint that is put together from parts in other folders: an encoder and a language model as
// others published them, and what joins the two. Only the joint lies in the folder itself.

import JSON
import Notebook
import Tensor

/// Where the parts of a Qwen2-Audio lie, as `parts.json` in its folder says.
///
///     {"encoder": {"folder": "../whisper"}, "language_model": {"folder": "../qwen2"},
///      "projector": {"file": "projector.safetensors"}}
///
/// Paths are relative to the folder. An entry "fetch" says how a part is had that is not there, an entry
/// "sha256" which file of weights it is.
public struct CheckpointParts: Sendable {
  /// The folders of a Whisper, of which the encoder is taken, and of a Qwen2.
  public let encoder: String
  public let languageModel: String
  public let projector: String
  /// The SHA-256 of the language model's only file of weights, where the index says it, and what to do
  /// where it is another.
  private let expected: (digest: String, remedy: String)?
  private let path: String

  /// - Returns: nil where the folder is a checkpoint of its own
  /// - Throws: where the index is damaged, or names a part that is not there.
  public init?(of folder: String) throws {
    let path = "\(folder)/parts.json"
    self.path = path
    guard fileExists(path) else { return nil }
    let index = try readJSON(path)
    func remedy(_ entry: JSON) -> String { entry["fetch"]?.string ?? "bring it there" }
    func place(_ part: String, _ kind: String) throws -> String {
      guard let entry = index[part], let name = entry[kind]?.string, !name.isEmpty else {
        throw CheckpointError("\(path): \"\(part)\" should name a \(kind); fetch the file again")
      }
      let place = name.hasPrefix("/") ? name : "\(folder)/\(name)"
      guard fileExists(place) else {
        let remedy = remedy(entry)
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
    expected = index["language_model"].flatMap { entry in
      entry["sha256"]?.string.map { ($0, remedy(entry)) }
    }
  }

  /// The files of all parts, their tensors by the names of a whole Qwen2-Audio.
  func files() throws -> [any WeightFile] {
    try check()
    return [try Safetensors(path: projector)]
      + (try CheckpointParts.halves(encoder: encoder, languageModel: languageModel))
  }

  /// Refuses another language model than the one that the projector was trained for: it would say
  /// something all the same.
  private func check() throws {
    guard let (digest, remedy) = expected else { return }
    let file = try Checkpoint.ggufFile(in: languageModel) ?? "\(languageModel)/model.safetensors"
    let found = "\(try Digest(ofFile: file))"
    guard found == digest else {
      throw CheckpointError(
        "\(file): has the SHA-256 \(found.prefix(12))..., \(path) asks for \(digest.prefix(12))...: the "
          + "projector belongs to another language model; \(remedy)")
    }
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
