// `reproduce evaluate`: what the stored checkpoints can do.

import ArgumentParser
import Foundation
import Interventions
import Speech
import Tensor

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Scores the checkpoints on the suite: three tasks, choices, human digits, floors.",
    discussion: """
      Prints right answers of questions with exact 95% intervals (Clopper and Pearson), by set, voice \
      and kind of question. Where the human recordings are absent, their rows say so.
      """)

  @Argument(help: "Which of \(Recipe.names.joined(separator: ", ")); all where none is named.")
  var names: [String] = []
  @Option(help: "Another checkpoint folder, scored alone.") var model: String?
  @Flag(help: "The goals and what was reached, in place of every count.") var brief = false

  func validate() throws {
    for name in names where !Recipe.names.contains(name) {
      throw ValidationError(
        "no checkpoint \"\(name)\"; there are \(Recipe.names.joined(separator: ", "))")
    }
  }

  func run() throws {
    Runtime.pin()
    let repository = try Repository()
    let suite = try ScoredSuite(repository)
    let folders =
      model.map { [($0, $0)] }
      ?? Recipe.all.filter { names.isEmpty || names.contains($0.name) }
      .map { ($0.name, repository.url($0.folder).path) }
    for (name, folder) in folders {
      guard FileManager.default.fileExists(atPath: "\(folder)/model.safetensors") else {
        print("# \(name)\n\nnot trained yet: `make models` trains it\n")
        continue
      }
      let card = try suite.score(SpeechModel(folder: folder), named: name)
      print("# \(name)\n")
      if !brief { print(card.table, "\n") }
      print(Goal.table(card), "\n")
      if suite.recordings == nil { print("human | \(HumanRecordings.absent)\n") }
    }
  }
}

/// What a checkpoint should reach, as it was set before training.
struct Goal {
  let name: String
  let least: Double
  let reached: (Scorecard) -> Double?

  /// The goals of an architecture: Qwen2-Audio's are the higher ones.
  static func of(_ model: String) -> [Goal] {
    let isFirst = model.contains("qwen2")
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
    Goal.of(card.model).map { goal in
      guard let value = goal.reached(card) else {
        return "not rerun  \(goal.name): \(HumanRecordings.absent)"
      }
      return String(
        format: "%@  %@: %.2f%%, at least %.0f%%", value >= goal.least ? "reached  " : "missed   ",
        goal.name, 100 * value, 100 * goal.least)
    }.joined(separator: "\n")
  }
}
