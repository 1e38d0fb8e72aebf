// README's table of claims: what is claimed and what the numbers say, from the ledger; which figure, command, time
// and memory, from the experiment and the Makefile; what to look for, from paper/claims.tsv, whose numbers are
// macros of the ledger like those of the paper.

import Foundation
import Notebook

struct ClaimTable {
  /// A line of paper/claims.tsv.
  struct Entry: Equatable {
    /// The claim's key; `-` where a figure is no claim.
    let claim: String
    let experiment: String

    /// What it shows, where there is no claim whose words the ledger has.
    let statement: String

    /// What to look for, in the paper's own commands.
    let look: String
    let line: Int
  }

  let root: String
  let language: ReadmeLanguage
  let text: PaperText
  let ledger: Ledger
  let experiments: [ExperimentSource]
  let targets: MakeTargets
  let entries: [Entry]

  init(root: String, ledger: Ledger, language: ReadmeLanguage = .english) throws {
    let file = language.list
    self.root = root
    self.language = language
    self.ledger = ledger
    text = try PaperText(root: root, ledger: ledger)
    experiments = try ExperimentSource.all(root: root)
    targets = try MakeTargets(root: root)
    let lines = try String(contentsOfFile: "\(root)/\(file)", encoding: .utf8)
      .split(separator: "\n", omittingEmptySubsequences: false)
    let entries = try lines.enumerated().dropFirst().filter { !$0.element.isEmpty }.map { i, line in
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      guard fields.count == 4 else {
        throw Failure(
          "\(file), line \(i + 1): expected 4 columns, found \(fields.count)")
      }
      return Entry(
        claim: fields[0], experiment: fields[1], statement: fields[2], look: fields[3], line: i + 1)
    }
    for entry in entries {
      // A claim's own words have the constants that it was asked with.
      let text = (entry.claim == "-" ? entry.statement + " " : "") + entry.look
      let typed =
        Latex(text, file: file).typedNumbers().first?.number
        ?? ReadmeText.typedResults(text).first?.text
      if let typed {
        throw Failure(
          "\(file), line \(entry.line): \(typed) is typed; take it from paper/numbers.tsv by \\val")
      }
    }
    self.entries = entries
  }

  /// The texts as they are checked for typed numbers.
  var sources: [Latex] {
    entries.map { Latex($0.look, file: "\(language.list), line \($0.line)") }
  }

  /// The table in Markdown.
  func markdown() throws -> String {
    var seen: Set<String> = []
    // Of an experiment that has not been run there is nothing to say yet.
    let waiting = Set(experiments.map(\.name)).subtracting(ledger.rows.map(\.experiment))
    let rows = try (entries + unlisted()).filter { !waiting.contains($0.experiment) }.map {
      try row($0, isFirst: seen.insert($0.experiment).inserted)
    }
    return ([language.head, language.head.map { _ in "---" }] + rows)
      .map { "| \($0.joined(separator: " | ")) |\n" }.joined()
  }

  /// Claims of the ledger that no line of the file looks at; the numbers that support one are what to look for.
  private func unlisted() throws -> [Entry] {
    let listed = Set(entries.map { "\(base($0.claim)) \($0.experiment)" })
    let claims = ledger.rows.filter { $0.name.hasPrefix("claim.") }
      .map { (base(String($0.name.dropFirst("claim.".count))), $0.experiment) }
    return try claims.reduce(into: [Entry]()) { found, claim in
      guard !listed.contains("\(claim.0) \(claim.1)"),
        !found.contains(where: { $0.claim == claim.0 && $0.experiment == claim.1 })
      else { return }
      let numbers = try ledger.rows
        .filter { $0.claim == claim.0 && $0.experiment == claim.1 && $0.low != nil }.prefix(3)
        .map { "\\code{\($0.name)} \\effect{\(try macroName(of: $0.name))}" }
      found.append(
        Entry(
          claim: claim.0, experiment: claim.1, statement: "",
          look: numbers.joined(separator: ", "), line: 0))
    }
  }

  private func base(_ claim: String) -> String { String(claim.prefix { $0 != "." }) }

  private func row(_ entry: Entry, isFirst: Bool) throws -> [String] {
    guard let experiment = experiments.first(where: { $0.name == entry.experiment }) else {
      throw Failure(
        "\(language.list), line \(entry.line): there is no experiment \(entry.experiment)")
    }
    guard let target = targets[experiment.name] else {
      throw Failure("no target of the Makefile runs \(experiment.name)")
    }
    let (claim, said) = try verdict(entry)
    let look = try text.plain(Latex(entry.look, file: language.list)) { command in
      switch command {
      case "holdingin": Latex.Meaning(2) { try holding(in: $0[0], column: $0[1]) }
      // A character that no text has, since quotation marks are set.
      case "code": Latex.Meaning(1) { "\u{1}\($0[0])\u{1}" }
      default: nil
      }
    }
    .replacing("\u{1}", with: "`")
    let command = try targets.command(experiment)
    // Of what README's first page says about the small checkpoints; of published models only what was recorded.
    let memory =
      !target.memory.isEmpty
      ? target.memory : command.contains("published") ? language.notRecorded : "< 2 GiB"
    return [
      claim, said, links(of: experiment, isFirst: isFirst), "`\(command)`",
      language.time(target.time), memory,
      look,
    ]
    .map { $0.replacing("|", with: "\\|") }
  }

  /// The claim in words, and what the rows of one experiment say of it.
  private func verdict(_ entry: Entry) throws -> (String, String) {
    guard entry.claim != "-" else { return (entry.statement, "") }
    let own = try Ledger(ledger.rows.filter { $0.experiment == entry.experiment })
    guard let verdict = try own.verdicts().first(where: { $0.key == entry.claim }) else {
      throw Failure(
        "\(language.list), line \(entry.line): \(entry.experiment) has no claim \(entry.claim)")
    }
    let count = verdict.holds.count + verdict.fails.count
    // The words of a claim that is new to the file are the ledger's.
    let statement = entry.statement.isEmpty ? verdict.statement : entry.statement
    return (
      "**\(base(entry.claim))**\(language.colon)\(statement)",
      language.verdict(holds: verdict.holds.count, of: count)
    )
  }

  /// How many rows of a table hold, and of how many.
  private func holding(in table: String, column name: String) throws -> String {
    let values = try column(name, of: table, root: root)
    return language.checks(values.count { $0 == "holds" }, of: values.count)
  }

  /// Links to what an experiment has written: its figures, and its tables by what their names say.
  ///
  /// - Parameter isFirst: whether no row above has named the tables
  private func links(of experiment: ExperimentSource, isFirst: Bool) -> String {
    func isThere(_ path: String) -> Bool {
      FileManager.default.fileExists(atPath: "\(root)/\(path)")
    }
    let figures = experiment.figures.filter { isThere("\($0).svg") }.flatMap {
      ["[\(language.figure($0))](\($0).svg)"]
        + (isFirst ? ["[\(language.table("values"))](\($0).tsv)"] : [])
    }
    let others = outputs(of: experiment).filter(isThere).map { path in
      let name = path.split(separator: "-", maxSplits: 1).last!.prefix { $0 != "." }
      return "[\(language.table(String(name)))](\(path))"
    }
    return (figures + (isFirst || figures.isEmpty ? others : [])).joined(separator: language.comma)
  }

  /// Its other outputs by the names that its source gives in full.
  private func outputs(of experiment: ExperimentSource) -> [String] {
    experiment.calls.filter { $0.kind == "output" }.compactMap {
      $0.template.flatMap { $0.parts.count == 1 ? $0.parts[0] : nil }
    }
  }
}

/// `figures/figureS2` as the paper calls it: Figure S2; `figures/ablation-layer` is ablation: layer.
func figureLabel(_ path: String) -> String {
  let name = path.split(separator: "/").last ?? ""
  return name.hasPrefix("figure")
    ? "Figure \(name.dropFirst("figure".count))" : String(name).replacing("-", with: ": ")
}
