// `reproduce compare DIR`: a rerun's figures, tables and ledger against the committed ones.

import ArgumentParser
import Foundation
import Notebook

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compares what a run wrote to DIR with the repository.",
    discussion: """
      Files are identical or they differ; numbers are identical, within their tolerance, or differ; what \
      belongs to no experiment that was run is said to be not rerun. Ends with status 1 where anything \
      differs or is missing.
      """)

  @Argument(help: "The folder that an experiment was run into with --out.") var folder: String

  func run() throws {
    let repository = try Repository()
    var counts: [String: Int] = [:]
    func report(_ verdict: String, _ name: String, _ detail: String = "") {
      print(verdict.padding(toLength: 17, withPad: " ", startingAt: 0), name, detail)
      counts[verdict, default: 0] += 1
    }
    let figures = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/figures").sorted()
    guard !figures.isEmpty else {
      throw ValidationError("\(folder)/figures is empty: run an experiment with --out \(folder)")
    }
    let accuracies = ["paper/accuracies.tsv"].filter {
      FileManager.default.fileExists(atPath: "\(folder)/\($0)")
    }
    for name in figures.map({ "figures/\($0)" }) + accuracies {
      let own = FileManager.default.contents(atPath: repository.url(name).path)
      let rerun = FileManager.default.contents(atPath: "\(folder)/\(name)")
      report(own == nil ? "missing" : own == rerun ? "identical" : "differs", name)
    }
    let committed = try FileManager.default.contentsOfDirectory(
      atPath: repository.url("figures").path)
    for name in committed.sorted() where !figures.contains(name) {
      report("not rerun", "figures/\(name)")
    }
    let paper = try Ledger(readingIfPresent: repository.url("paper/numbers.tsv").path)
    let rerun = try Ledger(readingIfPresent: "\(folder)/paper/numbers.tsv")
    for row in paper.compared(to: rerun) {
      report(
        row.verdict.rawValue, row.name,
        [row.paper, row.rerun].map { $0.map { "\($0.value)" } ?? "-" }.joined(separator: "  "))
    }
    print(counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
    guard counts["differs"] == nil, counts["missing"] == nil else { throw ExitCode(1) }
  }
}
