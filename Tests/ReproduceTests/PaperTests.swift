// The paper as it is committed: what it asks of the ledger is there, and no number is typed.

import Foundation
import Notebook
import Testing

@testable import reproduce

@Suite struct PaperTests {
  private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  private var ledger: Ledger {
    get throws {
      try Ledger(
        parsing: String(contentsOfFile: "\(root)/paper/numbers.tsv", encoding: .utf8), file: "l")
    }
  }

  @Test func everyNumberIsTheLedgers() throws {
    let sources = try PaperSources(root: root)
    let ledger = try ledger
    #expect(try sources.faults(against: ledger) == [])
    #expect(sources.used.count > 50)
    #expect(try sources.unused(besides: ClaimTable(root: root, ledger: ledger).sources) == [])
    // Of the numbers, just those that are asked for are written.
    let text = try ledger.macros(used: sources.used)
    let written = text.components(separatedBy: "\\newcommand").count - 1
    #expect(written == sources.used.count)
    _ = try ledger.macros(used: sources.used)
  }

  private func table() throws -> AbstractTable {
    AbstractTable(
      text: try PaperText(root: root, ledger: ledger),
      experiments: try ExperimentSource.all(root: root),
      targets: try MakeTargets(root: root), ledger: try ledger)
  }

  private func abstract(_ text: String? = nil) throws -> Latex {
    Latex(
      try text ?? String(contentsOfFile: "\(root)/paper/abstract.tex", encoding: .utf8),
      file: "paper/abstract.tex")
  }

  /// At most 150 words as it is printed, which the command demands; no markup is left, and every number and
  /// claim has its line.
  @Test func theAbstractIsShortAndTraced() throws {
    let (table, source) = (try table(), try abstract())
    let printed = try table.abstract(source)
    #expect(wordCount(printed) > 90)
    #expect(!printed.contains { "\\{}~$'`".contains($0) }, "\(printed)")
    let lines = try table.lines(source)
    #expect(lines.count > 4)
    for line in lines {
      #expect(line.command.hasPrefix("make ") && !line.experiment.isEmpty, "\(line)")
      guard !line.row.hasPrefix("claim.") else { continue }
      #expect(printed.contains("\(line.quoted) ["), "\(line.quoted)")
      #expect(
        !line.interval.isEmpty && !line.controlValue.isEmpty && !line.cells.isEmpty, "\(line)")
    }
  }

  @Test func anAbstractWithoutAControlOrTooLongIsRefused() throws {
    let table = try table()
    let alone = try abstract(
      "It is \\effect{eOneConnectorSufficiency}. Not \\control{eOneConnectorUnrelated}.")
    #expect(throws: Failure.self) { try table.lines(alone) }
    let beside = try abstract(
      "It is \\effect{eOneConnectorSufficiency}, not \\control{eOneConnectorUnrelated}.")
    let line = try #require(try table.lines(beside).first)
    #expect(line.control == "e1.connectorUnrelated" && line.command == "make figure2")
    #expect(line.cells == "exact map")
    let long = try abstract(String(repeating: "word ", count: 151))
    #expect(throws: Failure.self) { try table.abstract(long) }
    #expect(try wordCount(table.abstract(abstract(String(repeating: "word ", count: 150)))) == 150)
    #expect(throws: (any Error).self) { try table.abstract(abstract("\\val{noSuchNumber}")) }
  }

  /// A constant of the design says which file it comes from, and that file has it.
  @Test func constantsStandWhereTheySay() throws {
    let text = try String(contentsOfFile: "\(root)/paper/constants.tex", encoding: .utf8)
    let lines = text.split(separator: "\n").filter { $0.hasPrefix("\\newcommand") }
    #expect(lines.count > 5)
    for line in lines {
      let source = line.split(separator: "% ", maxSplits: 1).last ?? ""
      let parts = source.split(separator: ": ", maxSplits: 1).map(String.init)
      let file = try String(contentsOfFile: "\(root)/\(parts[0])", encoding: .utf8)
      #expect(file.contains(parts[1]), "\(line)")
    }
  }

  @Test func tablesHaveTheirRows() throws {
    let ledger = try ledger
    let tables = try PaperTables(root: root, ledger: ledger).all()
    for (name, text) in tables {
      #expect(text.components(separatedBy: "\\\\\n").count > 4, "\(name)")
      #expect(!text.contains("nan") && !text.contains("inf"), "\(name)")
    }
    // A table that may break over pages, so that every claim is printed; Y10 stands behind Y9.
    let claims = try #require(tables.first { $0.0 == "claims" }?.1)
    #expect(claims.contains("\\begin{longtable}"))
    let keys = try ledger.verdicts().map(\.key).filter { !$0.contains(".") }
    let places = try keys.map { key in
      (key, try #require(claims.range(of: "\n\(key) & ")?.lowerBound))
    }
    let printed = places.sorted { $0.1 < $1.1 }.map(\.0)
    #expect(
      printed
        == keys.sorted {
          $0.first! == $1.first! ? Int($0.dropFirst())! < Int($1.dropFirst())! : $0 < $1
        })
    // What was written down of a check stands beside what it came to.
    let sanity = try #require(tables.first { $0.0 == "sanity" }?.1)
    #expect(sanity.contains("All but the window resampled & $> 0.5$ & "))
  }
}
