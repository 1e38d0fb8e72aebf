// `reproduce readme`: the table of claims of README, between its marks, from the ledger.

import ArgumentParser
import Foundation
import Notebook

struct Readme: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes the table of claims into README.md and README.zh-TW.md.",
    discussion: """
      The table stands between <!-- claims --> and <!-- /claims -->; what is written there by hand is lost. What \
      to look for comes from \(ClaimTable.file), all else from the ledger, the experiments and the Makefile.
      """)

  @Flag(help: "Write nothing; end with status 1 where a table is not as it would be written.")
  var check = false

  func run() throws {
    let repository = try Repository()
    let table = try ClaimTable(root: repository.root.path, ledger: readLedger(repository))
    let markdown = try table.markdown()
    var stale: [String] = []
    for file in ReadmeText.files {
      let path = repository.url(file).path
      guard let data = FileManager.default.contents(atPath: path) else { continue }
      let old = String(decoding: data, as: UTF8.self)
      let new = try ReadmeText.replacingClaims(in: old, with: markdown, file: file)
      guard new != old else { continue }
      stale.append(file)
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
  static let files = ["README.md", "README.zh-TW.md"]
  static let (start, end) = ("<!-- claims -->", "<!-- /claims -->")

  /// The text with another table between the marks.
  static func replacingClaims(in text: String, with table: String, file: String) throws -> String {
    guard let from = text.range(of: start), let to = text.range(of: end),
      from.upperBound <= to.lowerBound
    else { throw Failure("\(file): the marks \(start) and \(end) are not there, in this order") }
    return text[..<from.upperBound] + "\n\n\(table)\n" + text[to.lowerBound...]
  }
}
