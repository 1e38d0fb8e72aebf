// `reproduce pages`: what pandoc needs beside the experiments to make their pages: the outputs of each, the head
// of its page, and the index.

import ArgumentParser
import Foundation
import Notebook

struct Pages: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes what the experiments' pages show beside their code.",
    discussion: """
      Of each experiment the outputs of its last run on this machine (build/NAME.run.json), or the committed \
      ones; in DIR, for paper/weave.lua, which `make pages` runs.
      """)

  @Option(help: "The folder to write to.") var out = "build/pages/work"

  func run() throws {
    let repository = try Repository()
    let root = repository.root.path
    let ledger = try readLedger(repository)
    let experiments = try ExperimentSource.all(root: root)
    let index = PageIndex(ledger: ledger, targets: try MakeTargets(root: root), root: root)
    for experiment in experiments {
      let outputs = try PageOutputs(root: root, experiment: experiment, ledger: ledger)
      try writeAtomically(outputs.text, to: "\(out)/\(experiment.name).outputs")
      try writeAtomically(
        index.head(of: experiment, isRun: outputs.record != nil),
        to: "\(out)/\(experiment.name).head")
    }
    try writeAtomically(index.markdown(experiments), to: "\(out)/index.md")
    print("\(experiments.count) experiments, in \(out)")
  }
}

/// What leads to the pages and from one to the next.
struct PageIndex {
  let ledger: Ledger
  let targets: MakeTargets
  let root: String

  /// What stands below a page's title, in Markdown.
  func head(of experiment: ExperimentSource, isRun: Bool) throws -> String {
    let target = targets[experiment.name]
    let cost = [target?.time, target?.memory].compactMap { $0 }.filter { !$0.isEmpty }
    var lines = [
      "[All experiments](index.html) · [source](../../\(experiment.file)) · "
        + "`\(try targets.command(experiment))`"
        + (cost.isEmpty ? "" : " (\(cost.joined(separator: ", ")))")
    ]
    let stamps = try experiment.figures.compactMap {
      try FigureStamp(figure: "\($0).svg", root: root)?.text
    }
    let isKnown = ledger.rows.contains { $0.experiment == experiment.name }
    lines.append(
      isRun
        ? "Behind each piece of code stands what its last run on this machine printed."
        : isKnown
          ? "It has not been run on this machine: behind each piece of code stand the committed numbers and files."
          : "It has not been run, so nothing stands behind its code.")
    lines += stamps.map { "Made from: `\($0)`" }
    return "::: {.head}\n\(lines.joined(separator: "\n\n"))\n:::\n"
  }

  /// The index page in Markdown.
  func markdown(_ experiments: [ExperimentSource]) throws -> String {
    // The main figures first, then those of the appendix; what draws none comes last.
    let order = experiments.map { experiment in
      (
        experiment.figures.first.map { ($0.contains("figureS") ? "1" : "0") + $0 } ?? "2",
        experiment
      )
    }
    let rows = try order.sorted { ($0.0, $0.1.name) < ($1.0, $1.1.name) }.map { _, experiment in
      let own = try Ledger(ledger.rows.filter { $0.experiment == experiment.name })
      let verdicts = try own.verdicts().filter { !$0.key.contains(".") }.map {
        "\($0.key) \($0.word == "mixed" ? "holds in \($0.count)" : $0.word)"
      }
      let figures = experiment.figures.map {
        FileManager.default.fileExists(atPath: "\(root)/\($0).pdf")
          ? "[\(figureLabel($0))](../../\($0).pdf)" : "\(figureLabel($0)) (not drawn yet)"
      }
      return [
        "[\(experiment.title.replacing("|", with: "\\|"))](\(experiment.name).html)",
        figures.joined(separator: ", "), "`\(try targets.command(experiment))`",
        targets[experiment.name]?.time ?? "", verdicts.joined(separator: "; "),
      ]
    }
    let head = ["experiment", "figure", "command", "time", "claims"]
    // Their lengths are the widths that pandoc gives the columns.
    let rule = [36, 12, 26, 8, 30].map { String(repeating: "-", count: $0) }
    return """
      ---
      title: Experiments
      ---

      Each page is the experiment's source: its prose, its code, what the code gave, and its figure. Values,
      intervals and verdicts come from [paper/numbers.tsv](../../paper/numbers.tsv); methods are defined in
      [paper/definitions.md](../../paper/definitions.md).

      \(([head, rule] + rows).map { "| \($0.joined(separator: " | ")) |" }
        .joined(separator: "\n"))

      """
  }
}
