// The card of the speech LM of two published halves: every count on it is the table's.

import Foundation
import Testing

@Suite struct CardTests {
  @Test func countsOnTheCardAreTheTables() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    func read(_ file: String) throws -> String {
      try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8)
    }
    let name = "qwen2-audio-published"
    let counts = try read("paper/accuracies.tsv").split(separator: "\n").map {
      $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    }
    let rows = try read("artifacts/\(name)/README.md").split(separator: "\n")
      .filter { $0.hasPrefix("| ") }.dropFirst().map { row in
        row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      }
    #expect(rows.count > 5)
    for row in rows {
      try #require(row.count == 4, "\(row)")
      let measure = "\(row[0]) | all voices | \(row[1])"
      let found = counts.first { $0[0] == name && $0[1] == measure }
      #expect(found.map { [$0[2], $0[3]] } == Array(row[2...3]), "\(measure)")
    }
  }
}
