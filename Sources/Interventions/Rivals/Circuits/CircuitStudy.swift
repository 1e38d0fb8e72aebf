// All orders of one model's parts, and what circuits cut out in these orders say: CPR and CMD by search,
// beside the search's certificate and drawn orders (`paper/definitions.md`, D170).

import Tensor

/// The orders that are compared on one model.
public struct CircuitStudy: Sendable {
  /// What parts are ranked by, beside a learned mask and drawn orders. QK-fix is not among them: it changes
  /// queries and keys alone, and scores outputs as attribution does.
  public static let searches: [CircuitSearch] =
    [
      .attribution, .integratedGradients(steps: 16), .conductance(steps: 16),
      .relevance(freezingPatterns: false), .gradDrop,
    ].map(CircuitSearch.estimate) + [.exact, .movement]
  private static let (attribution, integrated, conductance, exact, movement) = (0, 1, 2, 5, 6)

  /// The searches' names, and the mask's.
  public static let arms = searches.map(\.name) + ["mask"]

  private let scores: [CircuitScores]
  /// Every arm's signed order, every arm's by size, and the drawn ones.
  public let orders: [CircuitOrder]
  private var drawn: [Int] { Array((2 * CircuitStudy.arms.count)..<orders.count) }

  /// - Parameters:
  ///   - scores: by `searches`, of the discovery pairs that enter
  ///   - mask: learned on the same pairs
  ///   - random: for five drawn orders, the control
  /// - Throws: where there is no pair, or one was scored by other searches or on other parts.
  public init(_ scores: [CircuitScores], mask: [Double], _ random: Random) throws {
    let isWhole = scores.allSatisfy {
      $0.scores.count == CircuitStudy.searches.count && $0.costs.count == $0.scores.count
        && $0.scores.allSatisfy { $0.count == mask.count }
    }
    guard !scores.isEmpty, isWhole else {
      throw CellError(
        "scores of \(scores.count) pairs that are not all of \(CircuitStudy.searches.count) searches and "
          + "\(mask.count) parts; score one pair at least, by CircuitStudy.searches")
    }
    self.scores = scores
    let own = [false, true].flatMap { bySize in
      CircuitStudy.searches.enumerated().map {
        CircuitOrder($1.name, by: scores.mean($0), bySize: bySize)
      } + [CircuitOrder("mask", by: mask, bySize: false)]
    }
    orders = own + CircuitOrder.drawn(5, parts: mask.count, random)
  }

  /// How a search's scores agree with the exact effects of the same parts, both in shares of the mean gap;
  /// nil of what estimates no effect.
  public func certificate(of search: Int) throws -> Certificate? {
    guard case .estimate = CircuitStudy.searches[search] else { return nil }
    let gap = scores.reduce(0) { $0 + $1.clean - $1.corrupt } / Double(scores.count)
    return try Certificate(
      of: scores.mean(search).map { $0 / gap },
      against: scores.mean(CircuitStudy.exact).map { $0 / gap },
      searchCost: scores[0].costs[search], threshold: countedEffect)
  }

  /// CPR of the signed order and CMD of that by size of every arm, then of the drawn orders (means).
  public func areas(_ read: [CircuitReading], groups: [String], draws: Int, _ random: Random) -> [(
    arm: String, performance: Estimate, distance: Estimate
  )] {
    func area(_ kind: CircuitArea, _ orders: [Int]) -> Estimate {
      read.area(
        kind, of: orders, groups: groups, draws: draws,
        random.split(kind.rawValue).split("\(orders)"))
    }
    let count = CircuitStudy.arms.count
    return CircuitStudy.arms.enumerated().map { i, arm in
      (arm, area(.performance, [i]), area(.distance, [count + i]))
    } + [("random", area(.performance, drawn), area(.distance, drawn))]
  }

  /// The row of one model. It holds where attribution and integrated gradients each have a higher CPR than
  /// drawn orders and than the order of moves, and integrated gradients than attribution, all by the whole
  /// interval of the paired difference.
  public func row(
    on model: String, _ read: [CircuitReading], groups: [String], draws: Int, _ random: Random
  ) -> RivalRow {
    let areas = areas(read, groups: groups, draws: draws, random)
    let (plain, integrated) = ([CircuitStudy.attribution], [CircuitStudy.integrated])
    let moved = [CircuitStudy.movement]
    let compared = [
      (plain, drawn), (plain, moved), (integrated, drawn), (integrated, moved),
      (integrated, plain),
    ]
    let holds = compared.allSatisfy { one, other in
      read.area(
        .performance, of: one, over: other, groups: groups, draws: draws,
        random.split("\(one) over \(other)")
      ).low > 0
    }
    return RivalRow(
      "MIB", on: model,
      claim: "attribution ranks above drawn orders and moves, integrated gradients first",
      measure: "CPR, the area under faithfulness over the share of heads and MLPs",
      effect: areas[CircuitStudy.integrated].performance, control: areas.last!.performance,
      tap: areas[CircuitStudy.conductance].performance, holds: holds)
  }
}
