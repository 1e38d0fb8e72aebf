// What can be wrong with an audio file or its samples, said so that the reader can act on it.

import Foundation

/// A fault in one recording: which file, what is wrong with it, and what to do.
public struct AudioError: Error, CustomStringConvertible, Equatable {
  /// The path as the caller gave it, or the caller's name for samples that came from no file.
  public let file: String
  public let problem: String
  public let advice: String

  public init(_ file: String, _ problem: String, advice: String) {
    self.file = file
    self.problem = problem
    self.advice = advice
  }

  public var description: String { "\(file): \(problem); \(advice)" }
}

// ## Checks of samples

extension Waveform {
  /// Peak-to-peak amplitude below which a recording counts as silent; one step of 16-bit audio is
  /// 3.1e-5.
  public static let silence: Float = 2e-5

  /// The peak from which on samples are taken for numbers of another scale, such as those of 16 bits.
  /// Programs that mix in floating point leave peaks above 1, and recordings of them stay below 4, which
  /// is 12 dB.
  public static let implausiblePeak: Float = 4

  /// Throws where there is no sample, one that is not a finite number, or one that belongs to another
  /// scale than -1...1.
  ///
  /// - Parameter name: the file or the recording, for the message.
  public func checkUsable(_ name: String) throws {
    guard !samples.isEmpty else {
      throw AudioError(name, "the audio has zero length", advice: "replace or remove the file")
    }
    if let bad = samples.firstIndex(where: { !$0.isFinite }) {
      throw AudioError(
        name, "sample \(bad) is \(samples[bad]), not a finite number",
        advice: "export the recording again")
    }
    let peak = samples.reduce(0) { max($0, abs($1)) }
    guard peak < Waveform.implausiblePeak else {
      throw AudioError(
        name, "the peak is \(peak), which is no sound in the scale of -1 to 1",
        advice: "export the recording again, or divide its samples (those of 16 bits by 32768)")
    }
  }

  /// Throws what `checkUsable` throws, and where every sample has nearly the same value, as in a
  /// file of zeros or of a constant offset.
  ///
  /// - Parameter name: the file or the recording, for the message.
  public func checkAudible(_ name: String) throws {
    try checkUsable(name)
    guard samples.max()! - samples.min()! >= Waveform.silence else {
      throw AudioError(
        name, "the audio is silent (\(samples.count) samples that do not vary)",
        advice: "record it again, or remove it from the list; channels of opposite phase cancel "
          + "each other")
    }
  }
}

// ## Checks of a file's extent
//
// libsndfile reads what is left of a WAV or Ogg file that was cut off and says nothing. Both
// formats state where they end, so a cut is found by asking.

/// The chunks of a RIFF file or the pages of an Ogg stream, only as far as is needed to see its end.
struct AudioExtent {
  private let bytes: Data

  init(_ bytes: Data) { self.bytes = bytes }

  /// Whether the file ends before the audio that it announces; false for formats not looked at.
  var isTruncated: Bool {
    if has("RIFF", at: 0), has("WAVE", at: 8) { return isTruncatedWAV }
    if has("OggS", at: 0) { return isTruncatedOgg }
    return false
  }

  private func has(_ tag: String, at offset: Int) -> Bool {
    offset + 4 <= bytes.count && bytes[offset..<offset + 4].elementsEqual(tag.utf8)
  }

  private var isTruncatedWAV: Bool {
    var offset = 12
    while offset + 8 <= bytes.count {
      let size = (0..<4).reduce(0) { $0 | Int(bytes[offset + 4 + $1]) << (8 * $1) }
      if has("data", at: offset) {
        // Programs that write to a pipe cannot know the size and put the largest one there.
        return size < 0x7fff_0000 && size > bytes.count - offset - 8
      }
      offset += 8 + size + size % 2
    }
    return true
  }

  private var isTruncatedOgg: Bool {
    var offset = 0
    var ended = false
    while has("OggS", at: offset) {
      guard offset + 27 <= bytes.count else { return true }
      let segments = Int(bytes[offset + 26])
      guard offset + 27 + segments <= bytes.count else { return true }
      let body = bytes[offset + 27..<offset + 27 + segments].reduce(0) { $0 + Int($1) }
      ended = bytes[offset + 5] & 4 != 0
      offset += 27 + segments + body
    }
    return !ended || offset > bytes.count
  }
}
