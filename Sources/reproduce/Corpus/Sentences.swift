// Sentences: five frames and their slots.

/// A carrier with slots for nouns (N), colours (C) and digits (D).
enum Frame: String, CaseIterable {
  case a = "say the C N again"
  case b = "C N and C N"
  case c = "N then N then N"
  case d = "N D and N D"
  case e = "D D D"

  var letter: String { "\(self)".uppercased() }
  var slots: [String] { rawValue.split(separator: " ").map(String.init) }
  /// Places of the nouns, in words.
  var nounPlaces: [Int] { slots.indices.filter { slots[$0] == "N" } }
}

struct Sentence: Equatable {
  let frame: Frame
  var words: [String]

  var text: String { words.joined(separator: " ") }

  /// One sentence in five, by its text alone, is kept out of training.
  var isHeldOut: Bool { Draws.hash(text) % 5 == 0 }

  /// Fills the slots that `given` leaves open (by place, in words).
  ///
  /// - Parameters:
  ///   - avoiding: nouns that the open slots may not hold.
  ///   - partnerRate: how often a later noun is the first one's minimal-pair partner.
  ///   - homophoneRate: how often a noun is a homophone.
  init(
    _ frame: Frame, given: [Int: String] = [:], avoiding: Set<String> = [],
    partnerRate: Double = 0, homophoneRate: Double = 0, draws: inout Draws
  ) {
    self.frame = frame
    words = []
    var used: Set<String> = avoiding.union(given.values)
    for (i, slot) in frame.slots.enumerated() {
      if let word = given[i] {
        words.append(word)
        continue
      }
      switch slot {
      case "N":
        let first = words.first { Lexicon.nouns.contains($0) }
        if homophoneRate > 0, draws.unit() < homophoneRate {
          words.append(draws.pick(Lexicon.homophoneNouns.filter { !used.contains($0) }))
        } else if let first, draws.unit() < partnerRate, !used.contains(Lexicon.partner(of: first))
        {
          words.append(Lexicon.partner(of: first))
        } else {
          words.append(draws.pick(Lexicon.nouns.filter { !used.contains($0) }))
        }
      case "C": words.append(draws.pick(Lexicon.colours.filter { !used.contains($0) }))
      case "D": words.append(draws.pick(Lexicon.digits.filter { !used.contains($0) }))
      default: words.append(slot)
      }
      used.insert(words[i])
    }
  }

  /// Whether a word of it sounds like another, so that no sound gives its spelling.
  var hasHomophone: Bool { words.contains(where: Lexicon.homophoneNouns.contains) }

  /// The same sentence with one word replaced.
  func replacing(_ place: Int, by word: String) -> Sentence {
    var copy = self
    copy.words[place] = word
    return copy
  }

  init(frame: Frame, words: [String]) {
    self.frame = frame
    self.words = words
  }

  /// The sentence of a text, or nil where it fits no frame.
  init?(text: String) {
    let words = text.split(separator: " ").map(String.init)
    for frame in Frame.allCases where frame.slots.count == words.count {
      let fits = zip(frame.slots, words).allSatisfy { slot, word in
        switch slot {
        case "N": Lexicon.words[word]?.kind == .noun
        case "C": Lexicon.colours.contains(word)
        case "D": Lexicon.digits.contains(word)
        default: slot == word
        }
      }
      if fits {
        self.init(frame: frame, words: words)
        return
      }
    }
    return nil
  }
}
