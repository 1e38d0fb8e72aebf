// What the trainer sees of the corpus.

import Foundation

/// One spoken sentence to train on, 16 kHz.
struct TrainingUtterance {
  /// The words that are said.
  let text: [String]
  let voice: Voice
  let samples: [Int16]
  /// Every phone with its end in samples, pauses included; nil where the engine does not tell.
  let phones: [(name: String, endSample: Int)]?

  /// What can be asked about it, the transcription first.
  var questions: [Question] { Sentence(text: text.joined(separator: " "))?.questions ?? [] }
}

extension TrainingSet {
  /// The utterances of one voice in the manifest's order; an error where the cache is absent or
  /// is not what the manifest says.
  func utterances(_ voice: Voice) throws -> [TrainingUtterance] {
    guard let part = try readManifest().first(where: { $0.voice == voice }) else {
      throw CorpusError("training.json has no voice \(voice)")
    }
    return try utterances(part)
  }

  /// All utterances, voice by voice.
  func utterances() throws -> [TrainingUtterance] { try readManifest().flatMap(utterances) }

  private func utterances(_ part: Part) throws -> [TrainingUtterance] {
    let spoken = try cache(part.voice).read()
    guard cache(part.voice).digest == part.sha256, spoken.count == part.rows.count else {
      throw CorpusError(
        "build/training/\(part.voice) is not what data-manifests/training.json says: "
          + "run `reproduce corpus`")
    }
    return zip(part.rows, spoken).map { row, spoken in
      let names = Request.free(words: row.words, rate: 1, pitch: 1).phones
      let phones = spoken.ends.map { zip(names, $0).map { (name: $0, endSample: $1) } }
      return TrainingUtterance(
        text: row.words, voice: part.voice, samples: spoken.samples, phones: phones)
    }
  }
}
