// Resampling by a windowed sinc, as codecs are published with: a cut-off at 0.99 of the lower rate
// and six zero crossings under a Hann window, in Double.

import Tensor

/// A recording at another rate; the formula of torchaudio's `sinc_interp_hann` with its defaults.
///
/// - Returns: ceil(samples * to / from) samples
public func resampled(_ samples: [Float], from: Int, to: Int) -> [Float] {
  var (a, b) = (from, to)
  while b != 0 { (a, b) = (b, a % b) }
  let (old, new) = (from / a, to / a)
  if old == new { return samples }
  let zeros = 6.0
  let base = Double(min(old, new)) * 0.99
  let width = Int((zeros * Double(old) / base).rounded(.up))
  let taps = 2 * width + old
  let kernels = (0..<new).map { phase in
    (0..<taps).map { i -> Double in
      let place = Double(i - width) / Double(old) - Double(phase) / Double(new)
      let t = min(max(place * base, -zeros), zeros)
      let window = Elementary.cos(t * Double.pi / zeros / 2)
      let sinc = t == 0 ? 1 : Elementary.sin(t * Double.pi) / (t * Double.pi)
      return sinc * window * window * base / Double(old)
    }
  }
  let count = (new * samples.count + old - 1) / old
  return (0..<count).map { i in
    let (block, kernel) = (i / new, kernels[i % new])
    var sum = 0.0
    for tap in 0..<taps {
      let source = block * old + tap - width
      if source >= 0 && source < samples.count { sum += Double(samples[source]) * kernel[tap] }
    }
    return Float(sum)
  }
}
