// Single choice by generated text: a strict reading, in which what cannot be read is wrong, beside the
// number of AIR-Bench's published scorer, whose defects are kept (`paper/definitions.md`, D169).

import Tensor

/// What a text chooses.
public enum ParsedChoice: Hashable, Sendable {
  /// An option by its letter, with or without its text behind it.
  case letter(Int)
  /// An option by its text alone, which the instruction does not allow.
  case text(Int)
  case unreadable
}

extension AirBenchItem {
  /// Reads an answer strictly: the letter of an option in a capital, bare, in brackets or with one of the
  /// marks `.:)`, behind it nothing or that option's text, and before it nothing or "The answer is".
  public func parsed(_ response: String?) -> ParsedChoice {
    var text = bare(response ?? "")
    for opening in ["the correct answer is", "the answer is", "answer:"]
    where text.lowercased().hasPrefix(opening) {
      text = bare(String(text.dropFirst(opening.count)))
      break
    }
    if let option = letter(in: text) { return .letter(option) }
    return options.indices.first { says(text, $0) }.map { .text($0) } ?? .unreadable
  }

  private func letter(in text: String) -> Int? {
    let bracket = text.hasPrefix("(")
    let rest = text.dropFirst(bracket ? 1 : 0)
    guard let first = rest.first,
      let option = AirBenchItem.letters.prefix(options.count).firstIndex(of: String(first))
    else { return nil }
    var behind = rest.dropFirst()
    if bracket {
      guard behind.first == ")" else { return nil }
      behind = behind.dropFirst()
    } else if let mark = behind.first, ".:)".contains(mark) {
      behind = behind.dropFirst()
    } else if !behind.isEmpty {
      guard behind.first == " " else { return nil }
    }
    // "A man is speaking" chooses no letter; "A man" does where the option is "man".
    let tail = bare(String(behind))
    return tail.isEmpty || says(tail, option) ? option : nil
  }

  private func says(_ text: String, _ option: Int) -> Bool {
    text.lowercased() == bare(options[option]).lowercased()
  }

  /// The letter that the published scorer reads: the first character if it is A to D, else the last but
  /// one, whatever they belong to; nil where it fails. Characters are Unicode scalars, as in Python.
  public static func publishedLetter(_ response: String?) -> Int? {
    guard let response else { return nil }
    let scalars = Array(response.unicodeScalars)
    func isSpace(_ scalar: Unicode.Scalar) -> Bool {
      scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }
    let begun = scalars.drop(while: isSpace)
    let end = begun.lastIndex { !isSpace($0) }
    let text = (end.map { Array(begun[...$0]) } ?? []).filter { $0 != "\n" }
    guard !text.isEmpty, String(String.UnicodeScalarView(text)) != "None" else { return nil }
    func letter(_ scalar: Unicode.Scalar) -> Int? { letters.firstIndex(of: String(scalar)) }
    return letter(text[0]) ?? (text.count > 1 ? letter(text[text.count - 2]) : nil)
  }
}

/// Without white space around it and a full stop behind it.
private func bare(_ text: String) -> String {
  var text = text.drop(while: \.isWhitespace)
  while let last = text.last, last.isWhitespace || last == "." { text = text.dropLast() }
  return String(text)
}

/// The two numbers of the same answers.
public struct TextScores: Codable, Hashable, Sendable {
  public let items: Int
  /// Answers whose letter is read strictly, and how many of those are right.
  public let read: Int
  public let right: Int
  /// Answers that say the right or a wrong option's text without a letter: unread, and so wrong.
  public let rightTexts: Int
  public let wrongTexts: Int
  /// What the published scorer counts, and how many of those it finds right; the others are dropped.
  public let publishedCounted: Int
  public let publishedRight: Int
  /// Answers that the published scorer counts, and in which no letter is read strictly.
  public let misread: Int

  /// Of all items, with what cannot be read as wrong; nil without items.
  public var strict: Double? { items > 0 ? Double(right) / Double(items) : nil }
  /// The published scorer's share, of what it counts; nil where that is nothing.
  public var published: Double? {
    publishedCounted > 0 ? Double(publishedRight) / Double(publishedCounted) : nil
  }

  /// - Parameter answers: what the model said to each item; nil where it said nothing
  public init(_ answers: [(item: AirBenchItem, response: String?)]) {
    var (read, right, rightTexts, wrongTexts) = (0, 0, 0, 0)
    var (counted, publishedRight, misread) = (0, 0, 0)
    for (item, response) in answers {
      let parsed = item.parsed(response)
      switch parsed {
      case .letter(let option):
        read += 1
        right += option == item.answer ? 1 : 0
      case .text(let option):
        rightTexts += option == item.answer ? 1 : 0
        wrongTexts += option == item.answer ? 0 : 1
      case .unreadable: break
      }
      if let letter = AirBenchItem.publishedLetter(response) {
        counted += 1
        publishedRight += letter == item.answer ? 1 : 0
        if case .letter = parsed {} else { misread += 1 }
      }
    }
    (items, self.read, self.right) = (answers.count, read, right)
    (self.rightTexts, self.wrongTexts) = (rightTexts, wrongTexts)
    (publishedCounted, self.publishedRight, self.misread) = (counted, publishedRight, misread)
  }

  /// The scores of each task and data set, in order of their names, as the published scorer prints them.
  public static func byTask(_ answers: [(item: AirBenchItem, response: String?)]) -> [(
    task: String, scores: TextScores
  )] {
    Dictionary(grouping: answers) { "\($0.item.task)_\($0.item.dataset)" }
      .sorted { $0.key < $1.key }.map { ($0.key, TextScores($0.value)) }
  }

  /// The published scorer's share less the strict one, over groups; nil where the published scorer drops
  /// every answer. A draw of groups in which it drops all counts as none right.
  public static func excess(
    _ answers: [(item: AirBenchItem, response: String?)], groups: [String], draws: Int = 10_000,
    _ random: Random
  ) -> Estimate? {
    guard TextScores(answers).published != nil else { return nil }
    let clusters = clustered(answers, by: groups).map { TextScores($0) }
    return clusterInterval(of: clusters, draws: draws, widened: true, random) { clusters in
      func sum(_ count: (TextScores) -> Int) -> Double { Double(clusters.map(count).reduce(0, +)) }
      let counted = sum(\.publishedCounted)
      return (counted > 0 ? sum(\.publishedRight) / counted : 0) - sum(\.right) / sum(\.items)
    }
  }
}
