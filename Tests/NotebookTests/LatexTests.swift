// What the paper's checks see in LaTeX: numbers that are typed, captions without a control, claims by
// their verdicts, and macros that the ledger does not have.

import Notebook
import Testing

@Suite struct LatexTests {
  private func typed(_ text: String) -> [String] {
    Latex(text, file: "f.tex").typedNumbers().map(\.number)
  }

  @Test func numbersThatAreTypedAreFound() {
    #expect(typed("it recovers 0.98 of the gap") == ["0.98"])
    #expect(typed("in 12 of 14 models, by $3$ nats") == ["12", "14", "3"])
    #expect(typed("\\textbf{7} and \\emph{in 5 cases}") == ["7", "5"])
    // Names, years, references, lengths and comments are none.
    #expect(typed("Figure~S7, D14 and Qwen2.5-0.5B in 2024, \\ref{tab:3} \\cite{a2024}").isEmpty)
    #expect(typed("\\vspace{3mm}\\effect{eOne} % 0.5\n\\val{two}").isEmpty)
    #expect(typed("100\\% % 7") == ["100"])
    // Of a file with a preamble, the document alone.
    #expect(typed("\\usepackage[margin=22mm]{geometry}\n\\begin{document}\n4 cells") == ["4"])
  }

  @Test func aNumberHasItsLine() {
    let found = Latex("one\n\ntwo 2\n", file: "f.tex").typedNumbers()
    #expect(found.count == 1 && found[0].line == 3)
  }

  @Test func aFiguresCaptionNamesItsControl() {
    func faults(_ caption: String, in environment: String = "figure") -> Int {
      Latex(
        "\\begin{\(environment)}[p]\\caption{\(caption)}\\end{\(environment)}", file: "f.tex"
      ).captionsWithoutControl().count
    }
    #expect(faults("A map.") == 1 && faults("A map. Control: another item.") == 0)
    #expect(faults("A map. Controls: two.") == 0 && faults("A table.", in: "table") == 0)
  }

  @Test func callsHaveTheirArguments() {
    let calls = Latex("\\byverdict{Q1}{yes \\effect{a}}{partly}{no}", file: "f.tex")
      .calls(of: ["byverdict", "effect"])
    #expect(calls.map(\.command) == ["byverdict", "effect"])
    #expect(calls[0].arguments == ["Q1", "yes \\effect{a}", "partly", "no"])
    #expect(calls[1].arguments == ["a"])
  }

  private func ledger(_ rows: (String, Double, String)...) throws -> Ledger {
    try Ledger(
      rows.map {
        try Ledger.Row(
          name: $0.0, value: $0.1, low: nil, high: nil, tolerance: 0, experiment: "e", claim: $0.2)
      })
  }

  @Test func aVerdictIsThatOfAllThatWasAsked() throws {
    let found = try ledger(
      ("claim.Q1", 1, "holds: it is so"),
      ("claim.T1.one", 1, "holds: it is compact (one)"),
      ("claim.T1.two", 0, "refuted: it is compact (two)")
    ).verdicts()
    let byKey = Dictionary(uniqueKeysWithValues: found.map { ($0.key, $0) })
    #expect(byKey["Q1"]?.word == "holds" && byKey["Q1"]?.statement == "it is so")
    #expect(byKey["T1"]?.word == "mixed" && byKey["T1"]?.count == "1 of 2")
    #expect(byKey["T1"]?.statement == "it is compact")
    #expect(byKey["T1.two"]?.word == "refuted")
    #expect(throws: (any Error).self) {
      try ledger(("claim.Q1", 1, "refuted: it is so")).verdicts()
    }
  }

  @Test func aReaderSeesNoMarkup() throws {
    func plain(_ text: String) throws -> String {
      try Latex(text, file: "f.tex").plain {
        switch $0 {
        case "effect": Latex.Meaning(1) { "0.5~[\($0[0])]" }
        case "choose": Latex.Meaning(2) { $0[1] }
        case "fraction": Latex.Meaning(0) { _ in "\\ensuremath{-3\\times 10^{-4}}" }
        default: nil
        }
      }
    }
    #expect(try plain("It\n  is \\emph{so}: \\effect{a}, 5\\,\\% % no") == "It is so: 0.5 [a], 5 %")
    #expect(
      try plain("\\choose{a}{b \\effect{c}} -- ``d''") == "b 0.5 [c] \u{2013} \u{201C}d\u{201D}")
    #expect(try plain("\\fraction{} of") == "\u{2212}3\u{D7}10^\u{2212}4 of")
    #expect(try plain("the model's `word'") == "the model\u{2019}s \u{2018}word\u{2019}")
    #expect(try plain("one\n\ntwo") == "one\n\ntwo")
    for wrong in ["\\unknown{a}", "\\choose{a}"] {
      #expect(throws: (any Error).self) { try plain(wrong) }
    }
  }

  @Test func onlyVerdictsThatAreUsedAreDefined() throws {
    let ledger = try ledger(("claim.Q1", 1, "holds: so"), ("claim.Q2", 0, "refuted: so"))
    let text = try ledger.verdictDefinitions(used: ["Q2"])
    #expect(text.contains("verdict@Q2") && !text.contains("Q1"))
  }

  @Test func aMacroThatTheLedgerLacksIsAnError() throws {
    let ledger = try ledger(("e1.effect", 0.5, ""), ("e1.other", 2, ""))
    let text = try ledger.macros(used: ["eOneEffect"])
    #expect(text.contains("\\newcommand{\\eOneEffect}") && !text.contains("eOneOther"))
    do {
      _ = try ledger.macros(used: ["eOneEffekt"])
      Issue.record("an unknown macro was not missed")
    } catch { #expect("\(error)".contains("eOneEffekt") && "\(error)".contains("eOneEffect")) }
  }
}
