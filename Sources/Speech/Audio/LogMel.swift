// The log-mel front end of Whisper, in Double: 400-point windows every 10 ms as a matrix product
// with cosines and sines, Slaney mel bands, and a floor 8 decades below the clip's maximum.

import Tensor

/// Whisper's log-mel features.
///
/// They are defined in `paper/definitions.md`, D93. The WhisperFeatureExtractor of `transformers` takes
/// its short-time Fourier transform in Float32 and differs from this one by up to 3.2e-5.
public struct LogMel: Sendable {
  /// Mel bands: 80 or 128 in the published models.
  public let bands: Int
  /// Samples at 16 kHz to which every clip is padded or cut.
  public let samples: Int

  public static let rate = 16_000
  public static let hop = 160
  static let window = 400
  static let bins = 201

  /// [2 * bins, window]: windowed cosines, then windowed sines.
  private let waves: [Double]
  /// [bands, bins]
  private let filters: [Double]

  public var frames: Int { samples / LogMel.hop }

  public init(bands: Int, samples: Int) {
    self.bands = bands
    self.samples = samples
    let n = LogMel.window
    let circle = (0..<n).map { Elementary.cos(2 * .pi * Double($0) / Double(n)) }
    let sines = (0..<n).map { Elementary.sin(2 * .pi * Double($0) / Double(n)) }
    let hann = (0..<n).map { 0.5 - 0.5 * circle[$0] }
    var waves = [Double](repeating: 0, count: 2 * LogMel.bins * n)
    for k in 0..<LogMel.bins {
      for t in 0..<n {
        waves[k * n + t] = hann[t] * circle[k * t % n]
        waves[(LogMel.bins + k) * n + t] = hann[t] * sines[k * t % n]
      }
    }
    self.waves = waves
    filters = LogMel.slaneyFilters(bands: bands)
  }

  /// Slaney's mel filters, 0 to 8000 Hz, each of unit area; [bands, bins].
  static func slaneyFilters(bands: Int) -> [Double] {
    let step = Elementary.log(6.4) / 27
    let top = 15 + Elementary.log(8.0) / step
    let edges = (0..<(bands + 2)).map { i -> Double in
      let mel = top * Double(i) / Double(bands + 1)
      return mel < 15 ? mel * 200 / 3 : 1000 * Elementary.exp((mel - 15) * step)
    }
    var filters = [Double](repeating: 0, count: bands * bins)
    for m in 0..<bands {
      let (low, centre, high) = (edges[m], edges[m + 1], edges[m + 2])
      for k in 0..<bins {
        let f = Double(k) * 8000 / Double(bins - 1)
        let slope = min((f - low) / (centre - low), (high - f) / (high - centre))
        filters[m * bins + k] = max(0, slope) * 2 / (high - low)
      }
    }
    return filters
  }

  /// The number of mel frames that a clip of this many samples fills.
  public func validFrames(samples count: Int) -> Int {
    (min(count, samples) + LogMel.hop - 1) / LogMel.hop
  }

  /// The features of a clip at 16 kHz, padded with zeros or cut to `samples`: [frames, bands].
  ///
  /// Only the frames that reach into the clip are transformed; the others are silence and get the
  /// floor, as they would.
  public func callAsFunction(_ clip: [Float]) -> Tensor {
    let spectra = spectra(of: clip, keepingSpectrum: false)
    let (live, top) = (spectra.live, spectra.top)
    func scaled(_ x: Double) -> Float { Float((max(x, top - 8) + 4) / 4) }
    return Tensor(
      [frames, bands],
      spectra.logs.map(scaled)
        + [Float](repeating: scaled(-10), count: (frames - live) * bands))
  }

  /// What the features are made from, of the frames that reach into the clip.
  private struct Spectra {
    let live: Int
    /// [live, 2 * bins]: real parts, then imaginary ones; empty where it was not to be kept.
    let spectrum: [Double]
    /// Powers in mel bands and their logarithms, [live, bands].
    let mel: [Double]
    let logs: [Double]
    /// The largest logarithm of the whole clip.
    let top: Double
  }

  /// Frames that are transformed together. What they need fits a core's cache, and they are a multiple of the
  /// rows that the product's kernel takes at a time, so a frame has the same bits in whichever block it lies;
  /// thirty seconds are an even number of them.
  static let block = 256

  private func spectra(of clip: [Float], keepingSpectrum: Bool = true) -> Spectra {
    let used = min(clip.count, samples)
    // Frame t reads samples 160 t - 200 to 160 t + 199, so this is past the last that sees sound.
    let live = min(frames, (used + LogMel.window / 2) / LogMel.hop + 1)
    let starts = Array(stride(from: 0, to: live, by: LogMel.block))
    var blocks = [Block](repeating: Block(), count: starts.count)
    blocks.withUnsafeMutableBufferPointer { all in
      nonisolated(unsafe) let slots = all
      inParallel(starts.count) { i in
        let start = starts[i]
        slots[i] = transformed(
          start..<min(live, start + LogMel.block), of: clip, keepingSpectrum: keepingSpectrum)
      }
    }
    let logs = blocks.flatMap(\.logs)
    // Frames beyond the clip hold log10(1e-10); they count for the maximum only if nothing else.
    let top = max(logs.max() ?? -10, live < frames ? -10 : -.infinity)
    return Spectra(
      live: live, spectrum: blocks.flatMap(\.spectrum), mel: blocks.flatMap(\.mel), logs: logs,
      top: top)
  }

  /// Some frames' part of `Spectra`.
  private struct Block {
    var (spectrum, mel, logs): ([Double], [Double], [Double]) = ([], [], [])
  }

  private func transformed(_ range: Range<Int>, of clip: [Float], keepingSpectrum: Bool) -> Block {
    let framed = framed(range, of: clip)
    let bins = LogMel.bins
    let spectrum = matrixProduct(
      framed, waves, rows: range.count, columns: 2 * bins, inner: LogMel.window)
    let power = [Double](unsafeUninitializedCapacity: range.count * bins) { power, count in
      spectrum.withUnsafeBufferPointer { spectrum in
        for t in 0..<range.count {
          for k in 0..<bins {
            let re = spectrum[t * 2 * bins + k]
            let im = spectrum[t * 2 * bins + bins + k]
            power[t * bins + k] = re * re + im * im
          }
        }
      }
      count = range.count * bins
    }
    let mel = matrixProduct(power, filters, rows: range.count, columns: bands, inner: bins)
    return Block(
      spectrum: keepingSpectrum ? spectrum : [], mel: mel,
      logs: logarithms(mel))
  }

  /// log10 of each number, or of 1e-10 where that is more.
  private func logarithms(_ mel: [Double]) -> [Double] {
    [Double](unsafeUninitializedCapacity: mel.count) { logs, count in
      mel.withUnsafeBytes { mel in
        let whole = mel.count / 64 * 8
        for i in stride(from: 0, to: whole, by: 8) {
          let x = mel.loadUnaligned(fromByteOffset: 8 * i, as: SIMD8<Double>.self)
          let y = Elementary.log10(x.replacing(with: 1e-10, where: x .< 1e-10))
          UnsafeMutableRawPointer(logs.baseAddress! + i).storeBytes(of: y, as: SIMD8<Double>.self)
        }
        for i in whole..<logs.count {
          let x = mel.loadUnaligned(fromByteOffset: 8 * i, as: Double.self)
          logs[i] = Elementary.log10(max(x, 1e-10))
        }
      }
      count = mel.count
    }
  }

  /// The samples of some frames, [frames, window].
  private func framed(_ range: Range<Int>, of clip: [Float]) -> [Double] {
    let n = LogMel.window
    let used = min(clip.count, samples)
    return [Double](unsafeUninitializedCapacity: range.count * n) { framed, count in
      clip.withUnsafeBufferPointer { clip in
        for (row, t) in range.enumerated() {
          let start = LogMel.hop * t - n / 2
          if start >= 0, start + n <= used {
            for i in 0..<n { framed[row * n + i] = Double(clip[start + i]) }
          } else {
            for i in 0..<n {
              let place = place(of: i, inFrame: t)
              framed[row * n + i] = place.map { $0 < used ? Double(clip[$0]) : 0 } ?? 0
            }
          }
        }
      }
      count = range.count * n
    }
  }

  /// Which sample of the padded clip stands at a place of a frame; the clip is mirrored at both ends.
  private func place(of i: Int, inFrame t: Int) -> Int? {
    var place = LogMel.hop * t + i - LogMel.window / 2
    if place < 0 { place = -place }
    if place >= samples { place = 2 * (samples - 1) - place }
    return place >= 0 ? place : nil
  }

  /// The slope of a function of the features by the clip's samples.
  ///
  /// - Parameter slope: of the function by the features, [frames, bands]
  /// - Returns: one number a sample; those that are cut off have none, so 0
  public func gradient(of clip: [Float], slope: Tensor) -> [Double] {
    precondition(slope.shape == [frames, bands], "\(slope.shape) for [\(frames), \(bands)]")
    let spectra = spectra(of: clip)
    let (live, bins, n) = (spectra.live, LogMel.bins, LogMel.window)
    let slopes = slope.numbers.map { Double($0) / 4 }
    // What lies at the floor moves with the largest logarithm.
    let floor = spectra.top - 8
    var byLog = [Double](repeating: 0, count: live * bands)
    var byTop = 0.0
    for i in slopes.indices {
      if i < byLog.count, spectra.logs[i] > floor {
        byLog[i] = slopes[i]
      } else if i < byLog.count || -10 < floor {
        byTop += slopes[i]
      }
    }
    if let first = spectra.logs.firstIndex(of: spectra.top) { byLog[first] += byTop }
    let byMel = zip(byLog, spectra.mel).map { slope, mel in
      mel > 1e-10 ? slope / (mel * Elementary.log(10.0)) : 0
    }
    let byPower = matrixProduct(
      byMel, transposed(filters, rows: bands), rows: live, columns: bins, inner: bands)
    var bySpectrum = [Double](repeating: 0, count: live * 2 * bins)
    for t in 0..<live {
      for k in 0..<2 * bins {
        let i = t * 2 * bins + k
        bySpectrum[i] = 2 * spectra.spectrum[i] * byPower[t * bins + k % bins]
      }
    }
    let byFrame = matrixProduct(
      bySpectrum, transposed(waves, rows: 2 * bins), rows: live, columns: n, inner: 2 * bins)
    var bySample = [Double](repeating: 0, count: clip.count)
    for t in 0..<live {
      for i in 0..<n {
        if let place = place(of: i, inFrame: t), place < min(clip.count, samples) {
          bySample[place] += byFrame[t * n + i]
        }
      }
    }
    return bySample
  }

  private func transposed(_ numbers: [Double], rows: Int) -> [Double] {
    DoubleMatrix(rows: rows, columns: numbers.count / rows, numbers).transposed.numbers
  }
}
