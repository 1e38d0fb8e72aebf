// `reproduce mixtures`: speech in noise as files, to be listened to and for other programs to hear.

import ArgumentParser
import Corpus
import Foundation
import Notebook
import Speech
import Tensor

struct Mixtures: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mixtures",
    abstract: "Writes the noise set's recordings as FLAC.",
    discussion: """
      Mixtures are not stored: each is a function of the recordings, the seed and the ratio that \
      data-manifests/noise.json lists.
      """)

  @Option(help: "The folder that they are written to.") var out = "build/noise"
  @Option(help: "Of this split alone.") var split: String?
  @Option(help: "At this ratio of speech to noise in dB alone.") var ratio: Double?

  func run() throws {
    let repository = try Repository()
    let path = "data-manifests/noise.json"
    let suite = try PairSuite(manifest: repository.url(path).path)
    let chosen = suite.pairs.map(\.corrupt).filter { utterance in
      guard case .mixture(_, let noise) = utterance.sound else { return false }
      return (split ?? utterance.split) == utterance.split && (ratio ?? noise.ratio) == noise.ratio
    }
    guard !chosen.isEmpty else {
      throw CorpusError(
        "\(path): no recording of that split at that ratio; splits are discovery, validation and test, "
          + "ratios 20, 10, 5, 0 and -5")
    }
    try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
    _ = try mapInParallel(chosen.count) { i in
      try chosen[i].waveform(root: repository.root.path).write(to: "\(out)/\(chosen[i].id).flac")
    }
    print("\(chosen.count) recordings in \(out)")
  }
}
