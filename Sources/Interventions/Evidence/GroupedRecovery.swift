// What patching one cell did over many pairs: the ratio of means with its interval over groups, where
// there are groups enough for one.

import Tensor

/// The fewest groups of which an interval or a corrected test is given.
///
/// Of five groups a two-sided sign-flip test cannot reach 5% (2 of 2^5 choices are 6%), and a
/// bootstrap sees too few different samples: from six on the cluster interval of simulated ratios
/// holds the truth about as often as it says.
public let fewestGroups = 6

/// A recovery over pairs, with its 95% cluster interval where there are groups enough.
public struct GroupedRecovery: Sendable, Codable, Equatable {
  /// The mean change over the mean gap, never clipped.
  public let value: Double
  public let pairs: Int
  public let groups: Int
  /// BCa over groups; nil where they are fewer than `fewestGroups`.
  public let interval: Estimate?
}

/// The changes that one patch made, pair by pair, and the gaps that a whole recovery would close.
public struct CellChanges: Sendable, Equatable {
  /// Patched minus base, or minus the control, in the metric's unit.
  public private(set) var changes: [Double] = []
  /// Source minus base.
  public private(set) var gaps: [Double] = []
  public private(set) var groups: [String] = []

  /// Of the pairs that have the cell, and of which the metric was read.
  ///
  /// - Parameters:
  ///   - runs: what both runs of each pair say
  ///   - patched: what each says with the patch; nil where the pair has no such cell
  ///   - control: what each says with the matched control; where given, changes are contrasts with
  ///     it, and pairs that have none are left out
  ///   - groups: the resampling unit of each pair
  public init(
    _ direction: Direction, _ metric: Metric, runs: [(clean: Outcome, corrupt: Outcome)],
    patched: [Outcome?], control: [Outcome?]? = nil, groups: [String]
  ) {
    precondition(runs.count == patched.count && runs.count == groups.count)
    for (i, run) in runs.enumerated() {
      let (base, source) =
        direction == .sufficiency ? (run.corrupt, run.clean) : (run.clean, run.corrupt)
      guard let after = patched[i]?[metric], let b = base[metric], let s = source[metric] else {
        continue
      }
      if let control {
        guard let other = control[i]?[metric] else { continue }
        changes.append(after - other)
      } else {
        changes.append(after - b)
      }
      gaps.append(s - b)
      self.groups.append(groups[i])
    }
  }

  /// The mean change; nil where no pair has the cell.
  public var mean: Double? {
    changes.isEmpty ? nil : changes.reduce(0, +) / Double(changes.count)
  }

  /// The mean gap of those pairs.
  public var meanGap: Double? { gaps.isEmpty ? nil : gaps.reduce(0, +) / Double(gaps.count) }

  /// The ratio of means; nil where no pair has the cell or there is no gap.
  public var recovery: Double? {
    let gap = gaps.reduce(0, +)
    return gap == 0 ? nil : changes.reduce(0, +) / gap
  }

  /// The ratio of means with its interval.
  ///
  /// - Parameter random: split by the names of direction, cell and metric
  public func estimate(draws: Int = 10_000, _ random: Random) -> GroupedRecovery? {
    guard let value = recovery else { return nil }
    let count = Set(groups).count
    guard count >= fewestGroups else {
      return GroupedRecovery(value: value, pairs: gaps.count, groups: count, interval: nil)
    }
    let found = ratioOfMeans(changes, gaps, groups: groups, draws: draws, random)
    return GroupedRecovery(value: value, pairs: gaps.count, groups: count, interval: found)
  }
}
