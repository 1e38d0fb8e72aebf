// The log-mel front end of Whisper, in Double: 400-point windows every 10 ms as one matrix product
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
    let spectra = spectra(of: clip)
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
    /// [live, 2 * bins]: real parts, then imaginary ones.
    let spectrum: [Double]
    /// Powers in mel bands and their logarithms, [live, bands].
    let mel: [Double]
    let logs: [Double]
    /// The largest logarithm of the whole clip.
    let top: Double
  }

  private func spectra(of clip: [Float]) -> Spectra {
    let n = LogMel.window
    let used = min(clip.count, samples)
    // Frame t reads samples 160 t - 200 to 160 t + 199, so this is past the last that sees sound.
    let live = min(frames, (used + n / 2) / LogMel.hop + 1)
    var framed = [Double](repeating: 0, count: live * n)
    for t in 0..<live {
      for i in 0..<n {
        if let place = place(of: i, inFrame: t), place < used {
          framed[t * n + i] = Double(clip[place])
        }
      }
    }
    let spectrum = matrixProduct(framed, waves, rows: live, columns: 2 * LogMel.bins, inner: n)
    var power = [Double](repeating: 0, count: live * LogMel.bins)
    for t in 0..<live {
      for k in 0..<LogMel.bins {
        let re = spectrum[t * 2 * LogMel.bins + k]
        let im = spectrum[t * 2 * LogMel.bins + LogMel.bins + k]
        power[t * LogMel.bins + k] = re * re + im * im
      }
    }
    let mel = matrixProduct(power, filters, rows: live, columns: bands, inner: LogMel.bins)
    let logs = mel.map { Elementary.log10(max($0, 1e-10)) }
    // Frames beyond the clip hold log10(1e-10); they count for the maximum only if nothing else.
    let top = max(logs.max() ?? -10, live < frames ? -10 : -.infinity)
    return Spectra(live: live, spectrum: spectrum, mel: mel, logs: logs, top: top)
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
