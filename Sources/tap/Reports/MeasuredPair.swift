// What `tap map` measures on one pair: every cell patched exactly, its controls, and where wanted an
// estimate of every cell beside it.

import Interventions
import Speech
import Tensor

/// What a map consists of.
struct MapRequest: Sendable, CustomStringConvertible {
  let directions: [Direction]
  let sites: [Site]
  /// Patch also from another item, as far as the real patch goes.
  let wrongItem: Bool
  /// Patch also from the base run's own recording, so many milliseconds later.
  let shift: Double?
  /// Patch also with boundaries moved by up to so many milliseconds.
  let jitter: Double?
  /// Patch also from other takes of what base runs say.
  let otherTakes: OtherTakes?
  /// How cells are estimated beside the map.
  let search: SearchMethod?
  /// Whether the model runs from the sound on for every cell.
  let isPlain: Bool
  /// How the model says what it says with each cell patched; nil where it is not asked.
  var speaking: GenerationConfig?

  /// The names of the controls.
  var controls: [String] {
    (wrongItem ? [MatchedControl.wrongItem.rawValue] : [])
      + (shift == nil ? [] : ["shift"]) + (jitter == nil ? [] : ["jitter"])
      + (otherTakes == nil ? [] : ["other-take"])
  }

  var description: String {
    let values = [shift ?? 0, jitter ?? 0].map { "\($0)" }
    return
      ([directions.map(\.rawValue), controls, values].flatMap { $0 }
      + [otherTakes?.digest.description ?? "", search.map { "\($0)" } ?? "", "\(isPlain)"]
      + (speaking == nil ? [] : ["speaking"]))
      .joined(separator: " ")
  }
}

/// What the model says to one pair's question.
struct SpokenCells: Codable, Sendable {
  let clean: String
  let corrupt: String
  /// With each cell patched, by direction, row and column; nil where there is no such cell, or the patch
  /// does not act at the prompt.
  var patched: [[[String?]]] = []
}

/// Exact effects of one pair, or of one share of its cells.
struct MeasuredPair: Codable, Sendable {
  let clean: Outcome
  let corrupt: Outcome
  /// By direction, row and column; nil where the site has no position in the window.
  let patched: [[[Outcome?]]]
  /// By control; nil also where the cell has no such control.
  let controls: [String: [[[Outcome?]]]]
  /// Estimates of the change of the logit difference; empty where none were wanted or another share has them.
  let estimates: [[[Double?]]]
  /// Nil where it was not asked.
  let spoken: SpokenCells?
  let alignments: [String]
  let alignmentCosts: [Double?]
  let searchCost: Cost
  let cost: Cost
}

extension MeasuredPair {
  /// - Parameters:
  ///   - share: which cells are patched, and whether the pair's own runs are counted here
  ///   - cells: the cells of a direction, by row and column
  init(
    _ item: PairWithStranger, _ opened: OpenedModel, _ asked: MapRequest,
    _ share: PairShare = .whole, cells: (Direction) throws -> [[Interventions.Cell?]]
  ) throws {
    let (model, pair) = (opened.model, item.pair)
    // Runs that every share of the pair needs are counted in one of them.
    let shared = share.hasRuns ? 1.0 : 0
    var runs = 2 * shared
    var patched: [[[Outcome?]]] = []
    var controls: [String: [[[Outcome?]]]] = [:]
    var estimates: [[[Double?]]] = []
    var (alignments, costs): ([String], [Double?]) = ([], [])
    var searchCost = Cost()
    let (members, tracing) = try Cost.timed {
      try mapInParallel(2) {
        try model.trace($0 == 0 ? pair.clean : pair.corrupt, keeping: asked.sites)
      }
    }
    let (cleanRun, corruptRun) = (members[0], members[1])
    func said(_ base: Trace, _ patch: Patch? = nil) throws -> String? {
      guard let config = asked.speaking else { return nil }
      runs += 1
      return opened.text(
        try model.generate(base, patch.map { [$0] } ?? [], config).tokens)
    }
    var spoken =
      share.hasRuns
      ? try said(cleanRun).flatMap { clean in
        try said(corruptRun).map { SpokenCells(clean: clean, corrupt: $0) }
      } : asked.speaking.map { _ in SpokenCells(clean: "", corrupt: "") }
    var (_, cost) = try Cost.timed {
      for direction in asked.directions {
        let (base, source) =
          direction == .sufficiency ? (corruptRun, cleanRun) : (cleanRun, corruptRun)
        let joined = try pair.alignment(direction)
        alignments.append(joined.name)
        costs.append(joined.cost)
        let grid = try cells(direction)
        let own = share.own(grid)
        func selections(_ source: Trace, _ joined: Alignment) throws -> [[Selection?]] {
          try own.map { row in
            try row.map { try $0.flatMap { try Selection($0, base: base, source: source, joined) } }
          }
        }
        func outcomes(_ patches: [[Patch?]]) throws -> [[Outcome?]] {
          let found = try model.patched(
            base, patches.flatMap { $0.compactMap { $0.map { [$0] } } }, reference: cleanRun,
            resuming: !asked.isPlain)
          runs += Double(found.count)
          var next = found[...]
          return patches.map { $0.map { $0 == nil ? nil : next.removeFirst() } }
        }
        let real = try selections(source, joined)
        patched.append(try outcomes(real.map { $0.map { $0?.patch() } }))
        if spoken != nil {
          spoken!.patched.append(
            try real.map {
              try $0.map { cell in
                guard let patch = cell?.patch(), model.isOfPrompt(patch, in: base) else {
                  return nil
                }
                return try said(base, patch)
              }
            })
        }
        for name in asked.controls {
          let patches: [[Patch?]]
          switch name {
          case "shift":
            let later = try model.trace(
              pair.delayed(direction, by: asked.shift!, opened), keeping: asked.sites)
            runs += shared
            patches = try selections(later, .shift(by: asked.shift!)).map {
              $0.map { $0?.patch() }
            }
          case "jitter":
            patches =
              try pair.jittered(direction, by: asked.jitter!).map {
                try selections(source, $0).map { $0.map { $0?.patch() } }
              } ?? real.map { $0.map { _ in nil } }
          case "other-take":
            let take = try asked.otherTakes!.question(pair, direction, opened).map {
              try model.trace($0, keeping: asked.sites)
            }
            if take != nil { runs += shared }
            patches =
              try take.map { take in
                let along = try AlignmentChoice.automatic.alignment(
                  base: base.question.clip, source: take.question.clip, segments: nil)
                return try selections(take, along).map { $0.map { $0?.patch() } }
              } ?? real.map { $0.map { _ in nil } }
          default:
            let stranger = try item.strangerRun(direction, into: base, model, asked.sites)
            if stranger != nil { runs += shared }
            patches = try real.map {
              try $0.map {
                try $0.flatMap {
                  try model.control(
                    .wrongItem, of: $0, base: base, source: source, stranger: stranger,
                    Random(seed: 1))
                }
              }
            }
          }
          controls[name, default: []].append(try outcomes(patches))
        }
        if let method = asked.search, share.hasRuns {
          var options = SearchOptions(method, sites: asked.sites)
          options.alignment = joined
          let found: SearchResult
          do {
            found = try model.search(
              base: pair.base(direction), source: pair.source(direction), options)
          } catch { throw CellError("\(error); --exact-only leaves the estimate out") }
          searchCost = searchCost + found.cost
          estimates.append(
            grid.map {
              $0.map { cell in
                cell.flatMap { found.scores[$0.site]!.score($0.window, index: $0.index) }
              }
            })
        }
      }
    }
    cost = cost + tracing
    cost.forwards = runs + searchCost.forwards
    cost.backwards = searchCost.backwards
    let question = cleanRun.question
    clean = question.outcome(cleanRun.logits, reference: cleanRun.logits)
    corrupt = question.outcome(corruptRun.logits, reference: cleanRun.logits)
    (self.patched, self.controls, self.estimates) = (patched, controls, estimates)
    self.spoken = spoken
    (self.alignments, alignmentCosts) = (alignments, costs)
    (self.searchCost, self.cost) = (searchCost, cost)
  }
}
