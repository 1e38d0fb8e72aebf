// Strings of spoken digits, put together from recordings of single ones. Where each digit begins
// and ends is then known to the sample, in human speech.
//
// The result is a function of the recordings and of the string alone: Double arithmetic in a fixed
// order, and 16-bit samples.

import Speech
import Tensor

/// Recordings of digits one after another, with silence around and between them.
public struct DigitString: Sendable, Equatable {
  public struct Part: Sendable, Equatable {
    /// The name of a recording, `{digit}_{speaker}_{index}`.
    public let recording: String
    /// Factor on its samples.
    public let gain: Double
    /// Samples at 16 kHz that the digit takes. Silence fills what the recording does not.
    public let length: Int

    public init(recording: String, gain: Double, length: Int) {
      self.recording = recording
      self.gain = gain
      self.length = length
    }
  }

  /// Samples of silence in front of the first and behind the last digit.
  public let lead: Int
  /// Samples of silence between two digits.
  public let gap: Int
  public let parts: [Part]

  public init(lead: Int = 1600, gap: Int = 800, parts: [Part]) {
    self.lead = lead
    self.gap = gap
    self.parts = parts
  }

  /// Samples of the whole at 16 kHz.
  public var count: Int {
    2 * lead + parts.reduce(0) { $0 + $1.length } + gap * max(0, parts.count - 1)
  }

  /// Where each digit lies, padding included, in samples.
  public var spans: [Range<Int>] {
    var at = lead
    return parts.map { part in
      defer { at += part.length + gap }
      return at..<at + part.length
    }
  }

  /// The samples at 16 kHz.
  ///
  /// - Parameter clip: the recording of a name as `DigitClip` prepares it.
  /// - Throws: what `clip` throws, and where a recording is longer than its place.
  public func samples(_ clip: (String) throws -> DigitClip) throws -> [Int16] {
    var samples = [Int16](repeating: 0, count: count)
    for (part, span) in zip(parts, spans) {
      let sound = try clip(part.recording).samples
      guard sound.count <= part.length else {
        throw AudioError(
          part.recording, "\(sound.count) samples do not fit into \(part.length)",
          advice: "give the digit a longer place")
      }
      for (i, sample) in sound.enumerated() {
        let value = (sample * part.gain * 32768).rounded(.toNearestOrEven)
        samples[span.lowerBound + i] = Int16(min(32767, max(-32768, value)))
      }
    }
    return samples
  }
}

/// One recorded digit at 16 kHz, without the pauses around it, faded in and out over 5 ms.
public struct DigitClip: Sendable, Equatable {
  public let samples: [Double]

  /// The level of a synthetic sentence of the suite: -26 dB of full scale, no peak past 0.9.
  public let gain: Double

  /// - Parameters:
  ///   - wave: a recording at its own rate.
  ///   - name: the recording, for the message.
  /// - Throws: where the recording is silent or shorter than a frame of 10 ms.
  public init(_ wave: Waveform, name: String) throws {
    try wave.checkAudible(name)
    let kept = DigitClip.voiced(wave)
    guard !kept.isEmpty else {
      throw AudioError(name, "shorter than 10 ms", advice: "replace the recording")
    }
    let sound = resampled(
      Array(wave.samples[kept]), from: wave.rate, to: Waveform.modelRate
    ).map(Double.init)
    let energy = sound.reduce(0) { $0 + $1 * $1 }
    let peak = sound.reduce(0) { max($0, abs($1)) }
    let level = 0.05 / (energy / Double(sound.count)).squareRoot()
    // Thousandths, so that a manifest can hold the factor as it is used.
    gain = (1000 * min(level, 0.9 / peak)).rounded(.down) / 1000
    let fade = min(80, sound.count / 2)
    samples = sound.indices.map { i in
      let edge = min(i, sound.count - 1 - i)
      return edge < fade ? sound[i] * (Double(edge) + 0.5) / Double(fade) : sound[i]
    }
  }

  /// From 10 ms before the first frame of 10 ms that is within 34 dB of the loudest to 10 ms
  /// behind the last.
  private static func voiced(_ wave: Waveform) -> Range<Int> {
    let frame = wave.rate / 100
    let energies = (0..<wave.samples.count / frame).map { f in
      wave.samples[f * frame..<(f + 1) * frame].reduce(0.0) { $0 + Double($1) * Double($1) }
    }
    let floor = (energies.max() ?? 0) / 2500
    guard let first = energies.firstIndex(where: { $0 >= floor }),
      let last = energies.lastIndex(where: { $0 >= floor })
    else { return 0..<0 }
    return max(0, first - 1) * frame..<min(wave.samples.count, (last + 2) * frame)
  }
}
