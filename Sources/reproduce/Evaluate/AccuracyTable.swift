// `paper/accuracies.tsv`: every count of every checkpoint with its interval, one a line. Rows of the
// human recordings stay as they were where those are absent.

import Foundation
import Interventions
import Speech

struct AccuracyTable {
  static let header = "checkpoint\tmeasure\tright\ttrials\tvalue\tlow\thigh"

  private(set) var lines: [String]

  /// A table with the rows of an earlier one that are of none of these checkpoints.
  ///
  /// - Parameter sets: where not all of their rows go, the sets whose rows do
  init(keeping earlier: String? = nil, but names: [String] = [], sets: [String]? = nil) {
    lines = (earlier ?? "").split(separator: "\n").dropFirst().map(String.init).filter { line in
      !names.contains { name in
        line.hasPrefix("\(name)\t")
          && sets.map { $0.contains { line.hasPrefix("\(name)\t\($0) | ") } } ?? true
      }
    }
  }

  /// Adds the rows of one checkpoint.
  ///
  /// - Parameter earlier: the file as it was, of which human rows are kept where the card has none
  mutating func add(_ name: String, _ card: Scorecard, earlier: String?) {
    for row in card.names {
      let (count, estimate) = (card[row], card[row].estimate!)
      lines.append(
        "\(name)\t\(row)\t\(count.right)\t\(count.trials)\t\(estimate.value)\t\(estimate.low)\t"
          + "\(estimate.high)")
    }
    for (group, errors) in card.errors.sorted(by: { $0.key < $1.key }) {
      lines.append("\(name)\t\(group) | word error rate (lower-words)\t\t\t\(errors.rate)\t\t")
    }
    for (group, bleu) in card.translations.sorted(by: { $0.key < $1.key }) {
      lines.append("\(name)\t\(group) | BLEU (\(Bleu.signature))\t\t\t\(bleu.score)\t\t")
    }
    guard !card.names.contains(where: { $0.hasPrefix("human ") }) else { return }
    lines += (earlier ?? "").split(separator: "\n").map(String.init).filter {
      $0.hasPrefix("\(name)\thuman ") && !lines.contains($0)
    }
  }

  /// The file's text: checkpoints and measures in alphabetical order, so that it does not matter where
  /// a row comes from.
  var text: String { ([Self.header] + lines.sorted()).joined(separator: "\n") + "\n" }
}
