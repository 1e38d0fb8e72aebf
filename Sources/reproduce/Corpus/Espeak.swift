// Formant voices by the espeak-ng program, for variety in training only.
//
// espeak-ng is under the GPL and is only ever started as a program. Its sound depends on what the
// process said before, so every utterance gets a process of its own.

import Foundation

struct Espeak {
  /// Accents and timbres that sound like people; whispering and croaking ones are left out.
  static let variants = [
    "en-us", "en-gb", "en-us+m1", "en-us+m2", "en-us+m3", "en-us+m7", "en-us+f1", "en-us+f2",
    "en-us+f5", "en-us+Andy", "en-us+belinda", "en-gb+m4", "en-gb+f3", "en-us+m4", "en-us+m5",
    "en-us+steph", "en-gb+f1", "en-gb+m7",
  ]

  /// Variants that no training utterance has, for evaluation: another timbre, and another accent and
  /// timbre.
  static let neverHeard = ["en-us+f4", "en-gb-scotland+Lee"]

  private let program: URL
  private let folder: URL

  /// - Parameter folder: an existing folder for scripts and sounds on their way.
  init(folder: URL) throws {
    program = try Subprocess.locate("espeak-ng", package: "espeak-ng")
    self.folder = folder
  }

  /// The rows' words with silence at either end. Their mode is the variant, a rate of 1 is 165
  /// words a minute, a pitch of 1 is espeak's 50.
  func speak(_ rows: [Row]) throws -> [Spoken] {
    var script = "set -e\n"
    for (i, row) in rows.enumerated() {
      guard (Espeak.variants + Espeak.neverHeard).contains(row.mode) else {
        throw CorpusError("espeak-ng is not used with the voice \"\(row.mode)\"")
      }
      let (rate, pitch) = (row.delivery.rate, row.delivery.pitch)
      let (speed, height) = (Int((165 / rate).rounded()), Int((50 * pitch).rounded()))
      let text = row.delivery.isAsking ? row.text + "?" : row.text
      script += "\"$0\" -v \(row.mode) -s \(speed) -p \(height) -w \(i).wav \"\(text)\"\n"
    }
    // One shell for all of them: starting a program from here takes longer than speaking does.
    try Subprocess.run(
      URL(fileURLWithPath: "/bin/sh"), ["-c", script, program.path], in: folder,
      failure: "espeak-ng lacks a voice, or stopped; apt-get install espeak-ng espeak-ng-data")
    return try rows.indices.map { i in
      let path = folder.appendingPathComponent("\(i).wav").path
      let (samples, rate) = try Clip.riff(path)
      guard rate == 22050 else { throw CorpusError("espeak-ng spoke at \(rate) Hz, not 22050") }
      try FileManager.default.removeItem(atPath: path)
      return Spoken(samples: Clip.padded(Clip.resampled(samples)), ends: nil)
    }
  }
}
