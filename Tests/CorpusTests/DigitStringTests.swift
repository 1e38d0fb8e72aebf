// Strings of digits: every sample is where the string says, and nothing else is.

import Corpus
import Foundation
import Speech
import Testing

@Suite struct DigitStringTests {
  /// A tone of `count` samples at 8 kHz between pauses of `pause` samples.
  static func tone(_ count: Int, pause: Int = 800, amplitude: Float = 0.25) -> Waveform {
    let sound = (0..<count).map { amplitude * Float(sin(0.5 * Double($0))) }
    let silence = [Float](repeating: 0, count: pause)
    return Waveform(samples: silence + sound + silence, rate: 8000)
  }

  @Test func clipsLosePausesAndComeToOneLevel() throws {
    let quiet = try DigitClip(Self.tone(2400, amplitude: 0.01), name: "quiet")
    let loud = try DigitClip(Self.tone(2400, amplitude: 0.5), name: "loud")
    // 300 ms of sound and 10 ms on either side, at 16 kHz.
    #expect(quiet.samples.count == 2 * (2400 + 160) && loud.samples.count == quiet.samples.count)
    for clip in [quiet, loud] {
      let sound = clip.samples[400..<clip.samples.count - 400].map { $0 * clip.gain }
      let level = (sound.reduce(0) { $0 + $1 * $1 } / Double(sound.count)).squareRoot()
      #expect(abs(level - 0.05) < 0.003, "\(level)")
      #expect(abs(clip.samples[0]) < 1e-4 && abs(clip.samples.last!) < 1e-4)
    }
    #expect(quiet.gain > 40 * loud.gain)
  }

  @Test func partsLieWhereTheSpansSay() throws {
    let clips = try ["a": 2000, "b": 3000].mapValues { try DigitClip(Self.tone($0), name: "x") }
    let lengths = ["a": 4800, "b": 7000]
    let string = DigitString(
      lead: 1000, gap: 300,
      parts: ["a", "b", "a"].map {
        DigitString.Part(recording: $0, gain: clips[$0]!.gain, length: lengths[$0]!)
      })
    let samples = try string.samples { clips[$0]! }
    #expect(samples.count == string.count && string.count == 2000 + 600 + 2 * 4800 + 7000)
    #expect(string.spans == [1000..<5800, 6100..<13100, 13400..<18200])
    var silent = Set(samples.indices)
    for (part, span) in zip(string.parts, string.spans) {
      let clip = clips[part.recording]!
      for (i, sample) in clip.samples.enumerated() {
        let expected = (sample * part.gain * 32768).rounded(.toNearestOrEven)
        #expect(Double(samples[span.lowerBound + i]) == expected)
        silent.remove(span.lowerBound + i)
      }
    }
    #expect(silent.allSatisfy { samples[$0] == 0 })
    // Exchanging one digit for another of the same place leaves every other sample alone.
    let other = DigitString(
      lead: 1000, gap: 300,
      parts: [string.parts[0], .init(recording: "a", gain: 0.5, length: 7000), string.parts[2]])
    let exchanged = try other.samples { clips[$0]! }
    let changed = samples.indices.filter { samples[$0] != exchanged[$0] }
    #expect(!changed.isEmpty && changed.allSatisfy(string.spans[1].contains))
  }

  @Test func whatCannotBeComposed() throws {
    let clip = try DigitClip(Self.tone(2000), name: "x")
    let short = DigitString(
      parts: [.init(recording: "3_theo_1", gain: 1, length: clip.samples.count - 1)])
    let error = #expect(throws: AudioError.self) { try short.samples { _ in clip } }
    #expect(error?.description.contains("3_theo_1") == true)
    #expect(throws: AudioError.self) {
      try DigitClip(Waveform(samples: [Float](repeating: 0, count: 4000), rate: 8000), name: "s")
    }
    #expect(throws: AudioError.self) {
      try DigitClip(Waveform(samples: [0.1, -0.1, 0.2], rate: 8000), name: "too short")
    }
  }
}
