// One line of a list of things to speak: enough to make the same samples again.

import JSON

struct Row: Equatable {
  /// How lengths are set: `even` is the table of `Lexicon`, `jitter` the same with 20 % about it,
  /// `free` the engine's own models, `text` those and its own dictionary; for espeak-ng, which has
  /// its own of both, the voice variant.
  let mode: String
  let text: String
  var delivery = Delivery()
  /// What came out: samples, and the first eight digits of a SHA-256 of labels and samples.
  var samples = 0
  var digest = ""

  var words: [String] { text.split(separator: " ").map(String.init) }

  static let columns: [JSON] = [
    "text", "mode", "rate", "pitch", "asking", "emphasised word", "samples", "digest",
  ]

  var json: JSON {
    [
      .string(text), .string(mode), .number(delivery.rate), .number(delivery.pitch),
      .bool(delivery.isAsking), delivery.emphasis.map { .integer($0) } ?? .null,
      .integer(samples), .string(digest),
    ]
  }

  /// - Parameter index: place in the voice's list; it names the row's jitter.
  func request(_ voice: Voice, index: Int) -> Request {
    switch mode {
    case "even": timedRequest(words, voice: voice, delivery)
    case "jitter":
      timedRequest(
        words, voice: voice, delivery, jitter: Draws("training/\(voice)/\(index)/jitter"))
    case "free": .free(words: words, rate: delivery.rate, pitch: delivery.pitch)
    default: .text(words: words, rate: delivery.rate, pitch: delivery.pitch)
    }
  }
}

extension Row {
  init(_ json: JSON, name: String) throws {
    guard let cells = json.elements, cells.count == 8, let text = cells[0].string,
      let mode = cells[1].string, let rate = cells[2].double, let pitch = cells[3].double,
      let isAsking = cells[4].bool, let samples = cells[6].int, let digest = cells[7].string,
      (0.5...2).contains(rate), (0.5...2).contains(pitch)
    else {
      throw JSONError("\(name): a row is \(JSON.array(Row.columns).compactText)")
    }
    let pronounced = ["text"] + Espeak.variants + Espeak.neverHeard
    guard (["even", "jitter", "free"] + pronounced).contains(mode) else {
      throw JSONError("\(name): \"\(mode)\" is no way to speak a row")
    }
    guard
      let words = Sentence(text: text)?.words
        ?? (pronounced.contains(mode) ? FreeSentence(text: text)?.words : nil)
    else {
      throw JSONError("\(name): \"\(text)\" is no sentence of the corpus for mode \(mode)")
    }
    let emphasis = cells[5].int
    guard emphasis.map(words.indices.contains) ?? (cells[5] == .null) else {
      throw JSONError("\(name): \"\(text)\": has no word \(cells[5].compactText) to emphasise")
    }
    guard !["free", "text"].contains(mode) || (!isAsking && emphasis == nil) else {
      throw JSONError("\(name): \"\(text)\": free speech takes rate and pitch only")
    }
    self.init(
      mode: mode, text: text,
      delivery: Delivery(rate: rate, pitch: pitch, isAsking: isAsking, emphasis: emphasis),
      samples: samples, digest: digest)
  }
}
