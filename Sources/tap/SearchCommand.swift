// `tap search`: the effect of every cell, estimated at once.

import ArgumentParser
import Foundation
import Interventions
import JSON
import Notebook
import Speech

/// The methods of a search by the words of the command line.
enum MethodChoice: String, ExpressibleByArgument, CaseIterable {
  case conductance, attribution, ig, relp
  case relpFrozen = "relp-frozen"
  case qkFix = "qk-fix"
  case gradDrop = "graddrop"

  func method(steps: Int) -> SearchMethod {
    switch self {
    case .conductance: .conductance(steps: steps)
    case .attribution: .attribution
    case .ig: .integratedGradients(steps: steps)
    case .relp: .relevance(freezingPatterns: false)
    case .relpFrozen: .relevance(freezingPatterns: true)
    case .qkFix: .attributionQK
    case .gradDrop: .gradDrop
    }
  }
}

struct SearchCells: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search",
    abstract: "Estimates the effect of every cell from a few passes; proposes what to confirm.",
    discussion: """
      Estimates are in nats of the logit difference, positive towards the source run: from the corrupt \
      run to the clean one (sufficiency) and back (necessity). Attribution takes two passes and one \
      back; conductance one of each for every point of a path of inputs from base to source, and says \
      how far each layer is from the whole effect.

        tap search --model artifacts/qwen2-audio-small --pairs build/pairs.json \\
          --method conductance --steps 16 --out build/search.json
      """)

  @OptionGroup var options: ModelOptions
  @OptionGroup var list: PairListOptions
  @Option(help: "conductance, attribution, ig, relp, relp-frozen, qk-fix or graddrop.")
  var method = MethodChoice.conductance
  @Option(help: "Steps along the path of inputs, an even number.") var steps = 16
  @Option(
    help: """
      What moves along the path: features (log-mel), or a site such as connector.out, from which on \
      scores are not zero.
      """) var path: String?
  @Option(
    help: """
      Families (residual, attention, heads, mlp, neurons, connector, cross, queries, keys) or sites, \
      as in residual,lm.*.attn.z[*].
      """) var sites = "residual"
  @Option(help: "both, sufficiency or necessity.") var direction = DirectionChoice.both
  @Flag(
    help: "Keep the record of one layer at a time, for large models; one more pass a way back.")
  var lowMemory = false
  @Option(help: "The file to write.") var out: String

  func run() throws {
    if steps < 2 || steps % 2 != 0 {
      throw ValidationError("--steps should be an even number, such as 16")
    }
    let start: PathStart? =
      try path.map { name in
        guard name != "features" else { return .features }
        let cell = try Interventions.Cell(name)
        guard cell.window == .all, cell.index == nil else {
          throw CellError(
            "--path \(name): the whole site moves along the path; name it without a window or number, "
              + "as \(cell.site)")
        }
        return .site(cell.site)
      }
    let outputs: [(option: String, path: String?)] = [("--out", out)]
    try checkOutputs(outputs, apartFrom: [list.pairs], model: options.model)
    let run = try PairRun(options, list, writing: outputs, by: "tap search") {
      _ = try $0.rows(sites, in: $1)
    }
    let model = run.opened.model
    let rows = try model.rows(sites, in: run.example)
    try run.checkWindows(over: rows.map(\.site))
    let columns = try run.columns()
    // The residual sites, each with what runs beside it.
    let cuts = try model.rows("residual", in: run.example).map(\.site)
      .filter(Set(rows.map(\.site)).contains)
      .map { site in (site, model.cut(at: site)) }
    let named = Set(rows.map(\.site) + cuts.flatMap(\.1)).sorted { "\($0)" < "\($1)" }
    var search = SearchOptions(method.method(steps: steps), sites: named)
    search.path = start
    search.recomputes = lowMemory
    let (directions, template) = (direction.directions, search)
    let inputs = run.inputs([
      method.rawValue, "\(steps)", path ?? "", sites, direction.rawValue, "\(lowMemory)",
    ])
    let found = try resumable(
      "search", over: run.kept, key: \.pair.id, inputs: inputs, journal: journal(beside: out),
      fresh: list.fresh
    ) { pair in
      try directions.map { direction in
        var options = template
        options.alignment = try pair.alignment(direction)
        let result = try model.search(
          base: pair.base(direction), source: pair.source(direction), options)
        return FoundPair(
          result, options.alignment, rows, columns, cuts, try run.windows(pair, direction))
      }
    }
    let report = SearchReport(
      method: method.method(steps: steps), directions: directions, rows: rows,
      columns: columns.map(\.name), found: found)
    var members = run.provenance
    members.merge(report.json) { $1 }
    members["sites"] = .string(sites)
    let cost = found.joined().reduce(Cost()) { $0 + $1.cost }
    members["cost"] = (run.pairs.cost + cost).json
    members["search_cost"] = cost.json
    try write(.object(members), to: out, printing: list.json)
    removeJournal(at: journal(beside: out))
    if !list.json {
      print(run.summary)
      report.printTop(12)
      print("\nmetric logit-difference; \((run.pairs.cost + cost).text)")
      print("wrote \(out)")
    }
  }
}
