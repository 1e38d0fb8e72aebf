// How far a text is from its reference: word error rate behind a named normaliser, and BLEU
// (`paper/definitions.md`, D91 and D92).

import Foundation
import Tensor

/// The words of a text as they are compared; by the name `lower-words`: lower case, everything but
/// letters, digits and apostrophes is a space.
public func normalisedWords(_ text: String) -> [String] {
  text.lowercased()
    .split { !($0.isLetter || $0.isNumber || $0 == "'") }
    .map(String.init)
}

/// Errors of a transcription against its reference.
public struct WordErrors: Sendable, Equatable {
  /// Substitutions, insertions and deletions of the cheapest alignment.
  public var errors = 0
  /// Words of the reference.
  public var words = 0

  public init(errors: Int = 0, words: Int = 0) {
    self.errors = errors
    self.words = words
  }

  /// The distance (Levenshtein, 1966) between the normalised words of two texts.
  public init(of said: String, against reference: String) {
    let (a, b) = (normalisedWords(said), normalisedWords(reference))
    var row = Array(0...b.count)
    for (i, word) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, other) in b.enumerated() {
        let substituted = diagonal + (word == other ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(substituted, row[j] + 1, diagonal + 1)
      }
    }
    self.init(errors: row[b.count], words: b.count)
  }

  /// Errors over words of the reference; may exceed 1.
  public var rate: Double { Double(errors) / Double(max(words, 1)) }

  public static func + (a: WordErrors, b: WordErrors) -> WordErrors {
    WordErrors(errors: a.errors + b.errors, words: a.words + b.words)
  }
}

/// Corpus BLEU (Papineni et al., 2002) with one reference, as sacreBLEU computes it under
/// `signature` (Post, 2018).
public struct Bleu: Sendable, Equatable {
  public static let signature = "nrefs:1|case:mixed|eff:no|tok:none|smooth:exp"

  private var matches = [Int](repeating: 0, count: 4)
  private var counts = [Int](repeating: 0, count: 4)
  private var (said, reference) = (0, 0)

  public init() {}

  /// Counts one translation, split at spaces.
  public mutating func add(_ text: String, reference other: String) {
    let (a, b) = (text.split(separator: " "), other.split(separator: " "))
    said += a.count
    reference += b.count
    for n in 1...4 where a.count >= n {
      var left: [ArraySlice<Substring>: Int] = [:]
      for i in 0..<max(0, b.count - n + 1) { left[b[i..<i + n], default: 0] += 1 }
      for i in 0...(a.count - n) where left[a[i..<i + n], default: 0] > 0 {
        left[a[i..<i + n]]! -= 1
        matches[n - 1] += 1
      }
      counts[n - 1] += a.count - n + 1
    }
  }

  /// From 0 to 100.
  public var score: Double {
    guard said > 0, matches[0] > 0 else { return 0 }
    var logarithms = 0.0
    var smooth = 1.0
    for n in 0..<4 {
      guard counts[n] > 0 else { return 0 }
      if matches[n] == 0 { smooth *= 2 }
      let precision =
        matches[n] == 0
        ? 1 / (smooth * Double(counts[n])) : Double(matches[n]) / Double(counts[n])
      logarithms += Elementary.log(precision) / 4
    }
    let brevity = said < reference ? 1 - Double(reference) / Double(said) : 0
    return 100 * Elementary.exp(logarithms + brevity)
  }
}
