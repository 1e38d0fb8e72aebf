// Judges that answer, swap, fail, hang and write nonsense; agreement against published and other numbers.

import Foundation
import Interventions
import JSON
import Tensor
import Testing

private let asked = JudgedAnswer(
  id: "1", question: "Who \"speaks\"?", description: "a man\nspeaks", reference: "a man",
  answer: "a dog")

/// A judge that is a line of the shell.
private func shell(_ line: String, limit: Double = 30) -> Judge {
  Judge("j", "/bin/sh", ["-c", line], limit: limit)
}

@Suite struct JudgeTests {
  @Test func bothOrdersAreAskedAndAveraged() {
    // Favours what comes first by two, and the reference by four.
    let line = #"read l; case "$l" in *'"answer_1":"a man"'*) echo "9 3";; *) echo "5 7";; esac"#
    let found = shell(line).judge(asked)
    #expect(found == Judgement.of(reference: 8, answer: 4, firstPlace: 2))
    // Only the first place counts: both are the same once swapped.
    #expect(shell("echo 8 2").judge(asked) == Judgement.of(reference: 5, answer: 5, firstPlace: 6))
  }

  @Test func theJudgeIsGivenEverythingAsOneLineOfJSON() throws {
    let folder = try Folder()
    _ = shell("cat >> '\(folder.path)/in'; echo '7.5  8'").judge(asked)
    let text = try String(contentsOfFile: "\(folder.path)/in", encoding: .utf8)
    let lines = try text.split(separator: "\n").map { try JSON(parsing: String($0), name: "in") }
    #expect(lines.map { $0["answer_1"]?.string } == ["a man", "a dog"])
    #expect(lines.map { $0["answer_2"]?.string } == ["a dog", "a man"])
    #expect(lines[0]["question"]?.string == asked.question)
    #expect(lines[0]["meta_info"]?.string == asked.description)
  }

  @Test(arguments: [
    ("echo 8 7; exit 3", "exit status 3"), ("kill -9 $$", "signal 9"), ("echo 8", "two scores"),
    ("echo 8 7 6", "two scores"), ("echo eight seven", "two scores"), ("echo 0 11", "two scores"),
    ("echo nan 3", "two scores"), ("true", "two scores"), ("yes 5", "more than"),
  ])
  func whatIsNoJudgementIsAFailureWithItsReason(_ line: String, _ reason: String) {
    let found = shell(line).judge(asked)
    #expect(found.answer == nil && found.reference == nil && found.firstPlace == nil)
    #expect(found.failure?.contains(reason) == true, "\(found.failure ?? "")")
  }

  @Test func aCommandThatIsNotThereFails() {
    let found = Judge("j", "/no/such/judge").judge(asked)
    #expect(found.failure?.contains("cannot be run") == true)
  }

  @Test func aJudgeThatHangsIsKilledWithWhatItStarted() throws {
    let folder = try Folder()
    let start = ContinuousClock.now
    let found = shell("sleep 60 & echo $! > '\(folder.path)/pid'; wait", limit: 0.5).judge(asked)
    #expect(found.failure?.contains("longer than 0.5 s") == true)
    #expect(ContinuousClock.now - start < .seconds(20))
    let text = try String(contentsOfFile: "\(folder.path)/pid", encoding: .utf8)
    let child = try #require(Int32(text.filter(\.isNumber)))
    // Killed at once, and then reaped by whoever adopted it.
    for _ in 0..<200 where kill(child, 0) == 0 && !isDead(child) { usleep(10_000) }
    #expect(kill(child, 0) != 0 || isDead(child))
  }

  private func isDead(_ process: Int32) -> Bool {
    let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
    return status.map { $0.contains(") Z ") } ?? true
  }

  @Test func failuresAreCountedAndNeverDropped() throws {
    let judgements = [
      Judgement.of(reference: 6, answer: 8, firstPlace: 1),
      Judgement.of(reference: 6, answer: 4, firstPlace: 3), shell("false").judge(asked),
      shell("false").judge(asked),
    ]
    let found = try JudgeSummary(
      judgements, groups: ["a", "b", "c", "d"], draws: 200, Random(seed: 1))
    #expect(found.items == 4 && found.failed.value == 0.5 && found.wins.value == 0.25)
    #expect(found.answer?.value == 6 && found.reference?.value == 6)
    #expect(found.lowest == 3.5 && found.highest == 8 && found.firstPlace?.value == 2)
    let none = try JudgeSummary(
      Array(judgements[2...]), groups: ["a", "b"], draws: 200, Random(seed: 1))
    #expect(none.answer == nil && none.failed.value == 1 && none.lowest == 1 && none.highest == 10)
    #expect(throws: CellError.self) { try JudgeSummary([], groups: [], Random(seed: 1)) }
  }

  // ## Agreement

  /// Krippendorff, 2011, *Computing Krippendorff's alpha-reliability*, the example with missing values.
  static let published: [[Double?]] = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, nil, nil, nil], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nil, 3],
    [nil, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nil], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nil],
  ]

  @Test func alphaIsThePublishedOne() throws {
    func alpha(_ metric: AlphaMetric) throws -> Double? {
      try krippendorffAlpha(Self.published, metric)
    }
    // 0.743 and 0.849 there; all digits by the package krippendorff 0.9.0 for Python.
    #expect(abs(try #require(try alpha(.nominal)) - 0.743421052631579) < 1e-12)
    #expect(abs(try #require(try alpha(.interval)) - 0.8491071428571428) < 1e-12)
    let estimate = try #require(
      try krippendorffAlpha(Self.published, .interval, draws: 400, Random(seed: 1)))
    #expect(abs(estimate.value - 0.8491071428571428) < 1e-12)
    #expect(estimate.low < estimate.value && estimate.value < estimate.high)
    let halves: [[Double?]] = [[7.5, 8, nil, 3, 9], [7, 8.5, 2, 4, nil], [nil, 8, 3, 3.5, 9.5]]
    #expect(abs(try #require(try krippendorffAlpha(halves, .nominal)) - 0.0546875) < 1e-12)
    #expect(
      abs(try #require(try krippendorffAlpha(halves, .interval)) - 0.9723618090452262) < 1e-12)
  }

  @Test func kappaByHandAndByAnotherPackage() throws {
    // 20 and 15 agreements, 5 and 10 disagreements: observed 0.7, by chance 0.5, kappa 0.4.
    let a = [Double](repeating: 1, count: 25) + [Double](repeating: 0, count: 25)
    let b =
      [Double](repeating: 1, count: 20) + [Double](repeating: 0, count: 5)
      + [Double](repeating: 1, count: 10) + [Double](repeating: 0, count: 15)
    #expect(abs(try #require(try cohenKappa(a, b)) - 0.4) < 1e-12)
    // cohen_kappa_score of scikit-learn.
    let c: [Double?] = [1, 2, 3, 3, 2, 1, 4, 1, 2, 5, 5, 4, 2, 3, nil, 4]
    let d: [Double?] = [1, 2, 3, 4, 2, 2, 4, 1, 3, 5, 4, 4, 1, 3, 2, nil]
    for (weights, expected) in [
      (KappaWeights.none, 0.5512820512820513), (.linear, 0.7569444444444444),
      (.quadratic, 0.8942598187311178),
    ] {
      #expect(abs(try #require(try cohenKappa(c, d, weights: weights)) - expected) < 1e-12)
      #expect(try cohenKappa(c, c, weights: weights) == 1)
    }
  }

  @Test func whatHasNoAgreementToSpeakOfIsNil() throws {
    #expect(try cohenKappa([1, 1], [1, 1]) == nil)
    #expect(try cohenKappa([nil, 1], [1, nil]) == nil)
    #expect(try krippendorffAlpha([[1, nil], [nil, 2]], .nominal) == nil)
    #expect(try krippendorffAlpha([[1, 1], [1, 1]], .interval) == nil)
    #expect(try krippendorffAlpha([], .nominal) == nil)
    #expect(try krippendorffAlpha([[1, 2], [1, 2]], .nominal) == 1)
    #expect(throws: CellError.self) { try cohenKappa([1], [1, 2]) }
    #expect(throws: CellError.self) { try krippendorffAlpha([[1], [1, 2]], .nominal) }
  }

  @Test func peoplesRatingsAreReadAndJudgesAlignedToThem() throws {
    let folder = try Folder()
    let path = try folder.write("h.csv", "uniq_id,ann,bob\n3,7,\n1,5,6\n")
    let people = try HumanRatings(contentsOf: path)
    #expect(people.items == ["3", "1"] && people.raters == ["ann", "bob"])
    #expect(people.scores == [[7, 5], [nil, 6]])
    #expect(try people.aligned([4, nil, 9], of: ["1", "2", "3"]) == [9, 4])
    #expect(throws: CellError.self) { try people.aligned([4], of: ["1"]) }
    for bad in [
      "uniq_id,ann\n3,x\n", "uniq_id,ann\n3,inf\n", "id,ann\n3,1\n", "uniq_id\n3\n",
      "uniq_id,ann\n3,1\n3,2\n", "uniq_id,ann\n,1\n", "uniq_id,ann\n", "uniq_id,ann\n3,1,2\n",
    ] {
      let path = try folder.write("bad.csv", bad)
      #expect(throws: CellError.self, "\(bad)") { try HumanRatings(contentsOf: path) }
    }
    let error = #expect(throws: CellError.self) {
      try HumanRatings(contentsOf: try folder.write("x.csv", "uniq_id,ann\n3,x\n"))
    }
    #expect(error?.description.contains("line 2: column \"ann\"") == true)
  }
}

extension Judgement {
  fileprivate static func of(reference: Double, answer: Double, firstPlace: Double) -> Judgement {
    Judgement(reference: reference, answer: answer, firstPlace: firstPlace, failure: nil)
  }
}
