// What a figure's stamp names, found again in the checkout: which file or folder it is, and whether it still is it.

import Foundation
import JSON
import Notebook

struct StampedInput: Equatable {
  enum State: Equatable {
    /// The file or folder has the digest of the stamp.
    case matches
    /// It has another one, or is not whole.
    case differs(String)
    /// It is no part of the package; the list of published models, or of those that are trained to be
    /// compared, has its digest.
    case listed(in: String, remedy: String, isHere: Bool)
    /// Nothing in the checkout has that name or that digest.
    case unknown
  }

  /// As the experiment called it.
  let name: String

  /// The first twelve digits, as the stamp has them.
  let digest: String

  /// The file or folder; empty where it is not known.
  let path: String

  /// All digits, where the checkout has it.
  let full: Digest?
  let state: State

  /// Whether `full` is the digest of one file (`sha256`), of the paths and digests of a folder's files, as
  /// Manifest.swift has it, or what the list of published models says.
  let digestKind: String

  var isWrong: Bool {
    switch state {
    case .differs, .unknown: true
    case .matches, .listed: false
    }
  }
}

/// Finds what stamps name.
struct StampedInputs {
  private let root: String
  private let manifest: Manifest
  /// A model that is listed and not shipped.
  private struct Listed {
    let name: String
    /// The list, how the model is had, and the folder that it is opened from.
    let list: String
    let remedy: String
    let folder: String
    let digests: [String]
  }
  private let listed: [Listed]
  /// Calls of the library that opens what experiments ask for.
  private let shared: [NotebookCall]

  init(root: String) throws {
    self.root = root
    manifest = try Manifest(of: root)
    let list = "published-models.json"
    let data = FileManager.default.contents(atPath: "\(root)/data-manifests/\(list)") ?? Data()
    let published = try JSON(parsing: [UInt8](data), name: list).array("models").map { model in
      let files = model["files"]?.elements?.compactMap { $0["sha256"]?.string } ?? []
      let canonical = model["official"]?["canonical"]?.string
      return Listed(
        name: try model.string("name"), list: list, remedy: "make published fetches it",
        folder: "build/models", digests: files + [canonical].compactMap { $0 })
    }
    listed =
      try published
      + TrainedManifest.entries(root: root).map { model in
        Listed(
          name: try model.string("name"), list: TrainedManifest.file,
          remedy: "reproduce train --study \(try model.string("study")) trains it",
          folder: "build/trained", digests: [try model.string("folderDigest")])
      }
    let folder = "\(root)/Sources/Figures"
    shared = try FileManager.default.subpathsOfDirectory(atPath: folder).sorted()
      .filter { $0.hasSuffix(".swift") }
      .flatMap {
        NotebookCall.inputs(in: try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8))
      }
  }

  /// - Parameter figure: without an ending, as in `figures/figure2`
  func inputs(of stamp: FigureStamp, figure: String, experiment: ExperimentSource) throws
    -> [StampedInput]
  {
    let text = try String(contentsOfFile: "\(root)/\(experiment.file)", encoding: .utf8)
    return stamp.digests.map { name, digest in
      if let model = listed.first(where: { $0.name == name }),
        let full = model.digests.first(where: { $0.hasPrefix(digest) })
      {
        let path = "\(model.folder)/\(name)"
        return StampedInput(
          name: name, digest: digest, path: path, full: Digest(hexadecimal: full),
          state: .listed(
            in: model.list, remedy: model.remedy,
            isHere: FileManager.default.fileExists(atPath: "\(root)/\(path)")),
          digestKind: "tapListedSha256")
      }
      let paths = name == "table" ? ["\(figure).tsv"] : places(of: name, in: text)
      var wrong: (path: String, reason: String)?
      for path in paths + (name == "table" ? [] : everyListed) {
        do {
          guard let found = try self.digest(of: path) else { continue }
          if found.description.hasPrefix(digest) {
            return StampedInput(
              name: name, digest: digest, path: path, full: found, state: .matches,
              digestKind: isFolder(path) ? "tapFolderSha256" : "sha256")
          }
          if paths.contains(path) { wrong = wrong ?? (path, "is \(found.short) now") }
        } catch {
          if paths.contains(path) { wrong = wrong ?? (path, "\(error)") }
        }
      }
      return StampedInput(
        name: name, digest: digest, path: wrong?.path ?? "", full: nil,
        state: wrong.map { .differs($0.reason) } ?? .unknown, digestKind: "sha256")
    }
  }

  /// Where an input of this name can lie, the likeliest first.
  private func places(of name: String, in source: String) -> [String] {
    let calls = NotebookCall.inputs(in: source) + shared
    let named = calls.compactMap { call -> String? in
      guard let path = call.arguments.first?.literal else { return nil }
      let folder = call.kind == "checkpoint" ? "artifacts/" : ""
      guard let label = call.arguments.first(where: { $0.label == "as" }) else {
        return path.matches(name) ? folder + name : nil
      }
      guard let template = label.literal else { return folder + path.filled(with: name) }
      return template.gaps(in: name).map { folder + path.filled(with: $0.first ?? name) }
    }
    let rules =
      name == "preregistration"
      ? source.matches(of: /"(paper\/preregistration[^"]*\.json)"/).map { String($0.1) }
        + ["paper/preregistration.json"] : []
    return named + rules + [name, "artifacts/\(name)", "data-manifests/\(name).json"]
  }

  private func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: "\(root)/\(path)", isDirectory: &isFolder)
      && isFolder.boolValue
  }

  /// Every small file that an experiment may have read.
  private var everyListed: [String] {
    [("data-manifests", ".json"), ("paper", ".json"), ("figures", ".tsv")].flatMap {
      folder, ending in
      ((try? FileManager.default.contentsOfDirectory(atPath: "\(root)/\(folder)")) ?? []).sorted()
        .filter { $0.hasSuffix(ending) }.map { "\(folder)/\($0)" }
    }
  }

  /// The digest of a file, or of all files of a folder that the manifests list; nil where there is none.
  private func digest(of path: String) throws -> Digest? {
    guard FileManager.default.fileExists(atPath: "\(root)/\(path)") else { return nil }
    if !isFolder(path) { return try Digest(ofFile: "\(root)/\(path)") }
    guard manifest.entries.keys.contains(where: { $0.hasPrefix("\(path)/") }) else { return nil }
    return try manifest.check(folder: path)
  }
}
