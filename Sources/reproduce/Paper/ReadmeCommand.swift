// `reproduce readme`: the table of claims of README, between its marks, from the ledger.

import ArgumentParser
import Foundation
import Notebook

struct Readme: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes the table of claims into README.md and README.zh-TW.md.",
    discussion: """
      The table stands between <!-- claims --> and <!-- /claims -->; what is written there by hand is lost. What \
      to look for comes from paper/claims.tsv and paper/claims.zh-TW.tsv, all else from the ledger, the experiments and the Makefile.
      """)

  @Flag(help: "Write nothing; end with status 1 where a table is not as it would be written.")
  var check = false

  func run() throws {
    let repository = try Repository()
    let ledger = try readLedger(repository)
    var stale: [String] = []
    for language in ReadmeLanguage.allCases {
      let table = try ClaimTable(root: repository.root.path, ledger: ledger, language: language)
      let path = repository.url(language.readme).path
      let old = try String(contentsOfFile: path, encoding: .utf8)
      let new = try ReadmeText.replacingClaims(
        in: old, with: table.markdown(), file: language.readme)
      guard new != old else { continue }
      stale.append(language.readme)
      if !check { try writeAtomically(new, to: path) }
    }
    if check, !stale.isEmpty {
      throw Failure(
        "\(stale.joined(separator: ", ")): the table of claims is stale; run make readme")
    }
    print(stale.isEmpty ? "nothing has changed" : "wrote \(stale.joined(separator: ", "))")
  }
}

enum ReadmeText {
  static let (start, end) = ("<!-- claims -->", "<!-- /claims -->")

  /// The text with another table between the marks.
  static func replacingClaims(in text: String, with table: String, file: String) throws -> String {
    guard let from = text.range(of: start), let to = text.range(of: end),
      from.upperBound <= to.lowerBound
    else { throw Failure("\(file): the marks \(start) and \(end) are not there, in this order") }
    return text[..<from.upperBound] + "\n\n\(table)\n" + text[to.lowerBound...]
  }
}
