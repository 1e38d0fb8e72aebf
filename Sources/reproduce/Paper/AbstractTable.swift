// Where each number and each claim of the abstract comes from.

import Foundation
import Notebook

struct AbstractTable {
  struct Line: Equatable {
    var quoted = ""
    var row = ""
    var value = ""
    var interval = ""
    var experiment = ""
    var cells = ""
    var control = ""
    var controlValue = ""
    var controlInterval = ""
    var command = ""
    var statement = ""

    static let columns = [
      "quoted", "row", "value", "interval", "experiment", "cells", "control", "control's value",
      "control's interval", "command", "claim",
    ]

    var fields: [String] {
      [
        quoted, row, value, interval, experiment, cells, control, controlValue, controlInterval,
        command, statement,
      ]
    }
  }

  let text: PaperText
  let experiments: [ExperimentSource]
  let targets: MakeTargets
  let ledger: Ledger

  /// The most words that the abstract may have, an interval counted as two.
  static let wordLimit = 150

  /// The abstract as it is printed.
  ///
  /// - Throws: where it has too many words, or a number without its control
  func abstract(_ source: Latex) throws -> String {
    let plain = try text.plain(source)
    let words = wordCount(plain)
    guard words <= AbstractTable.wordLimit else {
      throw Failure("\(source.file): \(words) words, \(AbstractTable.wordLimit) are the most")
    }
    return plain
  }

  /// A line for each number and claim, in the abstract's order.
  func lines(_ source: Latex) throws -> [Line] {
    let quoted = source.quoted()
    let controls = Set(quoted.filter(\.isControl).map(\.name))
    var claims: Set<String> = []
    return try quoted.filter { !$0.isControl }.flatMap { one -> [Line] in
      if one.kind == .claim {
        return claims.insert(one.name).inserted ? [try line(ofClaim: one.name)] : []
      }
      guard !one.controls.isEmpty, one.controls.allSatisfy(controls.contains) else {
        throw Failure("\(source.file): no \\control stands behind \\\(one.name) in its sentence")
      }
      return try one.controls.map { try line(of: one.name, control: $0) }
    }
  }

  private func line(of macro: String, control: String) throws -> Line {
    let (row, beside) = (try text.row(macro), try text.row(control))
    let experiment = try source(of: row.experiment)
    let cells = experiment.call("number", of: row.name).map { experiment.cells(behind: $0.line) }
    return try Line(
      quoted: row.plain, row: row.name, value: "\(row.value)", interval: row.interval,
      experiment: row.experiment,
      cells: (cells ?? []).compactMap { $0.template?.filled(with: "*") }.joined(separator: "; "),
      control: beside.name, controlValue: "\(beside.value)", controlInterval: beside.interval,
      command: targets.command(experiment), statement: row.claim)
  }

  private func line(ofClaim key: String) throws -> Line {
    let verdict = try text.verdict(key)
    let names = try rows(ofClaim: key).map(\.experiment).reduce(into: [String]()) {
      if !$0.contains($1) { $0.append($1) }
    }
    return Line(
      quoted: key, row: "claim.\(key)" + (ledger["claim.\(key)"] == nil ? ".*" : ""),
      value: verdict.fails.isEmpty || verdict.holds.isEmpty
        ? verdict.word : "holds in \(verdict.count)",
      experiment: names.joined(separator: "; "),
      command: try names.map { try targets.command(try source(of: $0)) }.joined(separator: "; "),
      statement: verdict.statement)
  }

  private func rows(ofClaim key: String) throws -> [Ledger.Row] {
    ledger.rows.filter { $0.name == "claim.\(key)" || $0.name.hasPrefix("claim.\(key).") }
  }

  private func source(of experiment: String) throws -> ExperimentSource {
    guard let source = experiments.first(where: { $0.name == experiment }) else {
      throw Failure("Sources/Experiments has no \(experiment), which the ledger names")
    }
    return source
  }
}

extension Ledger.Row {
  /// The value as the paper prints it, without markup.
  var plain: String { (try? Latex(latex(), file: name).plain { _ in nil }) ?? latex() }

  /// `[low, high]` with all digits; empty where there is none.
  var interval: String { low.map { "[\($0), \(high!)]" } ?? "" }
}
