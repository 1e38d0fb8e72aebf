// Judges of free answers: commands of the user's choice, each asked twice with the answers' places swapped
// (`paper/definitions.md`, D169). What a judge does not answer is a failure that is counted.

import JSON
import Tensor

/// An answer to be judged beside the reference.
public struct JudgedAnswer: Codable, Hashable, Sendable {
  public let id: String
  public let question: String
  /// What the judge is told in the place of the sound (`meta_info`).
  public let description: String
  public let reference: String
  public let answer: String

  public init(id: String, question: String, description: String, reference: String, answer: String)
  {
    (self.id, self.question, self.description) = (id, question, description)
    (self.reference, self.answer) = (reference, answer)
  }
}

/// What one judge says of one answer: the mean of both orders, or why there is none.
public struct Judgement: Codable, Hashable, Sendable {
  public let reference: Double?
  public let answer: Double?
  /// How much higher the first place was scored than the second, mean of both orders.
  public let firstPlace: Double?
  public let failure: String?

  public init(reference: Double?, answer: Double?, firstPlace: Double?, failure: String?) {
    (self.reference, self.answer) = (reference, answer)
    (self.firstPlace, self.failure) = (firstPlace, failure)
  }
}

/// A command that reads one JSON object from standard input and writes two scores from 1 to 10, separated
/// by white space, to standard output:
///
///     {"answer_1": "...", "answer_2": "...", "meta_info": "...", "question": "..."}
///
/// It is not told which of the two is the reference.
public struct Judge: Sendable {
  public let name: String
  public let executable: String
  public let arguments: [String]
  /// Seconds after which it is killed, with all that it has started.
  public let limit: Double

  public init(_ name: String, _ executable: String, _ arguments: [String] = [], limit: Double = 120)
  {
    (self.name, self.executable, self.arguments) = (name, executable, arguments)
    self.limit = limit
  }

  /// Asks twice, with the reference first and with the answer first. Never throws: a judge that cannot be
  /// run, fails, takes too long or writes anything but two scores has failed on the item.
  public func judge(_ item: JudgedAnswer) -> Judgement {
    do {
      let first = try scores(item, item.reference, item.answer)
      let second = try scores(item, item.answer, item.reference)
      return Judgement(
        reference: (first.0 + second.1) / 2, answer: (first.1 + second.0) / 2,
        firstPlace: (first.0 - first.1 + second.0 - second.1) / 2, failure: nil)
    } catch {
      return Judgement(reference: nil, answer: nil, firstPlace: nil, failure: "\(error)")
    }
  }

  private func scores(_ item: JudgedAnswer, _ first: String, _ second: String) throws
    -> (Double, Double)
  {
    let request: JSON = [
      "question": .string(item.question), "meta_info": .string(item.description),
      "answer_1": .string(first), "answer_2": .string(second),
    ]
    let command = ReadersCommand(
      executable: executable, arguments: arguments, limit: limit, longest: 4096)
    let said: [UInt8]
    do { said = try command.answer(to: Array((request.compactText + "\n").utf8)) } catch {
      throw CellError("\(name) (\(executable)) \(error)")
    }
    let text = String(decoding: said, as: UTF8.self)
    let fields = text.split(whereSeparator: \.isWhitespace)
    let values = fields.compactMap { Double($0) }.filter { (1...10).contains($0) }
    guard fields.count == 2, values.count == 2 else {
      throw CellError(
        "\(name) wrote \(quoted(text)); it should write two scores from 1 to 10")
    }
    return (values[0], values[1])
  }
}

// ## What judgements add up to

/// What one judge says of all answers.
public struct JudgeSummary: Codable, Sendable {
  public let items: Int
  /// The share of items on which it failed, with exact bounds.
  public let failed: Estimate
  /// The mean score of the answers and of the references that it judged; nil where it judged none.
  public let answer: Estimate?
  public let reference: Estimate?
  /// Between what the answers' mean lies if those that were not judged had the lowest or the highest score.
  public let lowest: Double
  public let highest: Double
  /// The share of all items in which the answer is scored above the reference; a failure is none.
  public let wins: Estimate
  /// How much higher the first place is scored, mean over what it judged.
  public let firstPlace: Estimate?

  /// - Throws: where there are no judgements, or not one group for each.
  public init(
    _ judgements: [Judgement], groups: [String], draws: Int = 10_000, _ random: Random
  ) throws {
    guard !judgements.isEmpty, judgements.count == groups.count else {
      throw CellError(
        "there are \(judgements.count) judgements and \(groups.count) groups; give one for each item"
      )
    }
    func mean(_ name: String, _ value: (Judgement) -> Double?) -> Estimate? {
      let kept = zip(judgements, groups).compactMap { judgement, group in
        value(judgement).map { ($0, group) }
      }
      guard !kept.isEmpty else { return nil }
      return ratioOfMeans(
        kept.map(\.0), kept.map { _ in 1 }, groups: kept.map(\.1), draws: draws,
        random.split(name))
    }
    items = judgements.count
    failed = clopperPearson(judgements.count { $0.answer == nil }, of: judgements.count)
    answer = mean("answer", \.answer)
    reference = mean("reference", \.reference)
    func sum(_ missing: Double) -> Double { judgements.reduce(0) { $0 + ($1.answer ?? missing) } }
    (lowest, highest) = (sum(1) / Double(items), sum(10) / Double(items))
    wins = ratioOfMeans(
      judgements.map { ($0.answer ?? 0) > ($0.reference ?? 0) ? 1 : 0 }, judgements.map { _ in 1 },
      groups: groups, draws: draws, random.split("wins")
    ).bounded(groups)
    firstPlace = mean("first place", \.firstPlace)
  }
}
