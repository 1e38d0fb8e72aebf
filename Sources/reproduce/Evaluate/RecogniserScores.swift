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
  /// - Parameters:
  ///   - minimumGap: the gap in nats from which a pair enters (`paper/definitions.md`, D17)
  ///   - journal: what an interrupted evaluation has kept
  func score(_ recogniser: Recogniser, minimumGap: Double, _ journal: ScoreJournal) throws
    -> Scorecard
  {
    var card = Scorecard(architecture: "Whisper")
    for (set, suite) in sets where Self.wording.contains(set) {
      try enter(recogniser, set, suite, minimumGap, journal, &card)
      try transcribe(recogniser, set, suite, journal, &card)
    }
    return card
  }

  /// Whether either member's word is the more probable one, and whether the pair enters.
  private func enter(
    _ recogniser: Recogniser, _ set: String, _ suite: PairSuite, _ minimumGap: Double,
    _ journal: ScoreJournal, _ card: inout Scorecard
  ) throws {
    let pairs = suite.pairs.filter { $0.transcript != nil }
    let filter = PairFilter(minimumGap: minimumGap)
    let differences = try journal("\(set), choice", pairs, key: \.id) { pair in
      let questions = try recogniser.questions(for: pair, root: root, recordings: recordings)
      return try [questions.clean, questions.corrupt].map {
        try recogniser.model.trace($0).logitDifference
      }
    }
    for (pair, difference) in zip(pairs, differences) {
      let (clean, corrupt) = (difference[0], difference[1])
      let enters = filter.reason(clean: clean, corrupt: corrupt) == nil
      for group in ["all voices", pair.voice] {
        card.add(clean > 0, to: "\(set) | \(group) | choice")
        card.add(corrupt < 0, to: "\(set) | \(group) | choice")
        card.add(enters, to: "\(set) | \(group) | pairs that enter")
      }
    }
  }

  /// Every fourth utterance, written down.
  private func transcribe(
    _ recogniser: Recogniser, _ set: String, _ suite: PairSuite, _ journal: ScoreJournal,
    _ card: inout Scorecard
  ) throws {
    let some = stride(from: 0, to: suite.utterances.count, by: 4).map { suite.utterances[$0] }
    let written = try journal(set, some, key: \.id) { utterance in
      let wave = try utterance.waveform(root: root, recordings: recordings)
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
