// Where noise makes a model answer wrongly: the noisy run with the clean run's activations, against the
// model's own wrong word (`paper/definitions.md`, D130).

import Corpus
import Speech
import Tensor

/// What a model answers to a recording and to the same in noise, read at the first token.
public struct NoisyAnswer: Codable, Sendable {
  /// Whether the clean recording, and the noisy one, are answered rightly.
  public let clean: Bool
  public let noisy: Bool
  /// The first token that is answered in noise.
  public let token: Int

  /// Whether noise alone makes it wrong.
  public var isMistaken: Bool { clean && !noisy }
}

extension SpeechModel {
  /// What is answered first to both members of a pair whose corrupt member is the clean one in noise.
  public func noisyAnswer(of pair: MinimalPair, root: String) throws -> NoisyAnswer {
    let questions = try questions(for: pair, root: root)
    func first(_ question: Question) throws -> Int {
      let logits = try model.run(question.input, tap: nil).logits
      let row = logits.rows - 1
      return (1..<logits.width).reduce(0) { logits[row, $1] > logits[row, $0] ? $1 : $0 }
    }
    let (clean, noisy) = (try first(questions.clean), try first(questions.corrupt))
    return NoisyAnswer(
      clean: clean == questions.clean.answer, noisy: noisy == questions.clean.answer, token: noisy)
  }

  /// The noisy run with the clean run's activations, scored by the right word against the one that the
  /// model said in noise; and the same with the clean run of another pair.
  ///
  /// - Parameter token: what is answered first in noise
  public func noiseMap(
    of pair: MinimalPair, said token: Int, unrelated other: MinimalPair, root: String
  ) throws -> PairMap {
    let asked = try questions(for: pair, root: root)
    func scored(_ question: Question) -> Question {
      Question(
        clip: question.clip, tokens: question.tokens, answer: asked.clean.answer, foil: token)
    }
    let (clean, corrupt) = try model.sharingFrames(scored(asked.clean), scored(asked.corrupt))
    let stranger = try model.trace(
      scored(try questions(for: other, root: root).clean), keeping: model.branchSites)
    let windows = TaskWindows.all(of: pair).map { Optional($0) }
    var lending = windows
    lending[TaskWindows.answer] = nil
    lending[TaskWindows.whole] = nil
    var map = PairMap(clean: clean.logitDifference, corrupt: corrupt.logitDifference)
    map.sufficiency = try model.cutMap(corrupt, with: .source(clean), windows)
    map.unrelated = try model.cutMap(
      corrupt,
      with: .unrelated(stranger, shift: other.onset - pair.onset, matching: clean), lending)
    return map
  }
}
