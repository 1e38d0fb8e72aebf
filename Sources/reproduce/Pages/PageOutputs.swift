// What stands on an experiment's page behind its code: what every call printed, the numbers that it gave, the
// files that it wrote. Of an experiment that has not been run on this machine these are the committed ones.

import Foundation
import Notebook

struct PageOutputs {
  /// A piece of output, behind the line of the call that gave it.
  struct Piece: Equatable {
    enum Kind: String { case text, row, markdown }

    let line: Int
    let kind: Kind

    /// Printed lines, a row of numbers whose cells are separated by tabs, or Markdown.
    let content: String
  }

  let root: String
  let experiment: ExperimentSource
  let record: RunRecord?

  /// The numbers of this experiment.
  let ledger: Ledger

  init(root: String, experiment: ExperimentSource, ledger: Ledger) throws {
    try self.init(
      root: root, experiment: experiment, ledger: ledger,
      record: RunRecord(reading: "\(root)/build/\(experiment.name).run.json"))
  }

  init(root: String, experiment: ExperimentSource, ledger: Ledger, record: RunRecord?) throws {
    self.root = root
    self.experiment = experiment
    self.record = record
    self.ledger = try Ledger(ledger.rows.filter { $0.experiment == experiment.name })
  }

  /// Everything, in the order of the page.
  func pieces() -> [Piece] {
    (record.map(printed) ?? committed()) + numbers() + files()
  }

  /// The pieces as weave.lua reads them: a line `@ LINE KIND` before each.
  var text: String {
    pieces().map { "@ \($0.line) \($0.kind.rawValue)\n\($0.content)\n" }.joined()
  }

  // ## What was printed

  /// Calls that print although their name says nothing of it.
  private static let helpers: Set = ["askFirst", "entering", "open", "control"]

  private func printed(_ record: RunRecord) -> [Piece] {
    var last = 1
    return record.events.compactMap { event in
      guard event.kind != "number", event.kind != "output" else { return nil }
      let call =
        experiment.call(event.kind, of: event.kind == "say" ? event.text : event.name)
        ?? experiment.calls.first {
          $0.line >= last && PageOutputs.helpers.contains($0.kind)
            && ($0.kind != "control" || $0.template == nil)
        }
      if let call { last = call.line }
      let text =
        event.kind == "cell"
        ? "\(event.name): \(event.text) \(event.text == "1" ? "item" : "items")" : event.text
      return Piece(line: last, kind: .text, content: text)
    }
  }

  /// What is known without a run: verdicts, and that every control passed.
  private func committed() -> [Piece] {
    guard !ledger.rows.isEmpty else { return [] }
    return experiment.calls.flatMap { call -> [Piece] in
      let name = call.template?.filled(with: "*") ?? "each"
      switch call.kind {
      case "control":
        return [
          Piece(
            line: call.line, kind: .text,
            content: "control  \(name)  PASS  (where one fails, no figure and no number is written)"
          )
        ]
      case "claim":
        let rows = ledger.rows.filter { row in
          row.name.hasPrefix("claim.")
            && experiment.call("claim", of: String(row.name.dropFirst(6)))?.line == call.line
        }
        return rows.map {
          Piece(
            line: call.line, kind: .text,
            content: "claim \($0.name.dropFirst(6))  \($0.value == 1 ? "holds" : "REFUTED")  "
              + $0.claim.drop { $0 != ":" }.dropFirst(2))
        }
      default: return []
      }
    }
  }

  // ## Numbers and files

  private func numbers() -> [Piece] {
    ledger.rows.filter { !$0.name.hasPrefix("claim.") }.compactMap { row in
      experiment.call("number", of: row.name).map {
        Piece(
          line: $0.line, kind: .row,
          content: [row.name, row.plain, row.plainInterval, row.claim].joined(separator: "\t"))
      }
    }
    .sorted { $0.line < $1.line }
  }

  /// The longest file that is shown whole.
  private static let shownLines = 24

  private func files() -> [Piece] {
    experiment.calls.flatMap { call -> [Piece] in
      guard let template = call.template else { return [] }
      switch call.kind {
      case "figure":
        return [shown("\(template.filled(with: "")).tsv", behind: call.line)].compactMap { $0 }
      case "output": return committedFiles(template).compactMap { shown($0, behind: call.line) }
      default: return []
      }
    }
  }

  private func committedFiles(_ template: NameTemplate) -> [String] {
    let folder = "\(root)/figures"
    return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
      .map { "figures/\($0)" }.filter(template.matches)
  }

  private func shown(_ path: String, behind line: Int) -> Piece? {
    guard let data = FileManager.default.contents(atPath: "\(root)/\(path)") else { return nil }
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
    let isShort = lines.count <= PageOutputs.shownLines
    let head = lines.prefix(isShort ? lines.count : 6).map {
      $0.count > 160 ? "\($0.prefix(160))…" : $0
    }
    return Piece(
      line: line, kind: .markdown,
      content: """
        [\(path)](../../\(path))\(isShort ? "" : ", the first of \(lines.count) lines"):

        ```{.output}
        \(head.joined(separator: "\n"))
        ```
        """)
  }
}

extension Ledger.Row {
  /// The interval as the paper prints it, without markup; empty where there is none.
  var plainInterval: String {
    latexInterval.flatMap { try? Latex($0, file: name).plain { _ in nil } } ?? ""
  }
}
