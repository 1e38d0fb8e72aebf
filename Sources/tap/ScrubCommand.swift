// `tap scrub`: does a hypothesis keep the behaviour when everything that it calls unimportant is
// resampled?

import ArgumentParser
import Foundation
import Interventions
import JSON
import Speech
import Tensor

struct ScrubVerb: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scrub",
    abstract: "Causal scrubbing of a hypothesis, beside two that must fail.",
    discussion: """
      Both recordings of each pair are references; donors are recordings asked the same question. A \
      hypothesis names the cells that carry a feature (answer, word-pair, group or recording), from the \
      answer backwards. It is compared with the same hypothesis on shuffled features and with the same \
      cells elsewhere in the sound. Recovered is 1 where nothing is lost and 0 where as much as with \
      any other recording.

        printf '%s\\n' '{ "name": "the changed phone", "parents": [
          { "site": "connector.out", "window": "changed+60ms", "feature": "answer",
            "sampler": "other" }] }' \\
          > build/hypothesis.json
        tap scrub --model artifacts/qwen2-audio-small --pairs data-manifests/evaluation.json \\
          --split discovery --hypothesis build/hypothesis.json
      """)

  @OptionGroup var options: ModelOptions
  @OptionGroup var entered: EnteredPairOptions
  @Option(help: "The hypothesis, a JSON file.") var hypothesis: String
  @Option(help: "The split whose pairs are taken; all where not given.") var split: String?
  @Option(help: "How often each reference is drawn.") var draws = 10

  func run() throws {
    guard draws > 0 else { throw ValidationError("--draws should be positive") }
    let claim = try Hypothesis(hypothesis)
    let pairs = try EnteredPairs(
      options, entered, splits: split.map { [$0] }, by: "tap scrub")
    let model = pairs.opened.model
    let random = Random(seed: UInt64(entered.seed)).split("scrub")
    let (items, alone) = claim.withDonors(try scrubItems(pairs.kept, model, claim))
    guard !items.isEmpty else {
      throw CellError(
        "\(entered.pairs): no recording has another of equal feature and question to be scrubbed with; "
          + "give more pairs, or a coarser feature")
    }
    if !alone.isEmpty {
      warn(
        "\(alone.count) recordings are left out: no other has their feature and question, so that they "
          + "would be scrubbed with themselves")
    }
    let trials: [Trial] = [
      Trial("hypothesis", claim, items),
      Trial("shuffled features", claim, items.shufflingFeatures(random.split("shuffled"))),
      Trial("elsewhere", claim.elsewhere, items),
    ].filter { $0.name != "elsewhere" || claim.followsChange }
    if !entered.json { print("\(pairs.summary); \(items.count) recordings\n\(claim.name)") }
    var summaries: [String: JSON] = [:]
    let (_, time) = try Cost.timed {
      for trial in trials {
        let scrubbing = try Scrubbing(model, trial.items, trial.hypothesis, draws: draws)
        if trial.name == "hypothesis" { for warning in scrubbing.warnings { warn(warning) } }
        note(trial.name)
        // The same draws in all trials, as far as they can be.
        let scrubbed = try scrubbing.run(random.split("draws"))
        note("")
        let summary = ScrubSummary(scrubbed, random.split("bootstrap"))
        var members = summary.json
        if trial.name == "hypothesis" {
          members["per_item"] = .array(scrubbed.map(\.json))
          members["warnings"] = .array(scrubbing.warnings.map { .string($0) })
        }
        summaries[trial.name] = .object(members)
        if !entered.json { summary.printLine(trial.name) }
      }
    }
    var cost = time
    // Both runs of each pair, and for each draw one from every cut on.
    cost.forwards = 2 * Double(pairs.kept.count)
    for trial in trials {
      cost.forwards += Double(trial.items.count * draws * trial.hypothesis.root.cuts)
    }
    try pairs.finish(
      [
        "hypothesis": try readJSON(hypothesis), "draws": .integer(draws),
        "recordings": .integer(items.count),
        "without_donors": .array(alone.map { .string($0.id) }), "results": .object(summaries),
      ], cost)
  }

  private struct Trial {
    let name: String
    let hypothesis: Hypothesis
    let items: [ScrubItem]

    init(_ name: String, _ hypothesis: Hypothesis, _ items: [ScrubItem]) {
      (self.name, self.hypothesis, self.items) = (name, hypothesis, items)
    }
  }

  /// Each recording once, asked for its own answer against its pair's other. Donors are asked the same,
  /// and where answers have a beginning in common that is forced, the same beginning.
  private func scrubItems(
    _ pairs: [OpenedPair], _ model: any SpeechLanguageModel, _ claim: Hypothesis
  ) throws -> [ScrubItem] {
    // All runs are held at the same time, so that each keeps no more than the hypothesis cuts.
    let sites = claim.sites
    return try mapInParallel(2 * pairs.count) { i -> ScrubItem in
      let (pair, isClean) = (pairs[i / 2], i % 2 == 0)
      let asked = isClean ? pair.clean : pair.corrupt
      var input = asked.input
      input.continuations = []
      let question = Question(
        input, isClean ? asked.answers : asked.answers.swapped, continuing: false)
      let words = [pair.pair.answer, pair.pair.foil]
      return ScrubItem(
        id: pair.pair.id + (isClean ? " (clean)" : " (corrupt)"), group: pair.pair.group,
        stratum: asked.answers.shared.reduce(pair.pair.prompt) { "\($0) \($1)" },
        features: [
          "answer": words[isClean ? 0 : 1], "word-pair": words.sorted().joined(separator: "/"),
          "group": pair.pair.group, "recording": isClean ? pair.pair.clean : pair.pair.corrupt,
        ], trace: try model.trace(question).reduced(to: sites),
        changed: pair.pair.changed.map { isClean ? $0.clean : $0.corrupt })
    }
  }
}

extension HypothesisCut {
  /// The cut and those before it.
  fileprivate var cuts: Int { parents.reduce(1) { $0 + ($1.inputs?.cuts ?? 0) } }
}

extension ScrubSummary {
  fileprivate var json: [String: JSON] {
    [
      "recovered": recovered.json, "loss_recovered": lossRecovered.json,
      "mean_change": .number(meanChange), "divergence": .number(divergence),
      "correlation": numbers([correlation]), "flipped": .number(flipped),
      "items": .integer(items), "draws": .integer(draws),
    ]
  }

  fileprivate func printLine(_ name: String) {
    print(
      "\n\(name): recovered \(recovered.text) of the logit difference, \(lossRecovered.text) of "
        + "-log p")
    print(
      String(
        format: "  single items: |change| %.3f nats, KL %.3f nats, correlation %.3f, flipped %.3f",
        meanChange, divergence, correlation, flipped))
  }
}

extension ScrubbedItem {
  fileprivate var json: JSON {
    [
      "id": .string(id), "model": .number(model), "scrubbed": numbers(scrubbed),
      "kl": numbers(divergences),
    ]
  }
}
