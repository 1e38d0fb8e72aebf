// What can be asked about a sentence, in three tasks that the text prompt chooses between:
// transcription, translation, and short answers by position, by content, by knowledge and about the
// voice.

/// A text prompt and the words that answer it.
struct Question: Equatable {
  /// What an answer takes: hearing alone, or also putting words together or knowing something.
  enum Kind: String, CaseIterable, Codable {
    case transcription, translation, position
    /// Which colour or number goes with which thing.
    case colourOf = "binding: what colour"
    case thingOf = "binding: which is"
    case countOf = "binding: how many"
    case knowledge
    case speaker = "voice: who"
    case mood = "voice: asking or telling"
    case rate = "voice: fast or slow"
    /// About sentences of free speech.
    case who = "free: who"
    case action = "free: what did they do"
    case what = "free: what did they do it to"
    case count = "free: how many"
    case quality = "free: what is it like"
    case place = "free: where"
    case when = "free: when"

    /// Whether the words alone do not give the answer.
    var isAboutVoice: Bool { self == .speaker || self == .mood || self == .rate }
    var isBinding: Bool { self == .colourOf || self == .thingOf || self == .countOf }
  }

  let kind: Kind
  let prompt: String
  let answer: String
}

extension Sentence {
  /// Every question that the words answer; the first is the transcription, the second the
  /// translation.
  var questions: [Question] {
    [
      Question(kind: .transcription, prompt: "transcribe:", answer: text),
      Question(kind: .translation, prompt: "translate:", answer: spanish),
    ] + asked(for: .noun, "thing") + asked(for: .colour, "colour") + asked(for: .digit, "number")
      + bindings + knowledge
  }

  /// The prompt whose answer is the noun in that place.
  func prompt(forNounAt place: Int) -> String {
    let order = frame.nounPlaces.firstIndex(of: place)!
    return "\(Sentence.ordinals(frame.nounPlaces.count)[order]) thing:"
  }

  private func asked(for kind: WordClass, _ name: String) -> [Question] {
    let found = words.filter { Lexicon.word($0).kind == kind }
    return zip(Sentence.ordinals(found.count), found).map {
      Question(kind: .position, prompt: "\($0) \(name):", answer: $1)
    }
  }

  private static func ordinals(_ count: Int) -> [String] {
    switch count {
    case 1: ["which"]
    case 2: ["first", "last"]
    default: ["first", "second", "last"]
    }
  }

  /// Colours and numbers of things: a colour stands before its noun, a number behind it.
  private var bindings: [Question] {
    frame.nounPlaces.flatMap { place -> [Question] in
      let noun = words[place]
      if place > 0, Lexicon.word(words[place - 1]).kind == .colour {
        let colour = words[place - 1]
        return [
          Question(kind: .colourOf, prompt: "what colour is the \(noun):", answer: colour),
          Question(kind: .thingOf, prompt: "which is \(colour):", answer: noun),
        ]
      }
      if place + 1 < words.count, Lexicon.word(words[place + 1]).kind == .digit {
        return [Question(kind: .countOf, prompt: "how many \(noun):", answer: words[place + 1])]
      }
      return []
    }
  }

  /// The number that follows the last one said; zero follows nine.
  private var knowledge: [Question] {
    guard let last = words.last(where: { Lexicon.word($0).kind == .digit }),
      let value = Lexicon.digits.firstIndex(of: last)
    else { return [] }
    return [
      Question(
        kind: .knowledge, prompt: "next number:", answer: Lexicon.digits[(value + 1) % 10])
    ]
  }
}

/// What is heard of a voice beside its words.
struct Manner: Equatable {
  /// Who speaks, by the name of the voice.
  let speaker: String
  /// Whether it is said as a question, where the synthesiser was told.
  var isAsking: Bool?
  /// The factor on all lengths, where the synthesiser was told.
  var rate: Double?

  /// Speech at most this much stretched counts as fast, at least that much as slow; what lies
  /// between is neither and is not asked for.
  static let (fast, slow) = (0.87, 1.15)

  var questions: [Question] {
    var all = [Question(kind: .speaker, prompt: "who is speaking:", answer: speaker)]
    if let isAsking {
      all.append(
        Question(kind: .mood, prompt: "asking or telling:", answer: isAsking ? "asking" : "telling")
      )
    }
    if let rate, rate <= Manner.fast || rate >= Manner.slow {
      all.append(
        Question(
          kind: .rate, prompt: "fast or slow:", answer: rate <= Manner.fast ? "fast" : "slow"))
    }
    return all
  }

  /// Every name that answers who is speaking: the voices, espeak-ng's as one, and the five people
  /// whose recorded digits are heard.
  static let speakers =
    Voice.allCases.map(\.speaker) + DigitManifest.speakers
}

extension Voice {
  /// The name by which the model is to know the voice; espeak-ng's formant voices are one.
  var speaker: String { self == .espeak ? "robot" : rawValue }
}
