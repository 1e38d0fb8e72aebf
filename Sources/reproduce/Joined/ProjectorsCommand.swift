// `reproduce projectors`: what else could join the two halves. The shipped projector missed goals that were
// set for it; what more training reaches is tried, with it alone and in other ways.

import ArgumentParser
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

struct Projectors: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Trains the shipped projector on, alone and in other ways, and scores what that reaches.",
    discussion: """
      Alone; with silence behind every recording; with two layers beside its linear one; with low-rank \
      adapters beside the language model's queries and values. All begin with the shipped projector and \
      see the same utterances in the same order. Models go to build/trained, what they reach to \
      paper/projectors.tsv. An interrupted run goes on.
      """)

  @Option(help: "Steps of training of each.") var steps = 80
  @Option(help: "The table to write.") var table = "paper/projectors.tsv"

  func validate() throws {
    guard steps > 0 else { throw ValidationError("--steps takes a number above 0") }
  }

  /// The first is what the others are compared with.
  static func arms(steps: Int) -> [(name: String, joining: Joining)] {
    func arm(_ change: (inout Joining) -> Void) -> Joining {
      // A quarter of the rate that the shipped one was trained at from nothing.
      var joining = Joining(steps: steps, rate: Joining().rate / 4, goesOn: true)
      change(&joining)
      return joining
    }
    return [
      ("alone", arm { _ in }), ("silence", arm { $0.silence = 0.5 }),
      ("layers-beside", arm { $0.layersBeside = true }), ("adapters", arm { $0.rank = 8 }),
    ]
  }

  func run() throws {
    let repository = try Repository()
    let suite = try ScoredSuite(repository)
    var journals: [ScoreJournal] = []
    func score(_ folder: URL, silence: Double) throws -> ProjectorScore {
      let journal = try ScoreJournal(
        "projectors-\(folder.lastPathComponent)", root: repository.root.path,
        folders: [folder.path, repository.url("build/models/\(JoinedFolder.encoder)").path])
      journals.append(journal)
      return try suite.score(SpeechModel(folder: folder.path), silence, journal)
    }
    var scores = [
      ("shipped", try score(JoinedFolder(repository: repository).folder, silence: 0))
    ]
    for (name, joining) in Self.arms(steps: steps) {
      let folder = repository.url("build/trained/\(JoinedFolder.name)-\(name)-\(steps)")
      if try !isTrained(folder, joining) {
        try joining.train(into: folder, repository, fresh: false)
        try writeAtomically(mark(joining), to: folder.appendingPathComponent("trained.txt").path)
      }
      scores.append((name, try score(folder, silence: joining.silence)))
    }
    let lines = scores.enumerated().flatMap { i, score in
      // The shipped one has had less training than the others.
      score.1.lines(score.0, beside: i == 1 ? nil : scores[1].1)
    }
    print(lines.joined(separator: "\n"))
    try writeAtomically(
      ([AccuracyTable.header] + lines).joined(separator: "\n") + "\n",
      to: repository.url(table).path)
    for journal in journals { journal.remove() }
  }

  /// How it was trained, and by what: another program may train otherwise.
  private func mark(_ joining: Joining) throws -> String {
    "\(joining)\n\(try Digest(ofFile: "/proc/self/exe"))\n"
  }

  private func isTrained(_ folder: URL, _ joining: Joining) throws -> Bool {
    let found = try? String(
      contentsOf: folder.appendingPathComponent("trained.txt"), encoding: .utf8)
    return try found == mark(joining)
  }
}
