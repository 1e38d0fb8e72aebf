// Sentences of free speech: natural frames over the many words of `FreeWords`, and what can be asked
// about them.

/// A frame with slots, which are in capitals: see `FreeClass`.
enum FreeFrame: String, CaseIterable {
  case few = "NAME ACTED NUMBER GOODS"
  case fewSomewhere = "NAME ACTED NUMBER GOODS in REGION"
  case fewAtWork = "the PROFESSION ACTED NUMBER GOODS"
  case fewOfAnimal = "the QUALITY ANIMAL ACTED NUMBER GOODS"
  case arrival = "NUMBER GOODS arrived from REGION"
  case thing = "NAME ACTED the QUALITY THING"
  case thingInMonth = "NAME ACTED the THING in MONTH"
  case thingAtWork = "the PROFESSION ACTED the QUALITY THING on DAY"
  case thingOnDay = "on DAY NAME ACTED the THING"
  case thingInRoom = "the PROFESSION ACTED the THING in the ROOM"
  case rest = "the ANIMAL RESTED in the ROOM"
  case restOnDay = "NAME RESTED in the ROOM on DAY"
  case journey = "NAME WENT to REGION in MONTH"
  case errand = "the PROFESSION WENT to the ROOM"
  case journeyInMonth = "in MONTH the PROFESSION WENT to REGION"

  /// One a word: a slot's class, or nil for a fixed word.
  var slots: [FreeClass?] { pattern.map { FreeClass(rawValue: $0) } }
  var pattern: [String] { rawValue.split(separator: " ").map(String.init) }
}

struct FreeSentence: Equatable {
  let frame: FreeFrame
  let words: [String]

  var text: String { words.joined(separator: " ") }

  /// The word that fills a slot of that class; no frame has two of one class.
  func word(_ kind: FreeClass) -> String? {
    frame.slots.firstIndex(of: kind).map { words[$0] }
  }

  /// The words in slots that no training sentence has.
  var heldOut: [String] {
    zip(frame.slots, words).compactMap { $0 != nil && FreeWords.isHeldOut($1) ? $1 : nil }
  }

  /// Fills every slot.
  init(_ frame: FreeFrame, draws: inout Draws) {
    self.frame = frame
    words = frame.pattern.map { FreeClass(rawValue: $0).map { draws.pick($0.words) } ?? $0 }
  }

  /// The sentence of a text, or nil where it fits no frame.
  init?(text: String) {
    let words = text.split(separator: " ").map(String.init)
    let fitting = FreeFrame.allCases.first { frame in
      frame.pattern.count == words.count
        && zip(frame.pattern, words).allSatisfy { slot, word in
          FreeClass(rawValue: slot).map { $0 == FreeWords.kind(word) } ?? (slot == word)
        }
    }
    guard let fitting else { return nil }
    (frame, self.words) = (fitting, words)
  }

  /// Every question that the words answer; the first is the transcription, the rest take one word.
  var questions: [Question] {
    var all = [Question(kind: .transcription, prompt: "transcribe:", answer: text)]
    func ask(_ kind: Question.Kind, _ prompt: String, _ answer: String?) {
      if let answer { all.append(Question(kind: kind, prompt: prompt + ":", answer: answer)) }
    }
    let agent = word(.name) ?? word(.profession) ?? word(.animal)
    let deed = word(.action) ?? word(.rest) ?? word(.motion)
    let object = word(.thing) ?? word(.goods)
    ask(.who, "who", agent)
    if let agent, let deed {
      let subject = agent == word(.name) ? agent : "the \(agent)"
      ask(.action, "what did \(subject) do", deed)
      ask(.what, "what \(subject) \(deed)", object)
    }
    if let goods = word(.goods) { ask(.count, "number of \(goods)", word(.number)) }
    if let described = word(.thing) ?? word(.animal) {
      ask(.quality, "what is the \(described) like", word(.quality))
    }
    ask(.place, "where", word(.region) ?? word(.room))
    ask(.when, "when", word(.day) ?? word(.month))
    return all
  }
}
