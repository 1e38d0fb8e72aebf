// Less noise, no delay, the same length, the same samples twice.

import Foundation
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

@Suite struct DenoisingTests {
  let clean: Waveform
  let noisy: Waveform

  init() throws {
    clean = try Waveform(contentsOf: "\(root)/artifacts/evaluation/slt/d-first-pat.flac")
    let power = clean.samples.reduce(0) { $0 + $1 * $1 } / Float(clean.samples.count)
    let noise = Tensor(
      [clean.samples.count], normal: 0.6 * Double(power).squareRoot(), Random(seed: 1))
    noisy = Waveform(samples: zip(clean.samples, noise.numbers).map { $0 + $1 }, rate: clean.rate)
  }

  /// The ratio in dB of what of a sound is the clean one, scaled as it fits best, to the rest.
  private func ratio(_ wave: Waveform) -> Double {
    func product(_ a: [Float], _ b: [Float]) -> Double {
      zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    let (x, y) = (clean.samples, wave.samples)
    let kept = product(x, y) * product(x, y) / product(x, x)
    return 10 * log10(kept / (product(y, y) - kept))
  }

  @Test func thereIsLessNoise() throws {
    let before = ratio(noisy)
    let after = ratio(try noisy.denoised(by: 15))
    #expect(before > 4 && before < 5 && after > before + 1)
    #expect(abs(ratio(try noisy.denoised(by: 1)) - before) < 0.5)
  }

  @Test func itIsAsLongAndNotLate() throws {
    let cut = Waveform(samples: Array(noisy.samples.dropLast(7)), rate: noisy.rate)
    let denoised = try cut.denoised(by: 15)
    #expect(denoised.samples.count == cut.samples.count)
    #expect(try cut.denoised(by: 15).samples == denoised.samples)
    func likeness(_ lag: Int) -> Double {
      denoised.samples.indices.reduce(0) { sum, i in
        let j = i - lag
        guard clean.samples.indices.contains(j) else { return sum }
        return sum + Double(denoised.samples[i]) * Double(clean.samples[j])
      }
    }
    #expect((-400...400).max { likeness($0) < likeness($1) } == 0)
  }

  @Test func whatCannotBeDenoisedIsSaid() {
    func message(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return ""
    }
    let other = Waveform(samples: clean.samples, rate: 8000)
    #expect(message { _ = try other.denoised(by: 15) }.contains("resample it to 16000 Hz"))
    #expect(message { _ = try clean.denoised(by: 0) }.contains("1...60 dB"))
    let broken = Waveform(samples: [0.1, .nan], rate: 16_000)
    #expect(message { _ = try broken.denoised(by: 15) } != "")
  }
}
