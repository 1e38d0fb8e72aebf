// Small things that happen to samples between a synthesiser and a file.

import Foundation

extension Spoken {
  /// The request at 16 kHz: pauses at either end cut to 100 ms where they are longer.
  func trimmed() -> Spoken {
    guard var ends else { return self }
    let pause = 1600
    let lead = max(0, ends[0] - pause)
    let tail = max(0, samples.count - ends[ends.count - 2] - pause)
    ends = ends.map { $0 - lead }
    ends[ends.count - 1] -= tail
    return Spoken(samples: Array(samples[lead..<samples.count - tail]), ends: ends)
  }

  /// A factor that brings the root mean square to 0.05 of full scale (-26 dB, the level
  /// of ITU-T P.56), and no peak past 0.9.
  var gain: Double {
    let energy = samples.reduce(0.0) { $0 + Double($1) * Double($1) }
    let peak = samples.reduce(0.0) { max($0, abs(Double($1))) }
    guard peak > 0 else { return 1 }
    return min(0.05 * 32768 / (energy / Double(samples.count)).squareRoot(), 0.9 * 32768 / peak)
  }

  func scaled(by gain: Double) -> Spoken {
    Spoken(samples: samples.map { Clip.rounded(Double($0) * gain) }, ends: ends)
  }
}

enum Clip {
  static func rounded(_ value: Double) -> Int16 {
    Int16(max(-32768, min(32767, value.rounded())))
  }

  /// The 16-bit mono samples of a RIFF file and their rate.
  static func riff(_ path: String) throws -> (samples: [Int16], rate: Int) {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw CorpusError("\(path): the synthesiser wrote no such file")
    }
    let bytes = [UInt8](data)
    func number(_ at: Int, _ count: Int) -> Int {
      (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
    }
    var at = 12
    var rate = 0
    while at + 8 <= bytes.count {
      let name = String(decoding: bytes[at..<at + 4], as: UTF8.self)
      let size = min(number(at + 4, 4), bytes.count - at - 8)
      if name == "fmt " {
        guard size >= 16, number(at + 8, 2) == 1, number(at + 10, 2) == 1, number(at + 22, 2) == 16
        else { throw CorpusError("\(path): not 16-bit mono") }
        rate = number(at + 12, 4)
      }
      if name == "data", rate > 0 {
        let samples = stride(from: at + 8, to: at + 8 + size - 1, by: 2).map {
          Int16(bitPattern: UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8)
        }
        return (samples, rate)
      }
      at += 8 + size + size % 2
    }
    throw CorpusError("\(path): not a WAV file with samples")
  }

  /// 22050 Hz to 16 kHz (441 : 320) by a windowed sinc of 33 input samples, cut off at 7.6 kHz.
  static func resampled(_ input: [Int16]) -> [Int16] {
    let half = 16
    return (0..<input.count * 320 / 441).map { n in
      let phase = n * 441 % 320
      let centre = n * 441 / 320
      var sum = 0.0
      for k in -half...half where input.indices.contains(centre + k) {
        sum += Double(input[centre + k]) * kernel[phase * (2 * half + 1) + k + half]
      }
      return rounded(sum)
    }
  }

  private static let kernel: [Double] = {
    let half = 16
    let cutoff = 2 * 7600.0 / 22050
    return (0..<320).flatMap { phase in
      (-half...half).map { k in
        let t = Double(k) - Double(phase) / 320
        let x = Double.pi * cutoff * t
        let sinc = x == 0 ? 1 : sin(x) / x
        let window = 0.5 + 0.5 * cos(Double.pi * max(-1, min(1, t / Double(half + 1))))
        return cutoff * sinc * window
      }
    }
  }()

  /// The sound between its first and last sample past 1 % of the peak, with 100 ms of silence
  /// at either end.
  static func padded(_ samples: [Int16]) -> [Int16] {
    let peak = samples.reduce(0) { max($0, abs(Int($1))) }
    guard let first = samples.firstIndex(where: { abs(Int($0)) * 100 > peak }),
      let last = samples.lastIndex(where: { abs(Int($0)) * 100 > peak })
    else { return samples }
    let silence = [Int16](repeating: 0, count: 1600)
    return silence + samples[first...last] + silence
  }
}
