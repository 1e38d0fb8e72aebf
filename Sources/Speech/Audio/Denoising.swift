// Less noise in a recording, by libspeexdsp, the only file that imports it: a filter that keeps an estimate
// of what is stationary and takes it away frame by frame (Ephraim and Malah, 1984, with a speech-presence
// probability). It needs no reference and no training, and runs on one thread.

import CSpeexDSP

extension Waveform {
  /// What the preprocessor takes away at most, in dB.
  public static let plausibleSuppressions = 1...60

  /// The same sound with less noise, as long and without delay, in steps of 16 bits.
  ///
  /// - Parameter decibels: the most that is taken away of what is taken for noise
  /// - Throws: `AudioError` for a rate other than 16 kHz, samples that are not finite, and a strength outside
  ///   `plausibleSuppressions`.
  public func denoised(by decibels: Int) throws -> Waveform {
    guard rate == LogMel.rate else {
      throw AudioError(
        "denoising", "\(rate) Hz", advice: "resample it to \(LogMel.rate) Hz first")
    }
    guard Waveform.plausibleSuppressions.contains(decibels) else {
      throw AudioError(
        "denoising", "a suppression of \(decibels) dB",
        advice: "give one of \(Waveform.plausibleSuppressions) dB")
    }
    try checkUsable("denoising")
    // The library's own advice is 10 to 20 ms a frame. What it gives is one frame late.
    let frame = 320
    guard let state = speex_preprocess_state_init(Int32(frame), Int32(rate)) else {
      throw AudioError("denoising", "libspeexdsp has no memory", advice: "free some")
    }
    defer { speex_preprocess_state_destroy(state) }
    func set(_ request: Int32, _ value: Int32) {
      var value = value
      speex_preprocess_ctl(state, request, &value)
    }
    set(SPEEX_PREPROCESS_SET_DENOISE, 1)
    set(SPEEX_PREPROCESS_SET_NOISE_SUPPRESS, -Int32(decibels))
    let whole = (samples.count + frame - 1) / frame * frame + frame
    var pcm = samples.map { Int16(max(-32768, min(32767, ($0 * 32768).rounded(.toNearestOrEven)))) }
    pcm += [Int16](repeating: 0, count: whole - samples.count)
    pcm.withUnsafeMutableBufferPointer { buffer in
      for start in stride(from: 0, to: whole, by: frame) {
        speex_preprocess_run(state, buffer.baseAddress! + start)
      }
    }
    return Waveform(
      samples: pcm[frame..<(frame + samples.count)].map { Float($0) / 32768 }, rate: rate)
  }
}
