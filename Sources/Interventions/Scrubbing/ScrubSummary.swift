// What scrubbing says of a hypothesis: loss recovered with an interval over references and draws, and
// how far single items agree, since losses that rise for some and fall for others cancel in a mean
// (Scheurer et al., 2023).

import Tensor

/// A number with its 95% interval and the measures of single items.
public struct ScrubSummary: Sendable, Codable {
  /// (L_random - L_scrubbed) / (L_random - L_model), of the logit difference and of -log p(answer):
  /// 1 where nothing is lost, 0 where as much as when every activation comes from any run.
  public let recovered: Estimate
  public let lossRecovered: Estimate
  /// Mean |scrubbed - model| of the logit difference over items and draws, in nats.
  public let meanChange: Double
  /// Mean D_KL(model || scrubbed) over the next token, in nats.
  public let divergence: Double
  /// How the model's and the mean scrubbed logit difference correlate over items; NaN where either
  /// does not vary.
  public let correlation: Double
  /// The share of items and draws whose preferred answer is not the model's.
  public let flipped: Double
  public let items: Int
  public let draws: Int
}

extension ScrubSummary {
  /// - Parameters:
  ///   - items: at least one
  ///   - bootstrap: how often groups and draws are drawn for the intervals
  public init(_ items: [ScrubbedItem], bootstrap: Int = 10_000, _ random: Random) {
    recovered = twoLevelRecovery(
      items.map { LossDraws($0.group, -$0.model, $0.scrubbed.map(-), $0.random.map(-)) },
      draws: bootstrap, random.split("difference"))
    lossRecovered = twoLevelRecovery(
      items.map { LossDraws($0.group, $0.modelLoss, $0.scrubbedLosses, $0.randomLosses) },
      draws: bootstrap, random.split("loss"))
    let count = Double(items.reduce(0) { $0 + $1.scrubbed.count })
    func mean(_ value: (ScrubbedItem, Int) -> Double) -> Double {
      items.reduce(0.0) { sum, item in
        item.scrubbed.indices.reduce(sum) { $0 + value(item, $1) }
      } / count
    }
    meanChange = mean { abs($0.scrubbed[$1] - $0.model) }
    divergence = mean { $0.divergences[$1] }
    flipped = mean { ($0.scrubbed[$1] > 0) == ($0.model > 0) ? 0 : 1 }
    correlation = pearson(
      items.map(\.model),
      items.map { $0.scrubbed.reduce(0, +) / Double($0.scrubbed.count) })
    self.items = items.count
    draws = items.first?.scrubbed.count ?? 0
  }
}

/// The losses of one reference.
public struct LossDraws: Sendable {
  public let group: String
  public let model: Double
  public let scrubbed: [Double]
  public let random: [Double]

  public init(_ group: String, _ model: Double, _ scrubbed: [Double], _ random: [Double]) {
    (self.group, self.model, self.scrubbed, self.random) = (group, model, scrubbed, random)
  }
}

/// (L_random - L_scrubbed) / (L_random - L_model) with a 95% percentile interval at two levels: groups
/// of references are drawn with replacement, and for each drawn reference as many of its draws.
public func twoLevelRecovery(_ items: [LossDraws], draws: Int, _ random: Random) -> Estimate {
  let byGroup = Dictionary(grouping: items, by: \.group)
  // In order of name, so that nothing depends on the order of items.
  let groups = byGroup.keys.sorted().map { byGroup[$0]! }
  func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
  let randomMeans = groups.map { $0.map { mean($0.random) } }
  var (above, gap) = (0.0, 0.0)
  for (g, group) in groups.enumerated() {
    for (i, item) in group.enumerated() {
      above += randomMeans[g][i] - mean(item.scrubbed)
      gap += randomMeans[g][i] - item.model
    }
  }
  guard groups.count > 1 else {
    return Estimate(value: above / gap, low: -.infinity, high: .infinity)
  }
  var random = random
  var sample = (0..<draws).map { _ -> Double in
    var (above, gap) = (0.0, 0.0)
    for _ in groups {
      let g = random.below(groups.count)
      for (i, item) in groups[g].enumerated() {
        var sum = 0.0
        for _ in item.scrubbed { sum += item.scrubbed[random.below(item.scrubbed.count)] }
        above += randomMeans[g][i] - sum / Double(item.scrubbed.count)
        gap += randomMeans[g][i] - item.model
      }
    }
    return above / gap
  }
  sample.sort()
  func bound(_ share: Double) -> Double {
    sample[min(max(Int(share * Double(draws)), 0), draws - 1)]
  }
  return Estimate(value: above / gap, low: bound(0.025), high: bound(0.975))
}
