// Change of sampling rate through libsoxr, the only file that imports it.
//
// The quality is libsoxr's "very high" (28 bits, double precision inside), in one call on one
// thread, so that the result depends on neither block sizes nor the number of cores.

import CSoxr

extension Waveform {
  /// The same sound at another rate: linear phase, no delay, level within 0.01 dB up to 91% of the
  /// lower of the two Nyquist frequencies, and `ceil(count * rate / self.rate)` samples.
  ///
  /// At the same rate the samples pass unchanged, bit for bit.
  ///
  /// - Parameter rate: samples per second.
  /// - Throws: `AudioError` for a rate outside `plausibleRates` or samples that are not finite.
  public func resampled(to rate: Int) throws -> Waveform {
    if rate == self.rate { return self }
    for value in [self.rate, rate] where !Waveform.plausibleRates.contains(value) {
      throw AudioError(
        "resampling", "\(value) Hz is no plausible sampling rate",
        advice: "give one in \(Waveform.plausibleRates) Hz")
    }
    try checkUsable("resampling")
    let count = (samples.count * rate + self.rate - 1) / self.rate
    var out = [Float](repeating: 0, count: count)
    var consumed = 0
    var produced = 0
    var format = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I)
    var quality = soxr_quality_spec(UInt(SOXR_28_BITQ), 0)
    var runtime = soxr_runtime_spec(1)
    let error = soxr_oneshot(
      Double(self.rate), Double(rate), 1, samples, samples.count, &consumed, &out, count,
      &produced, &format, &quality, &runtime)
    guard error == nil, consumed == samples.count else {
      throw AudioError(
        "resampling", error.map { String(cString: $0) } ?? "libsoxr left samples over",
        advice: "please report this, with the recording")
    }
    // libsoxr rounds the count where this rounds up; the one sample that may lack stays zero.
    return Waveform(samples: out, rate: rate)
  }
}
