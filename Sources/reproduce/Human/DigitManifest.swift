// data-manifests/fsdd.json: every recording of spoken digits, where it can be had and how to know it.

import Corpus
import Foundation
import Interventions
import JSON
import Notebook

/// The recordings of the Free Spoken Digit Dataset that the package uses.
struct DigitManifest {
  static let name = "fsdd.json"
  /// Release 1.0.10 of the data set: the first five of its speakers agree with it byte for byte.
  static let address =
    "https://raw.githubusercontent.com/Jakobovski/free-spoken-digit-dataset/"
    + "d6938f9bf1545aa66d8489fc9f1385a7abd64282/recordings/"
  static let speakers = ["george", "jackson", "nicolas", "theo", "yweweler"]
  /// Recordings of each digit by each speaker, the first five of them for testing.
  static let takes = 50
  static let testTakes = 5

  /// One recording.
  struct Recording: Equatable {
    let digit: Int
    let speaker: String
    let index: Int
    let bytes: Int
    let sha256: String

    var name: String { "\(digit)_\(speaker)_\(index)" }
    /// The data set's own convention.
    var isTest: Bool { index < testTakes }
  }

  /// Ends with a slash; the file of a recording is its name and `.wav`.
  let address: String
  let recordings: [Recording]

  /// - Throws: an error that names the row, where one is incomplete or says other than its name.
  init(_ json: JSON, path: String) throws {
    address = try json.string("contentUrl")
    recordings = try json.array("recordings").enumerated().map { i, row in
      guard let cells = row.elements, cells.count == 6, let name = cells[0].string,
        let speaker = cells[1].string, let digit = cells[2].int, let index = cells[3].int,
        let bytes = cells[4].int, bytes > 0, let sha256 = cells[5].string,
        Digest(hexadecimal: sha256) != nil, (0...9).contains(digit), index >= 0
      else {
        throw JSONError(
          "\(path): recording \(i) is no [name, speaker, digit, index, bytes, sha256]: "
            + row.compactText)
      }
      let recording = Recording(
        digit: digit, speaker: speaker, index: index, bytes: bytes, sha256: sha256)
      guard recording.name == name, speaker.allSatisfy(\.isLetter) else {
        throw JSONError("\(path): recording \(i) is called \"\(name)\", not \(recording.name)")
      }
      return recording
    }
    guard Set(recordings.map(\.name)).count == recordings.count else {
      throw JSONError("\(path): a recording is listed twice")
    }
  }

  init(_ repository: Repository) throws {
    try self.init(
      repository.manifest(DigitManifest.name), path: "data-manifests/\(DigitManifest.name)")
  }

  /// The recordings on this machine, every one of them verified; nil where there are none.
  ///
  /// - Throws: an error that names the first recording that is missing or is another one.
  func recordings(_ repository: Repository) throws -> HumanRecordings? {
    guard let found = HumanRecordings.found(root: repository.root.path) else { return nil }
    for recording in recordings {
      if let fault = fault(of: recording, in: found.folder) {
        throw CorpusError("\(fault); fetch it with `make data`, or correct TAP_DATA")
      }
    }
    return found
  }

  /// What is wrong with the file of a recording in a folder, or nil.
  func fault(of recording: Recording, in folder: String) -> String? {
    let path = "\(folder)/\(recording.name).wav"
    guard let data = FileManager.default.contents(atPath: path) else {
      return "\(path): missing, which data-manifests/\(DigitManifest.name) lists"
    }
    guard data.count == recording.bytes else {
      return "\(path): \(data.count) bytes, not \(recording.bytes)"
    }
    let digest = "\(Digest(of: [UInt8](data)))"
    return digest == recording.sha256
      ? nil : "\(path): SHA-256 \(digest), not \(recording.sha256)"
  }
}

// ## Writing the manifest

extension DigitManifest {
  /// The manifest of the recordings in a folder, in the order of speaker, digit and index.
  static func json(ofRecordingsIn folder: String) throws -> JSON {
    let rows = try speakers.flatMap { speaker in
      try (0...9).flatMap { digit in
        try (0..<takes).map { index -> JSON in
          let name = "\(digit)_\(speaker)_\(index)"
          guard let data = FileManager.default.contents(atPath: "\(folder)/\(name).wav") else {
            throw CorpusError("\(folder)/\(name).wav: missing; the manifest lists all recordings")
          }
          return [
            .string(name), .string(speaker), .integer(digit), .integer(index),
            .integer(data.count), .string("\(Digest(of: [UInt8](data)))"),
          ]
        }
      }
    }
    return [
      "@context": ["@vocab": "https://schema.org/", "cr": "http://mlcommons.org/croissant/"],
      "@type": "Dataset",
      "conformsTo": "http://mlcommons.org/croissant/1.0",
      "name": "free-spoken-digit-dataset",
      "description": .string(
        "Single digits spoken by five people, 8 kHz mono WAV. Not part of this package: `make "
          + "data` fetches them from contentUrl, or TAP_DATA names a folder that holds them. A "
          + "recording's file is its name and .wav. By the data set's convention the recordings "
          + "0 to 4 of each digit and speaker are for testing."),
      "version": "1.0.10",
      "license": "https://creativecommons.org/licenses/by-sa/4.0/",
      "creator":
        "Zohar Jackson, Cesar Souza, Jason Flaks, Yuxin Pan, Hereman Nicolas, Adhish Thite",
      "citeAs": .string(
        "Z. Jackson, C. Souza, J. Flaks, Y. Pan, H. Nicolas, A. Thite. "
          + "Jakobovski/free-spoken-digit-dataset. Zenodo. doi:10.5281/zenodo.1342401"),
      "sameAs": "https://github.com/Jakobovski/free-spoken-digit-dataset",
      "contentUrl": .string(address),
      "encodingFormat": "audio/wav",
      "sampleRate": 8000,
      "speakers": [
        "george": "Greek accent", "jackson": "US", "nicolas": "Belgian French accent",
        "theo": "US", "yweweler": "German accent",
      ],
      "columns": ["name", "speaker", "digit", "index", "bytes", "sha256"],
      "recordings": .array(rows),
    ]
  }
}
