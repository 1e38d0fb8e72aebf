// What `tap confirm` measures on one pair: each chosen cell patched exactly, with its controls.

import Interventions
import Speech
import Tensor

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
        let stranger = try item.strangerRun(direction, into: base, model, sites)
        if stranger != nil { runs += 1 }
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
