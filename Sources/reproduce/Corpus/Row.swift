// One line of a list of things to speak: enough to make the same samples again.

import JSON

struct Row: Equatable {
  /// How lengths are set: `even` is the table of `Lexicon`, `jitter` the same with 20 % about it,
  /// `free` the engine's own models; for espeak-ng the voice variant.
  let mode: String
  let text: String
  let rate: Double
  let pitch: Double
  /// What came out: samples, and the first eight digits of a SHA-256 of labels and samples.
  var samples = 0
  var digest = ""

  var words: [String] { text.split(separator: " ").map(String.init) }

  var json: JSON {
    [
      .string(text), .string(mode), .number(rate), .number(pitch), .integer(samples),
      .string(digest),
    ]
  }

  /// - Parameter index: place in the voice's list; it names the row's jitter.
  func request(_ voice: Voice, index: Int) -> Request {
    switch mode {
    case "even": timedRequest(words, voice: voice)
    case "jitter":
      timedRequest(
        words, voice: voice, rate: rate, pitch: pitch,
        jitter: Draws("training/\(voice)/\(index)/jitter"))
    default: .free(words: words, rate: rate, pitch: pitch)
    }
  }
}

extension Row {
  init(_ json: JSON, name: String) throws {
    guard let cells = json.elements, cells.count == 6, let text = cells[0].string,
      let mode = cells[1].string, let rate = cells[2].double, let pitch = cells[3].double,
      let samples = cells[4].int, let digest = cells[5].string,
      (0.5...2).contains(rate), (0.5...2).contains(pitch)
    else {
      throw JSONError("\(name): a row is [text, mode, rate, pitch, samples, digest]")
    }
    guard (["even", "jitter", "free"] + Espeak.variants).contains(mode) else {
      throw JSONError("\(name): \"\(mode)\" is no way to speak a row")
    }
    guard Sentence(text: text) != nil else {
      throw JSONError("\(name): \"\(text)\" is no sentence of the corpus")
    }
    self.init(
      mode: mode, text: text, rate: rate, pitch: pitch, samples: samples, digest: digest)
  }
}
