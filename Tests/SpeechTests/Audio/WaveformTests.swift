// Audio in and out: bit-exact where it can be, measured where it is resampled.

import Foundation
import Speech
import Testing

/// A folder of its own for one test, removed afterwards.
final class Scratch {
  let path: String

  init() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("speech-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    path = folder.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String, _ bytes: [UInt8] = []) throws -> String {
    let file = "\(path)/\(name)"
    if !bytes.isEmpty { try Data(bytes).write(to: URL(fileURLWithPath: file)) }
    return file
  }
}

/// The bytes of a WAV file of 16-bit frames, written here independently of the package.
func wav(_ frames: [[Int16]], rate: UInt32, claiming size: UInt32? = nil) -> [UInt8] {
  func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
  let channels = UInt16(frames.first?.count ?? 1)
  let data = frames.flatMap { $0.flatMap(little) }
  let size = size ?? UInt32(data.count)
  var bytes = Array("RIFF".utf8) + little(UInt32(data.count + 36)) + Array("WAVEfmt ".utf8)
  bytes += little(UInt32(16)) + little(UInt16(1)) + little(channels) + little(rate)
  bytes += little(rate &* UInt32(channels) &* 2) + little(channels &* 2) + little(UInt16(16))
  return bytes + Array("data".utf8) + little(size) + data
}

/// The sine of one frequency that fits samples best: its amplitude, and the root mean square of
/// what it leaves.
func fit(_ samples: ArraySlice<Float>, hertz: Double, rate: Int) -> (
  amplitude: Double, residual: Double
) {
  let step = 2 * Double.pi * hertz / Double(rate)
  // Normal equations of two unknowns, since the slice may not hold whole periods.
  var (ss, sc, cc, sx, cx) = (0.0, 0.0, 0.0, 0.0, 0.0)
  for (i, x) in samples.enumerated() {
    let (s, c) = (sin(step * Double(i)), cos(step * Double(i)))
    (ss, sc, cc) = (ss + s * s, sc + s * c, cc + c * c)
    (sx, cx) = (sx + s * Double(x), cx + c * Double(x))
  }
  let determinant = ss * cc - sc * sc
  let a = (sx * cc - cx * sc) / determinant
  let b = (cx * ss - sx * sc) / determinant
  let squares = samples.enumerated().map { i, x in
    let error = Double(x) - a * sin(step * Double(i)) - b * cos(step * Double(i))
    return error * error
  }
  return (hypot(a, b), (squares.reduce(0, +) / Double(samples.count)).squareRoot())
}

@Suite struct WaveformTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Every value that 16 bits can hold.
  static let every16Bit = (Int16.min...Int16.max).map { $0 }

  func fixture(_ name: String) -> String {
    Bundle.module.resourceURL!.appendingPathComponent("Fixtures/audio/\(name)").path
  }

  @Test func modelRateArrivesBitForBit() throws {
    let path = try scratch.file("all.wav", wav(Self.every16Bit.map { [$0] }, rate: 16_000))
    let read = try Waveform(contentsOf: path)
    #expect(read.rate == 16_000)
    #expect(
      read.samples.map(\.bitPattern) == Self.every16Bit.map { (Float($0) / 32768).bitPattern })
    #expect(read.duration == 4.096)
  }

  @Test(arguments: ["wav", "flac", "WAV"]) func writingAndReadingKeepsEveryBit(_ ending: String)
    throws
  {
    let wave = Waveform(samples: Self.every16Bit.map { Float($0) / 32768 }, rate: 16_000)
    let first = try scratch.file("first.\(ending)")
    let second = try scratch.file("second.\(ending)")
    try wave.write(to: first)
    try wave.write(to: second)
    #expect(try Waveform(contentsOf: first) == wave)
    let files = FileManager.default
    #expect(files.contents(atPath: first) == files.contents(atPath: second))
    try Waveform(samples: [0.25, -0.25], rate: 8_000).write(to: first)  // replaces the file
    #expect(try Waveform(contentsOf: first, rate: nil).samples == [0.25, -0.25])
    #expect(try files.contentsOfDirectory(atPath: scratch.path).count == 2)
  }

  @Test func writingRoundsToTheNearestStep() throws {
    let step: Float = 1 / 32768
    let path = try scratch.file("round.wav")
    try Waveform(samples: [1, -1, 0.4 * step, 0.6 * step, 1.5 * step, 2.5 * step]).write(to: path)
    let read = try Waveform(contentsOf: path).samples
    #expect(read == [1 - step, -1, 0, step, 2 * step, 2 * step])
  }

  @Test func channelsBecomeTheirMean() throws {
    let frames: [[Int16]] = [[100, 300, -100], [-32768, -32768, -32768], [1, 0, 0]]
    let path = try scratch.file("three.wav", wav(frames, rate: 16_000))
    let third = Float(1.0 / 32768 / 3)
    #expect(try Waveform(contentsOf: path).samples == [100 / 32768, -1, third])
  }

  /// A 1 kHz sine of amplitude 0.5 at 44.1 kHz in two channels, 100% and 50%: amplitude 0.375 within
  /// 1e-5 at 16 kHz, and what is not that sine below 2e-5 (rounding to 16 bits alone is 9e-6).
  @Test func resamplingKeepsASine() throws {
    let frames = (0..<44_100).map { i in
      let x = 16384 * sin(2 * Double.pi * 1000 * Double(i) / 44_100)
      return [Int16(x.rounded()), Int16((x / 2).rounded())]
    }
    let path = try scratch.file("sine.wav", wav(frames, rate: 44_100))
    let read = try Waveform(contentsOf: path)
    #expect(read.samples.count == 16_000 && read.rate == 16_000)
    let middle = fit(read.samples[1600..<14_400], hertz: 1000, rate: 16_000)
    #expect(abs(middle.amplitude - 0.375) < 1e-5)
    #expect(middle.residual < 2e-5)
    #expect(try Waveform(contentsOf: path).samples == read.samples)
    #expect(try Waveform(contentsOf: path, rate: nil).samples.count == 44_100)
  }

  /// What 16 kHz cannot carry is gone, not folded back: 10 kHz at 44.1 kHz leaves less than 1e-6.
  @Test func resamplingFoldsNothingBack() throws {
    let samples = (0..<44_100).map {
      Float(0.5 * sin(2 * Double.pi * 10_000 * Double($0) / 44_100))
    }
    let low = try Waveform(samples: samples, rate: 44_100).resampled(to: 16_000)
    #expect(low.samples[1600..<14_400].allSatisfy { abs($0) < 1e-6 })
  }

  /// At nine tenths of the band, 7.2 kHz, a sine keeps its amplitude within 0.01 dB.
  @Test func resamplingKeepsTheBand() throws {
    let samples = (0..<44_100).map { Float(0.5 * sin(2 * Double.pi * 7200 * Double($0) / 44_100)) }
    let low = try Waveform(samples: samples, rate: 44_100).resampled(to: 16_000)
    let sine = fit(low.samples[1600..<14_400], hertz: 7200, rate: 16_000)
    #expect(abs(20 * log10(sine.amplitude / 0.5)) < 0.01)
    #expect(sine.residual < 1e-6)
  }

  /// No delay: a click stays at its time, whichever way the rate goes.
  @Test(arguments: [8_000, 11_025, 22_050, 48_000, 96_000]) func resamplingDoesNotDelay(_ rate: Int)
    throws
  {
    var samples = [Float](repeating: 0, count: rate)
    samples[rate / 4] = 1
    let out = try Waveform(samples: samples, rate: rate).resampled(to: 16_000).samples
    let peak = out.indices.max { out[$0] < out[$1] }!
    #expect(out.count == 16_000)
    #expect(abs(Double(peak) / 16_000 - Double(rate / 4) / Double(rate)) < 0.51 / 16_000)
  }

  /// Lossless files hold the sine to their step, Vorbis and Opus to what they throw away.
  @Test(arguments: [
    ("vorbis-22050-mono.ogg", 0.5, 0.4, 0.02), ("opus-48000-stereo.ogg", 0.375, 0.4, 0.02),
    ("pcm24-8000-stereo.flac", 0.375, 0.1, 1e-4), ("float-16000-mono.wav", 0.5, 0.02, 1e-7),
    ("pcm8-16000-mono.wav", 0.5, 0.05, 0.008), ("mulaw-8000-mono.wav", 0.5, 0.1, 0.01),
  ])
  func readsOtherFormats(_ name: String, amplitude: Double, seconds: Double, error: Double) throws {
    let read = try Waveform(contentsOf: fixture(name))
    #expect(read.rate == 16_000)
    #expect(abs(read.duration - seconds) < 1e-3)
    let edge = name.hasPrefix("float") ? 0 : read.samples.count / 4
    let middle = read.samples[edge..<read.samples.count - edge]
    let sine = fit(middle, hertz: 440, rate: 16_000)
    #expect(abs(sine.amplitude - amplitude) < error)
    #expect(sine.residual < error)
  }
}
