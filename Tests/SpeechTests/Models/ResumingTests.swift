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
    let own = try question(folder, "base", model)
    let first = try model.trace(own)
    let base = try model.trace(own.keepingFrames(of: first), keeping: branch)
    let asked = try question(folder, "source_eq", model).keepingFrames(of: first)
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

  /// A run that goes on from SALMONN's encoder or inside its connector does not hear BEATs again: in a
  /// model whose BEATs is another it says what it says in the run's own.
  @Test func whatBEATsHeardIsKept() throws {
    let scratch = try Scratch()
    for name in try FileManager.default.contentsOfDirectory(atPath: stored("salmonn")) {
      try FileManager.default.copyItem(
        atPath: stored("salmonn/\(name)"), toPath: "\(scratch.path)/\(name)")
    }
    var file = try TensorFile(path: stored("salmonn/model.safetensors"))
    let name = "beats.encoder.layers.0.fc2.bias"
    for i in 0..<4 { file[name, i] += 1 }
    let path = "\(scratch.path)/model.safetensors"
    try FileManager.default.removeItem(atPath: path)
    try Data(file.bytes).write(to: URL(fileURLWithPath: path))
    let own = try openModel(folder: stored("salmonn"))
    let other = try openModel(folder: scratch.path)
    let question = try question("salmonn", "base", own)
    let names = [
      "encoder.embed", "encoder.1.resid_post", "encoder.0.attn.z", "encoder.final", "fuse.speech",
      "fuse.audio", "fuse.x", "qformer.0.cross.k", "connector.out", "lm.0.resid_post",
    ]
    let beats = Site("beats.1.mlp.out")!
    let sites = names.map { Site($0)! } + [beats]
    let base = try own.trace(question, keeping: sites)
    let source = try own.trace(try self.question("salmonn", "source", own), keeping: sites)
    let sets = try sites.map { site -> [Patch] in
      // In the middle, where the language model reads sound.
      let middle = try base.place(of: site).rows.count / 2
      let positions = [middle, middle + 1]
      return [
        Patch(site, positions: positions, taking: try source.rows(of: Cell(site), at: positions))
      ]
    }
    let behind = Array(sets.dropLast())
    let kept = try other.patched(base, behind, skipping: false)
    #expect(kept == (try own.patched(base, behind, resuming: false, skipping: false)))
    // Two neighbours with nothing but a norm between them say the same.
    #expect(Set(kept.map(\.logitDifference)).count > names.count / 2)
    #expect(kept.allSatisfy { $0.logitDifference != base.logitDifference })
    // Computed anew it is another, as where a patch lies inside BEATs, alone or beside others.
    let anew = try other.patched(base, behind, resuming: false, skipping: false)
    for (name, (kept, anew)) in zip(names, zip(kept, anew)) { #expect(kept != anew, "\(name)") }
    let both = behind.prefix(5).map { $0 + sets.last! } + [sets.last!]
    let plain = try own.patched(base, Array(both), resuming: false, skipping: false)
    #expect(try own.patched(base, Array(both), skipping: false) == plain)
    #expect(try other.patched(base, Array(both), skipping: false) != plain)
    #expect(plain.last!.logitDifference != base.logitDifference)
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

  /// Layers run again on the way back give the slopes of the record at every site, those of SALMONN's
  /// second encoder too.
  @Test(arguments: ["qwen2-audio", "salmonn", "soundwave", "llama-omni"])
  func runningAgainChangesNothing(_ folder: String) throws {
    let model = try openModel(folder: stored(folder))
    let sites = model.sites.filter {
      ![.logits, .keep].contains($0.activation) && !["gen", "ctc"].contains($0.stage.rawValue)
        && !$0.activation.rawValue.hasSuffix("pattern")
    }
    let question = try question(folder, "base", model)
    let source = try self.question(folder, "source_eq", model)
    for method in [SearchMethod.attribution, .relevance(freezingPatterns: false), .gradDrop] {
      var options = SearchOptions(method, sites: sites)
      options.alignment = .linear(base: 1000, source: 1000)
      let recorded = try model.search(base: question, source: source, options)
      options.recomputes = true
      let again = try model.search(base: question, source: source, options)
      for site in sites {
        #expect(
          recorded.scores[site]!.total == again.scores[site]!.total, "\(method.name) at \(site)")
      }
      #expect(recorded.scores.values.count { $0.total != 0 } > sites.count / 2)
    }
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
