// The training set of minimal pairs' words, on disk.

import Corpus
import Foundation

struct TrainingSet {
  private let set: SpokenSet

  init(_ repository: Repository) {
    set = SpokenSet(
      repository: repository, title: "training", name: "spoken-minimal-pairs-training",
      about: "Synthetic English sentences to train a small speech LM on")
  }

  /// Speaks what is not there yet and writes the manifest, or says what differs from it.
  func make(write: Bool) throws -> [String] {
    let evaluation = Set(EvaluationPlan.pairs().flatMap { [$0.clean.text, $0.corrupt.text] })
    func check(_ parts: [SpokenSet.Part]) throws { try self.check(parts, evaluation) }
    guard write else { return try set.compare(check: check) }
    try set.write(TrainingPlan.rows(excluding: evaluation), check: check)
    return []
  }

  func cache(_ voice: Voice) -> VoiceCache { set.cache(voice) }

  /// The manifest's rows, voice by voice.
  func readManifest() throws -> [SpokenSet.Part] { try set.readManifest() }

  /// One voice's rows with their sound.
  func read(_ part: SpokenSet.Part) throws -> [(row: Row, spoken: Spoken)] { try set.read(part) }

  /// No training text is an evaluation sentence or held out.
  private func check(_ parts: [SpokenSet.Part], _ evaluation: Set<String>) throws {
    for part in parts {
      for row in part.rows where evaluation.contains(row.text) {
        throw CorpusError("training.json: \(part.voice) says the evaluation text \"\(row.text)\"")
      }
      for row in part.rows where Sentence(text: row.text)?.isHeldOut != false {
        throw CorpusError("training.json: \(part.voice) says the held-out text \"\(row.text)\"")
      }
    }
  }
}
