// Audio in and out through libsndfile, the only file that imports it.
//
// Goals, in order: a 16 kHz recording arrives bit for bit (sample / 32768 for 16-bit audio); a file
// that cannot be trusted is an error that names it; the same samples are always the same bytes.

import CSndFile
import Foundation

/// One channel of sound. Samples lie in -1...1, `rate` is in samples per second.
public struct Waveform: Sendable, Equatable {
  public var samples: [Float]
  public let rate: Int

  /// The rate that every model here listens at, in samples per second.
  public static let modelRate = 16_000
  /// The rates that are taken for true, in samples per second.
  public static let plausibleRates = 1_000...768_000
  /// The longest recording that is read: 2^30 samples a channel, more than 18 hours at 16 kHz.
  public static let longest = 1 << 30

  public init(samples: [Float], rate: Int = Waveform.modelRate) {
    self.samples = samples
    self.rate = rate
  }

  /// The length in seconds.
  public var duration: Double { Double(samples.count) / Double(rate) }
}

// ## Reading

extension Waveform {
  /// Reads a WAV, FLAC or Ogg file (or another that libsndfile knows), mixes its channels to their
  /// mean and resamples it where its rate differs.
  ///
  /// Silence is not an error here; `checkAudible` is for callers to whom it is one.
  ///
  /// - Parameter rate: samples per second of the result; nil keeps the rate of the file.
  /// - Throws: `AudioError` for a file that is missing, a folder, not audio, truncated, of zero
  ///   length, too long, of an implausible rate or scale, or that has a sample that is not finite.
  public init(contentsOf path: String, rate: Int? = Waveform.modelRate) throws {
    try Waveform.checkIsFile(path)
    var info = SF_INFO()
    // libsndfile takes a bare "-" for the standard input.
    guard let file = sf_open(path == "-" ? "./-" : path, Int32(SFM_READ), &info) else {
      throw AudioError(
        path, "not audio that libsndfile can read (\(String(cString: sf_strerror(nil))))",
        advice: "give a WAV, FLAC or Ogg file")
    }
    defer { sf_close(file) }
    guard Waveform.plausibleRates.contains(Int(info.samplerate)) else {
      throw AudioError(
        path, "its sampling rate is given as \(info.samplerate) Hz",
        advice: "the header is wrong: export the recording again")
    }
    let samples = try Waveform.mixedDown(file, info, path)
    let read = Waveform(samples: samples, rate: Int(info.samplerate))
    try read.checkUsable(path)
    self = try rate.map { try read.resampled(to: $0) } ?? read
    try checkUsable(path)
  }

  private static func checkIsFile(_ path: String) throws {
    let found: [FileAttributeKey: Any]?
    do {
      found = try FileManager.default.attributesOfItem(
        atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
    } catch CocoaError.fileReadNoPermission {
      throw AudioError(
        path, "its folder may not be entered", advice: "check the folder's permissions")
    } catch { found = nil }
    guard let found, !path.isEmpty else {
      throw AudioError(path, "no such file", advice: "check the path")
    }
    switch found[.type] as? FileAttributeType {
    case .typeRegular: break
    case .typeDirectory:
      throw AudioError(path, "a folder, not an audio file", advice: "name a file in it")
    default:
      throw AudioError(path, "not a regular file", advice: "copy the audio to a file first")
    }
    let bytes: Data
    do {
      bytes = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
    } catch {
      throw AudioError(path, "cannot be read", advice: "check its permissions")
    }
    guard !bytes.isEmpty else {
      throw AudioError(path, "the file is empty", advice: "copy or download it again")
    }
    if AudioExtent(bytes).isTruncated { throw truncated(path, "the file ends before its audio") }
  }

  private static func truncated(_ path: String, _ how: String) -> AudioError {
    AudioError(path, "truncated: \(how)", advice: "copy or download it again")
  }

  /// All frames of the file, each the mean of its channels. Memory grows with what is read, never
  /// with what a header claims.
  private static func mixedDown(
    _ file: OpaquePointer, _ info: SF_INFO, _ path: String
  ) throws -> [Float] {
    let channels = Int(info.channels)
    let block = max(1, (1 << 18) / channels)
    var frames = [Float](repeating: 0, count: block * channels)
    var samples: [Float] = []
    while true {
      let count = Int(sf_readf_float(file, &frames, sf_count_t(block)))
      if count <= 0 { break }
      if channels == 1 {
        samples += frames[..<count]
      } else {
        for frame in 0..<count {
          let values = frames[frame * channels..<(frame + 1) * channels]
          samples.append(Float(values.reduce(0.0) { $0 + Double($1) } / Double(channels)))
        }
      }
      guard samples.count <= longest else {
        throw AudioError(path, "longer than \(longest) samples", advice: "cut it into parts")
      }
    }
    guard sf_error(file) == 0 else {
      throw truncated(path, "decoding failed (\(String(cString: sf_strerror(file))))")
    }
    let announced = Int(info.frames)
    if announced > samples.count, announced < longest {
      throw truncated(path, "\(samples.count) of \(announced) samples a channel are there")
    }
    return samples
  }
}

// ## Writing

extension Waveform {
  /// Writes 16-bit audio, WAV or FLAC by the ending of `path`, to a temporary file in the same
  /// folder which then takes the name. The same samples give the same bytes.
  ///
  /// Samples are rounded to the nearest of the 65,536 values, and 1.0 becomes 32767/32768.
  ///
  /// - Throws: `AudioError` for another ending, samples that are absent, not finite or beyond
  ///   -1...1, and where the folder cannot be written.
  public func write(to path: String) throws {
    try checkUsable(path)
    if let loud = samples.firstIndex(where: { abs($0) > 1 }) {
      throw AudioError(
        path, "sample \(loud) is \(samples[loud]) and would clip", advice: "scale it to -1...1")
    }
    guard Waveform.plausibleRates.contains(rate) else {
      throw AudioError(path, "cannot write at \(rate) Hz", advice: "resample it first")
    }
    let ending = URL(fileURLWithPath: path).pathExtension.lowercased()
    guard let format = ["wav": SF_FORMAT_WAV, "flac": SF_FORMAT_FLAC][ending] else {
      throw AudioError(
        path, "audio is written as WAV or FLAC only", advice: "end the name in .wav or .flac")
    }
    let partial = "\(path).\(UInt64.random(in: 0 ... .max)).partial"
    defer { unlink(partial) }
    var info = SF_INFO()
    info.samplerate = Int32(rate)
    info.channels = 1
    info.format = Int32(format | SF_FORMAT_PCM_16)
    guard let file = sf_open(partial, Int32(SFM_WRITE), &info) else {
      throw AudioError(
        path, "cannot be written (\(String(cString: sf_strerror(nil))))",
        advice: "check that its folder exists and is writable")
    }
    var compression = 1.0
    sf_command(
      file, Int32(SFC_SET_COMPRESSION_LEVEL), &compression, Int32(MemoryLayout<Double>.size))
    let values = samples.map { Int16(min(32767, ($0 * 32768).rounded(.toNearestOrEven))) }
    let written = Int(sf_writef_short(file, values, sf_count_t(values.count)))
    // libsndfile does not say where the end of a FLAC file could not be written.
    guard sf_close(file) == 0, written == values.count,
      (try? Waveform(contentsOf: partial, rate: nil))?.samples.count == values.count,
      rename(partial, path) == 0
    else {
      throw AudioError(
        path, "could not be written whole",
        advice: "check the space on the disk and the limit of a file's size (ulimit -f)")
    }
  }
}
