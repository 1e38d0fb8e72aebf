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
    let n = LogMel.window
    let used = min(clip.count, samples)
    // Frame t reads samples 160 t - 200 to 160 t + 199, so this is past the last that sees sound.
    let live = min(frames, (used + n / 2) / LogMel.hop + 1)
    func sample(_ i: Int) -> Double {
      var i = i < 0 ? -i : i
      if i >= samples { i = 2 * (samples - 1) - i }
      return i >= 0 && i < used ? Double(clip[i]) : 0
    }
    var framed = [Double](repeating: 0, count: live * n)
    for t in 0..<live {
      for i in 0..<n { framed[t * n + i] = sample(LogMel.hop * t + i - n / 2) }
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
    func scaled(_ x: Double) -> Float { Float((max(x, top - 8) + 4) / 4) }
    return Tensor(
      [frames, bands],
      logs.map(scaled)
        + [Float](repeating: scaled(-10), count: (frames - live) * bands))
  }
}
