// `reproduce data`: the recordings that the package may not contain, found or fetched.

import ArgumentParser
import Corpus
import Foundation
import Interventions
import Notebook

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract: "Finds or fetches the human recordings that data-manifests/fsdd.json lists.",
    discussion: """
      Where TAP_DATA names a folder of recordings (or the folder above it), they are verified \
      there. Otherwise they are fetched into build/data/fsdd; what is already there and right is \
      not fetched again, and what is half there is continued. A file with another digest is removed.
      """)

  @Option(help: "Another address in place of the manifest's; ends with a slash.")
  var from: String?
  @Flag(help: "Writes the manifest of the recordings that TAP_DATA names.") var write = false

  func run() throws {
    let repository = try Repository()
    let given = ProcessInfo.processInfo.environment[HumanRecordings.variable]
    let found = HumanRecordings.found(root: repository.root.path)
    if let given, found.map({ $0.folder.hasPrefix(given) }) != true {
      throw CorpusError(
        "\(HumanRecordings.variable) is \(given), which holds no 0_george_0.wav and no fsdd: "
          + "correct it, or unset it to fetch the recordings")
    }
    if write {
      guard let found else { throw CorpusError("--write needs recordings: set TAP_DATA") }
      try repository.write(
        DigitManifest.json(ofRecordingsIn: found.folder), manifest: DigitManifest.name)
      try repository.writeSums()
    }
    let manifest = try DigitManifest(repository)
    if given != nil, let found {
      let faults = manifest.recordings.compactMap { manifest.fault(of: $0, in: found.folder) }
      for fault in faults.prefix(20) { print(fault) }
      guard faults.isEmpty else {
        throw CorpusError(
          "\(faults.count) of \(manifest.recordings.count) recordings below "
            + "\(HumanRecordings.variable) are not those of the manifest")
      }
      print("\(manifest.recordings.count) recordings verified in \(found.folder)")
      return
    }
    try Download(
      manifest: manifest, folder: repository.url(HumanRecordings.fetched),
      address: from ?? manifest.address
    ).run()
  }
}

/// Fetching what a manifest lists with curl, a few hundred files a process.
struct Download {
  let manifest: DigitManifest
  let folder: URL
  let address: String

  /// Fetches what is not there yet and verifies all of it.
  ///
  /// - Throws: an error that lists what could not be had; what arrived stays.
  func run() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let missing = manifest.recordings.filter { recording in
      guard let fault = manifest.fault(of: recording, in: folder.path) else { return false }
      let file = folder.appendingPathComponent("\(recording.name).wav")
      if (try? FileManager.default.removeItem(at: file)) != nil { print("\(fault); removed") }
      return true
    }
    let total = manifest.recordings.count
    if missing.isEmpty {
      print("\(total) recordings verified in \(HumanRecordings.fetched)")
      return
    }
    let curl = try Subprocess.locate("curl", package: "curl")
    var faults: [String] = []
    for start in stride(from: 0, to: missing.count, by: 100) {
      let some = missing[start..<min(start + 100, missing.count)]
      Progress.show("recordings: \(total - missing.count + start) of \(total)")
      faults += try fetch(Array(some), with: curl)
      // An address that gives nothing at all is not asked another 2,400 times.
      if start == 0, faults.count == some.count { break }
    }
    Progress.clear()
    for fault in faults.prefix(20) { print(fault) }
    guard faults.isEmpty else {
      throw CorpusError(
        "\(faults.count) recordings could not be fetched from \(address): check the network and "
          + "run `make data` again, or set \(HumanRecordings.variable) to a folder that has them")
    }
    print("\(total) recordings verified in \(HumanRecordings.fetched), \(missing.count) fetched")
  }

  /// Fetches recordings into partial files, continues those that are there, and gives a right one
  /// its name. Returns what went wrong.
  private func fetch(_ recordings: [DigitManifest.Recording], with curl: URL) throws -> [String] {
    try transfer(recordings, with: curl)
    // A server that cannot continue a file gives it whole on the second try.
    let short = recordings.filter { size(of: partial($0)) != $0.bytes }
    if !short.isEmpty, short.count < recordings.count || short.contains(where: isBegun) {
      for recording in short { try? FileManager.default.removeItem(at: partial(recording)) }
      try transfer(short, with: curl)
    }
    return recordings.compactMap { recording in
      let (source, partial) = ("\(address)\(recording.name).wav", partial(recording))
      guard let data = FileManager.default.contents(atPath: partial.path) else {
        return "\(source): not fetched"
      }
      if data.count < recording.bytes {
        return "\(source): \(data.count) of \(recording.bytes) bytes fetched"
      }
      let digest = "\(Digest(of: [UInt8](data)))"
      guard digest == recording.sha256 else {
        try? FileManager.default.removeItem(at: partial)
        return "\(source): removed, its SHA-256 is \(digest), not \(recording.sha256)"
      }
      let final = folder.appendingPathComponent("\(recording.name).wav")
      return rename(partial.path, final.path) == 0 ? nil : "\(final.path): cannot be written"
    }
  }

  private func partial(_ recording: DigitManifest.Recording) -> URL {
    folder.appendingPathComponent("\(recording.name).wav.partial")
  }

  private func size(of file: URL) -> Int? {
    let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)
    return (attributes?[.size] as? NSNumber)?.intValue
  }

  private func isBegun(_ recording: DigitManifest.Recording) -> Bool {
    size(of: partial(recording)) != nil
  }

  /// One curl for all of them. Its exit status speaks of one file only; the digests tell about each.
  private func transfer(_ recordings: [DigitManifest.Recording], with curl: URL) throws {
    let list = folder.appendingPathComponent("list.txt")
    defer { try? FileManager.default.removeItem(at: list) }
    let lines = recordings.map { recording in
      "url = \"\(address)\(recording.name).wav\"\n"
        + "output = \"\(partial(recording).lastPathComponent)\"\n"
    }
    try Data(lines.joined().utf8).write(to: list)
    let arguments = [
      "--silent", "--fail", "--location", "--continue-at", "-", "--retry", "3",
      "--connect-timeout", "20", "--parallel", "--parallel-max", "8", "--config",
      list.lastPathComponent,
    ]
    _ = try? Subprocess.run(curl, arguments, in: folder, failure: "curl")
  }
}
