// How a recogniser writes what the members of a pair say, up to the word that tells them apart.

/// A transcript cut at the word that differs: what is forced, and the word of either member.
public struct TranscriptForm: Sendable, Equatable {
  /// What both transcripts begin with, as the recogniser writes it; empty where the first word differs.
  public let beginning: String
  public let clean: String
  public let corrupt: String

  /// The form of two sentences that differ in one word. The published Whisper begins a transcript with a
  /// space and a capital, and writes strings of digits as numerals with commas.
  ///
  /// - Parameter isDigits: whether the sentences are strings of digits
  /// - Returns: nil where the sentences have another number of words, or do not differ.
  public init?(clean: String, corrupt: String, isDigits: Bool = false) {
    let words = [clean, corrupt].map { $0.split(separator: " ").map(String.init) }
    guard words[0].count == words[1].count,
      let place = words[0].indices.first(where: { words[0][$0] != words[1][$0] })
    else { return nil }
    func written(_ word: String, at index: Int) -> String {
      if isDigits, let digit = DigitString.words.firstIndex(of: word) { return " \(digit)" }
      return " " + (index == 0 ? word.prefix(1).uppercased() + word.dropFirst() : word)
    }
    beginning = (0..<place)
      .map { written(words[0][$0], at: $0) + (isDigits ? "," : "") }.joined()
    self.clean = written(words[0][place], at: place)
    self.corrupt = written(words[1][place], at: place)
  }
}

extension DigitString {
  /// The words of the ten digits, in order.
  public static let words = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
  ]
}

extension MinimalPair {
  /// How a recogniser writes the members; nil where they do not differ in one word.
  public var transcript: TranscriptForm? {
    TranscriptForm(clean: clean.text, corrupt: corrupt.text, isDigits: clean.isHuman)
  }
}
