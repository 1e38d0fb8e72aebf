// Rules of sanity checks: what meets them and what does not, how they are read, and that no check can be
// left out; a probe's chance.

import Foundation
import Interventions
import Tensor
import Testing

@Suite struct SanityTests {
  private func number(_ value: Double, _ low: Double, _ high: Double) -> Estimate {
    Estimate(value: value, low: low, high: high)
  }

  @Test func whatMeetsARule() {
    let inside = number(0.5, 0.4, 0.6)
    let cases: [(SanityRule, Estimate, Bool)] = [
      (.exactly(0), number(0, 0, 0), true), (.exactly(0), number(0, -1e-300, 0), false),
      (.exactly(0), number(0, 0, 1e-300), false), (.exactly(1), number(0, 0, 0), false),
      (.above(0.4), inside, false), (.above(0.39), inside, true), (.above(0.45), inside, false),
      (.below(0.6), inside, false), (.below(0.61), inside, true), (.below(0.55), inside, false),
      (.within(0.3, 0.7), inside, true), (.within(0.4, 0.7), inside, false),
      (.within(0.3, 0.6), inside, false),
      (.contains(0.4), inside, true), (.contains(0.6), inside, true),
      (.contains(0.39), inside, false), (.contains(0.61), inside, false),
      (.notAbove(0.4), inside, true), (.notAbove(0.39), inside, false),
      (.notAbove(0.9), inside, true),
      (.atLeast(0.5), inside, true), (.atLeast(0.51), inside, false),
      (.atMost(0.5), inside, true), (.atMost(0.49), inside, false),
    ]
    for (rule, evidence, holds) in cases {
      #expect(rule.holds(evidence) == holds, "\(rule): \(evidence)")
      // The region of the figure is the rule's.
      if holds { #expect(rule.region.overlaps(evidence.low...evidence.high), "\(rule)") }
      // Nothing is met by what is not there.
      for nothing in [
        number(.nan, 0, 1), number(0.5, -.infinity, .infinity), number(0.5, .nan, 0.6),
        number(0.5, 0.4, .infinity),
      ] {
        #expect(!rule.holds(nothing), "\(rule): \(nothing)")
      }
    }
  }

  @Test func everyValueIsAsked() {
    let evidence = SanityEvidence(every: [0, 0, 3])
    #expect(evidence.number == number(1, 0, 3) && evidence.count == 3)
    #expect(!SanityRule.exactly(0).holds(evidence.number))
    #expect(SanityRule.exactly(0).holds(SanityEvidence(every: [0, -0.0]).number))
    for values in [[], [0, Double.nan], [0, .infinity]] {
      #expect(!SanityRule.exactly(0).holds(SanityEvidence(every: values).number))
    }
  }

  /// The rules that the paper's checks are run under, and files that are not quite like them.
  @Test func rulesAreReadAndWhatIsMissingIsNamed() throws {
    let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../..").standardized
    let path = root.appendingPathComponent("paper/preregistration-sanity.json").path
    let rules = try SanityRules(path)
    #expect(rules.scrubDraws >= 10 && rules.checks.window == .changed(margin: 60))
    #expect(try rules.checks.check("self-patch").rule == .exactly(0))
    #expect(try rules.checks.check("judge").rule == nil)
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let folder = try Folder()
    func message(_ old: String, _ new: String) throws -> String {
      let changed = text.replacingOccurrences(of: old, with: new)
      #expect(changed != text, "\(old) is not there")
      do { _ = try SanityRules(folder.write("rules.json", changed)) } catch { return "\(error)" }
      return ""
    }
    #expect(try message("\"exactly\"", "\"nearly\"").contains("self-patch: \"rule\" should be one"))
    #expect(try message("\"id\": \"everything\"", "\"id\": \"self-patch\"").contains("twice"))
    #expect(try message("\"margin\": 60", "\"margin\": -60").contains("margin"))
    #expect(try message("\"draws\": 20", "\"draws\": 0").contains("should be 1 or more"))
    #expect(throws: (any Error).self) { try rules.checks.check("nothing") }
    #expect(throws: (any Error).self) { try rules.step(ofPairs: "another-model") }

    // A check that nobody runs is an error, whatever the others say.
    let evidence = SanityEvidence(number(0, 0, 0), count: 1)
    let rows = rules.checks.all.map { SanityRow($0, nil, evidence) }
    try rules.checks.demandEvery(in: rows)
    do {
      try rules.checks.demandEvery(in: Array(rows.dropFirst()))
      Issue.record("a missing check was not missed")
    } catch { #expect("\(error)".contains("self-patch: nobody")) }
  }

  @Test func theTableSaysWhatFails() throws {
    let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../..").standardized
    let rules = try SanityRules(
      root.appendingPathComponent("paper/preregistration-sanity.json").path)
    let check = try rules.checks.check("self-patch")
    let good = SanityRow(check, "model", SanityEvidence(every: [0, 0]))
    let bad = SanityRow(check, "model", SanityEvidence(every: [0, -0.25]))
    let nothing = SanityRow(try rules.checks.check("judge"), nil, nil)
    #expect(good.holds == true && bad.holds == false && nothing.holds == nil)
    let lines = [good, bad, nothing].table.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 5 && lines[4].isEmpty)
    #expect(lines[1].hasSuffix("\texactly 0\t0.0\t0.0\t0.0\t2\t\tholds"))
    #expect(lines[2].hasSuffix("\texactly 0\t-0.125\t-0.25\t0.0\t2\t\tFAILS"))
    #expect(lines[3].hasSuffix("\tnothing to measure"))
    #expect(
      lines.prefix(4).allSatisfy {
        $0.split(separator: "\t", omittingEmptySubsequences: false).count == 12
      })
    #expect(bad.result == "-0.1250 [-0.2500, 0.0000]")
    #expect([good, bad].summary.contains("FAILS\n"))
  }

  /// A table that was written is read back, and one that was edited is not believed.
  @Test func rowsOfAnotherProgramAreReadBack() throws {
    let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../..").standardized
    let checks = try SanityChecks(
      root.appendingPathComponent("paper/preregistration-sanity.json").path)
    let rows = [
      SanityRow(try checks.check("self-patch"), "model", SanityEvidence(every: [0, 0])),
      SanityRow(
        try checks.check("silence"), "model",
        SanityEvidence(number(0.5, -0.1, 0.9), count: 12, groups: 6)),
    ]
    let folder = try Folder()
    let read = try checks.rows(of: folder.write("rows.tsv", rows.table))
    #expect(read.table == rows.table && read.map(\.holds) == [true, false])
    func message(_ old: String, _ new: String) throws -> String {
      let changed = rows.table.replacingOccurrences(of: old, with: new)
      #expect(changed != rows.table)
      do { _ = try checks.rows(of: folder.write("rows.tsv", changed)) } catch { return "\(error)" }
      return ""
    }
    #expect(try message("FAILS", "holds").contains("rows.tsv: line 3: says \"holds\""))
    #expect(try message("-0.1", "0.1").contains("line 3"))
    #expect(try message("\tsilence\t", "\tsilent\t").contains("has no check"))
    #expect(try message("\t0.9\t", "\t\t").contains("no number in column high"))
    #expect(throws: CellError.self) { try checks.rows(of: "/nowhere/rows.tsv") }
    #expect(throws: (any Error).self) { try checks.count("pairs") }
  }

  /// Three classes that a plane tells apart: the probe reads them, and its shuffles read at chance.
  @Test func shufflesReadAtChance() throws {
    let (each, width) = (12, 10)
    func data(_ seed: UInt64) -> LabelledSamples {
      var samples = DoubleMatrix(rows: 3 * each, columns: width, normal: Random(seed: seed))
      for r in 0..<samples.rows { samples[r, r % 3] += 8 }
      return LabelledSamples(samples, labels: (0..<3 * each).map { "\($0 % 3)" })
    }
    let control = try ProbeControl(
      fit: data(1), test: data(2), shrinkage: 0.1, shuffles: 200, Random(seed: 3))
    #expect(control.read.allSatisfy { $0 } && control.read.count == 36)
    #expect(abs(control.chance - 1.0 / 3) < 1e-15 && control.shuffled.count == 200)
    let mean = control.shuffledLessChance(draws: 2_000, Random(seed: 4)).number
    #expect(mean.low < 0 && 0 < mean.high, "\(mean)")
    #expect(abs(mean.value - control.shuffled.reduce(0, +) / 200 + 1.0 / 3) < 1e-12)
    #expect(mean.high - mean.low < 0.1, "\(mean)")
    // Chance is not known where one class is more frequent, or the test asks for another.
    let fit = data(1)
    let uneven = LabelledSamples(
      fit.samples, labels: ["1"] + fit.labels.dropFirst())
    #expect(throws: SubspaceError.self) {
      try ProbeControl(fit: uneven, test: fit, shrinkage: 0.1, shuffles: 1, Random(seed: 5))
    }
    let strange = LabelledSamples(fit.samples, labels: ["9"] + fit.labels.dropFirst())
    #expect(throws: SubspaceError.self) {
      try ProbeControl(fit: fit, test: strange, shrinkage: 0.1, shuffles: 1, Random(seed: 5))
    }
  }
}
