import Foundation
import JSON
import Notebook
import Testing

struct NotebookTests {
  let checkout = Checkout()

  // ## Options

  @Test func optionsAreRead() throws {
    #expect(try Options([String]()) == Options(ArraySlice([])))
    let options = try Options(["--fresh", "--out", "a b", "--quick=8"])
    #expect(options.fresh && options.out == "a b" && options.quick == 8 && !options.list)
    #expect(options.own.isEmpty && options.marks == ["quick 8"])
    let own = try Options(["--pairs=p/q.json", "--model", "m"])
    #expect(own.model == "m" && own.pairs == "p/q.json" && own.own == [.model, .pairs])
    #expect(own.marks == ["own model", "own pairs"])
    #expect(try Options([String]()).mark == nil)
  }

  @Test(arguments: [
    ["--nope"], ["file"], ["--out"], ["--quick", "x"], ["--quick", "0"], ["--fresh=1"], [""],
    ["-q"], ["--model"], ["--model="], ["--pairs", ""],
  ])
  func wrongOptionsAreToldApart(arguments: [String]) {
    let error = #expect(throws: Failure.self) { try Options(arguments) }
    #expect(error?.status == 64)
  }

  @Test func aWrongOptionEndsTheProgramInOneLine() async {
    let child = await #expect(
      processExitsWith: .exitCode(64), observing: [\.standardErrorContent]
    ) { [root = checkout.root as String] in _ = Checkout.notebook(in: root, ["--frehs"]) }
    #expect(
      child.standardError
        == "e: unknown option \"--frehs\"; --help lists the options\n")
  }

  @Test func listTellsWhatTheSourceHasAndWhatIsStored() async {
    checkout.write(
      "Sources/Experiments/e.swift",
      "let a = notebook.cell(\n  \"a\", over: x) {}\nnotebook.claim(\"C2\", \"…\", holds: b)\n")
    _ = checkout.notebook().cell("a", over: 0..<3, key: \.description) { $0 }
    // The child is the same program, so what this process stored counts.
    let child = await #expect(
      processExitsWith: .success, observing: [\.standardOutputContent]
    ) { [root = checkout.root as String] in _ = Checkout.notebook(in: root, ["--list"]) }
    #expect(child.standardOutput.hasSuffix("cell      a  (3 stored)\nclaim     C2\n"))
  }

  // ## Places

  @Test func outputsGoToThePackageOfTheSourceOrWhereTheCommandLineSays() async {
    #expect(checkout.notebook().destination == checkout.root)
    #expect(checkout.notebook("--out", "/x/y").destination == "/x/y")
    #expect(checkout.notebook("--quick", "2").destination == checkout.path("build/quick"))
  }

  @Test func aQuickRunKeepsOutOfTheRepositoryAndIsMarked() async {
    let notebook = checkout.notebook("--quick", "2")
    notebook.output("figures/f.tsv", text: "\(notebook.stamp)")
    notebook.number("n", 1)
    notebook.finish()
    #expect(checkout.read("build/quick/figures/f.tsv") == "e; quick 2")
    #expect(checkout.files("paper") == [] && checkout.files("figures") == [])
    await #expect(processExitsWith: .exitCode(64)) { [root = checkout.root as String] in
      _ = Checkout.notebook(in: root, ["--quick", "2", "--out", root])
    }
  }

  @Test func aRunOnTheReadersOwnKeepsOutOfTheRepositoryAndDecidesNoClaim() async throws {
    checkout.write("paper/numbers.tsv", try Ledger([]).text)
    let before = checkout.read("paper/numbers.tsv")
    let notebook = checkout.notebook("--model", "m", "--quick", "3")
    #expect(notebook.destination == checkout.path("build/own"))
    notebook.output("figures/f.tsv", text: "\(notebook.stamp)")
    #expect(!notebook.claim("C1", "it is there", holds: false))
    notebook.finish()
    #expect(checkout.read("build/own/figures/f.tsv") == "e; quick 3; own model")
    let row = try Ledger(readingIfPresent: checkout.path("build/own/paper/numbers.tsv"))["claim.C1"]
    #expect(row?.value == 0 && row?.claim == "exploratory, does not hold: it is there")
    #expect(checkout.read("paper/numbers.tsv") == before && checkout.files("figures") == [])
    #expect(checkout.files(".build/cells").contains("e-own-quick-3"))
    let record = try JSON(
      parsing: #require(checkout.read("build/own/build/e.run.json")), name: "record")
    #expect(record["own"] == ["model": "m"])
    #expect(record["findings"]?.elements?[0]["kind"]?.string == "exploratory")
  }

  @Test(arguments: [["--pairs", "p"], ["--model", "m"]])
  func whatIsTheReadersOwnMayNotBePutIntoTheRepository(arguments: [String]) async {
    await #expect(processExitsWith: .exitCode(64)) {
      [root = checkout.root as String, arguments] in
      _ = Checkout.notebook(in: root, arguments + ["--out", root])
    }
  }

  @Test func aClaimSaysForWhatItWasNotPreregistered() async {
    let child = await #expect(
      processExitsWith: .success, observing: [\.standardOutputContent]
    ) { [root = checkout.root as String] in
      let notebook = Checkout.notebook(in: root, ["--model", "m", "--pairs", "p"])
      notebook.claim("C1", "it is there", holds: true)
      notebook.finish()
    }
    let lines = child.standardOutput.split(separator: "\n")
    #expect(
      lines.first
        == "claim C1  holds  it is there: not preregistered for this model and these pairs: exploratory"
    )
    #expect(
      lines.last?.hasPrefix(
        "own model, own pairs, not the paper's: 0 controls passed, 1 claim exploratory;") == true)
  }

  @Test func anExperimentRefusesWhatItDoesNotTake() async {
    let child = await #expect(
      processExitsWith: .exitCode(64), observing: [\.standardErrorContent]
    ) { [root = checkout.root as String] in
      _ = Notebook(
        "e", file: "\(root)/Sources/Experiments/e.swift", takes: [.model],
        instead: "it is about sounds; f takes them", arguments: ["--model", "m", "--pairs", "p"])
    }
    #expect(
      child.standardError == "e: takes no --pairs, since it is about sounds; f takes them\n")
    #expect(checkout.files(".build/cells") == [])
  }

  @Test func anOutputOutsideIsRefused() async {
    await #expect(processExitsWith: .exitCode(1)) { [root = checkout.root as String] in
      Checkout.notebook(in: root).output("../f.tsv", text: "")
    }
  }

  // ## Manifests

  private func manifest(bytes: Int = 6, of text: String = "hello\n") {
    checkout.write("artifacts/model/weights", "hello\n")
    checkout.write("artifacts/model/config", "{}")
    checkout.write(
      "data-manifests/models.json",
      """
      {"models": [{"name": "m", "files": [
        {"file": "artifacts/model/weights", "bytes": \(bytes), "sha256": "\(Digest(of: text))"},
        {"file": "artifacts/model/config", "bytes": 2, "sha256": "\(Digest(of: "{}"))"}]}]}
      """)
  }

  @Test func theRightFilePasses() throws {
    manifest()
    let manifest = try Manifest(of: checkout.root)
    #expect(manifest.entries.count == 2)
    #expect(try manifest.check("artifacts/model/weights") == Digest(of: "hello\n"))
    let notebook = checkout.notebook()
    #expect(notebook.input("artifacts/model", as: "model") == checkout.path("artifacts/model"))
    #expect(
      notebook.input("artifacts/model/config") { try! String(contentsOfFile: $0, encoding: .utf8) }
        == "{}")
    let folder = try manifest.check(folder: "artifacts/model")
    let config = Digest(of: "{}")
    #expect(
      "\(notebook.stamp)" == "e; model \(folder.short); artifacts/model/config \(config.short)")
    #expect(notebook.stamp.with("table", config) != notebook.stamp)
  }

  @Test func aWrongDigestSaysWhatWasExpectedAndWhatToDo() throws {
    manifest(of: "other\n")
    let error = #expect(throws: Failure.self) {
      try Manifest(of: checkout.root).check("artifacts/model/weights")
    }
    #expect(
      error?.description
        == "artifacts/model/weights is not the file that data-manifests/models.json lists:"
        + " expected SHA-256 \(Digest(of: "other\n")), found \(Digest(of: "hello\n")):"
        + " restore it with `git checkout -- artifacts/model/weights` or make it again with"
        + " `make data`")
    #expect(throws: Failure.self) {
      try Manifest(of: checkout.root).check(folder: "artifacts/model")
    }
  }

  @Test func aWrongSizeAMissingFileAndAnUnlistedOneAreToldApart() throws {
    manifest(bytes: 7)
    let wrong = try Manifest(of: checkout.root)
    #expect(throws: (any Error).self) { try wrong.check("artifacts/model/weights") }
    let size = #expect(throws: Failure.self) { try wrong.check("artifacts/model/weights") }
    #expect(size?.description.contains("has 6 bytes, data-manifests/models.json says 7") == true)
    try FileManager.default.removeItem(atPath: checkout.path("artifacts/model/config"))
    let missing = #expect(throws: Failure.self) { try wrong.check("artifacts/model/config") }
    #expect(missing?.description.contains("config is missing") == true)
    let unlisted = #expect(throws: Failure.self) { try wrong.check("artifacts/x") }
    #expect(unlisted?.description.contains("is listed in no manifest") == true)
  }

  @Test(arguments: [
    (#"{"file": "a", "bytes": 1, "sha256": "12"}"#, "the sha256 of a is not 64"),
    (#"{"file": "a", "sha256": "D"}"#, "\"bytes\" is missing"),
    (#"{"bytes": 1, "sha256": "D"}"#, "\"file\" is missing"),
    (#"{"file": "../a", "bytes": 1, "sha256": "D"}"#, "is no path inside"),
    (#"{"file": "#, "not JSON"),
    (
      #"[{"file": "a", "bytes": 1, "sha256": "D"}, {"file": "a", "bytes": 1, "sha256": "E"}]"#,
      "disagree about a"
    ),
  ])
  func aWrongManifestIsNamed(json: String, message: String) {
    let digests = ["D": Digest(of: "d"), "E": Digest(of: "e")]
    let json = digests.reduce(json) { $0.replacing("\"\($1.key)\"", with: "\"\($1.value)\"") }
    checkout.write("data-manifests/a.json", json)
    let error = #expect(throws: (any Error).self) { try Manifest(of: checkout.root) }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.contains("data-manifests/a.json") && text.contains(message), "\(text)")
  }

  // ## Provenance

  @Test func theRecordHasWhatTheOutputsMustNot() throws {
    let notebook = checkout.notebook()
    _ = notebook.cell("a", over: 0..<3, key: \.description) { $0 }
    notebook.note("blas", "Haswell")
    notebook.control("zero", equals: 0, of: [0.0])
    notebook.finish()
    let record = try JSON(parsing: #require(checkout.read("build/e.run.json")), name: "record")
    #expect(record["facts"]?["blas"]?.string == "Haswell")
    #expect(record["published"]?.bool == true)
    #expect(record["cells"]?.elements?.first?["items"]?.int == 3)
    #expect(record["findings"]?.elements?.first?["holds"]?.bool == true)
    for name in ["date", "host", "cores", "seconds", "executable"] { #expect(record[name] != nil) }
    #expect(record["peakMemory"]?.int ?? 0 > 1_000_000)
    // What was printed, in order, with what printed it.
    let events = record["events"]?.elements ?? []
    #expect(events.map { $0["kind"]?.string } == ["cell", "control"])
    #expect(events[0]["name"]?.string == "a" && events[0]["text"]?.string == "3")
    #expect(events[1]["text"]?.string?.contains("PASS") == true)
  }

  @Test func attemptEndsWithTheErrorInOneLine() async {
    let child = await #expect(
      processExitsWith: .exitCode(1), observing: [\.standardErrorContent]
    ) { [root = checkout.root as String] in
      _ = Checkout.notebook(in: root)
      attempt { throw JSONError("config.json: not JSON, at byte 3") }
    }
    #expect(child.standardError == "e: config.json: not JSON, at byte 3\n")
  }
}
