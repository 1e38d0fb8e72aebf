// Audio that cannot be trusted: one message that names the file, and never a crash.

import Foundation
import Speech
import Testing

@Suite struct WaveformErrorTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Expects an error that names `file` and says `problem`.
  func refuses(
    _ file: String, _ problem: String, at location: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
  ) {
    let error = #expect(throws: AudioError.self, sourceLocation: location) { try body() }
    guard let error else { return }
    #expect(error.file == file, sourceLocation: location)
    #expect(error.problem.contains(problem), "\(error)", sourceLocation: location)
    #expect(!error.advice.isEmpty, sourceLocation: location)
    #expect("\(error)".hasPrefix("\(file): "), sourceLocation: location)
  }

  func refusesToRead(
    _ file: String, _ problem: String, at location: SourceLocation = #_sourceLocation
  ) {
    refuses(file, problem, at: location) { _ = try Waveform(contentsOf: file) }
  }

  @Test func namesWhatIsNoAudioFile() throws {
    refusesToRead("\(scratch.path)/none.wav", "no such file")
    refusesToRead("", "no such file")
    refusesToRead("-", "no such file")
    refusesToRead(scratch.path, "a folder")
    refusesToRead("/dev/null", "not a regular file")
    refusesToRead(try scratch.file("text.wav", Array("not a sound".utf8)), "not audio")
    try Data().write(to: URL(fileURLWithPath: "\(scratch.path)/empty.wav"))
    refusesToRead("\(scratch.path)/empty.wav", "empty")
  }

  @Test func namesZeroLengthAndBadRates() throws {
    refusesToRead(try scratch.file("zero.wav", wav([], rate: 16_000)), "zero length")
    let frames = [[Int16]](repeating: [1000], count: 100)
    refusesToRead(try scratch.file("slow.wav", wav(frames, rate: 1)), "1 Hz")
    refusesToRead(try scratch.file("fast.wav", wav(frames, rate: 2_000_000_000)), "2000000000 Hz")
    refuses("resampling", "7 Hz") { _ = try Waveform(samples: [1], rate: 16_000).resampled(to: 7) }
  }

  /// Samples in floating point that were written in another scale, or are no sound.
  @Test func namesAnotherScale() throws {
    func file(_ peak: Float) throws -> String {
      var bytes = wav((0..<2000).map { [Int16($0 % 90), 0] }, rate: 16_000)
      // The same bytes as one channel of 32 bits in floating point.
      (bytes[20], bytes[22], bytes[32], bytes[34]) = (3, 1, 4, 32)
      for i in 0..<2000 {
        let sample = i == 700 ? -peak : Float(i % 90) / 100
        withUnsafeBytes(of: sample.bitPattern.littleEndian) {
          bytes.replaceSubrange(44 + 4 * i..<48 + 4 * i, with: $0)
        }
      }
      return try scratch.file("float.wav", bytes)
    }
    #expect(try Waveform(contentsOf: file(3.9)).samples[700] == -3.9)
    for (peak, words) in [(Float(4), "the peak is 4.0,"), (1e30, "the peak is 1e+30,")] {
      refusesToRead(try file(peak), words)
      refuses("x", words) { try Waveform(samples: [0, peak]).checkUsable("x") }
    }
  }

  @Test func namesTruncatedFiles() throws {
    let frames = (0..<20_000).map { [Int16(truncatingIfNeeded: $0 &* 7919)] }
    let whole = wav(frames, rate: 16_000)
    refusesToRead(try scratch.file("cut.wav", Array(whole.dropLast(1000))), "truncated")
    refusesToRead(try scratch.file("headless.wav", Array(whole[..<40])), "truncated")
    let flac = try scratch.file("whole.flac")
    try Waveform(samples: frames.map { Float($0[0]) / 32768 }).write(to: flac)
    let bytes = Array(FileManager.default.contents(atPath: flac)!)
    refusesToRead(try scratch.file("cut.flac", Array(bytes.dropLast(3000))), "truncated")
    // Cut between two frames a FLAC file decodes without complaint.
    for frame in 1..<bytes.count - 1 where bytes[frame] == 0xff && bytes[frame + 1] == 0xf8 {
      refusesToRead(try scratch.file("cut.flac", Array(bytes[..<frame])), "truncated")
    }
    for name in ["vorbis-22050-mono", "opus-48000-stereo"] {
      let path = Bundle.module.resourceURL!.appendingPathComponent("Fixtures/audio/\(name).ogg")
      let bytes = Array(try Data(contentsOf: path))
      refusesToRead(try scratch.file("cut.ogg", Array(bytes.dropLast(1))), "truncated")
      let lastPage = bytes.indices.last { bytes[$0...].starts(with: "OggS".utf8) }!
      refusesToRead(try scratch.file("cut.ogg", Array(bytes[..<lastPage])), "truncated")
    }
  }

  /// A program that writes WAV to a pipe does not know the length and says the largest there is.
  @Test func readsWAVOfUnknownLength() throws {
    let frames = (0..<100).map { [Int16($0)] }
    for size in [UInt32.max, 0x7fff_ffff] {
      let path = try scratch.file("pipe.wav", wav(frames, rate: 16_000, claiming: size))
      #expect(try Waveform(contentsOf: path).samples.count == 100)
    }
  }

  @Test func namesSamplesThatAreNoNumbers() throws {
    let name = "Fixtures/audio/float-16000-mono.wav"
    let bytes = Array(try Data(contentsOf: Bundle.module.resourceURL!.appendingPathComponent(name)))
    for (value, shown) in [(Float.nan, "nan"), (.infinity, "inf"), (-.infinity, "-inf")] {
      let bad = bytes.dropLast(4) + withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
      refusesToRead(try scratch.file("bad.wav", Array(bad)), "is \(shown), not a finite")
      let wave = Waveform(samples: [0, value])
      refuses("here", "sample 1 is \(shown)") { try wave.checkAudible("here") }
      let path = "\(scratch.path)/out.wav"
      refuses(path, "sample 1 is \(shown)") { try wave.write(to: path) }
      refuses("resampling", "sample 1") { _ = try wave.resampled(to: 8_000) }
    }
  }

  @Test func tellsSilence() throws {
    let path = try scratch.file(
      "silent.wav", wav([[Int16]](repeating: [0], count: 99), rate: 16_000))
    let silent = try Waveform(contentsOf: path)  // some callers want silence
    refuses(path, "silent") { try silent.checkAudible(path) }
    refuses("x", "silent") { try Waveform(samples: [0.3, 0.3, 0.3]).checkAudible("x") }
    refuses("x", "silent") { try Waveform(samples: [9e-6, -9e-6]).checkAudible("x") }
    refuses("x", "zero length") { try Waveform(samples: []).checkAudible("x") }
    try Waveform(samples: [0, 1 / 32768]).checkAudible("x")
  }

  /// As on a full disk, wherever the room ends: the file is whole or not there.
  @Test func aFileWithoutRoomIsNotLeft() async {
    await #expect(processExitsWith: .success) { [folder = scratch.path as String] in
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      let wave = Waveform(samples: (0..<20_000).map { Float($0 * 7919 % 20_011) / 40_000 })
      var whole = 0
      for size in stride(from: 0, through: 45_000, by: 1500) {
        limit.rlim_cur = rlim_t(size)
        precondition(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
        for ending in ["wav", "flac"] {
          let path = "\(folder)/\(size).\(ending)"
          do {
            try wave.write(to: path)
            whole += 1
            let back = try Waveform(contentsOf: path).samples
            precondition(back.count == wave.samples.count, path)
            unlink(path)
          } catch {
            precondition(error is AudioError, "\(error)")
          }
        }
      }
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      precondition(left.isEmpty && (4...20).contains(whole), "\(left) \(whole)")
    }
  }

  @Test func refusesToWriteWhatWouldNotComeBack() throws {
    let path = "\(scratch.path)/out.flac"
    refuses(path, "clip") { try Waveform(samples: [0, 1.001]).write(to: path) }
    refuses(path, "zero length") { try Waveform(samples: []).write(to: path) }
    refuses(path, "Hz") { try Waveform(samples: [0], rate: 0).write(to: path) }
    let other = "\(scratch.path)/out.mp3"
    refuses(other, "WAV or FLAC") { try Waveform(samples: [0]).write(to: other) }
    let nowhere = "\(scratch.path)/none/out.wav"
    refuses(nowhere, "cannot be written") { try Waveform(samples: [0]).write(to: nowhere) }
    let taken = "\(scratch.path)/taken.wav"
    try FileManager.default.createDirectory(atPath: taken, withIntermediateDirectories: true)
    refuses(taken, "not be written whole") { try Waveform(samples: [0]).write(to: taken) }
    let left = try FileManager.default.contentsOfDirectory(atPath: scratch.path)
    #expect(left == ["taken.wav"])
  }

  /// Noise, noise behind a true beginning, and true files with bytes changed: read or refused.
  @Test func survivesRandomBytes() throws {
    var state: UInt64 = 7
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    let folder = Bundle.module.resourceURL!.appendingPathComponent("Fixtures/audio")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    let seeds = try files.map { Array(try Data(contentsOf: folder.appendingPathComponent($0))) }
    var refused = 0
    for round in 0..<600 {
      let choice = random(seeds.count)
      var bytes = seeds[choice]
      switch round % 3 {
      case 0: bytes = (0..<random(3000) + 1).map { _ in UInt8(random(256)) }
      case 1: bytes = bytes.prefix(random(200)) + (0..<2000).map { _ in UInt8(random(256)) }
      default: for _ in 0...random(8) { bytes[random(bytes.count)] = UInt8(random(256)) }
      }
      let ending = ["wav", "flac", "ogg", "raw"][random(4)]
      let path = try scratch.file("random.\(ending)", bytes)
      do {
        let read = try Waveform(contentsOf: path)
        #expect(read.rate == 16_000 && !read.samples.isEmpty)
      } catch let error as AudioError {
        refused += 1
        #expect(error.file == path, "\(error)")
      }
    }
    #expect(refused > 300)
  }
}
