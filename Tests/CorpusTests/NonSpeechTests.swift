// Sounds that are not speech: as the manifest lists them, each of its length and level, none clipped,
// silent or there twice, and of the colour or rhythm that its kind is named after.

import Corpus
import Foundation
import Notebook
import Speech
import Testing

@Suite struct NonSpeechTests {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path
  static let manifest = "\(root)/data-manifests/nonspeech.json"

  @Test func theManifestListsWhatIsMade() throws {
    let set = try NonSpeechSet(manifest: Self.manifest)
    #expect(set.sounds == NonSpeech.planned)
    #expect(set.sounds.count >= 300 && Set(set.digests).count == set.sounds.count)
    for (sound, digest) in zip(set.sounds, set.digests) {
      let samples = sound.samples
      #expect("\(Digest(ofSamples: samples))" == digest, "\(sound.id)")
      #expect(samples.count == Int(sound.seconds * 16_000), "\(sound.id)")
      let top = samples.map { abs(Int($0)) }.max()
      #expect(top == sound.peak && sound.peak < 32_767, "\(sound.id): \(top ?? 0)")
      // Nothing stays at the top, as clipped sound does; silences have steps of one alone.
      let flat = zip(samples, samples.dropFirst()).count { $0 == $1 && abs(Int($0)) == sound.peak }
      if sound.kind.family != .silence {
        #expect(flat < samples.count / 100, "\(sound.id): \(flat) samples at the top")
      }
      // What is continuous has no silent second.
      if [.noise, .hum, .tones, .music].contains(sound.kind.family) {
        for start in stride(from: 0, to: samples.count - 15_999, by: 16_000) {
          let loudest = samples[start..<(start + 16_000)].map { abs(Int($0)) }.max()!
          #expect(loudest * 50 >= sound.peak, "\(sound.id) at sample \(start): \(loudest)")
        }
      }
    }
  }

  @Test func kindsBelongToOneSplitAndSplitsHaveSeveralFamilies() {
    for split in ["discovery", "validation", "test"] {
      let kinds = NonSpeech.Kind.allCases.filter { $0.split == split }
      #expect(kinds.count == 7 && Set(kinds.map(\.family)).count >= 5, "\(split)")
    }
    #expect(NonSpeech.Kind.allCases.count == 21)
    for kind in NonSpeech.Kind.allCases {
      let own = NonSpeech.planned.filter { $0.kind == kind }
      #expect(own.map(\.seconds) == NonSpeech.lengths, "\(kind)")
      if kind.family != .silence { #expect(Set(own.map(\.peak)).count > 12, "\(kind)") }
    }
  }

  /// The power of a band in hertz, by the discrete Fourier transform of pieces of 0.1 s.
  func power(_ samples: [Int16], _ band: Range<Double>) -> Double {
    let size = 1600
    var sum = 0.0
    for start in stride(from: 0, to: min(samples.count, 40 * size) - size + 1, by: size) {
      for bin in Int(band.lowerBound / 10)..<Int(band.upperBound / 10) {
        var (re, im) = (0.0, 0.0)
        let step = 2 * Double.pi * Double(bin) / Double(size)
        for i in 0..<size {
          re += Double(samples[start + i]) * cos(step * Double(i))
          im += Double(samples[start + i]) * sin(step * Double(i))
        }
        sum += re * re + im * im
      }
    }
    return sum
  }

  /// Decibels by which the octave from 2 kHz is louder than that from 500 Hz.
  func tilt(_ kind: NonSpeech.Kind) -> Double {
    let sound = NonSpeech(id: "\(kind)", kind: kind, seconds: 4, peak: 20_000, seed: "tilt")
    return 10 * log10(power(sound.samples, 2000..<4000) / power(sound.samples, 500..<1000))
  }

  @Test func coloursAreWhatTheyAreCalled() {
    // Two octaves: white gains 6 dB by its width, pink nothing; brown loses 6 and blue gains 12.
    #expect(abs(tilt(.white) - 6) < 1)
    #expect(abs(tilt(.pink)) < 1)
    #expect(abs(tilt(.brown) + 6) < 1)
    #expect(abs(tilt(.blue) - 12) < 1.5)
  }

  @Test func humIsOfItsMains() {
    for (kind, mains) in [(NonSpeech.Kind.hum50, 50.0), (.hum60, 60)] {
      let sound = NonSpeech(id: "hum", kind: kind, seconds: 4, peak: 20_000, seed: "mains")
      let there = (1...8).reduce(0.0) { sum, k in
        let f = mains * Double(k)
        return sum + power(sound.samples, (f - 10)..<(f + 20))
      }
      let between = (1...8).reduce(0.0) { sum, k in
        let f = mains * (Double(k) + 0.5) - 5
        return sum + power(sound.samples, f..<(f + 10))
      }
      #expect(there > 50 * between, "\(kind): \(there / between)")
    }
  }

  @Test func aManifestThatContradictsItselfIsRefused() throws {
    let text = try String(contentsOfFile: Self.manifest, encoding: .utf8)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "nonspeech-\(ProcessInfo.processInfo.processIdentifier)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("nonspeech.json").path
    for (find, put, message) in [
      ("\"kind\": \"white\"", "\"kind\": \"whitish\"", "no kind \"whitish\""),
      ("\"split\": \"discovery\"", "\"split\": \"test\"", "belong to"),
      ("\"seconds\": 30", "\"seconds\": 31", "give 1 to 30 s"),
      ("\"id\": \"white-02\"", "\"id\": \"white-01\"", "is there twice"),
      ("\"sounds\": [", "\"noises\": [", "sounds"),
    ] {
      let broken = text.replacing(find, with: put, maxReplacements: 1)
      #expect(broken != text, "\(find) is not there")
      try broken.write(toFile: path, atomically: true, encoding: .utf8)
      let error = #expect(throws: (any Error).self) { try NonSpeechSet(manifest: path) }
      let said = error.map { "\($0)" } ?? ""
      #expect(said.contains(message) && said.contains(path), "\(said)")
    }
  }
}
