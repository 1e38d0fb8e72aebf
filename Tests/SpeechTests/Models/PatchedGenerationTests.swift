// What a model says under an intervention: every token is that of a full run over what was said, changed
// by hand, on every architecture that speaks behind a prompt.

import Foundation
import Interventions
import Speech
import Tensor
import Testing

@Suite struct PatchedGenerationTests {
  static let folders = ["whisper", "qwen2-audio", "salmonn", "soundwave", "llama-omni"]

  /// Over the ends of blocks of rows; the mark of sound is never said, since a prompt has one alone.
  private func limit(_ model: any SpeechLanguageModel) -> GenerationConfig {
    var config = GenerationConfig()
    config.limit = rowBlock + 5
    config.suppressed = Set([model.placeholder].compactMap { $0 })
    return config
  }

  /// Sites of one vector a position that do not lie behind the logits.
  private func sites(_ model: any SpeechLanguageModel, _ base: Trace) throws -> [Site] {
    try model.sites.filter { site in
      if [.logits, .keep].contains(site.activation) || site.stage.rawValue == "gen" {
        return false
      }
      return try base.place(of: site).pattern == nil
    }
  }

  private func isSaid(_ site: Site) -> Bool {
    ["lm", "decoder"].contains(site.stage.rawValue)
      && ![.crossK, .crossV].contains(site.activation)
  }

  /// The tokens that full runs say one after another, rewritten by hand.
  private func said(
    _ model: any SpeechLanguageModel, _ base: Trace, _ patches: [Patch],
    _ steps: [(site: Site, change: (Tensor) -> Tensor)] = []
  ) throws -> [Int] {
    var input = base.question.input
    if let keep = model.sites.first(where: { $0.activation == .keep }) {
      let flags = try base.activation(of: keep).numbers
      input.kept = flags.indices.filter { flags[$0] != 0 }
    }
    var tokens: [Int] = []
    for _ in 0..<limit(model).limit {
      let plain = try model.run(input, tap: nil)
      let run = try model.run(input) { site, x in
        guard let place = plain.place(of: site) else { return x }
        var x = x
        for patch in patches where patch.site == site {
          let rows = patch.positions.map { place.rows[$0] }
          x = replacingRows(x, at: rows, with: patch.changed(gatherRows(x, rows)))
        }
        for step in steps where step.site == site {
          let rows = Array(place.rows[(base.tokens - 1)...])
          x = replacingRows(x, at: rows, with: step.change(gatherRows(x, rows)))
        }
        return x
      }
      var last = gatherRows(run.logits, [run.logits.rows - 1]).numbers
      if let mark = model.placeholder, last.indices.contains(mark) { last[mark] = -.infinity }
      tokens.append(last.firstIndex(of: last.max()!)!)
      input.tokens.append(tokens.last!)
    }
    return tokens
  }

  /// Some of the prompt's positions, their own values counting: what is left there must be what was left
  /// when the prompt was read.
  private func patches(
    _ sites: [Site], _ base: Trace, _ source: Trace
  ) throws -> [Patch] {
    try sites.compactMap { site in
      let count = min(try base.place(of: site).rows.count, try source.place(of: site).rows.count)
      let positions = Set([0, count / 2, count - 1]).sorted().filter { $0 >= 0 }
      if count == 0 { return nil }
      let rows = try source.rows(of: Cell(site), at: positions)
      return Patch(site, positions: positions, towards: rows, by: 1.5)
    }
  }

  private func traced(_ folder: String) throws -> (
    model: any SpeechLanguageModel, base: Trace, source: Trace
  ) {
    let model = try openModel(folder: stored(folder))
    let runs = try ["base", "source"].map { run in
      try model.trace(goldenQuestion(folder, run, model), keeping: model.sites)
    }
    return (model, runs[0], runs[1])
  }

  @Test(arguments: folders) func everyTokenIsThatOfAPatchedRun(_ folder: String) throws {
    let (model, base, source) = try traced(folder)
    let plain = try model.generate(base.question.input, limit(model)) { _ in }.tokens
    #expect(plain.count == limit(model).limit)
    #expect(try model.generate(base, [], limit(model)).tokens == plain)
    let alone = try patches(sites(model, base), base, source)
    // One by one, and two from different depths.
    let sets =
      stride(from: 0, to: alone.count, by: 3).map { [alone[$0]] }
      + stride(from: 1, to: alone.count, by: 5).map {
        [alone[$0], alone[(7 * $0 + 11) % alone.count]]
      }
    var moved = 0
    for set in sets where Set(set.map(\.site)).count == set.count {
      let found = try model.generate(base, set, limit(model)).tokens
      #expect(try found == said(model, base, set), "\(folder): \(set.map(\.site))")
      if found != plain { moved += 1 }
    }
    #expect(moved > sets.count / 8, "\(moved) of \(sets.count) said something else")
  }

  @Test(arguments: folders) func stepsActWhereTokensAreSaid(_ folder: String) throws {
    let (model, base, source) = try traced(folder)
    let plain = try model.generate(base, [], limit(model)).tokens
    let all = try sites(model, base)
    let patch = try patches([all.last { !isSaid($0) }!], base, source)
    var moved = 0
    let own = all.filter(isSaid)
    for site in stride(from: 0, to: own.count, by: 2).map({ own[$0] }) {
      let change: @Sendable (Tensor) -> Tensor = { $0 * -0.5 }
      let found = try model.generate(
        base, patch, steps: [StepChange(site, change: change)], limit(model)
      ).tokens
      #expect(
        try found == said(model, base, patch, [(site: site, change: change)]), "\(folder): \(site)")
      if found != plain { moved += 1 }
    }
    #expect(moved > own.count / 8, "\(moved) of \(own.count)")
  }

  /// What passes everything else carries the whole text: the source's waist says the source's text.
  @Test(arguments: ["whisper", "qwen2-audio", "salmonn", "llama-omni"])
  func everythingPatchedSaysTheSourcesText(_ folder: String) throws {
    let model = try openModel(folder: stored(folder))
    let waist = folder == "whisper" ? Site(.encoder, .final) : Site(.connector, .out)
    let base = try model.trace(try goldenQuestion(folder, "base", model), keeping: [waist])
    let source = try model.trace(
      try goldenQuestion(folder, "source_eq", model), keeping: [waist])
    let positions = Array(try base.place(of: waist).rows.indices)
    let patch = Patch(
      waist, positions: positions, taking: try source.rows(of: Cell(waist), at: positions))
    let theirs = try model.generate(source.question.input, limit(model)) { _ in }
    let own = try model.generate(base.question.input, limit(model)) { _ in }
    #expect(try model.generate(base, [patch], limit(model)) == theirs)
    #expect(own != theirs)
  }

  @Test func whatCannotBeChangedIsNamed() throws {
    let model = try openModel(folder: stored("qwen2-audio"))
    let base = try model.trace(
      try goldenQuestion("qwen2-audio", "base", model), keeping: model.sites)
    func message(_ patches: [Patch], _ steps: [StepChange] = []) -> String? {
      do {
        _ = try model.generate(base, patches, steps: steps, limit(model))
        return nil
      } catch { return "\(error)" }
    }
    let last = base.tokens - 1
    let text = Site(.lm, 0, .residPost)
    #expect(message([Patch(text, positions: [last]) { $0 }]) == nil)
    #expect(message([Patch(text, positions: [last + 1]) { $0 }]) != nil)
    #expect(
      message([Patch(Site(.lm, 0, .pattern), positions: [0]) { $0 }])?.contains("attn.z") == true)
    #expect(message([Patch(Site(.lm, .logits), positions: [0]) { $0 }]) != nil)
    #expect(
      message([], [StepChange(Site(.encoder, 0, .residPost)) { $0 }])?.contains("by a patch")
        == true)
    #expect(message([Patch(Site(.lm, 9, .residPost), positions: [0]) { $0 }]) != nil)

    let moshi = try openModel(folder: stored("moshi"))
    let heard = try moshi.trace(try goldenQuestion("moshi", "base", moshi))
    let site = Site(.lm, 0, .residPost)
    #expect(throws: CheckpointError.self) {
      _ = try moshi.generate(heard, [Patch(site, positions: [0]) { $0 }], limit(moshi))
    }
  }
}
