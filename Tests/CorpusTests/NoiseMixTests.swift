// Speech in noise: the ratio is what was asked for, the colours are what they are called, and what
// has no ratio is refused.

import Corpus
import Foundation
import Speech
import Tensor
import Testing

@Suite struct NoiseMixTests {
  /// A second of sound between pauses, dull like speech: noise through a one-pole low pass.
  static func sound(_ name: String, level: Double = 0.02) -> [Float] {
    var random = Random(seed: 7).split(name)
    var state = 0.0
    let pause = [Float](repeating: 0, count: 4000)
    let dull = (0..<16_000).map { _ -> Float in
      state = 0.9 * state + random.normal()
      return Float(level * state / 2.3)
    }
    return pause + dull + pause
  }

  static let talkers = ["a", "b", "c"]

  func mix(_ kind: NoiseMix.Kind, _ ratio: Double, _ clean: [Float], seed: String = "s") throws
    -> [Double]
  {
    let talkers = kind == .talker ? ["a"] : kind == .babble ? Self.talkers : []
    return try NoiseMix(kind: kind, ratio: ratio, seed: seed, talkers: talkers)
      .mixed(clean, name: "clean") { Self.sound($0) }.map { Double($0) / 32768 }
  }

  func power(_ samples: [Double]) -> Double { NoiseMix.activePower(samples) ?? 0 }

  @Test(arguments: NoiseMix.Kind.allCases)
  func theRatioIsWhatWasAskedFor(_ kind: NoiseMix.Kind) throws {
    let clean = Self.sound("clean")
    var noises: [[Double]] = []
    for ratio in [20.0, 10, 5, 0, -5] {
      let mixed = try mix(kind, ratio, clean)
      #expect(mixed.count == clean.count)
      noises.append(zip(mixed, clean).map { $0 - Double($1) })
      let measured = 10 * log10(power(clean.map(Double.init)) / power(noises.last!))
      #expect(abs(measured - ratio) < 0.05, "\(kind) \(measured), not \(ratio)")
    }
    // The noise of a seed is the same at every ratio, 25 dB louder at the last.
    let gain = pow(10, 25.0 / 20)
    let error = zip(noises[0], noises[4]).reduce(0.0) { max($0, abs($1.0 * gain - $1.1)) }
    #expect(error < gain * 1e-4, "\(error)")
    #expect(try mix(kind, 5, clean) == mix(kind, 5, clean))
    if kind != .talker { #expect(try mix(kind, 5, clean) != mix(kind, 5, clean, seed: "t")) }
  }

  /// Power in an octave below `top` hertz, by the discrete Fourier transform of long pieces.
  func octave(_ samples: [Double], below top: Double) -> Double {
    let size = 1600
    var sum = 0.0
    for start in stride(from: 0, to: samples.count - size + 1, by: size) {
      for bin in Int(top / 20)..<Int(top / 10) {
        let step = 2 * Double.pi * Double(bin) / Double(size)
        var (re, im) = (0.0, 0.0)
        for i in 0..<size {
          re += samples[start + i] * cos(step * Double(i))
          im += samples[start + i] * sin(step * Double(i))
        }
        sum += re * re + im * im
      }
    }
    return 10 * log10(sum)
  }

  @Test func coloursAreWhatTheyAreCalled() throws {
    let clean = Self.sound("clean")
    func noise(_ kind: NoiseMix.Kind) throws -> [Double] {
      zip(try mix(kind, 0, clean), clean).map { $0 - Double($1) }
    }
    let (white, pink) = (try noise(.white), try noise(.pink))
    let shaped = try noise(.speechShaped)
    let speech = clean.map(Double.init)
    // From the octave below 500 Hz to that below 4 kHz: three octaves.
    func rise(_ samples: [Double]) -> Double {
      octave(samples, below: 4000) - octave(samples, below: 500)
    }
    #expect(abs(rise(white) - 9) < 1.5, "\(rise(white))")
    #expect(abs(rise(pink)) < 2, "\(rise(pink))")
    #expect(abs(rise(shaped) - rise(speech)) < 2, "\(rise(shaped)), \(rise(speech))")
    #expect(rise(speech) < -1)
  }

  @Test func nothingClips() throws {
    let loud = Self.sound("clean", level: 0.5).map { max(-0.99, min(0.99, $0)) }
    let mixed = try mix(.white, -5, loud)
    #expect(abs((mixed.map(abs).max() ?? 0) - 0.95) < 1e-3)
  }

  @Test func whatHasNoRatioIsRefused() throws {
    let (clean, silence) = (Self.sound("clean"), [Float](repeating: 0, count: 8000))
    func refused(
      _ mix: NoiseMix, _ clean: [Float], talker: [Float] = [], _ words: String...,
      at location: SourceLocation = #_sourceLocation
    ) {
      let error = #expect(throws: AudioError.self, sourceLocation: location) {
        try mix.mixed(clean, name: "x.flac") { _ in talker }
      }
      for word in words where error != nil {
        #expect("\(error!)".contains(word), "\(error!)", sourceLocation: location)
      }
    }
    for kind in NoiseMix.Kind.allCases {
      let talkers = kind.needsTalkers ? ["t.flac"] : []
      let mix = NoiseMix(kind: kind, ratio: 0, seed: "s", talkers: talkers)
      refused(mix, silence, talker: clean, "x.flac", "silent", "signal-to-noise ratio")
      if kind.needsTalkers { refused(mix, clean, talker: silence, "t.flac", "silent") }
    }
    refused(NoiseMix(kind: .babble, ratio: 0, seed: "s"), clean, "babble of 0")
    refused(
      NoiseMix(kind: .talker, ratio: 0, seed: "s", talkers: ["a", "b"]), clean, "talker of 2")
    for ratio in [Double.nan, .infinity, 200] {
      refused(NoiseMix(kind: .white, ratio: ratio, seed: "s"), clean, "x.flac", "ratio of")
    }
  }
}
