// The pairs of the evaluation suite: five voices, twelve word pairs, five places.

/// Two sentences that differ in one phone of one word, spoken alike.
struct MinimalPair {
  let voice: Voice
  let slot: Slot
  let clean: Sentence
  let corrupt: Sentence

  /// Where in a sentence the changed noun stands.
  struct Slot {
    let name: String
    let frame: Frame
    /// The noun's place, in words.
    let place: Int
  }

  static let slots = [
    Slot(name: "a", frame: .a, place: 3), Slot(name: "b-first", frame: .b, place: 1),
    Slot(name: "b-last", frame: .b, place: 4), Slot(name: "c-second", frame: .c, place: 2),
    Slot(name: "d-first", frame: .d, place: 0),
  ]

  var nouns: (clean: String, corrupt: String) {
    (clean.words[slot.place], corrupt.words[slot.place])
  }
  var id: String { "\(voice)-\(slot.name)-\(nouns.clean)-\(nouns.corrupt)" }
  var cleanID: String { "\(voice)-\(slot.name)-\(nouns.clean)" }
  var corruptID: String { "\(voice)-\(slot.name)-\(nouns.corrupt)" }
  /// The sentence around the noun, with its speaker: the unit of resampling.
  var group: String { "\(clean.replacing(slot.place, by: "_").text) | \(voice)" }
  var prompt: String { clean.prompt(forNounAt: slot.place) }

  /// The changed phone, counted from the leading pause.
  var changedPhone: Int {
    let before = clean.words[..<slot.place].reduce(1) { $0 + Lexicon.word($1).phones.count }
    return before + Lexicon.changedPhone(of: nouns.clean)!
  }
}

enum EvaluationPlan {
  /// All pairs in a fixed order. Texts are disjoint between splits; only frame A, which has few
  /// sentences, repeats a text for the two speakers of a split.
  static func pairs() -> [MinimalPair] {
    var taken: [String: String] = [:]
    return MinimalPair.slots.flatMap { slot in
      Voice.timed.flatMap { voice in
        Lexicon.pairs.map { pair(voice, slot, $0, taken: &taken) }
      }
    }
  }

  private static func pair(
    _ voice: Voice, _ slot: MinimalPair.Slot, _ nouns: (String, String),
    taken: inout [String: String]
  ) -> MinimalPair {
    // The draw of frame A is by split, all others by voice; it is repeated until the text is new.
    let owner = slot.frame == .a ? voice.split : "\(voice)"
    var draws = Draws("evaluation/\(slot.name)/\(owner)/\(nouns.0)")
    let swap = draws.unit() < 0.5
    let target = swap ? nouns.1 : nouns.0
    while true {
      let clean = Sentence(
        slot.frame, given: [slot.place: target], avoiding: [nouns.0, nouns.1], draws: &draws)
      let corrupt = clean.replacing(slot.place, by: Lexicon.partner(of: target))
      let texts = [clean.text, corrupt.text]
      guard texts.allSatisfy({ (taken[$0] ?? owner) == owner }) else { continue }
      for text in texts { taken[text] = owner }
      return MinimalPair(voice: voice, slot: slot, clean: clean, corrupt: corrupt)
    }
  }
}
