// Windows and residual streams: each position has its place in time, windows of a partition hold
// each position once, and what is written to the stream adds up.

import Corpus
import Interventions
import Speech
import Tensor
import Testing

@Suite struct WindowTests {
  @Test(arguments: [3, 4, 41, 42, 43, 61, 85]) func positionsLieInTime(_ frames: Int) throws {
    let small = Small(frames: frames)
    let line = try small.model.trace(small.question).timeline
    #expect(line.encoder == (frames + 1) / 2 && line.audio == line.encoder / 2)
    #expect(line.tokens == line.audio + 5 && line.firstAudio == 1)
    for (stage, count) in [
      (Site.Stage.encoder, line.encoder), (.connector, line.audio), (.lm, line.tokens),
    ] {
      #expect(line.count(at: stage) == count)
      #expect(line.positions(in: .all, at: stage) == Array(0..<count))
      for position in 0..<count {
        let centre = line.centre(of: position, at: stage)
        guard stage != .lm || (1...line.audio).contains(position) else {
          #expect(centre == nil)
          continue
        }
        // An encoder position is 20 ms, an audio token the mean of two of them.
        let expected =
          stage == .encoder
          ? 20 * Double(position) : 40 * Double(stage == .lm ? position - 1 : position) + 10
        #expect(centre == expected)
        #expect(line.positions(in: .milliseconds(expected, expected + 1), at: stage) == [position])
        #expect(line.positions(in: .milliseconds(expected - 1, expected), at: stage) == [])
      }
    }
    for stage in [Site.Stage.encoder, .connector] {
      #expect(line.positions(in: .text(0, 100), at: stage) == [])
      #expect(line.positions(in: .sound, at: stage) == line.positions(in: .all, at: stage))
    }
    let behind = Array((line.audio + 1)..<line.tokens)
    #expect(line.positions(in: .text(0, nil), at: .lm) == [0] + behind)
    #expect(line.positions(in: .text(-4, nil), at: .lm) == behind)
    #expect(line.positions(in: .text(-2, -1), at: .lm) == [line.tokens - 2])
    #expect(line.positions(in: .sound, at: .lm) == Array(1...line.audio))
    #expect(line.positions(in: .positions(-1, nil), at: .lm) == [line.tokens - 1])
    #expect(line.positions(in: .positions(line.tokens - 1, 999), at: .lm) == [line.tokens - 1])
  }

  @Test(arguments: [0.0, 17.5, 200, 333.3, 900], [20.0, 25, 40, 61.7])
  func partitionsHoldEachPositionOnce(_ onset: Double, _ width: Double) throws {
    let small = Small(frames: 73)
    let line = try small.model.trace(small.question).timeline
    let pair = try twoUtterances(onset: onset)
    #expect(pair.onset == onset)
    for fixed in [-3..<4, 0..<1, -10..<0] {
      let locked = LockedWindows(width: width, fixed: fixed, phones: -2...2, text: 4)
      let windows = locked.ofTime(pair)
      #expect(windows.count == fixed.count + 2 + 4)
      for stage in [Site.Stage.encoder, .connector, .lm] {
        let found = windows.flatMap { line.positions(in: $0, at: stage) }
        let all = Array((stage == .lm ? 1 : 0)..<line.count(at: stage))
        #expect(found == all, "\(stage)")
      }
    }
    let locked = LockedWindows(width: width, fixed: 0..<1, phones: -2...2, text: 4)
    let phones = locked.ofPhones(pair)
    #expect(
      phones == [nil, .milliseconds(0, onset), .milliseconds(onset, onset + 50), nil, nil]
        || onset == 0)
  }

  /// Degenerate and reversed windows hold nothing and trap nowhere.
  @Test func emptyWindows() throws {
    let small = Small()
    let line = try small.model.trace(small.question).timeline
    for window in [
      Window.milliseconds(100, 100), .milliseconds(200, 100), .milliseconds(.nan, 100),
      .positions(5, 5), .positions(9, 3), .positions(100, 200), .positions(-1, 0), .text(9, 3),
    ] {
      for stage in [Site.Stage.encoder, .connector, .lm] {
        #expect(line.positions(in: window, at: stage) == [], "\(window) \(stage)")
      }
    }
  }

  /// A pair of one changed phone that begins at `onset` milliseconds, or at the start.
  private func twoUtterances(onset: Double) throws -> MinimalPair {
    let before = onset > 0 ? "[\"a\", 0, \(onset * 16)], " : ""
    func utterance(_ id: String) -> String {
      """
      {"id": "\(id)", "file": "\(id).wav", "text": "x", "voice": "v", "split": "test",
       "questions": [], "phones": [\(before)["\(id)", \(onset * 16), \((onset + 50) * 16)]]}
      """
    }
    let folder = try Folder()
    let path = try folder.write(
      "m.json",
      """
      {"sampleRate": 16000, "utterances": [\(utterance("b")), \(utterance("c"))], "pairs": [
       {"id": "p", "clean": "b", "corrupt": "c", "prompt": "q", "answers": ["x", "y"],
        "changedPhone": \(onset > 0 ? 1 : 0), "slot": "s", "group": "g"}]}
      """)
    return try PairSuite(manifest: path).pairs[0]
  }
}

@Suite struct ResidualTests {
  /// Each layer adds what its attention and its MLP write, and nothing else.
  @Test func theStreamIsTheSumOfItsParts() throws {
    let small = Small(seed: 31)
    let states = try small.run(small.question).states
    for (stage, layers) in [(Site.Stage.encoder, 2), (.lm, 3)] {
      for layer in 0..<layers {
        func at(_ activation: Site.Activation) -> Tensor { states[Site(stage, layer, activation)]! }
        #expect(at(.residMid).isIdentical(to: at(.residPre) + at(.attnOut)))
        #expect(at(.residPost).isIdentical(to: at(.residMid) + at(.mlpOut)))
        let before =
          layer == 0 ? Site(stage, nil, .embed) : Site(stage, layer - 1, .residPost)
        #expect(at(.residPre).isIdentical(to: states[before]!))
        for activation in [Site.Activation.z, .pattern, .mlpPost] {
          #expect(at(activation).isFinite)
        }
      }
    }
  }

  /// The audio positions of the language model are the connector's, text its embeddings.
  @Test func theSplicePutsSoundInItsPlace() throws {
    let small = Small(seed: 32)
    let (here, there) = (try small.run(small.question).states, try small.run(small.source).states)
    let count = small.model.config.sound.audioTokens(
      melFrames: small.question.clip.validFrames)
    for states in [here, there] {
      let (sound, stream) = (states[Site(.connector, nil, .out)]!, states[Site(.lm, nil, .embed)]!)
      let rows = Array(0..<count)
      #expect(gatherRows(stream, rows.map { $0 + 1 }).isIdentical(to: gatherRows(sound, rows)))
    }
    let text = [0] + Array((count + 1)..<(count + 5))
    let site = Site(.lm, nil, .embed)
    #expect(gatherRows(here[site]!, text).isIdentical(to: gatherRows(there[site]!, text)))
    #expect(!here[site]!.isIdentical(to: there[site]!))
  }

  /// A change of one activation is the change of all that comes after it: rewriting `attn.out` by
  /// hand is rewriting `resid_mid`.
  @Test func tapsActWhereTheySit() throws {
    let small = Small(seed: 33)
    for (stage, layer) in [(Site.Stage.encoder, 1), (.lm, 0), (.lm, 2)] {
      let states = try small.run(small.question).states
      let out = states[Site(stage, layer, .attnOut)]!
      let pre = states[Site(stage, layer, .residPre)]!
      let first = try small.run(small.question, at: Site(stage, layer, .attnOut)) { $0 * 2 }
      let second = try small.run(small.question, at: Site(stage, layer, .residMid)) { _ in
        pre + out * 2
      }
      #expect(first.difference == second.difference)
      #expect(try first.difference != small.run(small.question).difference)
    }
  }

  /// What lies behind the position at which answers are compared moves the windows of text, not their names.
  @Test func windowsOfTextCountFromWhereAnswersAreCompared() throws {
    let plain = try WindowPlan.whole.windows(length: 100, segments: nil, text: 2)
    let moved = try WindowPlan.whole.windows(length: 100, segments: nil, text: 2, behind: 3)
    #expect(
      plain.map(\.name) == ["sound", "text:-2", "text:-1"] && moved.map(\.name) == plain.map(\.name)
    )
    let spans: [TimeSpan?] =
      [nil, TimeSpan(0, 100)] + [TimeSpan?](repeating: nil, count: 6)
    func positions(_ windows: [GridWindow]) -> [[Int]] {
      windows.map { $0.window.positions(in: spans) }
    }
    #expect(positions(plain) == [[1], [6], [7]])
    #expect(positions(moved) == [[1], [3], [4]])
    // More windows than there is text hold nothing.
    let many = try WindowPlan.whole.windows(length: 100, segments: nil, text: 6, behind: 3)
    #expect(positions(many) == [[1], [], [], [0], [2], [3], [4]])
  }
}
