import Foundation
import Notebook
import Testing

struct CellTests {
  let checkout = Checkout()

  /// Squares of the items, and how many of them had to be computed.
  private func squares(
    _ arguments: String..., cell: String = "squares", suffix: String = "", input: String? = nil
  ) -> (values: [Double], computed: Int) {
    let notebook = Checkout.notebook(in: checkout.root, arguments)
    if let input { notebook.input("data", digest: Digest(of: input)) }
    let items = (0..<20).map { (key: "\($0)\(suffix)", number: $0) }
    let computed = Count()
    let values = notebook.cell(cell, over: items, key: \.key) { item in
      computed.add()
      return Double(item.number * item.number)
    }
    return (values, computed.value)
  }

  @Test func valuesComeInTheOrderOfTheItems() {
    #expect(squares().values == (0..<20).map { Double($0 * $0) })
  }

  @Test func aRunThatDidNotFinishIsResumed() {
    #expect(squares().computed == 20)
    let again = squares()
    #expect(again.computed == 0)
    #expect(again.values == (0..<20).map { Double($0 * $0) })
  }

  @Test func aFinishedRunIsNotComputedAgain() {
    _ = squares()
    checkout.notebook().finish()
    #expect(checkout.journals.count == 1)
    #expect(squares().computed == 0)
  }

  @Test func fromACellOnEverythingIsComputedAgain() async {
    func run(_ arguments: String...) -> [Int] {
      let notebook = Checkout.notebook(in: checkout.root, arguments)
      return ["a", "b", "c"].map { name in
        let computed = Count()
        _ = notebook.cell(name, over: 0..<3, key: \.description) { i in
          computed.add()
          return i
        }
        return computed.value
      }
    }
    #expect(run() == [3, 3, 3])
    #expect(run() == [0, 0, 0])
    #expect(run("--from", "b") == [0, 3, 3])
    #expect(run("--from=c") == [0, 0, 3])
    let child = await #expect(
      processExitsWith: .exitCode(64), observing: [\.standardErrorContent]
    ) { [root = checkout.root as String] in
      let notebook = Checkout.notebook(in: root, ["--from", "d"])
      _ = notebook.cell("a") { 1 }
      notebook.number("n", 1)
      notebook.finish()
    }
    #expect(child.standardError.contains("there is no cell \"d\""))
    #expect(child.standardError.contains("there are \"a\""))
    #expect(checkout.files("paper") == [])
  }

  @Test func freshIgnoresWhatIsStored() {
    _ = squares()
    #expect(squares("--fresh").computed == 20)
  }

  @Test func whateverAValueDependsOnIsInItsKey() {
    #expect(squares(input: "a").computed == 20)
    #expect(squares(input: "a").computed == 0)
    #expect(squares(input: "b").computed == 20)
    #expect(squares().computed == 20)
    #expect(squares(cell: "squares2").computed == 20)
    #expect(squares(suffix: "x").computed == 20)
    #expect(squares(input: "a").computed == 0)
  }

  @Test func valuesOfAnotherProgramAreForgotten() throws {
    _ = squares()
    let journal = checkout.path(".build/cells/e/\(try #require(checkout.journals.first))")
    var bytes = checkout.bytes(".build/cells/e/\(checkout.journals[0])")
    bytes[8] ^= 1  // the first byte of the program's digest
    try writeAtomically(bytes, to: journal)
    #expect(squares().computed == 20)
    #expect(squares().computed == 0)
  }

  @Test func quickTakesTheFirstItemsAndLeavesTheJournalOfTheWholeRun() {
    _ = squares()
    #expect(squares("--quick", "3").values == [0, 1, 4])
    checkout.notebook("--quick", "3").finish()
    #expect(squares().computed == 0)
  }

  /// Items of a later cell depend on how many an earlier one had, as strengths that were chosen do.
  @Test func quickRunsOfOtherSizesShareNothing() {
    func shares(_ count: String) -> [Double] {
      let notebook = checkout.notebook("--quick", count)
      let number = notebook.cell("numbers", over: 0..<20, key: \.description) { $0 }.count
      return notebook.cell("shares", over: 0..<20, key: \.description) {
        Double($0) / Double(number)
      }
    }
    #expect(shares("2") == [0, 0.5])
    #expect(shares("4") == [0, 0.25, 0.5, 0.75])
    #expect(shares("2") == [0, 0.5])
  }

  @Test(arguments: [1, 7, 8, 9, 20, 43, 44, 45, 52, 53])
  func aTornRecordIsCutOff(lost: Int) throws {
    _ = squares()
    let journal = try #require(checkout.journals.first)
    let bytes = checkout.bytes(".build/cells/e/\(journal)")
    try writeAtomically(Array(bytes.dropLast(lost)), to: checkout.path(".build/cells/e/\(journal)"))
    let resumed = squares()
    #expect((1...2).contains(resumed.computed))
    #expect(resumed.values == (0..<20).map { Double($0 * $0) })
    #expect(squares().computed == 0)
  }

  @Test func aDamagedRecordIsNotBelieved() throws {
    _ = squares()
    let journal = ".build/cells/e/\(try #require(checkout.journals.first))"
    var bytes = checkout.bytes(journal)
    bytes[bytes.count - 12] ^= 1
    try writeAtomically(bytes, to: checkout.path(journal))
    #expect(squares().computed == 1)
    try writeAtomically(checkout.bytes(journal) + [1, 2, 3], to: checkout.path(journal))
    #expect(squares().computed == 0)
    try writeAtomically(Array(bytes.prefix(11)), to: checkout.path(journal))
    #expect(squares().computed == 20)
  }

  @Test func aKilledRunLosesOnlyTheItemsInFlight() async {
    await #expect(processExitsWith: .signal(SIGKILL)) { [root = checkout.root as String] in
      let done = Log(path: "\(root)/done")
      _ = Checkout.notebook(in: root).cell("slow", over: 0..<40, key: \.description) { item in
        if item == 10 {
          while done.count < 10 { usleep(1000) }
          kill(getpid(), SIGKILL)
        }
        usleep(2000)
        done.add()
        return item
      }
    }
    let done = Log(path: checkout.path("done")).count
    let computed = Count()
    let values = checkout.notebook().cell("slow", over: 0..<40, key: \.description) { item in
      computed.add()
      return item
    }
    let inFlight = ProcessInfo.processInfo.activeProcessorCount
    #expect(values == Array(0..<40))
    #expect(done >= 10)
    #expect(computed.value >= 40 - done)
    #expect(computed.value <= 40 - done + inFlight)
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalEndsTheRunWithAWordOfAdvice(number: Int32) async {
    let child = await #expect(
      processExitsWith: .signal(number), observing: [\.standardErrorContent]
    ) { [root = checkout.root as String, number = number as Int32] in
      signal(number, SIG_DFL)
      let notebook = Checkout.notebook(in: root)
      notebook.output("figures/f.tsv") { path in
        try writeAtomically("half", to: path)
        kill(getpid(), number)
        for _ in 0..<10 { sleep(1) }
      }
      _ = notebook.cell("a", over: 0..<4, key: \.description) { $0 }
      notebook.finish()
    }
    #expect(child.standardError.contains("e: interrupted; what is done is stored"))
    #expect(checkout.files("figures") == [])
    #expect(checkout.journals.count == 1)
  }

  @Test func numbersDoNotDependOnTheNumberOfCores() {
    @Sendable func sums(_ item: Int) -> [Float] {
      (1...item).map { 1 / Float($0) }.reduce(into: [0]) { $0.append($0.last! + $1) }
    }
    let items = 1..<200
    let values = checkout.notebook().cell("sums", over: items, key: \.description, sums)
    #expect(values.map { $0.map(\.bitPattern) } == items.map { sums($0).map(\.bitPattern) })
  }

  @Test func theFirstErrorInTheOrderOfItemsIsTold() async {
    let child = await #expect(
      processExitsWith: .exitCode(1), observing: [\.standardErrorContent]
    ) { [root = checkout.root as String] in
      _ = Checkout.notebook(in: root).cell("a", over: 0..<9, key: \.description) { item in
        if item == 3 { usleep(50_000) }
        if item >= 3 { throw Failure("no sound in \(item).flac") }
        return item
      }
    }
    #expect(
      child.standardError
        .hasSuffix("e: cell \"a\", item \"3\": no sound in 3.flac\n"))
    let resumed = checkout.notebook().cell("a", over: 0..<3, key: \.description) { _ in -1 }
    #expect(resumed == [0, 1, 2])
  }

  @Test func keysAndNamesMustDiffer() async {
    let keys = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
      [root = checkout.root as String] in
      _ = Checkout.notebook(in: root).cell("a", over: ["x", "y", "y"], key: \.self) { $0 }
    }
    #expect(keys.standardError.contains("cell \"a\" has two items \"y\""))
    let names = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
      [root = checkout.root as String] in
      let notebook = Checkout.notebook(in: root)
      _ = notebook.cell("a") { 1 }
      _ = notebook.cell("a") { 2 }
    }
    #expect(names.standardError.contains("there are two cells \"a\""))
  }

  @Test func cellsAreStoredWhereTheEnvironmentSays() async {
    await #expect(processExitsWith: .success) { [root = checkout.root as String] in
      setenv("TAP_CELLS", "\(root)/elsewhere", 1)
      _ = Checkout.notebook(in: root).cell("a") { 1 }
    }
    #expect(checkout.files("elsewhere/e").count == 1)
    #expect(checkout.journals == [])
  }

  @Test func oneOfTwoRunsAtOnceWorksWithoutAJournal() {
    let first = checkout.notebook()
    let second = checkout.notebook()
    #expect(first.cell("a") { 1 } == 1)
    #expect(second.cell("a") { 2 } == 2)
    second.finish()
    first.finish()
    #expect(checkout.journals.count == 1)
  }
}
