// Published models, which are no part of the package: `make published` brings them to build/models.

import Corpus
import Foundation
import Interventions
import JSON
import Notebook
import Speech

extension Notebook {
  /// A published recogniser from build/models, verified, its weights part of the stamp and of every key.
  ///
  /// An experiment whose models are not there ends without having failed, and leaves its outputs as
  /// they are:
  ///
  ///     guard let base = notebook.published("whisper-base") else { exit(0) }
  ///
  /// - Returns: nil, and a line that says so, where the folder or one of its files is not there
  public func published(_ name: String) -> Recogniser? {
    publishedFolder(name).map { folder in attempt { try Recogniser(folder: folder) } }
  }

  /// The folder of a published recogniser, verified as ``published(_:)`` does, for who opens it later or
  /// needs it to be there.
  public func publishedFolder(_ name: String) -> String? {
    let folder = "\(root ?? ".")/build/models/\(name)"
    let missing = ["config.json", "tokenizer.json"].first {
      !FileManager.default.fileExists(atPath: "\(folder)/\($0)")
    }
    if let missing {
      say(
        "build/models/\(name)/\(missing) is not there, so \(self.name) is left out and its outputs stay "
          + "as they are; run make published")
      return nil
    }
    return attempt {
      let digest = try Checkpoint(folder: folder).canonicalDigest(openConfig(folder: folder))
      let path = "data-manifests/published-models.json"
      let listed = try readJSON("\(root ?? ".")/\(path)")["models"]?.elements?
        .first { $0["name"]?.string == name }
      guard listed?["official"]?["canonical"]?.string == digest.description else {
        throw CheckpointError(
          "build/models/\(name): its weights are not those that \(path) lists; remove the folder and "
            + "run make published")
      }
      // The same in whichever form the weights were fetched.
      input(name, digest: digest)
      return folder
    }
  }

  /// A speech language model of the package that is put together of published halves, its projector and
  /// the language model's file part of the stamp and of every key; the encoder's weights are an input of
  /// their own (`published`).
  ///
  /// - Returns: nil, and a line that says so, where the projector or a half is not there
  public func joined(_ name: String, languageModel: String) -> SpeechModel? {
    let (root, half) = (root ?? ".", "build/models/\(languageModel)")
    let folder = "artifacts/\(name)"
    for (place, target) in [
      ("\(half)/model.gguf", "published"), ("\(folder)/projector.safetensors", "models-published"),
    ] where !FileManager.default.fileExists(atPath: "\(root)/\(place)") {
      say(
        "\(place) is not there, so \(self.name) is left out and its outputs stay as they are; run make "
          + target)
      return nil
    }
    return attempt {
      let digest = try Digest(ofFile: "\(root)/\(half)/model.gguf")
      let path = "data-manifests/published-models.json"
      let listed = try readJSON("\(root)/\(path)")["models"]?.elements?
        .first { $0["name"]?.string == languageModel }?["files"]?.elements?
        .first { $0["name"]?.string == "model.gguf" }
      guard listed?["sha256"]?.string == digest.description else {
        throw CheckpointError(
          "\(half)/model.gguf: is not the file that \(path) lists; remove the folder and run make "
            + "published")
      }
      input(languageModel, digest: digest)
      for file in ["config.json", "parts.json", "projector.safetensors"] {
        input("\(name)/\(file)", digest: try Digest(ofFile: "\(root)/\(folder)/\(file)"))
      }
      return try SpeechModel(folder: "\(root)/\(folder)")
    }
  }

  /// The human recordings, which are no part of the package either; nil, and a line that says so, where
  /// they are not there. What is made of them is verified by its digest in the manifest.
  public func recordings() -> HumanRecordings? {
    let found = HumanRecordings.found(root: root ?? ".")
    if found == nil {
      say(
        "the human recordings are not there, so \(name) is left out and its outputs stay as they are; "
          + "run make data, or let \(HumanRecordings.variable) name their folder")
    }
    return found
  }
}
