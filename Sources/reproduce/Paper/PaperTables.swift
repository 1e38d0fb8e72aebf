// The paper's tables, each from rows of the ledger by their names. A row that is not there is a dash, and a
// model without any row is left out.

import Foundation
import Interventions
import Notebook

struct PaperTables {
  let ledger: Ledger
  let accuracies: Accuracies
  /// What other ways of joining the published halves reach.
  let projectors: Accuracies
  /// What was written down of the sanity checks.
  let checks: [SanityCheck]

  init(root: String, ledger: Ledger) throws {
    self.ledger = ledger
    accuracies = try Accuracies(reading: "\(root)/paper/accuracies.tsv")
    projectors = try Accuracies(reading: "\(root)/paper/projectors.tsv", digits: 3)
    checks = try ["sanity", "sanity-published"].reduce(into: []) { checks, name in
      let more = try SanityChecks("\(root)/paper/preregistration-\(name).json").all
      checks += more.filter { check in !checks.contains { $0.id == check.id } }
    }
  }

  private let small = [
    "qwen2-audio-small", "qwen2-audio-ctc-small", "salmonn-small", "soundwave-small",
  ]

  /// Every table by its file's name.
  func all() throws -> [(String, String)] {
    [
      ("claims", try claims()), ("accuracies", accuracyTable()), ("localisation", localisation()),
      ("transfer", transfer()), ("sanity", sanity()), ("factors", factors()), ("search", search()),
      ("rivals", rivals()), ("projectors", projectorTable()),
    ]
  }

  /// Every claim, over as many pages as it takes; its caption is `\claimsCaption`.
  private func claims() throws -> String {
    let verdicts = try ledger.verdicts().filter { !$0.key.contains(".") }
    let ordered = verdicts.sorted {
      ($0.key.prefix(1), Int($0.key.dropFirst()) ?? 0)
        < ($1.key.prefix(1), Int($1.key.dropFirst()) ?? 0)
    }
    let rows = ordered.map { verdict in
      let experiments = ledger.rows
        .filter { ($0.name + ".").hasPrefix("claim.\(verdict.key).") }.map(\.experiment)
        .reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
      return [
        verdict.key, escaped(verdict.statement), verdict.word, verdict.count,
        experiments.map { "\\texttt{\(escaped($0))}" }.joined(separator: ", "),
      ].joined(separator: " & ")
    }
    let columns = "@{}lp{72mm}ll>{\\raggedright\\arraybackslash}p{38mm}@{}"
    let head = "\\toprule\nclaim & as it was asked & verdict & holds & experiment\\\\\n\\midrule\n"
    return made
      + "\\begin{longtable}{\(columns)}\n\\caption{\\claimsCaption}\\label{tab:claims}\\\\\n"
      + head + "\\endfirsthead\n" + head + "\\endhead\n\\bottomrule\n\\endfoot\n"
      + rows.map { "\($0)\\\\\n" }.joined() + "\\end{longtable}\n"
  }

  private func localisation() -> String {
    let rows = small.flatMap { model in
      ["synthetic", "people"].flatMap { voices in
        ["transcription", "translation", "answer"].compactMap { task in
          line(
            "\(model) & \(voices), \(task)", prefix: "e1.\(model).\(voices).\(task)",
            ["sufficiency", "necessity", "unrelated", "near", "takesOver"])
        }
      }
    }
    return table(
      columns: "@{}llccccc@{}",
      head:
        "checkpoint & voices, task & sufficiency & necessity & unrelated item & near & takes over",
      rows)
  }

  private func factors() -> String {
    let rows = small.compactMap { model in
      line(
        model, prefix: "e1.\(model)",
        [
          "speaker.sound.transcriptStays", "speaker.sound.voice", "noise.moment", "noise.unrelated",
          "stability.anotherSpeaker", "stability.inNoise", "stability.anotherSentenceByTheClock",
        ])
    }
    return table(
      columns: "@{}lccccccc@{}",
      head:
        "& \\multicolumn{2}{c}{another speaker's sound} & \\multicolumn{2}{c}{mistakes in noise}"
        + " & \\multicolumn{3}{c}{map's likeness to that of}\\\\\n"
        + "checkpoint & text stays & voice moved & moment & unrelated & speaker & noise & other sentence",
      rows)
  }

  private func transfer() -> String {
    let rows = (["qwen2-audio-published"] + small).compactMap { model in
      line(
        model, prefix: "e2.\(model)",
        [
          "lexical.K", "lexical.sufficiency", "lexical.necessity", "lexical.wrongItem",
          "transfer.lexical.sourceText",
          "transfer.wrongItem.sourceText", "transfer.lexical.baseVoice", "transfer.base.baseVoice",
          "transfer.voice.sourceText",
        ])
    }
    return table(
      columns: "@{}lccccccccc@{}",
      head:
        "& & & & wrong & \\multicolumn{2}{c}{source's text written} & \\multicolumn{2}{c}{own voice named}"
        + " & text with\\\\\ncheckpoint & $K$ & sufficiency & necessity & item & lexical & wrong item & lexical"
        + " & unpatched & voice", rows)
  }

  /// Every check by its label and rule, planted models below.
  private func sanity() -> String {
    let models = (["qwen2-audio-published"] + small).filter { model in
      ledger.rows.contains { $0.name.hasPrefix("sanity.\(model).") }
    }
    let rows = checks.compactMap { check -> String? in
      let cells = models.map { cell("sanity.\($0).\(check.id)") }
      guard cells.contains(where: { $0 != "--" }) else { return nil }
      return ([labelled(check)] + cells).joined(separator: " & ")
    }
    let planted = checks.filter { ledger["sanity.\($0.id)"] != nil }.map { check in
      "\(labelled(check)) & \\multicolumn{\(models.count)}{c}{\(cell("sanity.\(check.id)"))}"
    }
    return table(
      columns: "@{}ll" + String(repeating: "c", count: models.count) + "@{}",
      head: (["check", "rule"] + models).joined(separator: " & "), rows + planted)
  }

  private func labelled(_ check: SanityCheck) -> String {
    "\(escaped(check.label)) & \(check.rule.map(symbols) ?? "--")"
  }

  /// A rule of the interval, or with `=`, `>=` and `<=` of the value, in symbols.
  private func symbols(_ rule: SanityRule) -> String {
    func number(_ x: Double) -> String { String(format: "%g", x) }
    let text =
      switch rule {
      case .exactly(let x): "= \(number(x))"
      case .above(let x): "> \(number(x))"
      case .below(let x): "< \(number(x))"
      case .within(let a, let b): "\\subset (\(number(a)), \(number(b)))"
      case .contains(let x): "\\ni \(number(x))"
      case .notAbove(let x): "\\not> \(number(x))"
      case .atLeast(let x): "\\ge \(number(x))"
      case .atMost(let x): "\\le \(number(x))"
      }
    return "$\(text)$"
  }

  private func search() -> String {
    let kinds = ["residual": "RelP", "mlp": "RelP", "keys": "QK-fix", "queries": "QK-fix"]
    let rows = small.flatMap { model in
      ["residual", "mlp", "queries", "keys"].compactMap { kind in
        line(
          "\(model) & \(kind) & \(kinds[kind]!)", prefix: "s2.\(model).\(kind)",
          [
            "attribution.pearson", "\(kinds[kind]!).pearson", "attribution.spearman",
            "\(kinds[kind]!).spearman",
          ])
      }
    }
    return table(
      columns: "@{}lllcccc@{}",
      head: "& & & \\multicolumn{2}{c}{Pearson} & \\multicolumn{2}{c}{Spearman}\\\\\n"
        + "checkpoint & sites & remedy & attribution & remedy & attribution & remedy", rows)
  }

  /// What other procedures come to: one line a claim and model, in the order of the claims' numbers.
  private func rivals() -> String {
    let effects = ledger.rows.filter {
      $0.name.hasPrefix("rivals.") && $0.name.hasSuffix(".effect")
    }
    let keyed = effects.compactMap { row in
      Int(row.claim.dropFirst()).map { (number: $0, row: row) }
    }
    let ordered = keyed.sorted { ($0.number, $0.row.name) < ($1.number, $1.row.name) }
    var last = ""
    let rows = ordered.compactMap { _, row -> String? in
      let name = String(row.name.dropLast(".effect".count))
      // The model's name may have a full stop, too.
      let model = String(name.split(separator: ".", maxSplits: 2).last ?? "")
      guard let claim = ledger["claim.\(row.claim).\(model)"] else { return nil }
      // The ledger has it as "holds: rival: claim".
      let said = claim.claim.split(separator: ": ", maxSplits: 1).last.map(String.init) ?? ""
      let label = said == last ? "" : escaped("\(row.claim) \(said)")
      last = said
      let verdict = claim.value == 1 ? "holds" : "refuted"
      return
        "\(label) & \(model) & \(cell(row.name)) & \(cell(name + ".control")) & \(cell(name + ".tap"))"
        + " & \(verdict)"
    }
    return table(
      columns: "@{}p{46mm}lcccl@{}",
      head: "rival and what it says & model & rival & control & TAP & verdict",
      rows)
  }

  /// The measures of the evaluation that any checkpoint has, people's recordings behind synthetic voices.
  private func accuracyTable() -> String {
    let measures = [
      "transcription", "translation", "position", "knowledge", "choice", "pairs that enter",
    ]
    // Behind them what is harder, what reads the transcript, and the floors.
    let harder: [(JoinedSet, String)] = [
      (.noise, "in noise"), (.free, "unheard words"), (.read, "transcript read"),
      (.silence, "silence"), (.nothing, "no audio"),
    ]
    let sets =
      ["evaluation", "never-heard", "human"].map { ($0, $0) } + harder.map { ($0.title, $1) }
    let rows = accuracies.checkpoints.flatMap { checkpoint in
      sets.compactMap { set, label -> String? in
        let cells = measures.map { measure in
          accuracies[checkpoint, "\(set) | all voices | \(measure)"] ?? "--"
        }
        guard cells.contains(where: { $0 != "--" }) else { return nil }
        return ([checkpoint, label] + cells).joined(separator: " & ")
      }
    }
    return table(
      columns: "@{}llcccccc@{}",
      head: (["checkpoint", "recordings"] + measures).joined(separator: " & "), rows)
  }

  /// By set and measure, a column for each way of joining the halves.
  private func projectorTable() -> String {
    let measures = [
      ("transcription", "exact"), ("nats a token", "nats a token"),
      ("nats a token above that alone", "above that alone"), ("choice", "choice"),
    ]
    let rows = ["evaluation", "never-heard", "human"].flatMap { set in
      measures.compactMap { measure, label -> String? in
        let cells = projectors.checkpoints.map { projectors[$0, "\(set) | \(measure)"] ?? "--" }
        guard cells.contains(where: { $0 != "--" }) else { return nil }
        return (["\(set), \(label)"] + cells).joined(separator: " & ")
      }
    }
    let names = projectors.checkpoints.map { $0.replacing("-", with: " ") }
    return table(
      columns: "@{}l\(String(repeating: "c", count: names.count))@{}",
      head: (["recordings"] + names).joined(separator: " & "), rows)
  }

  /// A line of numbers; nil where the ledger has none of them.
  private func line(_ label: String, prefix: String, _ names: [String]) -> String? {
    let cells = names.map { cell("\(prefix).\($0)") }
    return cells.allSatisfy { $0 == "--" } ? nil : ([label] + cells).joined(separator: " & ")
  }

  private func cell(_ name: String) -> String {
    guard let row = ledger[name] else { return "--" }
    guard let interval = row.latexInterval, row.low != row.high else { return row.latex() }
    return "\(row.latex())\\,{\\tiny \(interval)}"
  }
}

private let made = "% Made from paper/numbers.tsv and paper/accuracies.tsv.\n"

private func table(columns: String, head: String, _ rows: [String]) -> String {
  made + "\\begin{tabular}{\(columns)}\n\\toprule\n\(head)\\\\\n"
    + "\\midrule\n" + rows.map { "\($0)\\\\\n" }.joined() + "\\bottomrule\n\\end{tabular}\n"
}

func escaped(_ text: String) -> String {
  text.replacing("_", with: "\\_").replacing("%", with: "\\%").replacing("&", with: "\\&")
}
