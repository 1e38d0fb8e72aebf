// Answers of a large model, computed on all cores, that an interrupted evaluation takes up again.

import Foundation
import Notebook

/// Where the evaluation of one model keeps what has been answered.
struct ScoreJournal: Sendable {
  private let path: String
  /// Digests of the model's files, and of the manifests of what it is asked.
  private let inputs: [String]

  /// - Parameter folders: all files of the model; a language model in GGUF is named, with its digest, by
  ///   the folder that it is a part of
  init(_ name: String, root: String, folders: [String]) throws {
    let build = "\(root)/build"
    try FileManager.default.createDirectory(atPath: build, withIntermediateDirectories: true)
    path = "\(build)/evaluate-\(name).journal"
    inputs = try (folders + ["\(root)/data-manifests"]).flatMap { folder in
      try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        .filter { !$0.hasSuffix(".gguf") }
        .flatMap { [$0, "\(try Digest(ofFile: "\(folder)/\($0)"))"] }
    }
  }

  /// A value of each item, in their order.
  ///
  /// - Parameter what: what is computed, for the line of progress; with `key` it tells an item from all
  ///   others
  func callAsFunction<Item: Sendable, Value: Codable & Sendable>(
    _ what: String, _ items: [Item], key: (Item) -> String,
    _ body: @Sendable (Item) throws -> Value
  ) throws -> [Value] {
    try resumable(
      what, over: items, key: key, inputs: inputs, journal: path, fresh: false, body)
  }

  /// Forgets everything, once it is written down.
  func remove() { removeJournal(at: path) }
}
