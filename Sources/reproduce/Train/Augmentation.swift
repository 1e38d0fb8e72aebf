// What is varied each time an utterance is visited: level, silence, noise; the spectrum's tilt and
// warp; short masks in time and frequency (SpecAugment, Park et al., 2019).

import Speech
import Tensor

/// Silence in front, a gain of up to 6 dB either way, and noise at 10 to 30 dB on every third.
func augmentedWave(_ samples: [Int16], lead: Int, _ draws: inout Random) -> [Float] {
  let gain = Float(Elementary.exp(draws.uniform(-0.69...0.69)))
  var wave = [Float](repeating: 0, count: lead + samples.count)
  var energy = 0.0
  for (i, sample) in samples.enumerated() {
    let value = Float(sample) / 32768 * gain
    wave[lead + i] = value
    energy += Double(value * value)
  }
  let noisy = draws.uniform() < 0.33
  // Without noise a dither of one step keeps silence from being exactly zero, as recordings do.
  var level = Float(1.0 / 32768)
  if noisy {
    let ratio = draws.uniform(10...30)
    let power = energy / Double(max(samples.count, 1))
    level = Float((power * Elementary.exp(-ratio / 10 * 2.302_585_092_994_046)).squareRoot())
  }
  // White, or brown-ish by a one-pole filter of the same power.
  let pole = noisy && draws.uniform() < 0.5 ? Float(0.9) : 0
  let scale = level * 1.732 * (1 - pole * pole).squareRoot()
  var state: Float = 0
  for i in wave.indices {
    state = pole * state + Float(draws.uniform() * 2 - 1) * scale
    wave[i] += state
  }
  return wave
}

/// A smooth equaliser, a warp of the mel axis, and masks.
func augmentedMel(_ mel: Tensor, valid: Int, _ random: Random) -> Tensor {
  var draws = random
  let bands = mel.width
  var numbers = mel.numbers
  var tilt = [Float](repeating: 0, count: bands)
  for k in 1...4 {
    let amplitude = Float(0.05 * draws.normal())
    for b in 0..<bands {
      tilt[b] +=
        amplitude
        * Float(Elementary.cos(.pi * Double(k) * (Double(b) + 0.5) / Double(bands)))
    }
  }
  let warp = draws.uniform(0.93...1.07)
  let sources = (0..<bands).map { b -> (Int, Float) in
    let place = min(Double(b) * warp, Double(bands - 1) - 1e-6)
    return (Int(place), Float(place - place.rounded(.down)))
  }
  let bandMask = draws.uniform() < 0.5 ? draws.below(13) : 0
  let bandStart = draws.below(bands - 12)
  let frameMask = draws.uniform() < 0.5 ? draws.below(6) : 0
  let frameStart = draws.below(max(1, valid - 6))
  // Masks hold the clip's mean, which is what an average frame is to the model.
  let mean = numbers[0..<(valid * bands)].reduce(0, +) / Float(valid * bands)
  for t in 0..<mel.rows {
    let masked = t >= frameStart && t < frameStart + frameMask
    for b in 0..<bands {
      let (low, weight) = sources[b]
      let value = mel[t * bands + low] * (1 - weight) + mel[t * bands + low + 1] * weight
      let hidden = masked || (b >= bandStart && b < bandStart + bandMask)
      numbers[t * bands + b] = hidden ? mean : value + (t < valid ? tilt[b] : 0)
    }
  }
  return Tensor(mel.shape, numbers)
}
