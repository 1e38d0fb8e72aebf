// What a synthesiser is asked to say: phones with their lengths and pitch, or just words.

/// The five people whose recorded voices the synthesisers use, and espeak-ng's formant voices.
enum Voice: String, CaseIterable {
  case kal, ked, awb, rms, slt, espeak

  /// Those whose phones can be timed, which evaluation uses.
  static let timed: [Voice] = [.kal, .ked, .awb, .rms, .slt]

  static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

  var engine: String {
    switch self {
    case .kal, .ked: "festival"
    case .awb, .rms, .slt: "flite"
    case .espeak: "espeak-ng"
    }
  }

  /// The Debian packages that hold engine and voice.
  var packages: [String] {
    switch self {
    case .kal: ["festival", "festvox-kallpc16k"]
    case .ked: ["festival", "festvox-kdlpc16k"]
    case .awb, .rms, .slt: ["libflite1"]
    case .espeak: ["espeak-ng"]
    }
  }

  /// Middle of the speaker's pitch range, in hertz.
  var pitch: Double {
    switch self {
    case .kal: 105
    case .ked: 110
    case .awb: 132
    case .rms: 98
    case .slt: 172
    case .espeak: 100
    }
  }

  /// Speakers of different splits never meet.
  var split: String {
    switch self {
    case .kal, .slt: "discovery"
    case .awb: "validation"
    case .rms, .ked: "test"
    case .espeak: "training"
    }
  }
}

/// A phone with its length and pitch fixed.
struct TimedPhone: Equatable {
  let name: String
  /// Length in steps of 5 ms, three or more.
  let steps: Int
  /// Pitch at its middle, in hertz.
  let pitch: Double
}

/// One thing to say. `rate` stretches lengths, `pitch` multiplies the speaker's own.
enum Request {
  case timed(words: [String], phones: [TimedPhone])
  case free(words: [String], rate: Double, pitch: Double)
  /// Words that the engine pronounces as its own dictionary has them.
  case text(words: [String], rate: Double, pitch: Double)

  var words: [String] {
    switch self {
    case .timed(let words, _), .free(let words, _, _), .text(let words, _, _): words
    }
  }

  /// Phones that have to come out, with a pause at either end; none where the engine is not told.
  var phones: [String] {
    if case .text = self { return [] }
    return ["pau"] + words.flatMap { Lexicon.word($0).phones } + ["pau"]
  }
}

/// A synthesised utterance at 16 kHz.
struct Spoken: Equatable {
  var samples: [Int16]
  /// One end for every phone of the request, in samples, or nil where the engine does not say.
  var ends: [Int]?
}

/// How a sentence is said.
struct Delivery: Equatable {
  /// Factor on all lengths.
  var rate = 1.0
  /// Factor on the speaker's pitch.
  var pitch = 1.0
  /// A question, whose pitch rises to its end; otherwise it falls.
  var isAsking = false
  /// The place, in words, of a word that is longer and higher than usual.
  var emphasis: Int?

  /// Pitch by place in the sentence (0 to 1), as a factor on the speaker's own.
  func contour(_ place: Double) -> Double {
    isAsking ? 0.98 + max(0, place - 0.6) * 1.3 : 1.12 - 0.26 * place
  }

  /// What emphasis does to lengths, and to the pitch of vowels.
  static let (longer, higher) = (1.35, 0.2)
}

/// Lengths and pitch for a sentence, the same for both members of a minimal pair: the phone in
/// which a noun differs from its partner lasts as long as the two last on average, and pitch
/// depends on place only.
///
/// - Parameter jitter: draws a factor of 0.8 to 1.2 for each phone; nil leaves lengths alone.
func timedRequest(
  _ words: [String], voice: Voice, _ delivery: Delivery = Delivery(), jitter: Draws? = nil
) -> Request {
  var jitter = jitter
  var lengths: [(name: String, steps: Int, accent: Double)] = [("pau", 20, 0)]
  for (i, spelling) in words.enumerated() {
    let word = Lexicon.word(spelling)
    let changed = word.kind == .noun ? Lexicon.changedPhone(of: spelling) : nil
    for (j, phone) in word.phones.enumerated() {
      var ms = Phones.milliseconds(phone)
      if j == changed {
        ms = (ms + Phones.milliseconds(Lexicon.word(Lexicon.partner(of: spelling)).phones[j])) / 2
      }
      if word.kind == .function { ms *= 0.8 }
      // Speech slows down at the end of a sentence, from the last vowel on.
      if i == words.count - 1, j + 2 >= word.phones.count { ms *= 1.2 }
      ms *= delivery.rate * (jitter?.uniform(0.8, 1.2) ?? 1)
      var accent = word.kind != .function && Phones.isVowel(phone) ? 0.07 : 0
      if i == delivery.emphasis {
        ms *= Delivery.longer
        if Phones.isVowel(phone) { accent += Delivery.higher }
      }
      lengths.append((phone, max(3, Int((ms / 5).rounded())), accent))
    }
  }
  lengths.append(("pau", 20, 0))
  let total = Double(lengths.reduce(0) { $0 + $1.steps })
  var before = 0.0
  let phones = lengths.map { phone in
    let place = (before + Double(phone.steps) / 2) / total
    before += Double(phone.steps)
    let height = delivery.pitch * (delivery.contour(place) + phone.accent)
    return TimedPhone(
      name: phone.name, steps: phone.steps, pitch: (voice.pitch * height).rounded())
  }
  return .timed(words: words, phones: phones)
}
