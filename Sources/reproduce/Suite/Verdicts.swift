// What came out of the synthesisers against what is committed, file by file.

import Foundation
import Notebook
import Speech

enum Verdict: String {
  case same = "same bytes"
  /// Another version of the FLAC encoder wrote the same sound.
  case sameSamples = "same samples"
  case differs = "differs"
  case missing = "missing"
  case written = "written"
  case kept = "kept"
}

extension Repository {
  /// Compares sound with a committed file, or brings the file up to date with it.
  ///
  /// - Parameter write: writes what is missing or has other samples, and leaves the rest alone.
  func verdict(on wave: Waveform, file: String, write: Bool) throws -> Verdict {
    let path = url(file).path
    let isThere = FileManager.default.fileExists(atPath: path)
    let isSame = try isThere && Waveform(contentsOf: path) == wave
    if write {
      if isSame { return .kept }
      try FileManager.default.createDirectory(
        at: url(file).deletingLastPathComponent(), withIntermediateDirectories: true)
      try wave.write(to: path)
      return .written
    }
    guard isThere else { return .missing }
    guard isSame else { return .differs }
    let again = url("build/suite/again.flac")
    defer { try? FileManager.default.removeItem(at: again) }
    try wave.write(to: again.path)
    return try Digest(ofFile: again.path) == Digest(ofFile: path) ? .same : .sameSamples
  }
}

/// The installed packages of a voice that are not of the version a manifest names, for a message.
func otherVersions(_ voice: Voice, packages: [String: String]) -> [String] {
  voice.packages.compactMap { package in
    guard let committed = packages[package] else { return nil }
    let installed = Subprocess.version(of: package)
    return installed == committed ? nil : "\(package) \(installed), not \(committed)"
  }
}
