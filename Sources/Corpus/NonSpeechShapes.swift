// What the sounds that are not speech are made of, kind by kind, at any level and at 16 kHz.

import Tensor

private let rate = 16_000.0

extension NonSpeech.Kind {
  /// So many samples of this kind.
  func shape(_ count: Int, _ random: inout Random) -> [Double] {
    switch self {
    case .white: return NoiseMix.white(count, &random)
    case .pink: return NoiseMix.pink(count, &random)
    case .brown: return leakyWalk(count, &random)
    case .blue:
      // The difference of neighbours raises a spectrum by 6 dB an octave.
      let pink = NoiseMix.pink(count + 1, &random)
      return zip(pink.dropFirst(), pink).map { $0 - $1 }
    case .band:
      let centre = logarithmic(200...4000, &random)
      let noise = NoiseMix.white(count, &random)
      return resonating(resonating(noise, at: centre, pole: 0.98), at: centre, pole: 0.98)
    case .wind: return gusts(count, &random)
    case .hum50: return mainsHum(50, count, &random)
    case .hum60: return mainsHum(60, count, &random)
    case .regularClicks:
      let step = random.uniform(0.1...0.9)
      return struckClicks(at: { Double($0) * step + 0.05 }, count, even: true, &random)
    case .poissonClicks:
      let clicksASecond = random.uniform(2...12)
      var (time, stream) = (0.0, random.split("times"))
      return struckClicks(
        at: { _ in
          time -= Elementary.log(1 - stream.uniform()) / clicksASecond
          return time
        }, count, even: false, &random)
    case .sine:
      let tone = Oscillator(logarithmic(100...4000, &random), random.uniform())
      return tone.samples(count).faded(rate / 50)
    case .chirp: return sweeps(count, &random)
    case .beeps: return switchedTone(count, &random)
    case .melody: return pluckedNotes(count, &random)
    case .organ: return heldChords(count, &random)
    case .chords: return struckChords(count, &random)
    case .knocks:
      return reverberant(events(knock, every: 0.2...1.5, count, &random), &random)
    case .bursts:
      return reverberant(events(burst, every: 0.4...2, count, &random), &random)
    case .dither:
      // Two uniform numbers: the triangular dither of a converter, of at most one step.
      return (0..<count).map { _ in random.uniform(-0.5...0.5) + random.uniform(-0.5...0.5) }
    case .nearSilence: return sparseSteps(count, &random)
    case .roomTone:
      var state = 0.0
      return NoiseMix.white(count, &random).map { sample in
        state += 0.05 * (sample - state)
        return state
      }
    }
  }
}

// ## Noise

/// A random walk that leaks, so that it stays in range: 1/f^2 above 5 Hz.
private func leakyWalk(_ count: Int, _ random: inout Random) -> [Double] {
  var state = 0.0
  return NoiseMix.white(count, &random).map { sample in
    state = 0.998 * state + sample
    return state
  }
}

/// Brown noise whose level rises and falls over seconds.
private func gusts(_ count: Int, _ random: inout Random) -> [Double] {
  let waves = (0..<3).map { _ in Oscillator(random.uniform(0.1...0.7), random.uniform()) }
  let gains = waves.map { $0.samples(count) }
  return leakyWalk(count, &random).enumerated().map { i, sample in
    sample * (0.2 + (1 + (gains[0][i] + gains[1][i] + gains[2][i]) / 3) / 2)
  }
}

/// A filter of two poles that rings at a frequency in hertz.
private func resonating(_ x: [Double], at frequency: Double, pole: Double) -> [Double] {
  let turn = 2 * pole * Elementary.cos(2 * .pi * frequency / rate)
  var (last, before) = (0.0, 0.0)
  return x.map { sample in
    (last, before) = (sample + turn * last - pole * pole * before, last)
    return last
  }
}

// ## Hum, clicks and tones

/// The mains and eleven harmonics of drawn strengths.
private func mainsHum(_ mains: Double, _ count: Int, _ random: inout Random) -> [Double] {
  let exact = mains * (1 + random.uniform(-0.001...0.001))
  return summed(
    (1...12).map { k in
      let strength = random.uniform(0.1...1) / Double(k)
      return Oscillator(exact * Double(k), random.uniform()).samples(count).map { strength * $0 }
    }, count)
}

/// Damped oscillations of a few milliseconds at rising times.
private func struckClicks(
  at time: (Int) -> Double, _ count: Int, even: Bool, _ random: inout Random
) -> [Double] {
  var out = [Double](repeating: 0, count: count)
  let (pitch, length) = (random.uniform(800...5000), random.uniform(0.0005...0.003))
  for i in 0... {
    // The first is always inside.
    let start = i == 0 ? min(Int(time(0) * rate), count / 2) : Int(time(i) * rate)
    if start >= count { break }
    let strength = even ? 1 : random.uniform(0.1...1)
    add(ringing(pitch, length, Int(8 * length * rate)).map { strength * $0 }, to: &out, at: start)
  }
  return out
}

/// Sweeps between two frequencies, up and down in turn.
private func sweeps(_ count: Int, _ random: inout Random) -> [Double] {
  let (low, high) = (logarithmic(80...600, &random), logarithmic(1000...6000, &random))
  let period = random.uniform(0.3...3) * rate
  var phase = 0.0
  return (0..<count).map { i in
    let cycle = Double(i) / period
    let place = cycle - 2 * (cycle / 2).rounded(.down)
    phase += (low + (high - low) * (place < 1 ? place : 2 - place)) / rate
    phase -= phase.rounded(.down)
    return Elementary.sin(2 * .pi * phase)
  }.faded(rate / 50)
}

/// A tone that is switched on and off.
private func switchedTone(_ count: Int, _ random: inout Random) -> [Double] {
  let tone = Oscillator(logarithmic(400...3000, &random), random.uniform())
  let (on, off) = (Int(random.uniform(0.08...0.6) * rate), Int(random.uniform(0.08...0.6) * rate))
  let beep = tone.samples(on).faded(rate / 200)
  var out = [Double](repeating: 0, count: count)
  for start in stride(from: 0, to: count, by: on + off) { add(beep, to: &out, at: start) }
  return out
}

// ## Music

/// A note of a major pentatonic scale, in hertz.
private func pentatonic(_ degree: Int, root: Double) -> Double {
  let steps = [0.0, 2, 4, 7, 9]
  let semitones = steps[degree % 5] + 12 * Double(degree / 5)
  return root * Elementary.exp(semitones * 0.057_762_265_046_662_1)  // ln 2 / 12
}

/// Plucked strings (Karplus and Strong, 1983), one note after another.
private func pluckedNotes(_ count: Int, _ random: inout Random) -> [Double] {
  let root = logarithmic(110...330, &random)
  let beat = random.uniform(0.15...0.5) * rate
  var out = [Double](repeating: 0, count: count)
  var (start, degree) = (0.0, 4)
  while Int(start) < count {
    degree = min(max(degree + random.below(5) - 2, 0), 9)
    let period = Int(rate / pentatonic(degree, root: root))
    var string = (0..<period).map { _ in random.uniform(-1...1) }
    let note = (0..<Int(1.5 * rate)).map { i -> Double in
      let k = i % period
      let value = string[k]
      string[k] = 0.498 * (value + string[(k + 1) % period])
      return value
    }
    add(note.faded(rate / 100), to: &out, at: Int(start))
    start += beat * Double(1 + random.below(2))
  }
  return out
}

/// Held chords of three notes with six harmonics each.
private func heldChords(_ count: Int, _ random: inout Random) -> [Double] {
  let root = logarithmic(80...250, &random)
  var out = [Double](repeating: 0, count: count)
  var start = 0
  while start < count {
    let length = Int(random.uniform(1...4) * rate)
    let parts = (0..<3).flatMap { _ -> [[Double]] in
      let note = pentatonic(random.below(10), root: root)
      return (1...6).map { k in
        Oscillator(note * Double(k), random.uniform()).samples(length).map { $0 / Double(k) }
      }
    }
    add(summed(parts, length).faded(rate / 20), to: &out, at: start)
    start += length
  }
  return out
}

/// Struck chords whose harmonics die away, the higher the sooner.
private func struckChords(_ count: Int, _ random: inout Random) -> [Double] {
  let root = logarithmic(110...300, &random)
  let beat = random.uniform(0.35...1)
  var out = [Double](repeating: 0, count: count)
  for start in stride(from: 0, to: count, by: Int(beat * rate)) {
    for _ in 0..<3 {
      let note = pentatonic(random.below(10), root: root)
      for k in 1...5 {
        let partial = ringing(note * Double(k), 0.5 / Double(k), Int(1.5 * rate))
        add(partial.map { $0 / Double(k) }, to: &out, at: start)
      }
    }
  }
  return out
}

// ## Rooms and silence

/// Short sounds at drawn distances in seconds, the first at the beginning.
private func events(
  _ event: (inout Random) -> [Double], every distance: ClosedRange<Double>, _ count: Int,
  _ random: inout Random
) -> [Double] {
  var out = [Double](repeating: 0, count: count)
  var start = 0
  while start < count {
    add(event(&random), to: &out, at: start)
    start += Int(random.uniform(distance) * rate)
  }
  return out
}

private func knock(_ random: inout Random) -> [Double] {
  let pitch = random.uniform(90...300)
  return summed(
    [1.0, 2.3, 3.7].map { ringing(pitch * $0, 0.012, 1600) }, 1600)
}

private func burst(_ random: inout Random) -> [Double] {
  NoiseMix.white(Int(random.uniform(0.05...0.2) * rate), &random).faded(rate / 200)
}

/// Schroeder's reverberator (1962): four combs that die away by 60 dB in a drawn time, and two
/// all-passes behind them.
private func reverberant(_ x: [Double], _ random: inout Random) -> [Double] {
  let time = random.uniform(0.4...2.5)
  let combs = [0.0297, 0.0371, 0.0411, 0.0437].map { delay -> [Double] in
    let lag = Int(delay * random.uniform(0.9...1.1) * rate)
    let gain = Elementary.exp(-6.907_755_278_982_137 * Double(lag) / rate / time)  // ln 1000
    var out = x
    for i in out.indices where i >= lag { out[i] += gain * out[i - lag] }
    return out
  }
  var out = summed(combs, x.count)
  for delay in [0.005, 0.0017] {
    let (lag, gain) = (Int(delay * rate), 0.7)
    let own = out
    for i in out.indices {
      let (back, past) = i >= lag ? (out[i - lag], own[i - lag]) : (0, 0)
      out[i] = -gain * own[i] + past + gain * back
    }
  }
  return out
}

/// Digital silence with a single step now and then.
private func sparseSteps(_ count: Int, _ random: inout Random) -> [Double] {
  var out = [Double](repeating: 0, count: count)
  let steps = max(1, Int(random.uniform(1...20) * Double(count) / rate))
  for _ in 0..<steps { out[random.below(count)] = random.below(2) == 0 ? 1 : -1 }
  return out
}

// ## What they share

/// A sine that goes on by turning a vector, which costs no function a sample.
private struct Oscillator {
  private let frequency: Double
  private let phase: Double

  /// - Parameters:
  ///   - frequency: in hertz
  ///   - phase: in cycles
  init(_ frequency: Double, _ phase: Double) {
    (self.frequency, self.phase) = (frequency, phase)
  }

  func samples(_ count: Int) -> [Double] {
    let step = 2 * Double.pi * frequency / rate
    let (c, s) = (Elementary.cos(step), Elementary.sin(step))
    var (x, y) = (Elementary.cos(2 * .pi * phase), Elementary.sin(2 * .pi * phase))
    return (0..<count).map { _ in
      let value = y
      (x, y) = (x * c - y * s, x * s + y * c)
      return value
    }
  }
}

/// A sine that dies away.
///
/// - Parameters:
///   - frequency: in hertz
///   - decay: seconds until 1/e is left
private func ringing(_ frequency: Double, _ decay: Double, _ count: Int) -> [Double] {
  let shrink = Elementary.exp(-1 / (decay * rate))
  var gain = 1.0
  return Oscillator(frequency, 0).samples(count).map { value in
    defer { gain *= shrink }
    return gain * value
  }
}

/// A number whose logarithm is uniform.
private func logarithmic(_ range: ClosedRange<Double>, _ random: inout Random) -> Double {
  Elementary.exp(
    random.uniform(Elementary.log(range.lowerBound)...Elementary.log(range.upperBound)))
}

/// Adds a piece from a place on, as far as there is room.
private func add(_ piece: [Double], to out: inout [Double], at start: Int) {
  for i in 0..<min(piece.count, out.count - start) { out[start + i] += piece[i] }
}

private func summed(_ parts: [[Double]], _ count: Int) -> [Double] {
  var out = [Double](repeating: 0, count: count)
  for part in parts { add(part, to: &out, at: 0) }
  return out
}

extension Array where Element == Double {
  /// With straight ramps of so many samples at both ends.
  fileprivate func faded(_ ramp: Double) -> [Double] {
    enumerated().map { i, value in
      value * Swift.min(1, Double(i) / ramp, Double(count - 1 - i) / ramp)
    }
  }
}
