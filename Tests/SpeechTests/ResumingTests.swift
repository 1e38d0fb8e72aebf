// Resumed interventions on the golden folders of the architectures that splice sound into a prompt:
// at every site, whole vectors and single parts, the bits of a full run. On the others every site can
// be patched, and a run's own values change nothing.

import Foundation
import Interventions
import JSON
import Speech
import Tensor
import Testing

@Suite struct ResumingTests {
  private func question(_ folder: String, _ run: String, _ model: any SpeechLanguageModel) throws
    -> Question
  {
    let inputs = try readJSON(stored("\(folder)/inputs.json"))
    func list(_ key: String) -> [Int]? {
      (inputs[key]?.elements ?? inputs[key]?["base"]?.elements)?.compactMap(\.int)
    }
    let tokens: [Int]
    if let before = list("prompt_ids_before"), let after = list("prompt_ids_after") {
      tokens = [1] + before + [spokenPlaceholder] + after
    } else if let whole = list("decoder_input_ids") ?? list("text_stream") {
      tokens = whole
    } else {
      // One placeholder, as runs of other recordings have other numbers of tokens.
      let given = list("input_ids") ?? list("prompt_ids") ?? []
      let first = given.firstIndex(of: model.placeholder!)!
      tokens = given[...first] + given[(first + 1)...].filter { $0 != model.placeholder }
    }
    let metric = try inputs.object("metric")
    let clip = try model.clip(try Waveform(contentsOf: stored("\(folder)/\(run).wav")))
    return Question(
      clip: clip, tokens: Array(tokens), answer: metric["a"]!.int!, foil: metric["b"]!.int!)
  }

  @Test(arguments: ["qwen2-audio", "salmonn", "soundwave", "llama-omni"])
  func resumedEqualsPlain(_ folder: String) throws {
    let model = try openModel(folder: stored(folder))
    let sites = model.sites.filter {
      ![.logits, .keep].contains($0.activation) && !["gen", "ctc"].contains($0.stage.rawValue)
    }
    let base = try model.trace(try question(folder, "base", model), keeping: sites)
    let source = try model.trace(try question(folder, "source", model), keeping: sites)
    var sets: [[Patch]] = []
    for site in sites {
      let (here, there) = (try base.place(of: site), try source.place(of: site))
      let positions = [here.rows.count / 2, here.rows.count - 1].filter { $0 < there.rows.count }
      guard !positions.isEmpty, here.pattern == nil else { continue }
      for index in [nil, 0] {
        let rows = try source.rows(of: Cell(site, index: index), at: positions)
        sets.append([Patch(site, positions: positions, index: index, taking: rows)])
      }
    }
    let plain = try model.patched(base, sets, reference: source, resuming: false, skipping: false)
    #expect(try model.patched(base, sets, reference: source) == plain)
    #expect(Set(plain.map(\.logitDifference)).count > sets.count / 4)
  }

  /// All that passes at one depth, taken from the source run, gives its answer to the last bit; one of
  /// two encoders alone does not.
  @Test(arguments: ["qwen2-audio", "salmonn", "soundwave", "llama-omni"])
  func aCutHoldsEverything(_ folder: String) throws {
    let model = try #require(try openModel(folder: stored(folder)) as? AudioLanguageModel)
    let branch = model.branchSites
    #expect(branch.count == (folder == "salmonn" ? 1 : 0))
    let base = try model.trace(try question(folder, "base", model), keeping: branch)
    let asked = try question(folder, "source_eq", model).keepingFrames(of: base)
    let source = try model.trace(asked, keeping: branch)
    #expect(source.logitDifference != base.logitDifference)
    let sites = model.residualSites.map(\.site)
    let cuts = sites.map { site in model.cut(at: site).map { Cell($0) } }
    #expect(
      try model.patched(base, from: source, cells: cuts)
        == sites.map { _ in source.logitDifference })
    #expect(
      try model.patched(base, from: base, cells: cuts) == sites.map { _ in base.logitDifference })
    let alone = try model.patched(base, from: source, cells: [[Cell(sites[0])]])
    #expect((alone[0] == source.logitDifference) == branch.isEmpty)
    #expect(
      try model.patched(base, from: source, cells: [[Cell(sites[0], .milliseconds(1e5, 2e5))]])
        == [nil])
  }

  @Test(arguments: ["whisper", "moshi"]) func everySiteCanBePatched(_ folder: String) throws {
    let model = try openModel(folder: stored(folder))
    let sites = model.sites.filter { ![.logits].contains($0.activation) }
    let base = try model.trace(try question(folder, "base", model), keeping: sites)
    let source = try model.trace(try question(folder, "source", model), keeping: sites)
    var (own, other): ([[Patch]], [[Patch]]) = ([], [])
    for site in sites {
      let (here, there) = (try base.place(of: site), try source.place(of: site))
      let positions = [0, here.rows.count / 2].filter { $0 < there.rows.count }
      guard here.pattern == nil else { continue }
      let cell = Cell(site)
      own.append([
        Patch(site, positions: positions, taking: try base.rows(of: cell, at: positions))
      ])
      other.append([
        Patch(site, positions: positions, taking: try source.rows(of: cell, at: positions))
      ])
    }
    for outcome in try model.patched(base, own, skipping: false) {
      #expect(outcome == base.outcome)
    }
    let moved = try model.patched(base, other).count {
      $0.logitDifference != base.logitDifference
    }
    #expect(moved > 20)
  }

  /// Searches reach every kind of site of every architecture.
  @Test(arguments: ["whisper", "qwen2-audio", "salmonn", "soundwave", "llama-omni", "moshi"])
  func searchesReachEverySite(_ folder: String) throws {
    let model = try openModel(folder: stored(folder))
    let sites = model.sites.filter {
      let stage = $0.stage.rawValue
      return $0.activation != .logits && !["gen", "ctc", "depth"].contains(stage)
        && !stage.hasPrefix("mimi") && !$0.activation.rawValue.hasSuffix("pattern")
    }
    let question = try question(folder, "base", model)
    let source = try self.question(folder, "source_eq", model)
    for method in [SearchMethod.attribution, .attributionQK, .conductance(steps: 2)] {
      var options = SearchOptions(method, sites: sites)
      options.alignment = .linear(base: 1000, source: 1000)
      let result = try model.search(base: question, source: source, options)
      #expect(result.scores.count == sites.count)
      #expect(result.scores.values.allSatisfy { $0.total.isFinite })
      #expect(result.scores.values.count { $0.total != 0 } > sites.count / 2)
    }
  }
}
