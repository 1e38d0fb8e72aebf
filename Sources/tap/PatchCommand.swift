// `tap patch`: one cell of one pair of recordings, patched exactly.

import ArgumentParser
import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

struct PatchOne: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "patch",
    abstract: "Puts one activation of a source run into a base run, and says what changes.",
    discussion: """
      A site is named stage.layer.activation, with [5] for one head or neuron and a window behind an @: \
      @120ms..240ms, @3..5 (the end is left out), @-1 (the last position), @text:-4.., @sound. \
      Positions are the base run's; --alignment says which moments of the source run stand for them.

        tap patch --model artifacts/qwen2-audio-small \\
          --base artifacts/evaluation/kal/a-bat.flac --source artifacts/evaluation/kal/a-pat.flac \\
          --prompt "which thing:" --answer pat --foil bat --site connector.out@560ms..680ms
      """)

  @OptionGroup var options: ModelOptions
  @Option(help: "The recording whose run is patched.") var base: String
  @Option(help: "The recording whose activation is put in.") var source: String
  @Option(help: "The text of the prompt.") var prompt: String?
  @Option(help: "The prompt's tokens, as in 5,7,audio,62.") var promptIds: String?
  @Option(help: "The answer; a text, or with --prompt-ids tokens separated by commas.")
  var answer: String
  @Option(help: "The answer that it is compared with.") var foil: String
  @Option(help: "SITE[index][@WINDOW]; several are patched together.") var site: [String]
  @Option(help: "auto, identity, linear, segments or dtw.") var alignment = AlignmentChoice.automatic
  @Option(help: "A TextGrid of the base recording, for the alignment by segments.")
  var baseTextgrid: String?
  @Option(help: "A TextGrid of the source recording.") var sourceTextgrid: String?
  @Option(help: "The share of the way to the source run.") var alpha: Float = 1
  @Flag(help: "Run the model from the sound on instead of resuming, as a check.") var plain = false
  @Flag(help: "Also patch with a random direction of the same length.") var control = false
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if (prompt == nil) == (promptIds == nil) {
      throw ValidationError("give --prompt or --prompt-ids, one of them")
    }
    if site.isEmpty { throw ValidationError("give --site") }
    if (baseTextgrid == nil) != (sourceTextgrid == nil) {
      throw ValidationError("give TextGrids of both recordings or of neither")
    }
    if !alpha.isFinite { throw ValidationError("--alpha should be a number, such as 0.5") }
  }

  func run() throws {
    Runtime.pin()
    let cells = try site.map(Cell.init)
    let opened = try OpenedModel(options, needsText: promptIds == nil)
    let answers = try Answers(answer: tokens(answer, opened), foil: tokens(foil, opened))
    let prompt =
      try promptIds.map { try parsedTokens($0, placeholder: opened.model.placeholder) }
      ?? opened.tokens(ofPrompt: self.prompt!)
    var cost = Cost()
    let sites = cells.map(\.site)
    let (here, there, joined, outcomes, positions) = try cost.timed {
      let here = try opened.model.trace(
        opened.question(base, prompt: prompt, answers: answers), keeping: sites)
      let there = try opened.model.trace(
        opened.question(source, prompt: prompt, answers: answers), keeping: sites)
      let joined = try alignment.alignment(
        base: here.question.clip, source: there.question.clip, segments: segments())
      let selections = try cells.map {
        try Selection($0, base: here, source: there, joined, strict: true)!
      }
      var sets = [selections.map { $0.patch(by: alpha) }]
      if control {
        let random = Random(seed: 1).split("tap patch")
        sets.append(
          selections.enumerated().map { $1.randomDirection(random.split($0)) })
      }
      let outcomes = try opened.model.patched(
        here, sets, reference: there, resuming: !plain, skipping: false)
      return (here, there, joined, outcomes, selections.map(\.positions))
    }
    cost.forwards = 2 + Double(outcomes.count)
    if let note = opened.note(on: answers) { warn(note) }
    let gap = there.logitDifference - here.logitDifference
    if abs(gap) < 1e-6 {
      warn("base and source have the same logit difference, so no share of a gap can be given")
    }
    try report(opened, cells, here, there, joined, outcomes, positions, cost)
  }

  private func tokens(_ text: String, _ opened: OpenedModel) throws -> [Int] {
    promptIds == nil
      ? try opened.tokens(ofAnswer: text)
      : try parsedTokens(text, placeholder: nil, option: "an answer")
  }

  private func segments() throws -> (base: [Segment], source: [Segment])? {
    guard let baseTextgrid, let sourceTextgrid else { return nil }
    func read(_ path: String) throws -> [Segment] {
      try TextGrid(contentsOf: path).segments()
    }
    return (try read(baseTextgrid), try read(sourceTextgrid))
  }

  private func report(
    _ opened: OpenedModel, _ cells: [Interventions.Cell], _ here: Trace, _ there: Trace,
    _ joined: Alignment, _ outcomes: [Outcome], _ positions: [[Int]], _ cost: Cost
  ) throws {
    let (patched, unpatched) = (outcomes[0], here.outcome)
    let names = cells.map(\.description).joined(separator: " + ")
    guard json else {
      print("site        \(names), alpha \(alpha)")
      print("positions   \(positions.map { "\($0)" }.joined(separator: " "))")
      print("alignment   \(joined.name)" + (joined.cost.map { String(format: ", cost %.4f", $0) } ?? ""))
      print("\nmetric               base     source    patched   recovery")
      for metric in Metric.allCases where metric != .divergence {
        guard let b = unpatched[metric], let s = there.outcome[metric], let p = patched[metric]
        else { continue }
        let share = metric.recovery(of: patched, from: unpatched, to: there.outcome)
        print(
          metric.rawValue.padding(toLength: 17, withPad: " ", startingAt: 0)
            + String(format: "%9.5f  %9.5f  %9.5f", b, s, p)
            + (share.map { String(format: "  %9.4f", $0) } ?? "          -"))
      }
      print(String(format: "KL to the source run %35.5f", patched.divergence ?? .nan))
      if outcomes.count > 1 {
        print(
          String(
            format: "random direction of the same length: logit difference %.5f",
            outcomes[1].logitDifference))
      }
      return
    }
    var members: [String: JSON] = [
      "model": .string(opened.folder), "model_sha256": .string(try opened.digest().description),
      "base": .string(base), "base_sha256": .string(try Digest(ofFile: base).description),
      "source": .string(source), "source_sha256": .string(try Digest(ofFile: source).description),
      "sites": .array(cells.map { .string($0.description) }), "alpha": .number(Double(alpha)),
      "positions": .array(positions.map { .array($0.map { .integer($0) }) }),
      "alignment": joined.json, "corruption": "source recording", "excluded": [],
      "base_run": unpatched.json, "source_run": there.outcome.json, "patched": patched.json,
      "effect": .number(patched.logitDifference - unpatched.logitDifference), "cost": cost.json,
    ]
    let recovery = Metric.allCases.reduce(into: [String: JSON]()) { all, metric in
      if let share = metric.recovery(of: patched, from: unpatched, to: there.outcome) {
        all[metric.rawValue] = .number(share)
      }
    }
    members["recovery"] = .object(recovery)
    if outcomes.count > 1 { members["random_direction"] = outcomes[1].json }
    print(JSON.object(members).text)
  }
}
