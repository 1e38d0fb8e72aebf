// One utterance that a set of the suite asks for, and where its recording is kept.

import Corpus
import Speech

/// Who says what, and how.
struct Line: Equatable {
  let id: String
  let voice: Voice
  /// espeak-ng's variant; nil for the other voices.
  var variant: String?
  let sentence: Sentence
  var delivery = Delivery()
  let split: String
  /// Below the repository.
  let file: String
  /// The line whose gain it shares, so that a pair's members keep their relation; nil for its own.
  var levelledWith: String?

  /// How voices are called in manifests: espeak-ng's by their variant.
  var speaker: String { variant ?? "\(voice)" }

  /// What the synthesiser is asked for.
  var row: Row { Row(mode: variant ?? "even", text: sentence.text, delivery: delivery) }

  var words: [Word] { sentence.words.map(Lexicon.word) }
  var phones: [String] { ["pau"] + words.flatMap(\.phones) + ["pau"] }

  var manner: Manner {
    Manner(speaker: voice.speaker, isAsking: delivery.isAsking, rate: delivery.rate)
  }
}

/// One pair of a set.
struct PairPlan {
  /// What the factor changes, for the span that acoustic purity is measured in.
  enum Span: Equatable {
    /// One phone, counted from the leading pause.
    case phone(Int)
    case words([Int])
    case everything
  }

  let id: String
  let factor: String
  /// The factor's variety, for example "emphasis" or "babble at 5 dB".
  var kind: String?
  let clean: String
  let corrupt: String
  /// The ids of (corrupt's speaker, clean's text) and (clean's speaker, corrupt's text).
  var crossed: (text: String, speaker: String)?
  let prompt: String
  let answers: (String, String)
  /// A question about the voice and the members' answers.
  var attribute: (prompt: String, answers: (String, String))?
  var alignment = "identity"
  let slot: MinimalPair.Slot
  let group: String
  let split: String
  let voice: String
  /// The phone that tells the answers apart, counted from the leading pause.
  let phone: Int
  let span: Span
}

/// A set: its lines, its pairs, and what its manifest says of it.
struct SetPlan {
  /// The manifest's file is `data-manifests/NAME.json`.
  let name: String
  let title: String
  let description: String
  let factor: String
  var lines: [Line]
  var pairs: [PairPlan]
  /// Silence before and behind a line's recording, by id, in samples: brings the boundaries of two
  /// engines together.
  var padding: [String: Int] = [:]
}
