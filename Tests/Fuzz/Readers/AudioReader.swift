// Audio files: whatever libsndfile makes of them, the samples are finite and at the models' rate.

import Speech

func readAudio(_ bytes: [UInt8]) throws {
  let path = "\(scratch)/sound"
  write(bytes, to: path)
  let wave = try Waveform(contentsOf: path)
  precondition(wave.rate == Waveform.modelRate && !wave.samples.isEmpty)
  precondition(wave.samples.allSatisfy(\.isFinite))
}
