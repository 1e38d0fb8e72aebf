// Published models, which are no part of the package: `make published` brings them to build/models.

import Foundation
import Interventions
import Notebook
import Speech

extension Notebook {
  /// A published recogniser from build/models, its files part of the stamp and of every key.
  ///
  /// An experiment whose models are not there ends without having failed, and leaves its outputs as
  /// they are:
  ///
  ///     guard let base = notebook.published("whisper-base") else { exit(0) }
  ///
  /// - Returns: nil, and a line that says so, where the folder or one of its files is not there
  public func published(_ name: String) -> Recogniser? {
    let folder = "build/models/\(name)"
    let (weights, settings) = ("model.bin", ["config.json", "tokenizer.json"])
    func path(_ file: String) -> String { "\(root ?? ".")/\(folder)/\(file)" }
    let missing = ([weights] + settings).first { !FileManager.default.fileExists(atPath: path($0)) }
    if let missing {
      say(
        "\(folder)/\(missing) is not there, so \(self.name) is left out and its outputs stay as they "
          + "are; run make published")
      return nil
    }
    return attempt {
      input(name, digest: try Digest(ofFile: path(weights)))
      input(
        "\(name) settings",
        digest: Digest(ofParts: try settings.map { "\(try Digest(ofFile: path($0)))" }))
      return try Recogniser(folder: "\(root ?? ".")/\(folder)")
    }
  }
}
