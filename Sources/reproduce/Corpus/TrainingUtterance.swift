// What the trainer sees of the corpus.

import Corpus
import Foundation

/// One spoken sentence to train on, 16 kHz.
struct TrainingUtterance {
  let sentence: Sentence
  let manner: Manner
  let samples: [Int16]
  /// Every phone with its end in samples, pauses included; nil where nobody tells.
  let phones: [(name: String, endSample: Int)]?
  /// Every word with its place in samples; nil where nobody tells.
  let words: [(word: String, range: Range<Int>)]?

  /// A sentence with phones that follow its words in order, pauses between them.
  init(
    _ sentence: Sentence, manner: Manner, samples: [Int16],
    phones: [(name: String, endSample: Int)]?
  ) {
    self.sentence = sentence
    self.manner = manner
    self.samples = samples
    self.phones = phones
    words = phones.map { phones in
      let starts = [0] + phones.map(\.endSample)
      var at = 0
      return sentence.words.map { word in
        while phones[at].name == "pau" { at += 1 }
        let count = Lexicon.word(word).phones.count
        defer { at += count }
        return (word, starts[at]..<phones[at + count - 1].endSample)
      }
    }
  }

  /// A sentence whose words are placed, and whose phones nobody tells.
  init(
    _ sentence: Sentence, manner: Manner, samples: [Int16],
    words: [(word: String, range: Range<Int>)]
  ) {
    self.sentence = sentence
    self.manner = manner
    self.samples = samples
    self.words = words
    phones = nil
  }
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

  private func utterances(_ part: SpokenSet.Part) throws -> [TrainingUtterance] {
    try read(part).map { row, spoken in
      let sentence = Sentence(text: row.text)!
      let names = Request.free(words: row.words, rate: 1, pitch: 1).phones
      return TrainingUtterance(
        sentence,
        manner: Manner(
          speaker: part.voice.speaker, isAsking: row.delivery.isAsking, rate: row.delivery.rate),
        samples: spoken.samples,
        phones: spoken.ends.map { zip(names, $0).map { (name: $0, endSample: $1) } })
    }
  }
}
