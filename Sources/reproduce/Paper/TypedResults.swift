// Results that were typed into Markdown or LaTeX by hand, where they should come from the ledger.

import Foundation

extension ReadmeText {
  /// What in prose looks like a result that was typed: a decimal or a per cent that measures no size and no
  /// time, so many of so many, and shares in words. Code, links and the table of claims are left out.
  static func typedResults(_ text: String) -> [(text: String, line: Int)] {
    var found: [(String, Int)] = []
    var (isCode, isTable) = (false, false)
    for (i, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line.hasPrefix("```") { isCode.toggle() }
      if line.hasPrefix(start) { isTable = true }
      if line.hasPrefix(end) { isTable = false }
      guard !isCode, !isTable, !line.hasPrefix("    ") else { continue }
      // Chinese has no spaces between its words.
      let prose = line.replacing(/`[^`]*`/, with: "").replacing(/\]\([^)]*\)/, with: "]")
      for match in prose.matches(of: /[一二兩三四五六七八九十百]+分之[一二三四五六七八九十]+|[一二三四五六七八九]成/) {
        found.append((String(match.0), i + 1))
      }
      let words = prose.replacing("倍的時間", with: " of the time").replacing("億", with: " billion ")
        .map { character in
          character.unicodeScalars.first!.value >= 0x3000 ? " " : String(character)
        }
        .joined().split(separator: " ").map { word in
          word.trimmingCharacters(in: CharacterSet(charactersIn: "*[](),;:|.\""))
        }
      for (j, word) in words.enumerated() {
        let next = j + 1 < words.count ? words[j + 1] : ""
        let behind = j + 2 < words.count ? words[j + 2] : ""
        let before = j > 0 ? words[j - 1] : ""
        let isNumber = word.wholeMatch(of: /[\d,]*\.?\d+/) != nil
        if isNumber && word.contains(".") && !units.contains(next) && before != "BY-SA"
          && !words[(j + 1)...].starts(with: ["of", "the", "time"])
          || word.hasSuffix("%") || isNumber && next == "%"
          || isNumber && next == "of" && behind.first?.isNumber == true
          || counts.contains(word) && shares.contains(next)
        {
          found.append(([word, next].joined(separator: " "), i + 1))
        }
      }
    }
    return found
  }

  private static let units: Set = ["GB", "GiB", "MB", "million", "billion", "ms", "s", "min", "h"]
  private static let counts: Set = [
    "a", "an", "one", "two", "three", "four", "nearly", "almost", "over", "under",
  ]
  private static let shares: Set = [
    "half", "third", "thirds", "quarter", "quarters", "fifth", "fifths", "sixth", "eighth", "tenth",
    "tenths", "twentieth", "hundredth",
  ]
}
