// `reproduce evaluate`: what the stored checkpoints can do.

import ArgumentParser
import Corpus
import Foundation
import Interventions
import Notebook
import Speech

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Scores the checkpoints on the suite: three tasks, choices, human digits, floors.",
    discussion: """
      Prints right answers of questions with exact 95% intervals (Clopper and Pearson), by set, voice \
      and kind of question. Where the human recordings are absent, their rows say so.
      """)

  /// What is made of weights that others published.
  private static let ofOthers = ["whisper-base", "whisper-tiny.en", JoinedFolder.name]

  @Argument(
    help: """
      Which of \(Recipe.names.joined(separator: ", ")), or with --published of \
      \(ofOthers.joined(separator: ", ")); all where none is named.
      """)
  var names: [String] = []
  @Option(help: "Another checkpoint folder, scored alone.") var model: String?
  @Flag(help: "Leave out the rows of single voices.") var brief = false
  @Flag(help: "Score what is made of published weights instead (make published).")
  var published = false
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      """
      Of \(JoinedFolder.name) only these sets; the rows of others stay as they were. Of: \
      \(JoinedSet.allCases.map(\.rawValue).joined(separator: ", ")).
      """, valueName: "set")) var sets: [JoinedSet] = []
  @Option(help: "The file to write every count of all checkpoints to, as a table.")
  var table: String?

  func validate() throws {
    if published {
      for name in names where !Self.ofOthers.contains(name) {
        throw ValidationError(
          "no published model \"\(name)\"; there are \(Self.ofOthers.joined(separator: ", "))")
      }
    } else {
      try Recipe.check(names)
    }
    if table != nil, model != nil || !published && !names.isEmpty {
      throw ValidationError("--table takes all checkpoints; name none")
    }
    if !sets.isEmpty, !published || names != [JoinedFolder.name] {
      throw ValidationError("--sets are of --published \(JoinedFolder.name) alone")
    }
    if published, model != nil {
      throw ValidationError("--published takes the models of build/models; leave --model out")
    }
  }

  func run() throws {
    let repository = try Repository()
    if published {
      let rules = try Preregistration(repository.url("paper/preregistration.json").path)
      try ScoredSuite(repository).printScores(
        ofPublished: names.isEmpty ? Self.ofOthers : names, brief: brief,
        minimumGap: rules.minimumGap, sets: sets, table: table.map { repository.url($0) })
      return
    }
    let folders =
      model.map { [($0, $0)] }
      ?? Recipe.all.filter { names.isEmpty || names.contains($0.name) }
      .map { ($0.name, repository.url($0.folder).path) }
    try ScoredSuite(repository).printScores(
      of: folders, brief: brief, table: table.map { repository.url($0) })
  }
}

extension ScoredSuite {
  /// Scores checkpoint folders and prints what they reach; says which are not there.
  ///
  /// - Parameter table: a file for all counts, written if all checkpoints are there
  func printScores(
    of folders: [(name: String, folder: String)], brief: Bool, table: URL? = nil
  ) throws {
    let earlier = table.flatMap { try? String(contentsOf: $0, encoding: .utf8) }
    var (rows, isWhole) = (AccuracyTable(keeping: earlier, but: folders.map(\.name)), true)
    for (name, folder) in folders {
      print("# \(name)\n")
      guard FileManager.default.fileExists(atPath: "\(folder)/model.safetensors") else {
        print("not trained: no \(folder)/model.safetensors; `reproduce train` writes it\n")
        isWhole = false
        continue
      }
      let card = try score(SpeechModel(folder: folder))
      rows.add(name, card, earlier: earlier)
      print("\(card.table(brief: brief))\n\n\(Goal.table(card))\n")
      if recordings == nil { print("human | \(HumanRecordings.absent)\n") }
    }
    guard let table else { return }
    guard isWhole else {
      throw CheckpointError("\(table.path): is left as it was, since a checkpoint is missing")
    }
    try writeAtomically(rows.text, to: table.path)
  }
}

extension ScoredSuite {
  /// Scores what is made of published weights and prints what it reaches; says what is not there, and
  /// leaves its rows of the table as they were.
  ///
  /// - Parameter sets: those of the speech LM that are scored; all where none is named
  func printScores(
    ofPublished names: [String], brief: Bool, minimumGap: Double, sets: [JoinedSet] = [],
    table: URL? = nil
  ) throws {
    let earlier = table.flatMap { try? String(contentsOf: $0, encoding: .utf8) }
    func folder(_ name: String) -> String {
      name == JoinedFolder.name ? "\(root)/artifacts/\(name)" : "\(root)/build/models/\(name)"
    }
    let there = names.filter { name in
      FileManager.default.fileExists(atPath: "\(folder(name))/config.json")
        && (name != JoinedFolder.name || JoinedFolder.isWhole(root: root))
    }
    for name in names where !there.contains(name) {
      let remedy =
        name == JoinedFolder.name ? "make published && make models-published" : "make published"
      print("\(name): not there, its rows stay as they were; run \(remedy)")
    }
    var rows = AccuracyTable(
      keeping: earlier, but: there, sets: sets.isEmpty ? nil : sets.map(\.title))
    var journals: [ScoreJournal] = []
    for name in there {
      print("# \(name)\n")
      let parts = name == JoinedFolder.name ? ["\(root)/build/models/\(JoinedFolder.encoder)"] : []
      let journal = try ScoreJournal(name, root: root, folders: [folder(name)] + parts)
      journals.append(journal)
      let card =
        name == JoinedFolder.name
        ? try score(
          joined: SpeechModel(folder: folder(name)),
          sets: sets.isEmpty ? JoinedSet.allCases : sets,
          free: FreeSpeech(Repository(root: URL(fileURLWithPath: root))).testUtterances(), journal)
        : try score(Recogniser(folder: folder(name)), minimumGap: minimumGap, journal)
      rows.add(name, card, earlier: earlier)
      print("\(card.table(brief: brief))\n")
      if recordings == nil { print("human | \(HumanRecordings.absent)\n") }
    }
    if let table, !there.isEmpty { try writeAtomically(rows.text, to: table.path) }
    // Of other sets something may be stored.
    if sets.isEmpty { for journal in journals { journal.remove() } }
  }
}

/// What a checkpoint should reach, as it was set before training.
struct Goal {
  let name: String
  let least: Double
  let reached: (Scorecard) -> Double?

  /// The goals of an architecture: Qwen2-Audio's are the higher ones.
  static func of(_ architecture: String) -> [Goal] {
    let isFirst = architecture == Recipe.all[0].architecture
    func share(_ name: String) -> (Scorecard) -> Double? {
      { $0[name].trials > 0 ? $0[name].share : nil }
    }
    let bindings = Question.Kind.allCases.filter(\.isBinding).map { kind in
      Goal(
        name: kind.rawValue, least: isFirst ? 0.85 : 0.80,
        reached: share("evaluation | all voices | \(kind.rawValue)"))
    }
    return [
      Goal(name: "three tasks, voices heard in training", least: isFirst ? 0.97 : 0.95) {
        $0.tasks("evaluation | all voices")
      }
    ] + bindings + [
      Goal(
        name: "choice between the members of a pair", least: isFirst ? 0.99 : 0.98,
        reached: share("evaluation | all voices | choice")),
      Goal(
        name: "choice, a voice never heard (\(Espeak.neverHeard[0]))",
        least: isFirst ? 0.85 : 0.80,
        reached: share("never-heard | \(Espeak.neverHeard[0]) | choice")),
      Goal(
        name: "recorded digits of five people", least: isFirst ? 0.95 : 0.90,
        reached: share("human | all voices | digits")),
    ]
  }

  /// A line a goal.
  static func table(_ card: Scorecard) -> String {
    Goal.of(card.architecture).map { goal in
      guard let value = goal.reached(card) else {
        return "not rerun  \(goal.name): \(HumanRecordings.absent)"
      }
      return String(
        format: "%@  %@: %.2f%%, at least %.0f%%", value >= goal.least ? "reached  " : "missed   ",
        goal.name, 100 * value, 100 * goal.least)
    }.joined(separator: "\n")
  }
}
