// `reproduce corpus`: the audio of the evaluation suite and of training, checked or made anew.

import ArgumentParser
import Foundation
import JSON
import Notebook

struct CorpusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "corpus",
    abstract: "Speaks the corpus and compares it with its manifests.",
    discussion: """
      Evaluation audio is compared with the committed FLAC files, file by file; where a synthesiser \
      of another version speaks otherwise, the committed files stand. Training audio goes to \
      build/training and is compared with the digests of data-manifests/training.json, free speech to \
      build/free-speech and with those of data-manifests/free-speech.json. Voices whose audio is \
      already there are not spoken again.
      """)

  enum Part: String, ExpressibleByArgument, CaseIterable { case evaluation, training, free, all }

  @Option(help: "What to speak: evaluation, training, free (speech) or all.") var part = Part.all
  @Flag(help: "Write manifests and FLAC files instead of comparing with them.") var write = false

  func run() throws {
    let repository = try Repository()
    var faults: [String] = []
    if part == .evaluation || part == .all {
      var suite = Suite(repository, write: write)
      try suite.make()
      faults += suite.faults
    }
    if part == .training || part == .all {
      faults += try TrainingSet(repository).make(write: write)
    }
    if part == .free || part == .all {
      faults += try FreeSpeech(repository).make(write: write)
    }
    if write { try repository.writeSums() }
    guard faults.isEmpty else {
      for line in faults.prefix(40) { print(line) }
      if faults.count > 40 { print("... and \(faults.count - 40) more") }
      throw CorpusError("the corpus is not what its manifests say; see above")
    }
  }
}

/// The folders of a checkout, found from the working directory upwards.
struct Repository {
  let root: URL

  init(root: URL) { self.root = root }

  init() throws {
    var folder = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
    let exists = FileManager.default.fileExists(atPath:)
    while !exists(folder.appendingPathComponent("Package.swift").path) {
      guard folder.path != "/" else {
        throw CorpusError("no Package.swift here or above: run this inside the repository")
      }
      folder.deleteLastPathComponent()
    }
    self.init(root: folder)
  }

  func url(_ path: String) -> URL { root.appendingPathComponent(path) }

  func manifest(_ name: String) throws -> JSON {
    let path = "data-manifests/\(name)"
    guard let data = FileManager.default.contents(atPath: url(path).path) else {
      throw CorpusError("\(path) is missing: get it from the repository, or use --write")
    }
    return try JSON(parsing: [UInt8](data), name: path)
  }

  func write(_ json: JSON, manifest name: String) throws {
    try FileManager.default.createDirectory(
      at: url("data-manifests"), withIntermediateDirectories: true)
    try writeAtomically(json.text, to: url("data-manifests/\(name)").path)
  }

  /// `data-manifests/SHA256SUMS`, for `sha256sum -c` at the root; lines about other files stay.
  func writeSums() throws {
    let sums = url("data-manifests/SHA256SUMS")
    let old = (try? String(contentsOf: sums, encoding: .utf8)) ?? ""
    let kept = old.split(separator: "\n").map(String.init).filter { line in
      let path = line.dropFirst(66)
      return !path.hasPrefix("artifacts/") && !path.hasPrefix("data-manifests/")
    }
    let walk = FileManager.default.enumerator(atPath: url("artifacts").path)
    let artifacts = (walk?.compactMap { $0 as? String } ?? [])
      .filter { !$0.contains("/.") }
      .map { "artifacts/\($0)" }
    let manifests = try FileManager.default.contentsOfDirectory(
      atPath: url("data-manifests").path
    ).filter { $0.hasSuffix(".json") }.map { "data-manifests/\($0)" }
    let mine = try (artifacts + manifests)
      .filter { isFile(url($0)) }
      .map { "\(try Digest(ofFile: url($0).path))  \($0)" }
    let lines = (kept + mine).sorted { $0.dropFirst(66) < $1.dropFirst(66) }
    try writeAtomically(lines.joined(separator: "\n") + "\n", to: sums.path)
  }

  private func isFile(_ url: URL) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
      && !isFolder.boolValue
  }

  /// What was spoken with, for a manifest's header.
  static func provenance(_ voice: Voice) -> [String: JSON] {
    let versions = voice.packages.map { ($0, JSON.string(Subprocess.version(of: $0))) }
    return [
      "engine": .string(voice.engine),
      "packages": .object(Dictionary(uniqueKeysWithValues: versions)),
    ]
  }
}
