// What the projector is trained on: speech of the synthetic voices, in the suite's frames and in free
// ones of many more words, and strings of digits that people have spoken.

import Corpus
import Foundation

/// One utterance of the training set, with what it can be asked.
struct JoinedUtterance: Sendable {
  /// Its voice and its place in the manifest of that voice, as "rms/12"; names its draws.
  let id: String
  let speaker: String
  /// What its words answer; the first is the transcription.
  let aboutWords: [Question]
  let aboutVoice: [Question]
  /// 16 kHz.
  let samples: [Int16]

  /// The same without its sound, which nobody needs once the encoder has heard it.
  var silent: JoinedUtterance {
    JoinedUtterance(
      id: id, speaker: speaker, aboutWords: aboutWords, aboutVoice: aboutVoice, samples: [])
  }
}

enum JoinedCorpus {
  /// Utterances of each voice in the suite's frames; espeak-ng is many voices.
  static func count(_ voice: Voice) -> Int { voice == .espeak ? 600 : 320 }
  /// Utterances of each voice in free speech.
  static let free = 200
  /// Strings of digits by each person.
  static let perPerson = 160

  /// The first utterances of each voice and person, of whom the manifests have more than one run of
  /// training can visit.
  ///
  /// - Throws: where the corpus has not been spoken, or there are no recordings of people
  static func utterances(_ repository: Repository) throws -> [JoinedUtterance] {
    let training = TrainingSet(repository)
    var all: [JoinedUtterance] = []
    for voice in Voice.allCases {
      all += try training.utterances(voice).prefix(count(voice)).enumerated().map {
        JoinedUtterance("\(voice)/\($0)", $1)
      }
    }
    let spoken = Dictionary(
      grouping: try FreeSpeech(repository).utterances(), by: { "\($0.voice)" })
    for voice in Voice.allCases {
      all += spoken["\(voice)", default: []].prefix(free).enumerated().map {
        JoinedUtterance("free/\(voice)/\($0)", $1)
      }
    }
    let evaluation = Set(EvaluationPlan.pairs().flatMap { [$0.clean.text, $0.corrupt.text] })
    let people = Dictionary(
      grouping: try HumanTraining.utterances(repository, excluding: evaluation),
      by: \.manner.speaker)
    for person in DigitManifest.speakers {
      all += people[person, default: []].prefix(perPerson).enumerated().map {
        JoinedUtterance("\(person)/\($0)", $1)
      }
    }
    return all
  }
}

extension JoinedUtterance {
  init(_ id: String, _ utterance: FreeUtterance) {
    self.init(
      id: id, speaker: utterance.manner.speaker, aboutWords: utterance.sentence.questions,
      aboutVoice: utterance.manner.questions, samples: utterance.samples)
  }

  fileprivate init(_ id: String, _ utterance: TrainingUtterance) {
    self.init(
      id: id, speaker: utterance.manner.speaker, aboutWords: utterance.sentence.questions,
      aboutVoice: utterance.manner.questions, samples: utterance.samples)
  }
}
