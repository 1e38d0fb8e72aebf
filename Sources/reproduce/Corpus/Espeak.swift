// Formant voices by the espeak-ng program, for variety in training only.
//
// espeak-ng is under the GPL and is only ever started as a program. Its sound depends on what the
// process said before, so every utterance gets a process of its own.

import Foundation

struct Espeak {
  /// Accents and timbres that sound like people; whispering and croaking ones are left out.
  static let variants = [
    "en-us", "en-gb", "en-us+m1", "en-us+m2", "en-us+m3", "en-us+m7", "en-us+f1", "en-us+f2",
    "en-us+f5", "en-us+Andy", "en-us+belinda", "en-gb+m4", "en-gb+f3",
  ]

  private let program: URL
  private let folder: URL

  init(folder: URL) throws {
    program = try Subprocess.locate("espeak-ng", package: "espeak-ng")
    self.folder = folder
  }

  /// - Parameters:
  ///   - rate: stretch; 1 is 165 words a minute.
  ///   - pitch: factor; 1 is espeak's 50.
  func speak(_ words: [String], variant: String, rate: Double, pitch: Double) throws -> Spoken {
    let path = folder.appendingPathComponent("espeak.wav").path
    try Subprocess.run(
      program,
      [
        "-v", variant, "-s", "\(Int((165 / rate).rounded()))", "-p",
        "\(Int((50 * pitch).rounded()))", "-w", path, words.joined(separator: " "),
      ], failure: "espeak-ng has no voice \(variant); apt-get install espeak-ng espeak-ng-data")
    let (samples, rate) = try Clip.riff(path)
    guard rate == 22050 else { throw CorpusError("espeak-ng spoke at \(rate) Hz, not 22050") }
    try FileManager.default.removeItem(atPath: path)
    return Spoken(samples: Clip.padded(Clip.resampled(samples)), ends: nil)
  }
}
