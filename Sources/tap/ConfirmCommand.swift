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
      another item, a random direction, other positions. Model, pairs and windows are those of the \
      search unless --pairs names others, such as a split that the search has not seen.

        tap confirm --search build/search.json --top 20 --random 40 --out build/confirm.json
      """)

  @Option(help: "The file that tap search has written.") var search: String
  @Option(help: "Other pairs than the search's.") var pairs: String?
  @Option(help: "How many of the highest-ranked cells.") var top = 50
  @Option(help: "How many of the rest, drawn at random.") var random = 200
  @Option(help: "The seed of the draw and of the random directions.") var seed = 1
  @Flag(help: "Forget what an interrupted run has computed.") var fresh = false
  @Flag(help: "Print JSON.") var json = false
  @Option(help: "The file to write.") var out = "confirm.json"

  func run() throws {
    Runtime.pin()
    guard top >= 0, random >= 0, top + random > 0 else {
      throw ValidationError("--top and --random should not be negative, nor both 0")
    }
    let proposal = try Proposal(contentsOf: search, pairs: pairs, fresh: fresh, json: json)
    let run = try PairRun(proposal.model, proposal.list)
    if let expected = proposal.modelDigest, expected != run.pairs.modelDigest {
      throw CellError("\(search): was made with other files in \(run.opened.folder); search again")
    }
    let model = run.opened.model
    let chosen = proposal.chosen(top: top, random: random, Random(seed: UInt64(seed)).split("draw"))
    let directions = proposal.directions
    let sites = Array(Set(chosen.map(\.row.site)))
    for site in sites { try model.check(site) }
    let items = run.kept.indices.map { PairWithStranger(run.kept[$0], run.stranger(to: $0)) }
    run.warnOfMissingStrangers()
    let directed = Random(seed: UInt64(seed)).split("directions")
    let measured = try resumable(
      "confirm", over: items, key: \.id,
      inputs: run.inputs(["\(top)", "\(random)", "\(seed)", try Digest(ofFile: search).description]
      ),
      journal: journal(beside: out), fresh: fresh
    ) { item in
      try ConfirmedPair(
        item, model, sites, directions, chosen, directed.split(item.pair.pair.id)
      ) { try run.windows(item.pair, $0) }
    }
    let report = ConfirmReport(
      chosen: chosen, top: min(top, chosen.count), directions: directions, measured: measured,
      cells: proposal.cells.count)
    var members = run.provenance
    members.merge(report.json) { $1 }
    members["search"] = .string(search)
    members["search_sha256"] = .string(try Digest(ofFile: search).description)
    members["seed"] = .integer(seed)
    try write(.object(members), to: out, printing: json)
    removeJournal(at: journal(beside: out))
    if !json {
      print(run.summary)
      report.printSummary()
      print("wrote \(out)")
    }
  }
}

/// A cell of a search: its row, the name of its window, and its estimates by direction.
struct ProposedCell: Sendable {
  let row: GridRow
  let column: String
  /// Mean size over pairs, the larger of both directions.
  let rank: Double
  /// Mean signed estimate by direction.
  let estimates: [Double?]

  var name: String { "\(row)@\(column)" }
}

/// What a search file proposes.
struct Proposal {
  let model: ModelOptions
  let list: PairListOptions
  let modelDigest: String?
  let directions: [Direction]
  /// The strongest first.
  let cells: [ProposedCell]

  init(contentsOf path: String, pairs: String?, fresh: Bool, json: Bool) throws {
    let file = try readJSON(path)
    do {
      var model = try ModelOptions.parse(["--model", try file.string("model")])
      model.chat = try file.bool("chat")
      model.language = try file.string("language")
      model.translate = try file.bool("translate")
      self.model = model
      var list = try PairListOptions.parse(["--pairs", try pairs ?? file.string("pairs")])
      list.alignment = AlignmentChoice(rawValue: try file.string("alignment")) ?? .automatic
      list.windows = try file.string("windows")
      list.text = try file.int("text")
      list.minimumGap = try file.double("minimum_gap")
      list.limit = pairs == nil ? file["limit"]?.int : nil
      (list.fresh, list.json) = (fresh, json)
      self.list = list
      modelDigest = file["model_sha256"]?.string
      let rows = try file.array("rows").map { entry -> GridRow in
        let cell = try Interventions.Cell(entry.string ?? "")
        return GridRow(cell.site, cell.index)
      }
      let columns = try file.array("columns").map { $0.string ?? "" }
      directions = Direction.allCases.filter { file[$0.rawValue] != nil }
      func table(_ direction: Direction, _ name: String) throws -> [[Double?]] {
        let values = try file.object(direction.rawValue)[name]?.elements?.map {
          $0.elements?.map(\.double) ?? []
        }
        guard let values, values.count == rows.count,
          values.allSatisfy({ $0.count == columns.count })
        else { throw JSONError("\"\(name)\" should have \(rows.count) rows") }
        return values
      }
      let sizes = try directions.map { try table($0, "absolute") }
      let signed = try directions.map { try table($0, "signed") }
      var cells: [ProposedCell] = []
      for (r, row) in rows.enumerated() {
        for (c, column) in columns.enumerated() {
          guard let rank = sizes.compactMap({ $0[r][c] }).max() else { continue }
          cells.append(
            ProposedCell(row: row, column: column, rank: rank, estimates: signed.map { $0[r][c] }))
        }
      }
      // Ties keep the order of the file.
      self.cells = cells.enumerated()
        .sorted { ($0.element.rank, $1.offset) > ($1.element.rank, $0.offset) }.map(\.element)
    } catch { throw CellError("\(path): \(error); make the file with tap search") }
  }

  /// The first so many, and a random sample of the rest.
  func chosen(top: Int, random count: Int, _ random: Random) -> [ProposedCell] {
    let first = cells.prefix(top)
    var random = random
    let rest = Array(cells.dropFirst(top))
    let drawn = random.permutation(rest.count).prefix(count).sorted()
    return first + drawn.map { rest[$0] }
  }
}

/// Exact effects of the chosen cells in one pair, with their controls.
struct ConfirmedPair: Codable, Sendable {
  let clean: Outcome
  let corrupt: Outcome
  /// By direction and cell; nil where the pair has no such cell.
  let patched: [[Outcome?]]
  /// By control, direction and cell.
  let controls: [[[Outcome?]]]
  let cost: Cost

  init(
    _ item: PairWithStranger, _ model: any SpeechLanguageModel, _ sites: [Site],
    _ directions: [Direction], _ chosen: [ProposedCell], _ random: Random,
    windows: (Direction) throws -> [GridWindow]
  ) throws {
    let pair = item.pair
    var runs = 2.0
    var patched: [[Outcome?]] = []
    var controls: [[[Outcome?]]] = MatchedControl.allCases.map { _ in [] }
    let cleanRun = try model.trace(pair.clean, keeping: sites)
    let corruptRun = try model.trace(pair.corrupt, keeping: sites)
    var (_, cost) = try Cost.timed {
      for direction in directions {
        let (base, source) =
          direction == .sufficiency ? (corruptRun, cleanRun) : (cleanRun, corruptRun)
        let joined = try pair.alignment(direction)
        let own = Dictionary(
          uniqueKeysWithValues: try windows(direction).map { ($0.name, $0.window) })
        let selections = try chosen.map { cell in
          try own[cell.column].flatMap {
            try Selection(
              Interventions.Cell(cell.row.site, index: cell.row.index, $0), base: base,
              source: source, joined)
          }
        }
        let stranger = try item.stranger.map { other in
          let run = try model.trace(other.source(direction), keeping: sites)
          return (
            run,
            try AlignmentChoice.automatic.alignment(
              base: base.question.clip, source: run.question.clip, segments: nil)
          )
        }
        func outcomes(_ patch: (Int, Selection) throws -> Patch?) throws -> [Outcome?] {
          let patches = try selections.enumerated().map { i, selection in
            try selection.flatMap { try patch(i, $0) }
          }
          let found = try model.patched(
            base, patches.compactMap { $0.map { [$0] } }, reference: cleanRun)
          runs += Double(found.count)
          var next = found[...]
          return patches.map { $0 == nil ? nil : next.removeFirst() }
        }
        patched.append(try outcomes { $1.patch() })
        for (k, kind) in MatchedControl.allCases.enumerated() {
          let draw = random.split(direction.rawValue).split(kind.rawValue)
          controls[k].append(
            try outcomes { i, selection in
              try model.control(
                kind, of: selection, base: base, source: source, stranger: stranger,
                draw.split(chosen[i].name))
            })
        }
      }
    }
    cost.forwards = runs
    clean = cleanRun.question.outcome(cleanRun.logits, reference: cleanRun.logits)
    corrupt = cleanRun.question.outcome(corruptRun.logits, reference: cleanRun.logits)
    (self.patched, self.controls, self.cost) = (patched, controls, cost)
  }
}

/// Confirmed effects over all pairs.
struct ConfirmReport {
  let chosen: [ProposedCell]
  let top: Int
  let directions: [Direction]
  let measured: [ConfirmedPair]
  /// How many cells the search has ranked.
  let cells: Int

  private func recovery(
    _ d: Int, _ cell: Int, _ metric: Metric, _ values: (ConfirmedPair) -> [[Outcome?]]
  ) -> Double? {
    var (effect, gap) = (0.0, 0.0)
    for pair in measured {
      let (base, source) =
        directions[d] == .sufficiency ? (pair.corrupt, pair.clean) : (pair.clean, pair.corrupt)
      guard let after = values(pair)[d][cell]?[metric], let b = base[metric], let s = source[metric]
      else { continue }
      effect += after - b
      gap += s - b
    }
    return gap == 0 ? nil : effect / gap
  }

  /// The mean exact change of the logit difference, in nats, to compare with estimates.
  private func effect(_ d: Int, _ cell: Int) -> Double? {
    let changes = measured.compactMap { pair in
      pair.patched[d][cell].map {
        $0.logitDifference
          - (directions[d] == .sufficiency ? pair.corrupt : pair.clean).logitDifference
      }
    }
    return changes.isEmpty ? nil : changes.reduce(0, +) / Double(changes.count)
  }

  /// Estimates and exact effects of the cells that have both, in nats.
  private func compared(_ d: Int) -> (estimates: [Double], effects: [Double]) {
    let both = chosen.indices.compactMap { cell -> (Double, Double)? in
      guard let estimate = chosen[cell].estimates[d], let exact = effect(d, cell) else {
        return nil
      }
      return (estimate, exact)
    }
    return (both.map(\.0), both.map(\.1))
  }

  var json: [String: JSON] {
    var members: [String: JSON] = [
      "cells_ranked": .integer(cells), "top": .integer(top),
      "random": .integer(chosen.count - top),
    ]
    for (d, direction) in directions.enumerated() {
      let (estimates, effects) = compared(d)
      members[direction.rawValue] = [
        "pearson": .number(pearson(estimates, effects)),
        "spearman": .number(spearman(estimates, effects)),
        "cells": .array(
          chosen.indices.map { cell in
            var entry: [String: JSON] = [
              "cell": .string(chosen[cell].name), "proposed": .bool(cell < top),
              "estimate": chosen[cell].estimates[d].map { .number($0) } ?? .null,
              "effect": effect(d, cell).map { .number($0) } ?? .null,
              "recovery": recoveries(d, cell, \.patched),
            ]
            for (k, kind) in MatchedControl.allCases.enumerated() {
              entry[kind.rawValue] = recoveries(d, cell) { $0.controls[k] }
            }
            return .object(entry)
          }),
      ]
    }
    members["cost"] = measured.reduce(Cost()) { $0 + $1.cost }.json
    return members
  }

  private func recoveries(
    _ d: Int, _ cell: Int, _ values: (ConfirmedPair) -> [[Outcome?]]
  ) -> JSON {
    .object(
      Metric.allCases.reduce(into: [:]) { all, metric in
        if let value = recovery(d, cell, metric, values) { all[metric.rawValue] = .number(value) }
      })
  }

  func printSummary() {
    for (d, direction) in directions.enumerated() {
      let (estimates, effects) = compared(d)
      print(
        "\n\(direction.rawValue): "
          + String(
            format: "estimates against exact effects of %d cells: Pearson %.3f, Spearman %.3f",
            effects.count, pearson(estimates, effects), spearman(estimates, effects)))
      print("recovery  wrong item  random dir.  sham      cell (logit difference)")
      func share(_ value: Double?) -> String {
        value.map { String(format: "%8.4f", $0) } ?? "       -"
      }
      for cell in chosen.indices.prefix(min(top, 10)) {
        let controls = MatchedControl.allCases.indices.map { k in
          share(recovery(d, cell, .logitDifference) { $0.controls[k] })
        }
        print(
          share(recovery(d, cell, .logitDifference, \.patched)) + "    "
            + controls.joined(separator: "   ") + "   " + chosen[cell].name)
      }
      let rest = chosen.indices.dropFirst(top).compactMap {
        recovery(d, $0, .logitDifference, \.patched)
      }
      if let largest = rest.map({ abs($0) }).max() {
        print(
          String(
            format: "largest recovery among %d cells drawn from the rest: %.4f", rest.count, largest
          ))
      }
    }
  }
}
