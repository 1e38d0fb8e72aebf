// Free speech on disk, to train a projector on and to test it with words it never heard.

import Corpus
import Foundation

/// One spoken sentence of free speech, 16 kHz.
struct FreeUtterance {
  /// Its voice and its place in the manifest, as "rms/12": a voice may say a sentence twice.
  let id: String
  let sentence: FreeSentence
  let voice: Voice
  let manner: Manner
  let samples: [Int16]
}

struct FreeSpeech {
  private let set: SpokenSet

  init(_ repository: Repository) {
    set = SpokenSet(
      repository: repository, title: "free-speech", name: "free-speech",
      about: "Synthetic English sentences of many words, to train what joins a speech encoder and "
        + "a language model; sentences with a word that FreeWords holds out are its test")
  }

  /// Speaks what is not there yet and writes the manifest, or says what differs from it.
  func make(write: Bool) throws -> [String] {
    guard write else { return try set.compare(check: check) }
    try set.write(FreePlan.rows(), check: check)
    return []
  }

  /// The manifest's rows, voice by voice.
  func readManifest() throws -> [SpokenSet.Part] { try set.readManifest() }

  /// What is trained on, voice by voice; an error where the sound is absent or is not what the
  /// manifest says.
  func utterances() throws -> [FreeUtterance] { try all().filter(\.sentence.heldOut.isEmpty) }

  /// Sentences with a word that no training sentence has, voice by voice.
  func testUtterances() throws -> [FreeUtterance] {
    try all().filter { !$0.sentence.heldOut.isEmpty }
  }

  private func all() throws -> [FreeUtterance] {
    let parts = try readManifest()
    try check(parts)
    return try parts.flatMap { part in
      try set.read(part).enumerated().map { place, spoken in
        let (row, spoken) = spoken
        return FreeUtterance(
          id: "\(part.voice)/\(place)", sentence: FreeSentence(text: row.text)!, voice: part.voice,
          manner: Manner(speaker: part.voice.speaker, isAsking: false, rate: row.delivery.rate),
          samples: spoken.samples)
      }
    }
  }

  private func check(_ parts: [SpokenSet.Part]) throws {
    for part in parts {
      for row in part.rows where FreeSentence(text: row.text) == nil {
        throw CorpusError(
          "free-speech.json: \(part.voice) says \"\(row.text)\", which fits no frame; "
            + "write the manifest again with `reproduce corpus --part free --write`")
      }
    }
  }
}
