import Notebook
import Testing

struct LedgerTests {
  private func row(
    _ name: String, _ value: Double, low: Double? = nil, high: Double? = nil, tolerance: Double = 0,
    experiment: String = "e1", claim: String = ""
  ) throws -> Ledger.Row {
    try Ledger.Row(
      name: name, value: value, low: low, high: high, tolerance: tolerance, experiment: experiment,
      claim: claim)
  }

  private let header = "name\tvalue\tlow\thigh\ttolerance\texperiment\tclaim\n"

  @Test func theTextReadsBackExactly() throws {
    let ledger = try Ledger([
      row("b", 0.1 + 0.2, low: -1e-300, high: 1e-307, tolerance: 1e-4, claim: "C1"),
      row("a", 4, experiment: "e2"),
    ])
    #expect(
      ledger.text == header + "a\t4.0\t\t\t0.0\te2\t\n"
        + "b\t0.30000000000000004\t-1e-300\t1e-307\t0.0001\te1\tC1\n")
    #expect(try Ledger(parsing: ledger.text, file: "f") == ledger)
    #expect(try Ledger(readingIfPresent: "/nonexistent/numbers.tsv").rows == [])
  }

  @Test func anExperimentReplacesItsOwnRowsOnly() throws {
    let checkout = Checkout()
    let first = checkout.notebook(named: "e1")
    first.number("z", 1)
    first.number("b", 2)
    first.finish()
    let second = checkout.notebook(named: "e2")
    second.number("m", 3)
    second.finish()
    let again = checkout.notebook(named: "e1")
    again.number("c", 0.25, low: 0, high: 0.5, tolerance: 1e-3, claim: "C1")
    again.finish()
    #expect(
      checkout.read("paper/numbers.tsv") == header + "c\t0.25\t0.0\t0.5\t0.001\te1\tC1\n"
        + "m\t3.0\t\t\t0.0\te2\t\n")
    #expect(checkout.files("paper") == ["numbers.tsv"])
  }

  @Test func aNumberOfAnotherExperimentIsNotTaken() throws {
    let ledger = try Ledger([row("a", 1), row("b", 2, experiment: "e2")])
    #expect(throws: Failure("the number \"a\" is there twice, from e1 and e2")) {
      try ledger.replacing(rowsOf: "e2", with: [row("a", 3, experiment: "e2")])
    }
  }

  @Test(arguments: [
    ("", "f, line 1: expected the columns name, value, low, high"),
    ("name\tvalue\n", "f, line 1"),
    ("HEADERa\t1\n", "f, line 2: expected 7 columns, found 2"),
    ("HEADERa\t1\t\t\t0\te\t\nb\tx\t\t\t0\te\t\n", "f, line 3: the value \"x\" is no number"),
    ("HEADERa\tnan\t\t\t0\te\t\n", "f, line 2: \"a\": value is nan"),
    ("HEADERa\t1\t2\t\t0\te\t\n", "f, line 2: \"a\": an interval needs low and high"),
    ("HEADERa\t1\t2\t1\t0\te\t\n", "f, line 2: \"a\": an interval needs low and high"),
    ("HEADERa\t1\t\t\t-1\te\t\n", "f, line 2: \"a\": a tolerance cannot be -1.0"),
    ("HEADERa\t1\t\t\t0\te\t\n\n", "f, line 3: expected 7 columns, found 1"),
    ("HEADERa\t1\t\t\t0\te\t\na\t1\t\t\t0\te\t\n", "f, line 3: \"a\" is there for the second time"),
    ("HEADERa b\t1\t\t\t0\te\t\n", "f, line 2: \"a b\" cannot name a number"),
  ])
  func aWrongLineIsNamed(text: String, message: String) {
    let text = text.replacing("HEADER", with: header)
    let error = #expect(throws: Failure.self) { try Ledger(parsing: text, file: "f") }
    #expect(error?.description.hasPrefix(message) == true, "\(error?.description ?? "")")
  }

  @Test func whatIsNoNumberIsRefused() {
    #expect(throws: Failure("\"a\": value is nan")) { try row("a", .nan) }
    #expect(throws: Failure("\"a\": high is inf")) { try row("a", 1, low: 0, high: .infinity) }
    #expect(throws: Failure.self) { try row("a", 1, claim: "two\nlines") }
    #expect(throws: Failure.self) { try row("2a", 1) }
  }

  // ## Comparing

  @Test func aRerunIsComparedNumberByNumber() throws {
    let paper = try Ledger([
      row("same", 0.1), row("near", 1, tolerance: 0.01), row("far", 1, tolerance: 0.01),
      row("gone", 1), row("interval", 1, low: 0, high: 2, tolerance: 0.01),
      row("loosened", 1, tolerance: 0.01), row("exact", 0.3),
    ])
    let rerun = try Ledger([
      row("same", 0.1), row("near", 1.005, tolerance: 0.01), row("far", 1.02, tolerance: 0.01),
      row("new", 1), row("interval", 1, low: 0, high: 2.5, tolerance: 0.01),
      row("loosened", 1, tolerance: 1), row("exact", 0.1 + 0.2),
    ])
    let comparisons = paper.compared(to: rerun)
    #expect(
      comparisons.map { "\($0.name): \($0.verdict.rawValue)" } == [
        "exact: differs", "far: differs", "gone: missing", "interval: differs", "loosened: differs",
        "near: within tolerance", "new: missing", "same: identical",
      ])
    #expect(comparisons[3].difference == 0.5)
    #expect(comparisons[2].rerun == nil && comparisons[6].paper == nil)
  }

  @Test func whatBelongsToNoRunThatWasMadeIsNotRerun() throws {
    func row(_ name: String, of experiment: String) throws -> Ledger.Row {
      try Ledger.Row(
        name: name, value: 1, low: nil, high: nil, tolerance: 0, experiment: experiment, claim: "")
    }
    let paper = try Ledger([
      row("a", of: "first"), row("b", of: "first"), row("c", of: "second"),
    ])
    let comparisons = paper.compared(to: try Ledger([row("a", of: "first")]))
    #expect(comparisons.map(\.verdict) == [.identical, .missing, .notRerun])
  }

  // ## Macros

  @Test(arguments: [
    ("peakRecovery", "peakRecovery"), ("e1.peak-layer", "eOnePeakLayer"),
    ("figure2peak_ms", "figureTwoPeakMs"), ("top10", "topOneZero"), ("a..b", "aB"),
  ])
  func macroNamesAreLetters(name: String, macro: String) throws {
    #expect(try macroName(of: name) == macro)
  }

  @Test(arguments: ["", "2a", "a b", "é", "a\\b", "-a", "a٣"])
  func otherNamesAreRefused(name: String) {
    #expect(throws: Failure.self) { try macroName(of: name) }
  }

  @Test func macrosThatCollideAreRefused() throws {
    #expect(throws: Failure("\"a-b\" and \"aB\" would both be the macro \\aB")) {
      try Ledger([row("a-b", 1), row("aB", 2)]).macros()
    }
  }

  @Test func digitsThatMeanNothingAreNotPrinted() throws {
    func latex(_ value: Double, _ low: Double? = nil, _ high: Double? = nil, tolerance: Double = 0)
      throws -> String
    {
      try row("a", value, low: low, high: high, tolerance: tolerance).latex()
    }
    #expect(try latex(4) == "4")
    #expect(try latex(-4) == "\\ensuremath{-4}")
    #expect(try latex(0.123456) == "0.123")
    #expect(try latex(123.456) == "123")
    #expect(try latex(0.123456, tolerance: 1e-4) == "0.1235")
    #expect(try latex(0.123456, tolerance: 5e-4) == "0.123")
    #expect(try latex(0.123456, tolerance: 1e-6) == "0.1235")
    #expect(try latex(0.5, 0.5, 0.5, tolerance: 1e-6) == "0.5000")
    #expect(try latex(0.8312, 0.79, 0.872) == "0.831")
    #expect(try latex(0.8312, 0.5, 1.1) == "0.83")
    #expect(try latex(0.8312, 0.83, 0.832, tolerance: 0.01) == "0.83")
    #expect(try latex(-0.00004, -0.1, 0.1) == "0.00")
    #expect(try latex(812.3, 700, 900) == "812")
    #expect(try latex(1.234e-7) == "\\ensuremath{1.23\\times 10^{-7}}")
    #expect(try latex(9.999e-7) == "\\ensuremath{1.000\\times 10^{-6}}")
    #expect(try latex(-2.5e12) == "\\ensuremath{-2500000000000}")
    #expect(try latex(1.23456e9 + 0.5) == "\\ensuremath{1.23\\times 10^{9}}")
    #expect(try latex(2e16) == "\\ensuremath{2.00\\times 10^{16}}")
    #expect(try latex(12345.6) == "12346")
    #expect(try latex(0) == "0")
  }

  @Test func eachRowIsAMacro() throws {
    let ledger = try Ledger([
      row("e1.peak", 0.8312, low: 0.79, high: 0.872), row("claim.C2", 0), row("pairs", 200),
    ])
    #expect(
      try ledger.macros().split(separator: "\n").dropFirst() == [
        "\\newcommand{\\claimCTwo}{refuted}", "\\newcommand{\\eOnePeak}{0.831}",
        "\\newcommand{\\eOnePeakInterval}{[0.790, 0.872]}", "\\newcommand{\\pairs}{200}",
      ])
  }
}
