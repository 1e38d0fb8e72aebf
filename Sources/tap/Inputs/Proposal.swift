// What a search proposes to confirm: its cells in the order of their estimates, as `tap search` has
// stored them, and what it was run on.

import Foundation
import Interventions
import JSON
import Speech
import Tensor

/// What is confirmed on, where that is other than what was searched.
struct ConfirmedOn {
  let pairs: String?
  let split: String?
  let corruption: String?
  let rules: RuleOptions
  let strict: StrictOption
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
  /// Of the list and of the recordings that were searched, where the same are confirmed on.
  let pairsDigest: String?
  let recordingsDigest: String?
  let directions: [Direction]
  /// Whether the estimates have a sign.
  let isSigned: Bool
  /// Forward passes that the search took for a pair in one direction; a backward pass counts as two.
  let cost: Double
  /// The strongest first.
  let cells: [ProposedCell]

  /// - Parameters:
  ///   - path: the file that tap search has written
  ///   - changed: what is confirmed on, where that is other than what was searched
  init(contentsOf path: String, _ changed: ConfirmedOn) throws {
    let file = try readJSON(path)
    do {
      var model = try ModelOptions.parse(["--model", try file.string("model")])
      model.chat = try file.bool("chat")
      model.language = file["language"]?.string
      model.translate = try file.bool("translate")
      model.strict = changed.strict
      self.model = model
      var list = try PairListOptions.parse([
        "--pairs", try changed.pairs ?? file.string("pairs"),
      ])
      // A list says its own prompts; of any manifest the same is asked as in the search.
      let isList = try changed.pairs.map { try readJSON($0)["utterances"] == nil } ?? false
      if let name = file["task"]?.string, !isList {
        guard let task = SpokenTask(rawValue: name) else {
          throw JSONError("\"task\" should be answer, transcription or translation")
        }
        list.task = task
      }
      list.alignment = AlignmentChoice(rawValue: try file.string("alignment")) ?? .automatic
      list.windows = try file.string("windows")
      list.text = try file.int("text")
      list.corruption = try changed.corruption ?? file.string("corruption")
      _ = try Corruption(list.corruption)
      list.rules = changed.rules
      if changed.rules.minimumGap == nil, changed.rules.preregistration == nil {
        list.rules.minimumGap = try file.double("minimum_gap")
      }
      let isSame = changed.pairs == nil && changed.split == nil
      list.limit = isSame ? file["limit"]?.int : nil
      list.split = isSame ? file["split"]?.string : changed.split
      self.list = list
      isSigned = try file.string("method") != SearchMethod.gradDrop.name
      modelDigest = file["model_sha256"]?.string
      pairsDigest = isSame ? file["pairs_sha256"]?.string : nil
      recordingsDigest = isSame ? file["recordings_sha256"]?.string : nil
      let rows = try file.array("rows").map { entry -> GridRow in
        let cell = try Interventions.Cell(entry.string ?? "")
        return GridRow(cell.site, cell.index)
      }
      let columns = try file.array("columns").map { $0.string ?? "" }
      directions = Direction.allCases.filter { file[$0.rawValue] != nil }
      let spent = try file.object("search_cost")
      let runs = try Double(file.array("pairs_kept").count * max(directions.count, 1))
      cost = ((spent["forwards"]?.double ?? 0) + 2 * (spent["backwards"]?.double ?? 0)) / runs
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

  /// - Throws: where what is confirmed on has changed since the search, and nobody said that it should be other.
  func checkSame(_ found: String, _ what: String, _ expected: String?, in search: String) throws {
    guard let expected, expected != found else { return }
    throw CellError(
      "\(search): since the search \(what) changed, so that its estimates are of others; search again, or name "
        + "what to confirm on with --pairs")
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
