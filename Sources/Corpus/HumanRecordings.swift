// The recordings of spoken digits (Free Spoken Digit Dataset), which are no part of the package:
// where they are on this machine, if anywhere, and strings of them.

import Foundation
import Speech

/// A folder of recordings `{digit}_{speaker}_{index}.wav`.
public struct HumanRecordings: Sendable {
  public let folder: String

  /// The variable that names the folder of recordings, or the folder above it.
  public static let variable = "TAP_DATA"
  /// Where `make data` puts them, below the package.
  public static let fetched = "build/data/fsdd"
  /// What stands in place of results that need recordings where there are none.
  public static let absent = "not rerun: recordings absent"

  public init(folder: String) { self.folder = folder }

  /// The recordings that `TAP_DATA` points at or that `make data` fetched; nil where there are
  /// none, which is no error: everything about human voices is then left out and says so.
  public static func found(
    root: String, environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> HumanRecordings? {
    let given = environment[variable].map { ["\($0)/fsdd", $0] } ?? []
    return (given + ["\(root)/\(fetched)"])
      .first { FileManager.default.fileExists(atPath: "\($0)/0_george_0.wav") }
      .map(HumanRecordings.init)
  }

  /// One recording, made ready for a string.
  public func clip(_ name: String) throws -> DigitClip {
    let path = "\(folder)/\(name).wav"
    return try DigitClip(Waveform(contentsOf: path, rate: nil), name: path)
  }

  /// A string of whole recordings at one level, and its samples at 16 kHz.
  ///
  /// - Parameters:
  ///   - names: recordings, each `{digit}_{speaker}_{index}`.
  ///   - lead: samples of silence at either end.
  ///   - gap: samples of silence between two digits.
  /// - Returns: `string.spans` holds where each digit lies, in samples.
  public func string(of names: [String], lead: Int = 1600, gap: Int = 800) throws -> (
    string: DigitString, samples: [Int16]
  ) {
    let clips = try names.map(clip)
    let string = DigitString(
      lead: lead, gap: gap,
      parts: zip(names, clips).map {
        DigitString.Part(recording: $0, gain: $1.gain, length: $1.samples.count)
      })
    let byName = Dictionary(zip(names, clips)) { first, _ in first }
    return (string, try string.samples { byName[$0]! })
  }

  /// The samples of a string at 16 kHz.
  public func samples(of string: DigitString) throws -> [Int16] { try string.samples(clip) }
}
