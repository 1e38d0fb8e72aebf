// Ablations of the map on the shipped checkpoints: what the corrupt run hears, and that what is measured is
// what plain patching gives.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

@Suite struct AblationRunTests {
  let suite: PairSuite
  let pairs: [MinimalPair]
  let pair: MinimalPair
  let partners: CorruptionPartners

  init() throws {
    suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    pairs = suite.pairs.filter { $0.split != "test" }
    pair = pairs.first { $0.split == "validation" && $0.slot == "b-last" }!
    partners = CorruptionPartners(pairs: pairs, ratios: (noise: 0, distractor: 0), root: root)
  }

  @Test func everyCorruptSoundIsAsLongAndAnother() throws {
    let clean = try pair.clean.waveform(root: root)
    var sounds: [[Float]] = [clean.samples]
    for kind in CorruptSound.allCases {
      let sound = try partners.sound(kind, for: pair)
      #expect(sound.samples.count == clean.samples.count && sound.rate == clean.rate)
      #expect(!sounds.contains(sound.samples), "\(kind)")
      sounds.append(sound.samples)
      #expect(try partners.sound(kind, for: pair) == sound)
    }
    #expect(sounds[4].allSatisfy { $0 == 0 })
  }

  @Test func partnersShareNothing() throws {
    for pair in pairs {
      let answers = Set([pair.answers.clean, pair.answers.corrupt])
      let (control, recording) = try partners.strangers(to: pair)
      #expect(control.clean.id != recording.clean.id)
      for other in [control, recording] {
        #expect(other.voice == pair.voice && other.slot == pair.slot)
        #expect(answers.isDisjoint(with: [other.answers.clean, other.answers.corrupt]))
      }
      let talker = try partners.talker(beside: pair)
      #expect(talker.voice != pair.voice && talker.split != "test")
      #expect(answers.isDisjoint(with: talker.text.split(separator: " ").map(String.init)))
    }
  }

  @Test func theUnrelatedPhoneBeginsWithTheChangedOne() throws {
    let other = try partners.strangers(to: pair).recording
    let (moved, whole) = (
      try partners.sound(.unrelated, for: pair).samples,
      try other.clean.waveform(root: root).samples
    )
    let (here, there) = (Int((pair.onset * 16).rounded()), Int((other.onset * 16).rounded()))
    #expect((0..<800).allSatisfy { moved[here + $0] == whole[there + $0] })
  }

  @Test(arguments: ["qwen2-audio-small", "salmonn-small", "soundwave-small"])
  func integrityHoldsUnderEveryCorruption(_ name: String) throws {
    let speech = try SpeechModel(folder: "\(root)/artifacts/\(name)")
    for kind in CorruptSound.allCases {
      let map = try speech.corruptionMap(kind, of: pair, partners)
      #expect(map.map.selfPatched.allSatisfy { $0 == 0 } && !map.map.selfPatched.isEmpty)
      #expect(map.map.allPatched.allSatisfy { $0 == 1 })
      #expect(map.map.unrelated[0][TaskWindows.answer] == nil)
      #expect(map.map.unrelated[0][TaskWindows.moment] != nil)
    }
  }

  @Test func thePairedMapIsTheTaskMap() throws {
    let speech = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    let own = try speech.corruptionMap(.paired, of: pair, partners)
    let task = try #require(
      try speech.taskMap(of: pair, .answer, unrelated: suite.unrelated(to: pair), root: root))
    #expect(own.map.sufficiency == task.map.sufficiency)
    #expect(own.map.unrelated == task.map.unrelated)
  }

  @Test func componentsAreReadFromPlainPatches() throws {
    let speech = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    let model = speech.model
    let plan = ComponentPlan(
      families: ["residual", "heads"], metered: ["residual"], windows: TaskWindows.locked,
      root: root)
    let found = try speech.componentMaps(of: pair, unrelated: suite.unrelated(to: pair), plan)
    let asked = try speech.questions(for: pair, root: root)
    let z = Site(.lm, 1, .z)
    let (clean, corrupt) = (
      try model.trace(asked.clean, keeping: [z]), try model.trace(asked.corrupt, keeping: [z])
    )
    #expect(found.runs == (clean.logitDifference, corrupt.logitDifference))
    // The divergence of the clean run from itself.
    #expect(found.clean[2] == 0 && found.corrupt[2] > 0)
    let window = 1 - TaskWindows.locked.fixed.lowerBound
    let moment = TaskWindows.locked.ofTime(pair)[window]
    func patched(_ base: Trace, _ source: Trace, _ cell: Cell) throws -> Outcome {
      let patch = try #require(
        try Selection(cell, base: base, source: source, .identity)?.patch())
      return try model.patched(base, [[patch]], reference: clean, resuming: false)[0]
    }
    let residual = found.families[0]
    let row = try #require(residual.rows.firstIndex(of: "connector.out"))
    let connector = Cell(Site(.connector, .out), moment)
    let into = try patched(corrupt, clean, connector)
    #expect(
      residual.sufficiency[0][row][window] == into.logitDifference - corrupt.logitDifference)
    #expect(
      residual.sufficiency[1][row][window] == into.probability - corrupt.outcome.probability)
    #expect(residual.sufficiency[2][row][window] == into.divergence! - found.corrupt[2])
    let away = try patched(clean, corrupt, connector)
    #expect(residual.necessity[2][row][window] == away.divergence!)
    let head = found.families[1]
    let place = try #require(head.rows.firstIndex(of: "lm.1.attn.z[2]"))
    let one = try patched(corrupt, clean, Cell(z, index: 2, moment))
    #expect(head.sufficiency[0][place][window] == one.logitDifference - corrupt.logitDifference)
    #expect(head.necessity.isEmpty && head.sufficiency.count == 1)
    #expect(head.depths[place] == "lm 1")
  }

  @Test func allComponentsTogetherAreTheLastOfTheCurve() throws {
    let speech = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    let grains = try speech.grains(of: pair, root: root).filter { $0.grain != .neurons }
    #expect(grains.map(\.rows.count) == [10, 8, 8, 29])
    #expect(grains[3].layers.map(\.members.count) == [3, 3, 3, 4, 4, 4, 4, 4])
    let runs = try speech.grainRuns(
      of: pair, unrelated: suite.unrelated(to: pair), grains, root: root)
    let singles = try speech.grainSingles(runs, grains)
    let orders = grains.indices.map { kind in
      GrainOrder(
        ranking: [singles], kind: kind, components: grains[kind].rows.count, draws: 2,
        Random(seed: 1))
    }
    let curves = try speech.grainCurves(runs, grains, orders)
    for kind in grains.indices {
      // The same components in any order.
      #expect(curves.ranked[kind].last == singles.all[kind])
      #expect(curves.random[kind].last == singles.all[kind])
      #expect(curves.ranked[kind][0] == singles.single[kind].max())
      #expect(curves.unrelated[kind][0] != curves.ranked[kind][0])
    }
    // Everything of the moment from the connector on is there whatever the encoder's sites hold.
    let task = try #require(
      try speech.taskMap(of: pair, .answer, unrelated: suite.unrelated(to: pair), root: root))
    let row = try #require(grains[0].rows.firstIndex { $0.site == Site(.connector, .out) })
    let site = try #require(speech.model.mapSites.firstIndex(of: Site(.connector, .out)))
    #expect(
      singles.single[0][row] == task.effect(.sufficiency, site, TaskWindows.moment))
  }

  @Test func sweptWindowsArePatchedPlainly() throws {
    let speech = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    let sweep = try speech.windowSweep(of: pair, unrelated: suite.unrelated(to: pair), root: root)
    #expect(sweep.milliseconds == 40)
    let runs = try speech.sharingFrames(pair, root: root)
    let site = Site(.connector, .out)
    let spans = try runs.corrupt.place(of: site).spans
    #expect(sweep.sufficiency.map(\.count) == WindowSweep.sizes.map { spans.count + $0 - 1 })
    #expect(
      sweep.changed.allSatisfy {
        spans[$0]!.centre >= pair.changed.start && spans[$0]!.centre < pair.changed.end
      })
    let first = sweep.changed[0]
    let plain = try speech.model.patched(
      runs.clean, from: runs.corrupt, cells: [[Cell(site, .positions(first, first + 4))]])
    #expect(sweep.necessity[2][first + 3] == plain[0])
    // The first place holds the first position alone, whatever the size.
    #expect(sweep.sufficiency.allSatisfy { $0[0] == sweep.sufficiency[0][0] })
    #expect(sweep.whole == [sweep.clean, sweep.corrupt])
  }

  @Test(arguments: ["qwen2-audio-small", "salmonn-small", "soundwave-small"])
  func numbersThatMustStayStay(_ name: String) throws {
    let speech = try SpeechModel(folder: "\(root)/artifacts/\(name)")
    let windows = LockedWindows(width: 240, fixed: -1..<2, phones: 0...0, text: 1)
    let plan = NumericsPlan(windows: windows, company: Array(pairs.suffix(4)), root: root)
    let settings = NumericsSetting.allCases
    let found = try speech.numerics(
      of: pair, settings.map { ($0, try speech.recast($0)) }, plan)
    #expect(found.count == settings.count + 1)
    for (setting, numbers) in zip(settings, found) {
      guard let bound = setting.bound else { continue }
      #expect(numbers.logits! <= bound && numbers.cells ?? 0 <= bound, "\(name): \(setting)")
      #expect(numbers.isSameText ?? true)
    }
    func logits(_ setting: NumericsSetting) -> Double {
      found[settings.firstIndex(of: setting)!].logits!
    }
    // Eight bits of a number's digits against eleven, both far below what another recording does.
    #expect(logits(.activationsBF16) > logits(.activationsF16) && logits(.activationsF16) > 0)
    #expect(found.last!.logits! > 4 * logits(.activationsBF16))
    // What pads a clip is silence already, and Soundwave keeps none of it.
    #expect((logits(.silence300) > 0) == (name != "soundwave-small"))
    #expect(found.last!.cells == nil)
  }
}
