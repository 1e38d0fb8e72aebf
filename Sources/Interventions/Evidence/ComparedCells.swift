// Which cells a certificate compares, from the maps of pairs (`paper/definitions.md`, D41).

import Tensor

/// The estimates and exact effects of the cells that count, pair by pair.
public struct ComparedCells: Sendable {
  /// By pair and cell; nil where the pair lacks one of the two, and in cells that are left out.
  public let estimates: [[Double?]]
  public let effects: [[Double?]]
  /// Cells whose exact effect is zero to the bit in every pair that has them. They are so by structure:
  /// no search can find them, and they would only make a certificate look better or worse.
  public let zeros: Set<Int>

  /// - Parameters:
  ///   - estimates: by pair and cell, nil where the pair has no such cell
  ///   - effects: exact ones, alike and in the same unit
  public init(estimates: [[Double?]], effects: [[Double?]]) {
    precondition(estimates.count == effects.count, "estimates and effects of different pairs")
    let cells = (effects.first ?? []).indices
    let zeros = Set(
      cells.filter { cell in
        let present = effects.compactMap { $0[cell] }
        return !present.isEmpty && present.allSatisfy { $0 == 0 }
      })
    func compared(_ own: [[Double?]], _ other: [[Double?]]) -> [[Double?]] {
      zip(own, other).map { own, other in
        cells.map { zeros.contains($0) || other[$0] == nil ? nil : own[$0] }
      }
    }
    self.estimates = compared(estimates, effects)
    self.effects = compared(effects, estimates)
    self.zeros = zeros
  }

  /// The mean effect of each cell over the pairs that have it; nil where none does.
  public var meanEffects: [Double?] { means(effects) }

  private func means(_ pairs: [[Double?]]) -> [Double?] {
    (pairs.first ?? []).indices.map { cell in
      let present = pairs.compactMap { $0[cell] }
      return present.isEmpty ? nil : present.reduce(0, +) / Double(present.count)
    }
  }

  /// The certificate of the means over pairs, with intervals over groups of pairs.
  ///
  /// - Parameters:
  ///   - groups: the resampling unit of each pair; nil where there are too few for an interval
  ///   - searchCost: forward passes that the search took for a pair
  ///   - threshold: the size from which an effect counts, in the effects' unit
  /// - Throws: where fewer than two cells count, or a number is not finite.
  public func certificate(
    groups: [String]?, searchCost: Double, threshold: Double, missed: MissedCells? = nil,
    draws: Int = 2_000, _ random: Random
  ) throws -> Certificate {
    try Certificate(
      of: means(estimates), against: meanEffects, searchCost: searchCost, threshold: threshold,
      intervals: groups.map {
        correlations(estimates, effects, groups: $0, draws: draws, random)
      }, missed: missed)
  }
}
