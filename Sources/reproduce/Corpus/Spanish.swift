// The translation task: adjectives follow the noun in Spanish and agree with it.

enum Spanish {
  /// A noun with its gender, which article and colour agree with.
  struct Noun {
    let word: String
    let isFeminine: Bool
  }

  private static let feminine: [String: String] = [
    "pat": "palmada", "tie": "corbata", "goat": "cabra", "van": "furgoneta", "zip": "cremallera",
    "nap": "siesta", "chip": "ficha", "cap": "gorra", "cup": "taza", "light": "luz",
    "night": "noche", "seed": "semilla", "pear": "pera", "flower": "flor", "flour": "harina",
    "tail": "cola", "hare": "liebre",
  ]
  private static let masculine: [String: String] = [
    "bat": "murciélago", "bin": "cubo", "pin": "alfiler", "die": "dado", "coat": "abrigo",
    "fan": "abanico", "sip": "sorbo", "lake": "lago", "rake": "rastrillo", "map": "mapa",
    "ship": "barco", "seat": "asiento", "sun": "sol", "son": "hijo", "pair": "par",
    "tale": "cuento", "mail": "correo", "male": "varón", "hair": "pelo",
  ]
  private static let colours: [String: (masculine: String, feminine: String)] = [
    "red": ("rojo", "roja"), "blue": ("azul", "azul"), "green": ("verde", "verde"),
    "white": ("blanco", "blanca"), "black": ("negro", "negra"), "brown": ("marrón", "marrón"),
  ]
  private static let digits = [
    "cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve",
  ]

  static func noun(_ english: String) -> Noun {
    if let word = feminine[english] { return Noun(word: word, isFeminine: true) }
    guard let word = masculine[english] else { fatalError("no Spanish for \"\(english)\"") }
    return Noun(word: word, isFeminine: false)
  }

  static func colour(_ english: String, of noun: Noun) -> String {
    guard let forms = colours[english] else { fatalError("no Spanish for \"\(english)\"") }
    return noun.isFeminine ? forms.feminine : forms.masculine
  }

  static func digit(_ english: String) -> String {
    digits[Lexicon.digits.firstIndex(of: english)!]
  }

  /// "And", which is "e" before the sound of "i".
  static func and(before word: String) -> String { word.hasPrefix("hi") ? "e" : "y" }

  /// Every word that a translation may have, in the order of the vocabulary.
  static var words: [String] {
    let nouns = (Lexicon.nouns + Lexicon.homophoneNouns).map { noun($0).word }
    let forms = Lexicon.colours.flatMap { [colours[$0]!.masculine, colours[$0]!.feminine] }
    let functions = ["di", "otra", "vez", "el", "la", "y", "e", "luego"]
    var seen: Set<String> = []
    return (nouns + forms + digits + functions).filter { seen.insert($0).inserted }
  }
}

extension Sentence {
  /// The sentence in Spanish.
  var spanish: String {
    func thing(_ noun: Int, _ colour: Int) -> String {
      let own = Spanish.noun(words[noun])
      return "\(own.word) \(Spanish.colour(words[colour], of: own))"
    }
    func joined(_ left: String, _ right: String) -> String {
      "\(left) \(Spanish.and(before: right)) \(right)"
    }
    func noun(_ place: Int) -> String { Spanish.noun(words[place]).word }
    func digit(_ place: Int) -> String { Spanish.digit(words[place]) }
    switch frame {
    case .a:
      let article = Spanish.noun(words[3]).isFeminine ? "la" : "el"
      return "di otra vez \(article) \(thing(3, 2))"
    case .b: return joined(thing(1, 0), thing(4, 3))
    case .c: return "\(noun(0)) luego \(noun(2)) luego \(noun(4))"
    case .d: return joined("\(noun(0)) \(digit(1))", "\(noun(3)) \(digit(4))")
    case .e: return "\(digit(0)) \(digit(1)) \(digit(2))"
    }
  }
}
