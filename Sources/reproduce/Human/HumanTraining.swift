// Strings of recorded digits to train on.

import Corpus
import Foundation
import Interventions
import JSON
import Speech
import Tensor

enum HumanTraining {
  /// Strings by each speaker.
  static let count = 700

  /// Strings of three digits by one speaker each, from the recordings that are not for testing.
  ///
  /// - Parameter evaluation: texts that are not to be said
  /// - Throws: where there are no recordings, or not those of the manifest
  static func utterances(_ repository: Repository, excluding evaluation: Set<String>) throws
    -> [TrainingUtterance]
  {
    let manifest = try DigitManifest(repository)
    guard let found = try manifest.recordings(repository) else {
      throw CorpusError(
        "training needs the recorded digits that data-manifests/\(DigitManifest.name) lists: run "
          + "`make data`, or set \(HumanRecordings.variable) to a folder that has them")
    }
    let recordings = manifest.recordings.filter { !$0.isTest }
    let clips = try mapInParallel(recordings.count) { try found.clip(recordings[$0].name) }
    let byName = Dictionary(uniqueKeysWithValues: zip(recordings.map(\.name), clips))
    return try DigitManifest.speakers.flatMap { speaker in
      let own = Dictionary(grouping: recordings.filter { $0.speaker == speaker }, by: \.digit)
      return try (0..<count).map { try string($0, speaker, own, byName, evaluation) }
    }
  }

  /// One string; it is drawn again where its text is not for training or it is too long for a clip.
  private static func string(
    _ index: Int, _ speaker: String, _ recordings: [Int: [DigitManifest.Recording]],
    _ clips: [String: DigitClip], _ evaluation: Set<String>
  ) throws -> TrainingUtterance {
    var draws = Draws("training/\(speaker)/\(index)")
    while true {
      let sentence = Sentence(.e, draws: &draws)
      let names = sentence.words.map { word in
        draws.pick(recordings[Lexicon.digits.firstIndex(of: word)!]!).name
      }
      let gap = Int(draws.uniform(0.02, 0.15) * Double(LogMel.rate))
      let string = DigitString(
        gap: gap,
        parts: names.map { name in
          DigitString.Part(
            recording: name, gain: clips[name]!.gain, length: clips[name]!.samples.count)
        })
      let fits = Double(string.count) < 2.8 * Double(LogMel.rate)
      if sentence.isHeldOut || evaluation.contains(sentence.text) || !fits { continue }
      return TrainingUtterance(
        sentence, manner: Manner(speaker: speaker),
        samples: try string.samples { clips[$0]! },
        words: zip(sentence.words, string.spans).map { ($0, $1) })
    }
  }
}
