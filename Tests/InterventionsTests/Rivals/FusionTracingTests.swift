// Causal tracing of the fusion of sound and text: every cell against a plain run, depths and claims by hand,
// and the shipped checkpoints under silence.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private typealias Cell = Interventions.Cell

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

@Suite struct FusionTracingTests {
  let small = Small()
  let clean: Trace
  let silent: Trace
  let other: Trace

  init() throws {
    let sites = small.model.residualSites
    clean = try small.model.trace(small.source, keeping: sites)
    silent = try small.model.trace(small.question, keeping: sites)
    other = try small.model.trace(small.other, keeping: sites)
  }

  private func traced(every: Int = 1) throws -> FusionReading {
    try small.model.fusionTracing(
      clean: clean, silent: silent, unrelated: other, shift: 20, every: every)
  }

  private func site(_ depth: Double) -> Site {
    depth == 0 ? Site(.lm, .embed) : Site(.lm, Int(depth) - 1, .residPost)
  }

  private func positions(_ place: FusionPlace) -> [Int] {
    let count = small.question.tokens.count
    let sound = small.question.tokens.indices.filter { small.question.tokens[$0] == 2 }
    return switch place {
    case .last: [count - 1]
    case .text: Array((count - 4)..<count)
    case .sound: sound
    }
  }

  @Test func everyCellIsWhatAPlainRunSays() throws {
    let found = try traced()
    for place in FusionPlace.allCases {
      for (depth, outcome) in zip(found[place].depths, found[place].source) {
        let own = positions(place)
        let rows = try clean.rows(of: Cell(site(depth)), at: own)
        let plain = try small.run(small.question, at: site(depth)) { x in
          small.replaced(x, own) { row, j in rows[own.firstIndex(of: row)!, j] }
        }
        #expect(outcome.logitDifference == plain.difference, "\(place) \(depth)")
      }
    }
  }

  @Test func theControlMovesTheLastPositionAsFar() throws {
    let found = try traced()[.last]
    let own = positions(.last)
    for (depth, outcome) in zip(found.depths, found.unrelated).dropFirst() {
      let cell = Cell(site(depth))
      let base = try silent.rows(of: cell, at: own)
      let real = try clean.rows(of: cell, at: own) - base
      // The last position of the longer run.
      let move = try other.rows(of: cell, at: [small.other.tokens.count - 1]) - base
      let rows = base + move * Float(real.norm / move.norm)
      #expect(abs((rows - base).norm - real.norm) < 1e-4 * real.norm)
      let plain = try small.run(small.question, at: site(depth)) { x in
        small.replaced(x, own) { _, j in rows[0, j] }
      }
      #expect(outcome.logitDifference == plain.difference, "\(depth)")
    }
    #expect(found.unrelated.last != found.source.last)
  }

  @Test func bothEndsAreKnown() throws {
    let found = try traced()
    #expect(found.selfPatched == [0, 0] && found.allPatched == [1, 1])
    for metric in [Metric.probability, .logitDifference] {
      let (last, text) = (found.recovery(.last, metric), found.recovery(.text, metric))
      let sound = found.recovery(.sound, metric)
      // The prompt is the same in both runs, and nothing reads the sound behind the last layer.
      #expect(last.first == 0 && text.first == 0 && sound.last == 0)
      #expect(last.last == 1 && text.last == 1 && sound.first == 1)
    }
  }

  @Test func coarseDepthsAreAmongTheFineOnes() throws {
    let (fine, coarse) = (try traced(), try traced(every: 2))
    #expect(coarse[.last].depths == [0, 1, 2, 3] && coarse[.sound].depths == [0, 1, 3])
    #expect(coarse[.sound].source == [0, 1, 3].map { fine[.sound].source[$0] })
    #expect(coarse[.text].unrelated == [0, 1, 3].map { fine[.text].unrelated[$0] })
  }

  @Test func whatCannotBeTracedSaysWhy() throws {
    func message(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return ""
    }
    for every in [0, 4] {
      #expect(message { _ = try traced(every: every) }.contains("give 1 to 3"))
    }
    let longer = message {
      _ = try small.model.fusionTracing(
        clean: other, silent: silent, unrelated: clean, shift: 0, every: 1)
    }
    #expect(longer.contains("silence as long as the recording"))
    #expect(
      message {
        _ = try [FusionReading]().summary(
          .probability, groups: [], draws: 10, Random(seed: 1))
      }.contains("one group for each"))
    let coarse = try traced(every: 3)
    #expect(
      message {
        _ = try [coarse].summary(.probability, groups: ["a"], draws: 10, Random(seed: 1))
      }.contains("behind more layers"))
  }

  @Test(arguments: ["qwen2-audio-small", "salmonn-small", "soundwave-small"])
  func silenceTakesTheAnswerAwayAndTheLastPositionBringsItBack(_ name: String) throws {
    let suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    let speech = try SpeechModel(folder: "\(root)/artifacts/\(name)")
    let pair = suite.pairs.first { $0.split == "validation" && $0.slot == "a" }!
    let found = try speech.fusionTracing(
      of: pair, unrelated: suite.unrelated(to: pair), root: root)
    #expect(found.enters(minimumGap: 1) && found.layers == 5)
    #expect(found.selfPatched == [0, 0] && found.allPatched == [1, 1])
    #expect(found.recovery(.last, .probability).last == 1)
    #expect(found.recovery(.sound, .probability).first == 1)
    let wrong = suite.pairs.first { $0.prompt != pair.prompt }!
    for other in [wrong, pair] {
      do {
        _ = try speech.fusionTracing(of: pair, unrelated: other, root: root)
        Issue.record("a control that is none was taken")
      } catch { #expect("\(error)".contains(pair.id) && "\(error)".contains("same prompt")) }
    }
  }
}

/// A tracing of six layers of which the answer's probability is known.
private func planted(
  last: [Double], sound: [Double], unrelated: [Double]? = nil, gap: Double = 0.8
) -> FusionReading {
  func said(_ recovery: Double) -> Outcome {
    Outcome(
      logitDifference: 4 * recovery, probability: 0.1 + gap * recovery, foilProbability: 0,
      sequence: nil, divergence: nil)
  }
  func curve(_ values: [Double], _ control: [Double]) -> FusionCurve {
    FusionCurve(
      depths: (0...6).map(Double.init), source: values.map(said), unrelated: control.map(said))
  }
  let none = [Double](repeating: 0, count: 7)
  return FusionReading(
    layers: 6, clean: said(1), silent: said(0),
    curves: [curve(last, unrelated ?? none), curve(last, none), curve(sound, none)])
}

@Suite struct FusionSummaryTests {
  let late = [0, 0, 0, 0.25, 0.75, 0.95, 1]
  let early = [0, 0.7, 0.9, 0.95, 1, 1, 1]
  let sound = [1, 1, 1, 0.9, 0.7, 0.3, 0]
  let groups = (0..<8).map { "g\($0)" }

  private func summary(
    _ readings: [FusionReading], _ metric: Metric = .probability
  ) throws -> FusionSummary {
    try readings.summary(metric, groups: groups, draws: 200, Random(seed: 1))
  }

  @Test func depthsOfTheHandOverAreThoseThatWerePlanted() throws {
    // Gaps that differ weigh pairs, but all recover alike.
    let found = try summary(
      (0..<8).map { planted(last: late, sound: sound, gap: 0.4 + 0.05 * Double($0)) })
    #expect(abs(found.rises!.value - 3.5) < 1e-9)
    #expect(abs(found.falls!.value - 4.5) < 1e-9)
    // 0.25 - 0.9 at three layers, 0.75 - 0.7 at four.
    #expect(abs(found.crosses!.value - (3 + 0.65 / 0.7)) < 1e-9)
    #expect(found.half == 3 && found.depths[2] == (0...6).map(Double.init))
    #expect(abs(found.recovery[0][4].value - 0.75) < 1e-9)
    // From three layers on; and the mean at four and five.
    #expect(abs(found.gain.last.value - 0.75) < 1e-9 && abs(found.gain.sound.value - 0.9) < 1e-9)
    #expect(abs(found.carried.last.value - 0.85) < 1e-9)
    #expect(abs(found.carried.sound.value - 0.5) < 1e-9 && found.carried.unrelated.value == 0)
    #expect(
      found.carried.text == found.carried.last
        || found.carried.text.value == found.carried.last.value)
    #expect(found.rows(of: "m").map(\.holds) == [true, true])
  }

  @Test func recoveryIsARatioOfMeans() throws {
    let readings = (0..<8).map { i in
      planted(last: i == 0 ? early : late, sound: sound, gap: i == 0 ? 0.8 : 0.1)
    }
    let found = try summary(readings)
    #expect(abs(found.recovery[0][3].value - (0.8 * 0.95 + 0.7 * 0.25) / 1.5) < 1e-9)
    // The other metric weighs them alike.
    let other = try summary(readings, .logitDifference)
    #expect(abs(other.recovery[0][3].value - (0.95 + 7 * 0.25) / 8) < 1e-9)
  }

  @Test func claimsCanFail() throws {
    let soon = try summary((0..<8).map { _ in planted(last: early, sound: sound) })
    #expect(soon.rows(of: "m").map(\.holds) == [false, true])
    let slow = try summary(
      (0..<8).map { _ in planted(last: [0, 0, 0, 0, 0.1, 0.3, 1], sound: sound) })
    #expect(slow.rows(of: "m").map(\.holds) == [true, false])
    let strong = try summary(
      (0..<8).map { _ in planted(last: late, sound: sound, unrelated: late) })
    #expect(strong.rows(of: "m").map(\.holds) == [false, false])
    let never = try summary((0..<8).map { _ in planted(last: sound, sound: late) })
    #expect(never.rises == nil && never.falls == nil && never.crosses == nil)
  }

  @Test func whatSilenceDoesNotTakeAwayDoesNotEnter() {
    #expect(planted(last: late, sound: sound).enters(minimumGap: 1))
    #expect(!planted(last: late, sound: sound).enters(minimumGap: 5))
    #expect(!planted(last: late, sound: sound, gap: -0.05).enters(minimumGap: 1))
  }
}
