// Corruptions: what they are called, what the corrupt run hears, and which pairs enter under them.

import Corpus
import Interventions
import Speech
import Testing

@Suite struct CorruptionTests {
  /// A second of something like a vowel.
  private let clean = Waveform(
    samples: (0..<16_000).map { Float(($0 * $0) % 97) / 200 - 0.24 }, rate: 16_000)

  @Test func namesRoundTrip() throws {
    for text in ["paired", "silence", "noise:0:1", "noise:-7.5:3"] {
      #expect(try Corruption(text).description == text)
    }
    #expect(try Corruption("noise:10") == .noise(ratio: 10, seed: 1))
    for text in ["", "pink", "noise", "noise:", "noise:x", "noise:61", "noise:0:-1", "noise:0:1:2"]
    {
      #expect(throws: CellError.self) { try Corruption(text) }
    }
  }

  @Test func silenceIsAsLongAndSilent() throws {
    let sound = try Corruption.silence.sound(of: clean, pair: "a")
    #expect(sound?.samples.count == 16_000 && sound?.rate == 16_000)
    #expect(sound?.samples.allSatisfy { $0 == 0 } == true)
    #expect(try Corruption.paired.sound(of: clean, pair: "a") == nil)
    let silent = Waveform(samples: [Float](repeating: 0, count: 1600))
    #expect(throws: AudioError.self) {
      try Corruption.noise(ratio: 0, seed: 1).sound(of: silent, pair: "a")
    }
  }

  /// What was added has the power that the ratio says, whatever the whole was turned down by.
  @Test func noiseHasItsRatio() throws {
    for ratio in [-10.0, 0, 20] {
      let mixed = try #require(
        try Corruption.noise(ratio: ratio, seed: 1).sound(of: clean, pair: "a"))
      #expect(mixed.samples.count == clean.samples.count)
      // The part along the clean recording gives its share of the mixture.
      let (x, y) = (clean.samples.map(Double.init), mixed.samples.map(Double.init))
      let share = zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } / x.reduce(0) { $0 + $1 * $1 }
      let noise = zip(x, y).map { $1 - share * $0 }
      let signal = NoiseMix.activePower(x.map { share * $0 })!
      let found = signal / NoiseMix.activePower(noise)!
      let wanted = [-10.0: 0.1, 0: 1, 20: 100][ratio]!
      #expect(abs(found / wanted - 1) < 0.05, "\(ratio) dB: \(found)")
    }
  }

  @Test func noiseIsNamedByPairAndSeed() throws {
    func samples(_ pair: String, _ seed: Int) throws -> [Float] {
      try #require(try Corruption.noise(ratio: 0, seed: seed).sound(of: clean, pair: pair)).samples
    }
    let first = try samples("a", 1)
    #expect(try samples("a", 1) == first)
    #expect(try samples("b", 1) != first)
    #expect(try samples("a", 2) != first)
  }

  /// Noise says no other word, so that the corrupt run may lean either way.
  @Test func theFoilIsAskedOfRecordingsAlone() {
    let paired = PairFilter(minimumGap: 1, needsFoil: Corruption.paired.saysFoil)
    let noisy = PairFilter(minimumGap: 1, needsFoil: Corruption.silence.saysFoil)
    #expect(paired.reason(clean: 5, corrupt: 1) == .corruptNotAnswered)
    #expect(noisy.reason(clean: 5, corrupt: 1) == nil)
    #expect(noisy.reason(clean: 5, corrupt: 4.5) == .smallGap)
    #expect(noisy.reason(clean: -1, corrupt: -3) == .cleanNotAnswered)
    #expect(paired.reason(clean: 5, corrupt: -1) == nil)
  }
}
