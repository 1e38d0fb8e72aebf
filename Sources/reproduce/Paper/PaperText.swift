// The paper's text as a reader sees it, from the same sources that LaTeX sets: numbers, verdicts and constants
// put in.

import Foundation
import Notebook

struct PaperText {
  private let ledger: [String: Ledger.Row]
  private let verdicts: [String: ClaimVerdict]
  private let constants: [String: String]

  /// - Parameter constants: the text of paper/constants.tex
  init(ledger: Ledger, constants: String) throws {
    self.ledger = try Dictionary(
      uniqueKeysWithValues: ledger.rows.map { (try macroName(of: $0.name), $0) })
    verdicts = try Dictionary(uniqueKeysWithValues: ledger.verdicts().map { ($0.key, $0) })
    self.constants = Dictionary(
      uniqueKeysWithValues: Latex(constants, file: "paper/constants.tex")
        .calls(of: ["newcommand"]).compactMap { call in
          call.arguments.count == 2
            ? (String(call.arguments[0].dropFirst()), call.arguments[1]) : nil
        })
  }

  init(root: String, ledger: Ledger) throws {
    try self.init(
      ledger: ledger,
      constants: String(contentsOfFile: "\(root)/paper/constants.tex", encoding: .utf8))
  }

  /// Its paragraphs, with a blank line between them.
  ///
  /// - Parameter other: commands that the text has beside the paper's
  func plain(_ source: Latex, _ other: (String) -> Latex.Meaning? = { _ in nil }) throws -> String {
    try source.plain { meaning($0) ?? other($0) }
  }

  /// The row of a number by its macro.
  func row(_ macro: String) throws -> Ledger.Row {
    guard let row = ledger[macro] else {
      throw Failure("no number of the ledger has the macro \\\(macro)")
    }
    return row
  }

  func verdict(_ key: String) throws -> ClaimVerdict {
    guard let verdict = verdicts[key] else { throw Failure("the ledger has no claim \(key)") }
    return verdict
  }

  /// The wording of `\byverdict` that is printed.
  func chosen(_ arguments: [String]) throws -> String {
    switch try verdict(arguments[0]).word {
    case "holds": arguments[1]
    case "mixed": arguments[2]
    default: arguments[3]
    }
  }

  /// What the paper's own commands print, as paper.tex defines them.
  private func meaning(_ command: String) -> Latex.Meaning? {
    switch command {
    case "val": Latex.Meaning(1) { try row($0[0]).latex() }
    case "interval":
      Latex.Meaning(1) { arguments in
        guard let interval = try row(arguments[0]).latexInterval else {
          throw Failure("\\\(arguments[0]) has no interval")
        }
        return interval
      }
    case "effect", "control": Latex.Meaning(1) { "\\val{\($0[0])}~\\interval{\($0[0])}" }
    case "byverdict": Latex.Meaning(4) { try chosen($0) }
    case "countof": Latex.Meaning(1) { try verdict($0[0]).count }
    default: constants[command].map { constant in Latex.Meaning(0) { _ in constant } }
    }
  }
}

/// How many words a text has as it is printed; an interval counts as two.
func wordCount(_ text: String) -> Int {
  text.split(whereSeparator: \.isWhitespace).count { $0.contains { $0.isLetter || $0.isNumber } }
}
