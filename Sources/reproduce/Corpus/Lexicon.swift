// The words of the corpus, how they are said, and how long their phones last.

/// What a word does in a sentence; questions ask for nouns, colours and numbers.
enum WordClass {
  case noun, colour, digit, function
}

/// A word as every synthesiser here has to say it.
struct Word {
  let spelling: String
  let kind: WordClass
  /// Phones of flite's US English set.
  let phones: [String]
  /// Phones for flite's lexicon: vowels carry their stress, as in `b ae1 t`.
  var stressedPhones: [String] {
    var seen = kind == .function
    let vowels = phones.filter(Phones.isVowel).count
    return phones.enumerated().map { i, phone in
      guard Phones.isVowel(phone) else { return phone }
      // The first vowel is the stressed one, but for "again".
      let stressed = spelling == "again" ? i > 0 && vowels > 1 : !seen
      seen = true
      return phone + (stressed ? "1" : "0")
    }
  }
}

enum Lexicon {
  /// Twelve pairs of nouns that differ in exactly one phone.
  static let pairs: [(String, String)] = [
    ("bat", "pat"), ("bin", "pin"), ("die", "tie"), ("goat", "coat"), ("van", "fan"),
    ("zip", "sip"), ("lake", "rake"), ("map", "nap"), ("ship", "chip"), ("cap", "cup"),
    ("light", "night"), ("seat", "seed"),
  ]
  static let nouns = pairs.flatMap { [$0.0, $0.1] }
  /// Six pairs of nouns that sound alike: no sound tells them apart.
  static let homophones: [(String, String)] = [
    ("sun", "son"), ("pear", "pair"), ("flower", "flour"), ("tail", "tale"), ("mail", "male"),
    ("hare", "hair"),
  ]
  static let homophoneNouns = homophones.flatMap { [$0.0, $0.1] }
  static let colours = ["red", "blue", "green", "white", "black", "brown"]
  static let digits = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
  ]

  private static let pronunciations: [String: String] = [
    "bat": "b ae t", "pat": "p ae t", "bin": "b ih n", "pin": "p ih n", "die": "d ay",
    "tie": "t ay", "goat": "g ow t", "coat": "k ow t", "van": "v ae n", "fan": "f ae n",
    "zip": "z ih p", "sip": "s ih p", "lake": "l ey k", "rake": "r ey k", "map": "m ae p",
    "nap": "n ae p", "ship": "sh ih p", "chip": "ch ih p", "cap": "k ae p", "cup": "k ah p",
    "light": "l ay t", "night": "n ay t", "seat": "s iy t", "seed": "s iy d",
    "sun": "s ah n", "son": "s ah n", "pear": "p eh r", "pair": "p eh r",
    "flower": "f l aw er", "flour": "f l aw er", "tail": "t ey l", "tale": "t ey l",
    "mail": "m ey l", "male": "m ey l", "hare": "hh eh r", "hair": "hh eh r",
    "red": "r eh d", "blue": "b l uw", "green": "g r iy n", "white": "w ay t",
    "black": "b l ae k", "brown": "b r aw n",
    "zero": "z ih r ow", "one": "w ah n", "two": "t uw", "three": "th r iy", "four": "f ao r",
    "five": "f ay v", "six": "s ih k s", "seven": "s eh v ax n", "eight": "ey t",
    "nine": "n ay n",
    "say": "s ey", "the": "dh ax", "and": "ae n d", "then": "dh eh n", "again": "ax g eh n",
  ]

  static let words: [String: Word] = Dictionary(
    uniqueKeysWithValues: pronunciations.map { spelling, phones in
      let kind: WordClass =
        (nouns + homophoneNouns).contains(spelling)
        ? .noun
        : colours.contains(spelling) ? .colour : digits.contains(spelling) ? .digit : .function
      let list = phones.split(separator: " ").map(String.init)
      return (spelling, Word(spelling: spelling, kind: kind, phones: list))
    })

  /// The word of that spelling; a sentence of the corpus holds no other.
  static func word(_ spelling: String) -> Word {
    guard let word = words[spelling] else { fatalError("no word \"\(spelling)\" in the lexicon") }
    return word
  }

  /// The other noun of a noun's minimal pair, or the other spelling of a homophone.
  static func partner(of noun: String) -> String {
    for (a, b) in pairs + homophones where a == noun || b == noun { return a == noun ? b : a }
    fatalError("\"\(noun)\" is in no minimal pair")
  }

  /// Where the two members of a noun's pair differ, counted in phones; nil for homophones.
  static func changedPhone(of noun: String) -> Int? {
    let (a, b) = (word(noun).phones, word(partner(of: noun)).phones)
    let differing = a.indices.filter { a[$0] != b[$0] }
    precondition(a.count == b.count && differing.count < 2, "\(noun) is no single-phone pair")
    return differing.first
  }
}

enum Phones {
  /// Flite's US English phones in the order that their numbers in the cache mean; pause first.
  static let all = [
    "pau", "aa", "ae", "ah", "ao", "aw", "ax", "ay", "b", "ch", "d", "dh", "eh", "er", "ey", "f",
    "g", "hh", "ih", "iy", "jh", "k", "l", "m", "n", "ng", "ow", "oy", "p", "r", "s", "sh", "t",
    "th", "uh", "uw", "v", "w", "y", "z", "zh",
  ]
  static let number = Dictionary(
    uniqueKeysWithValues: all.enumerated().map { ($0.element, $0.offset) })

  static func isVowel(_ phone: String) -> Bool { "aeiou".contains(phone.first!) }

  /// Usual length in running speech, in milliseconds.
  static func milliseconds(_ phone: String) -> Double {
    switch phone {
    case "ay", "aw", "oy": 150
    case "ey", "ow", "ao", "aa", "ae": 120
    case "iy", "uw", "er", "s", "sh", "ch": 105
    case "ah", "eh", "f", "th", "jh": 95
    case "ih", "uh", "k", "p", "z", "zh": 80
    case "t", "b", "d", "g", "m": 70
    case "ax": 55
    case "dh": 40
    default: 65
    }
  }
}
