// What the members of minimal pairs are scrubbed with, and the trials that stand beside a hypothesis on
// the changed window: each half of it alone, and two that must fail (`paper/definitions.md`, D84, D121).

import Corpus
import JSON
import Speech
import Tensor

extension SpeechModel {
  /// Each member of the pairs once, asked for its own answer against its pair's other.
  ///
  /// - Parameters:
  ///   - site: where hypotheses cut, whose activations are kept
  ///   - root: the folder below which the recordings lie
  public func scrubItems(_ pairs: [MinimalPair], at site: Site, root: String) throws -> [ScrubItem]
  {
    try mapInParallel(2 * pairs.count) { i -> ScrubItem in
      let (pair, isClean) = (pairs[i / 2], i % 2 == 0)
      let questions = try questions(for: pair, root: root)
      let asked = isClean ? questions.clean : questions.corrupt
      let own = isClean ? asked.answers : asked.answers.swapped
      return ScrubItem(
        id: isClean ? pair.clean.id : pair.corrupt.id, group: pair.group, stratum: pair.prompt,
        features: ["answer": isClean ? pair.answers.clean : pair.answers.corrupt],
        trace: try model.trace(Question(asked.input, own)).reduced(to: [site]),
        changed: pair.changed)
    }
  }
}

extension Array where Element == ScrubItem {
  /// The same items with the features of another of their stratum.
  public func shufflingFeatures(_ random: Random) -> [ScrubItem] {
    var features = map(\.features)
    let strata = Dictionary(grouping: indices, by: { self[$0].stratum })
    for (name, members) in strata {
      var stream = random.split(name)
      let order = stream.permutation(members.count)
      for (i, other) in zip(members, order) { features[i] = self[members[other]].features }
    }
    return zip(self, features).map { item, features in
      ScrubItem(
        id: item.id, group: item.group, stratum: item.stratum, features: features,
        trace: item.trace, changed: item.changed)
    }
  }
}

/// A hypothesis on the changed window, and what stands beside it.
public enum WindowTrial: String, Codable, Sendable, CaseIterable {
  /// The window from another recording with the same answer, all else from any.
  case hypothesis
  /// The window is the reference's own, all else from any recording: the unimportant is resampled.
  case unimportant
  /// The window from any recording, all else the reference's own: the important is changed.
  case important
  /// The hypothesis on as long a stretch elsewhere.
  case elsewhere
  /// The hypothesis with answers shuffled among recordings.
  case shuffled

  /// - Parameters:
  ///   - site: the cut
  ///   - window: follows the changed phone
  public func hypothesis(at site: Site, _ window: PairWindow) throws -> Hypothesis {
    let (own, others): (DonorSampler, DonorSampler) =
      switch self {
      case .hypothesis, .elsewhere, .shuffled: (.other, .any)
      case .unimportant: (.exact, .any)
      case .important: (.any, .exact)
      }
    let hypothesis = try Hypothesis([
      "name": .string(rawValue), "others": .string(others.rawValue),
      "parents": [
        [
          "site": .string("\(site)"), "window": .string("\(window)"), "feature": "answer",
          "sampler": .string(own.rawValue),
        ]
      ],
    ])
    return self == .elsewhere ? hypothesis.elsewhere : hypothesis
  }

  /// Scrubs the items.
  ///
  /// - Parameter random: the same draws in all trials, as far as they can be
  public func run(
    _ model: any SpeechLanguageModel, _ items: [ScrubItem], at site: Site, _ window: PairWindow,
    draws: Int, _ random: Random
  ) throws -> [ScrubbedItem] {
    let items = self == .shuffled ? items.shufflingFeatures(random.split("shuffled")) : items
    return try Scrubbing(model, items, hypothesis(at: site, window), draws: draws)
      .run(random.split("draws"))
  }
}
