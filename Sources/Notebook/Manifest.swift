// The files that an experiment reads: where they are, and that they are the right ones.

import JSON

/// What the JSON files of `data-manifests` say of the package's data: each object in them, however
/// deep, that has `file`, `bytes` and `sha256` names one file, by its path in the package. What has a
/// digest and a `name` is a file of somewhere else, such as one of a published model.
public struct Manifest: Sendable {
  public struct Entry: Sendable, Equatable {
    public let file: String
    public let bytes: Int
    public let digest: Digest

    /// The manifest that lists the file.
    public let listedIn: String
  }

  /// The entries by file.
  public let entries: [String: Entry]

  /// The package that the files are in.
  public let root: String

  /// Reads all manifests of a package.
  public init(of root: String) throws {
    let folder = "\(root)/data-manifests"
    guard isFolder(folder) else { throw Failure("there is no folder \(folder)") }
    var entries: [String: Entry] = [:]
    for name in fileNames(in: folder) where name.hasSuffix(".json") {
      let path = "data-manifests/\(name)"
      let json = try JSON(parsing: contents(of: "\(root)/\(path)"), name: path)
      for entry in try Manifest.entries(in: json, of: path) {
        if let other = entries.updateValue(entry, forKey: entry.file), other.digest != entry.digest
        {
          throw Failure("\(other.listedIn) and \(path) disagree about \(entry.file)")
        }
      }
    }
    self.entries = entries
    self.root = root
  }

  /// Verifies the size and the digest of a file that a manifest lists, and gives the digest.
  @discardableResult
  public func check(_ file: String) throws -> Digest {
    guard let entry = entries[file] else {
      throw Failure("\(file) is listed in no manifest of \(root)/data-manifests")
    }
    let path = "\(root)/\(file)"
    let remedy = "restore it with `git checkout -- \(file)` or make it again with `make data`"
    guard let size = size(of: path) else {
      throw Failure("\(file) is missing, which \(entry.listedIn) lists: \(remedy)")
    }
    guard size == entry.bytes else {
      throw Failure(
        "\(file) has \(size) bytes, \(entry.listedIn) says \(entry.bytes): \(remedy)")
    }
    let digest = try Digest(ofFile: path)
    guard digest == entry.digest else {
      throw Failure(
        "\(file) is not the file that \(entry.listedIn) lists: expected SHA-256 \(entry.digest),"
          + " found \(digest): \(remedy)")
    }
    return digest
  }

  /// Verifies all files that the manifests list below a folder, and gives one digest for them.
  @discardableResult
  public func check(folder: String) throws -> Digest {
    let files = entries.keys.filter { $0.hasPrefix("\(folder)/") }.sorted()
    guard !files.isEmpty else {
      throw Failure("no manifest of \(root)/data-manifests lists a file of \(folder)")
    }
    return Digest(ofParts: try files.flatMap { [$0, try check($0).description] })
  }

  private static func entries(in json: JSON, of path: String) throws -> [Entry] {
    switch json {
    case .array(let elements):
      return try elements.flatMap { try entries(in: $0, of: path) }
    case .object(let members):
      let isOwn = json["sha256"] != nil && (json["file"] != nil || json["name"] == nil)
      let own = isOwn ? [try entry(json, of: path)] : []
      return try own
        + members.sorted { $0.key < $1.key }.flatMap {
          try entries(in: $0.value, of: path)
        }
    default: return []
    }
  }

  private static func entry(_ json: JSON, of path: String) throws -> Entry {
    do {
      let file = try json.string("file")
      guard !file.hasPrefix("/"), !file.split(separator: "/").contains(".."), !file.isEmpty else {
        throw Failure("\"\(file)\" is no path inside the package")
      }
      guard let digest = Digest(hexadecimal: try json.string("sha256")) else {
        throw Failure("the sha256 of \(file) is not 64 hexadecimal digits")
      }
      return Entry(file: file, bytes: try json.int("bytes"), digest: digest, listedIn: path)
    } catch {
      throw Failure("\(path): \(error)")
    }
  }
}
