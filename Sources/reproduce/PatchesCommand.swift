// `reproduce patches`: patched logit differences of some pairs, for an independent program to
// repeat (Tests/Peers/compare_patches.py).

import ArgumentParser
import Corpus
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

struct Patches: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes exact effects and attribution of single cells as a table.",
    discussion: """
      Windows are 80 ms wide and counted from the onset of the changed phone. A value is the patched \
      logit difference where the kind is exact, and the estimated change where it is attribution.
      """)

  @Option(help: "The checkpoint.") var model = "artifacts/qwen2-audio-small"
  @Option(help: "How many pairs, spread over the suite.") var pairs = 12
  @Option(help: "The table to write.") var out: String

  func run() throws {
    let repository = try Repository()
    let speech = try SpeechModel(folder: model)
    let suite = try PairSuite(manifest: repository.url("data-manifests/evaluation.json").path)
    guard pairs > 0, pairs <= suite.pairs.count else {
      throw ValidationError("--pairs must be between 1 and \(suite.pairs.count)")
    }
    let windows = LockedWindows(width: 80, fixed: -8..<10, phones: 0...0, text: 0)
    let chosen = (0..<pairs).map { suite.pairs[$0 * suite.pairs.count / pairs] }
    let tables = try mapInParallel(chosen.count) { i -> [String] in
      let pair = chosen[i]
      let questions = try speech.questions(for: pair, root: repository.root.path)
      let clean = try speech.model.trace(questions.clean)
      let corrupt = try speech.model.trace(questions.corrupt)
      // The first and the last window reach to the ends of the clip and are left out.
      let time = Array(windows.ofTime(pair).dropFirst().prefix(windows.fixed.count))
      return try Direction.allCases.flatMap { direction -> [String] in
        let (base, source) = direction == .sufficiency ? (corrupt, clean) : (clean, corrupt)
        let exact = try speech.model.map(base, with: .source(source), windows: time)
        let search = try speech.model.searchMap(of: source, into: base, windows: time)
        return [("exact", exact), ("attribution", search)].flatMap { kind, map in
          zip(speech.model.mapSites, map).flatMap { site, row in
            zip(windows.fixed, row).compactMap { window, value in
              value.map {
                [
                  pair.id, direction.rawValue, kind, "\(site)",
                  "\(Int(windows.width) * window)", "\($0)",
                ].joined(separator: "\t")
              }
            }
          }
        }
      }
    }
    let header = "pair\tdirection\tkind\tsite\twindow\tvalue"
    try writeAtomically(([header] + tables.flatMap { $0 }).joined(separator: "\n") + "\n", to: out)
  }
}
