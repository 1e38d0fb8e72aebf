// What the published recognisers can do on the suite: which of two words comes next in a transcript
// whose beginning is forced, which pairs enter a map, and how far what they write is from what was said.

import Corpus
import Foundation
import Interventions
import Speech

extension ScoredSuite {
  /// The sets of which recognisers are asked: pairs whose members differ in one word.
  private static let wording: Set = ["evaluation", "never-heard", "human"]

  /// Everything that one recogniser is asked.
  ///
  /// - Parameter minimumGap: the gap in nats from which a pair enters (`paper/definitions.md`, D17)
  func score(_ recogniser: Recogniser, minimumGap: Double) throws -> Scorecard {
    var card = Scorecard(architecture: "Whisper")
    for (set, suite) in sets where Self.wording.contains(set) {
      try enter(recogniser, set, suite, minimumGap, &card)
      try transcribe(recogniser, set, suite, &card)
    }
    return card
  }

  /// Whether either member's word is the more probable one, and whether the pair enters.
  private func enter(
    _ recogniser: Recogniser, _ set: String, _ suite: PairSuite, _ minimumGap: Double,
    _ card: inout Scorecard
  ) throws {
    let pairs = suite.pairs.filter { $0.transcript != nil }
    let filter = PairFilter(minimumGap: minimumGap)
    let said = try mapInParallel(pairs.count) { i in
      let questions = try recogniser.questions(
        for: pairs[i], root: root, recordings: recordings)
      return (
        clean: try recogniser.model.trace(questions.clean).logitDifference,
        corrupt: try recogniser.model.trace(questions.corrupt).logitDifference
      )
    }
    for (pair, said) in zip(pairs, said) {
      let enters = filter.reason(clean: said.clean, corrupt: said.corrupt) == nil
      for group in ["all voices", pair.voice] {
        card.add(said.clean > 0, to: "\(set) | \(group) | choice")
        card.add(said.corrupt < 0, to: "\(set) | \(group) | choice")
        card.add(enters, to: "\(set) | \(group) | pairs that enter")
      }
    }
  }

  /// Every fourth utterance, written down.
  private func transcribe(
    _ recogniser: Recogniser, _ set: String, _ suite: PairSuite, _ card: inout Scorecard
  ) throws {
    let some = stride(from: 0, to: suite.utterances.count, by: 4).map { suite.utterances[$0] }
    let written = try mapInParallel(some.count) { i in
      let wave = try some[i].waveform(root: root, recordings: recordings)
      return try recogniser.transcript(of: recogniser.model.clip(wave), limit: 48).text
    }
    for (utterance, text) in zip(some, written) {
      for group in ["all voices", utterance.voice] {
        card.add(saidDigits(text), against: utterance.text, to: "\(set) | \(group)")
      }
    }
  }
}

/// A transcript with its numerals said digit by digit, as the suite's texts are.
func saidDigits(_ text: String) -> String {
  text.map { character in
    character.wholeNumberValue.flatMap { (0...9).contains($0) ? DigitString.words[$0] : nil }
      .map { " \($0) " } ?? String(character)
  }.joined()
}
