// Splits that share nothing, rules that are frozen, a test split that is opened once, and the choice
// of a size.

import Foundation
import Interventions
import Notebook
import Tensor
import Testing

@Suite struct EvidenceTests {
  private func item(_ id: String, _ split: String, _ sentence: String, _ speaker: String)
    -> SplitItem
  {
    SplitItem(
      id: id, split: split, group: "\(sentence) | \(speaker)", sentences: [sentence],
      speakers: [speaker])
  }

  private func message(_ body: () throws -> Void) -> String {
    do { try body() } catch { return "\(error)" }
    return ""
  }

  @Test func splitsShareNothing() throws {
    let good = [
      item("a", "discovery", "one", "kal"), item("b", "discovery", "two", "kal"),
      item("c", "test", "three", "rms"),
    ]
    let splits = try Splits(good)
    #expect(splits.names == ["discovery", "test"] && splits.ids("discovery") == ["a", "b"])
    #expect(splits.ids("nowhere").isEmpty)
    // The order of the items is no part of a split; its items are.
    #expect(try Splits(good.reversed()).digest("discovery") == splits.digest("discovery"))
    #expect(try Splits([good[0], good[2]]).digest("discovery") != splits.digest("discovery"))
    let voice = message { _ = try Splits(good + [item("d", "test", "four", "kal")]) }
    #expect(voice.contains("speaker \"kal\"") && voice.contains("(a)") && voice.contains("(d)"))
    let sentence = message { _ = try Splits(good + [item("d", "test", "two", "ked")]) }
    #expect(sentence.contains("sentence \"two\"") && sentence.contains("leave one"))
    #expect(message { _ = try Splits(good + [good[0]]) }.contains("two items"))
  }

  @Test func groupsAreAssignedWhole() throws {
    let groups = (0..<40).map { "g\($0 % 20)" }
    let shares = [("discovery", 0.5), ("validation", 0.2), ("test", 0.3)]
    let found = try Splits.assignment(of: groups, shares: shares, Random(seed: 1))
    #expect(found.count == 20)
    #expect(shares.map { share in found.values.count { $0 == share.0 } } == [10, 4, 6])
    #expect(try Splits.assignment(of: groups.reversed(), shares: shares, Random(seed: 1)) == found)
    #expect(try Splits.assignment(of: groups, shares: shares, Random(seed: 2)) != found)
    let few = message {
      _ = try Splits.assignment(of: ["a", "b"], shares: shares, Random(seed: 1))
    }
    #expect(few.contains("too few"))
  }

  @Test func preregistrationIsFrozen() throws {
    let folder = try Folder()
    let text = """
      {"answerPositionThreshold": 0.5, "bootstrapDraws": 10, "bottleneckRecovery": 0.5,
       "minimumGap": 1.0, "searchK": 10, "searchOverlap": 0.5, "seed": 1,
       "selection": {"recoveryShare": 0.9, "sizes": [1, 2, 5]},
       "splits": {"confirm": "test", "search": "discovery", "selection": "validation"}}
      """
    let rules = try Preregistration(folder.write("a.json", text))
    #expect(rules.selection.sizes == [1, 2, 5] && rules.selectionSplit == "validation")
    #expect(rules.digest == Digest(of: text))
    let other = try Preregistration(folder.write("b.json", text + "\n"))
    #expect(other.digest != rules.digest)
    for (old, new, expected) in [
      ("[1, 2, 5]", "[1, 5, 2]", "rising"),
      ("\"selection\": \"validation\"", "\"x\": 1", "selection"),
      ("\"test\"", "\"discovery\"", "twice"), ("0.9", "1.5", "share"),
    ] {
      let path = try folder.write("c.json", text.replacingOccurrences(of: old, with: new))
      let found = message { _ = try Preregistration(path) }
      #expect(found.contains(path) && found.contains(expected), "\(found)")
    }
  }

  @Test func rulesOfTranscriptsAreWhatWasFixed() throws {
    let folder = try Folder()
    func text(_ next: Int = 120, _ step: String = "10", claim: String = "something holds") -> String
    {
      """
      {"transcript": {"claims": {"P1": "\(claim)"}, "everyPair": {"people": \(step)},
        "everyTurn": {"a": 2}, "windows": {"next": \(next), "text": 4}}}
      """
    }
    let rules = try TranscriptRules(folder.write("a.json", text()))
    #expect(try rules.step(ofPairs: "people") == 10)
    #expect(try rules.step(ofTurns: "a") == 2)
    #expect(try rules.statement("P1") == "something holds")
    let other = try folder.write("b.json", text(100))
    #expect(message { _ = try TranscriptRules(other) }.contains("windows"))
    for step in ["0", "1.5", "\"2\""] {
      let path = try folder.write("c.json", text(120, step))
      let found = message { _ = try TranscriptRules(path).step(ofPairs: "people") }
      #expect(found.contains(path) && found.contains("everyPair"), "\(found)")
    }
    #expect(message { _ = try rules.step(ofTurns: "people") }.contains("everyTurn"))
    let silent = try TranscriptRules(folder.write("d.json", text(claim: "")))
    #expect(message { _ = try silent.statement("P1") }.contains("P1"))
  }

  @Test func theTestSplitIsOpenedOnce() throws {
    let folder = try Folder()
    let log = OpeningLog("\(folder.path)/openings.tsv")
    let (items, rules, changed) = (Digest(of: "items"), Digest(of: "rules"), Digest(of: "changed"))
    try log.open("test", items: items, under: rules, by: "e1")
    let first = try String(contentsOfFile: log.path, encoding: .utf8)
    #expect(first.contains("test\t\(items)\t\(rules)\te1\n"))
    // A rerun is the same opening.
    try log.open("test", items: items, under: rules, by: "e1")
    #expect(try String(contentsOfFile: log.path, encoding: .utf8) == first)
    try log.open("test", items: items, under: rules, by: "e2")
    try log.open("fresh", items: items, under: changed, by: "e1")
    let now = try String(contentsOfFile: log.path, encoding: .utf8)
    #expect(now.hasPrefix(first) && now.split(separator: "\n").count == 4)
    let other = message { try log.open("test", items: items, under: changed, by: "e3") }
    #expect(other.contains("by e1") && other.contains(rules.short) && other.contains("Restore"))
    let moved = message { try log.open("test", items: changed, under: rules, by: "e3") }
    #expect(moved.contains("other items"))
    #expect(
      message { try log.open("te\tst", items: items, under: rules, by: "e") }.contains("tabs"))
    // Nothing of what was refused stays.
    #expect(try String(contentsOfFile: log.path, encoding: .utf8) == now)
  }

  @Test func aDamagedLogOpensNothing() throws {
    let folder = try Folder()
    for text in [
      "nonsense\n", "split\titems\tpreregistration\topened by\ntest\tx\ty\tz\n",
      "split\titems\tpreregistration\topened by\ntest",
    ] {
      let path = try folder.write("openings.tsv", text)
      let found = message {
        try OpeningLog(path).open(
          "test", items: Digest(of: "i"), under: Digest(of: "r"), by: "e")
      }
      #expect(found.contains(path) && found.contains("restore"), "\(found)")
      #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    }
    let nowhere = message {
      try OpeningLog("\(folder.path)/none/openings.tsv").open(
        "test", items: Digest(of: "i"), under: Digest(of: "r"), by: "e")
    }
    #expect(nowhere.contains("cannot open"))
  }

  /// One pair a group whose full effect is 10 of a gap of 12.
  private func sizes(_ table: [[Double]]) -> [SizeEffects] {
    table.enumerated().map {
      SizeEffects(group: "g\($0)", effects: $1, full: 10, gap: 12)
    }
  }

  @Test func theSmallestSizeThatReaches() throws {
    let rule = try SelectionRule(sizes: [1, 2, 5], share: 0.9)
    // Means of 5, 9 and 9.5: 9 is 90% of 10 to the bit.
    let pairs = sizes([[4, 8, 9], [6, 10, 10]])
    let choice = rule.choice(from: pairs)
    #expect(choice.size == 2 && choice.index == 1 && choice.reached)
    #expect(choice.recoveries[0] == 10.0 / 24 && choice.full == 20.0 / 24)
    let never = rule.choice(from: sizes([[1, 2, 8], [1, 2, 8]]))
    #expect(never.size == 5 && !never.reached)
    // Where the whole site recovers nothing, nothing is compact.
    let nothing = rule.choice(
      from: [SizeEffects(group: "g", effects: [1, 1, 1], full: -1, gap: 12)])
    #expect(!nothing.reached)
    let report = rule.report(
      choice, on: sizes([[9.5, 9.6, 10], [9.2, 9.9, 10]]), Random(seed: 1))
    #expect(report.hindsight.size == 1 && report.optimism == 1)
    #expect(report.recovery.value == 19.5 / 24)
    let stability = rule.stability(of: pairs, draws: 400, Random(seed: 1))
    // Only the first pair drawn twice needs more than 2.
    #expect(stability[0] == 0 && abs(stability[1] - 0.75) < 0.1 && stability.reduce(0, +) == 1)
    for bad in [[], [0, 1], [2, 2]] {
      #expect(throws: EvidenceError.self) { try SelectionRule(sizes: bad) }
    }
  }
}
