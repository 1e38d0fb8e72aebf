// `tap patch`: one cell of one pair of recordings, patched exactly.

import ArgumentParser
import Corpus
import Foundation
import Interventions
import JSON
import Notebook
import Speech

struct PatchOne: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "patch",
    abstract: "Puts one activation of a source run into a base run, and says what changes.",
    discussion: """
      A site is named stage.layer.activation, with [5] for one head or neuron and a window behind an @: \
      @120ms..240ms, @3..5 (the end is left out), @-1 (the last position), @text:-4.., @sound. \
      Positions are the base run's; --alignment says which moments of the source run stand for them. \
      --control adds the controls that one pair allows: a random direction and other positions, as far \
      as the real patch goes; the base recording itself, later; boundaries moved a little; with \
      --wrong-item another item, with --other-take another take of what the base recording says.

        tap patch --model artifacts/qwen2-audio-small \\
          --base artifacts/evaluation/kal/a-bat.flac --source artifacts/evaluation/kal/a-pat.flac \\
          --prompt "which thing:" --answer pat --foil bat --site connector.out@560ms..680ms --control
      """)

  @OptionGroup var pair: TwoRecordings
  @Option(help: "SITE[index][@WINDOW]; several are patched together.") var site: [String]
  @Option(help: "The share of the way to the source run.") var alpha: Float = 1
  @Flag(help: "Run the model from the sound on instead of resuming, as a check.") var plain = false
  @Flag(help: "Also patch with the controls that the recordings allow.") var control = false
  @Option(
    help: "With --control: how many milliseconds later the base recording is; 80 where not given.")
  var shift: Double?
  @Option(
    help: """
      With --control: by how many milliseconds boundaries of the alignment are moved at most; 20 where not \
      given.
      """) var jitter: Double?
  @Option(help: "Control: a recording of another item.") var wrongItem: String?
  @Option(help: "Control: another take of what the base recording says.") var otherTake: String?
  @Option(help: "The frozen rules, such as paper/preregistration.json, whose digest is stated.")
  var preregistration: String?
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if site.isEmpty { throw ValidationError("give --site") }
    try checkControls(
      [("--wrong-item", wrongItem), ("--other-take", otherTake)], of: pair)
    if !alpha.isFinite { throw ValidationError("--alpha should be a number, such as 0.5") }
    for (name, value) in [("--shift", shift), ("--jitter", jitter)] {
      guard let value else { continue }
      if !control { throw ValidationError("\(name) is of --control") }
      if !(value > 0 && value.isFinite) { throw ValidationError("\(name) should be above 0") }
    }
  }

  func run() throws {
    let cells = try site.map(Cell.init)
    let rules = try Rules(preregistration)
    let opened = try pair.opened()
    let answers = try pair.answers(opened)
    let prompt = try pair.promptTokens(opened)
    let sites = cells.map(\.site)
    let (found, time) = try Cost.timed { () -> (FoundPatch, Double) in
      func traced(_ path: String) throws -> Trace {
        try opened.model.trace(
          opened.question(path, prompt: prompt, answers: answers), keeping: sites)
      }
      let (here, there) = (try traced(pair.base), try traced(pair.source))
      let segments = try pair.segments()
      let joined = try pair.alignment.alignment(
        base: here.question.clip, source: there.question.clip, segments: segments)
      let selections = try cells.map {
        try Selection($0, base: here, source: there, joined, strict: true)!
      }
      var controls = PatchControls(opened.model, here, there, selections)
      if control {
        let (shift, jitter) = (shift ?? 80, jitter ?? 20)
        try controls.addMatched()
        let late = try opened.question(
          Waveform(contentsOf: pair.base), delayedBy: shift, of: pair.base, prompt: prompt,
          answers: answers)
        try controls.add(
          "shift \(formatted(shift)) ms", "none: the base recording, later",
          from: opened.model.trace(late, keeping: sites), .shift(by: shift))
        try controls.addJitter(joined, segments, by: jitter)
      }
      if let wrongItem { try controls.addWrongItem(traced(wrongItem)) }
      if let otherTake {
        let take = try traced(otherTake)
        try controls.add(
          "other take", "about none: the base's content again", from: take,
          pair.alignment.alignment(
            base: here.question.clip, source: take.question.clip, segments: nil))
      }
      let defined = controls.entries.compactMap(\.patches)
      let outcomes = try opened.model.patched(
        here, [selections.map { $0.patch(by: alpha) }] + defined, reference: there,
        resuming: !plain, skipping: false)
      return (
        FoundPatch(
          here: here, there: there, joined: joined, positions: selections.map(\.positions),
          patched: outcomes[0], controls: controls.entries,
          controlOutcomes: Array(outcomes.dropFirst())),
        Double(2 + controls.runs + outcomes.count)
      )
    }
    var cost = time
    cost.forwards = found.1
    if let note = opened.note(on: answers) { warn(note) }
    let gap = found.0.there.logitDifference - found.0.here.logitDifference
    if abs(gap) < 1e-6 {
      warn("base and source have the same logit difference, so no share of a gap can be given")
    }
    if json {
      print(try stated(found.0, opened, cells, rules, cost).text)
    } else {
      found.0.printTable(cells.map(\.description).joined(separator: " + "), alpha)
      print(
        "\nmodel \(try opened.digest().short), preregistration \(rules.text); corruption: the source "
          + "recording; \(cost.text)")
    }
  }

  private func stated(
    _ found: FoundPatch, _ opened: OpenedModel, _ cells: [Interventions.Cell], _ rules: Rules,
    _ cost: Cost
  ) throws -> JSON {
    .object(
      found.json.merging(try pair.stated(opened)) { $1 }.merging([
        "wrong_item": try fileEntry(wrongItem), "other_take": try fileEntry(otherTake),
        "sites": .array(cells.map { .string($0.description) }), "alpha": .number(Double(alpha)),
        "corruption": "the source recording", "excluded": [], "preregistration": rules.json,
        "metrics": .array(Metric.allCases.map { .string($0.rawValue) }), "cost": cost.json,
      ]) { $1 })
  }
}
