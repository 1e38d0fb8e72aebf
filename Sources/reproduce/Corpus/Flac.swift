// 16-bit FLAC through libsndfile. To be replaced by `Waveform` of the Speech library.

import CSndFile
import Foundation

enum Flac {
  static func write(_ samples: [Int16], to file: URL, rate: Int = 16000) throws {
    let temporary = file.appendingPathExtension("part")
    var info = SF_INFO()
    info.samplerate = Int32(rate)
    info.channels = 1
    info.format = Int32(SF_FORMAT_FLAC | SF_FORMAT_PCM_16)
    guard let handle = sf_open(temporary.path, Int32(SFM_WRITE), &info) else {
      throw CorpusError("\(file.relativePath): \(String(cString: sf_strerror(nil)))")
    }
    var level = 1.0
    sf_command(handle, Int32(SFC_SET_COMPRESSION_LEVEL), &level, Int32(MemoryLayout<Double>.size))
    let written = sf_write_short(handle, samples, sf_count_t(samples.count))
    guard sf_close(handle) == 0, written == samples.count else {
      throw CorpusError("\(file.relativePath): could not be written in full")
    }
    guard rename(temporary.path, file.path) == 0 else {
      throw CorpusError("\(file.relativePath): could not be replaced")
    }
  }

  /// The samples of a mono 16-bit file at 16 kHz.
  static func read(_ file: URL) throws -> [Int16] {
    var info = SF_INFO()
    guard let handle = sf_open(file.path, Int32(SFM_READ), &info) else {
      throw CorpusError("\(file.relativePath): \(String(cString: sf_strerror(nil)))")
    }
    defer { sf_close(handle) }
    guard info.channels == 1, info.samplerate == 16000 else {
      throw CorpusError("\(file.relativePath): not mono at 16 kHz")
    }
    var samples = [Int16](repeating: 0, count: Int(info.frames))
    guard sf_read_short(handle, &samples, info.frames) == info.frames else {
      throw CorpusError("\(file.relativePath): ends too early")
    }
    return samples
  }
}
