// What the readings of single choice add up to: shares right with their intervals over groups, position
// bias, and the two scores of the text (`paper/definitions.md`, D169).

import Tensor

/// Single choice over some items.
public struct ChoiceSummary: Codable, Sendable {
  /// The share right by the mean log-probability of each option over its permutations, of the items' own
  /// recordings and of unrelated ones, and of the first less the second.
  public let letters: Estimate
  public let unrelated: Estimate
  public let excess: Estimate
  /// The share right in the order of the file alone, as AIR-Bench asks, of both recordings.
  public let inOrder: Estimate
  public let unrelatedInOrder: Estimate
  /// The share right over single permutations.
  public let single: Estimate
  /// The share of pairs of permutations that choose the same option.
  public let agreement: Estimate
  /// How often each letter is chosen, over all permutations.
  public let byLetter: [Double]
  /// The probability that the answer begins with a letter.
  public let mass: Double
  /// The share right by the options' own words, where all items have them.
  public let words: Estimate?
  public let unrelatedWords: Estimate?
  /// The scores of the text that the model wrote, and the published less the strict one.
  public let text: TextScores
  public let textExcess: Estimate?

  /// Whether the option letters say more of the own recording than of an unrelated one: by all of the
  /// interval above all of the control's.
  public var holds: Bool { letters.low > unrelated.high }

  /// - Parameters:
  ///   - readings: one for each item
  ///   - groups: the independent unit of each, sentence by speaker
  /// - Throws: where there are no items, or not one reading and one group for each.
  public init(
    _ items: [AirBenchItem], _ readings: [ChoiceReading], groups: [String], draws: Int = 10_000,
    _ random: Random
  ) throws {
    guard !items.isEmpty, items.count == readings.count, items.count == groups.count else {
      throw CellError(
        "there are \(items.count) items, \(readings.count) readings and \(groups.count) groups; "
          + "give one reading and one group for each item, and at least one item")
    }
    let all = Array(zip(items, readings))
    func share(_ name: String, _ value: (AirBenchItem, ChoiceReading) -> Double) -> Estimate {
      let found = ratioOfMeans(
        all.map { value($0, $1) }, all.map { _ in 1 }, groups: groups, draws: draws,
        random.split(name))
      return found.bounded(groups)
    }
    letters = share("letters") { $1.heard.credit($0.answer) }
    unrelated = share("unrelated") { $1.unrelated.credit($0.answer) }
    excess = ratioOfMeans(
      all.map { $1.heard.credit($0.answer) - $1.unrelated.credit($0.answer) },
      all.map { _ in 1 }, groups: groups, draws: draws, random.split("excess"))
    inOrder = share("in order") { $1.heard.credit($0.answer, permutation: 0) }
    unrelatedInOrder = share("unrelated in order") {
      $1.unrelated.credit($0.answer, permutation: 0)
    }
    single = share("single") { item, reading in
      let count = item.options.count
      return (0..<count).reduce(0.0) {
        $0 + reading.heard.credit(item.answer, permutation: $1)
      } / Double(count)
    }
    agreement = share("agreement") { $1.heard.agreement }
    let chosen = readings.flatMap(\.heard.letters)
    byLetter = AirBenchItem.letters.indices.map { letter in
      Double(chosen.count { $0 == letter }) / Double(chosen.count)
    }
    mass = readings.map(\.heard.mass).reduce(0, +) / Double(readings.count)
    let hasWords = readings.allSatisfy { $0.words != nil && $0.unrelatedWords != nil }
    words = hasWords ? share("words") { chosenCredit($1.words!, $0.answer) } : nil
    unrelatedWords =
      hasWords ? share("unrelated words") { chosenCredit($1.unrelatedWords!, $0.answer) } : nil
    let answers = all.map { (item: $0, response: String?($1.said)) }
    text = TextScores(answers)
    textExcess = TextScores.excess(answers, groups: groups, draws: draws, random.split("text"))
  }
}

extension Estimate {
  /// Where a share is none or all, draws have no width, and the bounds are exact (Clopper and Pearson),
  /// over groups.
  func bounded(_ groups: [String]) -> Estimate {
    guard value == 0 || value == 1 else { return self }
    let count = Set(groups).count
    return clopperPearson(value == 0 ? 0 : count, of: count)
  }
}
