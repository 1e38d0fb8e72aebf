// Where a figure, a table or a number comes from, in lines for a reader.

import Foundation
import Notebook

struct Explanation: Equatable {
  var lines: [String] = []

  /// Whether something that it was made from is not what it was.
  var isStale = false

  fileprivate mutating func add(_ label: String, _ text: String) {
    lines.append(label.padding(toLength: 12, withPad: " ", startingAt: 0) + text)
  }

  fileprivate mutating func add(_ label: String, each texts: [String]) {
    for (i, text) in texts.enumerated() { add(i == 0 ? label : "", text) }
  }
}

/// What explanations are made from.
struct Explainer {
  let root: String
  let ledger: Ledger
  let experiments: [ExperimentSource]
  let targets: MakeTargets
  let inputs: StampedInputs
  let sources: PaperSources

  init(root: String, ledger: Ledger) throws {
    self.root = root
    self.ledger = ledger
    experiments = try ExperimentSource.all(root: root)
    targets = try MakeTargets(root: root)
    inputs = try StampedInputs(root: root)
    sources = try PaperSources(root: root)
  }

  /// - Parameter subject: a file of figures/, a number of the ledger, or a claim
  func explain(_ subject: String) throws -> Explanation {
    if subject.contains("/") { return try explain(file: subject) }
    let name =
      ledger[subject] == nil && ledger["claim.\(subject)"] != nil ? "claim.\(subject)" : subject
    guard let row = ledger[name] else {
      let near = ledger.rows.map(\.name).filter {
        $0.localizedCaseInsensitiveContains(subject) || $0.hasPrefix(subject.prefix(8))
      }
      throw Failure(
        "\(subject) is neither a file nor a number of paper/numbers.tsv"
          + (near.isEmpty ? "" : "; near it are \(near.prefix(5).joined(separator: ", "))"))
    }
    return try explain(row)
  }

  // ## A figure or a table

  private func explain(file path: String) throws -> Explanation {
    guard FileManager.default.fileExists(atPath: "\(root)/\(path)") else {
      throw Failure("there is no \(path); the figures are in figures/")
    }
    guard let (experiment, call, figure) = try origin(of: path) else {
      throw Failure("\(path): no experiment of Sources/Experiments writes it")
    }
    var found = Explanation()
    found.add("file", "\(path), SHA-256 \(try Digest(ofFile: "\(root)/\(path)"))")
    try describe(experiment, from: call, in: &found)
    if let figure {
      let ending = path.hasPrefix("\(figure).") && path.hasSuffix(".pdf") ? "pdf" : "svg"
      try check("\(figure).\(ending)", of: experiment, in: &found)
    } else {
      found.add("inputs", "it has no stamp; \(experiment.name) draws no figure")
    }
    return found
  }

  /// The experiment that writes a file, by its stamp where it has one, the call that does, and the figure that has
  /// the stamp of the same run.
  private func origin(of path: String) throws -> (ExperimentSource, NotebookCall, String?)? {
    for experiment in experiments {
      for call in experiment.calls {
        guard let template = call.template else { continue }
        let isFigure =
          call.kind == "figure"
          && ["pdf", "svg", "tsv"].contains { template.filled(with: "") + ".\($0)" == path }
        if isFigure || call.kind == "output" && template.matches(path) {
          return (experiment, call, isFigure ? template.filled(with: "") : experiment.figures.first)
        }
      }
    }
    return nil
  }

  // ## A number

  private func explain(_ row: Ledger.Row) throws -> Explanation {
    guard let experiment = experiments.first(where: { $0.name == row.experiment }) else {
      throw Failure("\(row.name): Sources/Experiments has no \(row.experiment)")
    }
    var found = Explanation()
    let isClaim = row.name.hasPrefix("claim.")
    let unit = row.claim.isEmpty ? "" : isClaim ? ", \(row.claim)" : ", of claim \(row.claim)"
    found.add(
      isClaim ? "claim" : "number",
      "\(row.name)  \(row.value)\(row.low == nil ? "" : " \(row.interval)")\(unit); a rerun may differ by \(row.tolerance)"
    )
    let name = isClaim ? String(row.name.dropFirst("claim.".count)) : row.name
    if let call = experiment.call(isClaim ? "claim" : "number", of: name) {
      try describe(experiment, from: call, in: &found)
    }
    let macro = try macroName(of: row.name)
    let quotes = sources.files.flatMap { file in
      file.quoted().filter { $0.kind == .number && $0.name == macro }.map { (file.file, $0) }
    }
    let rows = try Dictionary(
      uniqueKeysWithValues: ledger.rows.map { (try macroName(of: $0.name), $0) })
    found.add(
      "matched",
      each: quotes.flatMap { file, quoted in
        quoted.controls.compactMap { rows[$0] }.map {
          "\($0.name)  \($0.value) \($0.interval), beside it in \(file)"
        }
      })
    if let figure = experiment.figures.first {
      try check("\(figure).svg", of: experiment, in: &found)
    } else {
      found.add("inputs", "\(experiment.name) draws no figure, so that no stamp names them")
    }
    return found
  }

  // ## What both have

  private func describe(
    _ experiment: ExperimentSource, from call: NotebookCall, in found: inout Explanation
  ) throws {
    found.add("experiment", "\(experiment.name): \(experiment.title)")
    found.add("code", "\(experiment.file), line \(call.line)")
    let cost = targets[experiment.name].map { $0.time.isEmpty ? "" : " (\($0.time))" } ?? ""
    found.add("command", try targets.command(experiment) + cost)
    func named(_ calls: [NotebookCall]) -> [String] {
      calls.map { "\($0.template?.filled(with: "*") ?? "each by its name") (line \($0.line))" }
    }
    found.add("cells", each: named(experiment.cells(behind: call.line)))
    found.add("controls", each: named(experiment.calls.filter { $0.kind == "control" }))
  }

  /// What the stamp names against the checkout.
  private func check(
    _ figure: String, of experiment: ExperimentSource, in found: inout Explanation
  ) throws {
    guard let stamp = try FigureStamp(figure: figure, root: root) else {
      found.add("inputs", "\(figure) is not there; \(try targets.command(experiment)) draws it")
      return
    }
    guard stamp.experiment == experiment.name, stamp.marks.isEmpty else {
      found.isStale = true
      found.add("stamp", "\(figure) is of another run: \(stamp.text)")
      return
    }
    let all = try inputs.inputs(
      of: stamp, figure: String(figure.dropLast(4)), experiment: experiment)
    found.isStale = found.isStale || all.contains(where: \.isWrong)
    found.add("inputs", each: all.map { "\($0.name) \($0.digest)  \($0.described)" })
    found.add(
      "",
      all.contains(where: \.isWrong)
        ? "\(figure) was made from something else than lies here"
        : "\(figure) was made from what lies here; that the code still gives it, make check tells")
  }
}

extension StampedInput {
  /// Whether it is what it was, in words.
  var described: String {
    switch state {
    case .matches: "matches \(path)"
    case .differs(let reason): "DIFFERS from \(path): \(reason)"
    case .listed(let list, let remedy, let isHere):
      "is what data-manifests/\(list) lists" + (isHere ? ", in \(path)" : "; \(remedy)")
    case .unknown: "UNKNOWN: nothing here has this digest"
    }
  }
}
