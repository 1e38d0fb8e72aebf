// `tap map`: every cell patched exactly, as a file and a figure.

import ArgumentParser
import Figures
import Foundation
import Interventions
import JSON
import Notebook
import Speech

struct MapCells: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "map",
    abstract: "Patches every cell exactly, in both directions, and draws the map.",
    discussion: """
      Sufficiency puts the clean run's activation into the corrupt run, necessity the reverse. A cell is \
      the mean effect over pairs over the mean gap, never clipped, with its 95 % interval over groups; \
      cells are tested together by max-T. Both want six groups of pairs and are left out below. Beside \
      it stands the certificate of a search, which says how well it would have found the map. An \
      interrupted map goes on where it was.

        tap map --model artifacts/qwen2-audio-small --pairs build/pairs.json --direction both \\
          --sites residual --out build/map.json --figure build/map.pdf
        tap map --model artifacts/qwen2-audio-small --pairs data-manifests/evaluation.json \\
          --split discovery --limit 12 --estimate relp --control --shift 80 --jitter 20 \\
          --out build/map-12.json
      """)

  @OptionGroup var options: ModelOptions
  @OptionGroup var list: PairListOptions
  @Option(help: "Families or sites, as of tap search.") var sites = "residual"
  @Option(help: "both, sufficiency or necessity.") var direction = DirectionChoice.both
  @Option(help: "What the figure shows: logit-difference, probability, kl or sequence.")
  var metric = Metric.logitDifference
  @Flag(help: "Also patch every cell from another item, with a move of the same length.")
  var control = false
  @Option(
    help: """
      Also patch from the base run's own recording, so many milliseconds later: what then moves is the \
      position's, not the sound's.
      """) var shift: Double?
  @Option(
    help: "Also patch with every boundary of the alignment moved by up to so many milliseconds.")
  var jitter: Double?
  @Option(
    help: """
      A table with the columns recording and other_take: also patch from another take of what the base \
      recording says, which should move nothing.
      """) var otherTakes: String?
  @Option(help: "The method of tap search that the certificate is of.")
  var estimate = MethodChoice.attribution
  @Flag(help: "No estimate and no certificate, for sites that no search can score.")
  var exactOnly = false
  @Option(help: "Steps of the estimate along its path, an even number.") var steps = 16
  @Option(help: "The share of the mean gap from which an effect counts as a hit.") var hit = 0.1
  @Flag(
    help: """
      Patch blocks of four rows by a second of sound first, and go on to smaller ones and to cells only where \
      a block has an effect; say with how many cells drawn from the others what may have been missed. Where \
      that would save little, every cell is patched.
      """) var coarse = false
  @Option(
    help: """
      With --coarse: the share of the mean gap from which a block is looked into; half of --hit where not \
      given.
      """) var splitAt: Double?
  @Option(
    help: """
      With --coarse: how many of the skipped cells are drawn and patched, at most; 59 where not given.
      """) var sample: Int?
  @Flag(help: "Run the model from the sound on for every cell instead of resuming, as a check.")
  var plain = false
  @Flag(
    help: """
      Say what the map would take, in passes, arithmetic, time, memory and disk, measured on a few cells of \
      its shortest and its longest pair; write nothing.
      """) var dryRun = false
  @Option(help: "The file to write. Wanted by all but --dry-run.") var out = ""
  @Option(help: "The figure to write, .pdf or .svg.") var figure: String?
  @Option(
    help: """
      A page to write, .html, on which the map is explored and its recordings are heard, with what the model \
      says where a cell is patched; or .json, of which reproduce explorer makes one page of several maps. \
      With --control.
      """) var explorer: String?
  @Option(
    help: """
      Measure only this part of the map, i/n with i from 1 to n as in 3/8, into a file beside --out; tap merge \
      makes one of all n, whose result, figure and page are those of one process.
      """,
    transform: { try Shard($0) }) var shard: Shard?

  func validate() throws {
    if out.isEmpty && !dryRun { throw ValidationError("--out is missing: the file to write") }
    if let figure, !figure.hasSuffix(".pdf"), !figure.hasSuffix(".svg") {
      throw ValidationError("--figure should end with .pdf or .svg")
    }
    if let explorer, !explorer.hasSuffix(".html"), !explorer.hasSuffix(".json") {
      throw ValidationError("--explorer should end with .html or .json")
    }
    if splitAt != nil && !coarse { throw ValidationError("--split-at is of --coarse") }
    if coarse && shard != nil {
      throw ValidationError(
        "--coarse decides from each level what to patch next, so that it is not divided; leave --shard or "
          + "--coarse out")
    }
    if sample != nil && !coarse { throw ValidationError("--sample is of --coarse") }
    if let sample, sample < 1 { throw ValidationError("--sample should be above 0") }
    for (name, value) in [
      ("--shift", shift), ("--jitter", jitter), ("--hit", hit), ("--split-at", splitAt),
    ] {
      guard let value, !(value > 0 && value.isFinite) else { continue }
      throw ValidationError("\(name) should be above 0")
    }
    if steps < 2 || steps % 2 != 0 {
      throw ValidationError("--steps should be an even number, such as 16")
    }
  }

  func run() throws {
    if dryRun {
      let forecast = try Forecast(
        options, list, sites: sites, hit: hit, sample: coarse ? sample ?? 59 : nil, request)
      return list.json ? print(forecast.json.text) : forecast.printText()
    }
    try checkOutputs(outputs, apartFrom: [list.pairs, otherTakes], model: options.model)
    if let shard { return try measure(shard) }
    let library = try library()
    let plan = try plan()
    if control || explorer != nil { plan.run.warnOfMissingStrangers() }
    let sounds = explorer == nil ? nil : try ExploredSounds(plan.run.kept)
    let settings = CoarseSettings(splitAt: splitAt ?? hit / 2, hit: hit, sample: sample ?? 59)
    var (kept, report, fresh) = (plan, CoarseReport?.none, list.fresh)
    switch coarse ? plan.coarseStart(settings) : nil {
    case .blocks(let blocks):
      let found = try plan.foundCells(blocks, settings, beside: out, fresh: fresh)
      (kept, report) = (plan.keeping(found.maps.map(\.isPatched)), CoarseReport(found, settings))
      // The journal is that of the blocks.
      fresh = false
    case .cells(let reason): report = CoarseReport(allBecause: reason, settings)
    case nil: break
    }
    let measured = try kept.measured(beside: out, fresh: fresh)
    try conclude(kept, measured, report, sounds, library: library)
  }

  var outputs: [(option: String, path: String?)] {
    [("--out", out), ("--figure", figure), ("--explorer", explorer)]
  }

  /// What a page is drawn with; empty where none is asked for.
  func library() throws -> String {
    explorer?.hasSuffix(".html") == true ? try ExplorerPage.installedLibrary() : ""
  }

  /// The map that the options ask for, with its model and recordings opened.
  func plan() throws -> MapPlan {
    let run = try PairRun(options, list, writing: outputs, by: "tap map") {
      _ = try $0.rows(sites, in: $1)
    }
    let rows = try run.opened.model.rows(sites, in: run.example)
    return try MapPlan(run, rows: rows, of: sites, request(run.opened, rows))
  }

  /// What is measured in the cells of these rows.
  private func request(_ opened: OpenedModel, _ rows: [GridRow]) throws -> MapRequest {
    MapRequest(
      directions: direction.directions,
      sites: Array(Set(rows.map(\.site))).sorted { "\($0)" < "\($1)" },
      // A cell is not explored without its control.
      wrongItem: control || explorer != nil, shift: shift, jitter: jitter,
      otherTakes: try otherTakes.map { table in
        let takes = try OtherTakes(contentsOf: table)
        try takes.check(against: RecordedPair.list(contentsOf: list.pairs, task: list.task))
        return takes
      },
      search: exactOnly ? nil : estimate.method(steps: steps), isPlain: plain,
      speaking: explorer == nil ? nil : try opened.speaking(limit: 24))
  }

  /// Writes what is measured as a file, as a figure and as a page, and prints what it says.
  func conclude(
    _ plan: MapPlan, _ measured: [MeasuredPair], _ coarse: CoarseReport?,
    _ sounds: ExploredSounds?, library: String
  ) throws {
    let (run, rows, columns, asked) = (plan.run, plan.rows, plan.columns, plan.asked)
    let report = try MapReport(
      asked, rows: rows, columns: columns.map(\.name), pairs: run.kept.map(\.pair.id),
      groups: run.pairs.groups, measured, hit: hit)
    let own = measured.reduce(coarse?.cost ?? Cost()) { $0 + $1.cost }
    let cost = run.pairs.cost + own
    var members = run.provenance
    members.merge(report.json) { $1 }
    members["sites"] = .string(sites)
    if let coarse { members["coarse"] = coarse.json(report, plan) }
    members["cost"] = cost.json
    members["map_cost"] = own.json
    try write(.object(members), to: out, printing: list.json)
    if let figure {
      let drawn = mapFigure(
        rows: rows, columns: columns, plan: run.plan,
        labels: run.labels,
        maps: asked.directions.indices.map { (asked.directions[$0], report.recovery($0, metric)) },
        metric: metric, pairs: measured.count)
      let stamp =
        "tap map; pairs \(run.pairs.pairsDigest.prefix(12)); model \(run.pairs.modelDigest.prefix(12))"
      try publish([
        Output(figure) { path in
          let url = URL(fileURLWithPath: path)
          try drawn.write(
            pdf: figure.hasSuffix(".pdf") ? url : nil, svg: figure.hasSuffix(".svg") ? url : nil,
            title: "Causal map", description: "Recovery by site and window.", stamp: stamp)
        }
      ])
    }
    if let explorer, let sounds {
      let page = explored(run, report, asked, rows, columns, measured, sounds)
      try publish([
        Output(
          explorer,
          text: explorer.hasSuffix(".html")
            ? ExplorerPage([(explorer, page)]).html(library: library) : page.compactText + "\n")
      ])
    }
    removeJournal(at: journal(beside: out))
    if !list.json {
      print(run.summary)
      report.printSummary(8, metric, of: coarse?.cells ?? "all of the map")
      coarse?.printText(report, plan)
      print("\n\(cost.text)")
      print("wrote " + ([out] + [figure, explorer].compactMap { $0 }).joined(separator: " and "))
    }
  }
}
