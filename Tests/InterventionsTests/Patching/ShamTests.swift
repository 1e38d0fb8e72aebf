// Shams, gates and directed generation of a shipped checkpoint, each against patches made by hand and
// computed by a full run.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

@Suite struct ShamTests {
  static let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../..")
    .standardized.path
  static let speech = Result { try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small") }
  static let suite = Result { try PairSuite(manifest: "\(root)/data-manifests/evaluation.json") }
  let site = Site(.connector, .out)
  let speech: SpeechModel
  let suite: PairSuite
  let pair: MinimalPair
  let runs: WindowedPair

  init() throws {
    speech = try Self.speech.get()
    suite = try Self.suite.get()
    pair = suite.pairs.first { $0.split == "discovery" && $0.prompt == "first thing:" }!
    runs = try WindowedPair(
      pair, of: suite, speech, at: site, .changed(margin: 60), root: Self.root)
  }

  /// The positions of the connector whose centre lies within 60 ms of the changed phone: every 40 ms from
  /// 10 ms on.
  private var positions: [Int] {
    let phone = pair.clean.phones[pair.changedPhone]
    return (0..<200).filter {
      let centre = 10 + 40 * Double($0)
      return phone.start - 60 <= centre && centre < phone.end + 60
    }
  }

  /// The corrupt run with rows put in by hand: the logits of its last position.
  private func logits(_ base: Trace, _ rows: Tensor) throws -> [Double] {
    let tap = Tap([site]) { _, x in
      var numbers = x.numbers
      for (i, p) in positions.enumerated() {
        for j in 0..<x.width { numbers[p * x.width + j] = rows[i, j] }
      }
      return Tensor(x.shape, numbers)
    }
    let run = try speech.model.run(base.question.input, tap: tap)
    return (0..<run.logits.width).map { Double(run.logits[run.logits.rows - 1, $0]) }
  }

  /// The connector's rows of a sound at some positions, by a full run.
  private func rows(_ wave: Waveform, at positions: [Int]) throws -> Tensor {
    var kept: Tensor?
    let clip = try speech.clip(wave)
    let tokens = try speech.tokens(for: pair.prompt, clip: clip)
    _ = try speech.model.run(
      ModelInput(clip: clip, tokens: tokens),
      tap: Tap([site]) { _, x in
        kept = x
        return x
      })
    return gatherRows(kept!.detached, positions)
  }

  @Test func shamsMoveAsFarAsTheSource() throws {
    let words = try speech.firstTokens(ofAnswersIn: suite)[pair.prompt]!
    #expect(words.count == 24)
    let found = try speech.shams(runs, bystanders: words, Random(seed: 1))
    let other = try suite.unrelated(to: pair)
    let own = try [pair, other].flatMap {
      try [$0.answers.clean, $0.answers.corrupt].map { try speech.textTokens($0)[0] }
    }
    let bystanders = words.subtracting(own)
    #expect(bystanders.count == 20)
    func said(_ logits: [Double]) -> ShamReading {
      let top = logits.max()!
      let normaliser = top + log(logits.reduce(0) { $0 + exp($1 - top) })
      return ShamReading(
        clean: logits[own[0]] - normaliser, corrupt: logits[own[1]] - normaliser,
        bystanders: bystanders.reduce(0) { $0 + logits[$1] - normaliser } / 20,
        token: logits.firstIndex(of: top)!)
    }
    func expectEqual(_ a: ShamReading, _ b: ShamReading, _ name: String) {
      #expect(abs(a.clean - b.clean) < 1e-4 && abs(a.corrupt - b.corrupt) < 1e-4, "\(name)")
      #expect(abs(a.bystanders - b.bystanders) < 1e-4 && a.token == b.token, "\(name)")
    }
    let clean = try pair.clean.waveform(root: Self.root)
    let corrupt = try pair.corrupt.waveform(root: Self.root)
    let base = try rows(corrupt, at: positions)
    let source = try rows(clean, at: positions)
    let wanted = (source - base).norm
    expectEqual(found.corrupt, said(try logits(runs.corrupt, base)), "unpatched")
    expectEqual(found[.source], said(try logits(runs.corrupt, source)), "source")
    func sham(_ theirs: Tensor) throws -> ShamReading {
      let move = theirs - base
      return said(try logits(runs.corrupt, base + move * Float(wanted / move.norm)))
    }
    let silence = Waveform(samples: [Float](repeating: 0, count: clean.samples.count))
    expectEqual(found[.silence], try sham(rows(silence, at: positions)), "silence")
    let backwards = Waveform(samples: clean.samples.reversed())
    expectEqual(found[.backwards], try sham(rows(backwards, at: positions)), "backwards")
    let shift = other.onset - pair.onset
    let theirs = positions.map { Int(((40 * Double($0) + shift) / 40 + 0.5).rounded(.down)) }
    expectEqual(
      found[.wrongItem],
      try sham(rows(other.clean.waveform(root: Self.root), at: theirs)), "wrong item")
    #expect(found.answer == own[0] && found.clean.token == own[0] && found.restores(.source))
    // Every sham is another one.
    #expect(Set(Sham.allCases.map { found[$0].difference }).count == Sham.allCases.count)
    #expect(throws: CellError.self) {
      try speech.shams(runs, bystanders: Set(own), Random(seed: 1))
    }
    let again = try speech.shams(runs, bystanders: words, Random(seed: 2))
    #expect(again[.noise] != found[.noise] && again[.silence] == found[.silence])
  }

  @Test func theDonorIsFollowed() throws {
    let found = try speech.directed(runs, transcribe: "transcribe:", Random(seed: 1))
    #expect(found.unpatched == Followed(answer: false, transcript: false))
    let base = try rows(pair.clean.waveform(root: Self.root), at: positions)
    let source = try rows(pair.corrupt.waveform(root: Self.root), at: positions)
    let answer = try speech.textTokens(pair.answers.clean)[0]
    let foil = try speech.textTokens(pair.answers.corrupt)[0]
    let patched = try logits(runs.clean, source)
    #expect(abs(found.patched - (patched[answer] - patched[foil])) < 1e-4)
    let before = try logits(runs.clean, base)
    #expect(abs(found.clean - (before[answer] - before[foil])) < 1e-4)
    #expect(found[.source].answer == (patched.firstIndex(of: patched.max()!) == foil))
    // Over some pairs the donor's word is said where the donor is the corrupt run, and hardly elsewhere.
    let some = suite.pairs.filter { $0.split == "discovery" && $0.prompt == "first thing:" }.prefix(
      8)
    let all = try some.map {
      try speech.directed(
        WindowedPair($0, of: suite, speech, at: site, .changed(margin: 60), root: Self.root),
        transcribe: nil, Random(seed: 1))
    }
    #expect(all.allSatisfy { $0[.source].transcript == nil })
    let counts = Director.allCases.map { director in all.count { $0[director].answer } }
    #expect(counts[0] >= 4 && counts[1] < counts[0] && counts[2] < counts[0], "\(counts)")
  }

  /// Both gates at every cut of models with one and with two encoders, and of one that drops frames.
  @Test(arguments: ["qwen2-audio-small", "salmonn-small", "soundwave-small"])
  func gatesAreExact(_ name: String) throws {
    let speech = try SpeechModel(folder: "\(Self.root)/artifacts/\(name)")
    let runs = try WindowedPair(
      pair, of: suite, speech, at: site, .changed(margin: 60), root: Self.root)
    let gates = try speech.model.gates(clean: runs.clean, corrupt: runs.corrupt)
    #expect(gates.own.count >= 16 && gates.own.count == gates.all.count)
    #expect(gates.own.allSatisfy { $0 == 0 } && gates.all.allSatisfy { $0 == 1 }, "\(gates)")
    // The same cells of another recording move something, everywhere.
    let changes = try speech.model.changes(runs.corrupt, from: runs.clean)
    #expect(changes.allSatisfy { abs($0) > 1 }, "\(changes)")
  }

  @Test func membersOfPairsAreScrubbedAsThemselves() throws {
    let pairs = suite.pairs.filter { $0.split == "validation" && $0.prompt == "first thing:" }
    let items = try speech.scrubItems(pairs, at: site, root: Self.root)
    #expect(items.count == 48 && Set(items.map(\.id)).count == 48)
    #expect(items.allSatisfy { $0.trace.logitDifference > 0 && $0.stratum == "first thing:" })
    #expect(items[1].features["answer"] == pairs[0].answers.corrupt)
    let shuffled = items.shufflingFeatures(Random(seed: 1))
    #expect(
      shuffled.map { $0.features["answer"]! }.sorted()
        == items.map { $0.features["answer"]! }.sorted())
    #expect(zip(shuffled, items).count { $0.features != $1.features } > 24)
    #expect(shuffled.map(\.id) == items.map(\.id))
    // Each trial resamples what it says.
    let expected: [(WindowTrial, DonorSampler, DonorSampler)] = [
      (.hypothesis, .other, .any), (.unimportant, .exact, .any), (.important, .any, .exact),
      (.elsewhere, .other, .any), (.shuffled, .other, .any),
    ]
    #expect(expected.map(\.0) == WindowTrial.allCases)
    for (trial, own, others) in expected {
      let cut = try trial.hypothesis(at: site, .changed(margin: 60)).root
      #expect(cut.site == site && cut.parents.count == 1)
      #expect(cut.parents[0].sampler == own && cut.others == others, "\(trial)")
      #expect(
        cut.parents[0].window
          == (trial == .elsewhere ? .elsewhere(margin: 60) : .changed(margin: 60)))
    }
    func recovered(_ trial: WindowTrial) throws -> Double {
      let found = try trial.run(
        speech.model, items, at: site, .changed(margin: 60), draws: 4, Random(seed: 2))
      return ScrubSummary(found, bootstrap: 20, Random(seed: 3)).recovered.value
    }
    let (own, shuffle) = (try recovered(.hypothesis), try recovered(.shuffled))
    #expect(own > 0.5 && shuffle < 0.25, "\(own), \(shuffle)")
  }
}
