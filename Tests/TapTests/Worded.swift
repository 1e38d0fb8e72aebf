// A golden folder that can be asked in words.

import Foundation
import JSON

/// A copy of a golden folder with a word w5 for token 5, inside a folder for what is measured.
final class Worded {
  let folder: String
  var model: String { "\(folder)/model" }

  /// - Parameter named: tokens that have names of their own
  init(_ name: String, words: Int, named: [Int: String] = [:]) throws {
    let scratch = FileManager.default.temporaryDirectory
      .appendingPathComponent("tap-words-\(UUID().uuidString)")
    folder = scratch.path
    try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      at: Broken.root.appendingPathComponent("Tests/SpeechTests/Fixtures/\(name)"),
      to: scratch.appendingPathComponent("model"))
    let vocabulary = Dictionary(
      uniqueKeysWithValues: (0..<words).map { (named[$0] ?? "w\($0)", JSON.integer($0)) })
    let added = named.sorted { $0.key < $1.key }.map { id, name -> JSON in
      [
        "id": .integer(id), "content": .string(name), "special": true, "lstrip": false,
        "rstrip": false, "single_word": false, "normalized": false,
      ]
    }
    let tokenizer: JSON = [
      "version": "1.0", "added_tokens": .array(added), "normalizer": .null,
      "pre_tokenizer": ["type": "WhitespaceSplit"], "post_processor": .null, "decoder": .null,
      "model": ["type": "WordLevel", "vocab": .object(vocabulary), "unk_token": "w0"],
    ]
    try write("model/tokenizer.json", tokenizer.text)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  func write(_ name: String, _ text: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
  }

  func read(_ name: String) throws -> JSON {
    try JSON(
      parsing: [UInt8](Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"))), name: name)
  }
}
