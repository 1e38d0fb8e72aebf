// What else could have been put in the source's place: another item, silence, noise, the source played
// backwards. Each moves the base run as far as the source does, and none knows the right answer
// (`paper/definitions.md`, D119).

import Corpus
import Speech
import Tensor

/// What is put into the changed window.
public enum Sham: String, Codable, Sendable, CaseIterable {
  /// The source itself: what shams are compared with.
  case source
  case wrongItem = "wrong item"
  case silence
  case noise = "white noise"
  case backwards = "played backwards"
}

/// What a run says at the position where the answers differ.
public struct ShamReading: Codable, Sendable, Equatable {
  /// log p of the pair's two answers, in nats.
  public let clean: Double
  public let corrupt: Double
  /// The mean log p of the bystanders: answers to the same question that neither the pair nor the
  /// wrong item has.
  public let bystanders: Double
  /// The most probable token.
  public let token: Int

  public init(clean: Double, corrupt: Double, bystanders: Double, token: Int) {
    (self.clean, self.corrupt, self.bystanders, self.token) = (clean, corrupt, bystanders, token)
  }

  /// LD, the logit difference of the two answers.
  public var difference: Double { clean - corrupt }
  /// log p of the clean answer over that of bystanders. The corrupt answer is not part of it, so that
  /// erasing that one alone moves it neither way.
  public var advantage: Double { clean - bystanders }
}

/// What shams do to one pair.
public struct ShamPair: Codable, Sendable {
  public let clean: ShamReading
  public let corrupt: ShamReading
  /// The corrupt run with each sham of the clean one, in the order of `Sham.allCases`.
  public let patched: [ShamReading]
  /// The token of the clean answer.
  public let answer: Int

  public subscript(sham: Sham) -> ShamReading { patched[Sham.allCases.firstIndex(of: sham)!] }

  /// How far the clean run lies from the corrupt one.
  public func gap(_ quantity: (ShamReading) -> Double) -> Double {
    quantity(clean) - quantity(corrupt)
  }

  /// How far a sham moves the corrupt run.
  public func change(by sham: Sham, _ quantity: (ShamReading) -> Double) -> Double {
    quantity(self[sham]) - quantity(corrupt)
  }

  /// How much further LD is moved by the source than by a sham, in nats.
  public func beyond(_ sham: Sham) -> Double { self[.source].difference - self[sham].difference }

  /// Whether the patched run's most probable token is the clean answer.
  public func restores(_ sham: Sham) -> Bool { self[sham].token == answer }
}

/// A pair's two runs, an unrelated item's, and the positions that stand for the changed phone.
public struct WindowedPair: Sendable {
  public let pair: MinimalPair
  public let clean: Trace
  public let corrupt: Trace
  /// The clean member of another pair of the same voice and slot that shares no answer.
  public let stranger: Trace
  /// Milliseconds from the changed phone here to that of the unrelated item.
  let shift: Double
  /// First tokens of the answers that the pair and the unrelated item have.
  let answers: Set<Int>
  let site: Site
  let positions: [Int]
  let wave: Waveform

  /// - Parameters:
  ///   - site: where the window is
  ///   - window: follows the changed phone
  ///   - root: the folder below which the recordings lie
  public init(
    _ pair: MinimalPair, of suite: PairSuite, _ speech: SpeechModel, at site: Site,
    _ window: PairWindow, root: String
  ) throws {
    (clean, corrupt) = try speech.sharingFrames(pair, root: root)
    let theirs = try suite.unrelated(to: pair)
    let other = try speech.questions(for: theirs, root: root).clean
    stranger = try speech.model.trace(other)
    shift = theirs.onset - pair.onset
    answers = [corrupt.question.answer, corrupt.question.foil, other.answer, other.foil]
    self.pair = pair
    self.site = site
    positions = try window.positions(
      in: corrupt.place(of: site).spans, changed: pair.changed, of: "\(site)")
    wave = try pair.clean.waveform(root: root)
  }
}

extension MinimalPair {
  /// The changed phone, in both members.
  public var changed: TimeSpan {
    TimeSpan(clean.phones[changedPhone].start, clean.phones[changedPhone].end)
  }
}

extension SpeechModel {
  /// The runs of both members, with what passes beside the encoder. Where the sound decides which frames
  /// become tokens, both keep those of the corrupt member.
  public func sharingFrames(_ pair: MinimalPair, root: String) throws -> (
    clean: Trace, corrupt: Trace
  ) {
    let asked = try questions(for: pair, root: root)
    let first = try model.trace(asked.corrupt)
    func run(_ question: Question) throws -> Trace {
      try model.trace(question.keepingFrames(of: first), keeping: model.branchSites)
    }
    return (try run(asked.clean), try run(asked.corrupt))
  }

  /// The first tokens of all answers to each prompt of a suite.
  public func firstTokens(ofAnswersIn suite: PairSuite) throws -> [String: Set<Int>] {
    try Dictionary(grouping: suite.pairs, by: \.prompt).mapValues { pairs in
      let answers = Set(pairs.flatMap { [$0.answers.clean, $0.answers.corrupt] })
      return Set(try answers.compactMap { try textTokens($0).first })
    }
  }

  /// What each sham in the changed window makes of the corrupt run.
  ///
  /// - Parameters:
  ///   - bystanders: first tokens of all answers to the pair's question
  ///   - random: split by the pair's name, for its noise
  public func shams(_ pair: WindowedPair, bystanders: Set<Int>, _ random: Random) throws
    -> ShamPair
  {
    let others = bystanders.subtracting(pair.answers).sorted()
    guard !others.isEmpty else {
      throw CellError(
        "pair \(pair.pair.id): its question has no other answers; give a suite with more words")
    }
    let patches = try Sham.allCases.map { sham -> [Patch] in
      let donor = try donor(sham, for: pair, random)
      guard let rows = try donor.rows(for: Cell(pair.site), pair.positions, pair.corrupt) else {
        throw CellError("pair \(pair.pair.id): \(sham.rawValue) has no such positions")
      }
      return [Patch(pair.site, positions: pair.positions, taking: rows)]
    }
    let question = pair.corrupt.question
    func said(_ logits: Tensor) -> ShamReading {
      let row = question.answers.shared.count
      let log = LogProbabilities(logits, row: row)
      let best = (1..<logits.width).reduce(0) { logits[row, $1] > logits[row, $0] ? $1 : $0 }
      return ShamReading(
        clean: log[question.answer], corrupt: log[question.foil],
        bystanders: others.reduce(0) { $0 + log[$1] } / Double(others.count), token: best)
    }
    return ShamPair(
      clean: said(pair.clean.logits), corrupt: said(pair.corrupt.logits),
      patched: try model.logits(pair.corrupt, patches).map(said), answer: question.answer)
  }

  private func donor(_ sham: Sham, for pair: WindowedPair, _ random: Random) throws -> Donor {
    let wave = pair.wave
    let samples: [Float]
    switch sham {
    case .source: return .source(pair.clean)
    case .wrongItem:
      return .unrelated(pair.stranger, shift: pair.shift, matching: pair.clean)
    case .silence: samples = [Float](repeating: 0, count: wave.samples.count)
    case .noise: samples = wave.whiteNoise(random.split(pair.pair.id)).samples
    case .backwards: samples = wave.samples.reversed()
    }
    let sound = try clip(Waveform(samples: samples, rate: wave.rate))
    let asked = Question(
      clip: sound, tokens: pair.corrupt.question.tokens, answer: pair.corrupt.question.answer,
      foil: pair.corrupt.question.foil)
    let trace = try model.trace(asked.keepingFrames(of: pair.corrupt))
    return .unrelated(trace, shift: 0, matching: pair.clean)
  }
}

extension Waveform {
  /// White noise as long as the recording and of the same mean power.
  func whiteNoise(_ random: Random) -> Waveform {
    var random = random
    let noise = samples.map { _ in random.normal() }
    func power(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 } }
    let gain = (power(samples.map(Double.init)) / max(power(noise), .leastNormalMagnitude))
      .squareRoot()
    return Waveform(samples: noise.map { Float(gain * $0) }, rate: rate)
  }
}
