// The edits that `make break` makes: that each can still be made, and that README says what it does.

import Foundation
import Testing

@Suite struct BreakTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  private static func read(_ file: String) throws -> String {
    try String(contentsOfFile: "\(root)/\(file)", encoding: .utf8)
  }

  /// claim, file, from, to, command, before, after
  private static var edits: [[String]] {
    get throws {
      try read("Tests/Break/edits.tsv").split(separator: "\n").dropFirst().map {
        $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      }
    }
  }

  @Test func everyEditCanBeMade() throws {
    let edits = try Self.edits
    #expect(edits.count > 3 && Set(edits.map { $0[0] }).count == edits.count)
    for edit in edits {
      try #require(edit.count == 7, "\(edit)")
      #expect(!edit.contains(""), "\(edit)")
      let text = try Self.read(edit[1])
      #expect(text.components(separatedBy: edit[2]).count == 2, "\(edit[0]): \(edit[2])")
      #expect(edit[2] != edit[3] && edit[5] != edit[6], "\(edit[0])")
      let program = String(edit[4].split(separator: " ")[0])
      #expect(try Self.read("Package.swift").contains("\"\(program)\""), "\(program)")
    }
  }

  @Test(arguments: ["README.md", "README.zh-TW.md"])
  func theReadmeTellsEveryEdit(_ readme: String) throws {
    let text = try Self.read(readme)
    for edit in try Self.edits {
      let row = text.split(separator: "\n").first { $0.hasPrefix("| \(edit[0]) | `\(edit[1])` |") }
      let told = edit[2...3].map { $0.trimmingCharacters(in: .whitespaces) }
      #expect(
        row?.contains("`\(told[0])`") == true && row?.contains("`\(told[1])`") == true
          && row?.contains(edit[6]) == true, "\(readme): \(edit[0])")
    }
  }
}
