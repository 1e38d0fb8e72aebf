// What becomes of transcripts under steering, by strength: whether they turn to the target, and whether they
// are texts of the task at all. AR&D (arXiv 2602.22253) report that output degenerates from a strength of 20
// on (`paper/definitions.md`, D165).

import Speech
import Tensor

/// Why a text is none of the task.
public enum Degeneration: String, Codable, Sendable, CaseIterable {
  case empty
  case unfinished
  case unknownWord = "outside the vocabulary"
  case repeated
  case tooLong = "too long"
}

/// What the texts of a task are like.
public struct TaskTexts: Sendable {
  let vocabulary: Set<String>
  /// The most words of a text, and the most that are the same one.
  let longest: Int
  let mostAlike: Int

  /// - Throws: where there is no word.
  public init(_ texts: [String]) throws {
    let all = texts.map(normalisedWords)
    vocabulary = Set(all.joined())
    longest = all.map(\.count).max() ?? 0
    mostAlike = all.map(TaskTexts.alike).max() ?? 0
    guard longest > 0 else { throw CellError("the task has no texts; give those that are spoken") }
  }

  private static func alike(_ words: [String]) -> Int {
    Dictionary(grouping: words) { $0 }.values.map(\.count).max() ?? 0
  }

  /// The first reason for which a text is none of the task; nil where it may be one.
  public func degeneration(of said: SteeredText) -> Degeneration? {
    let words = normalisedWords(said.text)
    if words.isEmpty { return .empty }
    if !said.ended { return .unfinished }
    if !vocabulary.isSuperset(of: words) { return .unknownWord }
    if TaskTexts.alike(words) > mostAlike || zip(words, words.dropFirst()).contains(where: ==) {
      return .repeated
    }
    return words.count > longest ? .tooLong : nil
  }
}

/// What becomes of texts at one strength.
public struct SteeringPoint: Codable, Sendable {
  /// The share that has the target's word and not the one that is said, and is a text of the task.
  public let turned: Estimate
  /// The share that is none.
  public let degenerate: Estimate
  /// What each text takes in the run as it is, in nats a token.
  public let surprise: Estimate
}

/// By strength, beside the matched control and the patch of the changed phone's moment.
public struct SteeringCurve: Codable, Sendable {
  public let strengths: [Double]
  public let steered: [SteeringPoint]
  public let control: [SteeringPoint]
  public let patched: SteeringPoint
  /// By strength: how much more of the texts are turned than with the control.
  public let over: [Estimate]
}

extension [SteeredPair] {
  /// - Parameters:
  ///   - strengths: as they were tried
  ///   - draws: bootstrap samples
  /// - Throws: where there is no pair, or one was tried at other strengths.
  public func curve(_ strengths: [Double], of task: TaskTexts, draws: Int, _ random: Random) throws
    -> SteeringCurve
  {
    let counts = Set(flatMap { [$0.steered.count, $0.control.count] })
    guard counts == [strengths.count] else {
      throw CellError("no pair was steered, or one at other strengths; transcribe some pairs first")
    }
    let groups = map(\.group)
    func mean(_ values: [Double], _ random: Random) -> Estimate {
      ratioOfMeans(values, values.map { _ in 1 }, groups: groups, draws: draws, random)
    }
    /// Where none or all are, the bounds are those of as many independent groups.
    func share(_ flags: [Bool], _ random: Random) -> Estimate {
      let hits = flags.count { $0 }
      guard hits == 0 || hits == flags.count else { return mean(flags.map { $0 ? 1 : 0 }, random) }
      let units = Set(groups).count
      return clopperPearson(hits == 0 ? 0 : units, of: units)
    }
    func isTurned(_ pair: SteeredPair, _ said: SteeredText) -> Bool {
      let words = normalisedWords(said.text)
      return words.contains(pair.target) && !words.contains(pair.base)
        && task.degeneration(of: said) == nil
    }
    func point(_ name: String, _ said: (SteeredPair) -> SteeredText) -> SteeringPoint {
      let stream = random.split(name)
      return SteeringPoint(
        turned: share(map { isTurned($0, said($0)) }, stream.split("turned")),
        degenerate: share(
          map { task.degeneration(of: said($0)) != nil }, stream.split("degenerate")),
        surprise: mean(map { said($0).surprise }, stream.split("surprise")))
    }
    return SteeringCurve(
      strengths: strengths,
      steered: strengths.indices.map { s in point("steered \(s)") { $0.steered[s] } },
      control: strengths.indices.map { s in point("control \(s)") { $0.control[s] } },
      patched: point("patched", \.patched),
      over: strengths.indices.map { s in
        mean(
          map { (isTurned($0, $0.steered[s]) ? 1 : 0) - (isTurned($0, $0.control[s]) ? 1 : 0) },
          random.split("over \(s)"))
      })
  }
}
