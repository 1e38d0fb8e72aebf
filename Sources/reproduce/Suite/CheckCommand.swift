// `reproduce check --suite`: what the suite holds, and that it is what it says.

import ArgumentParser
import Corpus
import Foundation
import Interventions
import JSON

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Checks the suite: files, counts, splits, purity, and what the checkpoints make of it.",
    discussion: """
      Needs no synthesiser. Human strings are composed again where TAP_DATA or `make data` gives \
      the recordings. Ends with status 1 where something does not hold.
      """)

  @Flag(help: "The suite of minimal pairs.") var suite = false

  func run() throws {
    guard suite else { throw ValidationError("say what to check: --suite") }
    let repository = try Repository()
    let audit = try SuiteAudit(repository)
    SuiteTables(audit).print()
    let recordings = try DigitManifest(repository).recordings(repository)
    let training = try TrainingSet(repository).readManifest().flatMap(\.rows).map(\.text)
    let shared = audit.sharedSpeakers()
    for (set, speaker, splits) in shared {
      print("\(set): \(speaker) speaks in \(splits.joined(separator: " and "))")
    }
    let checks: [(String, [String])] = [
      ("voices, engines, lengths", try audit.entryFaults()),
      (
        "digests of recordings, mixtures and strings", try audit.soundFaults(recordings: recordings)
      ),
      (
        "sentences disjoint between splits and from training",
        audit.sentenceFaults(training: Set(training))
      ),
      (
        "speakers disjoint between splits, but for slt beside awb",
        shared.filter { !["speaker", "factorial"].contains($0.set) || $0.speaker != "slt" }
          .map { "\($0.set): \($0.speaker)" }
      ),
    ]
    if recordings == nil { print("human strings: \(HumanRecordings.absent)") }
    for (name, faults) in checks {
      print(faults.isEmpty ? "holds   \(name)" : "FAILS   \(name)")
      for fault in faults.prefix(20) { print("        \(fault)") }
      if faults.count > 20 { print("        ... and \(faults.count - 20) more") }
    }
    print()
    try ScoredSuite(repository).printScores(
      of: Recipe.all.map { ($0.name, repository.url($0.folder).path) }, brief: true)
    if checks.contains(where: { !$0.1.isEmpty }) { throw ExitCode(1) }
  }
}

/// Counts and acoustic purity, as tables on the terminal.
struct SuiteTables {
  private let audit: SuiteAudit

  init(_ audit: SuiteAudit) { self.audit = audit }

  private static let splits = ["discovery", "validation", "test"]

  func print() {
    rows(
      "Pairs by factor and split", ["factor"] + SuiteTables.splits + ["all"],
      Factor.allCases.map { factor in
        let pairs = audit.sets.flatMap(\.suite.pairs).filter { $0.factor == factor }
        return [factor.rawValue] + bySplit(pairs.map(\.split))
      })
    rows(
      "Pairs by set and split", ["set"] + SuiteTables.splits + ["all"],
      audit.sets.map { [$0.name] + bySplit($0.suite.pairs.map(\.split)) }
        + [["all"] + bySplit(audit.sets.flatMap(\.suite.pairs).map(\.split))])
    let utterances = audit.sets.flatMap(\.suite.utterances)
    rows(
      "Utterances by speaker and split (each once)", ["speaker"] + SuiteTables.splits + ["all"],
      Set(utterances.map(\.voice)).sorted().map { voice in
        var seen: Set<String> = []
        let own = utterances.filter { $0.voice == voice && seen.insert($0.id).inserted }
        return [voice] + bySplit(own.map(\.split))
      })
    rows(
      "Acoustic purity: log-mel distance in dB, median (range)",
      ["set", "kind", "pairs", "inside", "outside"], audit.sets.flatMap(purity))
  }

  private func bySplit(_ splits: [String]) -> [String] {
    SuiteTables.splits.map { split in "\(splits.count { $0 == split })" } + ["\(splits.count)"]
  }

  private func purity(_ set: SuiteAudit.Set) -> [[String]] {
    let pairs = set.json["pairs"]?.elements ?? []
    var kinds: [String] = []
    var byKind: [String: [JSON]] = [:]
    for pair in pairs {
      let kind = pair["kind"]?.string ?? pair["factor"]?.string ?? "?"
      if byKind[kind] == nil { kinds.append(kind) }
      byKind[kind, default: []].append(pair)
    }
    return kinds.map { kind in
      let own = byKind[kind]!
      func spread(_ key: String) -> String {
        let values = own.compactMap { $0["purity"]?[key]?.double }.sorted()
        guard !values.isEmpty else { return "-" }
        let numbers = [values[values.count / 2], values[0], values[values.count - 1]]
          .map { String(format: "%.2f", $0) }
        return "\(numbers[0]) (\(numbers[1])..\(numbers[2]))"
      }
      return [set.name, kind, "\(own.count)", spread("inside"), spread("outside")]
    }
  }

  private func rows(_ title: String, _ header: [String], _ body: [[String]]) {
    let all = [header] + body
    let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    Swift.print(title)
    for row in all {
      let cells = zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
      Swift.print("  " + cells.joined(separator: "  "))
    }
    Swift.print()
  }
}
