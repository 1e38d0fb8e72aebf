// `tap confirm`: what a search has proposed, and a random sample of what it has not, patched exactly.

import ArgumentParser
import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

struct Confirm: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Patches the cells that a search ranks highest, and a random sample of the rest.",
    discussion: """
      Both directions, four metrics, and for every cell three controls whose move has the same length: \
      another item, a random direction, other positions. Recoveries have 95 % intervals over groups, \
      where there are enough; each direction has its certificate: how the estimates compare with exact \
      effects, and how many cells may have been missed. Model, pairs, windows and corruption are those \
      of the search unless others are named, such as a split that the search has not seen.

        tap confirm --search build/search.json --top 20 --random 40 --out build/confirm.json
      """)

  @Option(help: "The file that tap search has written.") var search: String
  @Option(help: "Other pairs than the search's.") var pairs: String?
  @Option(help: "The split whose pairs are taken.") var split: String?
  @Option(help: "Another corruption than the search's: paired, silence or noise:0 (dB).")
  var corruption: String?
  @OptionGroup var rules: RuleOptions
  @OptionGroup var strict: StrictOption
  @Option(help: "How many of the highest-ranked cells.") var top = 50
  @Option(help: "How many of the rest, drawn at random.") var random = 200
  @Option(help: "The seed of the draw and of the random directions.") var seed = 1
  @Option(help: "The share of the mean gap from which an effect counts as a hit.") var hit = 0.1
  @Flag(help: "Forget what an interrupted run has computed.") var fresh = false
  @Flag(help: "Print JSON.") var json = false
  @Option(help: "The file to write.") var out = "confirm.json"

  func validate() throws {
    if top < 0 || random < 0 || max(top, random) == 0 || seed < 0 {
      throw ValidationError(
        "--top, --random and --seed should not be negative, nor the first two 0")
    }
    if !(hit > 0 && hit.isFinite) { throw ValidationError("--hit should be a share, such as 0.1") }
    if let corruption { _ = try Corruption(corruption) }
  }

  func run() throws {
    let outputs: [(option: String, path: String?)] = [("--out", out)]
    try checkOutputs(outputs, apartFrom: [search, pairs])
    let proposal = try Proposal(
      contentsOf: search,
      ConfirmedOn(pairs: pairs, split: split, corruption: corruption, rules: rules, strict: strict))
    let drawn = Random(seed: UInt64(seed))
    let chosen = proposal.chosen(top: top, random: random, drawn.split("draw"))
    let sites = Array(Set(chosen.map(\.row.site)))
    try checkOutputs(outputs, apartFrom: [proposal.list.pairs], model: proposal.model.model)
    let run = try PairRun(proposal.model, proposal.list, writing: outputs, by: "tap confirm") {
      model, _ in
      for site in sites { try model.check(site) }
    }
    if let expected = proposal.modelDigest, expected != run.pairs.modelDigest {
      throw CellError("\(search): was made with other files in \(run.opened.folder); search again")
    }
    try proposal.checkSame(
      run.pairs.pairsDigest, "the list \(proposal.list.pairs)", proposal.pairsDigest, in: search)
    try proposal.checkSame(
      run.pairs.recordingsDigest, "its recordings", proposal.recordingsDigest, in: search)
    let model = run.opened.model
    let directions = proposal.directions
    try run.checkWindows(over: sites)
    run.warnOfMissingStrangers()
    let directed = drawn.split("directions")
    let digest = try Digest(ofFile: search).description
    let measured = try resumable(
      "confirm", over: run.items, key: \.id,
      inputs: run.inputs(["\(top)", "\(random)", "\(seed)", digest]),
      journal: journal(beside: out), fresh: fresh
    ) { item in
      try ConfirmedPair(
        item, model, sites, directions, chosen, directed.split(item.pair.pair.id)
      ) { try run.windows(item.pair, $0) }
    }
    let report = try ConfirmReport(
      proposal, chosen, top: min(top, chosen.count), measured, groups: run.pairs.groups, hit: hit,
      seed: UInt64(seed))
    let cost = run.pairs.cost + measured.reduce(Cost()) { $0 + $1.cost }
    var members = run.provenance
    members.merge(report.json) { $1 }
    members["search"] = .string(search)
    members["search_sha256"] = .string(digest)
    members["seed"] = .integer(seed)
    members["cost"] = cost.json
    try write(.object(members), to: out, printing: json)
    removeJournal(at: journal(beside: out))
    if !json {
      print(run.summary)
      report.printSummary()
      print("\n\(cost.text)\nwrote \(out)")
    }
  }
}
