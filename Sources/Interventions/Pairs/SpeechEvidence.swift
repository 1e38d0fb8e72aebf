// Whether a recogniser takes a sound for speech, read from its first steps: what a patch between a sound
// that is not speech and speech is measured by (`paper/definitions.md`, D105).

import Speech
import Tensor

/// Two log-odds, in nats: that there is speech, and that there is something to write down.
public struct SpeechEvidence: Codable, Sendable, Equatable {
  /// log (1 - p) / p of <|nospeech|>, behind <|startoftranscript|>.
  public let speech: Double
  /// log (1 - p) / p of ending at once, p(<|endoftext|>) as the first token of the text.
  public let text: Double

  public subscript(_ reading: Reading) -> Double { reading == .text ? text : speech }

  public enum Reading: String, Sendable, CaseIterable {
    case speech
    case text
  }
}

extension Recogniser {
  /// The question at whose positions the evidence is read: the start of a transcript, its tokens behind
  /// the first one forced.
  public func speechQuestion(_ clip: Clip) throws -> Question {
    let rest = Array(start.dropFirst())
    let tokens = try silenceTokens
    return Question(
      ModelInput(clip: clip, tokens: [start[0]]),
      try Answers(answer: rest + [tokens.end], foil: rest + [tokens.noSpeech]), continuing: false)
  }

  /// What a run says, of a `speechQuestion`.
  public func evidence(in run: Trace) throws -> SpeechEvidence { try evidence(in: run.logits) }

  /// What the base run says with each intervention. Every one is computed, also where it changes nothing.
  ///
  /// - Parameter interventions: each a set of patches that act together
  public func evidence(_ base: Trace, with interventions: [[Patch]]) throws -> [SpeechEvidence] {
    try model.logits(base, interventions).map { try evidence(in: $0) }
  }

  private func evidence(in logits: Tensor) throws -> SpeechEvidence {
    let tokens = try silenceTokens
    return SpeechEvidence(
      speech: logOdds(against: tokens.noSpeech, in: logits, row: 0),
      text: logOdds(against: tokens.end, in: logits, row: logits.rows - 1))
  }
}

/// log (1 - p) / p of one token in a row of logits, in Double and without taking 1 - p.
private func logOdds(against token: Int, in logits: Tensor, row: Int) -> Double {
  let width = logits.width
  return logits.withNumbers { numbers in
    let line = numbers[(row * width)..<((row + 1) * width)]
    let top = Double(line.max()!)
    var sum = 0.0
    for (i, logit) in line.enumerated() where i != token {
      sum += Elementary.exp(Double(logit) - top)
    }
    return top + Elementary.log(sum) - Double(line[row * width + token])
  }
}
