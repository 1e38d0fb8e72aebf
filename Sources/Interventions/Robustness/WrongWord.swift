// What noise that was made for one wrong word comes to, with and without an intervention (`paper/definitions.md`,
// D162).

import Corpus
import JSON
import Speech
import Tensor

/// A recording, the wrong text that noise is made for, and that noise.
public struct WrongWord: Sendable {
  public let utterance: Utterance
  public let target: String

  /// The clean member of a pair; its word is to become that of a pair that has nothing to do with it.
  ///
  /// - Throws: where the pair's answer is no word of the text.
  public init(_ pair: MinimalPair, unrelated other: MinimalPair) throws {
    utterance = pair.clean
    var words = pair.clean.text.split(separator: " ").map(String.init)
    guard let place = words.firstIndex(of: pair.answers.clean) else {
      throw CellError(
        "pair \(pair.id): \(quoted(pair.answers.clean)) is no word of \(quoted(pair.clean.text))")
    }
    words[place] = other.answers.clean
    target = words.joined(separator: " ")
  }
}

/// What one intervention comes to.
public struct WrongWordReading: Codable, Sendable {
  public let arm: NoiseArm
  public let strength: NoiseStrength?
  /// The share of recordings whose text is the wrong one that the noise is for, and the share whose text is
  /// right to the word; both nil where no strength was chosen.
  public var hit: Estimate?
  public var right: Estimate?
  /// Without noise, the word error rate less that of nothing done.
  public var cost: Estimate?
}

/// Recordings with such noise and without any, and what was written for each.
public struct WrongWordTest: Sendable {
  private let perturbed: [(word: WrongWord, heard: HeardInNoise)]
  private let clean: NoiseTest
  private let draws: Int

  /// - Parameters:
  ///   - words: the targets of those of `recordings` that have noise, in their order
  ///   - draws: of the bootstrap
  public init(
    _ words: [WrongWord], _ recordings: [NoisyRecording], _ heard: [HeardInNoise], draws: Int
  ) {
    let noisy = zip(recordings, heard).filter { !$0.0.isClean }.map(\.1)
    perturbed = zip(words, noisy).map { (word: $0, heard: $1) }
    clean = NoiseTest(recordings, heard, draws: draws)
    self.draws = draws
  }

  public func reading(_ arm: NoiseArm, _ strength: NoiseStrength?, _ random: Random)
    -> WrongWordReading
  {
    var reading = WrongWordReading(arm: arm, strength: strength)
    guard let trial = strength.map({ NoiseTrial(arm, $0) }) else { return reading }
    let random = random.split(arm.name)
    reading.hit = bounded(share(random.split("hit")) { self.hits(trial, $0, $1) })
    reading.right = bounded(share(random.split("right")) { self.rights(trial, $0, $1) })
    reading.cost = clean.excess(of: trial, over: .nothing, random.split("cost")) { $0.isClean }
    return reading
  }

  /// How much larger the share of wrong texts is under one trial than under another.
  public func excessHits(of trial: NoiseTrial, over other: NoiseTrial, _ random: Random) -> Estimate
  {
    share(random) { self.hits(trial, $0, $1) - self.hits(other, $0, $1) }
  }

  /// How much larger the share of right texts is.
  public func excessRights(of trial: NoiseTrial, over other: NoiseTrial, _ random: Random)
    -> Estimate
  {
    share(random) { self.rights(trial, $0, $1) - self.rights(other, $0, $1) }
  }

  /// Where it is none or all, draws have no width, and the bounds are exact, over sentences by speaker.
  private func bounded(_ share: Estimate) -> Estimate {
    guard share.value == 0 || share.value == 1 else { return share }
    let groups = Set(perturbed.map { group(of: $0.word) }).count
    return clopperPearson(share.value == 0 ? 0 : groups, of: groups)
  }

  private func group(of word: WrongWord) -> String {
    "\(word.utterance.text) | \(word.utterance.voice)"
  }

  private func share(_ random: Random, _ value: (WrongWord, HeardInNoise) -> Double) -> Estimate {
    ratioOfMeans(
      perturbed.map { value($0.word, $0.heard) }, perturbed.map { _ in 1 },
      groups: perturbed.map { group(of: $0.word) },
      draws: draws, random)
  }

  private func hits(_ trial: NoiseTrial, _ word: WrongWord, _ heard: HeardInNoise) -> Double {
    heard.score(trial, of: word.target).exact
  }

  private func rights(_ trial: NoiseTrial, _ word: WrongWord, _ heard: HeardInNoise) -> Double {
    heard.score(trial, of: word.utterance.text).exact
  }
}
