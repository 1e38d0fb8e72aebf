// Parity of the front end alone.

import JSON
import Speech
import Tensor

/// Compares the log-mel features of every clip of a folder of golden data, at 80 and 128 bands, at
/// 5e-5: the reference's Fourier transform is in Float32 and itself off by up to 3.2e-5.
public func logMelParity(folder: String) throws -> [ParityRow] {
  let expected = try Safetensors(path: "\(folder)/expected.safetensors")
  let info = try readJSON("\(folder)/info.json")
  let front = [80, 128].map { LogMel(bands: $0, samples: 30 * LogMel.rate) }
  var rows: [ParityRow] = []
  for (clip, facts) in try info.object("clips").sorted(by: { $0.key < $1.key }) {
    let wave = try expected.tensor("\(clip)/wave").numbers
    for features in front {
      let key = "mel\(features.bands)"
      let mel = features(wave)
      // The golden data hold the first frames, and a summary of all of them.
      let reference = try expected.tensor("\(clip)/\(key)")
      let first = transposed(gatherRows(mel, Array(0..<reference.width)))
      rows.append(
        ParityRow(
          name: "\(clip)/\(key)", difference: Double(first.largestDifference(to: reference)),
          tolerance: 5e-5))
      let summary = facts[key] ?? [:]
      let numbers = mel.numbers
      let mean = numbers.reduce(0.0) { $0 + Double($1) } / Double(numbers.count)
      for (name, value) in [
        ("min", Double(numbers.min()!)), ("max", Double(numbers.max()!)), ("mean", mean),
        ("tail_value", Double(numbers[numbers.count - 1])),
      ] {
        rows.append(
          ParityRow(
            name: "\(clip)/\(key) \(name)", difference: abs(value - (try summary.double(name))),
            tolerance: 5e-5))
      }
    }
    let valid = try facts.int("valid_frames")
    rows.append(
      ParityRow(
        name: "\(clip)/valid frames",
        difference: abs(Double(front[0].validFrames(samples: wave.count) - valid)), tolerance: 0))
  }
  return rows
}
