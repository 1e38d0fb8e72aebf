// The filterbank features of Kaldi, which BEATs hears, in Double: windows of 25 ms every 10 ms with
// pre-emphasis and Povey's window, and the logarithm of 128 mel bands.

import Tensor

/// Kaldi's filterbank with the constants of BEATs (Chen et al., 2022).
///
/// Reference: `torchaudio.compliance.kaldi.fbank` on samples scaled to 16 bits, without dither.
struct KaldiFilterbank: Sendable {
  static let bands = 128
  private static let (window, hop, fourier) = (400, 160, 512)
  private static let bins = fourier / 2

  /// [2 * bins, window]: Povey's window times cosines, and times sines.
  private let waves: [Double]
  /// [bands, bins]
  private let filters: [Double]

  init() {
    let (n, bins) = (Self.window, Self.bins)
    let povey = (0..<n).map { i -> Double in
      let hann = 0.5 - 0.5 * Elementary.cos(2 * Double.pi * Double(i) / Double(n - 1))
      return hann > 0 ? Elementary.exp(0.85 * Elementary.log(hann)) : 0
    }
    var waves = [Double](repeating: 0, count: 2 * bins * n)
    for k in 0..<bins {
      for i in 0..<n {
        let angle = 2 * Double.pi * Double(k * i % Self.fourier) / Double(Self.fourier)
        waves[k * n + i] = povey[i] * Elementary.cos(angle)
        waves[(bins + k) * n + i] = povey[i] * Elementary.sin(angle)
      }
    }
    self.waves = waves
    // The reference's filters are in Float32 whatever the samples are, and on the mel scale, where
    // neighbouring bins lie close together, that shows in the sixth digit; so each step is rounded.
    func mel(_ hertz: Double) -> Double { 1127 * Elementary.log(1 + hertz / 700) }
    let low = mel(20)
    let width = Float((mel(8000) - low) / Double(Self.bands + 1))
    let places = (0..<bins).map { k -> Float in
      let hertz = 16_000 / Float(Self.fourier) * Float(k)
      return 1127 * Float(Elementary.log(Double(1 + hertz / 700)))
    }
    var filters = [Double](repeating: 0, count: Self.bands * bins)
    for band in 0..<Self.bands {
      let (left, centre, right) = (
        Float(low) + Float(band) * width, Float(low) + Float(band + 1) * width,
        Float(low) + Float(band + 2) * width
      )
      for (k, place) in places.enumerated() {
        let (up, down) = ((place - left) / (centre - left), (right - place) / (right - centre))
        filters[band * bins + k] = Double(max(0, min(up, down)))
      }
    }
    self.filters = filters
  }

  /// - Parameter samples: at 16 kHz, in [-1, 1]
  /// - Returns: [frames, bands], normalised as BEATs does; frame t is samples 160 t to 160 t + 399
  func callAsFunction(_ samples: [Float]) -> Tensor {
    let (n, bins) = (Self.window, Self.bins)
    let frames = samples.count < n ? 0 : 1 + (samples.count - n) / Self.hop
    var framed = [Double](repeating: 0, count: frames * n)
    for t in 0..<frames {
      let own = (0..<n).map { 32_768 * Double(samples[Self.hop * t + $0]) }
      let mean = own.reduce(0, +) / Double(n)
      for i in 0..<n {
        framed[t * n + i] = own[i] - mean - 0.97 * (own[max(i - 1, 0)] - mean)
      }
    }
    let spectrum = matrixProduct(framed, waves, rows: frames, columns: 2 * bins, inner: n)
    var power = [Double](repeating: 0, count: frames * bins)
    for t in 0..<frames {
      for k in 0..<bins {
        let (re, im) = (spectrum[2 * t * bins + k], spectrum[(2 * t + 1) * bins + k])
        power[t * bins + k] = re * re + im * im
      }
    }
    let energies = matrixProduct(power, filters, rows: frames, columns: Self.bands, inner: bins)
    return Tensor(
      [frames, Self.bands],
      energies.map { energy in
        Float((Elementary.log(max(energy, 1.192_092_9e-7)) - 15.41663) / (2 * 6.55582))
      })
  }
}
