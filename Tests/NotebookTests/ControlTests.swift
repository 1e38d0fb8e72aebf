import Foundation
import Notebook
import Testing

struct ControlTests {
  let checkout = Checkout()

  @Test func aControlHoldsForEveryValueOrNot() {
    let notebook = checkout.notebook()
    #expect(notebook.control("zero", equals: 0, of: [0, -0.0]))
    #expect(notebook.control("zero", equals: 0, of: [0, Float.leastNonzeroMagnitude]) == false)
    #expect(notebook.control("one", equals: 1, within: 1e-3, of: [0.9995, 1.0005]))
    #expect(notebook.control("one", equals: 1, within: 1e-3, of: [0.9995, 1.002]) == false)
    #expect(notebook.control("small", below: 0.1, of: [0.05]))
    #expect(notebook.control("small", below: 0.1, of: [0.1]) == false)
    #expect(notebook.control("large", above: 0.9, of: [0.95]))
    #expect(notebook.control("large", above: 0.9, of: [0.85]) == false)
    #expect(notebook.control("between", above: 0, below: 1, of: [0.5]))
    #expect(notebook.control("interval", low: -1, high: 1, contains: 0))
    #expect(notebook.control("interval", low: 0.1, high: 1, contains: 0) == false)
    #expect(notebook.contrast("difference", low: 0.1, high: 1, excludes: 0))
    #expect(notebook.contrast("difference", low: -0.1, high: 1, excludes: 0) == false)
  }

  @Test func aTestByTheCallerIsAControlOrAContrast() {
    let notebook = checkout.notebook()
    #expect(notebook.test(.control, "rule", "above 0", measured: "[1, 2]", holds: true))
    #expect(notebook.test(.contrast, "rule", "above 0", measured: "[-1, 2]", holds: false) == false)
  }

  @Test func aFailedTestByTheCallerWritesNothing() async {
    checkout.write("paper/numbers.tsv", "old ledger")
    let child = await #expect(
      processExitsWith: .exitCode(1), observing: [\.standardErrorContent, \.standardOutputContent]
    ) { [root = checkout.root as String] in
      let notebook = Checkout.notebook(in: root)
      notebook.number("n", 1)
      notebook.test(.contrast, "reported", "above 0", measured: "-2", holds: false)
      notebook.test(.control, "demanded", "above 0", measured: "-1", holds: false)
      notebook.finish()
    }
    #expect(child.standardOutput.contains("contrast 1  reported  does not hold  above 0: -2\n"))
    #expect(child.standardOutput.contains("control 1  demanded  FAIL  above 0: -1\n"))
    #expect(child.standardError.contains("1 control failed (\"demanded\")"))
    #expect(checkout.read("paper/numbers.tsv") == "old ledger")
  }

  @Test func neitherNothingNorNaNPasses() {
    let notebook = checkout.notebook()
    #expect(notebook.control("none", equals: 0, of: [Double]()) == false)
    #expect(notebook.control("nan", equals: 0, of: [Double.nan]) == false)
    #expect(notebook.control("nan", equals: 0, within: 1, of: [Double.nan]) == false)
    #expect(notebook.control("nan", above: 0, of: [Double.nan]) == false)
    #expect(notebook.control("nan", low: .nan, high: 1, contains: 0) == false)
    #expect(notebook.contrast("nan", low: .nan, high: 1, excludes: 2) == false)
  }

  @Test func aFailedControlShowsAllControlsAndWritesNothing() async {
    checkout.write("figures/f.tsv", "old figure")
    checkout.write("paper/numbers.tsv", "old ledger")
    let child = await #expect(
      processExitsWith: .exitCode(1), observing: [\.standardErrorContent, \.standardOutputContent]
    ) { [root = checkout.root as String] in
      let notebook = Checkout.notebook(in: root)
      _ = notebook.cell("a") { 1 }
      notebook.output("figures/f.tsv", text: "new figure")
      notebook.number("n", 1)
      notebook.control("self-patch", equals: 0, of: [0, 0.25])
      notebook.control("everything", equals: 1, of: [1])
      notebook.finish()
    }
    let shown = child.standardOutput
    #expect(
      shown.contains(
        "control 1  self-patch  FAIL  exactly 0.0: 1 of 2 are not; value 1 is 0.25\n"))
    #expect(shown.contains("control 2  everything  PASS  exactly 1.0: 1.0\n"))
    #expect(
      child.standardError.hasSuffix(
        "e: 1 control failed (\"self-patch\"); figures and ledger are left as they were\n"))
    #expect(checkout.read("figures/f.tsv") == "old figure")
    #expect(checkout.read("paper/numbers.tsv") == "old ledger")
    #expect(checkout.read("build/e.run.json")?.contains("\"published\": false") == true)
  }

  @Test func whatIsReportedEitherWayDoesNotStopTheRun() throws {
    let notebook = checkout.notebook()
    notebook.contrast("wrong item", low: -1, high: 1, excludes: 0)
    notebook.claim("C2", "one layer suffices", holds: false)
    notebook.claim("C3", "the sound matters", holds: true)
    notebook.output("figures/f.tsv", text: "new figure")
    notebook.finish()
    #expect(checkout.read("figures/f.tsv") == "new figure")
    let ledger = try Ledger(readingIfPresent: checkout.path("paper/numbers.tsv"))
    #expect(ledger["claim.C2"]?.value == 0)
    #expect(ledger["claim.C2"]?.claim == "refuted: one layer suffices")
    #expect(ledger["claim.C3"]?.value == 1)
    #expect(try ledger.macros().contains("\\newcommand{\\claimCTwo}{refuted}\n"))
    #expect(checkout.files("figures") == ["f.tsv"])
  }

  @Test func aFigureThatCannotBeDrawnLeavesLedgerAndJournal() async {
    let child = await #expect(
      processExitsWith: .exitCode(1), observing: [\.standardErrorContent]
    ) { [root = checkout.root as String] in
      let notebook = Checkout.notebook(in: root)
      _ = notebook.cell("a") { 1 }
      notebook.number("n", 1)
      notebook.output("figures/a.tsv", text: "a")
      notebook.output("figures/b.pdf") { _ in throw Failure("no font") }
      notebook.finish()
    }
    #expect(child.standardError.hasSuffix("figures/b.pdf: no font\n"))
    #expect(checkout.files("figures") == [])
    #expect(checkout.files("paper") == [])
    #expect(checkout.journals.count == 1)
  }
}
