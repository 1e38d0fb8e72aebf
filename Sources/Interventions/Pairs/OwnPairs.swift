// A reader's own pairs and checkpoint, in the place of those that an experiment is run on.

import Corpus
import Foundation
import JSON
import Notebook
import Speech

/// The pairs of a manifest that a reader has written, in the format of `data-manifests/evaluation.json`.
public struct OwnPairs: Sendable {
  public let suite: PairSuite
  /// The folder below which the recordings lie: empty where their paths are absolute, else the current
  /// folder, the manifest's own or the one above it.
  public let root: String
  /// Of the manifest, and of all recordings by their paths in it.
  public let manifest: Digest
  public let audio: Digest

  private static let format =
    "an experiment takes a manifest of pairs as README describes it under \"Your own\""

  /// Reads a manifest and finds its recordings.
  ///
  /// - Throws: where there is no such file, it is no manifest of pairs, one of its pairs cannot be mapped
  ///   by windows of equal time, or a recording is not there.
  public init(manifest path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else {
      throw CellError("\(path): there is no such file; \(Self.format)")
    }
    let json: JSON
    do { json = try readJSON(path) } catch { throw CellError("\(error); \(Self.format)") }
    guard json["utterances"] != nil else {
      throw CellError(
        json["pairs"]?.elements?.first?["audio_clean"] == nil
          ? "\(path): has no \"utterances\"; \(Self.format)"
          : "\(path): is a list of tap pairs, for tap map --pairs; \(Self.format)")
    }
    suite = try PairSuite(manifest: path)
    guard !suite.pairs.isEmpty else { throw CellError("\(path): has no pairs; \(Self.format)") }
    for pair in suite.pairs {
      guard pair.factor.changesText else {
        throw CellError(
          "\(path): \(pair.id): its members say the same (\(pair.factor.rawValue)); give pairs whose "
            + "answers differ, or take tap patch")
      }
      guard pair.alignment == .identity else {
        throw CellError(
          "\(path): \(pair.id): its members have other boundaries (\(pair.alignment.rawValue)), and "
            + "windows here are of the same time in both; tap map joins such recordings")
      }
    }
    let root = try Self.root(of: suite, listedIn: path)
    self.root = root
    manifest = try Digest(ofFile: path)
    let files = Set(suite.utterances.map(\.file)).sorted()
    audio = Digest(
      ofParts: try files.flatMap { [$0, try Digest(ofFile: "\(root)/\($0)").description] })
  }

  /// The first of the folders below which every recording is there.
  private static func root(of suite: PairSuite, listedIn path: String) throws -> String {
    let folder = (path as NSString).deletingLastPathComponent
    let own = folder.isEmpty ? "." : folder
    func missing(below root: String) -> Utterance? {
      suite.utterances.first { !FileManager.default.fileExists(atPath: "\(root)/\($0.file)") }
    }
    let candidates = suite.utterances.allSatisfy { $0.file.hasPrefix("/") } ? [""] : []
    // What is missing is said of the folder that has most before it.
    var worst = suite.utterances[0]
    for root in candidates + [".", own, "\(own)/.."] {
      guard let utterance = missing(below: root) else { return root }
      if root != "\(own)/.." { worst = utterance }
    }
    throw CellError(
      "\(path): \(worst.id): there is no file \(worst.file) below the current folder, \(own) or the "
        + "folder above it; correct the paths, which are all counted from one of them")
  }

  /// - Parameter splits: what each is for, by its name
  /// - Throws: where one of the splits has no pair.
  public func demand(_ splits: [String], of path: String) throws {
    for split in splits where !suite.pairs.contains(where: { $0.split == split }) {
      throw CellError(
        "\(path): no pair is of the split \(split), which this experiment reads; give some recordings "
          + "\"split\": \(quoted(split)), of sentences and speakers of their own")
    }
  }
}

extension Digest {
  /// The digest of a checkpoint folder: of every file in it and in the folders of its parts, by name.
  ///
  /// - Throws: where there is no such folder, or a file cannot be read.
  public init(ofCheckpoint folder: String) throws {
    var isFolder: ObjCBool = false
    let files = FileManager.default
    guard files.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
      throw CellError(
        "\(folder): there is no such folder; give a checkpoint folder as it is published")
    }
    let parts = try CheckpointParts(of: folder)
    let folders = [folder] + (parts.map { [$0.encoder, $0.languageModel] } ?? [])
    self.init(
      ofParts: try folders.flatMap { folder in
        try files.contentsOfDirectory(atPath: folder).sorted().filter { !$0.hasPrefix(".") }
          .flatMap { name -> [String] in
            var isFolder: ObjCBool = false
            let path = "\(folder)/\(name)"
            guard files.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
              return []
            }
            return [name, try Digest(ofFile: path).description]
          }
      })
  }
}
