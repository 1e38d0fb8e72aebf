// The manifest of human recordings, and fetching them: what is right stays, what is half there is
// continued, what is wrong is removed and named.

import Foundation
import Interventions
import JSON
import Notebook
import Testing

@testable import reproduce

@Suite struct DataTests {
  /// A folder to fetch from and one to fetch into.
  final class Place {
    let source: URL
    let folder: URL

    init() throws {
      let root = FileManager.default.temporaryDirectory
        .appendingPathComponent("data-\(UUID().uuidString)")
      source = root.appendingPathComponent("source")
      folder = root.appendingPathComponent("folder")
      for url in [source, folder] {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
      }
    }

    deinit { try? FileManager.default.removeItem(at: source.deletingLastPathComponent()) }

    func manifest(_ names: [String]) throws -> DigitManifest {
      let rows = try names.map { name -> JSON in
        let data = Data((0..<5000).map { UInt8(truncatingIfNeeded: $0 * name.utf8.count) })
        try data.write(to: source.appendingPathComponent("\(name).wav"))
        let parts = name.split(separator: "_")
        return [
          .string(name), .string(String(parts[1])), .integer(Int(parts[0])!),
          .integer(Int(parts[2])!), 5000, .string("\(Digest(of: [UInt8](data)))"),
        ]
      }
      return try DigitManifest(
        ["contentUrl": "file://nowhere/", "recordings": .array(rows)], path: "m")
    }

    func fetch(_ manifest: DigitManifest) -> String? {
      do {
        try Download(manifest: manifest, folder: folder, address: "file://\(source.path)/").run()
        return nil
      } catch { return "\(error)" }
    }

    func data(_ name: String) -> Data? {
      try? Data(contentsOf: folder.appendingPathComponent(name))
    }
  }

  @Test func fetchesWhatIsMissingAndContinuesWhatIsBegun() throws {
    let place = try Place()
    let manifest = try place.manifest(["0_george_0", "1_theo_12", "2_theo_3"])
    let whole = try Data(contentsOf: place.source.appendingPathComponent("0_george_0.wav"))
    try whole.prefix(1234).write(to: place.folder.appendingPathComponent("0_george_0.wav.partial"))
    let right = try Data(contentsOf: place.source.appendingPathComponent("2_theo_3.wav"))
    try right.write(to: place.folder.appendingPathComponent("2_theo_3.wav"))
    // What is complete is not fetched again: its source is gone.
    try FileManager.default.removeItem(at: place.source.appendingPathComponent("2_theo_3.wav"))
    #expect(place.fetch(manifest) == nil)
    #expect(place.data("0_george_0.wav") == whole && place.data("2_theo_3.wav") == right)
    for recording in manifest.recordings {
      #expect(manifest.fault(of: recording, in: place.folder.path) == nil)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.folder.path).count == 3)
    #expect(place.fetch(manifest) == nil)
  }

  @Test func wrongAndAbsentRecordingsAreNamed() throws {
    let place = try Place()
    let manifest = try place.manifest(["0_george_0", "1_theo_12", "2_theo_3"])
    try Data(repeating: 7, count: 5000)
      .write(to: place.source.appendingPathComponent("1_theo_12.wav"))
    try FileManager.default.removeItem(at: place.source.appendingPathComponent("2_theo_3.wav"))
    let error = place.fetch(manifest)
    #expect(error?.contains("2 recordings could not be fetched") == true, "\(error ?? "-")")
    #expect(place.data("0_george_0.wav")?.count == 5000)
    #expect(place.data("1_theo_12.wav") == nil && place.data("1_theo_12.wav.partial") == nil)
    // A file with another digest is replaced by the right one.
    try Data(repeating: 1, count: 5000).write(
      to: place.folder.appendingPathComponent("0_george_0.wav"))
    let george = manifest.recordings[0]
    #expect(manifest.fault(of: george, in: place.folder.path)?.contains("SHA-256") == true)
    _ = place.fetch(manifest)
    #expect(manifest.fault(of: george, in: place.folder.path) == nil)
  }

  @Test func theCommittedManifestListsEveryRecording() throws {
    let manifest = try DigitManifest(Repository())
    #expect(manifest.recordings.count == 2500 && manifest.address == DigitManifest.address)
    #expect(manifest.recordings.count { $0.isTest } == 250)
    let groups = Dictionary(grouping: manifest.recordings) { "\($0.speaker) \($0.digit)" }
    #expect(groups.count == 50 && groups.values.allSatisfy { $0.count == 50 })
    #expect(Set(manifest.recordings.map(\.speaker)) == Set(DigitManifest.speakers))
  }

  @Test func badManifestsAreErrors() throws {
    let digest = JSON.string(String(repeating: "0", count: 64))
    func read(_ rows: JSON, address: JSON = "file:///x/") throws {
      _ = try DigitManifest(["contentUrl": address, "recordings": rows], path: "m.json")
    }
    let good: JSON = ["0_george_0", "george", 0, 0, 9, digest]
    try read([good])
    #expect(throws: JSONError.self) { try read([good], address: 3) }
    #expect(throws: JSONError.self) { try read("x") }
    for bad in [
      ["0_george_0", "george", 0, 0, 9, "abc"], ["1_george_0", "george", 0, 0, 9, digest],
      ["0_george_0", "george", 0, 0, 0, digest], ["10_george_0", "george", 10, 0, 9, digest],
      ["0_../x_0", "../x", 0, 0, 9, digest], ["0_george_0", "george", 0, 0, 9], 3,
    ] as [JSON] {
      let error = #expect(throws: JSONError.self) { try read([good, bad]) }
      #expect("\(error!)".contains("m.json: recording 1"), "\(error!)")
    }
    let twice = #expect(throws: JSONError.self) { try read([good, good]) }
    #expect("\(twice!)".contains("listed twice"))
  }
}
