// The pairs of several kinds that experiments on published models are run on: those of the suite, of
// voices never heard in training, and strings of digits that people recorded.

import Corpus
import Interventions
import Notebook

/// The pairs of one kind, taken by count and not by result.
public struct Material: Sendable {
  public let name: String
  /// All pairs of the kind.
  public let suite: PairSuite
  /// Those that are taken.
  public let pairs: [MinimalPair]
}

extension Notebook {
  /// The three kinds, in the order synthetic, never-heard, people; their manifests are verified and part
  /// of the stamp.
  ///
  /// - Parameters:
  ///   - suits: which pairs can be asked at all
  ///   - step: of a kind's pairs every so many-th is taken, the first among them
  public func materials(
    _ study: Study, where suits: (MinimalPair) -> Bool, step: (_ kind: String) throws -> Int
  ) -> [Material] {
    [("synthetic", nil), ("never-heard", "never-heard"), ("people", "human")].map {
      name, manifest in
      let suite =
        manifest.map { manifest in
          tracked("data-manifests/\(manifest).json", as: name) { try PairSuite(manifest: $0) }
        } ?? study.suite
      let asked = suite.pairs.filter(suits)
      return Material(name: name, suite: suite, pairs: asked.every(attempt { try step(name) }))
    }
  }

  /// Logs that the split that is confirmed on has been opened, of each kind.
  ///
  /// - Parameter title: whose maps it is opened for
  public func open(_ materials: [Material], of study: Study, for title: String) {
    let rules = study.rules
    attempt {
      let log = OpeningLog("\(study.root)/paper/openings.tsv")
      for material in materials {
        let split = try Splits(material.suite.pairs.map { SplitItem($0) })
        try log.open(
          "\(title): \(material.name) \(rules.confirmSplit)",
          items: split.digest(rules.confirmSplit), under: rules.digest, by: self.name)
      }
    }
  }
}

extension Notebook {
  /// Logs that the split that is confirmed on has been opened, of suites one of whose speakers is in both
  /// of the other splits: it shares no sentence and no speaker with either of them.
  public func open(_ suites: [(name: String, suite: PairSuite)], of study: Study, for title: String)
  {
    let rules = study.rules
    attempt {
      let log = OpeningLog("\(study.root)/paper/openings.tsv")
      for (name, suite) in suites {
        let items = suite.pairs.map { pair -> SplitItem in
          let item = SplitItem(pair)
          return SplitItem(
            id: item.id, split: item.split == rules.confirmSplit ? item.split : "before it",
            group: item.group, sentences: item.sentences, speakers: item.speakers)
        }
        try log.open(
          "\(title): \(name) \(rules.confirmSplit)",
          items: Splits(items).digest(rules.confirmSplit), under: rules.digest, by: self.name)
      }
    }
  }
}

/// The elements of several lists, the lists taking turns, so that the first of them are of every list.
public func taking<T>(turns lists: [[T]]) -> [T] {
  (0..<(lists.map(\.count).max() ?? 0)).flatMap { i in
    lists.compactMap { $0.indices.contains(i) ? $0[i] : nil }
  }
}
