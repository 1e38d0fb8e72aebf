// A question: what a model hears and is asked, and the two answers whose probabilities are compared.

import Speech
import Tensor

/// The tokens of two answers, split where they first differ. What they share is teacher-forced, and
/// they are compared at the first token that differs (`paper/definitions.md`, D9).
public struct Answers: Hashable, Sendable {
  /// The tokens that both begin with.
  public let shared: [Int]
  /// What follows in each; neither is empty.
  public let answer: [Int]
  public let foil: [Int]

  /// - Throws: where one answer is empty, or all tokens of one are the other's first.
  public init(answer: [Int], foil: [Int]) throws {
    let count = zip(answer, foil).prefix { $0 == $1 }.count
    guard count < answer.count, count < foil.count else {
      let reason =
        answer.isEmpty || foil.isEmpty
        ? "has no tokens" : "shares all its tokens with the other"
      throw CellError(
        "one of the answers \(reason), so there is no token at which they could be compared; give "
          + "answers that differ before the shorter one ends")
    }
    shared = Array(answer[..<count])
    self.answer = Array(answer[count...])
    self.foil = Array(foil[count...])
  }

  /// The same answers with the other as the right one.
  public var swapped: Answers { Answers(shared: shared, answer: foil, foil: answer) }

  private init(shared: [Int], answer: [Int], foil: [Int]) {
    (self.shared, self.answer, self.foil) = (shared, answer, foil)
  }

  /// Two answers of one token.
  public init(_ answer: Int, _ foil: Int) {
    (shared, self.answer, self.foil) = ([], [answer], [foil])
  }
}

/// What the model heard and was asked, and the two answers that are compared.
public struct Question: Sendable {
  /// What the model is run on: the prompt, and of longer answers the tokens that are forced.
  public internal(set) var input: ModelInput
  public let answers: Answers

  /// - Parameters:
  ///   - input: the clip and the prompt's tokens
  ///   - continuing: whether the probabilities of whole answers are read in the same pass
  public init(_ input: ModelInput, _ answers: Answers, continuing: Bool = true) {
    var input = input
    input.forced = answers.shared
    let rests = [answers.answer, answers.foil].map { Array($0.dropLast()) }
    input.continuations = continuing && rests.contains { !$0.isEmpty } ? rests : []
    self.input = input
    self.answers = answers
  }

  public init(clip: Clip, tokens: [Int], answer: Int, foil: Int) {
    self.init(ModelInput(clip: clip, tokens: tokens), Answers(answer, foil))
  }

  public var clip: Clip { input.clip }
  public var tokens: [Int] { input.tokens }
  /// The tokens at which the answers first differ.
  public var answer: Int { answers.answer[0] }
  public var foil: Int { answers.foil[0] }

  /// Whether the probabilities of the whole answers are read.
  var readsWholeAnswers: Bool {
    answers.answer.count + answers.foil.count == 2 || !input.continuations.isEmpty
  }

  /// The positions of the text whose logits are read, of `count` positions: those that predict what
  /// the answers share, that at which they differ, and those of each continuation.
  func reads(of count: Int) -> [Int] {
    let behind = count - input.continuations.reduce(0) { $0 + $1.count }
    return Array((behind - 1 - answers.shared.count)..<count)
  }

  /// The logit difference log p(answer) - log p(foil) of the logits that were read.
  func logitDifference(_ logits: Tensor, row: Int = 0) -> Double {
    let row = row + answers.shared.count
    return Double(logits[row, answer]) - Double(logits[row, foil])
  }
}
